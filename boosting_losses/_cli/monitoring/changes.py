"""The commands that change alerts and delete rows."""

from __future__ import annotations

from typing import Any

import click

from .store import opened_store, with_store


@click.command()
@click.argument("number", type=int)
@with_store
def acknowledge(store: str, number: int) -> None:
    """Mark an alert as known: its stream raises no alert of the same kind until it is resolved."""
    with opened_store(store) as found:
        found.acknowledge(number)


@click.command()
@click.argument("number", type=int)
@with_store
def resolve(store: str, number: int) -> None:
    """Mark an alert as resolved."""
    with opened_store(store) as found:
        found.resolve(number)


@click.command()
@click.argument("before", metavar="TIME")
@with_store
def forget(store: str, before: str) -> None:
    """Delete the rows predicted before TIME, and keep the sums of their cohorts."""
    with opened_store(store) as found:
        found.forget(before)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option(
    "--ids", "file", metavar="FILE", type=click.File(), help="File with one id per line, or - for standard input."
)
@with_store
def delete(store: str, ids: tuple[str, ...], file: Any) -> None:
    """Delete the rows of ids, from the store and from all curves."""
    listed = [] if file is None else [line.rstrip("\r\n") for line in file if line.strip()]
    if not ids and not listed:
        raise ValueError("ID or --ids must name rows, got none")
    wanted = {*ids, *listed}
    with opened_store(store) as found:
        click.echo(f"{found.delete(list(wanted)):,} of {len(wanted):,} ids were known; their rows are deleted")
