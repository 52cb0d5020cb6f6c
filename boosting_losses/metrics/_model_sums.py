"""Sums over the predictions of one model, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ._base_rate import ProperScore
from ._binned_rows import BinnedRows, ProbabilityPoints
from ._even_sample import EvenSample
from ._means import log_loss_by_class
from ._predictions import Numbers, Predictions, class_columns, each_class, one_column

#: The number of rows with the largest losses that are stored.
WORST = 20


@dataclass(frozen=True)
class WorstRows:
    """The rows with the largest weighted losses, in decreasing order; each field has shape ``(W,)``."""

    row: npt.NDArray[np.intp]
    label: Numbers
    weighted_loss: Numbers

    def joined(self, others: WorstRows) -> WorstRows:
        """Return the worst rows of both."""
        pairs = zip(vars(self).values(), vars(others).values(), strict=True)
        return WorstRows(*(np.concatenate(pair) for pair in pairs)).largest()

    def largest(self) -> WorstRows:
        """Return at most ``WORST`` rows, in order."""
        order = np.lexsort((self.row, -self.weighted_loss))[:WORST]
        return WorstRows(*(part[order] for part in vars(self).values()))


class ModelSums:
    """All sums and samples of the predictions of one model.

    Parameters
    ----------
    classes : int
    is_binary : bool
        Whether there is one probability per row, of y = 1.
    n_bins : int
        The number of bins of the calibration error.
    eps : float or None
        The bound of the probabilities in the log loss.
    start : int
        The number of rows before the first row.
    n_rows : int, optional
        The number of rows of all parts that will be merged.
    """

    def __init__(
        self,
        classes: int,
        *,
        is_binary: bool,
        n_bins: int,
        eps: float | None,
        start: int = 0,
        n_rows: int | None = None,
    ) -> None:
        self.is_binary, self.classes, self.eps = is_binary, classes, eps
        self.loss = self.square = self.weight = 0.0
        self.moved = 0
        self.class_weight, self.class_loss, self.class_proba = np.zeros(classes), np.zeros(classes), np.zeros(classes)
        self._binned = [BinnedRows(n_bins, n_rows) for _ in range(1 if is_binary else 1 + classes)]
        self._worst: WorstRows | None = None
        #: Rows of K classes, for temperature scaling.
        self._sample = EvenSample(start)

    def add(
        self, data: Predictions, weight: Numbers, losses: Numbers, squares: Numbers, index: npt.NDArray[np.intp]
    ) -> None:
        """Add checked rows and their losses."""
        weighted = np.where(weight > 0.0, weight, 0.0) * np.where(weight > 0.0, losses, 0.0)
        self.loss += float(weighted.sum())
        self.square += float(weight @ squares)
        self.weight += float(weight.sum())
        columns = class_columns(data) * weight[:, None]
        self.class_weight += columns.sum(axis=0)
        if self.is_binary:  # labels may be soft
            self.class_loss += self._loss_of_classes(data, weight)
        else:
            self.class_loss += np.bincount(data.y.astype(np.intp), weights=weighted, minlength=self.classes)
        proba = np.stack([1.0 - data.proba, data.proba], axis=1) if self.is_binary else data.proba
        self.class_proba += weight @ proba
        top = one_column(data)
        self._binned[0].add(top.proba, top.y, weight, losses)
        for binned, rows in zip(self._binned[1:], [] if self.is_binary else each_class(data), strict=True):
            binned.add(rows.proba, rows.y, weight, losses)
        self._keep_worst(data, weighted, index)
        if not self.is_binary:
            self._sample.add(data, weight)

    def merge(self, later: ModelSums) -> None:
        """Add the sums of later rows."""
        self.loss += later.loss
        self.square += later.square
        self.weight += later.weight
        self.moved += later.moved
        self.class_weight = self.class_weight + later.class_weight
        self.class_loss = self.class_loss + later.class_loss
        self.class_proba = self.class_proba + later.class_proba
        for binned, others in zip(self._binned, later._binned, strict=True):
            binned.merge(others)
        if later._worst is not None:
            self._worst = later._worst if self._worst is None else self._worst.joined(later._worst)
        self._sample.merge(later._sample)

    @property
    def shares(self) -> Numbers:
        """The weighted share of each class in the labels."""
        shares: Numbers = self.class_weight / self.class_weight.sum()
        return shares

    @cached_property
    def points(self) -> ProbabilityPoints:
        """Points of the probability of y = 1, or of the largest of K probabilities and whether its class is correct."""
        return self._binned[0].points()

    @cached_property
    def points_of_classes(self) -> list[ProbabilityPoints]:
        """Points of the probability of each of K classes against the rest; for two classes, of y = 1 only."""
        return [self.points] if self.is_binary else [binned.points() for binned in self._binned[1:]]

    @property
    def is_exact(self) -> bool:
        """Whether no rows have been merged into cells."""
        return self._binned[0].is_exact

    @property
    def worst(self) -> WorstRows:
        """The rows with the largest weighted losses."""
        assert self._worst is not None
        return self._worst

    def mean(self, score: ProperScore) -> float:
        """Return the mean log loss or the mean squared error."""
        return (self.loss if score == "log_loss" else self.square) / self.weight

    def rows(self) -> Predictions:
        """Return weighted rows that represent all rows: binned rows for two classes, an even sample for K classes."""
        if self.is_binary:
            return self.points.hard_rows()
        return self._sample.rows()

    def _loss_of_classes(self, data: Predictions, weight: Numbers) -> Numbers:
        by_class = log_loss_by_class(data.y, data.proba, weight, eps=self.eps) if weight.any() else np.zeros(2)
        share = np.array([weight @ (1.0 - data.y), weight @ data.y])
        return np.where(share > 0.0, by_class * share, 0.0)

    def _keep_worst(self, data: Predictions, weighted: Numbers, index: npt.NDArray[np.intp]) -> None:
        kept = min(WORST, len(weighted))
        # With all ties, of which the first rows are kept in every division of the rows into blocks and parts.
        some = np.flatnonzero(weighted >= np.partition(weighted, -kept)[-kept])
        rows = WorstRows(index[some], np.asarray(data.y[some], dtype=np.float64), weighted[some])
        self._worst = rows.largest() if self._worst is None else self._worst.joined(rows)
