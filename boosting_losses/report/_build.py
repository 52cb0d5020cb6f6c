"""From what has been added up to the parts of a report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..metrics import Estimate, ReliabilityCurve
from ..metrics._bootstrap import Numbers
from ..metrics.decomposition import binary_entropy, isotonic
from ..metrics.reliability import curve_of_sums
from ._model_sums import ModelSums
from ._pool import quantile_edges
from ._scores import SCORES
from ._settings import Settings
from .results import Baseline, LossByDecile, ModelResult, quiet_ratio

HISTOGRAM_BINS = 50
CURVE_BINS = 10


def model_result(name: str, sums: ModelSums, scores: Mapping[str, Estimate], level: float) -> ModelResult:
    """What there is to say of one model."""
    pooled = sums.pooled
    edges = quantile_edges(pooled, CURVE_BINS)
    curve = curve_of_sums(edges, pooled.sums(edges)[:, :4])
    low, high = _consistency_band(curve, level)
    limit = _limit(curve, high)
    shown = np.linspace(0.0, limit, HISTOGRAM_BINS + 1)
    shown = shown if limit == 1.0 else np.append(shown, 1.0)
    worst = sums.worst
    shares = quiet_ratio(worst.weighted_loss, sums.loss)
    if np.isinf(sums.loss):  # all of it is theirs whose loss is infinite
        shares = np.isinf(worst.weighted_loss) / np.isinf(worst.weighted_loss).sum()
    return ModelResult(
        name=name,
        scores=scores,
        curve=curve,
        band_low=low,
        band_high=high,
        isotonic_proba=pooled.proba,
        isotonic_frequency=isotonic(pooled.weight, pooled.label / pooled.weight),
        shown_up_to=limit,
        histogram_edges=shown,
        histogram=pooled.sums(shown)[:, 0],
        deciles=_deciles(sums),
        class_share=sums.shares,
        class_proba=sums.class_proba / sums.weight,
        class_loss=quiet_ratio(sums.class_loss, sums.class_weight),
        worst_rows=tuple(
            (int(row), float(y), float(share)) for row, y, share in zip(worst.row, worst.label, shares, strict=True)
        ),
        clipped_rows=sums.moved,
    )


def _consistency_band(curve: ReliabilityCurve, level: float) -> tuple[Numbers, Numbers]:
    """Where a bin's frequency would lie if the model were calibrated (Broecker and Smith 2007): binomial quantiles."""
    from scipy.stats import binom  # noqa: PLC0415

    rows = np.maximum(np.rint(np.nan_to_num(curve.effective_rows)), 1.0)
    tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    low, high = (np.asarray(binom.ppf(tail, rows, np.nan_to_num(curve.predicted))) / rows for tail in tails)
    return low, high


def _limit(curve: ReliabilityCurve, band_high: Numbers) -> float:
    """Where a diagram may end: of rare events, all would lie in one corner of the whole."""
    some = curve.weight > 0.0
    farthest = max(float(part[some].max()) for part in (curve.predicted, curve.observed, band_high))
    return 1.0 if farthest > 0.5 else 1.15 * farthest


def _deciles(sums: ModelSums) -> LossByDecile:
    pooled = sums.pooled
    edges = quantile_edges(pooled, 10)
    weight, _, _, _, loss = pooled.sums(edges).T
    expected = np.full(len(weight), np.nan)
    if sums.is_binary:
        doubt = pooled._replace(loss=pooled.weight * binary_entropy(pooled.proba, "log_loss"))
        expected = quiet_ratio(doubt.sums(edges)[:, 4], weight)
    return LossByDecile(edges[:-1], edges[1:], weight, quiet_ratio(loss, weight), expected)


def baselines(shares: Numbers, settings: Settings) -> tuple[Baseline, ...]:
    """Always predicting the shares of the classes, and all classes alike."""
    even = np.full(len(shares), 1.0 / len(shares))
    coin = "fair coin" if len(shares) == 2 else f"fair die of {len(shares)}"
    return tuple(
        Baseline(
            name, {key: SCORES[key].constant(forecast, shares, options) for key, options in settings.metrics.items()}
        )
        for name, forecast in (("base rate", shares), (coin, even))
    )
