"""Scores, reports and calibrators for Dask arrays and frames: sums by partition, combined by a tree of tasks.

The functions take the arguments of their counterparts for arrays in memory, as Dask arrays, series or frames with any
scheduler, and return the same results. Rows are matched by position. Every function computes its result at once; memory
holds only the partitions that are being processed.

* ``_partitions`` aligns the partitions of the arguments, and ``_scores``, ``_report`` and ``_calibration`` add up their
  rows.
"""

try:
    import dask as _dask  # noqa: F401
except ImportError:
    raise ImportError('boosting_losses.dask requires Dask: pip install "boosting-losses[dask]"') from None

from ._calibration import fit, predict_proba
from ._report import report
from ._scores import score, scores

__all__ = ["fit", "predict_proba", "report", "score", "scores"]
