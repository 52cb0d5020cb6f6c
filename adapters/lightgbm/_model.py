"""Functions that read and edit the text that LightGBM stores for a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np

from ...losses import Loss, loss_to_json
from .._init_score import InitScore
from .._loss import ATTRIBUTE, carried_loss, check_same_loss, check_values, loss_of_objective
from .._prediction import check_model
from ._data import has_init_score, labels_and_weights
from ._objects import Objective

Model: TypeAlias = "lgb.Booster | lgb.LGBMModel"


def booster_of(model: Model) -> lgb.Booster:
    """Return the booster of a model, which is a booster or a scikit-learn estimator."""
    check_model(model, lgb.Booster, lgb.LGBMModel)
    return model if isinstance(model, lgb.Booster) else model.booster_


def missing_init_score(model: Model) -> InitScore:
    """Return the init score in the objective of a scikit-learn estimator, which its trees do not contain; otherwise 0."""
    objective = getattr(model, "objective", None)
    return objective.init_score if isinstance(objective, Objective) else 0.0


def loss_of(model: Model, given: Loss | None) -> Loss:
    """Return the loss that a model carries, or the given loss."""
    return carried_loss(getattr(booster_of(model), ATTRIBUTE, None), getattr(model, "objective", None), given)


def continued(init_model: str | Path | Model, loss: Loss, data: lgb.Dataset) -> lgb.Booster:
    """Return the model to continue on these data, with its init score in its trees; raise ValueError if they do not match."""
    booster = continued_model(init_model, loss)
    if has_init_score(data):
        raise ValueError("train_set must have no init scores when init_model is given, because it would replace them")
    check_values(loss, *labels_and_weights(data), booster.num_model_per_iteration())
    return booster


def continued_model(init_model: str | Path | Model, loss: Loss) -> lgb.Booster:
    """Return the model to continue, with its init score in its trees; raise ValueError if it has another loss."""
    model = lgb.Booster(model_file=init_model) if isinstance(init_model, (str, Path)) else init_model
    check_model(model, lgb.Booster, lgb.LGBMModel, argument="init_model")
    booster = booster_of(model)
    check_same_loss(loss, getattr(booster, ATTRIBUTE, None), "init_model")
    if (own := loss_of_objective(getattr(model, "objective", None))) is not None:
        check_same_loss(loss, loss_to_json(own), "init_model")
    n_classes = booster.num_model_per_iteration()
    text = booster.model_to_string(num_iteration=1)
    link = next((line for line in text.splitlines() if line.startswith("objective=")), None)
    expected = link_line(loss.multiclass, n_classes) if loss.is_proper else None
    if link not in (None, expected):
        raise ValueError(f"init_model must have been trained with loss={loss}, got a model with {link!r}")
    missing = np.atleast_1d(missing_init_score(model))
    if not missing.any():
        return booster
    return lgb.Booster(model_str=edited(booster.model_to_string(), missing.tolist(), expected))


def link_line(multiclass: bool, n_classes: int) -> str:
    """Return the line that makes LightGBM's own ``predict`` apply a sigmoid or softmax."""
    return f"objective=multiclass num_class:{n_classes}" if multiclass else "objective=binary sigmoid:1"


def link_params(link: str | None) -> dict[str, Any]:
    """Return the link as parameters, which SHAP and ONNX converters read."""
    if link is None:
        return {}
    name, _, option = link.removeprefix("objective=").partition(" ")
    key, _, value = option.partition(":")
    return {"objective": name, key: int(value)}


def edited(text: str, init_score: Sequence[float], link: str | None) -> str:
    """Return the text of a model with an init score added, and with the given link or none.

    The init score is added to the first tree of each class, as LightGBM does with its own. A linear leaf stores two
    constants: ``leaf_const``, and ``leaf_value`` for rows with missing values. The link is written to the header, which
    LightGBM reads, and to the parameters at the end, which other tools read. Trees that dart has dropped are restored.
    """
    header, *trees = re.split(r"^(?=Tree=)", text, flags=re.MULTILINE)
    trees = [_put_back(tree) for tree in trees]
    if len(trees) < len(init_score) and np.any(init_score):
        raise ValueError("the model must have a tree to hold the init score, got none")
    for index, value in enumerate(init_score):
        if value:
            tree = re.sub(
                r"^(leaf_value|leaf_const|internal_value)=(.+)$",
                lambda match, value=value: f"{match[1]}={_plus(match[2], value)}",
                trees[index],
                flags=re.MULTILINE,
            )
            # The leaves are no longer multiples of the learning rate, and LightGBM's refit reads the shrinkage.
            trees[index] = re.sub(r"^shrinkage=.*$", "shrinkage=1", tree, flags=re.MULTILINE)
    # The sizes have changed. Without tree_sizes, LightGBM finds the trees by their headings.
    header = re.sub(r"^(tree_sizes|objective)=.*\n", "", header, flags=re.MULTILINE)
    if link is not None:
        header = header.replace("feature_names=", f"{link}\nfeature_names=", 1)
    name = link_params(link).get("objective", "custom")
    return re.sub(r"^\[objective: .*\]$", f"[objective: {name}]", header + "".join(trees), flags=re.MULTILINE)


def _put_back(tree: str) -> str:
    """Return a tree as it was before dart dropped it; LightGBM multiplies dropped trees by -1."""
    if not re.search(r"^shrinkage=-", tree, flags=re.MULTILINE):
        return tree
    return re.sub(
        r"^(leaf_value|leaf_const|leaf_coeff|internal_value|shrinkage)=(.+)$",
        lambda match: f"{match[1]}={re.sub(r'[^ ]+', lambda number: repr(-float(number[0])), match[2])}",
        tree,
        flags=re.MULTILINE,
    )


def _plus(numbers: str, value: float) -> str:
    return " ".join(repr(float(number) + value) for number in numbers.split())
