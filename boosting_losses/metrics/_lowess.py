"""Lowess without robustness iterations, as in R's ``lowess(x, y, iter=0)``, as a linear operator on the values.

At selected points, a line is fitted to the nearest share of the weight, with tricube weights (Cleveland 1979, J. Am.
Stat. Assoc. 74, 829-836). Between these points, the curve is interpolated linearly. The selected points and the
coefficients of the values depend only on the points and their weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

#: Cleveland's tolerances: kernel 1 below and 0 above these shares of the width; no slope below this share of the range.
_NEAR, _FAR, _NO_SLOPE = 1e-3, 0.999, 1e-3
#: Added to the number of rows before it is rounded down, as in Cleveland's programs.
_ROUNDING = 1e-7
#: Sums of weights that differ by less than this share of the total are considered equal.
_SUM_ROUNDING = 1e-12
#: The number of coefficients of the operator in memory at a time.
_HELD = 2**22


class Lowess:
    """The smoother for given points and weights.

    Parameters
    ----------
    points : ndarray of shape (P,)
        Distinct points in increasing order.
    weight : ndarray of shape (P,)
        The sum of the weights of the rows at each point, > 0.
    unit : float
        The weight that counts as one row: R counts rows, and uses the nearest ``floor(share * n)`` of them.
    share : float
        The share of the total weight to which each line is fitted.
    apart : float
        The largest distance between neighbouring fitted points, as a share of the range, unless no point lies between
        them.

    Attributes
    ----------
    fitted : ndarray of shape (M,)
        The indices of the points at which lines are fitted.
    """

    def __init__(
        self, points: Numbers, weight: Numbers, unit: float = 1.0, share: float = 2.0 / 3.0, apart: float = 0.01
    ) -> None:
        self._points, self._weight = points, weight
        self._range = float(points[-1] - points[0])
        sums = np.concatenate([[0.0], np.cumsum(weight)])
        rows = sums[-1] / unit
        nearest = unit * max(min(2.0, rows), np.floor(share * rows + _ROUNDING))
        enough = nearest - _SUM_ROUNDING * sums[-1]
        #: For each start point, the end point at which the required weight is reached; the last start points have none.
        self._ends = np.searchsorted(sums, sums[:-1] + enough) - 1
        self._n_starts = int(np.searchsorted(self._ends, len(points)))
        self.fitted = _thinned(points, apart * self._range)

    def apply(self, values: Numbers) -> Numbers:
        """Return the smoothed values at every point, from mean values ``(P,)`` or ``(P, R)``, in the same shape."""
        return self.between(self.at_fitted(values))

    def at_fitted(self, values: Numbers) -> Numbers:
        """Return the smoothed values at the fitted points, ``(M,)`` or ``(M, R)``."""
        lines = [block @ values for block in self._blocks()]
        smooth: Numbers = np.concatenate(lines)
        return smooth

    def between(self, lines: Numbers) -> Numbers:
        """Return the smoothed values at every point, interpolated between the fitted points."""
        if len(self.fitted) == 1:
            return lines
        right = np.searchsorted(self.fitted[1:-1], np.arange(len(self._points))) + 1
        left = right - 1
        start, end = self._points[self.fitted[left]], self._points[self.fitted[right]]
        part = (self._points - start) / (end - start)
        part = part.reshape(-1, *[1] * (lines.ndim - 1))
        smooth: Numbers = part * lines[right] + (1.0 - part) * lines[left]
        return smooth

    def variance(self, variances: Numbers) -> Numbers:
        """Return the variances at the fitted points, ``(M,)``, from the variances of independent values, ``(P,)``."""
        lines = [(block * block) @ variances for block in self._blocks()]
        found: Numbers = np.concatenate(lines)
        return found

    def _blocks(self) -> Iterator[Numbers]:
        """Yield blocks of the operator, ``(m, P)``: the coefficients of all values at some of the fitted points."""
        size = max(_HELD // len(self._points), 1)
        for start in range(0, len(self.fitted), size):
            some = self.fitted[start : start + size]
            block = np.zeros((len(some), len(self._points)))
            for row, at in zip(block, some, strict=True):
                self._fill(row, int(at))
            yield block

    def _fill(self, row: Numbers, at: int) -> None:
        """Fit the line at a point, and store the coefficients of all values in ``row``."""
        here = self._points[at]
        width = self._width(at)
        first = int(np.searchsorted(self._points, here - width, side="left"))
        last = int(np.searchsorted(self._points, here + width, side="right"))
        near = slice(first, last)
        points = self._points[near]
        distance = np.abs(points - here)
        if width > 0.0:
            ratio = distance / width
            kernel = (1.0 - ratio * ratio * ratio) ** 3
            kernel[distance <= _NEAR * width] = 1.0
            kernel[distance > _FAR * width] = 0.0
        else:
            kernel = (distance == 0.0).astype(np.float64)
        local = kernel * self._weight[near]
        local /= local.sum()
        if width > 0.0:
            centre = local @ points
            spread = local @ (points - centre) ** 2
            if np.sqrt(spread) > _NO_SLOPE * self._range:
                local *= (here - centre) / spread * (points - centre) + 1.0
        row[near] = local

    def _width(self, at: int) -> float:
        """Return the smallest distance that contains the required weight."""
        here = self._points[at]
        starts = slice(0, min(at + 1, self._n_starts))
        ends = np.maximum(self._ends[starts], at)
        return float(np.maximum(here - self._points[starts], self._points[ends] - here).min())


def _thinned(points: Numbers, apart: float) -> npt.NDArray[np.intp]:
    """Select the first point, and after each point the farthest one within ``apart``, or else the next."""
    some = [0]
    while some[-1] < len(points) - 1:
        reach = int(np.searchsorted(points, points[some[-1]] + apart, side="right")) - 1
        some.append(max(some[-1] + 1, reach))
    return np.array(some, dtype=np.intp)


def weighted_quantile(values: Numbers, weight: Numbers, share: float, unit: float = 1.0) -> float:
    """Return the quantile of values that are repeated ``weight / unit`` times, with linear interpolation.

    If all weights equal ``unit``, it is the default quantile of NumPy and R (type 7 of Hyndman and Fan 1996); otherwise
    it is ``wtd.quantile`` of the R package Hmisc.
    """
    order = np.argsort(values)
    times = np.cumsum(weight[order]) / unit
    position = share * max(times[-1] - 1.0, 0.0) + 1.0
    below = np.floor(position)
    # Counts that are integers up to rounding must count as integers.
    wanted = np.array([below, below + 1.0]) - _SUM_ROUNDING * times[-1]
    low, high = values[order][np.minimum(np.searchsorted(times, wanted), len(values) - 1)]
    return float(low + (position - below) * (high - low))
