"""Rows merged by score, from which an isotonic regression is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._labelled_scores import Parameters, Rows
from .._types import Array

#: Up to this number, distinct scores are stored; more are merged into this number of cells.
MOST_POINTS = 2**20


@dataclass
class ScorePoints:
    """The weights, the weighted labels and the weighted scores of rows by score.

    Parameters
    ----------
    span : tuple of float
        The smallest and the largest score of all rows.
    sums : ndarray of shape (4, P)
        The keys, sorted, then the sums of weights, of weighted labels and of weighted scores. A key is a score or, if there
        are too many scores, the number of a cell.
    is_exact : bool
        Whether the keys are scores.
    """

    span: tuple[float, float]
    sums: Parameters
    is_exact: bool = True

    @classmethod
    def of_rows(cls, span: tuple[float, float], y: Array, raw: Array, weight: Array | None) -> ScorePoints:
        """Return the points of rows."""
        w = np.ones(len(raw)) if weight is None else weight.astype(np.float64)
        scores = raw.astype(np.float64)
        points = cls(span, np.stack([scores, w, w * y, w * scores])[:, w > 0.0])
        points.sums = _summed(points.sums)
        points._limit()
        return points

    def merge(self, later: ScorePoints) -> None:
        """Add the points of other rows."""
        if self.is_exact != later.is_exact:
            self._use_cells()
        others = later.sums if later.is_exact == self.is_exact else later._in_cells()
        self.sums = _summed(np.concatenate([self.sums, others], axis=1))
        self._limit()

    def rows(self) -> Rows:
        """Return one weighted row per point, with its mean score and mean label."""
        _, weight, label, score = self.sums
        raw = self.sums[0] if self.is_exact else np.clip(score / weight, *self.span)
        return Rows(np.clip(label / weight, 0.0, 1.0), raw, weight)

    def _limit(self) -> None:
        if self.is_exact and self.sums.shape[1] > MOST_POINTS:
            self._use_cells()

    def _use_cells(self) -> None:
        if self.is_exact:
            self.sums, self.is_exact = self._in_cells(), False

    def _in_cells(self) -> Parameters:
        low, high = self.span
        share = (self.sums[0] / 2.0 - low / 2.0) / (
            high / 2.0 - low / 2.0
        )  # the difference of large scores may overflow
        cells = np.minimum(np.floor(share * MOST_POINTS), MOST_POINTS - 1.0)
        return _summed(np.concatenate([cells[None, :], self.sums[1:]]))


def _summed(sums: Parameters) -> Parameters:
    """Add up the columns with the same key."""
    if not sums.shape[1]:
        return sums
    ordered = sums[:, np.argsort(sums[0], kind="stable")]
    first = np.flatnonzero(np.concatenate([[True], np.diff(ordered[0]) > 0.0]))
    added: Parameters = np.add.reduceat(ordered, first, axis=1)
    added[0] = ordered[0, first]
    return added
