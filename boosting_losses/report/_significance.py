"""P-values of the differences between the models and a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from ..metrics import Estimate
from ..metrics._statistics.base import normal_quantile

Pair = tuple[str, str]


def holm(differences: Mapping[Pair, Mapping[str, Estimate]], level: float) -> dict[Pair, dict[str, float]]:
    """Return p-values for each score, corrected for the number of pairs (Holm 1979); NaN without an interval."""
    adjusted: dict[Pair, dict[str, float]] = {pair: {} for pair in differences}
    for name in dict.fromkeys(name for scores in differences.values() for name in scores):
        single = {pair: p_value(scores[name], level) for pair, scores in differences.items()}
        known = sorted((pair for pair in single if not math.isnan(single[pair])), key=lambda pair: single[pair])
        largest = 0.0
        for rank, pair in enumerate(known):
            largest = max(largest, min(1.0, (len(known) - rank) * single[pair]))
            adjusted[pair][name] = largest
        for pair in set(single) - set(known):
            adjusted[pair][name] = math.nan
    return adjusted


def p_value(difference: Estimate, level: float) -> float:
    """Return the p-value of the hypothesis of no difference, from the side of the interval that faces 0.

    The p-value is ``1 - level`` if that bound of the interval is 0.
    """
    value, low, high = difference
    if math.isnan(low) or math.isnan(high):
        return math.nan
    if value == 0.0:
        return 1.0
    half = value - low if value > 0.0 else high - value
    if half == 0.0:
        return 0.0
    return 2.0 * NormalDist().cdf(-normal_quantile(level) * abs(value) / half)
