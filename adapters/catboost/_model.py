"""Functions that read and edit the loss, the classes and the init score that CatBoost stores in a model."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np

from ...losses import Loss, loss_to_json
from .._init_score import InitScore
from .._loss import ATTRIBUTE, carried_loss
from .._prediction import check_model
from ._objects import Objective

#: CatBoost's own losses with one score per sample whose posterior is a sigmoid.
OWN_BINARY = ("Logloss", "CrossEntropy")


def loss_of(model: cb.CatBoost, given: Loss | None) -> Loss:
    """Return the loss that a model carries, or the given loss."""
    check_model(model, cb.CatBoost)
    return carried_loss(model.get_metadata().get(ATTRIBUTE), model.get_params().get("loss_function"), given)


def missing_init_score(model: cb.CatBoost) -> InitScore:
    """Return the init score in the objective of a model, or 0 if the model already contains it."""
    objective = model.get_params().get("loss_function")
    if isinstance(objective, Objective) and model.get_metadata().get(ATTRIBUTE) is None:
        return objective.init_score
    return 0.0


def finished(model: cb.CatBoost, loss: Loss, init_score: InitScore) -> cb.CatBoost:
    """Store the init score in the model, and the loss in its metadata."""
    set_init_score(model, init_score)
    model.get_metadata()[ATTRIBUTE] = loss_to_json(loss)
    return model


def set_init_score(model: cb.CatBoost, init_score: InitScore) -> None:
    """Set the model's bias to the init score, or add the init score to the first tree if CatBoost would ignore the bias.

    CatBoost's ONNX export and its explanations of probabilities ignore the bias for its own losses with one score.
    """
    bias = np.atleast_1d(np.asarray(init_score, dtype=np.float64))
    if trained_with(model) in OWN_BINARY and model.tree_count_:
        leaves = np.array(model.get_leaf_values())
        leaves[: model.get_tree_leaf_counts()[0]] += bias[0]
        model.set_leaf_values(leaves)
        bias = np.zeros(1)
    model.set_scale_and_bias(1, bias.tolist())


def trained_with(model: cb.CatBoost) -> str:
    """Return the name of the loss function that the model stores."""
    params = json.loads(model.get_metadata().get("params") or "{}")
    return str(params.get("loss_function", {}).get("type", "an unknown loss"))


def name_loss_function(model: cb.CatBoost, name: str) -> None:
    """Change the name of the loss function that the model stores."""
    metadata = model.get_metadata()
    params = json.loads(metadata.get("params") or "{}")
    params["loss_function"] = {"type": name, "params": {}}
    metadata["params"] = json.dumps(params)


def exchange_class_names(model: cb.CatBoost, names: list[Any]) -> list[Any]:
    """Replace the class names of a model and return the previous ones."""
    metadata = model.get_metadata()
    params = json.loads(metadata.get("params") or "{}")
    options = params.setdefault("data_processing_options", {})
    before: list[Any] = options.get("class_names", [])
    options["class_names"] = names
    metadata["params"] = json.dumps(params)
    return before


def reloaded(model: cb.CatBoost, kind: type[cb.CatBoost]) -> cb.CatBoost:
    """Return a copy of a model as another class, through a file, because the leaves of ``model.copy()`` cannot be changed."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.cbm")
        model.save_model(path)
        return kind().load_model(path)
