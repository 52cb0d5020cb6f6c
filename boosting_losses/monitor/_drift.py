"""Drift of the served probabilities, which needs no labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from .._types import Doubles

_BINS = 10


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


def score_drift(proba: Doubles, reference: Doubles, invalid: int) -> ScoreDrift:
    """Compare probabilities (n,) with those of a reference (m,)."""
    edges = np.unique(np.quantile(reference, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    counts = np.stack([_counts(part, edges) for part in (proba, reference)])
    smoothed = counts[:, counts.any(axis=0)] + 0.5
    now, before = smoothed / smoothed.sum(axis=1, keepdims=True)
    psi, bins = float(np.sum((now - before) * np.log(now / before))), len(now)
    n, m = len(proba), len(reference)
    noise = 1.0 / n + 1.0 / m if n else float("nan")
    every = n + invalid
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


def _counts(values: Doubles, edges: Doubles) -> npt.NDArray[np.intp]:
    """Return the counts between edges and at edges, where a reference with repeated values has atoms."""
    bins = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    return np.bincount(bins, minlength=2 * len(edges) + 1)
