"""The properties of a loss that follow from its derivatives: where a posterior exists, and whether a guard is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .._kernels.binary import Formula
from .._kernels.posterior import posterior_loops
from .._types import Doubles

#: The margins at which losses are examined. Farther out, formulas that subtract from 1 have no digits left.
MARGINS: Doubles = np.linspace(-30.0, 30.0, 1201)


@dataclass(frozen=True)
class Shape:
    """The properties of a loss.

    ``offset`` is the constant to add to raw scores so that their sigmoid or softmax is the class probability, before class
    weights; None if there is no such constant. ``convex`` is whether the second derivative is nowhere negative.
    ``obstacle`` is why there is no posterior, or None.
    """

    offset: float | None
    convex: bool
    obstacle: str | None = None


@lru_cache(maxsize=256)
def shape_of(formula: Formula, parameters: tuple[float, ...], *, pair: bool, multiclass: bool) -> Shape:
    """Examine a formula on a grid of margins."""
    d_1, h_1, d_0, h_0, log_h_1, slope_1, log_h_0, slope_0 = out = np.empty((8, len(MARGINS)))
    posterior_loops(formula, pair).shape(MARGINS, parameters, out)
    convex = bool((h_1 >= 0.0).all() and (h_0 >= 0.0).all())
    if multiclass:
        return examined({"the label's class": d_1}, convex, log_h_1 + np.logaddexp(0.0, -MARGINS), slope_1)
    return examined({"class 1": d_1, "class 0": d_0}, convex, log_h_1 - log_h_0 - MARGINS, slope_1 + slope_0)


def examined(derivatives: dict[str, Doubles], convex: bool, excess: Doubles, slope: Doubles) -> Shape:
    """Return the properties, given the derivatives of the losses with respect to the margin of their class.

    ``excess`` is the implied log odds, or log probability, minus that of the sigmoid, and ``slope`` how it increases.
    """
    for name, derivative in derivatives.items():
        if not (derivative < 0.0).all():
            where = _range(~(derivative < 0.0))
            return Shape(None, convex, f"the loss of {name} does not decrease at margins {where}")
    if not (slope > 0.0).all():
        return Shape(None, convex, f"the implied probability does not increase at margins {_range(~(slope > 0.0))}")
    middle = float(excess[len(MARGINS) // 2])
    is_constant = np.abs(excess - middle).max() < 1e-12 * (1.0 + abs(middle))
    return Shape(middle if is_constant else None, convex)


def _range(where: np.ndarray) -> str:
    found = MARGINS[where]
    return f"from {found.min():.4g} to {found.max():.4g}"
