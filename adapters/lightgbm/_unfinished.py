"""A booster in training that behaves like the final model of the trees so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._loss import ATTRIBUTE
from ._callbacks import boosters_of
from ._model import edited, link_line, link_params


class UnfinishedBooster(lgb.Booster):
    """A booster in training. Its trees lack the init score, but its texts, files, copies and predictions include it.

    As the last step of training, LightGBM reloads the booster from its own text. Here this step loads the text of the final
    model, so that a wrapper around ``lightgbm.train``, such as MLflow's, receives the final model too.
    """

    init_score: Sequence[float]
    link: str | None
    #: The number of rounds with trees before each round; a round that finds no leaf to split adds no trees.
    grown: list[int]

    def finished(self) -> lgb.Booster:
        """Return the final model of the trees so far."""
        model = lgb.Booster(model_str=self.model_to_string(num_iteration=-1))
        model.best_iteration = self.best_iteration
        setattr(model, ATTRIBUTE, getattr(self, ATTRIBUTE))
        return model

    def model_to_string(
        self, num_iteration: int | None = None, start_iteration: int = 0, importance_type: str = "split"
    ) -> str:
        """Return the text of the final model; its first iteration contains the init score."""
        if num_iteration is None:
            num_iteration = self.best_of_trees()
        text = super().model_to_string(num_iteration, start_iteration, importance_type)
        return edited(text, self.init_score if start_iteration <= 0 else (), self.link)

    def best_of_trees(self) -> int:
        """Return the number of rounds with trees up to the best round.

        ``best_iteration`` of LightGBM also counts rounds that added no trees.
        """
        best = self.best_iteration
        return self.grown[best] if 0 < best < len(self.grown) else best

    def model_from_string(self, model_str: str) -> lgb.Booster:
        """Become a plain booster with the model in the text; LightGBM calls this as the last step of training."""
        self.params = {**self.params, **link_params(self.link)}
        del self.init_score, self.link, self.grown
        self.__class__ = lgb.Booster  # type: ignore[assignment]
        return self.model_from_string(model_str)

    def save_model(
        self,
        filename: str | Path,
        num_iteration: int | None = None,
        start_iteration: int = 0,
        importance_type: str = "split",
    ) -> Self:
        """Save the final model."""
        text = self.model_to_string(num_iteration, start_iteration, importance_type)
        Path(filename).write_text(text, encoding="utf-8", newline="\n")
        return self

    def dump_model(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Dump the final model."""
        dump: dict[str, Any] = self.finished().dump_model(*arguments, **options)
        return dump

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """Predict with the final model."""
        return self.finished().predict(*arguments, **options)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _unpickled, (self.finished(),)


def _unpickled(model: lgb.Booster) -> lgb.Booster:
    return model


class ShowFinished:
    """Callback that makes the boosters of a run behave like final models, each with its own init score.

    LightGBM continues with the same objects; only their class changes.
    """

    before_iteration = True
    order = -101

    def __init__(self, loss: Loss, init_scores: Sequence[Array]) -> None:
        self.loss = loss
        self.init_scores = init_scores

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Change the boosters before the first update, and count the rounds with trees before each update."""
        for booster, init_score in zip(boosters_of(env), self.init_scores, strict=True):
            if env.iteration == env.begin_iteration:
                booster.__class__ = UnfinishedBooster
                booster.init_score = init_score.tolist()
                booster.link = link_line(self.loss.multiclass, len(init_score)) if self.loss.is_proper else None
                booster.grown = list(range(env.iteration))
                setattr(booster, ATTRIBUTE, loss_to_json(self.loss))
            booster.grown.append(booster.current_iteration())
