"""The elementary functions against mpmath, in both precisions."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_array_equal

from boosting_losses._kernels import vector
from boosting_losses._kernels._jit import jit

from .cases import each_dtype

#: Units in the last place.
TOLERANCE = 1.5
LOWEST = {np.float32: -104.0, np.float64: -746.0}
SUBNORMAL = {np.float32: mpf(2) ** -149, np.float64: mpf(2) ** -1074}


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(60):
        yield


@jit
def each_exp(x, out):
    for i in range(x.shape[0]):
        out[i] = vector.exp(x[i])


@jit
def each_log1p(x, out):
    for i in range(x.shape[0]):
        out[i] = vector.log1p(x[i])


@jit
def each_exp_minus_product(a, b, c, out):
    for i in range(b.shape[0]):
        out[i] = vector.exp_minus_product(a, b[i], c[i])


@jit
def each_minus_log(x, high, low):
    for i in range(x.shape[0]):
        high[i], low[i] = vector.minus_log(x[i])


@jit
def each_bits(x, out):
    for i in range(x.shape[0]):
        out[i] = vector.bits(x[i])


def assert_ulps(actual, exact, arguments):
    dtype = actual.dtype.type
    for value, truth, argument in zip(actual, exact, arguments, strict=True):
        allowed = max(TOLERANCE * mpf(float(np.finfo(dtype).eps)) * abs(truth), SUBNORMAL[dtype])
        assert abs(mpf(float(value)) - truth) <= allowed, f"{value!r} instead of {mp.nstr(truth, 20)} at {argument!r}"


@each_dtype
def test_exp(dtype):
    x = np.concatenate([np.linspace(LOWEST[dtype], 0, 1501), -np.logspace(-44, 0, 60)]).astype(dtype)
    out = np.empty_like(x)
    each_exp(x, out)
    assert_ulps(out, [mp.exp(mpf(float(v))) for v in x], x)


@each_dtype
def test_log1p(dtype):
    x = np.concatenate([np.linspace(0, 3, 1001), np.logspace(-44, 38, 300)]).astype(dtype)
    out = np.empty_like(x)
    each_log1p(x, out)
    assert_ulps(out, [mp.log1p(mpf(float(v))) for v in x], x)


@each_dtype
@pytest.mark.parametrize("a", [0.0, 1e-3, 0.3, 1.0, 1.5, 5.0, 37.3])
def test_exp_minus_product(a, dtype):
    a = dtype(a)
    b = np.linspace(0, min(-LOWEST[dtype] / max(float(a), 1e-9), 1e5), 801).astype(dtype)
    c = np.log1p(np.exp(-b.astype(np.float64))).astype(dtype)
    out = np.empty_like(b)
    each_exp_minus_product(a, b, c, out)
    exact = [mp.exp(-mpf(float(a)) * (mpf(float(v)) + mpf(float(w)))) for v, w in zip(b, c, strict=True)]
    assert_ulps(out, exact, b)


@each_dtype
def test_exp_of_a_product_that_overflows_is_zero(dtype):
    big = np.full(3, np.finfo(dtype).max / 4)
    out = np.empty_like(big)
    with np.errstate(all="ignore"):
        each_exp_minus_product(dtype(100), big, big, out)
    assert_array_equal(out, 0)


@each_dtype
def test_minus_log(dtype):
    info = np.finfo(dtype)
    x = np.concatenate([np.linspace(0.2, 3, 801), np.logspace(-37, 38, 300)]).astype(dtype)
    x = np.append(x, [info.smallest_subnormal, info.tiny, 1.0]).astype(dtype)
    high, low = np.empty_like(x), np.empty_like(x)
    each_minus_log(x, high, low)
    for value, h, rest in zip(x, high, low, strict=True):
        exact = -mp.log(mpf(float(value)))
        error = abs(mpf(float(h)) + mpf(float(rest)) - exact)
        # Two numbers hold more than one: the error is relative to the second.
        assert error <= 2 * mpf(float(info.eps)) * max(abs(mpf(float(rest))), mpf("0.01")), f"at {value!r}"


@each_dtype
def test_special_values(dtype):
    x = np.array([0.0, -0.0, -math.inf, math.nan, -1e30], dtype)
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        each_exp(x, out)
    assert_array_equal(out, np.array([1, 1, 0, math.nan, 0], dtype))
    x = np.array([0.0, math.inf, math.nan], dtype)
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        each_log1p(x, out)
    assert_array_equal(out, np.array([0, math.inf, math.nan], dtype))


@each_dtype
def test_bits_order_numbers_and_put_faults_on_top(dtype):
    largest = np.finfo(dtype).max
    x = np.array([0.0, 5e-45, 1e-30, 0.5, 1.0, 2.0, largest, math.inf, math.nan, -1.0], dtype)
    out = np.empty(len(x), np.uint64)
    each_bits(x, out)
    assert (np.diff(out.astype(object)) >= 0).all()
    assert out[6] < out[7] < out[8] < out[9]
