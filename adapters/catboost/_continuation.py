"""Functions that add trees to a CatBoost model.

CatBoost's own ``init_model`` ignores the bias of a model that was trained in the same process, and rejects a multiclass model
of a custom objective that was loaded from a file. Therefore the scores of the first model become the baseline of the second
model, and the two models are summed.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._loss import ATTRIBUTE, check_same_loss, loss_of_objective
from .._prediction import check_model
from ._model import OWN_BINARY, exchange_class_names, missing_init_score, name_loss_function, reloaded, trained_with


def checked_model(init_model: cb.CatBoost | str | os.PathLike[str], loss: Loss, pool: cb.Pool) -> cb.CatBoost:
    """Return the model to continue, including its init score.

    Raise an error if the model was trained with another loss, or if CatBoost cannot add to it.
    """
    if isinstance(init_model, (str, os.PathLike)):
        model = cb.CatBoost().load_model(os.fspath(init_model))
    else:
        check_model(init_model, cb.CatBoost, argument="init_model")
        model = init_model
    if not model.is_fitted():
        raise ValueError(f"init_model must be trained, got a {type(model).__name__} that is not")
    _check_loss(model, loss)
    scale, bias = model.get_scale_and_bias()
    if scale != 1:
        raise ValueError(f"init_model must have scale 1, got {scale}")
    if pool.get_text_feature_indices() or pool.get_embedding_feature_indices():
        raise ValueError("init_model must be omitted for text and embedding features: CatBoost cannot add such models")
    if np.any(missing := np.asarray(missing_init_score(model))):
        model = reloaded(model, cb.CatBoost)
        model.set_scale_and_bias(1, np.atleast_1d(np.asarray(bias) + missing).tolist())
    return model


def _check_loss(model: cb.CatBoost, loss: Loss) -> None:
    """Raise ValueError if the model was trained with another loss, or contains neither its loss nor its init score."""
    stored = model.get_metadata().get(ATTRIBUTE)
    if stored is None and (own := loss_of_objective(model.get_params().get("loss_function"))) is not None:
        stored = loss_to_json(own)
    check_same_loss(loss, stored, "init_model")
    if stored is not None:
        return
    name = trained_with(model)
    if name == "PythonUserDefinedPerObject":
        raise ValueError(
            "init_model must carry its loss and its init score, but a file of a model trained with Objective directly does"
            " not; pass the unsaved model, or use train of this package"
        )
    if name not in OWN_BINARY or loss.multiclass or not loss.is_proper:
        raise ValueError(f"init_model must have been trained with loss={loss}, got a model of {name}")


def check_same_classes(previous: cb.CatBoost, names: tuple[Any, ...] | None, codes: Array) -> None:
    """Raise ValueError if the data to continue on have other classes, another class order, or a class without rows."""
    known = tuple(previous.classes_.tolist()) if len(previous.classes_) else None
    if known is not None and names is not None and [str(name) for name in known] != [str(name) for name in names]:
        raise ValueError(f"init_model must have the classes {list(names)} in this order, got {list(known)}")
    if names is not None and len(np.unique(codes)) < len(names):
        missing = next(name for code, name in enumerate(names) if code not in codes)
        raise ValueError(f"labels must contain every class {list(names)} of init_model, got none of {missing!r}")


def on_top_of(previous: cb.CatBoost, pool: cb.Pool) -> cb.Pool:
    """Return a copy of a pool whose baseline is the scores of a model, plus the pool's own baseline if it has one."""
    start = np.asarray(previous.predict(pool, prediction_type="RawFormulaVal")).reshape(pool.num_row(), -1)
    own = np.asarray(pool.get_baseline())
    copy = pool.slice(np.arange(pool.num_row()))
    copy.set_baseline(start + own if own.size else start)
    return copy


def added(previous: cb.CatBoost, model: cb.CatBoost) -> cb.CatBoost:
    """Return the sum of two models with the same classes.

    The class names are removed before the sum and restored afterwards: CatBoost sums models with names for 2 classes only.
    """
    parts = [previous.copy(), model.copy()]
    class_names = [exchange_class_names(part, []) for part in parts][-1]
    for part in parts:
        _forget_builtin_classes(part)
    total = _sum(parts)
    exchange_class_names(total, class_names)
    return total


def _sum(parts: list[cb.CatBoost]) -> cb.CatBoost:
    """Return the sum of models, in which each part uses its own statistics of the categories."""
    if not any(part.get_cat_feature_indices() for part in parts):
        return cb.sum_models(parts)
    try:
        total = cb.sum_models(parts, ctr_merge_policy="KeepAllTables")
    except cb.CatBoostError:  # CatBoost does not support this for non-symmetric trees
        return _sum_of_equal_statistics(parts)
    if not total.tree_count_:
        return total
    # CatBoost cannot save such a sum, because its tables refer to memory of the parts. Summing it with itself creates new
    # tables, which are averages of two equal tables. The second half of the trees, with weight 0, is removed.
    own = cb.sum_models([total, total], weights=[1, 0], ctr_merge_policy="IntersectingCountersAverage")
    own.shrink(total.tree_count_)
    metadata = own.get_metadata()
    for name in list(metadata.keys()):
        del metadata[name]
    for name, text in total.get_metadata().items():
        metadata[name] = text
    return own


def _sum_of_equal_statistics(parts: list[cb.CatBoost]) -> cb.CatBoost:
    """Return the sum of models with non-symmetric trees; raise ValueError if their statistics of the categories differ.

    For such models, CatBoost can only average the statistics.
    """
    first, second = (_statistics(part) for part in parts)
    if any(first[name] != second[name] for name in first.keys() & second.keys()):
        raise ValueError(
            "init_model must have been trained on the same data: CatBoost cannot add models with non-symmetric trees and"
            " different statistics of the categories; use the default grow_policy, or one-hot categories (one_hot_max_size)"
        )
    return reloaded(cb.sum_models(parts), cb.CatBoost)  # otherwise its tables refer to memory of the parts


def _statistics(model: cb.CatBoost) -> dict[str, Any]:
    """Return the tables of category statistics, keyed by their features."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("ctr_data", {})
    return tables


def _forget_builtin_classes(model: cb.CatBoost) -> None:
    """Remove the class parameters that CatBoost's own multiclass loss stores, or that CatBoost assumes for that loss."""
    metadata = model.get_metadata()
    if metadata.get("class_params") is not None:
        del metadata["class_params"]
        name_loss_function(model, "PythonUserDefinedPerObject")
