"""The sequential test: evidence, in nats, that a recalibration would improve the served probabilities."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .._types import Array, Doubles
from ._maps import Maps, maps_of

#: The default tolerance, as a share of the expected log loss.
_SHARE_TOLERATED = 1e-4
#: The share of the stake that is put on the learned map.
_LEARNED_SHARE = 0.1
#: Precision of the prior of the learned map around the identity; it has the weight of a few hundred rows.
_PRIOR_PRECISION = 50.0
_NEWTON_STEPS = 4
#: Newton's method stops after a step this small: the remaining error is far below the noise of the labels.
_SMALL_STEP = 1e-4
#: Lower bound of the information of a look, which underflows when all probabilities are 0 or 1.
_LEAST_INFORMATION = 1e-100
#: The expected log loss of a look, in nats, from which its stake is 1.
_FULL_STAKE = 1.0


@dataclass(frozen=True)
class Evidence:
    """The evidence after some looks.

    Attributes
    ----------
    nats : float
        The logarithm of the detector's statistic, or 0 if that is negative.
    alarm : bool
        Whether ``nats`` has reached ``log(run_length)``.
    since : int
        The index of the look at which the gains of the best bet began: an estimate of the change point.
    looks : int
        The number of looks so far.
    """

    nats: float
    alarm: bool
    since: int
    looks: int


class Detector:
    """Sequential test of served probabilities, for arrays.

    It receives one batch of labelled predictions after another. Such a batch is called a look; the predictions of one day
    are an example. The labels of a look must be final.

    Parameters
    ----------
    n_classes : int, default 2
    run_length : float, default 1000
        The guaranteed average number of looks until a false alarm.
    min_saving : float, optional
        The tolerance, in nats a row. Errors that a recalibration would reduce by less are not evidence. The default is
        0.01 % of the expected log loss of each look. With 0 the test is whether the probabilities are exactly right.
    look_effect : float, default 0.1
        The expected standard deviation, in log odds, of an effect that all rows of a look share, such as the weather of a
        day. The detector starts from this value and learns the actual one. With 0, or with ``min_saving=0``, labels are
        assumed to be independent given the probabilities.

    Notes
    -----
    Let p be the served probabilities and q a recalibration that was fixed before the labels of the look were seen. If p is
    right, the product of q(y) / p(y) over the rows has expectation 1. It is the payoff of a fair bet against p, and its
    logarithm is the log loss that q saves. At every look the detector puts a stake of 1 (less if the expected log loss of the
    look is below 1 nat) on a grid of maps and on a map that
    it learns, and lets the payoffs of earlier looks ride. The statistic is the sum of all payoffs (Shiryaev-Roberts; Shin,
    Ramdas and Rinaldo 2022, arXiv 2203.03532). If p is right, the statistic minus the number of looks is a supermartingale.
    Therefore the statistic needs at least ``run_length`` looks on average to reach ``run_length``, for any distribution of
    the scores.

    Tolerance: payoffs are divided by the likelihood ratio of the best tolerated map of the look (universal inference;
    Wasserman, Ramdas and Balakrishnan 2020, arXiv 1912.11436). The guarantee then holds if the truth of each look is a
    tolerated map of p, which may change from look to look. A map is tolerated if it saves at most ``min_saving`` a row to
    second order: ``theta' J theta / 2 <= min_saving * n``, where J is the information of the look.

    Look effects: the log payoff of each map is divided by the overdispersion of earlier looks in the direction of the map.
    A power between 0 and 1 of a fair payoff has an expectation of at most 1, so the guarantee is kept.

    Weights: the log payoff of a row is multiplied by its weight over the largest weight of the look, and divided by the size
    of the group of the row. By Hoelder's inequality the payoff of a group has an expectation of at most 1 for any
    dependence of its labels.
    """

    def __init__(
        self,
        n_classes: int = 2,
        *,
        run_length: float = 1000.0,
        min_saving: float | None = None,
        look_effect: float = 0.1,
    ) -> None:
        if isinstance(n_classes, bool) or not isinstance(n_classes, (int, np.integer)) or n_classes < 2:
            raise ValueError(f"n_classes must be a whole number >= 2, got {n_classes!r}")
        if not 1.0 < run_length < math.inf:
            raise ValueError(f"run_length must be > 1 and finite, got {run_length!r}")
        if min_saving is not None and not 0.0 <= min_saving < math.inf:
            raise ValueError(f"min_saving must be None, or finite and >= 0, got {min_saving!r}")
        if not 0.0 <= look_effect < math.inf:
            raise ValueError(f"look_effect must be finite and >= 0, got {look_effect!r}")
        self.n_classes = int(n_classes)
        self.run_length = run_length
        self.min_saving = min_saving
        self.look_effect = 0.0 if min_saving == 0.0 else look_effect
        self._maps = maps_of(n_classes)
        bets = len(self._maps.grid)
        self._log_share = np.log(np.append(np.full(bets, (1.0 - _LEARNED_SHARE) / bets), _LEARNED_SHARE))
        self._effects = _LookEffects(self._maps.grid, self.look_effect)
        self._looks = 0
        self.restart()

    def restart(self) -> None:
        """Reset the evidence, as after an alarm; the learned size of look effects is kept."""
        self._log_sum = np.full(len(self._log_share), -np.inf)
        self._streak = np.zeros(len(self._log_share))
        self._since = np.full(len(self._log_share), self._looks)
        self._learned = _LearnedMap(self._maps.grid.shape[1])

    def update(
        self,
        y: npt.ArrayLike,
        logits: Array,
        weight: Array | None = None,
        group: npt.NDArray[np.int64] | None = None,
    ) -> Evidence:
        """Add a look and return the evidence after it.

        Parameters
        ----------
        y : array-like of shape (n,)
            Class codes.
        logits : ndarray of shape (n,) or (n, K), float64
            Of the served probabilities: log odds, or logarithms of the probabilities.
        weight : ndarray of shape (n,), optional
            Finite and >= 0.
        group : ndarray of shape (n,), optional
            Codes; rows of one group may have labels that depend on each other.
        """
        y, logits = np.asarray(y, np.float64), np.ascontiguousarray(logits, np.float64)
        self._refuse_odd_look(y, logits, weight, group)
        if not len(y):
            return self.evidence()
        power = powers(np.ones(len(y)) if weight is None else np.asarray(weight, np.float64), group)
        middle = self._maps.middle(logits, power)
        zero = np.zeros(self._maps.grid.shape[1])
        score, information = self._maps.derivatives(y, logits, power, middle, zero)
        gains = np.append(
            self._maps.gains(y, logits, power, middle, self._maps.grid),
            self._learned.gain(self._maps, y, logits, power),
        )
        gains -= self._tolerated(y, logits, power, middle, score, information)
        spread = information if power.min() == 1.0 else self._maps.derivatives(y, logits, power**2, middle, zero)[1]
        gains /= self._effects.overdispersion(score, information, spread, self._maps.squared_size(information))
        self._count(gains, float(np.dot(power, entropy(logits))))
        if self._streak[-1] <= 0.0:
            self._learned = _LearnedMap(len(zero))
        self._learned.update(self._maps, y, logits, power, middle)
        return self.evidence()

    def _refuse_odd_look(
        self, y: Array, logits: Array, weight: Array | None, group: npt.NDArray[np.int64] | None
    ) -> None:
        shape = (len(y),) if self.n_classes == 2 else (len(y), self.n_classes)
        if y.ndim != 1 or logits.shape != shape:
            raise ValueError(f"logits must have shape {shape}, one row for each label, got {logits.shape}")
        if not np.isfinite(logits).all():
            raise ValueError("logits must be finite, got an infinite or missing one")
        if len(y) and not ((y >= 0) & (y < self.n_classes) & (y == np.floor(y))).all():
            raise ValueError(f"y must hold class codes 0..{self.n_classes - 1}, got {y.min():g} to {y.max():g}")
        given: dict[str, npt.ArrayLike | None] = {"weight": weight, "group": group}
        for name, values in given.items():
            if values is not None and np.shape(values) != y.shape:
                raise ValueError(f"{name} must have shape {y.shape}, one entry for each label, got {np.shape(values)}")
        if weight is not None and len(y) and not (np.isfinite(weight).all() and np.min(weight) >= 0.0):
            raise ValueError(f"weight must be finite and >= 0, got {np.min(weight):g}")

    def evidence(self) -> Evidence:
        """Return the evidence after the looks so far."""
        nats = max(float(np.logaddexp.reduce(self._log_sum)), 0.0)
        since = int(self._since[np.argmax(self._log_sum)])
        return Evidence(nats, nats >= math.log(self.run_length), since, self._looks)

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        return {
            "looks": self._looks,
            "log_sum": self._log_sum,
            "streak": self._streak,
            "since": self._since,
            "learned": vars(self._learned),
            "effects": self._effects.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace the content by that of a snapshot."""
        self._looks = state["looks"]
        self._log_sum, self._streak, self._since = (state[name] for name in ("log_sum", "streak", "since"))
        self._learned = _LearnedMap(len(state["learned"]["at"]))
        vars(self._learned).update(state["learned"])
        self._effects.load(state["effects"])

    def _count(self, gains: Doubles, expected_loss: float) -> None:
        # A look that can tell little gets a small stake; otherwise many such looks would add up to an alarm.
        stake = min(1.0, expected_loss / _FULL_STAKE)
        log_stake = math.log(stake) if stake > 0.0 else -math.inf
        self._log_sum = np.logaddexp(self._log_sum, self._log_share + log_stake) + gains
        begins = self._streak <= 0.0
        self._since[begins] = self._looks
        self._streak = np.where(begins, 0.0, self._streak) + gains
        self._looks += 1

    def _tolerated(
        self, y: Array, logits: Array, power: Array, middle: Doubles, score: Doubles, information: Doubles
    ) -> float:
        """Return a tight upper bound of the gain of the best tolerated map.

        The log likelihood is concave, so it lies below its tangent at any map. The tangent is taken at the maximum of the
        quadratic approximation.
        """
        if self.min_saving == 0.0:
            return 0.0
        if self.min_saving is None:
            total = _SHARE_TOLERATED * float(np.dot(power, entropy(logits)))
        else:
            total = self.min_saving * float(power.sum())
        radius = math.sqrt(2.0 * total)
        metric = information + np.eye(len(score)) * (1e-9 * np.trace(information) + 1e-300)
        factor = np.linalg.cholesky(metric)
        direction = np.linalg.solve(factor, score)
        length = float(np.linalg.norm(direction))
        best = direction * min(1.0, radius / length) if length > 0.0 else direction
        at = np.linalg.solve(factor.T, best)
        slope = np.linalg.solve(factor, self._maps.derivatives(y, logits, power, middle, at)[0])
        gain = float(self._maps.gains(y, logits, power, middle, at[None])[0])
        return gain - float(slope @ best) + radius * float(np.linalg.norm(slope))


def powers(weight: Array, group: npt.NDArray[np.int64] | None) -> Doubles:
    """Return the exponent of the payoff of each row, from its weight and the size of its group."""
    largest = float(weight.max())
    power: Doubles = np.asarray(weight / (largest if largest > 0.0 else 1.0), np.float64)
    if group is not None:
        _, position, size = np.unique(group, return_inverse=True, return_counts=True)
        power = power / size[position]
    return power


def entropy(logits: Array) -> Doubles:
    """Return the expected log loss of each row if its probabilities are right."""
    if logits.ndim == 1:
        magnitude = np.abs(logits)
        small = np.exp(-magnitude)
        entropies: Doubles = np.log1p(small) + magnitude * small / (1.0 + small)
        return entropies
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1)
    of_classes: Doubles = np.log(total) - np.einsum("ik,ik->i", p, np.where(p > 0.0, shifted, 0.0)) / total
    return of_classes


@dataclass
class _LearnedMap:
    """A map learned from the looks since a restart: the posterior mode of a Laplace approximation.

    Its slope pivots on the middle of the first of these looks.
    """

    dimensions: int
    at: Doubles = field(init=False)
    precision: Doubles = field(init=False)
    middle: Doubles | None = None

    def __post_init__(self) -> None:
        self.at = np.zeros(self.dimensions)
        self.precision = _PRIOR_PRECISION * np.eye(self.dimensions)

    def gain(self, maps: Maps, y: Array, logits: Array, power: Array) -> float:
        """Return the gain in log likelihood on a look from which the map has not learned."""
        if self.middle is None:
            return 0.0
        return float(maps.gains(y, logits, power, self.middle, self.at[None])[0])

    def update(self, maps: Maps, y: Array, logits: Array, power: Array, middle: Doubles) -> None:
        """Update the map with a look."""
        if self.middle is None:
            self.middle = middle
        before = self.at
        for _ in range(_NEWTON_STEPS):
            gradient, information = maps.derivatives(y, logits, power, self.middle, self.at)
            step = np.linalg.solve(information + self.precision, gradient - self.precision @ (self.at - before))
            self.at = self.at + step
            if np.abs(step).max() < _SMALL_STEP:
                break
        self.precision = self.precision + maps.derivatives(y, logits, power, self.middle, self.at)[1]


class _LookEffects:
    """The variance of effects that the rows of a look share, in the direction of each map of the grid.

    The score divided by the information estimates the effect of a look. The variance of effects is estimated from
    differences between consecutive looks, to which a lasting change contributes only once.
    """

    #: The weight of the expected variance, in looks, and the half-life of estimates, in looks.
    PRIOR_LOOKS = 2.0
    HALF_LIFE = 100.0
    #: Differences count after this delay, so that a change does not weaken the bets that are to find it.
    LAG = 5
    #: Squared differences are capped at this multiple of their expectation.
    CAP = 9.0

    def __init__(self, grid: Doubles, expected: float) -> None:
        self._grid = grid
        self._expected = expected
        self._sum = np.zeros(len(grid))
        self._weight = np.zeros(len(grid))
        self._before: tuple[Doubles, Doubles] | None = None
        self._waiting: deque[tuple[Doubles, Doubles]] = deque()

    def overdispersion(self, score: Doubles, information: Doubles, spread: Doubles, squared_size: Doubles) -> Doubles:
        """Return the overdispersion of the score in the direction of each map, at least 1, from earlier looks.

        The last entry, for the learned map, is the largest of the others. ``spread`` is the variance of the score for
        independent labels, ``squared_size`` that of the maps in log odds.
        """
        if self._expected == 0.0:
            return np.ones(len(self._grid) + 1)
        curvature, variance_of_score = (
            np.maximum(np.einsum("ji,ik,jk->j", self._grid, matrix, self._grid), _LEAST_INFORMATION)
            for matrix in (information, spread)
        )
        noise = variance_of_score / curvature**2
        prior = self._expected**2 / np.maximum(squared_size, _LEAST_INFORMATION)
        variance = (self.PRIOR_LOOKS * prior + self._sum) / (self.PRIOR_LOOKS + self._weight)
        variance = np.maximum(variance, 0.0)
        self._learn(self._grid @ score / curvature, noise, prior, variance)
        factor = 1.0 + variance / noise
        return np.append(factor, factor.max())

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        before = None if self._before is None else list(self._before)
        waiting = [list(pair) for pair in self._waiting]
        return {"sum": self._sum, "weight": self._weight, "before": before, "waiting": waiting}

    def load(self, state: dict[str, Any]) -> None:
        """Replace the content by that of a snapshot."""
        self._sum, self._weight = state["sum"], state["weight"]
        self._before = None if state["before"] is None else (state["before"][0], state["before"][1])
        self._waiting = deque((seen, weight) for seen, weight in state["waiting"])

    def _learn(self, effect: Doubles, noise: Doubles, prior: Doubles, variance: Doubles) -> None:
        if self._before is not None:
            effect_before, noise_before = self._before
            both = noise + noise_before
            squared = np.minimum((effect - effect_before) ** 2, self.CAP * (both + 2.0 * variance))
            self._waiting.append(((squared - both) / 2.0, (prior / (prior + both / 2.0)) ** 2))
        self._before = effect, noise
        if len(self._waiting) > self.LAG:
            seen, weight = self._waiting.popleft()
            keep = 0.5 ** (1.0 / self.HALF_LIFE)
            self._sum = keep * self._sum + weight * seen
            self._weight = keep * self._weight + weight
