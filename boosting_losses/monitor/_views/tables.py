"""The tables of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...report._views.page_tables import Cell, Head, Rows, Section, Table
from ...report._views.words import number
from .words import COUNTS, moment, name, nats, share, shortened

if TYPE_CHECKING:
    from .._alerts import Alert
    from .._status import StreamStatus
    from .data import Overview

#: The rows of a table.
MOST_ROWS = 200

#: Sections of streams with figures, by model and slice.
Links = Mapping[tuple[str, str | None], str]


def streams(found: Overview, links: Links) -> Section:
    """Return the state of models and slices; slices are in order of their evidence."""
    unresolved: dict[tuple[str, str | None], int] = {}
    for alert in found.alerts:
        if alert.state != "resolved":
            key = alert.model, alert.slice
            unresolved[key] = unresolved.get(key, 0) + 1
    shown = sorted(found.status.streams, key=lambda stream: (stream.slice is not None, -stream.evidence))[:MOST_ROWS]
    parts = []
    for model in dict.fromkeys(stream.model for stream in shown):
        rows = [
            (
                Head(
                    "all rows" if stream.slice is None else shortened(stream.slice),
                    is_name=True,
                    link=links.get((stream.model, stream.slice), ""),
                ),
                _cells(stream, unresolved.get((stream.model, stream.slice), 0)),
            )
            for stream in shown
            if stream.model == model
        ]
        parts.append(Rows(f"model {shortened(model)}", tuple(rows)))
    columns = ("rows", "labelled", "coverage", "evidence", "log loss", "expected log loss", "alerts")
    note = (
        "Coverage: the share of labelled rows among those whose labels are final. Evidence is in nats, and below it is"
    )
    note += " what an alert requires. Alerts: those that are not resolved."
    if len(shown) < len(found.status.streams):
        note += f" The table has {len(shown)} of {len(found.status.streams):,} streams, those with the most evidence."
    table = Table("", "stream", tuple(map(Head, columns)), tuple(parts))
    return Section("streams", "Models and slices", (table,) if parts else (), note if parts else "No predictions yet.")


def _cells(stream: StreamStatus, alerts: int) -> tuple[Cell, ...]:
    evidence = Cell(nats(stream.evidence), f"of {nats(stream.needed)}") if stream.looks else Cell("")
    return (
        Cell(f"{stream.rows:,}"),
        Cell(f"{stream.labelled:,}"),
        Cell(share(stream.coverage)),
        evidence,
        Cell(number(stream.log_loss)),
        Cell(number(stream.expected_log_loss)),
        Cell(f"{alerts}" if alerts else ""),
    )


def alerts(found: Overview, links: Links) -> Section:
    """Return all alerts, the latest first."""
    columns = ("stream", "last look", "since", "labels", "evidence", "saving", "state")
    heads = tuple(Head(column, is_name=column == "stream") for column in columns)
    rows = tuple(
        (Head(f"{alert.number}, {alert.kind}", link=links.get((alert.model, alert.slice), "")), _alert_cells(alert))
        for alert in reversed(found.alerts[-MOST_ROWS:])
    )
    note = "Evidence and the saving of a recalibration per row are in nats; the 95 % interval of the saving is not corrected"
    note += " for the choice of its rows."
    if len(rows) < len(found.alerts):
        note += f" The table has the last {len(rows)} of {len(found.alerts):,} alerts."
    return Section("alerts", "Alerts", (Table("", "alert", heads, (Rows("", rows),)),), note)


def _alert_cells(alert: Alert) -> tuple[Cell, ...]:
    saved = nats(alert.saving)
    return (
        Cell(name(alert), is_name=True),
        Cell(moment(alert.time)),
        Cell(moment(alert.since)),
        Cell(f"{alert.labels:,}"),
        Cell(nats(alert.evidence), f"of {nats(alert.needed)}") if alert.kind == "miscalibrated" else Cell(""),
        Cell(saved, f"[{nats(alert.saving_low)}, {nats(alert.saving_high)}]") if saved else Cell(""),
        Cell(alert.state),
    )


def counts(found: Overview) -> Section:
    """Return what has arrived, in words."""
    known = [key for key in COUNTS if key in found.status.counts]
    rows = tuple((Head(COUNTS[key]), (Cell(f"{found.status.counts[key]:,}"),)) for key in known)
    table = Table("", "case", (Head("number"),), (Rows("", rows),))
    return Section("counts", "What has arrived", (table,) if rows else (), "" if rows else "Nothing yet.")
