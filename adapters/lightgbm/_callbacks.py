"""What happens to a booster while LightGBM trains it: callbacks, and a booster that shows itself as the finished model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._shared import ATTRIBUTE
from ._model import edited, link_line, link_params


class UnfinishedBooster(lgb.Booster):
    """A booster in training, whose trees lack the intercept; texts, files, copies and predictions of it have it.

    LightGBM replaces a booster by its own text as the last step of a training. The same text finishes it here, so that
    whoever wraps ``lightgbm.train``, as MLflow does, gets the finished model too.
    """

    offset: Sequence[float]
    link: str | None
    #: How many rounds of trees there were before each round; a round in which no leaf can be split adds none.
    grown: list[int]

    def finished(self) -> lgb.Booster:
        """The model of the trees so far."""
        model = lgb.Booster(model_str=self.model_to_string(num_iteration=-1))
        model.best_iteration = self.best_iteration
        setattr(model, ATTRIBUTE, getattr(self, ATTRIBUTE))
        return model

    def model_to_string(
        self, num_iteration: int | None = None, start_iteration: int = 0, importance_type: str = "split"
    ) -> str:
        """The text of the finished model; the intercept is in its first iteration."""
        if num_iteration is None:
            num_iteration = self.best_of_trees()
        text = super().model_to_string(num_iteration, start_iteration, importance_type)
        return edited(text, self.offset if start_iteration <= 0 else (), self.link)

    def best_of_trees(self) -> int:
        """The number of rounds of trees that the best round has, which LightGBM takes for that of all rounds so far."""
        best = self.best_iteration
        return self.grown[best] if 0 < best < len(self.grown) else best

    def model_from_string(self, model_str: str) -> lgb.Booster:
        """Become the model of a text: the last step of a training."""
        self.params = {**self.params, **link_params(self.link)}
        del self.offset, self.link, self.grown
        self.__class__ = lgb.Booster  # type: ignore[assignment]
        return self.model_from_string(model_str)

    def save_model(
        self,
        filename: str | Path,
        num_iteration: int | None = None,
        start_iteration: int = 0,
        importance_type: str = "split",
    ) -> Self:
        """Save the finished model."""
        text = self.model_to_string(num_iteration, start_iteration, importance_type)
        Path(filename).write_text(text, encoding="utf-8", newline="\n")
        return self

    def dump_model(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Dump the finished model."""
        dump: dict[str, Any] = self.finished().dump_model(*arguments, **options)
        return dump

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """Predictions of the finished model."""
        return self.finished().predict(*arguments, **options)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _unpickled, (self.finished(),)


def _unpickled(model: lgb.Booster) -> lgb.Booster:
    return model


class ShowFinished:
    """Callback that makes the boosters of a run show themselves as finished models, each with its own intercept.

    LightGBM goes on with the same objects: only their class changes.
    """

    before_iteration = True
    order = -101

    def __init__(self, loss: Loss, offsets: Sequence[Array]) -> None:
        self.loss = loss
        self.offsets = offsets

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Do so before the first update, and count trees before each."""
        for booster, offset in zip(_boosters(env), self.offsets, strict=True):
            if env.iteration == env.begin_iteration:
                booster.__class__ = UnfinishedBooster
                booster.offset = offset.tolist()
                booster.link = link_line(self.loss.multiclass, len(offset)) if self.loss.is_proper else None
                booster.grown = list(range(env.iteration))
                setattr(booster, ATTRIBUTE, loss_to_json(self.loss))
            booster.grown.append(booster.current_iteration())


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
            for booster in _boosters(env):
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
        boosters = _boosters(env)
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
            for booster in _boosters(env):
                setattr(booster, self.FLAG, True)


def column_sampling() -> list[KeepColumnSampler]:
    """The callback, where LightGBM has the flag that it sets."""
    if KeepColumnSampler.FLAG in lgb.Booster.update.__code__.co_names:
        return [KeepColumnSampler()]
    warnings.warn(
        f"LightGBM {lgb.__version__} is unknown: with feature_fraction < 1 or dart, training may draw other columns than"
        " under a builtin objective",
        stacklevel=3,
    )
    return []


def _boosters(env: lgb.callback.CallbackEnv) -> list[Any]:
    """Those of ``lightgbm.cv``, or the one of ``lightgbm.train``."""
    found: list[Any] = getattr(env.model, "boosters", [env.model])
    return found
