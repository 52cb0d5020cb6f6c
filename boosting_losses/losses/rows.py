"""A loss of K scores as a function of one row, made for libraries that call it for each row of each round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from ..kernels import rows
from .base import Array

#: ``(raw, label, weight) -> (gradient, hessian)``.
RowFunction = Callable[[Array, float, float], tuple[Sequence[float], Iterable[Sequence[float]]]]

#: Up to so many classes a Hessian that nobody reads costs less than a second call that computes it when it is read;
#: above, compiled tuples get long, too, and with them the time that LLVM takes.
MOST_CLASSES_AT_ONCE = 16


def row_function(parameters: npt.NDArray[np.float64], classes: int) -> RowFunction:
    """The fastest function for a number of classes; the parameters are those of ``kernels.rows``.

    Most of the time goes into making Python floats: what a call computes is a tenth of it.
    """
    if classes <= MOST_CLASSES_AT_ONCE:
        return partial(rows.tuple_function(classes), parameters)

    fill_gradient, fill_hessian, empty = rows.fill_gradient, rows.fill_hessian, np.empty
    size = classes * (classes + 1) // 2

    def hessian_when_read(raw: Array, label: float, weight: float) -> Iterator[list[float]]:
        hessian = empty(size)
        fill_hessian(parameters, raw, label, weight, hessian)
        yield hessian.tolist()

    def row(raw: Array, label: float, weight: float) -> tuple[list[float], Iterator[list[float]]]:
        gradient = empty(classes)
        fill_gradient(parameters, raw, label, weight, gradient)
        return gradient.tolist(), hessian_when_read(raw, label, weight)

    return row
