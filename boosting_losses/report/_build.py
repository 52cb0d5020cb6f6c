"""The results of a report, computed from the accumulated sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..metrics import Estimate, ReliabilityCurve
from ..metrics._binned_rows import ProbabilityPoints
from ..metrics._decomposition import binary_entropy, isotonic
from ..metrics._flexible_curve import FlexibleFit
from ..metrics._model_sums import ModelSums
from ..metrics._predictions import Numbers
from ..metrics._reliability import curve_of_sums
from ..metrics._scores import SCORES
from ._results import Baseline, FlexibleResult, LossByDecile, ModelResult, SliceTable, ThresholdRow, quiet_ratio
from ._settings import Settings

HISTOGRAM_BINS = 50
CURVE_BINS = 10
#: The flexible curve is fitted to about this many points at most: rows, or cells of about equal weight.
FLEXIBLE_POINTS = 10_000


def model_result(
    name: str,
    sums: ModelSums,
    scores: Mapping[str, Estimate],
    values: Mapping[str, float],
    flexible_errors: Mapping[str, Estimate],
    tables: Sequence[SliceTable | tuple[ThresholdRow, ...]],
    level: float,
) -> ModelResult:
    """Return all results of one model."""
    points = sums.points
    curve = _curve(points)
    low, high = _consistency_band(curve, level)
    limit = _limit(curve, high)
    shown = np.linspace(0.0, limit, HISTOGRAM_BINS + 1)
    shown = shown if limit == 1.0 else np.append(shown, 1.0)
    worst = sums.worst
    shares = quiet_ratio(worst.weighted_loss, sums.loss)
    if np.isinf(sums.loss):  # rows of infinite loss share it equally
        shares = np.isinf(worst.weighted_loss) / np.isinf(worst.weighted_loss).sum()
    return ModelResult(
        name=name,
        scores=scores,
        uncorrected={key: value for key, value in values.items() if value != scores[key].value},
        curve=curve,
        band_low=low,
        band_high=high,
        isotonic_proba=points.proba,
        isotonic_frequency=isotonic(points.weight, points.label / points.weight),
        flexible=_flexible(points, flexible_errors, level),
        shown_up_to=limit,
        histogram_edges=shown,
        histogram=points.sums(shown)[:, 0],
        deciles=_deciles(sums),
        class_share=sums.shares,
        class_proba=sums.class_proba / sums.weight,
        class_loss=quiet_ratio(sums.class_loss, sums.class_weight),
        worst_rows=tuple(
            (int(row), float(y), float(share)) for row, y, share in zip(worst.row, worst.label, shares, strict=True)
        ),
        clipped_rows=sums.moved,
        class_curves=() if sums.is_binary else tuple(map(_curve, sums.points_of_classes)),
        slices=tuple(table for table in tables if isinstance(table, SliceTable)),
        thresholds=tuple(row for table in tables if isinstance(table, tuple) for row in table),
    )


def _curve(points: ProbabilityPoints) -> ReliabilityCurve:
    edges = points.edges("quantile", CURVE_BINS)
    return curve_of_sums(edges, points.sums(edges)[:, :4])


def _consistency_band(curve: ReliabilityCurve, level: float) -> tuple[Numbers, Numbers]:
    """Return the binomial quantiles of each bin's frequency under calibration (Broecker and Smith 2007)."""
    rows = np.maximum(np.rint(np.nan_to_num(curve.effective_rows)), 1.0)
    proba = np.nan_to_num(curve.predicted)
    low, high = (_binomial_quantile(tail, rows, proba) / rows for tail in ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return low, high


def _binomial_quantile(tail: float, rows: Numbers, proba: Numbers) -> Numbers:
    """Return the smallest count whose cumulative probability is at least ``tail``."""
    from scipy.special import bdtr, bdtrik  # noqa: PLC0415  (scipy.stats takes a second to import)

    count = np.where(proba >= 1.0, rows, np.maximum(np.ceil(np.nan_to_num(bdtrik(tail, rows, proba))), 0.0))
    less = np.maximum(count - 1.0, 0.0)
    quantile: Numbers = np.where((count > 0.0) & (bdtr(less, rows.astype(np.int64), proba) >= tail), less, count)
    return quantile


def _flexible(points: ProbabilityPoints, errors: Mapping[str, Estimate], level: float) -> FlexibleResult:
    few = points.coarser(FLEXIBLE_POINTS)
    fit = FlexibleFit(few.proba, few.weight, few.label, few.squared)
    return FlexibleResult(fit.curve(level), errors, fit.errors)


def _limit(curve: ReliabilityCurve, band_high: Numbers) -> float:
    """Return the upper limit of the axes of a diagram, below 1 if the events are rare."""
    some = curve.weight > 0.0
    farthest = max(float(part[some].max()) for part in (curve.predicted, curve.observed, band_high))
    return 1.0 if farthest > 0.5 else 1.15 * farthest


def _deciles(sums: ModelSums) -> LossByDecile:
    points = sums.points
    edges = points.edges("quantile", 10)
    weight, _, _, _, loss = points.sums(edges).T
    expected = np.full(len(weight), np.nan)
    if sums.is_binary:
        doubt = points._replace(loss=points.weight * binary_entropy(points.proba, "log_loss"))
        expected = quiet_ratio(doubt.sums(edges)[:, 4], weight)
    return LossByDecile(edges[:-1], edges[1:], weight, quiet_ratio(loss, weight), expected)


def baselines(shares: Numbers, settings: Settings) -> tuple[Baseline, ...]:
    """Return the scores of two constant forecasts: the base rates, and equal probabilities."""
    even = np.full(len(shares), 1.0 / len(shares))
    coin = "fair coin" if len(shares) == 2 else f"fair die of {len(shares)}"
    return tuple(
        Baseline(
            name, {key: SCORES[key].constant(forecast, shares, options) for key, options in settings.metrics.items()}
        )
        for name, forecast in (("base rate", shares), (coin, even))
    )
