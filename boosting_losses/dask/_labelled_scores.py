"""Labels, scores and weights in partitions, as the fits of calibrators require them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from .._labelled_scores import LabelledScores, Parameters, Rows, effective_count, median, step_of_median, step_of_sample
from .._types import Array
from .._validation import numbers
from ..calibration import score_array
from ._partitions import Columns, Partitions, blocks, merged
from ._score_points import ScorePoints

#: A function of a module, by name: compiled functions are not sent between processes.
_Name = tuple[str, str]


@dataclass(frozen=True)
class _View:
    """The classes of the labels, and the class that is compared with the rest, if any."""

    classes: npt.NDArray[Any]
    one: int | None = None
    log_odds: _Name | None = None

    def blocks(self, columns: Columns, start: int) -> Iterator[tuple[Rows, npt.NDArray[np.intp]]]:
        """Yield the blocks of a partition, and the numbers of their rows."""
        for block, index in blocks(columns, start):
            weight = block["sample_weight"]
            weight = None if weight is None else numbers("sample_weight", weight)
            dtype = np.float64 if weight is None else weight.dtype
            codes = np.asarray(np.searchsorted(self.classes, block["y"]))
            raw = score_array(block["raw"])
            if self.one is None or self.log_odds is None:
                yield _Block(codes.astype(dtype), raw, weight), index
            else:
                odds = _named(self.log_odds)(raw)[:, self.one]
                yield _Block((codes == self.one).astype(dtype), odds, weight), index


class _Block(Rows):
    """A block of rows, whose weights may all be 0."""

    def __post_init__(self) -> None:
        pass


class DistributedScores(LabelledScores):
    """Labels, scores and weights in partitions.

    Every sum over the rows is a pass over the partitions.

    Parameters
    ----------
    partitions : Partitions
        With the columns "y", "raw" and "sample_weight".
    classes : ndarray of shape (K,)
        The sorted labels.
    n_scores : int
    """

    def __init__(self, partitions: Partitions, classes: npt.NDArray[Any], n_scores: int) -> None:
        self._partitions, self._view, self._n_scores = partitions, _View(classes), n_scores

    @property
    def n_scores(self) -> int:
        return self._n_scores

    @property
    def total(self) -> float:
        return self._facts.total

    @property
    def count(self) -> float:
        total = self._facts.total
        return total if self._facts.squares is None else effective_count(total, self._facts.squares / total**2)

    @property
    def share_of_ones(self) -> float:
        return self._facts.ones / self._facts.total

    @property
    def span(self) -> tuple[float, float]:
        return self._facts.low, self._facts.high

    @property
    def middle(self) -> float:
        return median(np.concatenate(self._facts.scores))

    def sample(self) -> Rows | None:
        parts = self._facts.sample
        if not parts:
            return None
        weights = [part.weight for part in parts if part.weight is not None]
        weight = np.concatenate(weights) if weights else None
        if weight is not None and not weight.any():
            return None
        return Rows(np.concatenate([part.y for part in parts]), np.concatenate([part.raw for part in parts]), weight)

    def add_up(self, kernel: Callable[..., Any], *parameters: float) -> Parameters:
        name = kernel.__module__, kernel.__name__
        sums: _Added = merged(self._partitions.map(_added, self._view, name, 1.0 / self.total, parameters))
        return np.asarray(sums.values, dtype=np.float64)

    def each_class(self, log_odds: Callable[[Array], Array]) -> Iterator[DistributedScores]:
        name = log_odds.__module__, log_odds.__name__
        views = [replace(self._view, one=k, log_odds=name) for k in range(self._n_scores)]
        for view, facts in zip(views, _facts_of(self._partitions, views), strict=True):
            one = DistributedScores(self._partitions, self._view.classes, 1)
            one._view = view
            one.__dict__["_facts"] = facts
            yield one

    def by_score(self) -> Rows:
        points: ScorePoints = merged(self._partitions.map(_points, self._view, self.span))
        return points.rows()

    @cached_property
    def _facts(self) -> _Facts:
        return _facts_of(self._partitions, [self._view])[0]


# ---- passes over the partitions -------------------------------------------------------------------------------------


@dataclass
class _Facts:
    """Totals and samples of rows."""

    total: float
    #: The sum of the squared weights, None without weights.
    squares: float | None
    ones: float
    low: float
    high: float
    #: Every k-th score, for their median.
    scores: list[Array]
    #: Every k-th row; empty if there are too few rows for a sample.
    sample: list[Rows]

    def merge(self, later: _Facts) -> None:
        """Add the rows of another part."""
        self.total += later.total
        self.squares = None if self.squares is None or later.squares is None else self.squares + later.squares
        self.ones += later.ones
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)
        self.scores += later.scores
        self.sample += later.sample


@dataclass
class _FactsOfViews:
    facts: list[_Facts | None]

    def merge(self, later: _FactsOfViews) -> None:
        """Add the rows of another part."""
        for i, other in enumerate(later.facts):
            mine = self.facts[i]
            if mine is None:
                self.facts[i] = other
            elif other is not None:
                mine.merge(other)


def _facts_of(partitions: Partitions, views: Sequence[_View]) -> list[_Facts]:
    steps = step_of_median(partitions.n_rows), step_of_sample(partitions.n_rows)
    whole: _FactsOfViews = merged(partitions.map(_facts, views, *steps))
    found = [facts for facts in whole.facts if facts is not None]
    if not found[0].total > 0.0:
        raise ValueError(f"sample_weight must have a sum > 0, got {partitions.n_rows} weights that are all 0")
    return found


def _facts(
    columns: Columns, start: int, views: Sequence[_View], step_of_scores: int, step: int | None
) -> _FactsOfViews:
    whole = _FactsOfViews([None] * len(views))
    for i, view in enumerate(views):
        for rows, index in view.blocks(columns, start):
            w = None if rows.weight is None else rows.weight.astype(np.float64)
            sampled = [] if step is None else [_every(rows, index, step)]
            facts = _Facts(
                total=float(len(rows.y)) if w is None else float(w.sum()),
                squares=None if w is None else float(w @ w),
                ones=float(np.sum(rows.y if w is None else w * rows.y, dtype=np.float64)),
                low=float(rows.raw.min()),
                high=float(rows.raw.max()),
                scores=[_every(rows, index, step_of_scores).raw],
                sample=sampled,
            )
            whole.merge(_FactsOfViews([facts if j == i else None for j in range(len(views))]))
    return whole


def _every(rows: Rows, index: npt.NDArray[np.intp], step: int) -> Rows:
    every = slice(-int(index[0]) % step, None, step)
    return _Block(
        rows.y[every].copy(), rows.raw[every].copy(), None if rows.weight is None else rows.weight[every].copy()
    )


@dataclass
class _Added:
    values: Any = 0.0

    def merge(self, later: _Added) -> None:
        """Add the sums of other rows."""
        self.values = self.values + later.values


def _added(
    columns: Columns, start: int, view: _View, kernel: _Name, unit: float, parameters: tuple[float, ...]
) -> _Added:
    function = _named(kernel)
    sums = _Added()
    for rows, _ in view.blocks(columns, start):
        sums.merge(_Added(rows.sums(function, unit, *parameters)))
    return sums


def _points(columns: Columns, start: int, view: _View, span: tuple[float, float]) -> ScorePoints:
    points = ScorePoints(span, np.empty((4, 0)))
    for rows, _ in view.blocks(columns, start):
        points.merge(ScorePoints.of_rows(span, rows.y, rows.raw, rows.weight))
    return points


def _named(name: _Name) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(name[0]), name[1])
    return function
