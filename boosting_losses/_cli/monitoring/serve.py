"""The command that runs the HTTP service."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ...monitor.webhooks import Webhooks
from .store import given, opened_store, with_settings, with_store


@click.command()
@with_store
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. One that other machines can reach requires a token.",
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--classes",
    "n_classes",
    metavar="K",
    type=click.IntRange(2),
    help="Number of classes of a new store.  [default: 2]",
)
@click.option(
    "--name", "names", metavar="HOST", multiple=True, help="Further name of the service, such as that of a proxy."
)
@click.option(
    "--lag",
    metavar="DURATION",
    default="1h",
    show_default=True,
    help="How far the monitor's clock is behind real time.",
)
@with_settings
def serve(
    store: str,
    host: str,
    port: int,
    names: tuple[str, ...],
    lag: str,
    n_classes: int | None,
    config_path: Path | None,
    label_delay: str | None,
    look: str | None,
) -> None:
    """Run an HTTP service that receives predictions and labels, and shows status, metrics and the page.

    Set a token in the environment as BOOSTING_LOSSES_TOKEN; clients send it as "Authorization: Bearer TOKEN".
    """
    from ...monitor import service  # noqa: PLC0415  (FastAPI is an extra of its own)

    settings, webhooks = given(config_path, label_delay=label_delay, look=look, n_classes=n_classes)
    token = os.environ.get("BOOSTING_LOSSES_TOKEN") or None
    with Webhooks(webhooks, source=store) as receivers, opened_store(store, settings, receivers.send) as found:
        service.serve(found, host=host, port=port, token=token, hosts=names, on_alert=receivers.send, lag=lag)
