"""A loss of K scores as a function of one row, for libraries that call it for each row in each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from .._kernels import rows
from .._types import Array

#: ``(raw, label, weight) -> (gradient, hessian)``.
RowFunction = Callable[[Array, float, float], tuple[Sequence[float], tuple[Sequence[float]]]]

#: Up to so many classes tuples are faster. Above, it is faster to read the Hessian from memory, one float at a time: its
#: floats are never all alive. Compiling a tuple of hundreds also takes long.
MOST_CLASSES_IN_TUPLES = 12


def row_function(parameters: npt.NDArray[np.float64], classes: int) -> RowFunction:
    """Return the fastest function for a number of classes; the parameters are those of ``_kernels.rows``.

    Nearly all of the time goes into Python objects; the arithmetic is a tenth of a call.
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
