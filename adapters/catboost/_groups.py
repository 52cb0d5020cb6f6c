"""Weights of grouped data, which a ``Pool`` does not expose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np

from ..._types import Array
from .._parameters import without_none


def has_groups(pool: cb.Pool) -> bool:
    """Return whether the rows of a pool belong to groups."""
    return pool.get_group_id_hash() is not None


def weights_in_groups(pool: cb.Pool, names: tuple[Any, ...] | None, settings: Mapping[str, Any]) -> Array:
    """Return the weights of grouped rows in training: the weight of the row or the group, times the class weight.

    A pool does not expose its ``group_weight``, but CatBoost passes the weights to metrics. Therefore this function trains a
    model with a single split, on the rows in their original order, and its metric records the weights.
    """
    metric = _Weights()
    probe = {name: settings.get(name) for name in ("class_weights", "auto_class_weights", "thread_count")} | {
        "loss_function": "CrossEntropy" if names is None else "Logloss" if len(names) == 2 else "MultiClass",
        "eval_metric": metric,
        "class_names": names,
        "iterations": 1,
        "depth": 1,
        "has_time": True,
        "max_ctr_complexity": 1,
        "logging_level": "Silent",
        "allow_writing_files": False,
    }
    cb.train(pool, without_none(probe))
    return metric.weight


class _Weights:
    """A metric that stores the weights it is called with."""

    no_jit = True
    weight: Array

    def evaluate(self, approxes: Any, target: Array, weight: Array | None) -> tuple[float, float]:
        """Store the weights and return a constant."""
        self.weight = np.ones(len(target)) if weight is None else np.array(weight, dtype=np.float64)
        return 0.0, 1.0

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the error unchanged."""
        return error

    def is_max_optimal(self) -> bool:
        """Return False; the value has no effect here."""
        return False

    def __deepcopy__(self, memo: dict[int, Any]) -> _Weights:
        return self
