"""Reports on probabilities: numbers with intervals, pictures, and warnings in words.

* ``_pool`` puts rows of like probability together, ``_model_sums`` keeps what is needed of one model and ``_evaluation`` adds
  up all of them, block by block: data of any length are evaluated in bounded memory.
* ``_scores`` lists the scores that a report can hold, and ``_settings`` which of them, how; ``findings`` says in words what
  they mean.
* ``report`` takes predictions (``_input``) and makes of their sums (``_build``) a ``ProbabilityReport``, whose parts are in
  ``results``; ``text``, ``figures`` and ``page`` show it.
* A page is made of ``_page_tables`` and ``_page_pictures``: those of ``figures`` and ``figures_compared``, in the
  ``_looks`` of its models, as SVG (``_svg``).
"""

from .report import ProbabilityReport

__all__ = ["ProbabilityReport"]
