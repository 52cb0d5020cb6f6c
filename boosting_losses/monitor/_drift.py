"""Drift of the served probabilities, which needs no labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from .._types import Doubles
from ._time import Times

_BINS = 10
#: The probability of an index above ``DriftCurve.high`` without a change.
_TAIL = 0.05


@dataclass(frozen=True)
class ScoreDrift:
    """Comparison of served probabilities with a reference.

    Attributes
    ----------
    psi : float
        Population stability index over the deciles of the reference, ``sum (a - b) log(a / b)`` with the shares a and b of
        each bin; half a row is added to every bin.
    expected_psi : float
        The expectation of the index without a change: ``(bins - 1) (1 / n + 1 / m)``.
    p_value : float
        The probability of an index at least this large without a change. The index times ``n m / (n + m)`` then has
        approximately a chi-square distribution with ``bins - 1`` degrees of freedom.
    share_of_zeros, share_of_ones, share_of_invalid : float
        The shares of rows whose probability is exactly 0, exactly 1, or invalid (NaN or outside [0, 1]). A broken feature
        pipeline often shows here first.
    rows, reference_rows : int
    """

    psi: float
    expected_psi: float
    p_value: float
    share_of_zeros: float
    share_of_ones: float
    share_of_invalid: float
    rows: int
    reference_rows: int

    def __str__(self) -> str:
        return (
            f"PSI {self.psi:.3f} ({self.expected_psi:.3f} expected by chance, p = {self.p_value:.2g}) of {self.rows:,} rows"
            f" against {self.reference_rows:,}; {self.share_of_zeros:.2%} are 0, {self.share_of_ones:.2%} are 1,"
            f" {self.share_of_invalid:.2%} invalid"
        )


class DriftCurve(NamedTuple):
    """Comparisons of windows with the first two of them, in the terms of :class:`ScoreDrift`.

    Every attribute except the last is an array with one entry per window. Windows without predictions have NaN.

    Attributes
    ----------
    start, end : ndarray of datetime64
        The window [start, end).
    rows : ndarray of int
    psi, expected_psi : ndarray
    high : ndarray
        The index that is exceeded with a probability of 5 % without a change.
    share_of_zeros, share_of_ones, share_of_invalid : ndarray
    reference_start, reference_end : datetime64
        The reference starts with the first row that has not been deleted. Windows start after its end.
    """

    start: npt.NDArray[np.datetime64]
    end: npt.NDArray[np.datetime64]
    rows: npt.NDArray[np.int64]
    psi: Doubles
    expected_psi: Doubles
    high: Doubles
    share_of_zeros: Doubles
    share_of_ones: Doubles
    share_of_invalid: Doubles
    reference_start: np.datetime64
    reference_end: np.datetime64


class Reference:
    """The bins of a reference (m,) of probabilities."""

    def __init__(self, proba: Doubles) -> None:
        self._rows = len(proba)
        self._edges = np.unique(np.quantile(proba, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
        self._counts = _counts(proba, self._edges)

    def drift(self, proba: Doubles, invalid: int) -> ScoreDrift:
        """Compare probabilities (n,) with the reference."""
        counts = np.stack([_counts(proba, self._edges), self._counts])
        smoothed = counts[:, counts.any(axis=0)] + 0.5
        now, before = smoothed / smoothed.sum(axis=1, keepdims=True)
        psi, bins = float(np.sum((now - before) * np.log(now / before))), len(now)
        n, m = len(proba), self._rows
        noise = 1.0 / n + 1.0 / m if n else float("nan")
        every = n + invalid or float("nan")
        return ScoreDrift(
            psi=psi if n else float("nan"),
            expected_psi=(bins - 1) * noise,
            p_value=float(chi2.sf(psi / noise, bins - 1)) if bins > 1 else 1.0,
            share_of_zeros=float(np.sum(proba == 0.0)) / every,
            share_of_ones=float(np.sum(proba == 1.0)) / every,
            share_of_invalid=invalid / every,
            rows=n,
            reference_rows=m,
        )


def drift_curve(
    time: Times, proba: Doubles, invalid: Times, edges: tuple[Times, Times], reference: tuple[int, int]
) -> DriftCurve:
    """Compare windows with a reference.

    Parameters
    ----------
    time, proba : ndarray of shape (n,)
        Valid rows in any order.
    invalid : ndarray of shape (m,)
        The times of invalid rows.
    edges : pair of ndarrays
        The start and end time of each window.
    reference : pair of int
        The start and end time of the reference, which has rows.
    """
    order = np.argsort(time, kind="stable")
    time, proba, invalid = time[order], proba[order], np.sort(invalid)
    first, last = np.searchsorted(time, edges)
    without = np.diff(np.searchsorted(invalid, edges), axis=0)[0]
    bins = Reference(proba[slice(*np.searchsorted(time, reference))])
    found = [bins.drift(proba[a:b], count) for a, b, count in zip(first.tolist(), last, without.tolist(), strict=True)]
    columns = {
        name: np.array([getattr(drift, name) for drift in found])
        for name in ("rows", "psi", "expected_psi", "share_of_zeros", "share_of_ones", "share_of_invalid")
    }
    noise = np.array([1.0 / drift.rows + 1.0 / drift.reference_rows if drift.rows else np.nan for drift in found])
    with np.errstate(invalid="ignore"):
        freedom = columns["expected_psi"] / noise
        high = np.where(freedom > 0.0, chi2.isf(_TAIL, np.maximum(freedom, 1.0)) * noise, 0.0 * noise)
    start, end = (edge.astype("datetime64[us]") for edge in edges)
    reference_start, reference_end = (np.datetime64(edge, "us") for edge in reference)
    return DriftCurve(start, end, high=high, reference_start=reference_start, reference_end=reference_end, **columns)


def _counts(values: Doubles, edges: Doubles) -> npt.NDArray[np.intp]:
    """Return the counts between edges and at edges, where a reference with repeated values has atoms."""
    bins = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    return np.bincount(bins, minlength=2 * len(edges) + 1)
