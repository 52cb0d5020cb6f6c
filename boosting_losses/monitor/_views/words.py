"""Wording and formats that the page and its figures share."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from .._alerts import Alert
from .._status import StreamStatus
from .._time import microseconds_of, words

#: The cases of the table in docs/monitoring.md.
COUNTS = {
    "recorded": "predictions with a new id",
    "labelled": "labels of known rows",
    "replayed": "predictions that arrived again with the same values; ignored",
    "conflicting": "predictions with a known id and another probability or time; the first ones were kept",
    "invalid": "probabilities that are NaN or outside [0, 1]; not scored",
    "late_predictions": "predictions of cohorts that had been counted; in the curves, not in the evidence",
    "early_labels": "labels that arrived before their predictions, or whose ids are unknown",
    "unmatched_labels": "labels that waited in vain for their predictions; dropped",
    "repeated_labels": "labels that arrived again; ignored",
    "corrected_labels": "labels that replaced earlier ones; evidence that had been counted did not change",
    "outdated_labels": "other labels with an earlier time; ignored",
    "late_labels": "first labels of rows whose cohort had been counted; in the curves, not in the evidence",
    "from_the_future": "rows with a time in the future; refused",
    "deleted": "predictions of deleted cohorts; not recorded",
    "deleted_by_id": "ids whose rows were deleted on request",
    "unwatched_slices": "slices beyond max_streams; not watched",
}

#: Longer names are shortened.
_MOST_LETTERS = 160
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def shortened(name: str) -> str:
    """Return a name without the middle of very long ones."""
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS // 2]} … {name[-_MOST_LETTERS // 4 :]}"


def name(stream: StreamStatus | Alert) -> str:
    """Return the name of a stream."""
    return shortened(_whole(stream))


def sentence(alert: Alert) -> str:
    """Return the text of an alert, which starts with the name of its stream."""
    return name(alert) + alert.text.removeprefix(_whole(alert))


def _whole(stream: StreamStatus | Alert) -> str:
    return stream.model if stream.slice is None else f"{stream.model}, {stream.slice}"


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def moment(time: datetime | np.datetime64 | None) -> str:
    """Return a time to the minute."""
    if isinstance(time, np.datetime64):
        return words(int(time.astype("datetime64[us]").astype(np.int64)))
    return "" if time is None else words(microseconds_of(time))


def duration(length: timedelta) -> str:
    """Return a duration in the largest unit of which it is a multiple."""
    seconds = length.total_seconds()
    for unit, size in _UNITS:
        count = seconds / size
        if count >= 1.0 and count == round(count) and (unit != "week" or count > 1):
            return counted(round(count), unit)
    return f"{seconds:g} seconds"


def share(value: float) -> str:
    """Return a share in per cent."""
    return "" if math.isnan(value) else f"{value:.1%}"


def nats(value: float) -> str:
    """Return evidence or a saving with three significant digits."""
    return "" if math.isnan(value) else f"{value:.3g}"
