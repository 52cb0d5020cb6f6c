"""The best rescaling of scores for their labels: Newton's method on the kernels' sums.

Labels, scores and weights come from ``_arrays`` and have been tried by a loss. What is minimised is the mean log loss plus
half the squared distance of the parameters from those that leave scores as they are, counted like one row: so little
that it is lost among a thousand rows, but scores that separate the classes keep a finite best scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import _arrays as arrays
from ._arrays import Array
from .kernels import scaling

Parameters = npt.NDArray[np.float64]
#: Gradient and Hessian of the mean loss at some parameters.
Derivatives = tuple[Parameters, Parameters]

#: Half of this is what a Newton step promises to take off the mean loss, at which it is the last one: the step squares
#: the error, so that nothing is left.
_LAST_DECREMENT = 1e-8
_MOST_STEPS = 100
_STEEP = 20.0
_LEAST_SHARE = 1e-6
#: A sample of this many rows brings the start close to the end for a tenth of the price.
_SAMPLE = 16_384
#: What scores that say nothing, or the contrary of the truth, are scaled down to at most: the temperature stays finite.
_LEAST_PEAK = 1e-4


class ConvergenceWarning(UserWarning):
    """A fit has stopped before its parameters were the best."""


@dataclass(frozen=True)
class Rows:
    """Labels, scores and weights, ready for kernels in blocks."""

    y: Array
    raw: Array
    weight: Array | None

    @cached_property
    def total(self) -> float:
        """The sum of the weights, which every step divides by."""
        return float(len(self.y)) if self.weight is None else arrays.sum_of_weights(self.weight)

    def sample(self) -> Rows | None:
        """Every so-manieth row, where there are so many that this pays and they have a weight."""
        step = len(self.y) // _SAMPLE
        if step < 4:
            return None
        every = slice(None, None, step)
        weight = None if self.weight is None else self.weight[every].copy()
        thin = Rows(self.y[every].copy(), self.raw[every].copy(), weight)
        return thin if thin.total > 0.0 else None

    def add_up(self, kernel: Callable[..., tuple[float, ...]], *parameters: float) -> npt.NDArray[np.float64]:
        """The sums of a kernel over all rows, as means."""
        unit = 1.0 / self.total
        total: npt.NDArray[np.float64] = np.sum([kernel(*block, unit, *parameters) for block in self.blocks()], axis=0)
        return total

    def blocks(self) -> Iterator[tuple[Array, Array, Array | None]]:
        """The rows as the kernels want them."""
        return ((y, raw, weight) for _, y, raw, weight in arrays.blocks(self.y, self.raw, self.weight))


# ---- the scalings ---------------------------------------------------------------------------------------------------


def temperature(rows: Rows) -> float:
    """The best inverse temperature."""

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        inverse = float(parameters[0])
        if rows.raw.ndim == 1:
            gradient, _, hessian, _, _ = rows.add_up(scaling.linear, 0.0, 1.0, inverse, 0.0)
        else:
            gradient, hessian = rows.add_up(scaling.temperature, inverse)
        return np.array([gradient]), np.array([[hessian]])

    least = np.array([_LEAST_PEAK / max(_peak(rows), 1.0)])
    return float(_minimise(rows, derivatives, _Problem(np.ones(1), least))[0])


def platt(rows: Rows) -> Parameters:
    """Slope and intercept, for targets that are not quite 0 and 1: those of Platt (1999), section 2.2."""
    positive = float(np.sum(rows.y, dtype=np.float64) if rows.weight is None else np.dot(rows.weight, rows.y))
    low, high = 1.0 / (rows.total - positive + 2.0), (positive + 1.0) / (positive + 2.0)
    return _linear(rows, low, high, rows_of_prior=0.0)


def _linear(rows: Rows, low: float, high: float, rows_of_prior: float) -> Parameters:
    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        sums = rows.add_up(scaling.linear, low, high, *map(float, parameters))
        return sums[:2], np.array([[sums[2], sums[3]], [sums[3], sums[4]]])

    return _minimise(rows, derivatives, _Problem(np.array([1.0, 0.0]), rows_of_prior=rows_of_prior))


def beta(rows: Rows) -> Parameters:
    """The a, b >= 0 and c of ``a log p - b log(1 - p) + c``."""

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        sums = rows.add_up(scaling.beta, *map(float, parameters))
        hessian = np.empty((3, 3))
        upper = np.triu_indices(3)
        hessian[upper] = hessian.T[upper] = sums[3:]
        return sums[:3], hessian

    return _minimise(rows, derivatives, _Problem(np.array([1.0, 1.0, 0.0]), least=np.array([0.0, 0.0, -np.inf])))


def per_class(rows: Rows) -> Parameters:
    """Slopes and intercepts, ``(2, K)``; ``(2, 1)`` for one score per row."""
    if rows.raw.ndim == 1:
        return _linear(rows, 0.0, 1.0, rows_of_prior=1.0)[:, None]
    classes = rows.raw.shape[1]

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        slope, constant = parameters.reshape(2, classes)
        gradient, hessian = np.zeros(2 * classes), np.zeros((2 * classes, 2 * classes))
        for block in rows.blocks():
            scaling.per_class(*block, 1.0 / rows.total, slope, constant, gradient, hessian)
        upper = np.triu(hessian)
        return gradient, upper + np.triu(upper, 1).T

    return _minimise(rows, derivatives, _Problem(np.repeat([1.0, 0.0], classes))).reshape(2, classes)


# ---- Newton's method ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """What is known before the rows: the parameters that change nothing, their least values, the weight of the prior."""

    identity: Parameters
    least: Parameters | None = None
    rows_of_prior: float = 1.0

    @property
    def lower(self) -> Parameters:
        return np.full_like(self.identity, -np.inf) if self.least is None else self.least


def _peak(rows: Rows) -> float:
    """The largest magnitude of a score."""
    return max(float(rows.raw.max()), -float(rows.raw.min()))


def _minimise(rows: Rows, derivatives: Callable[[Rows, Parameters], Derivatives], problem: _Problem) -> Parameters:
    """The best parameters."""
    # With scores so large that the loss looks flat from where they are, start where it does not.
    start = problem.identity * _STEEP / max(_peak(rows), _STEEP)
    sample = rows.sample()
    if sample is not None:
        start = _newton(sample, derivatives, problem, start, last_decrement=1.0 / _SAMPLE)
    return _newton(rows, derivatives, problem, start, _LAST_DECREMENT)


def _newton(
    rows: Rows,
    derivatives: Callable[[Rows, Parameters], Derivatives],
    problem: _Problem,
    parameters: Parameters,
    last_decrement: float,
) -> Parameters:
    """Newton's method for a convex function, on the side of the bounds that is allowed.

    A step is halved until it does not end far beyond the valley: there the function may rise along it at most half as fast
    as it fell at the start. That takes derivatives alone; the loss itself would cost as much again.
    """
    strength = problem.rows_of_prior / rows.total

    def penalised(at: Parameters) -> Derivatives:
        gradient, hessian = derivatives(rows, at)
        if not np.isfinite(hessian).all():
            raise ValueError("raw must be small enough for its square to be a number, got scores beyond 1e150")
        return gradient + strength * (at - problem.identity), hessian + strength * np.eye(len(at))

    gradient, hessian = penalised(parameters)
    for _ in range(_MOST_STEPS):
        free = ~((parameters <= problem.lower) & (gradient > 0.0))
        step = np.zeros_like(parameters)
        step[free] = _solve(hessian[np.ix_(free, free)], gradient[free])
        if gradient @ step <= last_decrement:
            return np.maximum(parameters - step, problem.lower)
        share = 1.0
        while True:
            there = np.maximum(parameters - share * step, problem.lower)
            found = penalised(there)
            moved = parameters - there
            if -found[0] @ moved <= 0.5 * gradient @ moved or share < _LEAST_SHARE:
                break
            share *= 0.5
        parameters, (gradient, hessian) = there, found
    warnings.warn(f"the scaling did not converge, it stopped at {parameters}", ConvergenceWarning, stacklevel=6)
    return parameters


def _solve(hessian: Parameters, gradient: Parameters) -> Parameters:
    """The Newton step; the shortest, where some direction changes nothing, as an intercept beside constant scores."""
    scale = np.sqrt(np.diag(hessian))
    scale[scale == 0.0] = 1.0
    step, *_ = np.linalg.lstsq(hessian / np.outer(scale, scale), gradient / scale, rcond=1e-13)
    return step / scale  # type: ignore[no-any-return]
