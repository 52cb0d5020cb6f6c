"""Reports on probabilities: numbers with intervals, pictures, and warnings in words.

* ``_pool`` puts rows of like probability together, and ``_evaluation`` adds up everything else, block by block: data of any
  length are evaluated in bounded memory.
* ``_scores`` lists the scores that a report can hold; ``findings`` says in words what they mean.
* ``report`` makes a ``ProbabilityReport`` of these sums, and ``text``, ``figures`` and ``page`` show it.
"""

from .report import ProbabilityReport

__all__ = ["ProbabilityReport"]
