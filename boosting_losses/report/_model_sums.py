"""Everything that is kept of one model's predictions, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..metrics._bootstrap import Numbers
from ..metrics._means import log_loss_by_class
from ..metrics._predictions import Predictions, class_columns
from ..metrics._reliability import each_class, one_column
from ._binned_rows import Pool, Pooled, quantile_edges

#: Rows that are named when they make much of the loss.
WORST = 20
#: Rows of K classes that are kept for temperature scaling.
SAMPLE = 2**18


@dataclass(frozen=True)
class WorstRows:
    """The rows that lose most, the worst first; each field ``(W,)``."""

    row: npt.NDArray[np.intp]
    label: Numbers
    weighted_loss: Numbers


class ModelSums:
    """All that is kept of one model's predictions."""

    def __init__(self, classes: int, *, is_binary: bool, n_bins: int, eps: float | None) -> None:
        self.is_binary, self.classes, self.eps = is_binary, classes, eps
        self.loss = self.square = self.weight = 0.0
        self.moved = 0
        self.class_weight, self.class_loss, self.class_proba = np.zeros(classes), np.zeros(classes), np.zeros(classes)
        self._pools = [Pool(n_bins) for _ in range(1 if is_binary else 1 + classes)]
        self._worst: WorstRows | None = None
        self._sample: list[Predictions] = []
        self._step, self._seen = 1, 0

    def add(
        self, data: Predictions, weight: Numbers, losses: Numbers, squares: Numbers, index: npt.NDArray[np.intp]
    ) -> None:
        """Add checked rows and what they lose."""
        weighted = np.where(weight > 0.0, weight, 0.0) * np.where(weight > 0.0, losses, 0.0)
        self.loss += float(weighted.sum())
        self.square += float(weight @ squares)
        self.weight += float(weight.sum())
        columns = class_columns(data) * weight[:, None]
        self.class_weight += columns.sum(axis=0)
        if self.is_binary:  # labels may be shares
            self.class_loss += self._loss_of_classes(data, weight)
        else:
            self.class_loss += np.bincount(data.y.astype(np.intp), weights=weighted, minlength=self.classes)
        proba = np.stack([1.0 - data.proba, data.proba], axis=1) if self.is_binary else data.proba
        self.class_proba += weight @ proba
        top = one_column(data)
        self._pools[0].add(top.proba, top.y, weight, losses)
        for pool, rows in zip(self._pools[1:], [] if self.is_binary else each_class(data), strict=True):
            pool.add(rows.proba, rows.y, weight, losses)
        self._keep_worst(data, weighted, index)
        if not self.is_binary:
            self._keep_sample(data, weight)

    @property
    def shares(self) -> Numbers:
        """Of the classes among the labels, by weight."""
        shares: Numbers = self.class_weight / self.class_weight.sum()
        return shares

    @cached_property
    def pooled(self) -> Pooled:
        """Probabilities of y = 1, or the largest of K, and whether it was right."""
        return self._pools[0].pooled()

    @cached_property
    def class_pools(self) -> list[Pooled]:
        """Probabilities of each of K classes against the others."""
        return [pool.pooled() for pool in self._pools[1:]]

    @property
    def is_exact(self) -> bool:
        """Have no rows been put into cells?"""
        return self._pools[0].is_exact

    @property
    def worst(self) -> WorstRows:
        """The rows that lose most."""
        assert self._worst is not None
        return self._worst

    def edges(self, pooled: Pooled, strategy: str, n_bins: int) -> Numbers:
        """Of bins of equal width or weight."""
        return quantile_edges(pooled, n_bins) if strategy == "quantile" else np.arange(n_bins + 1) / n_bins

    def sample(self) -> Predictions:
        """Rows of K classes, evenly taken from all."""
        parts = [(part.y, part.proba, part.weight) for part in self._sample]
        return Predictions(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _loss_of_classes(self, data: Predictions, weight: Numbers) -> Numbers:
        by_class = log_loss_by_class(data.y, data.proba, weight, eps=self.eps) if weight.any() else np.zeros(2)
        share = np.array([weight @ (1.0 - data.y), weight @ data.y])
        return np.where(share > 0.0, by_class * share, 0.0)

    def _keep_worst(self, data: Predictions, weighted: Numbers, index: npt.NDArray[np.intp]) -> None:
        some = np.argpartition(weighted, -min(WORST, len(weighted)))[-min(WORST, len(weighted)) :]
        rows = WorstRows(index[some], np.asarray(data.y[some], dtype=np.float64), weighted[some])
        if self._worst is not None:
            pairs = zip(vars(self._worst).values(), vars(rows).values(), strict=True)
            rows = WorstRows(*(np.concatenate(pair) for pair in pairs))
        order = np.lexsort((rows.row, -rows.weighted_loss))[:WORST]
        self._worst = WorstRows(*(part[order] for part in vars(rows).values()))

    def _keep_sample(self, data: Predictions, weight: Numbers) -> None:
        """An even sample: where its rows become too many, every second of them is let go."""
        first = -self._seen % self._step
        every = slice(first, None, self._step)
        self._seen += len(weight)
        self._sample.append(Predictions(data.y[every], data.proba[every], weight[every]))
        while sum(len(part.y) for part in self._sample) > SAMPLE:
            kept = self.sample()
            self._step *= 2
            self._sample = [Predictions(kept.y[::2], kept.proba[::2], kept.weight[::2])]  # type: ignore[index]
