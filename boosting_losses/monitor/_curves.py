"""Scores over windows of time or of a number of rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._sums import BINS, BOUND, Terms, Vector, confidence_sequence
from ._time import Times

#: Confidence sequences are most efficient from about this number of rows on.
_ROWS_FOR_INTERVAL = 100.0


@dataclass(frozen=True)
class Curve:
    """Scores of windows; every attribute is an array with one entry per window.

    Attributes
    ----------
    start, end : ndarray of datetime64
        The window [start, end); for a window of rows, the times of its first and last row.
    rows, labelled : ndarray of int
        The numbers of predictions and of labelled predictions.
    weight : ndarray
        The sum of the weights of labelled rows, over which the scores below are means.
    log_loss, expected_log_loss : ndarray
        The observed log loss and its expectation under the served probabilities, for the mix of rows in the window.
    difference, low, high : ndarray
        The mean of observed minus expected log loss with a 95 % confidence sequence. In these three, log losses are clipped
        at 10 nats.
    normalized_cross_entropy, brier_score, calibration_error : ndarray
        As defined in :mod:`boosting_losses.metrics`; the calibration error uses 15 bins of equal width.
    mean_label, mean_proba : ndarray of shape (W,), or (W, K)
        Event rates and mean predictions.
    expected_of_all : ndarray
        The expected log loss of all rows, labelled or not.
    provisional : ndarray of bool
        True for windows whose labels are not final.
    """

    start: npt.NDArray[np.datetime64]
    end: npt.NDArray[np.datetime64]
    rows: npt.NDArray[np.int64]
    labelled: npt.NDArray[np.int64]
    weight: Vector
    log_loss: Vector
    expected_log_loss: Vector
    difference: Vector
    low: Vector
    high: Vector
    normalized_cross_entropy: Vector
    brier_score: Vector
    calibration_error: Vector
    mean_label: Vector
    mean_proba: Vector
    expected_of_all: Vector
    provisional: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return columns for a data frame; columns of K classes end in the class code."""
        columns: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            values = getattr(self, name)
            if values.ndim == 1:
                columns[name] = values
            else:
                columns.update({f"{name}_{k}": values[:, k] for k in range(values.shape[1])})
        return columns


class EvidenceCurve(NamedTuple):
    """The evidence after each look of a stream.

    Attributes
    ----------
    end : ndarray of datetime64
        The end of each look.
    nats : ndarray
        The evidence; it restarts after an alert.
    needed : float
        The evidence that an alarm requires now; it grows with the number of streams.
    """

    end: npt.NDArray[np.datetime64]
    nats: Vector
    needed: float


def time_windows(time: Times, length: int, step: int) -> tuple[Times, Times]:
    """Return the starts and ends of the windows that end at multiples of ``step`` and cover sorted times."""
    if not len(time):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ends = np.arange(int(time[0]) // step + 1, int(time[-1]) // step + 2) * step
    return ends - length, ends


def curve_of(
    time: Times,
    terms: Terms,
    bounds: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    edges: tuple[Times, Times],
    mature_until: int,
) -> Curve:
    """Return the scores of windows.

    Parameters
    ----------
    time : ndarray of shape (n,)
        Sorted.
    terms : Terms
        The terms of the rows, in the same order.
    bounds : pair of ndarrays
        The first row of each window, and the row after its last one.
    edges : pair of ndarrays
        The start and end time of each window.
    mature_until : int
        The end of the last mature cohort.
    """
    first, last = bounds
    w = np.where(terms.labelled, terms.weight, 0.0)
    label = terms.label if terms.label.ndim == 2 else terms.label[:, None]
    proba = terms.proba if terms.proba.ndim == 2 else terms.proba[:, None]

    def total(values: npt.NDArray[Any]) -> Vector:
        running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        sums: Vector = running[last] - running[first]
        return sums

    with np.errstate(divide="ignore", invalid="ignore"):
        weight, every = total(w), total(terms.weight)
        loss, difference = total(w * terms.loss) / weight, total(w * terms.surprise) / weight
        labels, probas = (total(w[:, None] * part) / weight[:, None] for part in (label, proba))
        # The reference variance of the sequence may depend on weights and probabilities, but not on labels.
        squares = total((w * terms.surprise) ** 2)
        least = _ROWS_FOR_INTERVAL * np.maximum(total(w**2) / np.maximum(total(terms.labelled * 1.0), 1.0), 1e-300)
        typical = total(w * terms.expected) / weight
        span = (BOUND + np.log(max(proba.shape[1], 2))) * w.max(initial=1.0)
        half = confidence_sequence(squares, least * np.maximum(typical, 1e-6), span) / weight
        shares = np.column_stack([1.0 - labels, labels]) if labels.shape[1] == 1 else labels
        base = -np.sum(np.where(shares > 0.0, shares * np.log(np.where(shares > 0.0, shares, 1.0)), 0.0), axis=1)
        return Curve(
            start=edges[0].astype("datetime64[us]"),
            end=edges[1].astype("datetime64[us]"),
            rows=last - first,
            labelled=total(terms.labelled.astype(np.float64)).astype(np.int64),
            weight=weight,
            log_loss=loss,
            expected_log_loss=typical,
            difference=difference,
            low=difference - half,
            high=difference + half,
            normalized_cross_entropy=np.where(base > 0.0, loss / np.where(base > 0.0, base, 1.0), np.nan),
            brier_score=total(w * terms.square) / weight,
            calibration_error=_calibration_errors(terms, w, first, last, weight),
            mean_label=labels if terms.label.ndim == 2 else labels[:, 0],
            mean_proba=probas if terms.proba.ndim == 2 else probas[:, 0],
            expected_of_all=total(terms.weight * terms.expected) / every,
            provisional=edges[1] > mature_until,
        )


def _calibration_errors(
    terms: Terms, w: Vector, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp], weight: Vector
) -> Vector:
    """Return the expected calibration error of each window, from sums by bin at the edges of the windows."""
    if terms.proba.ndim == 1:
        proba, hit = terms.proba, terms.label
    else:
        top = terms.proba.argmax(axis=1)
        proba, hit = terms.proba.max(axis=1), terms.label[np.arange(len(top)), top]
    edges = np.linspace(0.0, 1.0, BINS + 1)
    bins = np.clip(np.searchsorted(edges, proba, side="left") - 1, 0, BINS - 1)
    cuts, position = np.unique(np.concatenate([first, last]), return_inverse=True)
    segment = np.searchsorted(cuts, np.arange(len(w)), side="right")
    cells = np.bincount(segment * BINS + bins, w * (hit - proba), (len(cuts) + 1) * BINS).reshape(-1, BINS)
    running = np.cumsum(cells, axis=0)[position]  # sums over all rows before each cut
    gaps = running[len(first) :] - running[: len(first)]
    errors: Vector = np.abs(gaps).sum(axis=1) / weight
    return errors
