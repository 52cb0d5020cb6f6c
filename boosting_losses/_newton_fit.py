"""The best rescaling of scores for their labels: Newton's method on the sums of the kernels.

Labels, scores and weights have been checked by the caller. The objective is the mean log loss plus a prior: half the
squared distance of the parameters from those that leave scores unchanged, counted like one row. A thousand rows outweigh
it, but scores that separate the classes keep a finite best scale.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import _validation
from ._kernels import scaling
from ._types import Array

Parameters = npt.NDArray[np.float64]
#: Gradient and Hessian of the mean loss at some parameters.
Derivatives = tuple[Parameters, Parameters]

#: A Newton step is the last one if the quadratic model lowers the mean loss by less than half of this: the step squares
#: the error, so that nothing is left.
_LAST_DECREMENT = 1e-8
#: The model holds if no score moves further than this: over such a distance the curvature hardly changes.
_LAST_MOVE = 0.5
#: A step with so small a decrement is the last one in any case: the rest is rounding.
_NO_DECREMENT = 1e-14
#: A Newton step lowers the loss for certain if no score moves further than this (Bach 2010, arXiv 0910.4627, section 2:
#: the third derivative of a logistic loss is at most the second one times the distance).
_SAFE_MOVE = 1.0
_MOST_STEPS = 1000
#: The decrement of the last step, relative to the variance of the labels, where the parameters are the result itself: no
#: error but rounding is left.
_EXACT = 1e-13
#: Sums of n terms, divided by n, are known to about this.
_SUM_ROUNDING = 1e-14
#: The largest score at the start: the loss of larger ones may be flat up to rounding.
_STEEP = 8.0
#: A fit to a sample of this many rows gives a starting point close to the minimum at a tenth of the cost.
_SAMPLE = 16_384
#: Scores of which the median is taken, to centre all.
_MOST_FOR_MIDDLE = 256
#: Uninformative or anti-informative scores are scaled down until the largest is this: the temperature stays finite.
_LEAST_PEAK = 1e-4
#: Beyond this the sums of squares of scores overflow.
_MOST_PEAK = 1e150
#: A direction whose curvature is a smaller share of that along the parameters is flat up to rounding.
_LEAST_CURVATURE = 1e-14
#: Scores that differ by less than this share of their magnitude differ by rounding.
_ROUNDING = 1e-10
#: The reciprocal of a smaller sum of weights may overflow.
_LEAST_TOTAL = 1e-290


class ConvergenceWarning(UserWarning):
    """A fit has stopped before its parameters were the best."""


@dataclass(frozen=True)
class Rows:
    """Labels, scores and weights, ready for kernels in blocks."""

    y: Array
    raw: Array
    weight: Array | None

    def __post_init__(self) -> None:
        if self.weight is not None and self.total < _LEAST_TOTAL:
            object.__setattr__(self, "weight", self.weight / self.weight.max())
            del self.__dict__["total"]

    @cached_property
    def total(self) -> float:
        """The sum of the weights, which every step divides by."""
        return float(len(self.y)) if self.weight is None else _validation.sum_of_weights(self.weight)

    @cached_property
    def count(self) -> float:
        """The number of rows that the weights are worth; the prior counts like one.

        Weights that are counts are worth their sum. Weights may also be shares, which say nothing about the number of rows:
        they are worth at least Kish's effective sample size, the square of the sum over the sum of squares (Kish 1965,
        Survey Sampling, section 11.7), which their scale does not change.
        """
        if self.weight is None:
            return self.total
        share = self.weight.astype(np.float64, copy=False) / self.total
        return max(self.total, 1.0 / float(np.dot(share, share)))

    @property
    def share_of_ones(self) -> float:
        """The mean label."""
        return float(np.sum(self.y if self.weight is None else self.weight * self.y, dtype=np.float64)) / self.total

    @cached_property
    def span(self) -> tuple[float, float]:
        """The least and the largest score."""
        return float(self.raw.min()), float(self.raw.max())

    @property
    def peak(self) -> float:
        """The largest magnitude of a score."""
        return max(-self.span[0], self.span[1])

    @property
    def are_alike(self) -> bool:
        """Whether scores differ by no more than rounding."""
        return self.span[1] - self.span[0] <= 2.0 * _ROUNDING * self.peak

    def sample(self) -> Rows | None:
        """Return an even sample, or None where there are too few rows for one or the sample has no weight."""
        step = len(self.y) // _SAMPLE
        if step < 4:
            return None
        every = slice(None, None, step)
        weight = None if self.weight is None else self.weight[every].copy()
        if weight is not None and not weight.any():
            return None
        return Rows(self.y[every].copy(), self.raw[every].copy(), weight)

    def add_up(self, kernel: Callable[..., tuple[float, ...]], *parameters: float) -> npt.NDArray[np.float64]:
        """Return the sums of a kernel over all rows, as means."""
        unit = 1.0 / self.total
        total: npt.NDArray[np.float64] = np.sum([kernel(*block, unit, *parameters) for block in self.blocks()], axis=0)
        return total

    def blocks(self) -> Iterator[tuple[Array, Array, Array | None]]:
        """Return the blocks of rows that the kernels take."""
        return ((y, raw, weight) for _, y, raw, weight in _validation.blocks(self.y, self.raw, self.weight))


# ---- the scalings ---------------------------------------------------------------------------------------------------


def temperature(rows: Rows) -> float:
    """Return the best inverse temperature."""

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        inverse = float(parameters[0])
        if rows.raw.ndim == 1:
            gradient, _, hessian, _, _ = rows.add_up(scaling.linear, 0.0, 1.0, 0.0, inverse, 0.0)
        else:
            gradient, hessian = rows.add_up(scaling.temperature, inverse)
        return np.array([gradient]), np.array([[hessian]])

    least = np.array([_LEAST_PEAK / max(rows.peak, 1.0)])
    return float(_minimise(rows, _Problem(derivatives, np.ones(1), np.array([rows.peak]), least))[0])


def platt(rows: Rows) -> Parameters:
    """Return slope and intercept for the targets of Platt (1999), section 2.2, which are not quite 0 and 1."""
    share = rows.share_of_ones
    ones, zeros = rows.count * share, rows.count * (1.0 - share)
    low, high = 1.0 / (zeros + 2.0), (ones + 1.0) / (ones + 2.0)
    return _slope_and_intercept(rows, low, high, low + (high - low) * share)


def logistic_regression(rows: Rows) -> Parameters:
    """Return slope and intercept for the labels as they are.

    Both classes must be present, the scores must differ, and no threshold may separate the classes.
    """
    share = min(max(rows.share_of_ones, _SUM_ROUNDING), 1.0 - _SUM_ROUNDING)
    variance = share * (1.0 - share)
    # No decrement is below that of the gradient's rounding.
    last_decrement = max(_EXACT * variance, _SUM_ROUNDING * _SUM_ROUNDING / variance)
    return _slope_and_intercept(rows, 0.0, 1.0, share, last_decrement)


def shift(rows: Rows) -> float:
    """Return the constant that brings the mean of the sigmoid to that of the labels, which must be of two classes."""
    ones, zeros = (
        float(np.sum(label if rows.weight is None else rows.weight * label, dtype=np.float64))
        for label in (rows.y, 1.0 - rows.y)
    )
    log_odds = math.log(ones) - math.log(zeros)
    least, most = log_odds - rows.span[1], log_odds - rows.span[0]
    constant = min(max(0.0, least), most)
    for _ in range(_MOST_STEPS):
        _, excess, _, _, slope = rows.add_up(scaling.linear, 0.0, 1.0, 0.0, 1.0, constant)
        if excess == 0.0:
            return constant
        least, most = (least, constant) if excess > 0.0 else (constant, most)
        # Newton's step where it stays between the known bounds, otherwise bisection.
        there = constant - excess / slope if slope > 0.0 else math.inf
        if not least <= there <= most:
            there = 0.5 * (least + most)
        if abs(there - constant) <= _EXACT * max(1.0, abs(there)):
            return there
        constant = there
    return constant


def _slope_and_intercept(
    rows: Rows, low: float, high: float, mean: float, last_decrement: float | None = None
) -> Parameters:
    """Return slope and intercept for the targets ``low`` and ``high``, whose mean is ``mean``."""
    flat = np.array([0.0, math.log(mean / (1.0 - mean))])
    # There is no prior here, so the scores may be centred: at their median, so that a constant shared by most does not hide
    # their differences.
    some = np.sort(rows.raw[:: max(len(rows.raw) // _MOST_FOR_MIDDLE, 1)])
    centre = float(some[len(some) // 2])
    spread = max(rows.span[1] - centre, centre - rows.span[0])
    if spread <= _ROUNDING * rows.peak:
        return flat

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        return _linear(rows, low, high, centre, parameters)

    problem = _Problem(derivatives, flat, np.array([spread, 1.0]), rows_of_prior=0.0)
    if last_decrement is None:
        slope, intercept = _minimise(rows, problem)
    else:
        slope, intercept = _newton(rows, problem, flat, last_decrement)
    return np.array([slope, intercept - slope * centre])


def _linear(rows: Rows, low: float, high: float, centre: float, parameters: Parameters) -> Derivatives:
    sums = rows.add_up(scaling.linear, low, high, centre, *map(float, parameters))
    return sums[:2], np.array([[sums[2], sums[3]], [sums[3], sums[4]]])


def beta(rows: Rows) -> Parameters:
    """Return the a, b >= 0 and c of ``a log p - b log(1 - p) + c``."""

    def derivatives(rows: Rows, parameters: Parameters) -> Derivatives:
        sums = rows.add_up(scaling.beta, *map(float, parameters))
        hessian = np.empty((3, 3))
        upper = np.triu_indices(3)
        hessian[upper] = hessian.T[upper] = sums[3:]
        return sums[:3], hessian

    far = rows.peak + math.log(2.0)
    least = np.array([0.0, 0.0, -np.inf])
    return _minimise(rows, _Problem(derivatives, np.array([1.0, 1.0, 0.0]), np.array([far, far, 1.0]), least))


def beta_frequencies(frequency: Array, log_odds: Array, weight: Array) -> Array:
    """Return beta calibrated probabilities of rows or cells, fitted to their frequencies of the label 1."""
    a, b, c = beta(Rows(frequency, log_odds, weight))
    calibrated = -a * np.logaddexp(0.0, -log_odds) + b * np.logaddexp(0.0, log_odds) + c
    rate: Array = 1.0 / (1.0 + np.exp(-np.clip(calibrated, -700.0, 700.0)))
    return rate


def per_class(rows: Rows) -> Parameters:
    """Return slopes and intercepts, ``(2, K)``; ``(2, 1)`` for one score per row."""
    columns = 1 if rows.raw.ndim == 1 else rows.raw.shape[1]

    def of_two(rows: Rows, parameters: Parameters) -> Derivatives:
        return _linear(rows, 0.0, 1.0, 0.0, parameters)

    def of_many(rows: Rows, parameters: Parameters) -> Derivatives:
        slope, constant = parameters.reshape(2, columns)
        gradient, hessian = np.zeros(2 * columns), np.zeros((2 * columns, 2 * columns))
        for block in rows.blocks():
            scaling.per_class(*block, 1.0 / rows.total, slope, constant, gradient, hessian)
        upper = np.triu(hessian)
        return gradient, upper + np.triu(upper, 1).T

    identity, reach = np.repeat([1.0, 0.0], columns), np.repeat([rows.peak, 1.0], columns)
    problem = _Problem(of_two if rows.raw.ndim == 1 else of_many, identity, reach)
    return _minimise(rows, problem).reshape(2, columns)


# ---- Newton's method ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """Derivatives, prior and bounds of a minimisation.

    ``identity`` are the parameters at the centre of the prior, ``reach`` is how far a score moves at most if one of them
    changes by 1, ``least`` are their lower bounds.
    """

    derivatives: Callable[[Rows, Parameters], Derivatives]
    identity: Parameters
    reach: Parameters
    least: Parameters | float = -math.inf
    rows_of_prior: float = 1.0


def _minimise(rows: Rows, problem: _Problem) -> Parameters:
    """Return the best parameters."""
    if rows.peak > _MOST_PEAK:
        raise ValueError("raw must be small enough for its square to be a number, got scores beyond 1e150")
    # With scores so large that the loss is flat up to rounding at the identity, start where it is not.
    start = problem.identity * _STEEP / max(rows.peak, _STEEP)
    sample = rows.sample()
    if sample is not None:
        start = _newton(sample, problem, start, last_decrement=1.0 / _SAMPLE)
    return _newton(rows, problem, start, _LAST_DECREMENT)


def _newton(rows: Rows, problem: _Problem, parameters: Parameters, last_decrement: float) -> Parameters:
    """Minimise a convex function by Newton's method within the lower bounds.

    A step is halved until the function falls along all of it, which takes at least half of the possible gain along its
    direction, or until the step is so short that the function must fall. That needs derivatives alone; the loss itself
    would cost as much again.
    """
    strength = problem.rows_of_prior / rows.count

    def penalised(at: Parameters) -> Derivatives:
        gradient, hessian = problem.derivatives(rows, at)
        return gradient + strength * (at - problem.identity), hessian + strength * np.eye(len(at))

    gradient, hessian = penalised(parameters)
    for _ in range(_MOST_STEPS):
        step = _step(gradient, hessian, parameters - problem.least)
        decrement, move = gradient @ step, problem.reach @ abs(step)
        if decrement <= last_decrement and (move <= _LAST_MOVE or decrement <= _NO_DECREMENT):
            return np.maximum(parameters - step, problem.least)
        share = 1.0
        while True:
            there = np.maximum(parameters - share * step, problem.least)
            found = penalised(there)
            if found[0] @ step >= 0.0 or share * move <= _SAFE_MOVE:
                break
            share *= 0.5
        parameters, (gradient, hessian) = there, found
    warnings.warn(f"the scaling did not converge, it stopped at {parameters}", ConvergenceWarning, stacklevel=6)
    return parameters


def _step(gradient: Parameters, hessian: Parameters, room: Parameters) -> Parameters:
    """Return what to subtract from the parameters by the quadratic model, from each at most its ``room``."""
    free_step = _solve(hessian, gradient)
    if (free_step <= room).all():
        return free_step
    # Some stop at their bounds: those with which the model gains most.
    bounded = np.flatnonzero(np.isfinite(room))
    best, most = np.zeros_like(gradient), -math.inf
    for stopped in itertools.product((True, False), repeat=len(bounded)):
        free = np.ones(len(room), dtype=bool)
        free[bounded] = np.logical_not(stopped)
        step = np.where(free, 0.0, room)
        step[free] = _solve(hessian[np.ix_(free, free)], (gradient - hessian @ step)[free])
        gain = float(gradient @ step - 0.5 * step @ hessian @ step)
        if (step <= room).all() and gain > most:
            best, most = step, gain
    return best


def _solve(hessian: Parameters, gradient: Parameters) -> Parameters:
    """Return the Newton step, short along directions that change nothing but rounding."""
    scale = np.sqrt(np.diag(hessian))
    scale[scale == 0.0] = 1.0
    curvature, directions = np.linalg.eigh(hessian / np.outer(scale, scale))
    step: Parameters = directions @ ((directions.T @ (gradient / scale)) / np.maximum(curvature, _LEAST_CURVATURE))
    return step / scale
