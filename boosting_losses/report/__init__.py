"""Reports on probabilities: numbers with intervals, pictures, and warnings in words.

* ``_binned_rows`` puts rows of like probability together, ``_model_sums`` keeps what is needed of one model and
  ``_accumulator`` adds up all of them, block by block: data of any length are evaluated in bounded memory.
* ``_scores`` lists the scores that a report can hold, and ``_settings`` which of them, how; ``_findings`` says in words what
  they mean.
* ``_report`` takes predictions (``_input``) and makes of their sums (``_build``) a ``ProbabilityReport``, whose parts are in
  ``_results``; ``_text``, ``_figures`` and ``_page`` show it.
* A page is made of ``_page_tables`` and ``_page_pictures``: those of ``_figures`` and ``_figures_compared``, in the
  ``_looks`` of its models, as SVG (``_svg``).
"""

from ._report import ProbabilityReport

__all__ = ["ProbabilityReport"]
