"""Reports on probabilities: numbers with intervals, pictures, and findings in words.

* ``_accumulator`` adds up predictions block by block, with ``_moments`` for means and ``_tables`` for slices and
  thresholds: data of any length are evaluated in bounded memory. ``_settings`` says what is evaluated, and ``_input`` makes
  data uniform.
* ``_build`` makes ``_results`` of the sums. ``_findings`` says in words what they mean, and ``_significance`` which
  differences chance explains.
* ``_views`` shows results, and ``_report`` joins everything in ``ProbabilityReport``.
"""

from ..metrics._scores import SCORES
from ._accumulator import Accumulator
from ._report import ProbabilityReport
from ._settings import Settings

__all__ = ["SCORES", "Accumulator", "ProbabilityReport", "Settings"]
