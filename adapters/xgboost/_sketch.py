"""Sketched trees: multiclass trees whose structure XGBoost finds along a few random directions, to save time.

For the structure, XGBoost uses the slope of the loss along each random direction, instead of K gradients, and the curvature
of the diagonal Hessian along it. The leaf values are computed from the whole gradient. The method is the random projection of
SketchBoost (Iosipoi and Vakhrushev, NeurIPS 2022, arXiv 2211.12858). XGBoost's interface for it is experimental, so only this
module uses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from ..._kernels import sketch as kernels
from ..._threads import each_part
from ..._types import Array
from ...losses import Loss
from ._data import labels_and_weights
from ._model import has_vector_leaves
from ._objects import InPlaceObjective
from ._settings import VECTOR_LEAVES

try:
    from xgboost import objective as _interface
except ImportError:  # xgboost before 3.2 lacks the interface
    _interface = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sketch:
    """Settings of sketched trees: trees with one score per class, whose structure is found along random directions.

    The directions are drawn anew in each round. Sketched trees are experimental, like XGBoost's interface for them. On nine
    of fourteen evaluated data sets, the held-out log loss was lower than with the better of XGBoost's own strategies; on the
    other five it was higher. Compare with ``multi_strategy="multi_output_tree"`` without a sketch. A sketch can save time
    with many classes and thousands of rows, but takes longer on small data sets.

    For such trees, XGBoost does not support categorical features, constraints, tree methods other than hist, dart,
    distributed training, SHAP values (``pred_contribs``), dumps with statistics or ``trees_to_dataframe``.
    ``min_child_weight`` and ``gamma`` apply to the sketch, whose Hessian covers all classes together, so values that were
    tuned without a sketch do not transfer. Only CPUs have been tested.

    Parameters
    ----------
    columns : int, default 2
        Number of directions per round. More directions take longer and were rarely better.
    seed : int, default 0
        Random seed, less than 2^32. The same seed gives the same model for any number of threads.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not an integer, or is out of range.
    """

    columns: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("columns", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise TypeError(f"{name} must be a whole number, got {value!r}")
            if not least <= value < 2**32:
                raise ValueError(f"{name} must be >= {least} and < 2**32, got {value}")
            object.__setattr__(self, name, int(value))

    def directions(self, iteration: int, n_classes: int) -> Array:
        """Return the directions of a round, ``(columns, K)``: standard normal, divided by the root of ``columns``."""
        draw = np.random.default_rng([self.seed, iteration])
        return draw.standard_normal((self.columns, n_classes), dtype=np.float32) / np.float32(np.sqrt(self.columns))


def vector_leaves(
    sketch: Sketch, loss: Loss, settings: Mapping[str, Any], data: xgb.DMatrix, previous: xgb.Booster | None
) -> dict[str, str]:
    """Return the settings that sketched trees require; raise an error for anything they do not support."""
    if not isinstance(sketch, Sketch):
        raise TypeError(f"sketch must be a Sketch or None, got {sketch!r}")
    if not loss.multiclass:
        raise ValueError(
            f"sketch must be used with a multiclass loss, got {loss}, whose trees already have a single score"
        )
    _check_interface()
    if xgb.collective.get_world_size() > 1:
        raise NotImplementedError(
            "sketch must be omitted in distributed training, as with Dask or Spark, got"
            f" {xgb.collective.get_world_size()} processes"
        )
    n_classes = settings.get("num_class") or labels_and_weights(data)[0].shape[1]
    if sketch.columns >= n_classes:
        raise ValueError(
            f"columns of the sketch must be fewer than the {n_classes} classes, got {sketch.columns}; for trees that use the"
            ' whole gradient, omit the sketch and set multi_strategy="multi_output_tree"'
        )
    for name, wanted in _WANTED.items():
        if name in settings and settings[name] not in wanted:
            raise ValueError(f"{name} must be {wanted[0]!r} or omitted with a sketch, got {settings[name]!r}")
    for name in ("monotone_constraints", "interaction_constraints"):
        if name in settings:
            raise ValueError(f"{name} must be omitted with a sketch, got {settings[name]!r}")
    types = data.feature_types or ()
    if "c" in types:
        column = types.index("c")
        raise ValueError(
            "features must be numeric with a sketch, because XGBoost's trees with vector leaves do not support categories,"
            f" got a categorical column {column if data.feature_names is None else data.feature_names[column]!r}"
        )
    if previous is not None and previous.num_boosted_rounds() and not has_vector_leaves(previous):
        raise ValueError("xgb_model must have been trained with a sketch or vector leaves, got one tree for each class")
    return VECTOR_LEAVES


#: The work of a product with a direction, relative to that of a raw score.
_WORK = 0.2

#: Parameter values that trees with vector leaves support.
_WANTED: dict[str, tuple[str, ...]] = {
    "multi_strategy": ("multi_output_tree",),
    "tree_method": ("hist", "auto"),
    "booster": ("gbtree",),
    "process_type": ("default",),
    "updater": ("grow_quantile_histmaker",),
}


def _check_interface() -> None:
    """Raise an error unless XGBoost has the experimental interface that this module requires."""
    if _interface is None:
        raise ImportError(f"sketch requires xgboost 3.2 or newer, got {xgb.__version__}")
    method = getattr(getattr(_interface, "TreeObjective", None), "split_grad", None)
    if method is None or list(inspect.signature(method).parameters) != ["self", "iteration", "grad", "hess"]:
        raise NotImplementedError(
            "sketch requires xgboost's experimental TreeObjective.split_grad(iteration, grad, hess), which xgboost"
            f" {xgb.__version__} no longer has; omit sketch or use an older xgboost"
        )


def sketched(loss: Loss, sketch: Sketch, first_round: int) -> Any:
    """Return an objective that gives the sketch to the trees; continued training uses the next directions."""

    class Sketched(_interface.TreeObjective):
        """An objective that returns the whole gradient for the leaf values and its sketch for the tree structure."""

        def __init__(self) -> None:
            self.objective = InPlaceObjective(loss)

        def __call__(self, iteration: int, y_pred: Array, dtrain: xgb.DMatrix) -> tuple[Array, Array]:
            del iteration
            return self.objective(y_pred, dtrain)

        def split_grad(self, iteration: int, grad: Array, hess: Array) -> tuple[Array, Array]:
            directions = sketch.directions(first_round + iteration, grad.shape[1])
            slope = np.empty((len(grad), sketch.columns), np.float32)
            curvature = np.empty_like(slope)

            def fill(rows: slice) -> None:
                kernels.along(grad[rows], hess[rows], directions, slope[rows], curvature[rows])

            each_part(fill, len(grad), width=_WORK * grad.shape[1] * sketch.columns)
            return slope, curvature

    return Sketched()
