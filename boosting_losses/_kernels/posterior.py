"""The class probabilities that raw scores imply, and the best constant raw scores, of any formula.

Scores that minimise the expected loss satisfy: the class probability eta_k is proportional to h(p_k), where

    log h(p) = log p + log(1 - p) - log(-d)

and d is the derivative of the loss with respect to the margin m of its class. For two classes, the log odds of eta are the
difference of the two values of log h. For cross-entropy h(p) = p, so eta is p. For the focal loss this is theorem 11 of
Charoenphakdee et al. 2021 (arXiv 2011.09172). Beyond a margin at which derivatives would underflow, log h is continued as
a straight line, which every loss approaches exponentially.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from .._types import Array
from ._jit import double, jit, jit_inner, point
from .binary import Formula, losses_of_classes
from .checks import is_finite
from .dual import of_margin
from .rows import LARGEST, OTHERS, SCORES, below, exponentials
from .vector import bits, minus_log

#: The margin beyond which log h is continued as a straight line, and the smallest derivative that is trusted.
EDGE, SMALLEST = 40.0, 1e-250


class PosteriorLoops(NamedTuple):
    """The compiled functions of a formula."""

    shape: Callable[..., None]
    binary: Callable[..., bool]
    binary_init_score: Callable[..., float]
    multiclass: Callable[..., bool]
    multiclass_init_score: Callable[..., None]


@jit_inner
def normalise(scores: Array) -> None:
    """Replace scores by their softmax."""
    top, total = scores.max(), 0.0
    for k in range(scores.shape[0]):
        scores[k] = math.exp(float(scores[k]) - top)
        total += scores[k]
    for k in range(scores.shape[0]):
        scores[k] /= total


@cache
def posterior_loops(formula: Formula, pair: bool) -> PosteriorLoops:  # noqa: PLR0915  (they close over the formula)
    """Return the functions of a formula, which compile on their first call."""
    loss_of_1, loss_of_0 = losses_of_classes(formula, pair)

    @point
    def log_h(m: float, edge: float, parameters: tuple[float, ...], own: bool) -> tuple[float, float]:
        """Return log h at a margin and its derivative, for the loss of class 1 or class 0."""
        inside = min(max(m, -edge), edge)
        p = of_margin(inside)
        one, zero = loss_of_1(p, parameters), loss_of_0(p, parameters)
        d, c = (one.d, one.c) if own else (zero.d, zero.c)
        high, low = minus_log(-d)
        slope = p.w - c / d
        return (high - (p.high + p.w_high)) + (low - (p.low + p.w_low)) + slope * (m - inside), slope

    @point
    def log_odds(z: float, edge: float, parameters: tuple[float, ...]) -> float:
        return log_h(z, edge, parameters, True)[0] - log_h(-z, edge, parameters, False)[0]

    @partial(jit, of=formula)
    def edge_of(parameters: tuple[float, ...]) -> float:
        edge = EDGE
        while edge > 1.0:
            p, q = of_margin(edge), of_margin(-edge)
            one = min(-loss_of_1(p, parameters).d, -loss_of_1(q, parameters).d)
            zero = min(-loss_of_0(p, parameters).d, -loss_of_0(q, parameters).d)
            if min(one, zero) > SMALLEST:
                break
            edge *= 0.9
        return edge

    @partial(jit, of=formula)
    def shape(margins: Array, parameters: tuple[float, ...], out: Array) -> None:
        """Fill, for each margin z of class 1 and for -z of class 0: first and second derivatives, log h and its slope."""
        for i in range(margins.shape[0]):
            p, q = of_margin(margins[i]), of_margin(-margins[i])
            one, zero = loss_of_1(p, parameters), loss_of_0(q, parameters)
            out[0, i], out[1, i], out[2, i], out[3, i] = one.d, one.h, zero.d, zero.h
            out[4, i], out[5, i] = log_h(margins[i], EDGE, parameters, True)
            out[6, i], out[7, i] = log_h(-margins[i], EDGE, parameters, False)

    @partial(jit, of=formula)
    def binary(raw: Array, parameters: tuple[float, ...], offset: float, as_logits: bool, out: Array) -> bool:
        """Fill the class probability or its log odds, plus ``offset``, which undoes the class weights."""
        top_z = bits(abs(raw[0]))
        edge = edge_of(parameters)
        for i in range(raw.shape[0]):
            top_z = max(top_z, bits(abs(raw[i])))
            logit = log_odds(double(raw[i]), edge, parameters) + offset
            out[i] = logit if as_logits else of_margin(logit).v
        return is_finite(top_z, raw)

    @partial(jit, of=formula)
    def binary_init_score(target: float, parameters: tuple[float, ...]) -> float:
        """Return the score whose log odds are ``target``, by bisection to the last bit."""
        edge = edge_of(parameters)
        low, high = -1.0, 1.0
        while log_odds(low, edge, parameters) > target:
            low *= 2.0
        while log_odds(high, edge, parameters) < target:
            high *= 2.0
        middle = 0.5 * (low + high)
        while low < middle < high:
            if log_odds(middle, edge, parameters) < target:
                low = middle
            else:
                high = middle
            middle = 0.5 * (low + high)
        return middle

    @partial(jit, of=formula)
    def multiclass(raw: Array, parameters: tuple[float, ...], offset: Array, as_logits: bool, out: Array) -> bool:
        """Fill the class probabilities or their logarithms up to a constant; ``offset`` undoes the class weights."""
        classes = raw.shape[1]
        work, scores = np.empty(3 * classes), np.empty(classes)
        edge = edge_of(parameters)
        for i in range(raw.shape[0]):
            finite = True
            for k in range(classes):
                finite &= -math.inf < raw[i, k] < math.inf
                work[SCORES * classes + k] = raw[i, k]
            if not finite:
                return False
            top, best, _ = exponentials(work, classes)
            second = -math.inf  # the second largest score, relative to the largest
            for k in range(classes):
                if k != best:
                    second = max(second, below(work[SCORES * classes + k], top))
            scaled_rest = 0.0
            for k in range(classes):
                if k != best:
                    scaled_rest += math.exp(below(work[SCORES * classes + k], top) - second)
            log_rest = second + math.log(scaled_rest)  # finite even if ``rest`` underflows
            for k in range(classes):
                log_others = log_rest if k == best else math.log(work[OTHERS * classes + k])
                score = (
                    log_h(below(work[SCORES * classes + k], top) - log_others, edge, parameters, True)[0] + offset[k]
                )
                scores[k] = max(min(score, LARGEST), -LARGEST)
            if not as_logits:
                normalise(scores)
            for k in range(classes):
                out[i, k] = scores[k]
        return True

    @point
    def inverse_log_h(target: float, edge: float, parameters: tuple[float, ...]) -> float:
        low, high = -1.0, 1.0
        while log_h(low, edge, parameters, True)[0] > target:
            low *= 2.0
        while log_h(high, edge, parameters, True)[0] < target:
            high *= 2.0
        middle = 0.5 * (low + high)
        while low < middle < high:
            if log_h(middle, edge, parameters, True)[0] < target:
                low = middle
            else:
                high = middle
            middle = 0.5 * (low + high)
        return middle

    @point
    def sum_of_p(log_terms: Array, shift: float, edge: float, parameters: tuple[float, ...], out: Array) -> float:
        total = 0.0
        for k in range(log_terms.shape[0]):
            p = of_margin(inverse_log_h(log_terms[k] + shift, edge, parameters))
            out[k] = -(p.high + p.low)
            total += p.v
        return total

    @partial(jit, of=formula)
    def multiclass_init_score(log_terms: Array, parameters: tuple[float, ...], out: Array) -> None:
        """Fill the constant scores log p_k that minimise the expected loss.

        ``log_terms`` contains the logarithm of the weighted frequency of each class. At the minimum h(p_k) is proportional
        to these frequencies. The common factor is found by bisection, from the condition that the p_k sum to 1.
        """
        edge = edge_of(parameters)
        low, high = -1.0, 1.0
        while sum_of_p(log_terms, low, edge, parameters, out) > 1.0:
            low *= 2.0
        while sum_of_p(log_terms, high, edge, parameters, out) < 1.0:
            high *= 2.0
        middle = 0.5 * (low + high)
        while low < middle < high:
            if sum_of_p(log_terms, middle, edge, parameters, out) < 1.0:
                low = middle
            else:
                high = middle
            middle = 0.5 * (low + high)
        sum_of_p(log_terms, middle, edge, parameters, out)

    return PosteriorLoops(shape, binary, binary_init_score, multiclass, multiclass_init_score)
