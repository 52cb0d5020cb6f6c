"""The constant raw scores of K classes that minimise the expected loss, for losses whose posterior does not tell them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ._shape import MARGINS

if TYPE_CHECKING:
    from .base import Loss

Codes = npt.NDArray[np.intp]

#: Where descents start, as multiples of the minimiser of cross-entropy: the last is nearly one class alone.
_STARTS = (1.0, 2.0, 4.0, 8.0, 32.0)
_STEPS, _TOLERANCE, _ROUNDING = 500, 1e-13, 1e-14


def minimising_scores(loss: Loss, shares: Doubles, log_terms: Doubles, alike: Codes) -> Doubles:
    """Return the lowest of the minima that descents from several starts find, scores that sum to 0.

    The minimiser may be infinite: the scores stay within the range of margins at which losses are examined.

    Parameters
    ----------
    loss : Loss
        A loss of K classes.
    shares : ndarray of shape (K,)
        The share of each class.
    log_terms : ndarray of shape (K,)
        The logarithm of the factor of the loss of each class: its share after label smoothing, times the class weight.
    alike : ndarray of shape (K,), integers
        The group of each class, from 0. The classes of a group get equal scores.

    Returns
    -------
    ndarray of shape (K,)
    """
    size = np.bincount(alike)

    def allowed(scores: Doubles) -> Doubles:
        means = (np.bincount(alike, scores) / size)[alike]
        inside = np.maximum(means, means.max() + MARGINS[0])
        centred: Doubles = inside - inside.mean()
        return centred

    minima = [_descended(loss, shares, allowed(start * log_terms), allowed) for start in _STARTS]
    best: Doubles = min(minima, key=lambda scores: loss(shares[None], scores[None]))
    return best


def _descended(loss: Loss, shares: Doubles, scores: Doubles, allowed: Callable[[Doubles], Doubles]) -> Doubles:
    """Descend by Newton steps with twice the Hessian's diagonal, which exceeds its other entries; a step is at most 1."""
    y, value, rate = shares[None], loss(shares[None], scores[None]), 1.0
    for _ in range(_STEPS):
        gradient, hessian = (each[0] for each in loss.gradient_hessian(y, scores[None]))
        step = gradient / np.maximum(2.0 * hessian, np.abs(gradient) + np.finfo(np.float64).tiny)
        moved = allowed(scores - rate * step)
        lower = loss(y, moved[None])
        if not lower <= value + _ROUNDING * abs(value):
            rate /= 2.0
            continue
        change, scores, value = np.abs(moved - scores).max(), moved, lower
        if change < _TOLERANCE:
            break
    return scores
