"""The numerical core: functions of arrays and scalars that return or fill arrays.

The design, from the inside out:

a) *Point functions* take the numbers of one row and return numbers. For K classes they take the row itself. They contain
   each formula once, so libraries that pass matrices and libraries that pass single rows use the same function.
b) *Array loops* only index, call point functions, multiply by the sample weight and store. A call costs nothing, because
   LLVM inlines it. Each loss has one explicit loop per purpose. No factory creates loops that close over a compiled
   function, because Numba would not find such a loop in its disk cache again. Numba does find loops that close over
   integers (``rows.tuple_function``) and loops that select a function by the type of an argument (``vector.py``).
   ``rows.py`` serves libraries that call a loss row by row, where creating Python objects costs more than the arithmetic.
c) *Raw scores as input, not probabilities.* Every exponent is zero or negative, so none overflows. A probability and its
   complement come from the same exponential, so neither loses digits when the other is near 1. Only the evaluation of
   given probabilities takes probabilities as input: ``probabilities.py``, ``binning.py`` and ``poisson.py``.
d) *The precision of the scores*, float32 or float64. The elementary functions compile to SIMD instructions
   (``vector.py``). Sums are always in double precision, and so is all of ``scaling.py``, which fits calibrators. Rows of
   K scores are transposed block by block, so that one instruction processes neighbouring rows in any memory layout.
e) *Checks inside the loops.* A loop returns False if it finds an invalid label, score or weight. The caller then searches
   for the row and raises the error. A separate pass over the labels would take a third of the time of a binary kernel.
f) *No thread pool.* Numba's pool would compete with the thread pool of the boosting library. The loops release the GIL,
   so a caller may process chunks in several threads.

The kernels do not depend on classes, frameworks or error messages. All of them also run, at the same accuracy, with
``NUMBA_DISABLE_JIT=1``.
"""

from ._cache import folder as cache_folder

__all__ = ["cache_folder"]
