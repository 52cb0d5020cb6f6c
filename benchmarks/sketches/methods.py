"""Methods to train trees for many classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from boosting_losses import SoftmaxCrossEntropy
from boosting_losses._types import Array
from boosting_losses.adapters.xgboost import Objective, Sketch
from boosting_losses.adapters.xgboost._sketch import sketched

try:
    from xgboost.objective import TreeObjective
except ImportError as error:
    raise ImportError(f"sketches need xgboost 3.2 or newer ({error})") from error

#: The strategies of XGBoost: one tree per class, or one tree whose leaves contain a value for each class.
BUILTIN = {"one tree a class": "one_output_per_tree", "vector leaves": "multi_output_tree"}
#: The shipped method, ``Sketch()``: two projections.
SHIPPED = "sketch"
#: Other methods: the columns or projections of the gradient that the trees use, their number, and the Hessian used.
CANDIDATES = {
    "1 sampled class": ("sampled", 1, ""),
    "2 sampled classes": ("sampled", 2, ""),
    "largest class": ("largest", 1, ""),
    "1 projection": ("projection", 1, "along"),
    "1 projection, Hessian 1": ("projection", 1, "one"),
    "1 projection, summed Hessian": ("projection", 1, "sum"),
    "4 projections": ("projection", 4, "along"),
    "1 unit projection": ("unit", 1, "along"),
    "2 unit projections": ("unit", 2, "along"),
    "1 scaled projection": ("scaled", 1, "along"),
    "2 scaled projections": ("scaled", 2, "along"),
}
#: A control: if trees with less information merely overfit less, a random half of the features per node helps equally.
HALF = ", half the features"
OTHERS = (*CANDIDATES, *(f"{method}{HALF}" for method in (*BUILTIN, SHIPPED)))


def settings(method: str) -> dict[str, Any]:
    """Return the parameters of XGBoost that are specific to the method."""
    strategy = {"multi_strategy": BUILTIN.get(method.removesuffix(HALF), "multi_output_tree")}
    return {**strategy, "colsample_bynode": 0.5} if method.endswith(HALF) else strategy


def objective(method: str, seed: int) -> Any:
    """Return the objective for ``xgboost.Booster.update``, or None for the builtin objective."""
    method = method.removesuffix(HALF)
    if method in BUILTIN:
        return None
    if method == SHIPPED:
        return sketched(SoftmaxCrossEntropy(), Sketch(seed=seed), 0)
    return Candidate(*CANDIDATES[method], seed)


class Candidate(TreeObjective):
    """A softmax cross-entropy objective that finds the tree structure on a reduced gradient."""

    def __init__(self, kind: str, columns: int, hessian: str, seed: int) -> None:
        self._objective = Objective(SoftmaxCrossEntropy())
        self._kind, self._columns, self._hessian, self._seed = kind, columns, hessian, seed

    def __call__(self, iteration: int, y_pred: Any, dtrain: Any) -> tuple[Array, Array]:
        """Return the whole gradient and Hessian, which determine the leaf values."""
        del iteration
        return self._objective(y_pred, dtrain)

    def split_grad(self, iteration: int, grad: Any, hess: Any) -> tuple[Array, Array]:
        """Return the gradient and Hessian that determine the tree structure in this round."""
        random = np.random.default_rng([self._seed, iteration])
        if self._kind in ("sampled", "largest"):
            return self._columns_of(grad, hess, random)
        directions = random.standard_normal((grad.shape[1], self._columns), dtype=np.float32)
        directions /= np.sqrt(self._columns, dtype=np.float32)
        if self._kind == "unit":  # reg_lambda is then relative to the curvature of one class, not of all
            directions /= np.sqrt(np.float32(len(directions)))
        if self._kind == "scaled":  # every class then has the same mean curvature
            directions /= np.sqrt(np.maximum(hess.mean(axis=0), 1e-12))[:, None]
        curvature: Array = hess @ directions**2
        if self._hessian == "one":
            curvature = np.ones_like(curvature)
        elif self._hessian == "sum":
            curvature = np.repeat(hess.sum(axis=1, keepdims=True), self._columns, axis=1)
        return grad @ directions, curvature

    def _columns_of(self, grad: Array, hess: Array, random: np.random.Generator) -> tuple[Array, Array]:
        """Return the column of the class with the largest gradient, or of classes sampled by their squared gradient."""
        squares = np.einsum("ij,ij->j", grad, grad, dtype=np.float64)
        if self._kind == "largest":
            chosen, factor = np.array([int(squares.argmax())]), np.ones(1)
        else:
            shares = squares / squares.sum()
            chosen = random.choice(len(shares), self._columns, p=shares)
            factor = 1.0 / np.sqrt(self._columns * shares[chosen]) if self._columns > 1 else np.ones(1)
        sketch = grad[:, chosen] * factor.astype(np.float32)
        return np.ascontiguousarray(sketch), np.ascontiguousarray(hess[:, chosen])
