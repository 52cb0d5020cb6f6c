"""Trees of many classes at the price of one: XGBoost finds their structure along a few random directions.

In the place of K scores it looks at the slope of the loss where all scores move along one random direction, and at the
curvature that the Hessian's diagonal has along it; the values of the leaves come from the whole gradient. The idea is that of
SketchBoost (Iosipoi and Vakhrushev, NeurIPS 2022, arXiv 2211.12858, random projections). XGBoost calls its interface for
this experimental, so this file alone uses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from ..._kernels import sketch as kernels
from ..._types import Array
from ...losses import Loss
from ._data import labels_and_weights
from ._model import has_vector_leaves
from ._objects import InPlaceObjective
from ._settings import VECTOR_LEAVES

try:
    from xgboost import objective as _interface
except ImportError:  # before 3.2
    _interface = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sketch:
    """How the structure of trees with a score per class is found: along random directions, drawn anew for each round.

    Experimental, as XGBoost's interface for it is. On nine sets of fourteen that it was judged on, the log loss of held-out
    rows was lower than with the better of XGBoost's own strategies, on the others higher: compare with
    ``multi_strategy="multi_output_tree"`` and no sketch. It can save time with many classes and thousands of rows; on small
    sets it takes longer.

    XGBoost does not have for such trees: categorical features, constraints, other tree methods than hist, dart, training in
    several processes, SHAP values (``pred_contribs``), dumps with statistics and ``trees_to_dataframe``.
    ``min_child_weight`` and ``gamma`` look at the sketch, whose Hessian is that of all classes together, so that values which
    were tuned without one mean something else. Only CPUs have been tried.

    Parameters
    ----------
    columns : int, default 2
        Directions of one round. More take longer, and were seldom better.
    seed : int, default 0
        Below 2^32. The same seed gives the same model, whatever the number of threads.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a whole number, or out of range.
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
        """Return the directions of a round, standard normal, ``(columns, K)``."""
        draw = np.random.default_rng([self.seed, iteration])
        return draw.standard_normal((self.columns, n_classes), dtype=np.float32) / np.float32(np.sqrt(self.columns))


def vector_leaves(
    sketch: Sketch, loss: Loss, settings: Mapping[str, Any], data: xgb.DMatrix, previous: xgb.Booster | None
) -> dict[str, str]:
    """Return the settings that the trees need; refuse what XGBoost cannot do with them, or does not have yet."""
    if not isinstance(sketch, Sketch):
        raise TypeError(f"sketch must be a Sketch or None, got {sketch!r}")
    if not loss.multiclass:
        raise ValueError(f"sketch must come with a loss of many classes, got {loss}, whose trees have one score anyway")
    _check_interface()
    if xgb.collective.get_world_size() > 1:
        raise NotImplementedError(
            "sketch must be left out where several processes train together, as with dask or Spark, got"
            f" {xgb.collective.get_world_size()} of them"
        )
    n_classes = settings.get("num_class") or labels_and_weights(data)[0].shape[1]
    if sketch.columns >= n_classes:
        raise ValueError(
            f"columns of the sketch must be fewer than the {n_classes} classes, got {sketch.columns}; leave the sketch out"
            ' and say multi_strategy="multi_output_tree" for trees that see the whole gradient'
        )
    for name, wanted in _WANTED.items():
        if name in settings and settings[name] not in wanted:
            raise ValueError(f"{name} must be {wanted[0]!r} or left out with a sketch, got {settings[name]!r}")
    for name in ("monotone_constraints", "interaction_constraints"):
        if name in settings:
            raise ValueError(f"{name} must be left out with a sketch, got {settings[name]!r}")
    types = data.feature_types or ()
    if "c" in types:
        column = types.index("c")
        raise ValueError(
            "features must be numbers with a sketch, since XGBoost's trees with vectors in their leaves take no categories,"
            f" got a categorical column {column if data.feature_names is None else data.feature_names[column]!r}"
        )
    if previous is not None and previous.num_boosted_rounds() and not has_vector_leaves(previous):
        raise ValueError("xgb_model must have been trained with a sketch or vector leaves, got one tree for each class")
    return VECTOR_LEAVES


#: What trees with vectors in their leaves ask for.
_WANTED: dict[str, tuple[str, ...]] = {
    "multi_strategy": ("multi_output_tree",),
    "tree_method": ("hist", "auto"),
    "booster": ("gbtree",),
    "process_type": ("default",),
    "updater": ("grow_quantile_histmaker",),
}


def _check_interface() -> None:
    """Raise unless XGBoost has the interface that this file is written for."""
    if _interface is None:
        raise ImportError(f"sketch needs xgboost 3.2 or newer, got {xgb.__version__}")
    method = getattr(getattr(_interface, "TreeObjective", None), "split_grad", None)
    if method is None or list(inspect.signature(method).parameters) != ["self", "iteration", "grad", "hess"]:
        raise NotImplementedError(
            "sketch needs xgboost's experimental TreeObjective.split_grad(iteration, grad, hess), which xgboost"
            f" {xgb.__version__} has no longer; leave out sketch or use an older xgboost"
        )


def sketched(loss: Loss, sketch: Sketch, first_round: int) -> Any:
    """Return an objective whose trees see the sketch; a continued training goes on with the next directions."""

    class Sketched(_interface.TreeObjective):
        """What XGBoost calls: the whole gradient for the leaves, the sketch of it for the structure."""

        def __init__(self) -> None:
            self.objective = InPlaceObjective(loss)

        def __call__(self, iteration: int, y_pred: Array, dtrain: xgb.DMatrix) -> tuple[Array, Array]:
            del iteration
            return self.objective(y_pred, dtrain)

        def split_grad(self, iteration: int, grad: Array, hess: Array) -> tuple[Array, Array]:
            directions = sketch.directions(first_round + iteration, grad.shape[1])
            slope = np.empty((len(grad), sketch.columns), np.float32)
            curvature = np.empty_like(slope)
            kernels.along(grad, hess, directions, slope, curvature)
            return slope, curvature

    return Sketched()
