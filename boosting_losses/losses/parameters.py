"""Checks of the parameters of losses."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence


def finite_at_least_zero(name: str, value: object) -> float:
    """Return a parameter that must be a finite number >= 0."""
    number = _real(name, value, "finite and >= 0")
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and >= 0, got {number}")
    return number


def finite_above_zero(name: str, value: object) -> float:
    """Return a parameter that must be a finite number > 0."""
    number = _real(name, value, "finite and > 0")
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} must be finite and > 0, got {number}")
    return number


def between_zero_and_one(name: str, value: object) -> float:
    """Return a parameter that must be a number > 0 and < 1."""
    number = _real(name, value, "> 0 and < 1")
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must be > 0 and < 1, got {number}")
    return number


def smoothing_strength(value: object) -> float:
    """Return the parameter ``label_smoothing``, in [0, 1)."""
    number = _real("label_smoothing", value, ">= 0 and < 1")
    if not 0.0 <= number < 1.0:
        raise ValueError(f"label_smoothing must be >= 0 and < 1, got {number}")
    return number


def focusing(value: object) -> float:
    """Return the parameter ``gamma`` of focal losses, in [0, 100]."""
    gamma = finite_at_least_zero("gamma", value)
    if gamma > 100.0:
        raise ValueError(f"gamma must be at most 100, far beyond any use, got {gamma}")
    return gamma


def check_n_classes(value: object) -> None:
    """Refuse a number of classes that is neither None nor an integer >= 1."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"n_classes must be an integer >= 2 or None, got {value!r}")
    if value < 1:
        raise ValueError(f"n_classes must be at least 2 for a multiclass loss, got {value}")


def class_weights(value: object) -> tuple[float, ...] | None:
    """Return the parameter ``class_weight``: one finite weight > 0 for each class code, as a tuple."""
    if value is None:
        return None
    if isinstance(value, (str, bytes, bytearray, dict, set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(
            f"class_weight must be a sequence with one weight per class code, got {value!r}; for weights that balance"
            " the classes, pass the result of sklearn.utils.class_weight.compute_class_weight"
        )
    weights = tuple(finite_above_zero(f"class_weight[{code}]", weight) for code, weight in enumerate(value))
    if len(weights) < 2:
        raise ValueError(f"class_weight must hold a weight for each of at least 2 classes, got {len(weights)}")
    return weights


def all_equal(weights: Sequence[float] | None) -> bool:
    """Return whether the class weights are absent or without effect on the minimiser."""
    return weights is None or len(set(weights)) == 1


def check_hessian_rule(value: object) -> None:
    """Refuse other rules than the two for the Hessian of focal losses."""
    if value not in ("guarded", "exact"):
        raise ValueError(f"hessian must be 'guarded' or 'exact', got {value!r}")


def hessian_floor(rule: str, gamma: float) -> float:
    """Return the least ratio of Hessian to gradient magnitude.

    A floor in proportion to the gradient bounds a Newton step by its inverse, 4 for gamma >= 1; a small constant floor
    would allow steps of hundreds. It shrinks with gamma, since log loss (gamma = 0) needs none.
    """
    return 0.25 * min(gamma, 1.0) if rule == "guarded" else 0.0


def _real(name: str, value: object, rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number that is {rule}, got {value!r}")
    return float(value)
