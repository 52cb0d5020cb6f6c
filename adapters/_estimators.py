"""Training an unfitted scikit-learn estimator of a library through its adapter: what the three have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..losses import Loss
from ._shared import Array, Score


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


class Trainer(Protocol):
    """An unfitted estimator and a loss, as something that trains models of the library's own.

    ``options`` are arguments of the estimator's ``fit`` that concern columns, ``seed`` is for an estimator that has none.
    """

    estimator: Any
    loss: Loss

    def train(self, data: Labelled, held_out: Labelled | None, stopping: Stopping | None, rounds: int | None) -> Any:
        """A model; ``rounds`` replaces the estimator's number of rounds."""

    def raw_score(self, model: Any, X: Any) -> Array:
        """Raw scores with the intercept."""

    def rounds(self, model: Any) -> int:
        """The number of rounds that its raw scores use."""

    def feature_importances(self, model: Any) -> Array:
        """One number per feature, as the estimator would give."""


def checked_options(options: Mapping[str, Any], known: tuple[str, ...], estimator: object) -> dict[str, Any]:
    """Arguments for ``fit`` that the estimator's library has a meaning for."""
    for name in options:
        if name not in known:
            raise TypeError(
                f"fit takes sample_weight, groups and, for {type(estimator).__name__}, {', '.join(known)}; got {name!r}"
            )
    return dict(options)


def refuse_parameters(settings: Mapping[str, Any], refused: Mapping[str, str], estimator: object) -> None:
    """Refuse parameters of the estimator that something else of ours stands for; each with what to use instead."""
    for name, instead in refused.items():
        value = settings.get(name)
        if value is not None and value is not False and not (isinstance(value, (int, float)) and value == 1):
            raise ValueError(f"{type(estimator).__name__} must leave out {name}, got {value!r}; use {instead}")


def refuse_objective(objective: object, usual: tuple[str, ...], estimator: object) -> None:
    """Refuse an objective of the caller's, which the loss would replace without a word."""
    if objective is not None and objective not in usual:
        raise ValueError(
            f"{type(estimator).__name__} must have no objective of its own, which loss= is for, got {objective!r}"
        )


def as_pandas(X: Any) -> Any:
    """A polars frame as a pandas one, with its text and categories as pandas categories; anything else as it is."""
    if type(X).__module__.partition(".")[0] != "polars":
        return X
    try:
        import pandas as pd  # noqa: PLC0415  (only for this)
    except ImportError:
        raise ImportError("X is a polars frame, which needs pandas on its way to the boosting library") from None
    frame = X.collect() if hasattr(X, "collect") else X
    return pd.DataFrame({name: _column(frame[name], pd) for name in frame.columns})


def _column(column: Any, pd: Any) -> Any:
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        names = column.cat.get_categories().to_list()
        return pd.Categorical(column.cast(_text(column)).to_list(), categories=names)
    if kind.startswith(("String", "Utf8")):
        return pd.Categorical(column.to_list())
    return column.to_numpy()


def _text(column: Any) -> Any:
    import polars as pl  # noqa: PLC0415  (it is there: the column is one of its)

    return pl.String
