"""The choice of what the C library does with freed memory, which can outweigh the arithmetic.

An array of fresh pages costs a page fault for every 4 kB that are written. Whether the next array gets fresh pages or
those of the last one depends on all earlier allocations: the same NumPy expression differs by a factor of two between
rows of one table, and by ten between the extremes. So the command ``kernels`` makes one choice for both sides.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

Memory = Literal["kept", "fresh", "system"]

# Names and numbers of <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1
#: The most that the C library allows: larger arrays always get fresh pages.
_LARGEST_FROM_HEAP = 32 * 2**20
_SMALLEST_FRESH = 128 * 2**10


def settle(memory: Memory) -> None:
    """Keep freed pages for the next array, or give every large array fresh ones; glibc only, elsewhere no effect."""
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
