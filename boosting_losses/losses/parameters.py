"""Validation of the parameters of losses."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence


def finite_at_least_zero(name: str, value: object) -> float:
    """Check that a parameter is a finite number >= 0, and return it as a float."""
    number = real(name, value, "finite and >= 0")
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and >= 0, got {number}")
    return number


def finite_above_zero(name: str, value: object) -> float:
    """Check that a parameter is a finite number > 0, and return it as a float."""
    number = real(name, value, "finite and > 0")
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} must be finite and > 0, got {number}")
    return number


def between_zero_and_one(name: str, value: object) -> float:
    """Check that a parameter is a number > 0 and < 1, and return it as a float."""
    number = real(name, value, "> 0 and < 1")
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must be > 0 and < 1, got {number}")
    return number


def smoothing_strength(value: object) -> float:
    """Check that ``label_smoothing`` is a number in [0, 1), and return it as a float."""
    number = real("label_smoothing", value, ">= 0 and < 1")
    if not 0.0 <= number < 1.0:
        raise ValueError(f"label_smoothing must be >= 0 and < 1, got {number}")
    return number


def focusing(value: object) -> float:
    """Check that ``gamma`` of a focal loss is a number in [0, 100], and return it as a float."""
    gamma = finite_at_least_zero("gamma", value)
    if gamma > 100.0:
        raise ValueError(f"gamma must be at most 100, got {gamma}")
    return gamma


def check_n_classes(value: object) -> None:
    """Raise an error unless the number of classes is None or an integer >= 1."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"n_classes must be an integer >= 2 or None, got {value!r}")
    if value < 1:
        raise ValueError(f"n_classes must be at least 2 for a multiclass loss, got {value}")


def class_weights(value: object) -> tuple[float, ...] | None:
    """Check that ``class_weight`` contains one finite weight > 0 per class code, and return it as a tuple, or None."""
    if value is None:
        return None
    if isinstance(value, (str, bytes, bytearray, dict, set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(
            f"class_weight must be a sequence with one weight per class code, got {value!r}; to balance the classes, pass"
            " the result of sklearn.utils.class_weight.compute_class_weight"
        )
    weights = tuple(finite_above_zero(f"class_weight[{code}]", weight) for code, weight in enumerate(value))
    if len(weights) < 2:
        raise ValueError(f"class_weight must hold at least 2 weights, one per class, got {len(weights)}")
    return weights


def all_equal(weights: Sequence[float] | None) -> bool:
    """Return whether the class weights are absent or all equal, so that they do not affect the minimiser."""
    return weights is None or len(set(weights)) == 1


def refuse_both(loss: object, *, given: bool) -> None:
    """Raise ValueError if class weights are set twice."""
    if given:
        raise ValueError(f"class_weight must be None if the loss already has class weights, got both with {loss}")


def check_hessian_rule(value: object) -> None:
    """Raise ValueError unless ``value`` is a rule for the Hessian of focal losses."""
    if value not in ("guarded", "exact"):
        raise ValueError(f"hessian must be 'guarded' or 'exact', got {value!r}")


def hessian_floor(rule: str, gamma: float) -> float:
    """Return the smallest allowed ratio of the Hessian to the magnitude of the gradient.

    The inverse of this ratio bounds a Newton step: 4 for gamma >= 1. A small constant floor of the Hessian would allow steps
    in the hundreds. The ratio decreases to 0 with gamma, because log loss (gamma = 0) requires no floor.
    """
    return 0.25 * min(gamma, 1.0) if rule == "guarded" else 0.0


def real(name: str, value: object, rule: str) -> float:
    """Check that a parameter is a number, and return it as a float; ``rule`` completes the error message."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number that is {rule}, got {value!r}")
    return float(value)
