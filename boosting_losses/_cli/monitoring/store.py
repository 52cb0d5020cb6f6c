"""The options of the store and of the settings, and the store opened with them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from ...monitor import Alert, Monitor
from .. import config as configuration
from ..outputs import Problem

_P = ParamSpec("_P")
_R = TypeVar("_R")

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
#: The key of hashed ids is read from the environment, because other users can see the arguments of a process.
_ID_KEY = "BOOSTING_LOSSES_ID_KEY"


def with_store(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add the option of the store, and turn errors of the monitor into problems of the command."""

    @click.option(
        "--store",
        metavar="STORE",
        required=True,
        envvar="BOOSTING_LOSSES_STORE",
        help="SQLite file, or URL such as postgresql+psycopg://user@host/database.  [env: BOOSTING_LOSSES_STORE]",
    )
    @functools.wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise Problem(" ".join(str(error).split())) from None

    return wrapped


def with_settings(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add the options of the settings."""
    for option in (
        click.option(
            "--look", metavar="DURATION", help="Length of the cohorts of prediction times, such as 1d.  [default: 1d]"
        ),
        click.option(
            "--label-delay",
            metavar="DURATION",
            help="Time after a prediction at which its label is final, such as 30d. A new store requires it.",
        ),
        click.option(
            "--config",
            "config_path",
            metavar="PATH",
            type=_EXISTING,
            help="YAML file with a section monitoring; options override it. An existing store keeps its settings.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def opened_store(
    store: str, given: dict[str, Any] | None = None, on_alert: Callable[[Alert], object] | None = None
) -> Iterator[Monitor]:
    """Open a store, or create one with the given settings."""
    with Monitor.open(store, id_key=os.environ.get(_ID_KEY), on_alert=on_alert, **(given or {})) as found:
        yield found


def given(config_path: Path | None, **options: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the settings of the configuration and of the options, which override them, and the webhooks."""
    config = configuration.Evaluation() if config_path is None else configuration.read(config_path)
    settings = config.monitoring.settings(balanced=config.score("log_loss") == "balanced_log_loss")
    return settings | {name: value for name, value in options.items() if value is not None}, config.monitoring.webhooks
