"""Reports on probabilities: scores with intervals, diagrams, and findings in words.

* ``_accumulator`` sums predictions block by block, with ``_moments`` for means and ``_tables`` for slices and thresholds.
  Data of any length are therefore evaluated in bounded memory. ``_settings`` defines what is evaluated, and ``_input``
  checks and converts the data.
* ``_estimates`` computes scores with intervals from the sums.
* ``_build`` computes ``_results`` from the sums. ``_findings`` describes problems in words, and ``_significance`` computes
  p-values of the differences.
* ``_views`` displays results, and ``_report`` combines everything in ``ProbabilityReport``.
"""

from ..metrics._scores import SCORES
from ._accumulator import Accumulator
from ._report import ProbabilityReport
from ._settings import Settings

__all__ = ["SCORES", "Accumulator", "ProbabilityReport", "Settings"]
