"""The state of a monitor as a self-contained HTML page, without external scripts, fonts or images."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ...report._views.html import environment, writable
from ...report._views.svg import Picture, variables
from . import pictures, tables
from .words import counted, duration, moment, name, sentence

if TYPE_CHECKING:
    from .._alerts import Alert
    from .._status import StreamStatus
    from .data import Overview

_ENVIRONMENT = environment("boosting_losses.monitor._views")
#: Sentences above the tables; each is about one kind of alert of a stream.
MOST_SENTENCES = 8


class Sentence(NamedTuple):
    """The latest unresolved alert of a kind and stream, and the numbers of the earlier ones."""

    number: int
    state: str
    text: str
    found: str
    earlier: str
    link: str


class StreamSection(NamedTuple):
    """The figures of a stream."""

    key: str
    title: str
    pictures: list[Picture]


def page(found: Overview, title: str | None) -> str:
    """Return the whole page."""
    links = {(stream.status.model, stream.status.slice): f"stream-{i}" for i, stream in enumerate(found.streams)}
    drawn = [
        StreamSection(key, _title(stream.status), pictures.of_stream(stream, key) if stream.status.first else [])
        for key, stream in zip(links.values(), found.streams, strict=True)
    ]
    sentences = _sentences(found.alerts, links)
    text = _ENVIRONMENT.get_template("monitor.html").render(
        title="Monitor" if title is None else title,
        summary=_summary(found),
        sentences=sentences[:MOST_SENTENCES],
        more=len(sentences) - MOST_SENTENCES,
        warnings=[name(stream) for stream in found.status.streams if not stream.missing_at_random],
        no_alerts=not found.alerts,
        streams=tables.streams(found, links),
        drawn=drawn,
        not_drawn=len(found.status.streams) - len(drawn),
        alerts=tables.alerts(found, links),
        counts=tables.counts(found),
        signs=pictures.signs({alert.kind for alert in found.alerts}) if drawn else [],
        settings=_settings(found),
        day=variables(black=False),
        night=variables(black=True),
    )
    return writable(text)


def _title(stream: StreamStatus) -> str:
    return f"{name(stream)}, all rows" if stream.slice is None else name(stream)


def _sentences(alerts: list[Alert], links: tables.Links) -> list[Sentence]:
    """Return the unresolved alerts by stream and kind; those with an open alert first, then the latest."""
    by_subject: dict[tuple[str, str | None, str], list[Alert]] = {}
    for alert in alerts:
        if alert.state != "resolved":
            by_subject.setdefault((alert.model, alert.slice, alert.kind), []).append(alert)
    ordered = sorted(by_subject.values(), key=lambda group: (group[-1].state != "open", -group[-1].number))
    return [
        Sentence(
            group[-1].number,
            group[-1].state,
            sentence(group[-1]),
            moment(group[-1].time),
            ", ".join(f"{alert.number}" for alert in group[-6:-1]),
            links.get((group[-1].model, group[-1].slice), ""),
        )
        for group in ordered
    ]


def _summary(found: Overview) -> str:
    status = found.status
    recorded, labelled = (status.counts.get(key, 0) for key in ("recorded", "labelled"))
    rows = f"{counted(recorded, 'prediction')}, {counted(labelled, 'label')}"
    if status.clock is None or status.mature_until is None:
        return f"{rows}; no labels have arrived."
    return f"{rows}; clock at {moment(status.clock)}. Labels are final for predictions before {moment(status.mature_until)}."


def _settings(found: Overview) -> str:
    settings = found.settings
    look = duration(timedelta(seconds=settings["look"]))
    delay = duration(timedelta(seconds=settings["label_delay"]))
    return (
        f"A look is {look}. A label is final after {delay}. The average number of looks until a false alarm is at least"
        f" {settings['run_length']:,g} if the probabilities are right."
    )
