"""The command that adds the rows of files to a monitor."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...monitor import Monitor
from ...monitor.webhooks import Webhooks
from ..inputs import Input, opened
from ..outputs import progress
from ..passes import Advance
from ..plan import models_of, names_of
from .served import Roles, labels, predictions
from .store import given, opened_store, with_settings, with_store

#: Labels are added in blocks of this many rows.
_LABELS = 100_000


@click.command("ingest")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path)
)
@with_store
@click.option("--id", metavar="COLUMN", required=True, help="Column of the ids that join predictions and labels.")
@click.option("--time", metavar="COLUMN", help="Column of the prediction times; predictions require it.")
@click.option(
    "--proba",
    "probas",
    metavar="COLUMN[,COLUMN...]",
    multiple=True,
    help="Column of P(y = 1), or K columns for K classes. Repeat the option for each additional model.",
)
@click.option(
    "--model",
    "models",
    metavar="NAME",
    multiple=True,
    help="Name of the model, once for each --proba.  [default: default]",
)
@click.option("--label", metavar="COLUMN", help="Column of the labels, empty where they are not known yet.")
@click.option(
    "--label-time",
    metavar="COLUMN",
    help="Column of the times at which labels became known.  [default: now, or when the label of the row is final, if this"
    " is earlier]",
)
@click.option("--classes", metavar="LABEL,LABEL...", help="Labels in the order of the columns of --proba.")
@click.option("--weight", metavar="COLUMN", help="Column of the sample weights.")
@click.option("--group", metavar="COLUMN", help="Column of the groups of dependent rows, such as customers.")
@click.option(
    "--slice", "slices", metavar="COLUMN", multiple=True, help="Column of categories to monitor. Repeat for more."
)
@click.option(
    "--format", "kind", type=click.Choice(["csv", "tsv", "parquet"]), help="Format, if the extension does not tell."
)
@click.option("--delimiter", metavar="CHAR", help='Delimiter of a CSV file: ";", "|", "tab", ...  [default: ","]')
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator of a CSV file.  [default: .]")
@with_settings
def ingest_files(
    files: tuple[Path, ...],
    store: str,
    config_path: Path | None,
    label_delay: str | None,
    look: str | None,
    kind: str | None,
    delimiter: str | None,
    decimal: str | None,
    **wishes: Any,
) -> None:
    """Add the predictions and the labels of files.

    FILE is a .csv, .tsv or .parquet file, a folder of such files, or - for standard input. A file may contain predictions
    (--proba), labels (--label) or both. Rows that are already known change nothing, so a file may be added twice.

    \b
    Example:
      boosting-losses monitor ingest served.csv --store monitor.db --id id --time time --proba p --label-delay 30d
      boosting-losses monitor ingest labels.csv --store monitor.db --id id --label y --label-time time
    """  # noqa: D301
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(file, kind, delimiter, decimal)) for file in files]
        roles = _roles(sources[0].columns(), wishes)
        settings, webhooks = given(config_path, label_delay=label_delay, look=look, n_classes=roles.n_classes)
        receivers = stack.enter_context(Webhooks(webhooks, source=store))
        found = stack.enter_context(opened_store(store, settings, receivers.send))
        before, alerts = found.status().counts, len(found.alerts())
        _ingest(found, sources, roles)
        _echo_changes(before, found.status().counts)
        for alert in found.alerts()[alerts:]:
            click.echo(f"alert {alert.number}: {alert}")


def _echo_changes(before: dict[str, int], after: dict[str, int]) -> None:
    changes = {name: count - before.get(name, 0) for name, count in sorted(after.items())}
    words = [f"{name.replace('_', ' ')} {count:,}" for name, count in changes.items() if count]
    click.echo(", ".join(words) or "nothing new")


def _roles(columns: Sequence[str], wishes: dict[str, Any]) -> Roles:
    """Return the roles of the columns of a file; raise ValueError if options do not fit together."""
    models, classes = models_of(wishes["probas"], wishes["classes"], columns) if wishes["probas"] else ((), None)
    if wishes["classes"] is not None and not models:
        classes = tuple(part.strip() for part in wishes["classes"].split(","))
    names = wishes["models"] or (("default",) if len(models) == 1 else names_of(models))
    if not models and wishes["label"] is None:
        raise ValueError("--proba or --label must be given, got neither")
    if models and wishes["time"] is None:
        raise ValueError("--time must name the column of the prediction times, got none")
    if len(names) != len(models) or len(set(names)) < len(names):
        raise ValueError(f"--model must name each of the {len(models)} models once, got {', '.join(names)}")
    others = {name: wishes[name] for name in ("time", "label", "label_time", "weight", "group", "slices")}
    return Roles(wishes["id"], models=dict(zip(names, models, strict=True)), classes=classes, **others)


def _ingest(monitor: Monitor, sources: Sequence[Input], roles: Roles) -> None:
    """Add all predictions, then all labels in the order of their times.

    Labels move the clock of the monitor, so the predictions of a cohort must come before the label that closes it.
    """
    passes = bool(roles.models) + (roles.label is not None)
    with progress(sources, passes) as advance:
        if roles.models:
            for source in sources:
                for block in predictions(source, roles):
                    for arguments in block:
                        monitor.record(**arguments)
                    advance(len(block[0]["ids"]))
        if roles.label is not None:
            _ingest_labels(monitor, sources, roles, advance)


def _ingest_labels(monitor: Monitor, sources: Sequence[Input], roles: Roles, advance: Advance) -> None:
    ids: list[str] = []
    y, at = [np.empty(0)], [np.empty(0, "datetime64[us]")]
    for source in sources:
        for count, block in labels(source, roles):
            ids += block.ids
            y.append(block.y)
            if block.time is not None:
                at.append(block.time)
            advance(count)
    codes, times = np.concatenate(y), np.concatenate(at)
    if len(times) < len(ids):  # without an order, labels cannot be added in blocks
        monitor.label(ids, codes)
        return
    order = np.argsort(times, kind="stable")
    for first in range(0, len(order), _LABELS):
        rows = order[first : first + _LABELS]
        monitor.label([ids[i] for i in rows], codes[rows], None if roles.label_time is None else times[rows])
