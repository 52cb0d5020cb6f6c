"""The check of scores against the thresholds of a configuration."""

from __future__ import annotations

import math

from ..metrics import Estimate
from ..report import ProbabilityReport
from .config import Evaluation, Limits


def broken(report: ProbabilityReport, config: Evaluation) -> list[str]:
    """Return one line for each threshold that the score of a model violates."""
    found = []
    for model in report.models:
        for name, limits in config.thresholds.items():
            estimate = model.scores[name]
            if _by_interval(limits, estimate) and (math.isnan(estimate.low) or math.isnan(estimate.high)):
                rule = "be by value if the score has no interval"
                raise config.error(("thresholds", name), rule, "by interval")
            if wrong := beyond(limits, estimate):
                found.append(f"{model.name}: {name} {wrong}")
    return found


def beyond(limits: Limits, estimate: Estimate) -> str | None:
    """Return a description of how a score violates its limits, or None if it does not."""
    by_interval = _by_interval(limits, estimate)
    low, high = (estimate.low, estimate.high) if by_interval else (estimate.value, estimate.value)
    if limits.max is not None and not low <= limits.max:
        side = f"above {limits.max:g}"
    elif limits.min is not None and not high >= limits.min:
        side = f"below {limits.min:g}"
    else:
        return None
    interval = f", and so is its interval, {low:.6g} to {high:.6g}" if by_interval else ""
    return f"{estimate.value:.6g} is {side}{interval}"


def _by_interval(limits: Limits, estimate: Estimate) -> bool:
    """Return whether the interval decides; an infinite score has no interval, so its value decides."""
    return limits.by == "interval" and not math.isinf(estimate.value)
