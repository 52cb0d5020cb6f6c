"""The numerical core: arrays and scalars in, arrays out.

The design, from the inside out:

a) *Point functions* take the numbers of one row and return numbers; those of K classes take the row itself. They hold
   every formula, once, so the same function serves a library that hands over matrices and one that hands over rows.
b) *Array loops* only index, call point functions, multiply by the sample weight and store. A call costs nothing: LLVM
   inlines it. There is one loop per loss and purpose, written out. No factory makes loops by closing over a compiled
   function, because Numba never finds such a loop in its disk cache again. It does find a loop that closes over
   integers (``rows.tuple_function``) and one that chooses a function by the type of an argument (``vector.py``).
   ``rows.py`` serves a library that asks row by row, where making Python objects costs more than the arithmetic.
c) *Raw scores in, never probabilities.* Every exponent is zero or negative, so none overflows; a probability and its
   complement come from the same exponential, so neither loses digits when the other is near 1. An evaluation
   has nothing but probabilities: ``probabilities.py``, ``binning.py`` and ``poisson.py`` take those.
d) *The precision of the scores*, float32 or float64, in elementary functions that become SIMD instructions
   (``vector.py``). Sums are always doubles, and so is everything in ``scaling.py``, which calibrators are fitted with.
   Rows of K scores are transposed block by block, so that neighbouring rows share an instruction whatever the layout.
e) *Checks ride along.* A loop returns False when it meets an invalid label, score or weight; the caller then looks for
   the row and raises the error. A separate pass over the labels would cost a third of the binary kernels.
f) *No thread pool.* Numba's pool would compete with that of the boosting library. The loops release the GIL, so a
   caller may spread chunks over threads.

Nothing here knows classes, frameworks or error messages. Everything runs, at the same accuracy, with
``NUMBA_DISABLE_JIT=1``.
"""

from ._cache import folder as cache_folder

__all__ = ["cache_folder"]
