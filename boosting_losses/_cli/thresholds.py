"""The checks of scores against the thresholds and the baseline of a configuration."""

from __future__ import annotations

import math
from collections.abc import Collection

from ..metrics import Estimate
from ..report import ProbabilityReport
from .config import Evaluation, Limits


def broken(report: ProbabilityReport, config: Evaluation, names: Collection[str] | None = None) -> list[str]:
    """Return one line for each threshold that the score of a model violates; ``names`` selects models."""
    found = []
    for model in report.models:
        if names is not None and model.name not in names:
            continue
        for key, limits in config.thresholds.items():
            name = config.score(key)
            estimate = model.scores[name]
            if _by_interval(limits, estimate) and (math.isnan(estimate.low) or math.isnan(estimate.high)):
                rule = "be by value if the score has no interval"
                raise config.error(("thresholds", key), rule, "by interval")
            if wrong := beyond(limits, estimate):
                found.append(f"{model.name}: {name} {wrong}")
    return found


def above_baseline(report: ProbabilityReport, config: Evaluation, names: Collection[str]) -> tuple[list[str], str]:
    """Return one line for each model whose log loss is too far above the baseline, and a note if this is not checked."""
    rule = config.monitoring.rule()
    if rule is None:
        return [], ""
    if report.rows < rule.min_samples_for_alert:
        fewer = f"{report.rows:,} rows are fewer than min_samples_for_alert, {rule.min_samples_for_alert:,}"
        return [], f"baseline not checked: {fewer}"
    name = config.score("log_loss")
    of_model = {model.name: model.scores[name].value for model in report.models if model.name in names}
    limit = f"{rule.limit:.6g}, the baseline of {rule.baseline:g} plus {rule.alert_threshold_pct:g} %"
    lines = [
        f"{model}: {name} {value:.6g} is above {limit}, on {report.rows:,} rows"
        for model, value in of_model.items()
        if not value <= rule.limit
    ]
    return lines, ""


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
