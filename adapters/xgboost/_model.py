"""Functions that read and edit the data that XGBoost stores in a model."""

from __future__ import annotations

import json
import os
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ...losses import Loss, loss_from_json, loss_to_json
from .._loss import ATTRIBUTE, carried_loss, check_same_loss, loss_of_objective
from .._prediction import check_model

#: Marks a model that was trained on base margins, which replace the init score.
ON_MARGINS = f"{ATTRIBUTE}_on_base_margins"

#: Marks a served model whose init score contains the posterior offset of class weights; base margins would replace it.
SHIFTED = f"{ATTRIBUTE}_shifted"

#: Objectives of binary losses with which ``predict`` returns raw scores; the second occurs in older files.
IDENTITIES = {"reg:squarederror", "binary:logitraw"}

Model: TypeAlias = "xgb.Booster | xgb.XGBModel"


def booster_of(model: Model) -> xgb.Booster:
    """Return the booster of a model, which is a booster or a scikit-learn estimator."""
    check_model(model, xgb.Booster, xgb.XGBModel)
    return model if isinstance(model, xgb.Booster) else model.get_booster()


def load(xgb_model: Model | str | os.PathLike[str] | bytes | bytearray, loss: Loss) -> xgb.Booster:
    """Return the booster to continue with a loss, given as a booster, an estimator, a path or bytes."""
    if isinstance(xgb_model, str | os.PathLike):
        return xgb.Booster(model_file=xgb_model)
    if isinstance(xgb_model, bytes | bytearray):
        return xgb.Booster(model_file=bytearray(xgb_model))
    if not isinstance(xgb_model, xgb.Booster | xgb.XGBModel):
        raise TypeError(
            f"xgb_model must be a Booster, an XGBModel, a path, bytes or a bytearray, got {type(xgb_model).__name__}"
        )
    if (own := loss_of_objective(getattr(xgb_model, "objective", None))) is not None:
        check_same_loss(loss, loss_to_json(own), "xgb_model")
    return booster_of(xgb_model)


def loss_of(model: Model, given: Loss | None) -> Loss:
    """Return the loss that a model carries, or the given loss; raise ValueError if the stored objective contradicts it."""
    booster = booster_of(model)
    stored, of_estimator = booster.attr(ATTRIBUTE), getattr(model, "objective", None)
    if stored is not None and loss_of_objective(of_estimator) is None:
        loss, objective = loss_from_json(stored), objective_of(booster)
        if objective not in _OBJECTIVES[loss.multiclass, loss.is_proper]:
            raise ValueError(
                f"the model must have been trained with {loss} to the end, got the objective {objective!r}: xgboost.train"
                f" has continued it; use its own predict, or remove its attribute {ATTRIBUTE!r} (set_attr) and pass the"
                " loss of its last rounds as loss="
            )
    return carried_loss(stored, of_estimator, given)


#: The objectives that a model may store, by whether its loss is multiclass and whether it is proper.
_OBJECTIVES: dict[tuple[bool, bool], set[str]] = {
    (False, True): {"binary:logistic", "binary:logitraw"},
    (False, False): IDENTITIES,
    (True, True): {"multi:softprob", "multi:softmax", "reg:squarederror"},
    (True, False): {"reg:squarederror"},
}


def objective_of(booster: xgb.Booster) -> str:
    """Return the name of the objective that the booster stores."""
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def is_linear(booster: xgb.Booster) -> bool:
    """Return whether the booster is linear; a multiclass linear model uses the init score of class 0 for all classes."""
    return bool(json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] == "gblinear")


def has_vector_leaves(booster: xgb.Booster) -> bool:
    """Return whether the leaves of the first tree contain one score per class; dart does not support such trees."""
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    if kind != "gbtree" or not booster.num_boosted_rounds():
        return False
    tree = json.loads(booster[:1].save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]
    return int(tree["tree_param"]["size_leaf_vector"]) > 1


def init_score_of(booster: xgb.Booster) -> npt.NDArray[np.float64]:
    """Return the init score of a booster, one value per class: its raw score without any trees."""
    stored = json.loads(booster.save_config())["learner"]
    scores = np.atleast_1d(json.loads(stored["learner_model_param"]["base_score"])).astype(np.float64)
    name = stored["objective"]["name"]
    if name not in ("binary:logistic", "binary:logitraw", "multi:softprob", "multi:softmax", "reg:squarederror"):
        raise ValueError(f"the model must have been trained for classes, got the objective {name!r}")
    if name == "binary:logistic":
        scores = np.log(scores) - np.log1p(-scores)
    return scores


def with_link(booster: xgb.Booster, n_classes: int, base_score: float | list[float]) -> xgb.Booster:
    """Return a copy whose stored link is a sigmoid or softmax, and whose stored base score is replaced."""
    model = json.loads(booster.save_raw("json"))
    learner = model["learner"]
    learner["gradient_booster"] = _weighted_trees(learner["gradient_booster"])
    learner["learner_model_param"]["base_score"] = json.dumps(np.atleast_1d(base_score).tolist())
    if n_classes == 1:
        learner["objective"] = {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}
    else:
        learner["objective"] = {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": str(n_classes)}}
        learner["learner_model_param"].update(num_class=str(n_classes), num_target="1")
    served = xgb.Booster()
    served.load_model(bytearray(json.dumps(model, ensure_ascii=False).encode()))
    return served


def _weighted_trees(stored: dict[str, Any]) -> dict[str, Any]:
    """Return plain trees, with dart's weights multiplied into their leaves.

    Most tools that read model files do not support tree weights.
    """
    if stored["name"] == "dart":  # the file format before xgboost 3.4
        weights, stored = stored["weight_drop"], stored["gbtree"]
    else:
        weights = stored["model"].pop("weight_drop", None) or ()
    for tree, weight in zip(stored["model"].get("trees", ()), weights, strict=False):
        tree["base_weights"] = [weight * value for value in tree["base_weights"]]
        tree["split_conditions"] = [
            weight * value if left == -1 else value
            for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
        ]
    return stored
