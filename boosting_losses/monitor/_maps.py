"""Recalibration maps in coordinates, for the bets of the detector.

For two classes a map has two coordinates: the shift of the log odds and the relative change of their slope. For K classes it
has K coordinates: the biases of the classes, which sum to 0, in K - 1 orthonormal contrasts, and the relative change of the
slope. The slope pivots on the middle of the logits, where shift and slope are orthogonal.
"""

from __future__ import annotations

import itertools
from typing import Protocol

import numpy as np

from .._kernels import betting
from .._types import Array, Doubles

#: The grid: shifts that multiply odds by 1.5 and 2.2 or divide them, and slopes from 0.5 to 2.
_SHIFTS = (0.4, 0.8)
_SLOPES = (-0.5, -0.3, 0.4, 1.0)
#: With more classes, only the learned map has biases.
_MOST_CLASSES = 12


class Maps(Protocol):
    """Maps of logits of shape ``(n,)`` or ``(n, K)``."""

    #: The maps of the grid, (J, d).
    grid: Doubles

    def middle(self, logits: Array, power: Array) -> Doubles:
        """Return the pivot of slopes, which does not depend on labels."""

    def squared_size(self, information: Doubles) -> Doubles:
        """Return the mean squared change of log odds by each map of the grid, (J,)."""

    def gains(self, y: Array, logits: Array, power: Array, middle: Doubles, maps: Doubles) -> Doubles:
        """Return the log likelihood of each map (J, d) minus that of the served probabilities."""

    def derivatives(
        self, y: Array, logits: Array, power: Array, middle: Doubles, at: Doubles
    ) -> tuple[Doubles, Doubles]:
        """Return gradient (d,) and negative Hessian (d, d) of the log likelihood at a map."""


def maps_of(n_classes: int) -> Maps:
    """Return the maps of two or of more classes."""
    return _TwoClasses() if n_classes == 2 else _ManyClasses(n_classes)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else 0.0


class _TwoClasses:
    grid = np.array(
        [pair for pair in itertools.product((*(-s for s in _SHIFTS), 0.0, *_SHIFTS), (0.0, *_SLOPES)) if any(pair)]
    )

    def middle(self, logits: Array, power: Array) -> Doubles:
        return np.array([betting.centre(logits, power)])

    def squared_size(self, information: Doubles) -> Doubles:
        sizes: Doubles = self.grid[:, 0] ** 2 + self.grid[:, 1] ** 2 * _ratio(
            float(information[1, 1]), float(information[0, 0])
        )
        return sizes

    def gains(self, y: Array, logits: Array, power: Array, middle: Doubles, maps: Doubles) -> Doubles:
        out = np.empty(len(maps))
        betting.gains(y, logits, power, middle[0], maps[:, 0].copy(), maps[:, 1].copy(), out)
        return out

    def derivatives(
        self, y: Array, logits: Array, power: Array, middle: Doubles, at: Doubles
    ) -> tuple[Doubles, Doubles]:
        first, second, one, mixed, two = betting.derivatives(y, logits, power, middle[0], at[0], at[1])
        return np.array([first, second]), np.array([[one, mixed], [mixed, two]])


class _ManyClasses:
    def __init__(self, n_classes: int) -> None:
        #: Orthonormal contrasts, (K, K - 1), from a Helmert matrix.
        self._contrasts = np.zeros((n_classes, n_classes - 1))
        for k in range(1, n_classes):
            self._contrasts[:k, k - 1] = 1.0
            self._contrasts[k, k - 1] = -float(k)
        self._contrasts /= np.linalg.norm(self._contrasts, axis=0)
        slopes = np.array(_SLOPES)
        rows = [np.column_stack([np.zeros((len(slopes), n_classes - 1)), slopes])]
        if n_classes <= _MOST_CLASSES:
            signed = np.array([sign * s for s in _SHIFTS for sign in (1.0, -1.0)])
            # The contrasts of a bias of one class: its log odds against each other class move by the bias.
            for k, shift in itertools.product(range(n_classes), signed):
                rows.append(np.append(shift * self._contrasts[k], 0.0)[None])
        self.grid = np.concatenate(rows)

    def middle(self, logits: Array, power: Array) -> Doubles:
        middle: Doubles = np.asarray(betting.centres_of_classes(logits, power), np.float64)
        return middle

    def squared_size(self, information: Doubles) -> Doubles:
        # A bias a of one class has the squared norm a^2 (1 - 1 / K) in contrasts. Half the trace of the information of biases
        # is the sum over rows and classes of p (1 - p) / 2, for two classes of p (1 - p).
        classes = len(self._contrasts)
        biases = np.sum(self.grid[:, :-1] ** 2, axis=1) * classes / (classes - 1)
        slope = _ratio(float(information[-1, -1]), 0.5 * float(np.trace(information[:-1, :-1])))
        sizes: Doubles = biases + self.grid[:, -1] ** 2 * slope
        return sizes

    def gains(self, y: Array, logits: Array, power: Array, middle: Doubles, maps: Doubles) -> Doubles:
        out = np.empty(len(maps))
        bias = np.ascontiguousarray(maps[:, :-1] @ self._contrasts.T)
        betting.gains_of_classes(y, logits, power, middle, bias, maps[:, -1].copy(), out)
        return out

    def derivatives(
        self, y: Array, logits: Array, power: Array, middle: Doubles, at: Doubles
    ) -> tuple[Doubles, Doubles]:
        classes = logits.shape[1]
        gradient, hessian = np.zeros(classes + 1), np.zeros((classes + 1, classes + 1))
        betting.derivatives_of_classes(y, logits, power, middle, self._contrasts @ at[:-1], at[-1], gradient, hessian)
        hessian = np.triu(hessian) + np.triu(hessian, 1).T
        basis = np.zeros((classes + 1, classes))
        basis[:-1, :-1], basis[-1, -1] = self._contrasts, 1.0
        return basis.T @ gradient, basis.T @ hessian @ basis
