"""Predicted and observed frequencies by bin of the probability, and calibration errors computed from them."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .._kernels import binning
from .._types import Array
from ._predictions import Numbers, Predictions, checked, each_class, one_column

Norm = Literal[1, 2, "max"]
Strategy = Literal["uniform", "quantile"]
Multiclass = Literal["top_label", "class_wise"]


class ReliabilityCurve(NamedTuple):
    """Predicted and observed frequencies by bin of the probability, as in reliability diagrams; each field is ``(B,)``."""

    lower: Numbers  #: a bin contains lower < p <= upper; the first bin also contains its lower edge
    upper: Numbers
    weight: Numbers  #: sum of weights
    predicted: Numbers  #: mean probability; NaN in a bin without weight
    observed: Numbers  #: mean label; NaN in a bin without weight
    effective_rows: Numbers  #: effective sample size (Kish 1965): (sum of weights)**2 / sum of squared weights


def reliability_curve(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    strategy: Strategy = "uniform",
    n_bins: int = 15,
) -> ReliabilityCurve:
    """Return predicted and observed frequencies by bin of the probability.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba : array-like of shape (n,) or (n, K)
        Probabilities of y = 1, or of K classes. For K classes, the curve relates the largest probability to whether its
        class is correct.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``.
    strategy : {"uniform", "quantile"}
        Bins of equal width or of equal weight. Equal probabilities are never split, so there may be fewer than
        ``n_bins`` bins of equal weight.
    n_bins : int

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values; the message names the row.
    """
    rows = one_column(checked(y_true, proba, sample_weight, raw))
    edges = bin_edges(rows, strategy, n_bins)
    return curve_of_sums(edges, binned(rows, edges))


def calibration_error(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    norm: Norm = 1,
    strategy: Strategy = "uniform",
    n_bins: int = 15,
    debiased: bool = False,
    multiclass: Multiclass = "top_label",
) -> float:
    """Return the mean distance between predicted and observed frequencies over bins of the probability; 0 is best.

    With the defaults, this is the expected calibration error, ECE (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017,
    arXiv 1706.04599). It compares the means of bins: errors that cancel within a bin are not detected, and noise within
    a bin is included.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba, sample_weight, raw
        As for :func:`reliability_curve`.
    norm : {1, 2, "max"}
        1 selects the mean distance, 2 the root mean squared distance, and "max" the largest distance (maximum
        calibration error).
    strategy : {"uniform", "quantile"}
        Bins ``(b - 1) / B < p <= b / B`` of equal width, or bins of equal weight, which never split equal
        probabilities.
    n_bins : int
    debiased : bool
        Whether to subtract the contribution of label noise: even a perfectly calibrated model has an error above 0,
        which grows with the number of bins. For norm 2, the correction has a closed form (Kumar, Liang and Ma 2019,
        arXiv 1909.10155, section 5). For norm 1, the frequency of each bin is assumed to be normally distributed around
        the observed one (appendix of the same paper). The result is never negative.
    multiclass : {"top_label", "class_wise"}
        For K classes, "top_label" evaluates the largest probability and whether its class is correct, and "class_wise"
        averages the one-vs-rest errors of the classes (root mean square for norm 2, maximum for "max").

    Returns
    -------
    float
        ``(sum_b W_b / W |observed_b - predicted_b|**norm)**(1 / norm)``, where W_b is the weight of bin b

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values (the message names the row), or if ``norm``
        is "max" and ``debiased`` is True.
    """
    refuse_options(norm, multiclass, debiased=debiased)
    data = checked(y_true, proba, sample_weight, raw)
    columns = each_class(data) if multiclass == "class_wise" and not data.is_binary else [one_column(data)]
    errors = [
        error_of_sums(binned(rows, bin_edges(rows, strategy, n_bins)), norm, debiased=debiased) for rows in columns
    ]
    return over_classes(np.array(errors), norm)


# ---- parts ----------------------------------------------------------------------------------------------------------


#: Cumulative weights that reach a bound up to rounding count as having reached it.
_JUST_BELOW = 1.0 - 1e-12
#: A larger number of bins is probably a typing error, so it is refused.
_MOST_BINS = 100_000


def bin_edges(rows: Predictions, strategy: Strategy, n_bins: int) -> Numbers:
    """Return the edges of the bins, ``(B + 1,)``, from 0 to 1."""
    refuse_other_bins(strategy, n_bins)
    even: Numbers = np.arange(n_bins + 1) / n_bins
    if strategy == "uniform":
        return even
    if rows.weight is None:
        ordered = np.sort(rows.proba)
        last_of_bin = np.ceil(even[1:-1] * len(ordered) * _JUST_BELOW).astype(np.intp) - 1
    else:
        order = np.argsort(rows.proba)
        ordered, weight_up_to = rows.proba[order], np.cumsum(rows.weight[order])
        last_of_bin = np.searchsorted(weight_up_to, even[1:-1] * weight_up_to[-1] * _JUST_BELOW, side="left")
    inner = np.unique(ordered[np.clip(last_of_bin, 0, len(ordered) - 1)])
    return np.concatenate([[0.0], inner[(inner > 0.0) & (inner < 1.0)], [1.0]])


def refuse_other_bins(strategy: str, n_bins: int) -> None:
    """Raise ValueError for an unknown strategy or an invalid number of bins."""
    if not isinstance(n_bins, (int, np.integer)) or isinstance(n_bins, bool) or not 1 <= n_bins <= _MOST_BINS:
        raise ValueError(f"n_bins must be an integer from 1 to {_MOST_BINS}, got {n_bins!r}")
    if strategy not in ("uniform", "quantile"):
        raise ValueError(f"strategy must be 'uniform' or 'quantile', got {strategy!r}")


def cells_between(proba: Array, edges: Numbers) -> npt.NDArray[np.int32]:
    """Return the index of the bin of each probability."""
    evenly = np.array_equal(edges, np.arange(len(edges)) / (len(edges) - 1))
    if not evenly:
        return np.searchsorted(edges[1:-1], proba, side="left").astype(np.int32)
    cells = np.empty(len(proba), dtype=np.int32)
    binning.between(proba, edges, cells)
    return cells


def binned(rows: Predictions, edges: Numbers) -> Numbers:
    """Return the sums of weight, weighted label, weighted probability and squared weight by bin, ``(B, 4)``."""
    sums = np.zeros((len(edges) - 1, 4))
    binning.sums(rows.y, rows.proba, rows.weight, cells_between(rows.proba, edges), sums)
    return sums


def curve_of_sums(edges: Numbers, sums: Numbers) -> ReliabilityCurve:
    """Return the curve for bins with the given edges, ``(B + 1,)``, and sums, ``(B, 4)``."""
    weight, label, probability, squared = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return ReliabilityCurve(
            edges[:-1], edges[1:], weight, probability / weight, label / weight, weight * weight / squared
        )


def norm_of(weight: Numbers, excess: Numbers, norm: Norm) -> Numbers:
    """Return the norm of the distances, given the sums of the weight and of the weighted p - y by bin, ``(B, ...)``."""
    total = weight.sum(axis=0)
    if norm == 1:
        mean: Numbers = np.abs(excess).sum(axis=0) / total
        return mean
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.where(weight > 0.0, np.abs(excess) / weight, 0.0)
    if norm == "max":
        largest: Numbers = distance.max(axis=0)
        return largest
    root: Numbers = np.sqrt((distance * np.abs(excess)).sum(axis=0) / total)
    return root


def over_classes(errors: Numbers, norm: Norm) -> float:
    """Combine the errors of the classes into one, in the same norm."""
    if norm == "max":
        return float(errors.max())
    return float(errors.mean()) if norm == 1 else float(np.sqrt((errors * errors).mean()))


def refuse_options(norm: Norm, multiclass: Multiclass, *, debiased: bool) -> None:
    """Raise ValueError for unknown or incompatible options."""
    if isinstance(norm, bool) or norm not in (1, 2, "max"):
        raise ValueError(f"norm must be 1, 2 or 'max', got {norm!r}")
    if multiclass not in ("top_label", "class_wise"):
        raise ValueError(f"multiclass must be 'top_label' or 'class_wise', got {multiclass!r}")
    if not isinstance(debiased, (bool, np.bool_)):
        raise ValueError(f"debiased must be True or False, got {debiased!r}")
    if debiased and norm == "max":
        raise ValueError("debiased must be False for norm 'max', for which no debiased estimate is known, got True")


def error_of_sums(sums: Numbers, norm: Norm, *, debiased: bool) -> float:
    """Return the calibration error for bins with the given sums, ``(B, 4)``."""
    weight, label, probability, squared = sums[sums[:, binning.WEIGHT] > 0.0].T
    plain = float(norm_of(weight, probability - label, norm))
    if not debiased:
        return plain
    observed, rows = label / weight, weight * weight / squared
    distance, share = np.abs(probability / weight - observed), weight / weight.sum()
    variance = np.maximum(observed * (1.0 - observed), 0.0)
    if norm == 2:
        # The squared distance in a bin of one row contains no information, only noise.
        with np.errstate(invalid="ignore", divide="ignore"):
            square = np.where(rows > 1.0 + 1e-9, distance * distance - variance / (rows - 1.0), 0.0)
        return float(np.sqrt(max(share @ square, 0.0)))
    spread = np.sqrt(variance / rows)
    return max(2.0 * plain - float(share @ _mean_of_folded_normal(distance, spread)), 0.0)


def _mean_of_folded_normal(mean: Numbers, spread: Numbers) -> Numbers:
    """Return ``E|X|`` for a normal X with the given mean and standard deviation."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(spread > 0.0, mean / spread, np.inf)
    inside = np.array([math.erf(r / math.sqrt(2.0)) for r in ratio])
    folded: Numbers = spread * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * ratio * ratio) + mean * inside
    return folded
