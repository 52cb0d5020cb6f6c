"""Sums over the rows whose probabilities fall into the same cell (bin).

The summands are the weight, the weighted label, the weighted probability and the squared weight of a row. Calibration
errors, reliability diagrams and tables of rows with similar probabilities are computed from these sums.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._jit import double, jit

Cells = npt.NDArray[np.int32]

#: The columns of the sums.
WEIGHT, LABEL, PROBABILITY, SQUARED_WEIGHT = 0, 1, 2, 3


@jit
def between(proba: Array, edges: Array, cells: Cells) -> None:
    """Find the cell ``edges[c] < p <= edges[c + 1]`` of each probability; the first cell includes its lower edge.

    If the edges are evenly spaced, the first guess is correct up to rounding.
    """
    last = edges.shape[0] - 2
    for i in range(proba.shape[0]):
        p = double(proba[i])
        c = min(int(p * (last + 1)), last)
        while c > 0 and p <= edges[c]:
            c -= 1
        while c < last and p > edges[c + 1]:
            c += 1
        cells[i] = c


@jit
def sums(y: Array, proba: Array, weight: Array | None, cells: Cells, out: Array) -> None:
    """Add the sums over the rows to ``out``, of shape ``(n_cells, 4)``."""
    for i in range(y.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        row = out[np.uintp(cells[i])]
        row[WEIGHT] += w
        row[LABEL] += w * double(y[i])
        row[PROBABILITY] += w * double(proba[i])
        row[SQUARED_WEIGHT] += w * w


@jit
def onto_grid(y: Array, proba: Array, weight: Array | None, excess: Array, mass: Array) -> None:
    """Distribute each row linearly over the two nearest points of an evenly spaced grid on [0, 1].

    The weighted differences p - y are added to ``excess``, and the weights to ``mass``.
    """
    intervals = excess.shape[0] - 1
    for i in range(y.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        at = double(proba[i]) * intervals
        left = min(int(at), intervals - 1)
        right_share = at - left
        gap = w * (double(proba[i]) - double(y[i]))
        excess[np.uintp(left)] += (1.0 - right_share) * gap
        excess[np.uintp(left + 1)] += right_share * gap
        mass[np.uintp(left)] += (1.0 - right_share) * w
        mass[np.uintp(left + 1)] += right_share * w


@jit
def top_class(y: Array, proba: Array, confidence: Array, correct: Array) -> None:
    """Find the largest probability of each row and whether its class is the label; the first class wins a tie."""
    for i in range(proba.shape[0]):
        best = 0
        for k in range(1, proba.shape[1]):
            if proba[i, k] > proba[i, best]:
                best = k
        confidence[i] = proba[i, best]
        correct[i] = 1.0 if y[i] == best else 0.0
