"""Callbacks that correct LightGBM's evaluation, dart and column sampling with a custom objective."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm as lgb


def boosters_of(env: lgb.callback.CallbackEnv) -> list[Any]:
    """Return the boosters of ``lightgbm.cv``, or the single booster of ``lightgbm.train``, as a list."""
    found: list[Any] = getattr(env.model, "boosters", [env.model])
    return found


class EvaluateTrainingRows:
    """Callback that adds the training rows as a validation set.

    With dart, a Python metric on the training rows makes LightGBM drop the trees of the next round too early. If no round
    follows, the dropped trees stay in the model with negative weights.
    """

    before_iteration = True
    order = -100

    def __init__(self, train_set: lgb.Dataset, name: str) -> None:
        self.train_set = train_set
        self.name = name

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Add the rows before the first update."""
        if env.iteration == env.begin_iteration:
            for booster in boosters_of(env):
                booster.set_train_data_name(self.name)
                booster.add_valid(self.train_set, self.name)


class StopDart:
    """Callback that stops dart training after a round that dropped trees and found no leaf to split.

    LightGBM does not add the dropped trees back to its scores, and later rounds build on these scores. The model then differs
    from the one that was evaluated. Builtin objectives have the same problem.
    """

    order = 1000  # last: the evaluation of this round is still correct, so that other callbacks may record it

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Stop training if a booster got no new trees and has dropped trees, which have negative weights."""
        boosters = boosters_of(env)
        before, self.rounds = self.rounds, [booster.current_iteration() for booster in boosters]
        stuck = [
            booster for booster, then in zip(boosters, before, strict=False) if booster.current_iteration() == then
        ]
        if any("\nshrinkage=-" in lgb.Booster.model_to_string(booster, num_iteration=-1) for booster in stuck):
            warnings.warn(
                f"training stopped at round {env.iteration + 1}: it found no leaf to split, and in further rounds"
                " LightGBM's dart would lose the trees that it had dropped",
                stacklevel=2,
            )
            raise lgb.callback.EarlyStopException(env.iteration, env.evaluation_result_list or [])


class KeepColumnSampler:
    """Callback that makes column sampling the same as with a builtin objective.

    On the first update with a custom objective, ``Booster.update`` resets the parameter ``objective``, although its value
    is already "none". The reset makes the column sampler draw one extra time (and changes the results of dart),
    so that a run with
    ``feature_fraction < 1`` differs from the same run with a builtin objective. Marking the reset as done prevents it.
    """

    before_iteration = True
    order = -100
    FLAG = "_Booster__set_objective_to_none"

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Mark the reset as done in each booster before its first update."""
        if env.iteration == env.begin_iteration:
            for booster in boosters_of(env):
                setattr(booster, self.FLAG, True)


def column_sampling() -> list[KeepColumnSampler]:
    """Return the callback if this LightGBM version has the flag; otherwise warn and return an empty list."""
    if KeepColumnSampler.FLAG in lgb.Booster.update.__code__.co_names:
        return [KeepColumnSampler()]
    warnings.warn(
        f"LightGBM {lgb.__version__} is unknown: with feature_fraction < 1 or dart, training may draw different columns"
        " than with a builtin objective",
        stacklevel=3,
    )
    return []
