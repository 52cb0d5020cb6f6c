"""Numbers that carry their derivatives: the arithmetic in which the formula of a loss is evaluated.

A formula is a function of the probability p = sigmoid(m) of the label's class, written with Python's operators and NumPy's
functions. Evaluated with a :class:`Probability`, it returns a :class:`Dual`, which contains the value f of the loss, its
derivative f' with respect to the margin m, and the number c = f'' + p f'. The second derivative is c - p f'. The number c
obeys the rules of a second derivative, because they hold for every linear combination of f'' and f'. Unlike f'', it is
exactly 0 for cross-entropy, so no digits cancel in the Hessians of K classes (``multiclass.py``).

A :class:`Probability` also carries 1 - p and the logarithms of both, so ``np.log(p)``, ``1 - p``, ``np.log(1 - p)`` and
their powers keep all digits in both tails. Each rule below is written once. It is the method of a class for interpreted
code, and the implementation of the operator for two Numba types in compiled code.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numba import extending, types
from numba.core import cgutils
from numba.core.typing import templates

from ._jit import FAST, Real, point
from .logistic import sigmoid
from .vector import exp as exp_of_negative
from .vector import exp_minus_product, log1p, minus_log, select

# Numba's annotations of these modules are incomplete.
_types: Any = types
_numba: Any = extending
_templates: Any = templates
_structs: Any = cgutils

# ---- the two kinds of numbers ---------------------------------------------------------------------------------------


class _Number:
    """A record of real numbers with the operators of Python and the functions of NumPy."""

    __slots__: tuple[str, ...] = ()
    fields: ClassVar[tuple[str, ...]] = ()
    v: Real
    d: Real
    c: Real
    h: Real

    def __init__(self, *values: Real) -> None:
        for name, value in zip(self.fields, values, strict=True):
            setattr(self, name, value)

    def __array_ufunc__(self, function: Any, method: str, *arguments: Any, **options: Any) -> Any:
        return NotImplemented if options or method != "__call__" else _evaluate(function, *arguments)


class Dual(_Number):
    """A value v, its derivative d with respect to the margin, and c, its second derivative plus p times d."""

    fields = ("v", "d", "c", "h")
    __slots__ = fields


class Probability(_Number):
    """A probability v and its complement w with their logarithms, -log v = high + low and -log w = w_high + w_low.

    The derivatives d and c are those of v, those of w are -d and -c. The derivatives of log v are log_d and log_c.
    """

    fields = (
        *("v", "d", "c", "h", "high", "low", "log_d", "log_c", "log_h"),
        *("w", "w_high", "w_low", "w_log_d", "w_log_c", "w_log_h"),
    )
    __slots__ = fields


class Power(_Number):
    """A power v of a probability, and its derivatives divided by v, so that a product rounds once where v is tiny."""

    fields = ("v", "d", "c", "h")
    __slots__ = fields


def _numba_type(kind: type[_Number]) -> type:
    """Create the Numba type of a kind of numbers, a structure of fields of the same precision."""

    class Number(_types.Type):  # type: ignore[misc]
        def __init__(self, real: Any) -> None:
            self.real = real
            super().__init__(name=f"{kind.__name__}({real})")

    @_numba.register_model(Number)
    class _Model(_numba.models.StructModel):  # type: ignore[misc]
        def __init__(self, manager: Any, of: Any) -> None:
            super().__init__(manager, of, [(name, of.real) for name in kind.fields])

    for name in kind.fields:
        _numba.make_attribute_wrapper(Number, name, name)

    @_templates.infer_global(kind)
    class _Constructor(_templates.AbstractTemplate):  # type: ignore[misc]
        def generic(self, fields: Any, keywords: Any) -> Any:
            return _templates.signature(Number(fields[0]), *fields)

    def construct(context: Any, builder: Any, call: Any, fields: Any) -> Any:
        struct = _structs.create_struct_proxy(call.return_type)(context, builder)
        for name, field, of in zip(kind.fields, fields, call.args, strict=True):
            setattr(struct, name, context.cast(builder, field, of, call.return_type.real))
        return struct._getvalue()  # noqa: SLF001

    _numba.lower_builtin(kind, _types.VarArg(_types.Any))(construct)
    return Number


_DualType, _ProbabilityType, _PowerType = map(_numba_type, (Dual, Probability, Power))

#: The kinds of arguments for which rules are written.
_REAL = float
_KINDS = {_DualType: Dual, _ProbabilityType: Probability, _PowerType: Power}

#: The rules, by function and kinds of arguments.
_RULES: dict[Any, dict[tuple[type, ...], Callable[..., Any]]] = {}


def _rule(function: Any, *kinds: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(rule: Callable[..., Any]) -> Callable[..., Any]:
        _RULES.setdefault(function, {})[kinds] = rule
        return rule

    return register


def _found(function: Any, kinds: tuple[type, ...]) -> tuple[Callable[..., Any], bool] | None:
    """Return the rule for kinds of arguments, and whether other kinds must be converted to dual numbers first."""
    rules = _RULES[function]
    if kinds in rules:
        return rules[kinds], False
    kinds = tuple(_REAL if kind is _REAL else Dual for kind in kinds)
    return (rules[kinds], True) if kinds in rules else None


def as_dual(x: Any) -> Any:
    """Return a probability or a power as a dual number, and any other number as it is."""
    if isinstance(x, Power):
        return _dual_of_power(x)
    return Dual(x.v, x.d, x.c, x.h) if isinstance(x, Probability) else x


@_numba.overload(as_dual)
def _(x):  # type: ignore[no-untyped-def]
    if isinstance(x, _PowerType):
        return lambda x: _dual_of_power(x)  # noqa: PLW0108  (Numba requires a function of Python)
    return (lambda x: Dual(x.v, x.d, x.c, x.h)) if isinstance(x, _ProbabilityType) else (lambda x: x)


@point
def _dual_of_power(x: Any) -> Any:
    return Dual(x.v, x.v * x.d, x.v * x.c, x.v * x.h)


def _value(x: Any) -> Any:
    return x.v if isinstance(x, Dual) else x


@_numba.overload(_value)
def _(x):  # type: ignore[no-untyped-def]
    return (lambda x: x.v) if isinstance(x, _DualType) else (lambda x: x)


# ---- probabilities --------------------------------------------------------------------------------------------------


@point
def probability(p: Real, q: Real, high: Real, low: Real, q_high: Real, q_low: Real) -> Any:
    """Return the probability p = sigmoid(m), given q = 1 - p, -log p = high + low and -log q = q_high + q_low."""
    pq = p * q
    zero = type(p)(0)
    return Probability(p, pq, pq * q, pq * (q - p), high, low, q, zero, -pq, q, q_high, q_low, -p, -p, -pq)


@point
def of_margin(m: Real) -> Any:
    """Return sigmoid(m)."""
    zero, low = type(m)(0), log1p(exp_of_negative(-abs(m)))
    p, q = sigmoid(m)
    return probability(p, q, max(-m, zero), low, max(m, zero), low)


@point
def opposite(x: Any) -> Any:
    """Return the probability sigmoid(-m) of the other class as a function of its own margin, -m."""
    return probability(x.w, x.v, x.w_high, x.w_low, x.high, x.low)


@point
def _logarithm(v: Real, d: Real, c: Real, h: Real) -> tuple[Real, Real, Real, Real, Real]:
    """Return -log v as a sum of two numbers, and the derivatives of log v."""
    high, low = minus_log(v)
    log_d = d / v
    square = log_d * log_d
    return high, low, log_d, c / v - square, h / v - square


@_rule(operator.sub, _REAL, Probability)
def _(a, b):  # type: ignore[no-untyped-def]
    """Exchange p and 1 - p if a is 1. Compiled code for a constant a contains only one of the two cases."""
    real = type(b.v)
    v = real(a) - b.v
    w = real(1) - v
    high, low, log_d, log_c, log_h = _logarithm(v, -b.d, -b.c, -b.h)
    w_high, w_low, w_log_d, w_log_c, w_log_h = _logarithm(w, b.d, b.c, b.h)
    one = real(a) == real(1)
    return Probability(
        select(one, b.w, v),
        -b.d,
        -b.c,
        -b.h,
        select(one, b.w_high, high),
        select(one, b.w_low, low),
        select(one, b.w_log_d, log_d),
        select(one, b.w_log_c, log_c),
        select(one, b.w_log_h, log_h),
        select(one, b.v, w),
        select(one, b.high, w_high),
        select(one, b.low, w_low),
        select(one, b.log_d, w_log_d),
        select(one, b.log_c, w_log_c),
        select(one, b.log_h, w_log_h),
    )


@_rule(np.log, Probability)
def _(a):  # type: ignore[no-untyped-def]
    return Dual(-(a.high + a.low), a.log_d, a.log_c, a.log_h)


@_rule(operator.pow, Probability, _REAL)
def _(a, b):  # type: ignore[no-untyped-def]
    x = type(a.v)(b)
    power = exp_minus_product(abs(x), a.high, a.low)
    power = select(x < type(x)(0), type(x)(1) / power, power)
    square = x * (a.log_d * a.log_d)
    return Power(power, x * a.log_d, x * (a.log_c + square), x * (a.log_h + square))


@_rule(np.square, Probability)
def _(a):  # type: ignore[no-untyped-def]
    two = type(a.v)(2)
    square = two * (a.log_d * a.log_d)
    return Power(a.v * a.v, two * a.log_d, two * (a.log_c + square), two * (a.log_h + square))


@point
def with_derivatives(p: Any, value: Real, first: Real, second: Real) -> Any:
    """Return the loss of a formula that computes its derivatives itself.

    Parameters
    ----------
    p : Probability
        The argument of the formula. ``p.v`` is the probability and ``p.w`` its complement 1 - p, as plain numbers.
    value, first, second : float
        The loss and its derivatives with respect to the margin, the log odds of ``p``.
    """
    return Dual(value, first, second + p.v * first, second)


# ---- dual numbers ---------------------------------------------------------------------------------------------------


@point
def _exp(x: Real) -> Real:
    e = exp_of_negative(-abs(x))
    return select(x > type(x)(0), type(x)(1) / e, e)


@point
def _chain(x: Any, v: Real, first: Real, second: Real) -> Any:
    """Return f(x), given the value and the derivatives of f."""
    square = second * (x.d * x.d)
    return Dual(v, first * x.d, first * x.c + square, first * x.h + square)


_rule(operator.neg, Dual)(lambda a: Dual(-a.v, -a.d, -a.c, -a.h))
_rule(operator.add, Dual, Dual)(lambda a, b: Dual(a.v + b.v, a.d + b.d, a.c + b.c, a.h + b.h))
_rule(operator.add, Dual, _REAL)(lambda a, b: Dual(a.v + type(a.v)(b), a.d, a.c, a.h))
_rule(operator.add, _REAL, Dual)(lambda a, b: Dual(type(b.v)(a) + b.v, b.d, b.c, b.h))
_rule(operator.sub, Dual, Dual)(lambda a, b: Dual(a.v - b.v, a.d - b.d, a.c - b.c, a.h - b.h))
_rule(operator.sub, Dual, _REAL)(lambda a, b: Dual(a.v - type(a.v)(b), a.d, a.c, a.h))
_rule(operator.sub, _REAL, Dual)(lambda a, b: Dual(type(b.v)(a) - b.v, -b.d, -b.c, -b.h))


@_rule(operator.mul, Dual, _REAL)
def _(a, b):  # type: ignore[no-untyped-def]
    x = type(a.v)(b)
    return Dual(a.v * x, a.d * x, a.c * x, a.h * x)


@_rule(operator.truediv, Dual, _REAL)
def _(a, b):  # type: ignore[no-untyped-def]
    x = type(a.v)(b)
    return Dual(a.v / x, a.d / x, a.c / x, a.h / x)


_rule(operator.mul, _REAL, Dual)(lambda a, b: b * a)
for _a, _b in ((Dual, Dual), (Dual, _REAL), (_REAL, Dual)):
    _rule(operator.lt, _a, _b)(lambda a, b: _value(a) < _value(b))
    _rule(operator.le, _a, _b)(lambda a, b: _value(a) <= _value(b))
    _rule(operator.gt, _a, _b)(lambda a, b: _value(a) > _value(b))
    _rule(operator.ge, _a, _b)(lambda a, b: _value(a) >= _value(b))


_rule(operator.neg, Power)(lambda a: Power(-a.v, a.d, a.c, a.h))
_rule(operator.mul, Dual, Power)(lambda a, b: b * a)


@_rule(operator.mul, Power, Dual)
def _(a, b):  # type: ignore[no-untyped-def]
    zero, twice = type(a.v)(0), a.d + a.d
    d = a.d * b.v + b.d
    c, h = a.c * b.v + b.c + twice * b.d, a.h * b.v + b.h + twice * b.d
    vanishes = a.v == zero  # b may be so large that its multiples overflow
    return Dual(
        a.v * b.v,
        select(vanishes, zero, a.v * d),
        select(vanishes, zero, a.v * c),
        select(vanishes, zero, a.v * h),
    )


@_rule(operator.mul, Dual, Dual)
def _(a, b):  # type: ignore[no-untyped-def]
    twice = a.d + a.d  # doubling the product instead would double its rounding error where it is subnormal
    c = a.c * b.v + a.v * b.c + twice * b.d
    h = a.h * b.v + a.v * b.h + twice * b.d
    return Dual(a.v * b.v, a.d * b.v + a.v * b.d, c, h)


@_rule(operator.truediv, Dual, Dual)
def _(a, b):  # type: ignore[no-untyped-def]
    v = a.v / b.v
    d = (a.d - v * b.d) / b.v
    twice = d * b.d + d * b.d
    return Dual(v, d, (a.c - v * b.c - twice) / b.v, (a.h - v * b.h - twice) / b.v)


@_rule(operator.truediv, _REAL, Dual)
def _(a, b):  # type: ignore[no-untyped-def]
    v = type(b.v)(a) / b.v
    return _chain(b, v, -v / b.v, (v + v) / (b.v * b.v))


@_rule(operator.pow, Dual, _REAL)
def _(a, b):  # type: ignore[no-untyped-def]
    real = type(a.v)
    zero, one, x = real(0), real(1), real(b)
    high, low = minus_log(select(a.v > zero, a.v, one))
    power = select(a.v > zero, _exp(-x * (high + low)), select(x == zero, one, zero))
    ratio = select(a.v > zero, one / a.v, zero)
    return _chain(a, power, x * power * ratio, x * (x - one) * power * ratio * ratio)


_rule(np.square, Dual)(lambda a: a * a)
_rule(np.sqrt, Dual)(lambda a: a**0.5)


@_rule(np.log, Dual)
def _(a):  # type: ignore[no-untyped-def]
    high, low, log_d, log_c, log_h = _logarithm(a.v, a.d, a.c, a.h)
    return Dual(-(high + low), log_d, log_c, log_h)


@_rule(np.log1p, Dual)
def _(a):  # type: ignore[no-untyped-def]
    zero, one = type(a.v)(0), type(a.v)(1)
    inverse = one / (one + a.v)
    positive = select(a.v >= zero, a.v, -a.v * inverse)
    return _chain(a, select(a.v >= zero, log1p(positive), -log1p(positive)), inverse, -inverse * inverse)


@_rule(np.exp, Dual)
def _(a):  # type: ignore[no-untyped-def]
    e = _exp(a.v)
    return _chain(a, e, e, e)


@_rule(np.expm1, Dual)
def _(a):  # type: ignore[no-untyped-def]
    one = type(a.v)(1)
    e = _exp(a.v)
    high, low = minus_log(e)
    # Kahan's formula: the rounding errors of e cancel in the ratio.
    v = select(e == one, a.v, (e - one) * a.v / select(e == one, one, -(high + low)))
    return _chain(a, select(abs(a.v) < one, v, e - one), e, e)


@_rule(np.tanh, Dual)
def _(a):  # type: ignore[no-untyped-def]
    p, q = sigmoid(a.v + a.v)
    four_pq = type(a.v)(4) * (p * q)
    return _chain(a, p - q, four_pq, -(four_pq + four_pq) * (p - q))


@_rule(np.abs, Dual)
def _(a):  # type: ignore[no-untyped-def]
    sign = select(a.v < type(a.v)(0), type(a.v)(-1), type(a.v)(1))
    return Dual(abs(a.v), sign * a.d, sign * a.c, sign * a.h)


@_rule(np.logaddexp, _REAL, Dual)
def _(a, b):  # type: ignore[no-untyped-def]
    x = b.v - type(b.v)(a)
    p, q = sigmoid(x)
    v = max(b.v, type(b.v)(a)) + log1p(exp_of_negative(-abs(x)))
    return _chain(b, v, p, p * q)


_rule(np.logaddexp, Dual, _REAL)(lambda a, b: np.logaddexp(b, a))


@_rule(np.maximum, Dual, _REAL)
def _(a, b):  # type: ignore[no-untyped-def]
    bound, zero = type(a.v)(b), type(a.v)(0)
    above = a.v > bound
    return Dual(select(above, a.v, bound), select(above, a.d, zero), select(above, a.c, zero), select(above, a.h, zero))


_rule(np.maximum, _REAL, Dual)(lambda a, b: np.maximum(b, a))
_rule(np.minimum, Dual, _REAL)(lambda a, b: -np.maximum(-a, -b))
_rule(np.minimum, _REAL, Dual)(lambda a, b: -np.maximum(-b, -a))

# ---- the rules as methods of the classes and as Numba implementations -----------------------------------------------

#: NumPy scalars call these functions for operators.
_OPERATORS = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.power: operator.pow,
    np.negative: operator.neg,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
}


def _evaluate(function: Any, *arguments: Any) -> Any:
    """Apply a rule to arguments in interpreted code."""
    function = _OPERATORS.get(function, function)
    kinds = tuple(type(x) if isinstance(x, _Number) else _REAL for x in arguments)
    found = _found(function, kinds) if function in _RULES else None
    if found is None:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(
            f"a formula must consist of functions with known derivatives, got {function.__name__} of {names}"
        )
    rule, convert = found
    return rule(*map(as_dual, arguments)) if convert else rule(*arguments)


def _install(function: Any) -> None:
    """Make the rules of a function known to the classes and to Numba."""
    arity = len(next(iter(_RULES[function])))

    def chosen(*given: Any) -> Callable[..., Any] | None:
        if not any(type(x) in _KINDS for x in given):
            return None
        kinds = tuple(_KINDS.get(type(x), _REAL) for x in given)
        if not all(type(x) in _KINDS or isinstance(x, (_types.Number, _types.Boolean)) for x in given):
            return None
        found = _found(function, kinds)
        if found is None:
            return None
        rule, convert = found
        if not convert:
            return rule
        rule = point(rule)
        return (lambda a: rule(as_dual(a))) if arity == 1 else (lambda a, b: rule(as_dual(a), as_dual(b)))

    for each in (function, abs) if function is np.abs else (function,):
        if arity == 1:
            _numba.overload(each, jit_options=FAST)(lambda a: chosen(a))  # noqa: PLW0108  (Numba requires names)
        else:
            _numba.overload(each, jit_options=FAST)(lambda a, b: chosen(a, b))  # noqa: PLW0108
    if function in _OPERATORS.values():
        name = function.__name__
        setattr(_Number, f"__{name}__", lambda *arguments: _evaluate(function, *arguments))
        setattr(_Number, f"__r{name}__", lambda a, b: _evaluate(function, b, a))
    if function is np.abs:
        setattr(_Number, "__abs__", lambda a: _evaluate(function, a))  # noqa: B010


for _function in _RULES:
    _install(_function)
