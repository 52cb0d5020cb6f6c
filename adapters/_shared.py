"""What the adapters have in common; knows no boosting library."""

from __future__ import annotations

import copy
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from .. import metrics
from .._types import Array
from ..losses import LogLoss, Loss, SoftmaxCrossEntropy, loss_from_json, loss_to_json
from ..metrics._raw_scores import means_of_raw

Score = Callable[..., float]

#: Scores that a kernel computes from raw scores, in the order of its results.
_OF_RAW: tuple[Score, ...] = (metrics.log_loss, metrics.brier_score)

#: The name under which a model file carries its loss.
ATTRIBUTE = "boosting_losses"


@dataclass(frozen=True)
class MetricBase:
    """A loss, or a score of the probabilities that it implies, as an eval metric.

    ``init_score`` is the constant that the objective adds to the scores that the library hands over.
    """

    loss: Loss
    score: Score | None = None
    input: Literal["raw", "proba"] = "raw"
    name: str | None = None
    greater_is_better: bool = False
    init_score: float | tuple[float, ...] = 0.0

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
                f"score must have a __name__ without blanks and colons, which libraries cannot read back, got {self.label!r};"
                " pass name="
            )

    @property
    def label(self) -> str:
        """The name that logs show."""
        if self.name is not None:
            return self.name
        if self.score is not None:
            return str(getattr(self.score, "__name__", type(self.score).__name__))
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.loss).__name__).lower()

    def value(self, y_true: npt.ArrayLike, predictions: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> float:
        """The metric of predictions that are raw scores or probabilities, as ``input`` says."""
        start = self.init_score if np.any(self.init_score) else None
        if self.score is None:
            raw = predictions if self.input == "raw" else metrics.logits(predictions)
            total, weight = self.loss.sum_and_weight(y_true, raw, sample_weight, shift=start)
            return total / weight
        if self.input == "raw":
            classes = np.shape(predictions)[1] if self.loss.multiclass else 2
            offset = self.loss.posterior_offset(classes) if self.score in _OF_RAW else None
            if offset is not None:  # in one pass, without the probabilities
                constant = offset if start is None else offset + np.asarray(start)
                return means_of_raw(y_true, predictions, sample_weight, constant)[_OF_RAW.index(self.score)]
            predictions = shifted(predictions, self.init_score)
            if self.score is metrics.refinement_loss:  # which probabilities that round to 0 or 1 would spoil
                return metrics.refinement_loss(y_true, None, sample_weight, raw=self.loss.posterior_logits(predictions))
            predictions = self.loss.posterior(predictions)
        if sample_weight is None:
            return float(self.score(y_true, predictions))
        return float(self.score(y_true, predictions, sample_weight=sample_weight))

    def starting_from(self, init_score: float | tuple[float, ...]) -> Self:
        """The same metric of scores that lack another constant."""
        metric = copy.copy(self)
        object.__setattr__(metric, "init_score", init_score)
        return metric

    def __deepcopy__(self, memo: dict[int, Any]) -> MetricBase:
        return self  # immutable


def check_loss(loss: object) -> None:
    """Refuse what is not a loss; most often its class instead of an object."""
    if not isinstance(loss, Loss):
        hint = f"; did you mean {loss.__name__}()?" if isinstance(loss, type) and issubclass(loss, Loss) else ""
        raise TypeError(f"loss must be a Loss, such as LogLoss(), got {loss!r}{hint}")


def check_storable(loss: object) -> None:
    """Refuse what is not a loss, or one that a model could not carry."""
    check_loss(loss)
    loss_to_json(cast(Loss, loss))


def check_same_loss(loss: Loss, stored: str | None, argument: str) -> None:
    """Refuse to continue a model that was trained with another loss; ``stored`` is what the model carries."""
    if stored is not None and loss_from_json(stored) != loss:
        raise ValueError(f"{argument} must have been trained with loss={loss}, got a model of {loss_from_json(stored)}")


def servable_offset(loss: Loss, n_classes: int) -> Array:
    """What a served model must add to its raw scores; refuses a loss for which no constant will do."""
    offset = loss.posterior_offset(n_classes)
    if offset is None:
        raise ValueError(
            f"the posterior of {loss} is not a sigmoid or softmax of its raw scores, so no model file can give it; use"
            " predict_proba"
        )
    return np.asarray(offset)


def check_metric(metric: object, loss: Loss) -> None:
    """Refuse a metric of ours that would misread the raw scores of a training with this loss."""
    if not isinstance(metric, MetricBase):
        return
    if metric.input != "raw":
        raise ValueError(
            f"the metric {metric.label!r} must have input='raw': training with a loss of ours hands over raw scores, got"
            f" input={metric.input!r}"
        )
    if metric.loss != loss:
        raise ValueError(
            f"the metric {metric.label!r} must be of the loss that is trained, {loss}, got one of {metric.loss}; for another"
            " score of the same probabilities use Metric(loss, score)"
        )


def check_model(model: object, *kinds: type, argument: str = "model") -> None:
    """Refuse what is not a model of the library, such as what contains one."""
    if isinstance(model, kinds):
        return
    hint = ""
    if hasattr(model, "best_estimator_"):
        hint = "; pass its best_estimator_"
    elif hasattr(model, "steps"):
        hint = "; pass its last step, and the X that the other steps make"
    elif isinstance(model, (str, os.PathLike)):
        hint = "; load the file first"
    names = " or ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{argument} must be a {names}, got {type(model).__name__}{hint}")


def served_loss(loss: Loss) -> Loss:
    """The loss whose posterior is the plain activation: what a served model carries, its shift being folded in."""
    return SoftmaxCrossEntropy() if loss.multiclass else LogLoss()


def without_none(params: Any) -> dict[str, Any]:
    """Parameters without those that are None, which is how libraries say that they were not given."""
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping, got {type(params).__name__}")
    return {name: value for name, value in (params or {}).items() if value is not None}


def is_one(value: object) -> bool:
    """Is a parameter 1, as a number or as text?"""
    try:
        return float(str(value)) == 1.0
    except ValueError:
        return False


def checked_num_class(value: object, loss: Loss) -> int | None:
    """The number of classes, as a number or as text, for a multiclass loss; None for a binary one or if not given."""
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not (number >= 0 and number.is_integer()):
        raise ValueError(f"num_class must be a whole number of classes, got {value!r}")
    if not loss.multiclass:
        if number > 1:
            raise ValueError(f"num_class must be left out for the binary {loss}, got {value!r}")
        return None
    if number < 2:
        raise ValueError(f"num_class must be at least 2 for {loss}, got {value!r}")
    return int(number)


def switch(name: str, value: object) -> bool:
    """A parameter that libraries take as a boolean, a 0 or 1, or a word."""
    known = {"true": True, "1": True, "false": False, "0": False}
    word = str(value).strip().lower()
    if word not in known:
        raise ValueError(f"{name} must be true or false, got {value!r}")
    return known[word]


def carried_loss(stored: str | None, objective: object, given: Loss | None) -> Loss:
    """The loss that a model was trained with: in its metadata, of its objective, or given where it carries none.

    Whichever of them are known must agree: a wrong one gives wrong probabilities without a word.
    """
    known = {}
    if given is not None:
        check_loss(given)
        known["loss="] = given
    if stored is not None:
        known["its metadata"] = loss_from_json(stored)
    if isinstance(loss := getattr(objective, "loss", None), Loss):
        known["its objective"] = loss
    if not known:
        raise ValueError(
            "the model carries no loss; pass the one it was trained with as loss= (a bare objective's intercept is not in"
            " the model either)"
        )
    if len(set(known.values())) > 1:
        losses = ", ".join(f"{loss} in {place}" for place, loss in known.items()).replace(" in loss=", " as loss=")
        raise ValueError(f"loss must be the one that the model was trained with, got {losses}")
    return next(iter(known.values()))


def constant(init_score: object) -> float | tuple[float, ...]:
    """An init score, of one score or of K, as something immutable."""
    scores = np.atleast_1d(np.asarray(init_score, dtype=np.float64))
    return float(scores[0]) if scores.size == 1 else tuple(scores.tolist())


def shifted(raw: npt.ArrayLike, init_score: float | tuple[float, ...]) -> npt.ArrayLike:
    """Raw scores with the constant added that training started from; the same array where that is 0."""
    return np.asarray(raw) + np.asarray(init_score) if np.any(init_score) else raw


def two_columns(loss: Loss, raw: Array) -> Array:
    """Class probabilities as ``(n, K)``, of the dtype of the raw scores; a binary loss gives the second of two columns.

    In single precision 1 - p would have no digits left where p is close to 1.
    """
    if loss.multiclass:
        return loss.posterior(raw)
    proba = loss.posterior(raw.astype(np.float64))
    return np.column_stack([1 - proba, proba]).astype(raw.dtype)
