"""Reading and editing what LightGBM stores in a model: a text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import lightgbm as lgb
import numpy as np


def link_line(multiclass: bool, n_classes: int) -> str:
    """The line that makes LightGBM's own ``predict`` apply a sigmoid or softmax."""
    return f"objective=multiclass num_class:{n_classes}" if multiclass else "objective=binary sigmoid:1"


def edited(booster: lgb.Booster, offset: Sequence[float], link: str | None) -> str:
    """The text of a model with a constant added to each class's scores, and with the given link or none.

    The constant goes into the leaves of the first tree of each class, as LightGBM's own intercept does; a linear leaf has
    two numbers that say what it predicts, the second for rows with missing values.
    """
    header, *trees = re.split(r"^(?=Tree=)", booster.model_to_string(num_iteration=-1), flags=re.MULTILINE)
    if len(trees) < len(offset) and np.any(offset):
        raise ValueError("the model must have a tree to hold the intercept, got none")
    for index, value in enumerate(offset):
        if value:
            trees[index] = re.sub(
                r"^(leaf_value|leaf_const)=(.*)$",
                lambda match, value=value: f"{match[1]}={_shifted(match[2], value)}",
                trees[index],
                flags=re.MULTILINE,
            )
    # Without their sizes LightGBM finds the trees by their headings.
    header = re.sub(r"^(tree_sizes|objective)=.*\n", "", header, flags=re.MULTILINE)
    if link is not None:
        header = header.replace("feature_names=", f"{link}\nfeature_names=", 1)
    return header + "".join(trees)


def _shifted(numbers: str, value: float) -> str:
    return " ".join(repr(float(number) + value) for number in numbers.split())


class KeepColumnSampler:
    """Callback that keeps column sampling as it is under a builtin objective.

    On the first update with a custom objective, ``Booster.update`` resets the parameter ``objective`` although it has
    been "none" from the start. The reset makes the column sampler draw once more (and disturbs dart), so that no run
    with ``feature_fraction < 1`` equals its builtin counterpart. Telling the booster that this is done leaves it out.
    """

    before_iteration = True
    order = -100
    FLAG = "_Booster__set_objective_to_none"

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Mark the boosters of a run before their first update."""
        if env.iteration != env.begin_iteration:
            return
        for booster in getattr(env.model, "boosters", [env.model]):
            setattr(booster, self.FLAG, True)
