"""The formulas of the losses of this package, as functions of the probability p of the label's class."""

from __future__ import annotations

from typing import Any

import numpy as np


def cross_entropy(p: Any) -> Any:
    """Return the log loss."""
    return -np.log(p)


def focal(p: Any, gamma: float) -> Any:
    """Return the focal loss (Lin et al. 2017, arXiv 1708.02002, equation 4)."""
    return -((1 - p) ** gamma) * np.log(p)


def focal_2(p: Any) -> Any:
    """Return the focal loss with gamma = 2, without an exponential for the power."""
    return -np.square(1 - p) * np.log(p)
