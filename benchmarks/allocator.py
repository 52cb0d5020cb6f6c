"""The settings that decide how the C library reuses freed memory, whose effect can exceed the cost of the arithmetic.

Writing to newly mapped memory causes a page fault for every 4 kB. Whether an array gets new pages or those of a freed
array depends on all earlier allocations: the time of the same NumPy expression differs by a factor of two between rows
of one table, and by a factor of ten between the extremes. The command ``kernels`` therefore uses one setting for both sides.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

Memory = Literal["kept", "fresh", "system"]

# Names and numbers of <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1
#: The largest threshold that the C library allows: larger arrays always get new pages.
_LARGEST_FROM_HEAP = 32 * 2**20
_SMALLEST_FRESH = 128 * 2**10


def settle(memory: Memory) -> None:
    """Reuse freed pages for the next array, or give every large array new ones; has an effect with glibc only."""
    if memory == "system" or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    if memory == "kept":
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
    else:
        mallopt(_M_MMAP_THRESHOLD, _SMALLEST_FRESH)
