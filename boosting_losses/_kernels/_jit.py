"""Decorators that compile functions; the only module that sets Numba's options."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba.extending
import numpy as np
import numpy.typing as npt
from numba.core import config as _config

from . import _cache, _source

# Some names are missing from Numba's annotations.
config: Any = _config

#: Class codes of a block of rows.
Codes = npt.NDArray[np.uint32]

#: A NumPy scalar of either precision, the argument and result type of point functions.
Real = Any

#: The options of functions that are compiled only as a part of others.
FAST: Any = {
    "forceinline": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

_Function = TypeVar("_Function", bound=Callable[..., object])


def jit(function: _Function, of: Callable[..., object] | None = None) -> _Function:
    """Compile a function on its first call, once per combination of dtypes.

    * ``_cache.py`` stores the compiled code on disk, so that only the first process on a machine has to compile. The folder
      is next to the package, in the user's cache folder, or ``NUMBA_CACHE_DIR``. If none is writable, every process
      compiles.
    * ``nogil``: no kernel accesses a Python object, so callers may run chunks in threads.
    * ``error_model="numpy"``: otherwise each division has a branch for ``ZeroDivisionError``, and a loop with such a
      branch is not vectorised. No kernel divides by zero.
    * no ``parallel``: a second thread pool, next to that of the boosting library, makes training several times slower.
    * ``fastmath``: only ``contract``, which allows a product and a sum to be rounded once. Reordering is not allowed, and
      the kernels rely on infinities and NaN.
    * ``of``: the formula that a loop of a loss closes over. The cached code belongs to this formula.
    """
    return _compiled(function, {"contract"}, of)


def point(function: _Function) -> _Function:
    """Make a function available to compiled code, always inlined: for the point functions that loops call.

    A call prevents vectorisation of the loop, and without this option LLVM inlines only short functions. Python calls the
    function itself, so nothing is compiled to examine a new formula.
    """
    return numba.extending.register_jitable(**FAST)(function)


def jit_inner(function: _Function) -> _Function:
    """Compile like ``jit``, for functions that only compiled code calls, and without the wrapper that Python calls."""
    return _compiled(function, {"contract"}, no_cpython_wrapper=True)


def jit_sum(function: _Function, of: Callable[..., object] | None = None) -> _Function:
    """Compile like ``jit``, but allow additions to be reordered: otherwise loops that compute sums are not vectorised."""
    return _compiled(function, {"contract", "reassoc", "nsz"}, of)


def jit_entry(function: _Function, of: Callable[..., object] | None = None) -> _Function:
    """Compile like ``jit``, but keep the GIL: for functions that Python calls once per row.

    Such a call takes less than a microsecond and ends before another thread could use the GIL. Releasing and reacquiring
    the GIL would take a twentieth of the call, and much more if other threads wait for it.
    """
    return _compiled(function, {"contract"}, of, nogil=False)


def _compiled(
    function: _Function, fastmath: set[str], of: Callable[..., object] | None = None, **more: bool
) -> _Function:
    if config.DISABLE_JIT:
        # ``select`` computes both of its values. Compiled code does so silently, but NumPy scalars would emit warnings.
        return np.errstate(all="ignore")(function)
    dispatcher = _dispatcher(function, fastmath, **more)
    if of is not None and not _source.is_of_package(of):
        _explain_errors(dispatcher, of)
    with suppress(RuntimeError):  # no cache folder is available
        _cache.keep(dispatcher, of)
    return dispatcher


def _dispatcher(function: _Function, fastmath: set[str], **more: bool) -> _Function:
    options: dict[str, Any] = {
        "error_model": "numpy",
        "fastmath": fastmath,
        "nogil": True,
        "no_cfunc_wrapper": True,
    } | more
    return cast(_Function, numba.njit(function, **options))


def _explain_errors(dispatcher: Any, formula: Callable[..., object]) -> None:
    """Replace Numba's error for a formula that cannot be compiled."""
    compile_for_args = dispatcher._compile_for_args  # noqa: SLF001

    def explained(*arguments: Any, **keywords: Any) -> Any:
        try:
            return compile_for_args(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001  (Numba raises errors of any kind for code that it cannot compile)
            raise TypeError(_source.reason(formula, str(error))) from None

    dispatcher._compile_for_args = explained  # noqa: SLF001


@point
def double(x: float) -> float:
    """Convert a number to double precision; in compiled code ``float`` alone would keep float32."""
    return 1.0 * float(x)
