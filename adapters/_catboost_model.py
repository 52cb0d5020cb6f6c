"""Adding trees to a CatBoost model.

CatBoost's own ``init_model`` forgets the bias of a model that is still in the process that trained it, and refuses a
multiclass model of a custom objective that was loaded. So the scores of the first model become the baseline of the second,
and the two are summed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np

from ..losses import Loss
from ._shared import ATTRIBUTE, Array, check_same_loss


def checked_model(init_model: cb.CatBoost | str | Path, loss: Loss, pool: cb.Pool) -> cb.CatBoost:
    """The model to continue; refuses one of another loss, and what CatBoost cannot add."""
    model = init_model if isinstance(init_model, cb.CatBoost) else cb.CatBoost().load_model(str(init_model))
    metadata = model.get_metadata()
    stored = metadata.get(ATTRIBUTE)
    check_same_loss(loss, stored, "init_model")
    if stored is None:
        trained_with = (
            json.loads(metadata.get("params") or "{}").get("loss_function", {}).get("type", "an unknown loss")
        )
        alike = ("Logloss", "CrossEntropy") if loss.is_proper and not loss.multiclass else ()
        if trained_with not in (*alike, "PythonUserDefinedPerObject"):
            raise ValueError(f"init_model must have been trained with loss={loss}, got a model of {trained_with}")
    if model.get_scale_and_bias()[0] != 1:
        raise ValueError(f"init_model must have scale 1, got {model.get_scale_and_bias()[0]}")
    if pool.get_text_feature_indices() or pool.get_embedding_feature_indices():
        raise ValueError("init_model must be left out for text and embedding features: CatBoost cannot add such models")
    return model


def check_same_classes(previous: cb.CatBoost, names: tuple[Any, ...] | None, codes: Array) -> None:
    """Refuse to continue a model on other classes, in another order, or on data that lack one."""
    known = tuple(previous.classes_.tolist()) if len(previous.classes_) else None
    if known is not None and names is not None and [str(name) for name in known] != [str(name) for name in names]:
        raise ValueError(f"init_model must have the classes {list(names)} in this order, got {list(known)}")
    if names is not None and len(np.unique(codes)) < len(names):
        missing = next(name for code, name in enumerate(names) if code not in codes)
        raise ValueError(f"labels must be of every class {list(names)} of init_model, got none of {missing!r}")


def on_top_of(previous: cb.CatBoost, pool: cb.Pool) -> cb.Pool:
    """A copy of a pool that starts from the scores of a model, and from its own baseline if it has one."""
    start = np.asarray(previous.predict(pool, prediction_type="RawFormulaVal")).reshape(pool.num_row(), -1)
    own = np.asarray(pool.get_baseline())
    copy = pool.slice(np.arange(pool.num_row()))
    copy.set_baseline(start + own if own.size else start)
    return copy


def added(previous: cb.CatBoost, model: cb.CatBoost) -> cb.CatBoost:
    """The sum of two models of the same classes; without their names, as CatBoost sums named ones of 2 classes only."""
    parts = [previous.copy(), model.copy()]
    class_names = [exchange_class_names(part, []) for part in parts][-1]
    for part in parts:
        _forget_builtin_classes(part)
    total = cb.sum_models(parts)
    exchange_class_names(total, class_names)
    return total


def _forget_builtin_classes(model: cb.CatBoost) -> None:
    """Take out the classes that CatBoost's own multiclass loss writes, or is assumed to mean, beside the names."""
    metadata = model.get_metadata()
    if metadata.get("class_params") is not None:
        del metadata["class_params"]
        params = json.loads(metadata["params"])
        params["loss_function"] = {"type": "PythonUserDefinedPerObject", "params": {}}
        metadata["params"] = json.dumps(params)


def exchange_class_names(model: cb.CatBoost, names: list[Any]) -> list[Any]:
    """Write other class names into a model and return those that it had."""
    metadata = model.get_metadata()
    params = json.loads(metadata.get("params") or "{}")
    options = params.setdefault("data_processing_options", {})
    before: list[Any] = options.get("class_names", [])
    options["class_names"] = names
    metadata["params"] = json.dumps(params)
    return before
