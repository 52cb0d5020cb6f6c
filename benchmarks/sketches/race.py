"""One training: the losses on both held-out parts and the elapsed seconds, by round."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import xgboost as xgb

from boosting_losses import SoftmaxCrossEntropy, metrics
from boosting_losses.calibration import TemperatureScaling

from ..study.splits import Parts
from . import methods

#: The maximum number of rounds, and the number of rounds without improvement that ends a race.
ROUNDS, PATIENCE = 1500, 30


class Shape(NamedTuple):
    """The depth of the trees and the number of bins per feature.

    With a quarter of XGBoost's default of 256 bins, vector leaves are several times as fast; sketched trees gain less.
    """

    depth: int = 6
    bins: int = 64


USUAL = Shape()


@dataclass(frozen=True)
class Race:
    """A training: data set, method, learning rate, seed for the split and the method, and shape of the trees."""

    data: str
    method: str
    learning_rate: float
    seed: int
    shape: Shape = USUAL

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that the losses depend on."""
        return {**asdict(self), "rounds": ROUNDS, "patience": PATIENCE, "xgboost": xgb.__version__}

    @property
    def key(self) -> str:
        """A file name for the race."""
        words = "-".join(map(str, (self.data, self.method, self.learning_rate, self.seed, *self.shape)))
        return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in words)


def run(race: Race, parts: Parts) -> dict[str, Any]:
    """Train on one thread until the validation loss stops falling.

    The time includes the updates of XGBoost and the objective, but not the evaluation of the losses.
    """
    loss = SoftmaxCrossEntropy()
    bins: dict[str, Any] = {"max_bin": race.shape.bins, "nthread": 1}
    data = xgb.QuantileDMatrix(parts.train.X, parts.train.y, **bins)
    others = [xgb.QuantileDMatrix(part.X, part.y, ref=data, **bins) for part in (parts.inner, parts.test)]
    settings: dict[str, Any] = {
        "objective": "multi:softprob",
        "num_class": parts.n_classes,
        "learning_rate": race.learning_rate,
        "max_depth": race.shape.depth,
        "tree_method": "hist",
        "seed": race.seed,
        **bins,
        **methods.settings(race.method),
    }
    objective = methods.objective(race.method, race.seed)
    if objective is not None:
        settings["base_score"] = loss.init_score(parts.train.y).tolist()
    booster = xgb.Booster(settings, [data, *others])
    losses: tuple[list[float], list[float]] = ([], [])
    seconds: list[float] = []
    for iteration in range(ROUNDS):
        start = time.perf_counter()
        booster.update(data, iteration, objective)
        seconds.append(time.perf_counter() - start)
        for part, matrix, found in zip((parts.inner, parts.test), others, losses, strict=True):
            found.append(loss(part.y, booster.predict(matrix, output_margin=True)))
        if iteration - int(np.argmin(losses[0])) >= PATIENCE:
            break
    best = int(np.argmin(losses[0]))
    validation, test = (booster.predict(part, output_margin=True, iteration_range=(0, best + 1)) for part in others)
    return {
        "n_classes": parts.n_classes,
        "base": loss(parts.test.y, np.tile(loss.init_score(parts.train.y), (len(parts.test.y), 1))),
        "ece": metrics.calibration_error(parts.test.y, raw=test),
        "temperature": TemperatureScaling().fit(validation, parts.inner.y).temperature_,
        "validation": [round(value, 6) for value in losses[0]],
        "test": [round(value, 6) for value in losses[1]],
        "seconds": np.cumsum(seconds).round(5).tolist(),
    }
