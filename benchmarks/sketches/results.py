"""The best race of each method on a data set and seed, compared with the builtin strategies of XGBoost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .methods import BUILTIN
from .race import USUAL, Race, Shape

#: The learning rates; every method uses the one with the lowest validation loss.
RATES = (0.05, 0.1, 0.3)


class Best(NamedTuple):
    """The race with the lowest validation loss for a method, data set and seed, and the round of that loss."""

    race: Race
    answer: Mapping[str, Any]
    round: int

    def at(self, what: str) -> float:
        """Return ``validation``, ``test`` or ``seconds`` at the best round."""
        return float(self.answer[what][self.round])


class Results:
    """The races of one stage with their answers."""

    def __init__(self, answers: Mapping[Race, Mapping[str, Any]]) -> None:
        self._answers = answers

    @property
    def sets(self) -> list[str]:
        """The names of the data sets."""
        return list(dict.fromkeys(one.data for one in self._answers))

    def seeds(self, data: str, method: str, shape: Shape = USUAL) -> list[int]:
        """Return the seeds for a data set, method and shape."""
        return sorted({one.seed for one in self._answers if (one.data, one.method, one.shape) == (data, method, shape)})

    def of_seeds(self, seeds: list[int]) -> Results:
        """Return the results for the given seeds only."""
        return Results({one: answer for one, answer in self._answers.items() if one.seed in seeds})

    def best(self, data: str, method: str, seed: int, shape: Shape = USUAL) -> Best:
        """Return the race with the lowest validation loss among the learning rates."""
        one = min(self._of(data, method, seed, shape), key=lambda each: min(self._answers[each]["validation"]))
        return Best(one, self._answers[one], int(np.argmin(self._answers[one]["validation"])))

    def builtin(self, data: str, seed: int, shape: Shape = USUAL) -> Best:
        """Return the best race of the builtin strategy with the lower validation loss."""
        return min((self.best(data, method, seed, shape) for method in BUILTIN), key=lambda one: one.at("validation"))

    def above(self, data: str, method: str, shape: Shape = USUAL) -> list[float]:
        """Return, by seed, the difference in test loss from the better builtin strategy, in per cent of the latter."""
        return [
            100.0 * (self.best(data, method, seed, shape).at("test") / self.builtin(data, seed, shape).at("test") - 1.0)
            for seed in self.seeds(data, method, shape)
        ]

    def points(self, data: str, method: str) -> list[float]:
        """Return, by seed, the difference in test loss from the better builtin strategy, in % of the base rates' loss."""
        pairs = [(self.best(data, method, seed), self.builtin(data, seed)) for seed in self.seeds(data, method)]
        return [100.0 * (one.at("test") - other.at("test")) / one.answer["base"] for one, other in pairs]

    def times(self, data: str, method: str, shape: Shape = USUAL) -> list[float]:
        """Return, by seed, the seconds to the lowest builtin validation loss, divided by those of the better strategy."""
        goals = {seed: self.builtin(data, seed, shape) for seed in self.seeds(data, method, shape)}
        return [
            self._seconds_to(goal.at("validation"), data, method, seed, shape) / goal.at("seconds")
            for seed, goal in goals.items()
        ]

    def _seconds_to(self, loss: float, data: str, method: str, seed: int, shape: Shape) -> float:
        """Return the seconds until the first learning rate reaches this validation loss, or infinity."""
        answers = (self._answers[one] for one in self._of(data, method, seed, shape))
        reached = (
            seconds
            for answer in answers
            for seconds, found in zip(answer["seconds"], answer["validation"], strict=True)
            if found <= loss
        )
        return min(reached, default=math.inf)

    def _of(self, data: str, method: str, seed: int, shape: Shape) -> list[Race]:
        return [Race(data, method, rate, seed, shape) for rate in RATES]
