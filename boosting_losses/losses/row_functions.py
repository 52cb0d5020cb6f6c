"""Row functions of multiclass losses, for libraries that call a loss for each row in each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from .._kernels.rows import CURVATURE, GRADIENT, HESSIAN, RowLoops, work_size
from .._types import Array

#: A function ``(raw, label, weight) -> (gradient, hessian)``.
RowFunction = Callable[[Array, float, float], tuple[Sequence[float], tuple[Sequence[float]]]]

#: The largest number of classes for which tuples are used. For more classes it is faster to read the Hessian from memory,
#: because its floats are then created one at a time. Compiling a tuple of hundreds of floats also takes long.
MOST_CLASSES_IN_TUPLES = 12


def row_function(loops: RowLoops, known: npt.NDArray[np.float64], classes: int) -> RowFunction:
    """Return the fastest row function for a number of classes, given the result of ``_kernels.rows.known_parameters``.

    Creating Python objects takes nearly all of the time; the arithmetic takes only a tenth of a call.
    """
    if classes <= MOST_CLASSES_IN_TUPLES:
        return partial(loops.tuples(classes), known)

    fill, empty = loops.fill, np.empty
    first, end, second = GRADIENT * classes, CURVATURE * classes, HESSIAN * classes
    size = work_size(classes)

    def row(raw: Array, label: float, weight: float) -> tuple[Sequence[float], tuple[Sequence[float]]]:
        work = empty(size)
        fill(known, raw, label, weight, work)
        numbers = work.data
        return numbers[first:end], (numbers[second:],)

    return row
