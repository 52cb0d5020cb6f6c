"""The one place that spells Numba's options."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import config as _config

from . import _cache

# Numba's own annotations lack some of its names.
config: Any = _config

#: Class codes of a block.
Codes = npt.NDArray[np.uint32]

#: A NumPy scalar of either precision: what functions of one number take and return.
Real = Any

_Function = TypeVar("_Function", bound=Callable[..., object])


def jit(function: _Function) -> _Function:
    """Compile a function on its first call, once per combination of dtypes.

    * ``_cache.py`` keeps compiled code on disk, so that only the first process on a machine pays for it: beside the
      package, in the user's cache folder, or where ``NUMBA_CACHE_DIR`` says. Where none of these can be written, every
      process compiles for itself.
    * ``nogil``: callers may run chunks in threads; no kernel touches a Python object.
    * ``error_model="numpy"``: without it each division carries a branch for ``ZeroDivisionError``, and a loop with such
      a branch is not vectorised. No kernel divides by zero.
    * no ``parallel``: a second thread pool beside that of the boosting library makes training several times slower.
    * ``fastmath``: only ``contract``, which lets a product and a sum round once. Nothing may be reordered, and the kernels
      rely on infinities and NaN.
    """
    return _compiled(function, {"contract"})


def point(function: _Function) -> _Function:
    """Compile like ``jit``, for the functions of one number that loops call: always inline, since a call ends vectorisation.

    LLVM would inline the short ones on its own.
    """
    return function if config.DISABLE_JIT else _compiled(function, {"contract"}, forceinline=True)


def jit_sum(function: _Function) -> _Function:
    """Compile like ``jit``, for loops that sum: their additions may be reordered, without which no sum is vectorised."""
    return _compiled(function, {"contract", "reassoc", "nsz"})


def jit_entry(function: _Function) -> _Function:
    """Compile like ``jit``, for a function that Python calls once per row and that keeps the GIL.

    A call of less than a microsecond ends before another thread could use the GIL. Releasing and taking it costs a
    twentieth of the call, and much more when threads wait for it.
    """
    return _compiled(function, {"contract"}, nogil=False)


def _compiled(function: _Function, fastmath: set[str], **more: bool) -> _Function:
    if config.DISABLE_JIT:
        # NumPy's scalars warn where compiled code is silent: both sides of a select are computed.
        return np.errstate(all="ignore")(function)
    options: dict[str, Any] = {
        "error_model": "numpy",
        "fastmath": fastmath,
        "nogil": True,
        "no_cfunc_wrapper": True,
    } | more
    dispatcher = numba.njit(function, **options)
    with suppress(RuntimeError):  # no folder for the cache
        _cache.keep(dispatcher)
    return cast(_Function, dispatcher)


@point
def double(x: float) -> float:
    """Convert a number to double precision; ``float`` alone keeps float32 when compiled."""
    return 1.0 * float(x)
