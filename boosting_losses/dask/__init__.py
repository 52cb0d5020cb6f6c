"""Scores, reports and calibrators for Dask arrays and frames: sums by partition, combined by a tree of tasks.

The functions take the arguments of their counterparts for arrays in memory, as Dask arrays, series or frames with any
scheduler, and return the same results. Rows are matched by position. Memory holds only the partitions that are being
processed. ``predict_proba`` is lazy; the other functions compute their results at once.
"""

try:
    import dask as _dask  # noqa: F401
except ImportError:
    raise ImportError('boosting_losses.dask requires Dask: pip install "boosting-losses[dask]"') from None

from ._calibration import fit, predict_proba
from ._report import report
from ._scores import score, scores

__all__ = ["fit", "predict_proba", "report", "score", "scores"]
