"""Scores over windows of time or of a number of rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ..metrics._base_rate import entropy
from ._sums import BOUND, Sums, confidence_sequence
from ._time import Times

#: Confidence sequences are most efficient from about this number of rows on.
_ROWS_FOR_INTERVAL = 100.0
#: The log loss of the base rate of labels of one class, after rounding.
_ROUNDING = 1e-12


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
    weight: Doubles
    log_loss: Doubles
    expected_log_loss: Doubles
    difference: Doubles
    low: Doubles
    high: Doubles
    normalized_cross_entropy: Doubles
    brier_score: Doubles
    calibration_error: Doubles
    mean_label: Doubles
    mean_proba: Doubles
    expected_of_all: Doubles
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
    nats: Doubles
    needed: float


def time_windows(first: int, last: int, length: int, step: int) -> tuple[Times, Times]:
    """Return the starts and ends of the windows that end at multiples of ``step`` and cover two times."""
    ends = np.arange(first // step + 1, last // step + 2) * step
    return ends - length, ends


def curve_of(
    sums: Sums,
    edges: tuple[Times, Times],
    n_classes: int,
    largest_weight: float,
    provisional: npt.NDArray[np.bool_],
) -> Curve:
    """Return the scores of windows.

    Parameters
    ----------
    sums : Sums
        One row per window.
    edges : pair of ndarrays
        The start and end time of each window.
    n_classes : int
    largest_weight : float
        An upper bound of the weights.
    provisional : ndarray of bool
        True for windows with rows whose labels are not final.
    """
    binary = n_classes == 2
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = sums["weight"]
        loss, difference, typical = (sums[name] / weight for name in ("loss", "surprise", "expected"))
        labels, probas = sums.label / weight[:, None], sums.proba / weight[:, None]
        # The reference variance of the sequence may depend on weights and probabilities, but not on labels.
        mean_square = sums["weight_squared"] / np.maximum(sums["labelled"], 1.0)
        least = _ROWS_FOR_INTERVAL * np.maximum(mean_square, 1e-300) * np.maximum(typical, 1e-6)
        span = (BOUND + np.log(n_classes)) * largest_weight
        half = confidence_sequence(sums["surprise_squared"], least, span) / weight
        shares = np.column_stack([1.0 - labels, labels]) if binary else labels
        base = np.asarray(entropy(shares, "log_loss"))
        base = np.where(base > _ROUNDING, base, 0.0)
        return Curve(
            start=edges[0].astype("datetime64[us]"),
            end=edges[1].astype("datetime64[us]"),
            rows=sums["rows"].astype(np.int64),
            labelled=sums["labelled"].astype(np.int64),
            weight=weight,
            log_loss=loss,
            expected_log_loss=typical,
            difference=difference,
            low=difference - half,
            high=difference + half,
            normalized_cross_entropy=np.where(base > 0.0, loss / np.where(base > 0.0, base, 1.0), np.nan),
            brier_score=sums["square"] / weight,
            calibration_error=np.abs(sums.gaps).sum(axis=1) / weight,
            mean_label=labels[:, 0] if binary else labels,
            mean_proba=probas[:, 0] if binary else probas,
            expected_of_all=sums["expected_of_all"] / sums["weight_of_all"],
            provisional=provisional,
        )
