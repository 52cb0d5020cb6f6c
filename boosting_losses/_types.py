"""Types that every layer shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: float32 or float64, of any shape and layout.
Array = npt.NDArray[np.floating]

#: float64, of any shape.
Doubles = npt.NDArray[np.float64]
