"""Narrow cells of the probability, whose weights and labels suffice for ranking and calibration scores."""

from __future__ import annotations

import numpy as np

from ... import _newton_fit
from .. import _reliability
from .._base_rate import ProperScore
from .._predictions import Numbers, Predictions, each, each_class, one_column
from .._raw_scores import logits
from .base import Source, cell_means
from .bootstrap import Columns, Totals

#: The largest effective number of rows of a cell, for the case that its weight happens to vary little over replicates.
_MOST_ROWS = 1e9


class Cells(Source):
    """Weights and labels in cells of similar weight in a sample, and the mean loss of a cell's rows for each label.

    The rows at both ends have their own cells, because they determine most of the ranking of rare events.

    For K classes, the cells are those of the largest probability, and the label is whether its class is correct.
    """

    MOST, AT_ENDS = 200, 100

    def __init__(self, sample: Predictions, eps: float | None = None) -> None:
        rows = one_column(sample)
        ordered = np.sort(rows.proba if rows.weight is None else rows.proba[rows.weight > 0.0])
        ends = np.concatenate([ordered[: self.AT_ENDS], ordered[-self.AT_ENDS :]])
        inside = ends[(ends > 0.0) & (ends < 1.0)]
        self.edges = np.union1d(_reliability.bin_edges(rows, "quantile", self.MOST), inside)
        self.n_cells = len(self.edges) - 1
        self._rows, self._eps = rows, eps
        self._cells = _reliability.cells_between(rows.proba, self.edges)
        self._weight = np.ones(len(self._cells)) if rows.weight is None else np.asarray(rows.weight, dtype=np.float64)
        self._total = np.bincount(self._cells, weights=self._weight, minlength=self.n_cells)
        middle = (self.edges[:-1] + self.edges[1:]) / 2.0
        proba = self.mean(np.asarray(rows.proba, dtype=np.float64), middle)
        #: The mean probability of each cell, clipped to its edges because of rounding; ``log_odds`` is the mean log odds.
        self.proba = np.clip(proba, np.nextafter(self.edges[:-1], 1.0), self.edges[1:])
        self.proba[0] = proba[0]
        self.log_odds = self.mean(logits(rows.proba).astype(np.float64), logits(middle).astype(np.float64))

    def columns(self, data: Predictions) -> Columns:
        rows = one_column(data)
        cells = _reliability.cells_between(rows.proba, self.edges)
        return Columns(np.empty((len(rows.y), 0)), cells[:, None], np.asarray(rows.y, dtype=np.float64)[:, None])

    def losses(self, score: ProperScore) -> tuple[Numbers, Numbers]:
        """Return the mean loss of the rows of each cell if their label is 0, and if it is 1."""
        part = 0 if score == "log_loss" else 1
        at_middle = Predictions(self.proba, self.proba, None)
        if_0, if_1 = (
            self.mean(
                *(
                    each(rows._replace(y=np.full(len(rows.y), label), weight=None), self._eps)[:2][part]
                    for rows in (self._rows, at_middle)
                )
            )
            for label in (0.0, 1.0)
        )
        return if_0, if_1

    def redrawn(self, observed: Totals, replicates: Totals) -> Totals:
        """Return the replicates with labels redrawn from the frequencies that beta calibration estimates for the cells."""
        some = observed.cell_weight[:, 0] > 0.0
        weight, then = observed.cell_weight[some], replicates.cell_weight[some]
        rate = _newton_fit.beta_frequencies(cell_means(observed)[some, 0], self.log_odds[some], weight[:, 0])
        rows = rows_of_cells(weight, then)
        drawn = np.random.default_rng(0).binomial(np.rint(then * rows / weight).astype(np.int64), rate[:, None])
        amounts = np.zeros_like(replicates.cell_amounts)
        amounts[some] = np.minimum(drawn * weight / rows, then)
        return replicates._replace(cell_amounts=amounts)

    def mean(self, values: Numbers, otherwise: Numbers) -> Numbers:
        """Return the weighted means of the sample's values by cell, and ``otherwise`` in cells without weight."""
        weighted = np.where(self._weight > 0.0, self._weight, 0.0) * np.where(self._weight > 0.0, values, 0.0)
        sums = np.bincount(self._cells, weights=weighted, minlength=self.n_cells)
        some = self._total > 0.0
        mean: Numbers = np.where(some, sums / np.where(some, self._total, 1.0), otherwise)
        return mean


class EachClass(Source):
    """The cells of each of K classes against the rest, concatenated."""

    def __init__(self, sample: Predictions) -> None:
        self.classes = [Cells(rows) for rows in each_class(sample)]
        self._starts = np.cumsum([0, *(cells.n_cells for cells in self.classes)])
        self.n_cells = int(self._starts[-1])

    def columns(self, data: Predictions) -> Columns:
        parts = [cells.columns(rows) for cells, rows in zip(self.classes, each_class(data), strict=True)]
        cells = [part.cells + np.int32(start) for part, start in zip(parts, self._starts, strict=False)]
        return Columns(
            parts[0].values, np.concatenate(cells, axis=1), np.concatenate([p.amounts for p in parts], axis=1)
        )

    def apart(self, totals: Totals) -> list[Totals]:
        """Split the totals into the totals of each class."""
        ends = zip(self._starts[:-1].tolist(), self._starts[1:].tolist(), strict=True)
        return [
            totals._replace(cell_weight=totals.cell_weight[a:b], cell_amounts=totals.cell_amounts[a:b]) for a, b in ends
        ]


def rows_of_cells(weight: Numbers, replicates: Numbers) -> Numbers:
    """Return the effective number of independent rows of each cell, rounded to an integer, ``(C, 1)``."""
    rows: Numbers = np.rint(weight * weight / np.maximum(replicates.var(axis=1, keepdims=True), 1e-300))
    return np.clip(rows, 1.0, _MOST_ROWS)
