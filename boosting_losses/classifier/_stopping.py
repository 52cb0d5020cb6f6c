"""Validation of the parameter ``early_stopping``."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping

from .. import metrics
from ..adapters._estimators import Stopping


def stopping_of(early_stopping: object) -> Stopping | None:
    """Return the early stopping that is specified by an int, a dict or None."""
    if early_stopping is None:
        return None
    given = dict(early_stopping) if isinstance(early_stopping, Mapping) else {"rounds": early_stopping}
    rounds, metric = given.pop("rounds", None), given.pop("metric", "loss")
    greater_is_better = given.pop("greater_is_better", False)
    if given:
        raise ValueError(
            f"the keys of early_stopping must be rounds, metric or greater_is_better, got {next(iter(given))!r}"
        )
    if isinstance(rounds, bool) or not isinstance(rounds, numbers.Integral) or rounds < 1:
        raise ValueError(
            f"early_stopping must be an integer number of rounds >= 1, or a dict that contains it, got {rounds!r}"
        )
    scores: dict[str, Callable[..., float] | None] = {"loss": None, "refinement": metrics.refinement_loss}
    if isinstance(metric, str):
        if metric not in scores:
            raise ValueError(f"the metric of early_stopping must be 'loss', 'refinement' or a callable, got {metric!r}")
        return Stopping(int(rounds), scores[metric])
    if not callable(metric):
        raise TypeError(f"the metric of early_stopping must be 'loss', 'refinement' or a callable, got {metric!r}")
    return Stopping(int(rounds), metric, bool(greater_is_better))
