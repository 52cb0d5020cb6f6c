"""The one place that spells Numba's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

#: float32 or float64, of any layout.
Array = npt.NDArray[np.floating]

_Function = TypeVar("_Function", bound=Callable[..., object])


def jit(function: _Function) -> _Function:
    """Compile a function on its first call, once per combination of dtypes.

    * ``cache``: compiled code is kept on disk, so that only the first process on a machine pays for it.
    * ``nogil``: callers may run chunks in threads; no kernel touches a Python object.
    * ``error_model="numpy"``: without it each division carries a branch for ``ZeroDivisionError``, and a loop with such
      a branch is not vectorised. No kernel divides by zero.
    * no ``parallel``: a second thread pool beside the boosting library's makes training several times slower.
    * no ``fastmath``: the kernels rely on signed zeros, infinities and NaN, and on sums in the order they are written.
    """
    return cast(_Function, numba.njit(function, cache=True, nogil=True, error_model="numpy"))


def jit_entry(function: _Function) -> _Function:
    """Compile a function that Python calls once per row: as ``jit``, but it holds the GIL.

    A call of less than a microsecond is over before another thread could do anything with the GIL; to give it up and
    take it back costs a twentieth of the call, and much more when threads wait for it.
    """
    return cast(_Function, numba.njit(function, cache=True, error_model="numpy"))


@jit
def double(x: float) -> float:
    """A number of any precision in double precision; ``float`` alone keeps float32 when compiled."""
    return 1.0 * float(x)
