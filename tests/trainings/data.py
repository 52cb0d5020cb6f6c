"""Rows, labels, weights and losses for the trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from boosting_losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss


class Rows(NamedTuple):
    """The arrays of a training set or an evaluation set."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    margin: np.ndarray | None


@dataclass(frozen=True)
class Data:
    """The specification of randomly drawn rows."""

    seed: int = 0
    rows: int = 80
    classes: int = 2
    soft: bool = False
    weights: str | None = None
    margins: bool = False
    missing: bool = False
    categories: bool = False
    rare: bool = False

    @property
    def integer_weights(self) -> bool:
        return self.weights in ("integer", "zeros")

    def draw(self, part: int = 0, lacks: bool = False) -> Rows:
        """Draw one part: 0 for training, others for evaluation or continuation; ``lacks`` omits the last class."""
        rng = np.random.default_rng([self.seed, part])
        n, k = self.rows, self.classes
        X = np.column_stack([rng.integers(0, 10, n), rng.integers(0, 4, n), rng.standard_normal(n), rng.random(n)])
        kinds = rng.integers(0, 6, n)
        rule = np.random.default_rng(
            [self.seed, 1000 + part // 2]
        )  # parts 0 and 1 have the same true model, 2 and 3 another
        effect = rule.standard_normal((6, k))
        scores = np.outer(X[:, 0] / 5 - 1, rule.standard_normal(k)) + np.outer(X[:, 2], rule.standard_normal(k))
        scores += effect[kinds] * (1.5 if self.categories else 0.0) + rng.gumbel(size=(n, k))
        if self.rare:
            scores[:, 0] += 2.0
        labels = scores.argmax(1)
        labels[:k] = np.arange(k)  # every class has at least one row
        if lacks:
            labels[labels == k - 1] = 0
        y = labels.astype(np.float64)
        if self.soft and k == 2:
            y = np.clip(np.round(0.8 * y + 0.3 * rng.random(n), 2), 0, 1)
        elif self.soft:
            y = 0.7 * np.eye(k)[labels] + 0.3 * rng.dirichlet(np.ones(k), n)
        X = X.astype(np.float32)
        if self.missing:
            X[rng.random(X.shape) < 0.1] = np.nan
        margin = None
        if self.margins:
            margin = np.round(rng.standard_normal(n if k == 2 else (n, k)), 3)
        return Rows(self._frame(X, kinds) if self.categories else X, y, self._weight(rng, n), margin)

    def _weight(self, rng: np.random.Generator, n: int) -> np.ndarray | None:
        if self.weights is None:
            return None
        weight = rng.integers(0 if self.weights == "zeros" else 1, 4, n).astype(np.float64)
        weight[: self.classes] = 1.0
        return {"tiny": 1e-6 * weight, "real": weight + rng.random(n)}.get(self.weights, weight)

    def _frame(self, X: np.ndarray, kinds: np.ndarray) -> Any:
        import pandas as pd

        frame = pd.DataFrame(X, columns=list("abcd"))
        frame["kind"] = pd.Categorical([f"k{kind}" for kind in kinds], categories=[f"k{kind}" for kind in range(6)])
        return frame


@dataclass(frozen=True)
class Training:
    """A training: data, loss, settings, and the steps before and after it.

    ``first`` specifies how the continued model was trained; ``lacks`` is True if a class is missing from later data.
    """

    data: Data
    loss: Loss
    settings: dict[str, Any]
    rounds: int = 5
    evals: tuple[str, ...] = ()
    metric: str | None = None
    stopping: int | None = None
    first: str | None = None
    lacks: bool = False


def repeated(rows: Rows) -> Rows:
    """Repeat each row as many times as its integer weight."""
    count = rows.weight.astype(int)
    X = rows.X.loc[np.repeat(rows.X.index, count)] if hasattr(rows.X, "loc") else np.repeat(rows.X, count, axis=0)
    return Rows(
        X, np.repeat(rows.y, count, axis=0), None, None if rows.margin is None else rows.margin.repeat(count, 0)
    )


@st.composite
def data(draw, *, soft_classes: bool = False) -> Data:
    """Draw data with two to four classes; soft labels for more than two only if the library supports them."""
    classes = draw(st.sampled_from([2, 2, 3, 4]))
    return Data(
        seed=draw(st.integers(0, 10_000)),
        rows=draw(st.sampled_from([40, 80, 150])),
        classes=classes,
        soft=draw(st.booleans()) and draw(st.booleans()) if classes == 2 or soft_classes else False,
        weights=draw(st.sampled_from([None, None, "integer", "zeros", "real", "tiny"])),
        margins=draw(st.integers(0, 4)) == 0,
        missing=draw(st.booleans()),
        categories=draw(st.booleans()),
        rare=draw(st.booleans()),
    )


@st.composite
def losses(draw, classes: int) -> Loss:
    """Draw a loss for the number of classes; plain log loss is as likely as all other losses together."""
    gamma = draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
    hessian = draw(st.sampled_from(["guarded", "guarded", "exact"]))
    kind = draw(st.sampled_from(["plain", "plain", "weighted", "focal", "focal"]))
    smoothing = draw(st.sampled_from([0.0, 0.0, 0.1])) if kind == "weighted" else 0.0
    if classes == 2:
        if kind == "focal":
            return FocalLoss(gamma, draw(st.sampled_from([None, 0.25, 0.9])), hessian)
        return LogLoss(draw(st.sampled_from([0.2, 3.5])) if kind == "weighted" else 1.0, smoothing)
    weights = draw(st.sampled_from([None, tuple(0.5 + index for index in range(classes))]))
    if kind == "focal":
        return SoftmaxFocalLoss(gamma, weights, hessian)
    return SoftmaxCrossEntropy(weights if kind == "weighted" else None, smoothing)
