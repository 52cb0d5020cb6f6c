"""Callbacks that keep LightGBM's training with a custom objective right: evaluation, dart and column sampling."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm as lgb


def boosters_of(env: lgb.callback.CallbackEnv) -> list[Any]:
    """Return the boosters of ``lightgbm.cv``, or the one of ``lightgbm.train``."""
    found: list[Any] = getattr(env.model, "boosters", [env.model])
    return found


class EvaluateTrainingRows:
    """Callback that evaluates the training rows as rows that were held out.

    A Python metric on the rows of a dart training makes LightGBM drop the trees of the next round before there is one, and
    the last round's stay so in the model, with negative weights.
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
    """Callback that ends a dart training after a round that dropped trees and found no leaf to split.

    LightGBM does not take such trees back into its sums, and later rounds build on that: the model no longer is the one that
    was evaluated, under builtin objectives too.
    """

    order = 1000  # what others record of the round is right

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Look for dropped trees, which have negative weights, where a booster has no new ones."""
        boosters = boosters_of(env)
        before, self.rounds = self.rounds, [booster.current_iteration() for booster in boosters]
        stuck = [
            booster for booster, then in zip(boosters, before, strict=False) if booster.current_iteration() == then
        ]
        if any("\nshrinkage=-" in lgb.Booster.model_to_string(booster, num_iteration=-1) for booster in stuck):
            warnings.warn(
                f"training stopped at round {env.iteration + 1}: it found no leaf to split, after which LightGBM's dart"
                " would lose the trees that it had dropped",
                stacklevel=2,
            )
            raise lgb.callback.EarlyStopException(env.iteration, env.evaluation_result_list or [])


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
        if env.iteration == env.begin_iteration:
            for booster in boosters_of(env):
                setattr(booster, self.FLAG, True)


def column_sampling() -> list[KeepColumnSampler]:
    """Return the callback, where LightGBM has the flag that it sets."""
    if KeepColumnSampler.FLAG in lgb.Booster.update.__code__.co_names:
        return [KeepColumnSampler()]
    warnings.warn(
        f"LightGBM {lgb.__version__} is unknown: with feature_fraction < 1 or dart, training may draw other columns than"
        " under a builtin objective",
        stacklevel=3,
    )
    return []
