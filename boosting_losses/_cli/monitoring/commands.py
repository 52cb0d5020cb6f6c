"""The group of the monitor's commands."""

from __future__ import annotations

import click

from . import changes, views
from .ingest import ingest_files
from .serve import serve


@click.group()
def monitor() -> None:
    """Monitor served probabilities whose labels arrive later.

    The state is kept in a store, which is an SQLite file or a database such as PostgreSQL. With a secret in the environment
    variable BOOSTING_LOSSES_ID_KEY, ids are stored as hashes with this key.
    """


for command in (
    ingest_files,
    views.status,
    views.report,
    views.recalibrate,
    changes.acknowledge,
    changes.resolve,
    changes.forget,
    changes.delete,
    serve,
):
    monitor.add_command(command)
