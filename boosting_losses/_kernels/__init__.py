"""The numerical core: functions of arrays and scalars that return or fill arrays.

A loss is one *formula*, a Python function of the probability p of the label's class: ``-np.log(p)``. All that a loss needs
follows from it, for the losses of this package and for those of users. The design, from the inside out:

a) *Numbers with derivatives* (``dual.py``). The formula is evaluated with a ``Probability``, which carries 1 - p and both
   logarithms, and returns a ``Dual``, the value with its first and second derivative. Numba inlines both, so the result is
   the code that one would write by hand. The second derivative is represented such that it is exact for cross-entropy.
b) *Loops that close over a formula*: ``binary.py`` for one score per row, ``multiclass.py`` for blocks of rows of K scores,
   ``rows.py`` for soft labels and for libraries that call a loss row by row, ``posterior.py`` for class probabilities and
   best constants. Each loop is written once. Parameters of a formula are arguments of its loops, so a new value compiles
   nothing. Class weights and label smoothing are factors of the loss of each class, which the loops apply.
   Functions that are not loops of a formula take the numbers of one row (*point functions*) or arrays.
   Compiled loops are stored in files of their own for each formula, under a digest of all that is compiled into them
   (``_cache.py``, ``_source.py``). An index of the package's losses never mentions a formula of a user.
c) *Raw scores as input, not probabilities.* Every exponent is zero or negative, so none overflows. A probability and its
   complement come from the same exponential, so neither loses digits when the other is near 1. Only the evaluation of
   given probabilities takes probabilities as input: ``probabilities.py``, ``binning.py`` and ``poisson.py``.
d) *The precision of the scores*, float32 or float64. The elementary functions compile to SIMD instructions
   (``vector.py``). Sums are always in double precision, and so is all of ``scaling.py``, which fits calibrators. Rows of
   K scores are transposed block by block, so that one instruction processes neighbouring rows in any memory layout.
e) *Checks inside the loops.* A loop returns False if it finds an invalid label, score or weight. The caller then searches
   for the row and raises the error. A separate pass over the labels would take a third of the time of a binary kernel.
f) *No threads of Numba.* Numba's pool would compete with the thread pool of the boosting library. The loops release the
   GIL, and ``_threads/`` computes chunks of rows in plain Python threads. Loops of K classes take the range of rows of a
   chunk as arguments, because a slice of an array in Fortran order would compile another variant.

The kernels do not depend on classes, frameworks or error messages. All of them also run, at the same accuracy, with
``NUMBA_DISABLE_JIT=1``.
"""

from ._cache import folder as cache_folder

__all__ = ["cache_folder"]
