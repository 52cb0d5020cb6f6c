"""Reports on probabilities: numbers with intervals, pictures, and findings in words.

* ``_accumulator`` adds up predictions block by block, with ``_moments`` for means and ``_tables`` for slices and thresholds:
  data of any length are evaluated in bounded memory. ``_settings`` says what is evaluated, ``_input`` reads what users hand over.
* ``_build`` makes the parts of ``_results`` of these sums; ``_findings`` says in words what they mean, ``_significance`` which
  differences chance explains.
* ``_views`` shows results.
* ``_report`` joins all of it in ``ProbabilityReport``.
"""

from ..metrics._scores import SCORES
from ._accumulator import Accumulator
from ._report import ProbabilityReport
from ._settings import Settings

__all__ = ["SCORES", "Accumulator", "ProbabilityReport", "Settings"]
