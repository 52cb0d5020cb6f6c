"""Training an unfitted scikit-learn estimator of a library through its adapter: what the three have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import Loss
from ._shared import Score

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


def checked(
    estimator: Any,
    options: Mapping[str, Any],
    usual: tuple[str, ...],
    refused: Mapping[str, str],
    known: tuple[str, ...],
) -> Any:
    """A new estimator of the same parameters, which scikit-learn's clone would refuse where CatBoost's are lists.

    Refused are an objective beside the ``usual`` ones, which the loss would replace without a word; parameters that something
    else of ours stands for, ``refused`` with what to use instead; and ``options`` for ``fit`` beside those ``known``.
    """
    kind, given = type(estimator).__name__, estimator.get_params()
    for name in ("objective", "loss_function"):
        if given.get(name) is not None and given[name] not in usual:
            raise ValueError(f"{kind} must have no objective of its own, which loss= is for, got {given[name]!r}")
    for name, instead in refused.items():
        value = given.get(name)
        if value is None or value is False or (name in _NEUTRAL and value == _NEUTRAL[name]):
            continue
        if name.startswith("early_stopping") and value == 0:  # off
            continue
        raise ValueError(f"{kind} must leave out {name}, got {value!r}; use {instead}")
    for name in options:
        if name not in known:
            raise TypeError(f"fit takes sample_weight, groups and, for {kind}, {', '.join(known)}; got {name!r}")
    return type(estimator)(**given)


def as_library_takes(X: Any) -> Any:
    """X in a form that every library knows.

    LightGBM predicts no sparse arrays and CatBoost takes none, but matrices with indices of 32 bits. A polars frame becomes
    one of pandas, its categories pandas categories.
    """
    if hasattr(X, "tocsr"):
        from scipy.sparse import csr_matrix  # noqa: PLC0415  (it is there: X is one of its kind)

        rows = X.tocsr()
        return csr_matrix((rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int32)), shape=rows.shape)
    if type(X).__module__.partition(".")[0] != "polars":
        return X
    try:
        import pandas as pd  # noqa: PLC0415  (only for this)
    except ImportError:
        raise ImportError("X is a polars frame, which needs pandas on its way to the boosting library") from None
    return pd.DataFrame({name: _column(X[name], pd) for name in X.columns})


def _column(column: Any, pd: Any) -> Any:
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        return pd.Categorical([None if value is None else str(value) for value in column.to_list()])
    return column.to_list() if kind.startswith(("String", "Utf8")) else column.to_numpy()
