"""Labels, scores and weights, of which the fits of calibrators require only sums and a sample.

The caller must have checked them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _validation
from ._threads import each_part
from ._types import Array

Parameters = npt.NDArray[np.float64]

#: A fit to a sample of about this many rows gives a starting point close to the minimum at a tenth of the cost.
SAMPLE = 16_384
#: The approximate number of scores whose median is used to centre the scores.
_MOST_FOR_MIDDLE = 256
#: The reciprocal of a smaller sum of weights may overflow.
_LEAST_TOTAL = 1e-290
#: Scores whose difference is less than this fraction of their magnitude are considered equal up to rounding.
ROUNDING = 1e-10


class LabelledScores(ABC):
    """Labels, scores and weights, in memory or distributed, of which a fit requires only sums and a sample."""

    @property
    @abstractmethod
    def n_scores(self) -> int:
        """The number of scores per row."""

    @property
    @abstractmethod
    def total(self) -> float:
        """The sum of the weights, by which every step divides."""

    @property
    @abstractmethod
    def count(self) -> float:
        """The effective number of rows; the prior has the influence of one row."""

    @property
    @abstractmethod
    def share_of_ones(self) -> float:
        """The weighted mean label."""

    @property
    @abstractmethod
    def span(self) -> tuple[float, float]:
        """The smallest and the largest score."""

    @property
    @abstractmethod
    def middle(self) -> float:
        """The median of some of the scores."""

    @property
    def peak(self) -> float:
        """The largest magnitude of a score."""
        return max(-self.span[0], self.span[1])

    @abstractmethod
    def sample(self) -> Rows | None:
        """Return a sample of every k-th row, or None if there are too few rows or the sample has only weights of 0."""

    @abstractmethod
    def add_up(self, kernel: Callable[..., Any], *parameters: float) -> Parameters:
        """Return the sums of a kernel over all rows, divided by the sum of the weights."""

    @abstractmethod
    def each_class(self, log_odds: Callable[[Array], Array]) -> Iterator[LabelledScores]:
        """Yield for each class its labels, 1 for its rows and 0 for the others, and its column of ``log_odds(raw)``."""

    @abstractmethod
    def by_score(self) -> Rows:
        """Return the rows; rows of the same score may be merged into one with their mean label."""


@dataclass(frozen=True)
class Rows(LabelledScores):
    """Labels, scores and weights in memory."""

    y: Array
    raw: Array
    weight: Array | None

    def __post_init__(self) -> None:
        if self.weight is not None and self.total < _LEAST_TOTAL:
            object.__setattr__(self, "weight", self.weight / self.weight.max())
            del self.__dict__["total"]

    @cached_property
    def total(self) -> float:
        return float(len(self.y)) if self.weight is None else _validation.sum_of_weights(self.weight)

    @cached_property
    def count(self) -> float:
        """The effective number of rows.

        For weights that are counts it is their sum. Weights may also be normalised, for example to a sum of 1, and then their
        sum contains no information about the number of rows. The effective number is therefore at least Kish's effective
        sample size, ``sum(w)**2 / sum(w**2)`` (Kish 1965, Survey Sampling, section 11.7), which does not depend on scale.
        """
        if self.weight is None:
            return self.total
        share = self.weight.astype(np.float64, copy=False) / self.total
        return effective_count(self.total, float(np.dot(share, share)))

    @property
    def n_scores(self) -> int:
        return 1 if self.raw.ndim == 1 else self.raw.shape[1]

    @property
    def share_of_ones(self) -> float:
        return float(np.sum(self.y if self.weight is None else self.weight * self.y, dtype=np.float64)) / self.total

    @cached_property
    def span(self) -> tuple[float, float]:
        def of(rows: slice) -> tuple[float, float]:
            return float(self.raw[rows].min()), float(self.raw[rows].max())

        low, high = zip(*each_part(of, len(self.raw), 0.25 * self.n_scores), strict=True)
        return min(low), max(high)

    @property
    def are_alike(self) -> bool:
        """Whether all scores are equal up to rounding."""
        return self.span[1] - self.span[0] <= 2.0 * ROUNDING * self.peak

    @property
    def middle(self) -> float:
        return median(self.raw[:: step_of_median(len(self.raw))])

    def each_class(self, log_odds: Callable[[Array], Array]) -> Iterator[Rows]:
        odds = log_odds(self.raw)
        for k in range(self.n_scores):
            yield Rows((self.y == k).astype(self.y.dtype), odds[:, k], self.weight)

    def by_score(self) -> Rows:
        return self

    def sample(self) -> Rows | None:
        step = step_of_sample(len(self.y))
        if step is None:
            return None
        every = slice(None, None, step)
        weight = None if self.weight is None else self.weight[every].copy()
        if weight is not None and not weight.any():
            return None
        return Rows(self.y[every].copy(), self.raw[every].copy(), weight)

    def add_up(self, kernel: Callable[..., Any], *parameters: float) -> Parameters:
        return self.sums(kernel, 1.0 / self.total, *parameters)

    def sums(self, kernel: Callable[..., Any], unit: float, *parameters: float) -> Parameters:
        """Return the sums of a kernel over all rows, with all weights multiplied by ``unit``."""

        def of(chunk: _validation.Chunk) -> Any:
            _, *data = chunk
            return kernel(*data, unit, *parameters)

        parts = _validation.each_chunk(of, self.y, self.raw, self.weight, width=self.n_scores, whole=True)
        total: Parameters = np.sum(parts, axis=0)
        return total


def effective_count(total: float, squared_shares: float) -> float:
    """Return the effective number of rows from the sum of weights and the sum of the squared shares of the weights."""
    return max(total, 1.0 / squared_shares)


def median(some: Array) -> float:
    """Return the median of scores, which is one of them."""
    return float(np.sort(some)[len(some) // 2])


def step_of_median(n_rows: int) -> int:
    """Return the number k if the median is that of every k-th score."""
    return max(n_rows // _MOST_FOR_MIDDLE, 1)


def step_of_sample(n_rows: int) -> int | None:
    """Return the number k if a sample contains every k-th row, or None for all rows."""
    step = n_rows // SAMPLE
    return step if step >= 4 else None
