"""The base class of the eval metrics of all libraries."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from .. import metrics
from ..losses import Loss
from ..metrics._raw_scores import means_of_raw
from ._init_score import InitScore, as_init_score, plus_init_score
from ._loss import check_loss

Score = Callable[..., float]

#: Scores that a kernel computes directly from raw scores, in the order in which the kernel returns them.
_OF_RAW: tuple[Score, ...] = (metrics.log_loss, metrics.brier_score)


#: Scores that are means over rows; None is the loss.
_MEANS: tuple[Score | None, ...] = (None, *_OF_RAW)


@dataclass(frozen=True)
class MetricBase:
    """An eval metric: a loss, or a score of the probabilities that the loss implies.

    ``init_score`` is the constant that the objective adds to the scores that the library passes to it.
    """

    loss: Loss
    score: Score | None = None
    _: KW_ONLY
    input: Literal["raw", "proba"] = "raw"
    name: str | None = None
    greater_is_better: bool = False
    init_score: InitScore = 0.0

    def __post_init__(self) -> None:
        check_loss(self.loss)
        if self.score is not None and not callable(self.score):
            raise TypeError(f"score must be a function (y_true, proba, sample_weight), got {self.score!r}")
        if self.input not in ("raw", "proba"):
            raise ValueError(f"input must be 'raw' or 'proba', got {self.input!r}")
        if self.name is not None and not re.fullmatch(r"[A-Za-z]\w*", self.name):
            raise ValueError(f"name must be a letter followed by letters, digits or underscores, got {self.name!r}")
        if not re.fullmatch(r"[^\s:]+", self.label):
            raise ValueError(
                "score must have a __name__ without spaces or colons, because libraries cannot parse such names, got"
                f" {self.label!r}; pass name='...'"
            )
        object.__setattr__(self, "init_score", as_init_score(self.init_score))

    @property
    def is_mean(self) -> bool:
        """Whether the value is known to be a mean over rows, so that the values of several processes can be combined."""
        return self.score in _MEANS

    @property
    def label(self) -> str:
        """The name shown in logs."""
        if self.name is not None:
            return self.name
        if self.score is not None:
            return str(getattr(self.score, "__name__", type(self.score).__name__))
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.loss).__name__).lower()

    def value(self, y_true: npt.ArrayLike, predictions: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> float:
        """Return the value of the metric; ``input`` says whether predictions are raw scores or probabilities."""
        init_score = self.init_score if np.any(self.init_score) else None
        if self.score is None:
            raw = predictions if self.input == "raw" else metrics.logits(predictions)
            total, weight = self.loss.sum_and_weight(y_true, raw, sample_weight, shift=init_score)
            return total / weight
        if self.input == "raw":
            classes = np.shape(predictions)[1] if self.loss.multiclass else 2
            offset = self.loss.posterior_offset(classes) if self.score in _OF_RAW else None
            if offset is not None:  # one pass over the raw scores, without computing probabilities
                constant = offset if init_score is None else offset + np.asarray(init_score)
                return means_of_raw(y_true, predictions, sample_weight, constant)[_OF_RAW.index(self.score)]
            predictions = plus_init_score(predictions, self.init_score)
            if self.score is metrics.refinement_loss:  # from raw scores, because probabilities may round to 0 or 1
                return metrics.refinement_loss(y_true, None, sample_weight, raw=self.loss.posterior_logits(predictions))
            predictions = self.loss.posterior(predictions)
        if sample_weight is None:
            return float(self.score(y_true, predictions))
        return float(self.score(y_true, predictions, sample_weight=sample_weight))

    def with_init_score(self, init_score: InitScore) -> Self:
        """Return a copy of the metric with another init score."""
        metric = copy.copy(self)
        object.__setattr__(metric, "init_score", init_score)
        return metric

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # immutable


@cache
def warn_of_no_mean(label: str) -> None:
    """Warn once per metric that its distributed value is only a mean over processes."""
    warnings.warn(
        f"the metric {label!r} is not known to be a mean over rows: in distributed training, its value is the mean of the"
        " values of the processes, weighted by the total sample weight of each process",
        stacklevel=2,
    )


def check_metric(metric: object, loss: Loss) -> None:
    """Raise ValueError if a :class:`MetricBase` would misread the raw scores of a model trained with this loss."""
    if not isinstance(metric, MetricBase):
        return
    if metric.input != "raw":
        raise ValueError(
            f"the metric {metric.label!r} must have input='raw', because training with loss= passes raw scores to metrics,"
            f" got input={metric.input!r}"
        )
    if metric.loss != loss:
        raise ValueError(
            f"the metric {metric.label!r} must use the training loss {loss}, got {metric.loss}; for another score of the same"
            " probabilities, use Metric(loss, score)"
        )
