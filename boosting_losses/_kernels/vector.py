"""Elementary functions that LLVM compiles to SIMD instructions, in single and double precision.

Numba compiles ``math.exp`` to a call of the C library, and a loop that contains a call is not vectorised. The functions
here are branch-free and accurate to about two units in the last place over their whole domain, including special values.
Each function takes a NumPy scalar of either precision and computes in that precision; other numbers are treated as doubles.

``view`` creates powers of two from exponent bits. NumPy scalars have this method too, so the same code runs uncompiled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ._jit import FAST, point

_f4, _f8, _i4, _i8 = np.float32, np.float64, np.int32, np.int64

# exp(r) = 1 + r + r^2 P(r) on |r| <= log(2) / 2: minimax coefficients for the relative error.
_E2, _E3, _E4, _E5, _E6 = map(
    _f4, (0.49999993432226636976, 0.1666652039911640212, 0.041668390765600310778, 8.3687450910e-3, 1.3814540938e-3)
)
_D2, _D3, _D4, _D5, _D6, _D7, _D8, _D9, _D10, _D11 = (
    0.50000000000000106687,
    0.16666666666666411487,
    0.041666666666529728484,
    0.008333333333494988587,
    0.0013888888943759921514,
    0.00019841269505752522921,
    2.4801492949659394405e-05,
    2.7557586820693019643e-06,
    2.7630306244794657997e-07,
    2.500001403625331069e-08,
)
# log(1 + f) = f - s (f - z R(z)) with s = f / (2 + f) and z = s^2, on sqrt(1/2) <= 1 + f <= sqrt(2).
_R0, _R1, _R2 = map(_f4, (0.66666776497328746209, 0.39977525691650695756, 0.29872192666170088932))
_L0, _L1, _L2, _L3, _L4, _L5, _L6 = (
    0.66666666666667345779,
    0.3999999999941344691,
    0.28571428742688566487,
    0.22222198539716758826,
    0.18183566191980586411,
    0.15313999741877531335,
    0.14796487472482252288,
)

# log(2) as a sum of two parts; the first has few enough bits that its product with an exponent is exact.
_LOG2_E_32, _LOG_2_HIGH_32, _LOG_2_LOW_32 = _f4(math.log2(math.e)), _f4(0.693359375), _f4(-2.12194440e-4)
_LOG2_E_64, _LOG_2_HIGH_64, _LOG_2_LOW_64 = math.log2(math.e), 6.93147180369123816490e-01, 1.90821492927058770002e-10

# Adding 1.5 * 2^(mantissa bits) rounds to an integer and stores it in the lowest bits. Results are computed with a factor
# of 2^64 or 2^512 and scaled down at the end, so that a subnormal result is rounded only once, and correctly.
_ROUND_32, _SCALE_32, _LOWEST_32 = _f4(1.5 * 2.0**23 + 64), _f4(2.0**-64), _f4(-104.0)
_ROUND_64, _SCALE_64, _LOWEST_64 = 1.5 * 2.0**52 + 512, 2.0**-512, -746.0


def _by_precision(single: Any, double: Any) -> Any:
    """Combine one function per precision into one function that dispatches on the type of its first argument."""

    def function(x, *more):  # type: ignore[no-untyped-def]
        return single(x, *more) if isinstance(x, np.float32) else double(x, *more)

    overload(function, strict=False, jit_options=FAST)(lambda x, *_: single if x == types.float32 else double)
    return function


@point
def select(condition: bool, yes: Any, no: Any) -> Any:
    """Return ``yes if condition else no``; unlike a conditional expression, this never compiles to a branch."""
    return yes if condition else no


# ---- exp ------------------------------------------------------------------------------------------------------------


@point
def _exp_reduced_32(rounded: Any, r: Any) -> Any:
    """Return 2^n exp(r), with n in the lowest bits of ``rounded``, by Estrin's scheme.

    Its chain of dependent operations is shorter than that of Horner's scheme.
    """
    r2 = r * r
    p = ((_E6 * r2 + (_E5 * r + _E4)) * r2 + (_E3 * r + _E2)) * r2 + (r + _f4(1))
    exponent = _i4(_i4(_f4(rounded).view(_i4)) << _i4(23))
    return _f4(_i4(_i4(_f4(p).view(_i4)) + exponent).view(_f4) * _SCALE_32)


@point
def _exp_reduced_64(rounded: Any, r: Any) -> Any:
    r2 = r * r
    r4 = r2 * r2
    p = ((_D11 * r + _D10) * r4 + ((_D9 * r + _D8) * r2 + (_D7 * r + _D6))) * r4
    p = (p + ((_D5 * r + _D4) * r2 + (_D3 * r + _D2))) * r2 + (r + 1.0)
    exponent = _i8(_i8(_f8(rounded).view(_i8)) << _i8(52))
    return _f8(_i8(_i8(_f8(p).view(_i8)) + exponent).view(_f8) * _SCALE_64)


def _exp_32(x: Any) -> Any:
    x = max(x, _LOWEST_32)
    rounded = x * _LOG2_E_32 + _ROUND_32
    n = rounded - _ROUND_32
    return _exp_reduced_32(rounded, (x - n * _LOG_2_HIGH_32) - n * _LOG_2_LOW_32)


def _exp_64(x: Any) -> Any:
    x = max(_f8(x), _LOWEST_64)
    rounded = x * _LOG2_E_64 + _ROUND_64
    n = rounded - _ROUND_64
    return _exp_reduced_64(rounded, (x - n * _LOG_2_HIGH_64) - n * _LOG_2_LOW_64)


# ---- exp of a product -------------------------------------------------------------------------------------------------


def _exp_minus_product_32(a: Any, b: Any, c: Any) -> Any:
    half = _i4(-4096)  # this mask keeps 12 of 24 bits, so that products of two such numbers are exact
    a1, b1 = _i4(_i4(_f4(a).view(_i4)) & half).view(_f4), _i4(_i4(_f4(b + c).view(_i4)) & half).view(_f4)
    b2 = (max(b, c) - b1) + min(b, c)
    high, low = a1 * b1, a1 * b2 + (a - a1) * (b1 + b2)
    inside = high + low < -_LOWEST_32
    high, low = select(inside, high, -_LOWEST_32), select(inside, low, _f4(0))
    rounded = _ROUND_32 - (high + low) * _LOG2_E_32
    n = rounded - _ROUND_32
    return _exp_reduced_32(rounded, ((-high - n * _LOG_2_HIGH_32) - n * _LOG_2_LOW_32) - low)


def _exp_minus_product_64(a: Any, b: Any, c: Any) -> Any:
    half = _i8(-(2**27))  # this mask keeps 26 of 53 bits
    a1, b1 = _i8(_i8(_f8(a).view(_i8)) & half).view(_f8), _i8(_i8(_f8(b + c).view(_i8)) & half).view(_f8)
    b2 = (max(b, c) - b1) + min(b, c)
    high, low = a1 * b1, a1 * b2 + (a - a1) * (b1 + b2)
    inside = high + low < -_LOWEST_64
    high, low = select(inside, high, -_LOWEST_64), select(inside, low, 0.0)
    rounded = _ROUND_64 - (high + low) * _LOG2_E_64
    n = rounded - _ROUND_64
    return _exp_reduced_64(rounded, ((-high - n * _LOG_2_HIGH_64) - n * _LOG_2_LOW_64) - low)


# ---- log1p ----------------------------------------------------------------------------------------------------------


def _log1p_32(x: Any) -> Any:
    one = _f4(1)
    u = one + x
    lost = select(x < one, x - (u - one), one - (u - x))  # the rounding error of the sum
    shifted = _i4(_i4(_f4(u).view(_i4)) + _i4(0x3F800000 - 0x3F3504F3))  # mantissas then start at sqrt(1/2)
    n = _i4(_i4(shifted >> _i4(23)) - _i4(127))
    m = _i4(_i4(shifted & _i4(0x7FFFFF)) + _i4(0x3F3504F3)).view(_f4)
    f = (m - one) + lost * _i4(_i4(_i4(127) - n) << _i4(23)).view(_f4)
    s = f / (_f4(2) + f)
    z = s * s
    log = f - s * (f - z * ((_R2 * z + _R1) * z + _R0))
    exponent = _f4(n)
    result = exponent * _LOG_2_HIGH_32 + (exponent * _LOG_2_LOW_32 + log)
    return select(x == _f4(math.inf), x, _f4(result))


def _log1p_64(x: Any) -> Any:
    x = _f8(x)
    u = 1.0 + x
    lost = select(x < 1.0, x - (u - 1.0), 1.0 - (u - x))
    shifted = _i8(_i8(_f8(u).view(_i8)) + _i8(0x3FF0000000000000 - 0x3FE6A09E667F3BCD))
    n = _i8(_i8(shifted >> _i8(52)) - _i8(1023))
    m = _i8(_i8(shifted & _i8(0xFFFFFFFFFFFFF)) + _i8(0x3FE6A09E667F3BCD)).view(_f8)
    f = (m - 1.0) + lost * _i8(_i8(_i8(1023) - n) << _i8(52)).view(_f8)
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    r = ((_L6 * z + _L5) * z2 + (_L4 * z + _L3)) * (z2 * z) + ((_L2 * z + _L1) * z + _L0)
    log = f - s * (f - z * r)
    exponent = _f8(n)
    result = exponent * _LOG_2_HIGH_64 + (exponent * _LOG_2_LOW_64 + log)
    return select(x == math.inf, x, _f8(result))


# ---- log ------------------------------------------------------------------------------------------------------------


def _minus_log_32(x: Any) -> Any:
    tiny = x < _f4(2.0**-64)
    shifted = _i4(_i4(_f4(select(tiny, min(x, _f4(1)) * _f4(2.0**64), x)).view(_i4)) + _i4(0x3F800000 - 0x3F3504F3))
    n = _f4(_i4(_i4(shifted >> _i4(23)) - _i4(127))) - select(tiny, _f4(64), _f4(0))
    f = _i4(_i4(shifted & _i4(0x7FFFFF)) + _i4(0x3F3504F3)).view(_f4) - _f4(1)
    s = f / (_f4(2) + f)
    z = s * s
    log = f - s * (f - z * ((_R2 * z + _R1) * z + _R0))
    return _f4(-n * _LOG_2_HIGH_32), _f4(-(n * _LOG_2_LOW_32 + log))


def _minus_log_64(x: Any) -> Any:
    x = _f8(x)
    tiny = x < 2.0**-512
    shifted = _i8(
        _i8(_f8(select(tiny, min(x, 1.0) * 2.0**512, x)).view(_i8)) + _i8(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    )
    n = _f8(_i8(_i8(shifted >> _i8(52)) - _i8(1023))) - select(tiny, 512.0, 0.0)
    f = _i8(_i8(shifted & _i8(0xFFFFFFFFFFFFF)) + _i8(0x3FE6A09E667F3BCD)).view(_f8) - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    r = ((_L6 * z + _L5) * z2 + (_L4 * z + _L3)) * (z2 * z) + ((_L2 * z + _L1) * z + _L0)
    log = f - s * (f - z * r)
    return _f8(-n * _LOG_2_HIGH_64), _f8(-(n * _LOG_2_LOW_64 + log))


# ---- bits -----------------------------------------------------------------------------------------------------------


def _bits_32(x: Any) -> Any:
    return _f4(x).view(np.uint32)


def _bits_64(x: Any) -> Any:
    return _f8(x).view(np.uint64)


def _largest_32(x: Any) -> Any:
    return _f4(3.4028234663852886e38)


def _largest_64(x: Any) -> Any:
    return _f8(1.7976931348623157e308)


#: exp(x) for x <= 0, including minus infinity and NaN.
exp = _by_precision(_exp_32, _exp_64)

#: log(1 + x) for x >= 0, including infinity and NaN.
log1p = _by_precision(_log1p_32, _log1p_64)

#: -log(x) for finite x > 0 as a sum of two numbers, of which the first is exact.
minus_log = _by_precision(_minus_log_32, _minus_log_64)

#: exp(-a (b + c)) for finite a >= 0 and b + c >= 0, as accurate as if the sum and the product were exact.
exp_minus_product = _by_precision(_exp_minus_product_32, _exp_minus_product_64)

#: The bits of a number as an unsigned integer. For numbers >= 0 the bits have the same order as the numbers. NaN compares
#: greater than infinity, and negative numbers compare greater than both, so a running maximum of bits detects any invalid
#: number. Unlike a maximum of floating-point numbers, it vectorises.
bits = _by_precision(_bits_32, _bits_64)

#: The largest finite number in the precision of the argument.
largest = _by_precision(_largest_32, _largest_64)
