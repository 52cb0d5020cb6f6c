"""The parts of a score: miscalibration, discrimination and the uncertainty of the labels."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _newton_fit
from .._labelled_scores import Rows
from .._types import Array
from ._base_rate import ProperScore, class_shares, entropy, refuse_other_score
from ._predictions import Numbers, Predictions, add_up, checked, each_class, margin, one_column
from ._raw_scores import logits, means_of_raw

Recalibration = Literal["auto", "isotonic", "temperature"]


class Decomposition(NamedTuple):
    """The parts of a score: ``score = miscalibration - discrimination + uncertainty``."""

    score: float  #: the score of the given probabilities
    miscalibration: float  #: the part of the score that recalibration would remove
    discrimination: float  #: the part of the uncertainty that the recalibrated probabilities remove
    uncertainty: float  #: the score of always predicting the base rate

    @property
    def refinement(self) -> float:
        """The score after recalibration: ``uncertainty - discrimination``."""
        return self.score - self.miscalibration


def decompose(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    score: ProperScore = "log_loss",
    recalibration: Recalibration = "auto",
    eps: float | None = None,
) -> Decomposition:
    """Split a score into miscalibration, discrimination and uncertainty.

    For two classes, isotonic regression recalibrates the probabilities; it assumes only that their order is correct.
    This is the CORP decomposition (Dimitriadis, Gneiting and Jordan 2021, arXiv 2008.03033). Its miscalibration and
    discrimination are never negative, and overfitting of the regression inflates both by about ``n**(-2/3)``.

    For K classes, temperature scaling recalibrates them; its single parameter can be estimated from small data sets.
    This is the split into calibration and refinement of Berta, Holzmueller, Jordan and Bach 2025 (arXiv 2501.19195).
    :func:`decompose_by_class` returns the CORP decomposition of each class.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba : array-like of shape (n,) or (n, K)
        Probabilities of y = 1, or of K classes.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``.
    score : {"log_loss", "brier"}
    recalibration : {"auto", "isotonic", "temperature"}
        Isotonic regression requires scipy and two classes. "auto" uses it for two classes, and temperature scaling
        otherwise.
    eps : float, optional
        As for :func:`log_loss`.

    Returns
    -------
    Decomposition

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values; the message names the row.
    ImportError
        If scipy is required but not installed.
    """
    refuse_other_score(score)
    data = checked(y_true, proba, sample_weight, raw)
    if recalibration not in ("auto", "isotonic", "temperature"):
        raise ValueError(f"recalibration must be 'auto', 'isotonic' or 'temperature', got {recalibration!r}")
    if recalibration == "isotonic" and not data.is_binary:
        raise ValueError(
            f"recalibration='isotonic' requires two classes (see decompose_by_class), got {data.classes} columns"
        )
    if recalibration == "temperature" or not data.is_binary:
        return _by_temperature(data, score, eps)
    return by_isotonic_regression(one_column(data), score, add_up(data, eps).mean(score))


def decompose_by_class(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    score: ProperScore = "log_loss",
    eps: float | None = None,
) -> list[Decomposition]:
    """Return the CORP decomposition of each class against the rest.

    Parameters
    ----------
    y_true, proba, sample_weight, raw, score, eps
        As for :func:`decompose`, with probabilities of K classes.

    Returns
    -------
    list of K Decomposition
        The parts of the binary score of each class. For the Brier score, the sums over the classes decompose the
        K-class score.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for :func:`decompose`.
    """
    refuse_other_score(score)
    data = checked(y_true, proba, sample_weight, raw)
    if data.is_binary:
        raise ValueError(f"proba must have a column for each class, (n, K), got {data.proba.shape}: see decompose")
    inset = margin(data, eps)
    return [by_isotonic_regression(rows, score, add_up(rows, inset).mean(score)) for rows in each_class(data)]


def miscalibration(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    score: ProperScore = "log_loss",
    eps: float | None = None,
) -> float:
    """Return the part of a score that recalibration would remove; 0 is best. See :func:`decompose`."""
    return decompose(y_true, proba, sample_weight, raw=raw, score=score, eps=eps).miscalibration


def discrimination(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    score: ProperScore = "log_loss",
    eps: float | None = None,
) -> float:
    """Return the part of the uncertainty that recalibrated probabilities remove; higher is better. See :func:`decompose`."""
    return decompose(y_true, proba, sample_weight, raw=raw, score=score, eps=eps).discrimination


# ---- isotonic regression --------------------------------------------------------------------------------------------


def by_isotonic_regression(rows: Predictions, score: ProperScore, value: float) -> Decomposition:
    """Return the CORP decomposition of binary predictions whose score is ``value``."""
    weight, label = pooled(rows)
    total = weight.sum()
    # Labels in (0, 1) add the mean of y**2 - y to the Brier score, whatever the probabilities are.
    square = rows.y * rows.y - rows.y
    inner = 0.0 if score == "log_loss" else float(np.average(square, weights=rows.weight))
    recalibrated = float(weight @ binary_entropy(isotonic(weight, label), score)) / total + inner
    uncertainty = float(binary_entropy(np.array([weight @ label / total]), score)[0]) + inner
    return Decomposition(value, value - recalibrated, uncertainty - recalibrated, uncertainty)


def pooled(rows: Predictions) -> tuple[Numbers, Numbers]:
    """Return the weights and mean labels of the distinct probabilities with nonzero weight, in increasing order."""
    order = np.argsort(rows.proba)
    proba, y = rows.proba[order], rows.y[order]
    first = np.flatnonzero(np.concatenate([[True], proba[1:] > proba[:-1]]))
    weight = np.ones(len(y)) if rows.weight is None else rows.weight[order]
    weights = np.add.reduceat(weight, first)
    labels = np.add.reduceat(weight * y, first)
    some = weights > 0.0
    return weights[some], labels[some] / weights[some]


def isotonic(weight: Numbers, label: Numbers) -> Numbers:
    """Return the non-decreasing sequence with the smallest weighted squared distance to the labels."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415  (scipy is not a core dependency)

    fit: Numbers = isotonic_regression(label, weights=weight).x
    return fit


def binary_entropy(rate: Numbers, score: ProperScore) -> Numbers:
    """Return the score of predicting a rate for binary labels with this rate."""
    shares = np.stack([1.0 - rate, rate], axis=-1)
    return entropy(np.clip(shares, 0.0, 1.0), score)


# ---- temperature ----------------------------------------------------------------------------------------------------


def _by_temperature(data: Predictions, score: ProperScore, eps: float | None) -> Decomposition:
    scores: Array = logits(data.proba) if data.raw is None else data.raw
    scores = np.ascontiguousarray(scores, np.float64)
    inverse = _newton_fit.temperature(Rows(data.y, scores, data.weight))
    recalibrated = means_of_raw(data.y, scores * inverse, data.weight)[("log_loss", "brier").index(score)]
    value = add_up(data, eps).mean(score)
    uncertainty = float(entropy(class_shares(data.y, data.weight, binary=data.is_binary), score))
    return Decomposition(value, value - recalibrated, uncertainty - recalibrated, uncertainty)
