"""Fits of the parameters of calibrators by Newton's method, with the sums that the kernels compute.

The caller must have checked labels, scores and weights. The objective is the mean log loss plus a prior with the influence
of one row: half the squared distance of the parameters from the identity, which leaves scores unchanged. The prior is
negligible for a thousand rows, but keeps the best scale finite if the scores separate the classes.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._kernels import scaling
from ._labelled_scores import ROUNDING, SAMPLE, LabelledScores, Parameters, Rows
from ._types import Array

#: Gradient and Hessian of the mean loss with respect to the parameters.
Derivatives = tuple[Parameters, Parameters]

#: A Newton step is the last step if, by the quadratic model, it decreases the mean loss by less than half of this number.
#: The step squares the error, so the remaining error is negligible.
_LAST_DECREMENT = 1e-8
#: The quadratic model is valid if no score moves further than this, since the curvature then hardly changes.
_LAST_MOVE = 0.5
#: A step with a smaller decrement is always the last step, because the remaining decrement is rounding error.
_NO_DECREMENT = 1e-14
#: A Newton step is certain to decrease the loss if no score moves further than this (Bach 2010, arXiv 0910.4627, section 2:
#: the third derivative of a logistic loss is at most its second derivative times the distance).
_SAFE_MOVE = 1.0
_MOST_STEPS = 1000
#: The decrement of the last step, relative to the variance of the labels, for fits whose parameters are reported. The
#: remaining error is rounding error.
_EXACT = 1e-13
#: The approximate relative rounding error of a mean.
_SUM_ROUNDING = 1e-14
#: The largest magnitude of a scaled score at the start; for larger scores the loss may be flat up to rounding.
_STEEP = 8.0
#: The smallest allowed value of the largest scaled score, which keeps the temperature finite for uninformative or
#: anti-informative scores.
_LEAST_PEAK = 1e-4
#: For scores of larger magnitude, sums of squares overflow.
_MOST_PEAK = 1e150
#: A direction with a smaller curvature, relative to the curvature along the parameters, is flat up to rounding.
_LEAST_CURVATURE = 1e-14


class ConvergenceWarning(UserWarning):
    """Warning that a fit stopped before it reached the minimum."""


# ---- the scalings ---------------------------------------------------------------------------------------------------


def temperature(rows: LabelledScores) -> float:
    """Return the best inverse temperature."""

    def derivatives(rows: LabelledScores, parameters: Parameters) -> Derivatives:
        inverse = float(parameters[0])
        if rows.n_scores == 1:
            gradient, _, hessian, _, _ = rows.add_up(scaling.linear, 0.0, 1.0, 0.0, inverse, 0.0)
        else:
            gradient, hessian = rows.add_up(scaling.temperature, inverse)
        return np.array([gradient]), np.array([[hessian]])

    least = np.array([_LEAST_PEAK / max(rows.peak, 1.0)])
    return float(_minimise(rows, _Problem(derivatives, np.ones(1), np.array([rows.peak]), least))[0])


def platt(rows: LabelledScores) -> Parameters:
    """Return slope and intercept for Platt's targets, which lie strictly between 0 and 1 (Platt 1999, section 2.2)."""
    share = rows.share_of_ones
    ones, zeros = rows.count * share, rows.count * (1.0 - share)
    low, high = 1.0 / (zeros + 2.0), (ones + 1.0) / (ones + 2.0)
    return _slope_and_intercept(rows, low, high, low + (high - low) * share)


def logistic_regression(rows: Rows) -> Parameters:
    """Return slope and intercept for the original labels.

    Both classes must be present, the scores must not be constant, and no threshold may separate the classes.
    """
    share = min(max(rows.share_of_ones, _SUM_ROUNDING), 1.0 - _SUM_ROUNDING)
    variance = share * (1.0 - share)
    # The decrement cannot be smaller than the decrement that results from rounding of the gradient.
    last_decrement = max(_EXACT * variance, _SUM_ROUNDING * _SUM_ROUNDING / variance)
    return _slope_and_intercept(rows, 0.0, 1.0, share, last_decrement)


def shift(rows: Rows) -> float:
    """Return the shift of the scores that makes the mean of the sigmoid equal to the mean label.

    Labels of both classes must be present.
    """
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
        # Use Newton's step if it stays between the known bounds, otherwise bisection.
        there = constant - excess / slope if slope > 0.0 else math.inf
        if not least <= there <= most:
            there = 0.5 * (least + most)
        if abs(there - constant) <= _EXACT * max(1.0, abs(there)):
            return there
        constant = there
    return constant


def _slope_and_intercept(
    rows: LabelledScores, low: float, high: float, mean: float, last_decrement: float | None = None
) -> Parameters:
    """Return slope and intercept for the targets ``low`` and ``high``, whose mean is ``mean``."""
    flat = np.array([0.0, math.log(mean / (1.0 - mean))])
    # There is no prior here, so the scores may be centred. Centring at the median keeps small differences accurate if most
    # scores share a large constant.
    centre = rows.middle
    spread = max(rows.span[1] - centre, centre - rows.span[0])
    if spread <= ROUNDING * rows.peak:
        return flat

    def derivatives(rows: LabelledScores, parameters: Parameters) -> Derivatives:
        return _linear(rows, low, high, centre, parameters)

    problem = _Problem(derivatives, flat, np.array([spread, 1.0]), rows_of_prior=0.0)
    if last_decrement is None:
        slope, intercept = _minimise(rows, problem)
    else:
        slope, intercept = _newton(rows, problem, flat, last_decrement)
    return np.array([slope, intercept - slope * centre])


def _linear(rows: LabelledScores, low: float, high: float, centre: float, parameters: Parameters) -> Derivatives:
    sums = rows.add_up(scaling.linear, low, high, centre, *map(float, parameters))
    return sums[:2], np.array([[sums[2], sums[3]], [sums[3], sums[4]]])


def beta(rows: LabelledScores) -> Parameters:
    """Return the parameters a >= 0, b >= 0 and c of ``a log p - b log(1 - p) + c``."""

    def derivatives(rows: LabelledScores, parameters: Parameters) -> Derivatives:
        sums = rows.add_up(scaling.beta, *map(float, parameters))
        hessian = np.empty((3, 3))
        upper = np.triu_indices(3)
        hessian[upper] = hessian.T[upper] = sums[3:]
        return sums[:3], hessian

    far = rows.peak + math.log(2.0)
    least = np.array([0.0, 0.0, -np.inf])
    return _minimise(rows, _Problem(derivatives, np.array([1.0, 1.0, 0.0]), np.array([far, far, 1.0]), least))


def beta_frequencies(frequency: Array, log_odds: Array, weight: Array) -> Array:
    """Return beta-calibrated probabilities of rows or cells, fitted to the frequencies of label 1."""
    a, b, c = beta(Rows(frequency, log_odds, weight))
    calibrated = -a * np.logaddexp(0.0, -log_odds) + b * np.logaddexp(0.0, log_odds) + c
    rate: Array = 1.0 / (1.0 + np.exp(-np.clip(calibrated, -700.0, 700.0)))
    return rate


def per_class(rows: LabelledScores) -> Parameters:
    """Return slopes and intercepts, ``(2, K)``; ``(2, 1)`` for one score per row."""
    columns = rows.n_scores

    def of_two(rows: LabelledScores, parameters: Parameters) -> Derivatives:
        return _linear(rows, 0.0, 1.0, 0.0, parameters)

    def of_many(rows: LabelledScores, parameters: Parameters) -> Derivatives:
        sums = rows.add_up(_sums_of_classes, *map(float, parameters))
        upper = np.triu(sums[2 * columns :].reshape(2 * columns, 2 * columns))
        return sums[: 2 * columns], upper + np.triu(upper, 1).T

    identity, reach = np.repeat([1.0, 0.0], columns), np.repeat([rows.peak, 1.0], columns)
    problem = _Problem(of_two if columns == 1 else of_many, identity, reach)
    return _minimise(rows, problem).reshape(2, columns)


def _sums_of_classes(
    y: Array, raw: Array, weight: Array | None, begin: int, end: int, unit: float, *parameters: float
) -> Parameters:
    """Return the gradient and the upper triangle of the Hessian of :func:`per_class` in one array."""
    slope, constant = np.array(parameters).reshape(2, -1)
    gradient = np.zeros(len(parameters))
    hessian = np.zeros((len(parameters), len(parameters)))
    scaling.per_class(y, raw, weight, begin, end, unit, slope, constant, gradient, hessian)
    return np.concatenate([gradient, hessian.ravel()])


# ---- Newton's method ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """Derivatives, prior and bounds of a minimisation problem.

    ``identity`` contains the parameters at the centre of the prior, ``least`` their lower bounds, and ``reach`` for each
    parameter the largest change of a score if the parameter changes by 1.
    """

    derivatives: Callable[[LabelledScores, Parameters], Derivatives]
    identity: Parameters
    reach: Parameters
    least: Parameters | float = -math.inf
    rows_of_prior: float = 1.0


def _minimise(rows: LabelledScores, problem: _Problem) -> Parameters:
    """Return the best parameters."""
    if rows.peak > _MOST_PEAK:
        raise ValueError(f"raw must be at most {_MOST_PEAK:g} in magnitude, got {rows.peak:g}")
    # If the scores are so large that the loss is flat up to rounding at the identity, start with a smaller scale.
    start = problem.identity * _STEEP / max(rows.peak, _STEEP)
    sample = rows.sample()
    if sample is not None:
        start = _newton(sample, problem, start, last_decrement=1.0 / SAMPLE)
    return _newton(rows, problem, start, _LAST_DECREMENT)


def _newton(rows: LabelledScores, problem: _Problem, parameters: Parameters, last_decrement: float) -> Parameters:
    """Minimise a convex function by Newton's method subject to lower bounds.

    A step is halved until the function decreases along the whole step, or until the step is so short that the function is
    certain to decrease. In the first case the step attains at least half of the possible decrease along its direction. The
    line search uses only derivatives, because computing the loss would double the cost.
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
    warnings.warn(
        f"the fit did not converge; it stopped at the parameters {parameters}", ConvergenceWarning, stacklevel=6
    )
    return parameters


def _step(gradient: Parameters, hessian: Parameters, room: Parameters) -> Parameters:
    """Return the step that the quadratic model subtracts from the parameters, at most ``room`` for each parameter."""
    free_step = _solve(hessian, gradient)
    if (free_step <= room).all():
        return free_step
    # Some parameters stop at their bounds. Try every combination, and choose the one with the largest gain of the model.
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
    """Return the Newton step, with bounded length along directions in which the loss is flat up to rounding."""
    scale = np.sqrt(np.diag(hessian))
    scale[scale == 0.0] = 1.0
    curvature, directions = np.linalg.eigh(hessian / np.outer(scale, scale))
    step: Parameters = directions @ ((directions.T @ (gradient / scale)) / np.maximum(curvature, _LEAST_CURVATURE))
    return step / scale
