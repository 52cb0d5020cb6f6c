"""The smooth calibration error, which uses residuals smoothed by a kernel instead of bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._kernels import binning
from ._predictions import Numbers, Predictions, checked, one_column

#: The smallest kernel width; a narrower kernel would not smooth the residuals.
_LEAST_WIDTH = 1e-3


def smooth_calibration_error(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the smooth calibration error, which uses residuals smoothed by a Gaussian kernel instead of bins; 0 is best.

    The width of the kernel is chosen so that it equals the error. The result is then within a constant factor of the
    distance to the nearest calibrated predictor (Blasiok and Nakkiran 2023, arXiv 2309.12236, definition 3 and
    algorithm 1).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba, sample_weight, raw
        As for :func:`reliability_curve`.

    Returns
    -------
    float
        ``integral over [0, 1] of |sum_i w_i (p_i - y_i) K(t, p_i)| / sum_i w_i``, where K is the Gaussian kernel
        reflected at 0 and 1, on a grid of at least 1001 points. The authors' package relplot counts the values at the
        ends of its grid by half. Its result differs by about 1e-4, but by half the error or more if nearly all
        probabilities are close to 0.

    Raises
    ------
    TypeError, ValueError
        As for :func:`reliability_curve`.
    """
    return smooth_error(one_column(checked(y_true, proba, sample_weight, raw)))[0]


# ---- parts ----------------------------------------------------------------------------------------------------------


def onto_grid(rows: Predictions, size: int) -> tuple[Numbers, Numbers]:
    """Distribute weighted p - y and weights over the points of an even grid; the weights sum to the number of rows."""
    excess, mass = np.zeros(size), np.zeros(size)
    binning.onto_grid(rows.y, rows.proba, rows.weight, excess, mass)
    scale = len(rows.y) / mass.sum()
    return excess * scale, mass * scale


def smooth_error(rows: Predictions) -> tuple[float, float]:
    """Return the smooth calibration error of binary predictions, and the width of its kernel."""
    grids: dict[int, tuple[Numbers, Numbers]] = {}

    def at_width(width: float) -> float:
        size = max(2000, round(20 / width)) // 2 + 1
        if size not in grids:
            grids[size] = onto_grid(rows, size)
        return _smoothed(*grids[size], width)

    # The error decreases as the width grows, so they cross once. Bisect ten times, as in the authors' code.
    high, low = 1.0, 0.0
    for _ in range(10):
        middle = (high + low) / 2.0
        if middle < _LEAST_WIDTH or middle < at_width(middle):
            low = middle
        else:
            high = middle
    return at_width(high), high


def _smoothed(excess: Numbers, mass: Numbers, width: float) -> float:
    """Return the integral of the absolute smoothed residuals, divided by that of the smoothed weights."""
    size = len(excess)
    distance = np.linspace(0.0, 1.0, size) - 0.5
    kernel = np.exp(-distance * distance / (2.0 * width * width)) / (np.sqrt(2.0 * np.pi) * width)
    points = np.linspace(0.0, 1.0, max(round(10 / width), 200))
    grid = np.linspace(0.0, 1.0, size)
    residual, density = (np.interp(points, grid, _reflected(values, kernel)) for values in (excess, mass))
    inner = np.ones(len(points))
    inner[[0, -1]] = 0.5  # half of the interval around an end point lies outside [0, 1]
    return float(inner @ np.abs(residual) / (inner @ density))


def _reflected(values: Numbers, kernel: Numbers) -> Numbers:
    """Return the convolution of values on [0, 1], reflected at both ends, by Fourier transform."""
    size = len(values)
    mirrored = np.concatenate([values, values[-2:0:-1]])
    mirrored[[0, size - 1]] *= 2.0  # an end point is its own mirror image; for rare events, nearly all rows are there
    # The kernel is given from -1/2 to 1/2; the transform needs its value at 0 first, and a period of 2.
    half = size // 2
    around = np.zeros(len(mirrored))
    around[: size - half] = kernel[half:]
    around[len(mirrored) - half :] = kernel[:half]
    spectrum = np.fft.rfft(mirrored) * np.fft.rfft(around)
    smooth: Numbers = np.fft.irfft(spectrum, len(mirrored))[:size]
    return smooth
