"""Reading and editing what XGBoost stores in a model."""

from __future__ import annotations

import json
import os
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..losses import Loss
from ._shared import ATTRIBUTE, carried_loss, check_model

#: Marks a model that was trained on base margins, where XGBoost leaves the intercept out.
ON_MARGINS = f"{ATTRIBUTE}_on_base_margins"

Model: TypeAlias = "xgb.Booster | xgb.XGBModel"


def booster_of(model: Model) -> xgb.Booster:
    """The booster of a model, itself one or a scikit-learn estimator."""
    check_model(model, xgb.Booster, xgb.XGBModel)
    return model if isinstance(model, xgb.Booster) else model.get_booster()


def load(xgb_model: str | os.PathLike[str] | xgb.Booster | bytearray) -> xgb.Booster:
    """A booster, read from a file or bytes if it is none."""
    return xgb_model if isinstance(xgb_model, xgb.Booster) else xgb.Booster(model_file=xgb_model)


def loss_of(model: Model, given: Loss | None) -> Loss:
    """The loss that a model carries, or the one given."""
    return carried_loss(booster_of(model).attr(ATTRIBUTE), getattr(model, "objective", None), given)


class CarryLoss(xgb.callback.TrainingCallback):
    """Writes attributes before the first round, so that checkpoints have them too."""

    def __init__(self, **attributes: str) -> None:
        self.attributes = attributes

    def before_training(self, model: xgb.Booster) -> xgb.Booster:
        """Write them."""
        model.set_attr(**self.attributes)
        return model


def is_linear(booster: xgb.Booster) -> bool:
    """Is it a linear model? One of many classes has the intercept of class 0 for all of them."""
    return bool(json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] == "gblinear")


def has_vector_leaves(booster: xgb.Booster) -> bool:
    """Has its first tree a score for each class in its leaves? Only plain trees can; without a tree, no."""
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    if kind != "gbtree" or not booster.num_boosted_rounds():
        return False
    tree = json.loads(booster[:1].save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]
    return int(tree["tree_param"]["size_leaf_vector"]) > 1


def intercept(booster: xgb.Booster) -> npt.NDArray[np.float64]:
    """The raw score of no trees at all, one per class."""
    stored = json.loads(booster.save_config())["learner"]
    scores = np.atleast_1d(json.loads(stored["learner_model_param"]["base_score"])).astype(np.float64)
    name = stored["objective"]["name"]
    if name not in ("binary:logistic", "binary:logitraw", "multi:softprob", "multi:softmax", "reg:squarederror"):
        raise ValueError(f"the model must have been trained for classes, got the objective {name!r}")
    if name == "binary:logistic":
        scores = np.log(scores) - np.log1p(-scores)
    return scores


def with_link(booster: xgb.Booster, n_classes: int, base_score: float | list[float]) -> xgb.Booster:
    """A copy with a sigmoid or softmax as its link and another intercept, edited where XGBoost stores them."""
    model = json.loads(booster.save_raw("json"))
    learner = model["learner"]
    learner["learner_model_param"]["base_score"] = json.dumps(np.atleast_1d(base_score).tolist())
    if n_classes == 1:
        learner["objective"] = {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}
    else:
        learner["objective"] = {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": str(n_classes)}}
        learner["learner_model_param"].update(num_class=str(n_classes), num_target="1")
    served = xgb.Booster()
    served.load_model(bytearray(json.dumps(model, ensure_ascii=False).encode()))
    return served
