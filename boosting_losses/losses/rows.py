"""Row functions of multiclass losses, for libraries that call a loss for each row in each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from .._kernels import rows
from .._types import Array

#: A function ``(raw, label, weight) -> (gradient, hessian)``.
RowFunction = Callable[[Array, float, float], tuple[Sequence[float], tuple[Sequence[float]]]]

#: The largest number of classes for which tuples are used. For more classes it is faster to read the Hessian from memory,
#: because its floats are then created one at a time. Compiling a tuple of hundreds of floats also takes long.
MOST_CLASSES_IN_TUPLES = 12


def row_function(parameters: npt.NDArray[np.float64], classes: int) -> RowFunction:
    """Return the fastest row function for a number of classes, given the result of ``_kernels.rows.parameters``.

    Creating Python objects takes nearly all of the time; the arithmetic takes only a tenth of a call.
    """
    if classes <= MOST_CLASSES_IN_TUPLES:
        return partial(rows.tuple_function(classes), parameters)

    fill, empty = rows.fill, np.empty
    first, second = 3 * classes, 4 * classes
    size = rows.work_size(classes)

    def row(raw: Array, label: float, weight: float) -> tuple[Sequence[float], tuple[Sequence[float]]]:
        out = empty(size)
        fill(parameters, raw, label, weight, out)
        numbers = out.data
        return numbers[first:second], (numbers[second:],)

    return row
