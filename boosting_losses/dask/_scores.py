"""Scores of predictions in partitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _validation
from ..metrics._model_sums import ModelSums
from ..metrics._predictions import check, each, refuse_both_or_none
from ..metrics._score import Options, Score
from ..metrics._scores import SCORES, score_of
from ..report._input import rows_named
from ..report._settings import as_options
from ._partitions import Columns, Partitions, blocks, merged, refuse_odd_scale

#: The scores that are not defined if a class has no rows, and whose computation from sums does not notice it.
_OF_ALL_CLASSES = ("balanced_log_loss", "normalized_cross_entropy", "d2", "roc_auc", "average_precision")


def score(
    metric: str | Callable[..., float],
    y_true: Any,
    proba: Any = None,
    sample_weight: Any = None,
    *,
    raw: Any = None,
    eps: float | None = None,
    **options: Any,
) -> float:
    """Return one score of predictions in partitions.

    Parameters
    ----------
    metric : str or callable
        A score of :data:`boosting_losses.report.SCORES`, by name or as the function of :mod:`boosting_losses.metrics`.
    y_true, proba, sample_weight, raw, eps
        As for :func:`scores`.
    **options
        The options of the score.

    Returns
    -------
    float
        The value of the function of :mod:`boosting_losses.metrics`, as explained in :func:`scores`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`scores`.
    """
    name = _named(metric)
    return scores({name: options}, y_true, proba, sample_weight, raw=raw, eps=eps)[name]


def scores(
    metrics: str | Sequence[str | Callable[..., float]] | Mapping[str, Options],
    y_true: Any,
    proba: Any = None,
    sample_weight: Any = None,
    *,
    raw: Any = None,
    eps: float | None = None,
) -> dict[str, float]:
    """Return several scores of predictions in partitions, in one pass over the data.

    Parameters
    ----------
    metrics : sequence of str, or mapping of str to mapping
        Names of scores in :data:`boosting_losses.report.SCORES`, with or without options.
    y_true : Dask array or series of shape (n,)
        Labels in [0, 1], or class codes 0..K-1 for ``(n, K)`` probabilities.
    proba : Dask array, series or frame of shape (n,) or (n, K)
        Probabilities: of y = 1, or one column per class.
    sample_weight : Dask array or series of shape (n,), optional
    raw : Dask array, series or frame of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``; the log loss does not clip them unless ``eps`` is given.
    eps : float, optional
        Probabilities are clipped to [eps, 1 - eps] for the log loss; by default, eps is the machine epsilon of their dtype.

    Returns
    -------
    dict of str to float

    Raises
    ------
    TypeError, ValueError
        As for the functions of :mod:`boosting_losses.metrics`; the message names the row in the whole data. Also if an
        argument is not a Dask collection, or partitions cannot be aligned.

    Warns
    -----
    RoundedWarning
        If probabilities outside [0, 1] because of rounding were moved to 0 or 1.

    Notes
    -----
    If the sizes of the partitions of ``y_true`` are unknown, they are computed first. The other collections are then
    assumed to have the same partitions, and an error is raised if a partition has other rows.

    Means of losses and calibration errors with bins of equal width are exact for any number of rows. All other scores are
    exact up to a million (2**20) rows. For more rows, rows with nearly equal probability are merged: their log odds differ
    by at most 0.004. An area under the ROC curve then differs from the exact one by at most half the chance that two random
    rows, one of each class, are merged. For K > 2 classes, ``miscalibration``, ``discrimination`` and ``trimmed_log_loss``
    use an even sample of at most 262,144 (2**18) rows.
    """
    refuse_both_or_none(proba, raw)
    if not isinstance(metrics, Mapping):
        metrics = [_named(metric) for metric in ([metrics] if isinstance(metrics, str) else metrics)]
    chosen = as_options(metrics)
    for name, options in chosen.items():
        _entry(name).refuse(options)
    partitions = Partitions({"y_true": y_true, "proba": proba, "raw": raw, "sample_weight": sample_weight})
    n_bins = int(chosen.get("calibration_error", {}).get("n_bins", 15))
    sums: _Sums = merged(partitions.map(_sums, _Task(n_bins, eps, partitions.n_rows)))
    if sums.model is None:
        raise ValueError(f"sample_weight must have a sum > 0, got {partitions.n_rows} weights that are all 0")
    if sums.rounded:
        warnings.warn(
            f"proba must lie in [0, 1], got {sums.rounded} values outside by at most {_validation.ROUNDING:g}, which were"
            " moved to 0 or 1",
            _validation.RoundedWarning,
            stacklevel=2,
        )
    return {name: _value(SCORES[name], sums.model, options) for name, options in chosen.items()}


# ---- parts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    n_bins: int
    eps: float | None
    n_rows: int


@dataclass
class _Sums:
    model: ModelSums | None = None
    rounded: int = 0

    def merge(self, later: _Sums) -> None:
        """Add the sums of later rows."""
        self.rounded += later.rounded
        if self.model is None:
            self.model = later.model
        elif later.model is not None:
            self.model.merge(later.model)


def _sums(columns: Columns, start: int, task: _Task) -> _Sums:
    sums = _Sums()
    for block, index in blocks(columns, start):
        with rows_named(index):
            _add(sums, block, index, task)
    return sums


def _add(sums: _Sums, block: Columns, index: Any, task: _Task) -> None:
    weight, proba = block["sample_weight"], block["proba"]
    if weight is not None:
        weight = _validation.numbers("sample_weight", weight)
        refuse_odd_scale(weight)
    if proba is not None:
        proba, rounded = _validation.moved_inside(_validation.numeric("proba", proba))
        sums.rounded += rounded
    all_0 = weight is not None and not weight.any()  # other blocks may have weights above 0
    data = check(block["y_true"], proba, None if all_0 else weight, block["raw"])
    if data.y.ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data.y.shape}")
    losses, squares, moved = each(data, task.eps)
    if all_0:
        return
    if sums.model is None:
        sums.model = ModelSums(
            data.classes,
            is_binary=data.is_binary,
            n_bins=task.n_bins,
            eps=task.eps,
            start=int(index[0]),
            n_rows=task.n_rows,
        )
    each_weight = np.ones(len(losses)) if weight is None else np.asarray(weight, dtype=np.float64)
    some = np.flatnonzero(each_weight)
    if len(some) < len(each_weight):
        data, index = data.take(some), index[some]
        each_weight, losses, squares = each_weight[some], losses[some], squares[some]
    sums.model.add(data, each_weight, losses, squares, index)
    sums.model.moved += moved


def _value(entry: Score, sums: ModelSums, options: Options) -> float:
    if sums.classes > 2 and entry.two_classes_only:
        some = sums.rows().take(np.arange(1))
        return entry.function(some.y, some.proba, **options)  # raises ValueError
    present = np.flatnonzero(sums.class_weight)
    if entry.name in _OF_ALL_CLASSES and len(present) < sums.classes:
        even = np.full((len(present), sums.classes), 1.0 / sums.classes)
        entry.function(present, even, **options)  # raises ValueError
    return float(entry.value(sums, options))


def _named(metric: str | Callable[..., float]) -> str:
    if isinstance(metric, str):
        return _entry(metric).name
    entry = score_of(metric)
    if entry is None:
        raise ValueError(f"metrics must be among {', '.join(SCORES)}, got {metric!r}")
    return entry.name


def _entry(name: str) -> Score:
    if name not in SCORES:
        raise ValueError(f"metrics must be among {', '.join(SCORES)}, got {name!r}")
    return SCORES[name]
