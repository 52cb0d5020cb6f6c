"""A common interface to the libraries' estimators: unfitted ones to train with a loss, and trained models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import Loss
from ._features import as_library_takes
from ._metric import MetricBase, Score

#: Values of refused parameters that have no effect and are therefore allowed.
_NEUTRAL = {"scale_pos_weight": 1, "num_class": 1, "num_classes": 1}


class Labelled(NamedTuple):
    """Rows with class codes and optional weights."""

    X: Any
    y: npt.NDArray[np.intp]
    weight: Array | None


@dataclass(frozen=True)
class Stopping:
    """Early-stopping settings: the maximum number of rounds without a better score on the held-out rows."""

    rounds: int
    score: Score | None = None
    greater_is_better: bool = False


class EarlyStopping(NamedTuple):
    """The held-out rows, their metric, and the number of rounds without improvement after which training stops."""

    held_out: Labelled
    metric: Callable[..., Any]
    rounds: int


@dataclass(frozen=True)
class Library:
    """The library-specific functions and constants.

    In the functions, ``estimator`` is the unfitted estimator of a :class:`Trainer`, or None if the caller passed a trained
    model.
    """

    #: The class of the library's estimators.
    kind: type
    #: Builtin objectives that an estimator may have set, because a loss of this package replaces them.
    usual_objectives: tuple[str, ...]
    #: Parameters that an estimator must not set, each with its replacement.
    refused: Mapping[str, str]
    #: Arguments of the estimator's ``fit`` that concern columns.
    column_options: tuple[str, ...]
    metric: type[MetricBase]
    #: Trains a native model of the library; the number of rounds, if given, replaces the estimator's.
    train: Callable[[Trainer, Labelled, EarlyStopping | None, int | None], Any]
    #: ``(model, X, estimator)``: returns raw scores that include the init score.
    raw_score: Callable[[Any, Any, Any], Array]
    #: Returns the number of rounds used for raw scores: up to the best round for an early-stopped model.
    rounds: Callable[[Any], int]
    #: ``(model, estimator)``: returns one importance per feature, as the estimator would.
    feature_importances: Callable[[Any, Any], Array]
    #: ``(model, given)``: returns the model's loss, or the given one if neither the model nor its objective specifies a loss.
    loss_of: Callable[[Any, Loss | None], Loss]
    has_sketches: bool = False


@dataclass(frozen=True)
class Trained:
    """The operations that a classifier needs on models of one library and one loss."""

    library: Library
    loss: Loss
    estimator: Any = None

    def raw_score(self, model: Any, X: Any) -> Array:
        """Return raw scores that include the init score."""
        return self.library.raw_score(model, as_library_takes(X), self.estimator)

    def rounds(self, model: Any) -> int:
        """Return the number of rounds used for the model's raw scores."""
        return self.library.rounds(model)

    def feature_importances(self, model: Any) -> Array:
        """Return one importance per feature, as the estimator would."""
        return self.library.feature_importances(model, self.estimator)


@dataclass(frozen=True)
class Trainer(Trained):
    """Trains native models of a library from an unfitted estimator and a loss.

    ``options`` are arguments of the estimator's ``fit`` that concern columns. ``seed`` is used if the estimator has none.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    sketch: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimator", _checked(self.library, self.estimator, self.options))
        if self.sketch is not None and not self.library.has_sketches:
            kind = type(self.estimator).__name__
            raise ValueError(f"sketch must be omitted for {kind}, which has no sketched trees, got {self.sketch!r}")

    def train(
        self,
        data: Labelled,
        *,
        held_out: Labelled | None = None,
        stopping: Stopping | None = None,
        rounds: int | None = None,
    ) -> Any:
        """Train a model; ``rounds`` replaces the estimator's number of rounds, ``stopping`` uses the held-out rows."""
        early = None
        if held_out is not None and stopping is not None:
            metric: Any = self.library.metric(self.loss, stopping.score, greater_is_better=stopping.greater_is_better)
            early = EarlyStopping(_converted(held_out), metric, stopping.rounds)
        return self.library.train(self, _converted(data), early, rounds)


def _converted(data: Labelled) -> Labelled:
    return data._replace(X=as_library_takes(data.X))


def _checked(library: Library, estimator: Any, options: Mapping[str, Any]) -> Any:
    """Return a new estimator with the same parameters, after checking them.

    The function does not use scikit-learn's ``clone``, because ``clone`` rejects CatBoost's list parameters. It raises an
    error for an unusual objective (the loss would silently replace it), for parameters that have a replacement, and for
    unknown options of ``fit``.
    """
    kind, given = type(estimator).__name__, estimator.get_params()
    for name in ("objective", "loss_function"):
        if given.get(name) is not None and given[name] not in library.usual_objectives:
            raise ValueError(f"{kind} must not set an objective, because loss= replaces it, got {given[name]!r}")
    for name, instead in library.refused.items():
        value = given.get(name)
        if value is None or value is False or (name in _NEUTRAL and value == _NEUTRAL[name]):
            continue
        if name.startswith("early_stopping") and value == 0:  # early stopping is disabled
            continue
        raise ValueError(f"{kind} must not set {name}, got {value!r}; use {instead}")
    for name in options:
        if name not in library.column_options:
            known = ", ".join(library.column_options)
            raise TypeError(f"fit takes sample_weight, groups and, for {kind}, {known}; got {name!r}")
    return type(estimator)(**given)
