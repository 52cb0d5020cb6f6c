"""Estimators of the libraries behind one interface: an unfitted one that is trained with a loss, or a trained model."""

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

#: Values that ask for nothing.
_NEUTRAL = {"scale_pos_weight": 1, "num_class": 1, "num_classes": 1}


class Labelled(NamedTuple):
    """Rows with class codes and, where they have any, weights."""

    X: Any
    y: npt.NDArray[np.intp]
    weight: Array | None


@dataclass(frozen=True)
class Stopping:
    """When to stop a training early: after so many rounds without a better score on the held-out rows."""

    rounds: int
    score: Score | None = None
    greater_is_better: bool = False


class EarlyStopping(NamedTuple):
    """The held-out rows of a training, the metric of them, and the rounds without a better value after which it stops."""

    held_out: Labelled
    metric: Callable[..., Any]
    rounds: int


@dataclass(frozen=True)
class Library:
    """What differs between the libraries.

    ``estimator`` in the functions is the unfitted one of a :class:`Trainer`, None for a model that came trained.
    """

    #: The class of its unfitted estimators.
    kind: type
    #: Objectives that such an estimator may have, since a loss stands for them.
    usual_objectives: tuple[str, ...]
    #: Parameters that it must leave out, with what to use instead.
    refused: Mapping[str, str]
    #: Arguments of its ``fit`` that concern columns.
    column_options: tuple[str, ...]
    metric: type[MetricBase]
    #: A model of the library's own; the number of rounds, if given, replaces the estimator's.
    train: Callable[[Trainer, Labelled, EarlyStopping | None, int | None], Any]
    #: ``(model, X, estimator)``: raw scores with the init score.
    raw_score: Callable[[Any, Any, Any], Array]
    #: The number of rounds that the raw scores of a model use: up to the best round of an early-stopped one.
    rounds: Callable[[Any], int]
    #: ``(model, estimator)``: one number per feature, as the estimator would give.
    feature_importances: Callable[[Any, Any], Array]
    #: ``(model, given)``: its loss, or the one given where the model carries none and has no objective that tells it.
    loss_of: Callable[[Any, Loss | None], Loss]
    has_sketches: bool = False


@dataclass(frozen=True)
class Trained:
    """Models of a library, all of one loss, with what a classifier asks of them."""

    library: Library
    loss: Loss
    estimator: Any = None

    def raw_score(self, model: Any, X: Any) -> Array:
        """Return raw scores with the init score."""
        return self.library.raw_score(model, as_library_takes(X), self.estimator)

    def rounds(self, model: Any) -> int:
        """Return the number of rounds that its raw scores use."""
        return self.library.rounds(model)

    def feature_importances(self, model: Any) -> Array:
        """Return one number per feature, as the estimator would give."""
        return self.library.feature_importances(model, self.estimator)


@dataclass(frozen=True)
class Trainer(Trained):
    """An unfitted estimator and a loss, as something that trains models of the library's own.

    ``options`` are arguments of the estimator's ``fit`` that concern columns, ``seed`` is for an estimator that has none.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    sketch: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimator", _checked(self.library, self.estimator, self.options))
        if self.sketch is not None and not self.library.has_sketches:
            kind = type(self.estimator).__name__
            raise ValueError(f"sketch must be left out for {kind}, which has no such trees, got {self.sketch!r}")

    def train(
        self,
        data: Labelled,
        *,
        held_out: Labelled | None = None,
        stopping: Stopping | None = None,
        rounds: int | None = None,
    ) -> Any:
        """Train a model; ``rounds`` replaces the estimator's number of rounds, ``stopping`` looks at the held-out rows."""
        early = None
        if held_out is not None and stopping is not None:
            metric: Any = self.library.metric(self.loss, stopping.score, greater_is_better=stopping.greater_is_better)
            early = EarlyStopping(_converted(held_out), metric, stopping.rounds)
        return self.library.train(self, _converted(data), early, rounds)


def _converted(data: Labelled) -> Labelled:
    return data._replace(X=as_library_takes(data.X))


def _checked(library: Library, estimator: Any, options: Mapping[str, Any]) -> Any:
    """Return a new estimator of the same parameters; scikit-learn's clone would refuse CatBoost's lists.

    Refuse an objective beside the usual ones, which the loss would replace without a message; parameters that something else
    stands for; and unknown options for ``fit``.
    """
    kind, given = type(estimator).__name__, estimator.get_params()
    for name in ("objective", "loss_function"):
        if given.get(name) is not None and given[name] not in library.usual_objectives:
            raise ValueError(f"{kind} must have no objective of its own, which loss= is for, got {given[name]!r}")
    for name, instead in library.refused.items():
        value = given.get(name)
        if value is None or value is False or (name in _NEUTRAL and value == _NEUTRAL[name]):
            continue
        if name.startswith("early_stopping") and value == 0:  # off
            continue
        raise ValueError(f"{kind} must leave out {name}, got {value!r}; use {instead}")
    for name in options:
        if name not in library.column_options:
            known = ", ".join(library.column_options)
            raise TypeError(f"fit takes sample_weight, groups and, for {kind}, {known}; got {name!r}")
    return type(estimator)(**given)
