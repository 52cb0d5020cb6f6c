"""The values of scores, from what has been added up or of a constant forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics
from ..metrics import _reliability
from ..metrics._bootstrap import Numbers, Totals
from ..metrics._decomposition import by_isotonic_regression
from ..metrics._means import entropy
from ..metrics._predictions import mean_square

if TYPE_CHECKING:
    from ._binned_rows import Pooled
    from ._model_sums import ModelSums

Options = Mapping[str, Any]

# ---- values ---------------------------------------------------------------------------------------------------------


def log_loss(sums: ModelSums, options: Options) -> float:
    """The mean over rows."""
    return sums.loss / sums.weight


def brier(sums: ModelSums, options: Options) -> float:
    """The mean over rows."""
    return sums.square / sums.weight


def normalized_cross_entropy(sums: ModelSums, options: Options) -> float:
    """The log loss over that of the base rate."""
    return log_loss(sums, options) / float(entropy(sums.shares, "log_loss"))


def d2(sums: ModelSums, options: Options) -> float:
    """What is missing to 1 of the ratio to the base rate's loss."""
    if options.get("score", "log_loss") == "log_loss":
        return 1.0 - normalized_cross_entropy(sums, options)
    half = 0.5 if sums.is_binary else 1.0
    return 1.0 - brier(sums, options) / (half * float(entropy(sums.shares, "brier")))


def calibration_error(sums: ModelSums, options: Options) -> float:
    """Over bins, of the data as they are or debiased."""
    norm, debiased = options.get("norm", 1), options.get("debiased", False)
    class_wise = options.get("multiclass") == "class_wise" and not sums.is_binary
    errors = []
    for pooled in sums.class_pools if class_wise else [sums.pooled]:
        edges = sums.edges(pooled, options.get("strategy", "uniform"), options.get("n_bins", 15))
        errors.append(_reliability.error_of_sums(pooled.sums(edges)[:, :4], norm, debiased=debiased))
    return _reliability.over_classes(np.array(errors), norm)


def smooth(sums: ModelSums, options: Options) -> float:
    """The error without bins."""
    return _reliability.smooth_error(sums.pooled.rows())[0]


def part_of_score(name: str) -> Callable[[ModelSums, Options], float]:
    """A part of the decomposition."""

    def part(sums: ModelSums, options: Options) -> float:
        score = options.get("score", "log_loss")
        if not sums.is_binary:
            sample = sums.sample()
            whole = metrics.decompose(sample.y, sample.proba, sample.weight, score=score, eps=sums.eps)
            return float(getattr(whole, name))
        rows = sums.pooled.rows()
        value = log_loss(sums, {}) if score == "log_loss" else float(mean_square(rows))
        return float(getattr(by_isotonic_regression(rows, score, value), name))

    return part


# ---- values of a constant forecast ----------------------------------------------------------------------------------


def ranking(of_totals: Callable[[Totals], Numbers]) -> Callable[[ModelSums, Options], float]:
    """A score of the order; of K classes its mean over each against the others. NaN where a class has no rows."""

    def value(sums: ModelSums, options: Options) -> float:
        if not (sums.class_weight > 0.0).all():
            return float("nan")
        pools = [sums.pooled] if sums.is_binary else sums.class_pools
        return float(np.mean([of_totals(_as_totals(pooled)) for pooled in pools]))

    return value


def of_two_classes(score: Callable[..., float]) -> Callable[[ModelSums, Options], float]:
    """A score that soft labels can have, of two classes."""

    def value(sums: ModelSums, options: Options) -> float:
        rows = sums.pooled.rows()
        return float(score(rows.y, rows.proba, rows.weight))

    return value


def spiegelhalter_z(sums: ModelSums, options: Options) -> float:
    """From sums, in which each row's own squared weight counts."""
    pooled = sums.pooled
    slope = 1.0 - 2.0 * pooled.proba
    excess = float(((pooled.label - pooled.weight * pooled.proba) * slope).sum())
    variance = float((pooled.squared * slope * slope * pooled.proba * (1.0 - pooled.proba)).sum())
    return excess / variance**0.5 if variance > 0.0 else float("nan")


def flexible(sums: ModelSums, options: Options) -> float:
    """The mean distance from the flexible curve, or a quantile of the distances."""
    rows = sums.pooled.rows()
    if "q" not in options:
        return metrics.integrated_calibration_index(rows.y, rows.proba, rows.weight)
    return metrics.calibration_error_quantile(rows.y, rows.proba, rows.weight, q=options["q"])


def sharpness(sums: ModelSums, options: Options) -> float:
    """The variance of the probabilities, summed over classes."""
    pools = [sums.pooled] if sums.is_binary else sums.class_pools
    variances = []
    for pooled in pools:
        mean = float(np.average(pooled.proba, weights=pooled.weight))
        variances.append(float(np.average((pooled.proba - mean) ** 2, weights=pooled.weight)))
    return sum(variances)


def trimmed_log_loss(sums: ModelSums, options: Options) -> float:
    """Of two classes exactly, of more from an even sample of the rows."""
    trim = options.get("trim", 0.01)
    if not sums.is_binary:
        sample = sums.sample()
        return metrics.trimmed_log_loss(sample.y, sample.proba, sample.weight, trim=trim, eps=sums.eps)
    y, proba, weight = _as_rows(sums.pooled)
    return metrics.trimmed_log_loss(y, proba, weight, trim=trim, eps=sums.eps)


def _as_totals(pooled: Pooled) -> Totals:
    """The points as cells of one replicate."""
    weight, label = pooled.weight[:, None], pooled.label[:, None]
    return Totals(weight.sum(axis=0), np.empty((0, 1)), weight, label)


def _as_rows(pooled: Pooled) -> tuple[Numbers, Numbers, Numbers]:
    """Labels, probabilities and weights: two rows for each point, one of either label."""
    y = np.repeat([1.0, 0.0], len(pooled.proba))
    weight = np.concatenate([pooled.label, pooled.weight - pooled.label])
    some = weight > 0.0
    return y[some], np.tile(pooled.proba, 2)[some], weight[some]


def constant_auc(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """All rows tie."""
    return 0.5


def constant_precision(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """The share of the class; of K classes the mean of the shares."""
    return float(shares[1] if len(shares) == 2 else shares.mean())


def constant_intercept(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """What the log odds miss."""
    return float(np.log(shares[1] / shares[0]) - np.log(forecast[1] / forecast[0]))


def constant_ratio_of_rates(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """Observed over expected."""
    return float(shares[1] / forecast[1])


def constant_sharpness(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """A constant has no spread."""
    return 0.0


def constant_log_loss(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """The cross-entropy."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.where(shares > 0.0, shares * np.log(forecast), 0.0).sum())


def constant_brier(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """The mean squared error."""
    # The mean of sum_k (y_k - p_k)**2, and half of it for two classes.
    whole = float((shares * (1.0 - shares)).sum() + ((shares - forecast) ** 2).sum())
    return whole * (0.5 if len(shares) == 2 else 1.0)


def constant_ratio(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """The log loss over that of the base rate."""
    return constant_log_loss(forecast, shares, options) / float(entropy(shares, "log_loss"))


def constant_d2(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """What is missing to 1 of the ratio to the base rate's loss."""
    if options.get("score", "log_loss") == "log_loss":
        return 1.0 - constant_ratio(forecast, shares, options)
    return 1.0 - constant_brier(forecast, shares, options) / constant_brier(shares, shares, options)


def constant_error(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """All rows fall into one bin, at the same distance in any norm."""
    if options.get("multiclass") == "class_wise" and len(shares) > 2:
        return _reliability.over_classes(np.abs(forecast - shares), options.get("norm", 1))
    top = 1 if len(shares) == 2 else int(np.argmax(forecast))
    return float(abs(forecast[top] - shares[top]))


def nothing(forecast: Numbers, shares: Numbers, options: Options) -> None:
    """No value that tells something."""
    return
