"""The threads that compute chunks of rows, and how many of them a call uses.

The chunks depend on the shape of the data only, and their results are combined in order. So results do not depend on the
number of threads, not even in the last bit. The kernels release the GIL, so plain Python threads compute side by side.
Numba's own threads would compete with those of the boosting libraries (``_kernels/_jit.py``).
"""

from ._chunks import chunks, each, each_part
from ._number import get_num_threads, num_threads, set_num_threads, threads_of_library

__all__ = ["chunks", "each", "each_part", "get_num_threads", "num_threads", "set_num_threads", "threads_of_library"]
