"""Decorators that make a loss of a formula."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import field, make_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
import numpy.typing as npt

from .._kernels._source import text_digest
from .._kernels.binary import Formula
from .._kernels.dual import Dual, as_dual, of_margin
from . import parameters
from .binary import BinaryLoss
from .multiclass import MulticlassLoss
from .serialization import register_loss

if TYPE_CHECKING:
    from .base import Loss

#: The lowest allowed ratio of Hessian and gradient of a loss whose second derivative is negative somewhere. It limits a
#: Newton step to 4.
FLOOR = 0.25

_COMPARISONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class _OfFormula:
    """What losses of both kinds that are made of a formula share."""

    function: ClassVar[Formula]
    rules: ClassVar[dict[str, str]]

    label_smoothing: float
    hessian: str

    def __post_init__(self) -> None:
        for name, rule in self.rules.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), rule))
        object.__setattr__(self, "label_smoothing", parameters.smoothing_strength(self.label_smoothing))
        parameters.check_hessian_rule(self.hessian)

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        return type(self).function, tuple(getattr(self, name) for name in self.rules)

    def source(self) -> str | None:
        """Return a digest of the text of the formula, which model files store; None if the text is unknown."""
        return text_digest(type(self).function)

    def hessian_floor(self) -> float:
        return FLOOR if self.hessian == "guarded" and not self.shape().convex else 0.0  # type: ignore[attr-defined]


class _BinaryOfFormula(_OfFormula, BinaryLoss):
    pos_weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "pos_weight", parameters.finite_above_zero("pos_weight", self.pos_weight))

    @property
    def class_weights(self) -> tuple[float, float]:
        return self.pos_weight, 1.0

    def with_class_weight(self, weights: npt.NDArray[np.float64]) -> tuple[Self, float]:
        parameters.refuse_both(self, given=self.pos_weight != 1.0)
        return replace(self, pos_weight=float(weights[1] / weights[0])), float(weights[0])  # type: ignore[type-var]


class _MulticlassOfFormula(_OfFormula, MulticlassLoss):
    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "class_weight", parameters.class_weights(self.class_weight))


@overload
def binary_loss(formula: Formula, /) -> type[BinaryLoss]: ...
@overload
def binary_loss(**rules: str) -> Callable[[Formula], type[BinaryLoss]]: ...
def binary_loss(formula: Formula | None = None, /, **rules: str) -> Any:
    """Make a binary loss class of a formula.

    Parameters
    ----------
    formula : callable ``(p, **parameters) -> loss``
        A function of the probability p of the label's class, the sigmoid of the raw score or of its negative. It consists of
        Python's operators and NumPy's functions ``log``, ``log1p``, ``exp``, ``expm1``, ``logaddexp``, ``sqrt``, ``square``,
        ``tanh``, ``abs``, ``maximum`` and ``minimum``. Further arguments are parameters, numbers with default values. If the
        classes have different losses, return two losses, of class 1 and of class 0, and p is the probability of class 1.
    **rules : str
        Rules for the values of parameters, such as ``gamma=">= 0 and < 100"``. All parameters must be finite.

    Returns
    -------
    type[BinaryLoss]
        A class with the name of the function. Its parameters are those of the formula and ``pos_weight``,
        ``label_smoothing`` and ``hessian``, as for :class:`LogLoss` and :class:`FocalLoss`. ``hessian="guarded"`` keeps the
        second derivative at or above 1/4 of the gradient's magnitude if it is negative anywhere.

    Raises
    ------
    TypeError, ValueError
        If the function is no such formula, or a rule is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from boosting_losses import binary_loss
    >>> @binary_loss(epsilon=">= 0")
    ... def poly1(p, epsilon=1.0):
    ...     return -np.log(p) + epsilon * (1 - p)
    >>> loss = poly1(epsilon=2.0)
    >>> round(loss([0, 1], [-2.0, 1.0]), 4)
    0.6082
    """
    return _decorated(formula, _BinaryOfFormula, rules)


@overload
def multiclass_loss(formula: Formula, /) -> type[MulticlassLoss]: ...
@overload
def multiclass_loss(**rules: str) -> Callable[[Formula], type[MulticlassLoss]]: ...
def multiclass_loss(formula: Formula | None = None, /, **rules: str) -> Any:
    """Make a loss class of K classes of a formula.

    Parameters
    ----------
    formula : callable ``(p, **parameters) -> loss``
        As for :func:`binary_loss`; p is the softmax of the raw scores at the label's class.
    **rules : str
        As for :func:`binary_loss`.

    Returns
    -------
    type[MulticlassLoss]
        A class with the name of the function. Its parameters are those of the formula and ``class_weight``,
        ``label_smoothing`` and ``hessian``, as for :class:`SoftmaxCrossEntropy` and :class:`SoftmaxFocalLoss`.

    Raises
    ------
    TypeError, ValueError
        If the function is no such formula, or a rule is invalid.

    Examples
    --------
    >>> from boosting_losses import multiclass_loss
    >>> @multiclass_loss(q="> 0 and <= 1")
    ... def generalised_cross_entropy(p, q=0.7):
    ...     return (1 - p**q) / q
    >>> generalised_cross_entropy(q=2.0)
    Traceback (most recent call last):
        ...
    ValueError: q must be finite and > 0 and <= 1, got 2.0
    """
    return _decorated(formula, _MulticlassOfFormula, rules)


def _decorated(formula: Formula | None, base: type, rules: dict[str, str]) -> Any:
    return (
        (lambda function: _loss_class(function, base, rules)) if formula is None else _loss_class(formula, base, rules)
    )


def _loss_class(formula: Formula, base: type, rules: dict[str, str]) -> type[Loss]:
    name = getattr(formula, "__name__", repr(formula))
    if not inspect.isfunction(formula):
        raise TypeError(f"formula must be a function, got {formula!r}")
    common: list[tuple[str, Any, Any]] = [("label_smoothing", float, 0.0), ("hessian", str, "guarded")]
    if base is _BinaryOfFormula:
        common.insert(0, ("pos_weight", float, 1.0))
    else:
        common.insert(0, ("class_weight", Any, None))
    _, *arguments = inspect.signature(formula).parameters.values()
    defaults: dict[str, float] = {}
    for argument in arguments:
        if argument.kind is not argument.POSITIONAL_OR_KEYWORD or argument.default is argument.empty:
            raise TypeError(f"each parameter of {name} must be named and have a default value, got {argument}")
        if argument.name in {each for each, _, _ in common} or hasattr(base, argument.name):
            raise TypeError(f"a parameter of {name} must not be named {argument.name!r}, which all losses have")
        defaults[argument.name] = argument.default
    if unknown := [rule for rule in rules if rule not in defaults]:
        raise TypeError(f"rules must be for parameters of {name}, {', '.join(defaults) or 'none'}, got {unknown[0]!r}")
    checks = {each: rules.get(each, "") for each in defaults}
    values = [_checked(each, value, checks[each]) for each, value in defaults.items()]
    namespace = {
        "function": staticmethod(formula),
        "rules": checks,
        "pair": _is_pair(formula, values, base),
        "__doc__": formula.__doc__ or f"The loss of the formula {name}.",
    }
    found = make_dataclass(
        name,
        [*((each, float, field(default=value)) for each, value in zip(defaults, values, strict=True)), *common],
        bases=(base,),
        namespace=namespace,
        frozen=True,
    )
    found.__module__, found.__qualname__ = formula.__module__, formula.__qualname__
    register_loss(found)
    return found


def _is_pair(formula: Formula, values: list[float], base: type) -> bool:
    """Evaluate the formula once, in Python; return whether it returns the losses of both classes."""
    with np.errstate(all="ignore"):
        result = formula(of_margin(np.float64(0.3)), *values)
    pair = isinstance(result, tuple)
    results = result if pair else (result,)
    if not all(isinstance(as_dual(each), Dual) for each in results) or len(results) > 2:
        raise TypeError(f"{formula.__name__} must return a loss that depends on p, or two, got {result!r}")
    if pair and base is _MulticlassOfFormula:
        raise TypeError(f"{formula.__name__} must return one loss for K classes, got {len(results)}")
    return pair


def _checked(name: str, value: object, rule: str) -> float:
    """Check a parameter against a rule such as ``"> 0 and <= 1"``."""
    words = f"finite and {rule}" if rule else "finite"
    number = parameters.real(name, value, words)
    for part in filter(None, rule.split(" and ")):
        comparison, _, bound = part.strip().partition(" ")
        if comparison not in _COMPARISONS:
            raise ValueError(f"a rule must consist of >, >=, < or <= and a number, got {rule!r} for {name}")
        if not _COMPARISONS[comparison](number, float(bound)):
            raise ValueError(f"{name} must be {words}, got {number}")
    if not np.isfinite(number):
        raise ValueError(f"{name} must be {words}, got {number}")
    return number
