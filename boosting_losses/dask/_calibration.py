"""Calibrators of scores in partitions."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from .. import _validation
from ..calibration import Calibrator, encoded, score_array
from ..report._input import rows_named
from ._labelled_scores import DistributedScores
from ._partitions import Columns, Partitions, blocks, checked, computed, refuse_odd_scale

_Calibrator = TypeVar("_Calibrator", bound=Calibrator)


def fit(calibrator: _Calibrator, raw: Any, y: Any, sample_weight: Any = None) -> _Calibrator:
    """Fit a calibrator to scores and labels in partitions.

    Parameters
    ----------
    calibrator : Calibrator
        One of :mod:`boosting_losses.calibration`.
    raw : Dask array, series or frame of shape (n,), (n, 1) or (n, K)
        Finite scores: the log odds of the second class, or one score per class.
    y : Dask array or series of shape (n,)
        Labels, as for :meth:`boosting_losses.calibration.Calibrator.fit`.
    sample_weight : Dask array or series of shape (n,), optional

    Returns
    -------
    Calibrator
        The calibrator itself, fitted. Its parameters are those of its method ``fit`` for the same rows in memory, up to
        rounding.

    Raises
    ------
    TypeError, ValueError
        As for :meth:`~boosting_losses.calibration.Calibrator.fit`; the message names the row in the whole data. Also if an
        argument is not a Dask collection, or partitions cannot be aligned.

    Warns
    -----
    ConvergenceWarning
        If the fit stops before it reaches the minimum.

    Notes
    -----
    The data are computed several times: once for the classes, once for totals and a sample, and once for each Newton step,
    which for most data is two to five times. For K > 2 classes, Platt scaling and beta calibration take the Newton steps of
    one class after the other. Call ``persist`` on scores that are expensive to compute.

    Isotonic calibration requires one pass instead of the steps. It is exact up to a million (2**20) distinct scores. More
    scores are merged into a million cells of equal width between the smallest and the largest score.
    """
    partitions = Partitions({"y": y, "raw": raw, "sample_weight": sample_weight})
    found = [part for part in computed(partitions.map(_survey)) if part is not None]
    widths = {width for _, width in found}
    if len(widths) > 1:
        raise ValueError(f"raw must have the same number of scores in all partitions, got {sorted(widths)}")
    n_scores = widths.pop()
    labels = np.unique(np.concatenate([values for values, _ in found]))
    classes, _ = encoded(labels, max(n_scores, 2), np.float64)
    calibrator.fit_scores(classes, DistributedScores(partitions, classes, n_scores))
    return calibrator


def predict_proba(calibrator: Calibrator, raw: Any) -> Any:
    """Return the class probabilities of scores in partitions.

    Parameters
    ----------
    calibrator : Calibrator
        A fitted calibrator.
    raw : Dask array, series or frame of shape (n,), (n, 1) or (n, K)

    Returns
    -------
    Dask array of shape (n, K), float64
        It is computed when it is needed.

    Raises
    ------
    TypeError, ValueError
        If ``raw`` is not a Dask collection. Also as for :meth:`boosting_losses.calibration.Calibrator.predict_proba`, when
        the array is computed.
    sklearn.exceptions.NotFittedError
        If the calibrator is not fitted.
    """
    check_is_fitted(calibrator)
    scores = checked("raw", raw)
    array = scores if hasattr(scores, "chunks") else scores.to_dask_array()
    return array.map_blocks(
        _probabilities,
        calibrator,
        dtype=np.float64,
        chunks=(array.chunks[0], (len(calibrator.classes_),)),
        new_axis=1 if array.ndim == 1 else None,
        meta=np.empty((0, 0)),
    )


# ---- parts ----------------------------------------------------------------------------------------------------------


def _survey(columns: Columns, start: int) -> tuple[npt.NDArray[Any], int] | None:
    """Check the rows of a partition, and return its distinct labels and its number of scores, or None without rows."""
    found, n_scores = [], 1
    for block, index in blocks(columns, start):
        with rows_named(index):
            scores = score_array(block["raw"])
            n_scores = 1 if scores.ndim == 1 else scores.shape[1]
            _validation.refuse_raw(scores)
            labels = _labels(block["y"])
            weight = block["sample_weight"]
            if weight is not None:
                weight = _validation.numbers("sample_weight", weight)
                _validation.refuse_odd_labels_or_weights(labels, weight, multiclass=False)
                refuse_odd_scale(weight)
                _validation.refuse_weights(weight if weight.any() else None)
        found.append(np.unique(labels))
    return (np.unique(np.concatenate(found)), n_scores) if found else None


def _labels(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return class labels; raise ValueError at the first that is none."""
    if y.ndim != 1:
        raise ValueError(f"y must have shape (n,), got {y.shape}")
    if y.dtype.kind == "f":
        odd = np.flatnonzero(y % 1 != 0)  # also NaN
        if len(odd):
            raise ValueError(f"y must hold class labels, got {y[odd[0]]} in row {odd[0]}")
    return y


def _probabilities(raw: npt.NDArray[Any], calibrator: Calibrator) -> npt.NDArray[np.float64]:
    return calibrator.predict_proba(raw) if len(raw) else np.empty((0, len(calibrator.classes_)))
