"""The sequential test: evidence, in nats, that recalibrated probabilities would have been better than the served ones."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._maps import Maps, Vector, maps_of

#: The tolerance where none is given, as a share of the expected log loss.
_SHARE_TOLERATED = 1e-4
#: The share of the bets that goes to the learned map.
_LEARNED_SHARE = 0.1
#: Precision of the learned map's prior around the map that changes nothing: it counts like some hundred rows.
_PRIOR_PRECISION = 50.0
_NEWTON_STEPS = 4
#: A Newton step squares the error; what is left of so small a one is nothing beside the noise of the labels.
_SMALL_STEP = 1e-4
#: The information of a look whose probabilities are all 0 or 1 to the last digit.
_LEAST_INFORMATION = 1e-100


@dataclass(frozen=True)
class Evidence:
    """What the looks so far say.

    Attributes
    ----------
    nats : float
        The logarithm of the detector's statistic; an alarm is raised at ``log(run_length)``.
    alarm : bool
    since : int
        The number of the look at which the best bet's winning streak began: an estimate of when the change happened.
    looks : int
        How many looks have been counted.
    """

    nats: float
    alarm: bool
    since: int
    looks: int


class Detector:
    """Watch looks at labelled predictions for recalibrations that would pay.

    Each look is a batch of rows whose labels are all that will be known of it, such as the predictions of a day.

    Parameters
    ----------
    n_classes : int, default 2
    run_length : float, default 1000
        The least average number of looks to a false alarm.
    min_saving : float, optional
        The tolerance, in nats a row: evidence counts only against models that a recalibration would improve by more.
        By default 0.01 % of the expected log loss of each look; 0 tests whether the probabilities are exactly right.
    look_effect : float, default 0.1
        The standard deviation, in log odds, by which looks as a whole are expected to vary around the probabilities; after
        a while it is learned from the looks. 0 takes labels for independent given the probabilities, and so does
        ``min_saving=0``.

    Notes
    -----
    Let p be the served probabilities and q a recalibration of them that was chosen before the labels of the look were seen.
    If p is right, the product of q(y) / p(y) over the rows has the expectation 1: it is a bet against p at fair odds, whose
    logarithm is the log loss that q saves. The detector bets on a grid of maps and on one that it learns, each with its
    share of 1 at every look, and sums what the bets of all looks have come to (Shiryaev-Roberts; Shin, Ramdas and
    Rinaldo 2022, arXiv 2203.03532). Where p is right, that sum minus the number of looks is a supermartingale, so that on
    average at least ``run_length`` looks pass before it reaches ``run_length``, whatever the scores do.

    Tolerance: the bets are divided by the likelihood of the best tolerated map of the look (universal inference; Wasserman,
    Ramdas and Balakrishnan 2020, arXiv 1912.11436). The guarantee then holds whenever the truth of each look is some
    tolerated map of p, which may differ from look to look. Tolerated are the maps that save at most ``min_saving`` a row to
    second order, ``theta' J theta / 2 <= min_saving * n`` with J the information of the look.

    Look effects: the logarithm of each bet is divided by the overdispersion that its direction has shown in earlier
    looks. A power between 0 and 1 of a fair bet is a supermartingale, so the guarantee stays.

    Weights enter as powers of the bets, divided by the largest of the look; of a group of rows each counts one over the size
    of the group, which is valid however their labels depend on each other (Hoelder's inequality).
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
        """Forget the evidence, as after an alarm; what is known of look effects stays."""
        self._log_sum = np.full(len(self._log_share), -np.inf)
        self._streak = np.zeros(len(self._log_share))
        self._since = np.full(len(self._log_share), self._looks)
        self._learned = _LearnedMap(self._maps.grid.shape[1])

    def update(self, y: npt.ArrayLike, logits: Array, power: Array | None = None) -> Evidence:
        """Count a look.

        Parameters
        ----------
        y : array-like of shape (n,)
            Class codes.
        logits : ndarray of shape (n,) or (n, K), float64
            Of the served probabilities: log odds, or logarithms of the probabilities.
        power : ndarray of shape (n,), optional
            In [0, 1]: weights over the largest of the look, divided by the size of a row's group.
        """
        y = np.asarray(y, np.float64)
        if not len(y):
            return self.evidence()
        power = np.ones(len(y)) if power is None else power
        middle = self._maps.middle(logits, power)
        zero = np.zeros(self._maps.grid.shape[1])
        score, information = self._maps.derivatives(y, logits, power, middle, zero)
        gains = np.append(
            self._maps.gains(y, logits, power, middle, self._maps.grid),
            self._learned.gain(self._maps, y, logits, power),
        )
        gains -= self._tolerated(y, logits, power, middle, score, information)
        spread = information if power.min() == 1.0 else self._maps.derivatives(y, logits, power**2, middle, zero)[1]
        gains /= self._effects.overdispersion(score, information, spread)
        self._count(gains)
        if self._streak[-1] <= 0.0:
            self._learned = _LearnedMap(len(zero))
        self._learned.update(self._maps, y, logits, power, middle)
        return self.evidence()

    def evidence(self) -> Evidence:
        """Return what the looks so far say."""
        nats = float(np.logaddexp.reduce(self._log_sum))
        since = int(self._since[np.argmax(self._log_sum)])
        return Evidence(nats, nats >= math.log(self.run_length), since, self._looks)

    def _count(self, gains: Vector) -> None:
        self._log_sum = np.logaddexp(self._log_sum, self._log_share) + gains
        begins = self._streak <= 0.0
        self._since[begins] = self._looks
        self._streak = np.where(begins, 0.0, self._streak) + gains
        self._looks += 1

    def _tolerated(
        self, y: Array, logits: Array, power: Array, middle: Vector, score: Vector, information: Vector
    ) -> float:
        """Return an upper bound of the gain of the best tolerated map, which is close to it.

        The log likelihood is concave: it lies below its tangent at any map. The map taken is the best one by the
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


def entropy(logits: Array) -> Vector:
    """Return the expected log loss of each row if its probabilities are right."""
    if logits.ndim == 1:
        magnitude = np.abs(logits)
        small = np.exp(-magnitude)
        entropies: Vector = np.log1p(small) + magnitude * small / (1.0 + small)
        return entropies
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1)
    of_classes: Vector = np.log(total) - np.einsum("ik,ik->i", p, np.where(p > 0.0, shifted, 0.0)) / total
    return of_classes


@dataclass
class _LearnedMap:
    """The served probabilities recalibrated on the looks since a restart: the mode of a normal approximation.

    Its slope turns around the middle of the first look that it has seen.
    """

    dimensions: int
    at: Vector = field(init=False)
    precision: Vector = field(init=False)
    middle: Vector | None = None

    def __post_init__(self) -> None:
        self.at = np.zeros(self.dimensions)
        self.precision = _PRIOR_PRECISION * np.eye(self.dimensions)

    def gain(self, maps: Maps, y: Array, logits: Array, power: Array) -> float:
        """Return the log likelihood that it gains on a look that it has not learned from."""
        if self.middle is None:
            return 0.0
        return float(maps.gains(y, logits, power, self.middle, self.at[None])[0])

    def update(self, maps: Maps, y: Array, logits: Array, power: Array, middle: Vector) -> None:
        """Learn from a look."""
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
    """How much more than chance the looks vary, in the direction of each map of the grid.

    The effect of a look is estimated by its score over its information. Half the squared difference between one look and
    the next has the variance of effects in it, and a change of the model only once.
    """

    #: How many looks the expected size of effects counts like, and after how many looks half of what was seen is forgotten.
    PRIOR_LOOKS = 2.0
    HALF_LIFE = 100.0
    #: A change needs some looks to be found: their own differences do not count before.
    LAG = 5
    #: One difference counts at most as this many times what is expected.
    CAP = 9.0

    def __init__(self, grid: Vector, expected: float) -> None:
        self._grid = grid
        self._expected = expected
        self._sum = np.zeros(len(grid))
        self._weight = np.zeros(len(grid))
        self._before: tuple[Vector, Vector] | None = None
        self._waiting: deque[tuple[Vector, Vector]] = deque()

    def overdispersion(self, score: Vector, information: Vector, spread: Vector) -> Vector:
        """Return the factor, at least 1, by which the variance of each bet is larger than its labels alone make it.

        The last one is of the learned map, which may go in any direction. ``spread`` is the variance of the score. This look
        counts only later.
        """
        if self._expected == 0.0:
            return np.ones(len(self._grid) + 1)
        curvature, variance_of_score = (
            np.maximum(np.einsum("ji,ik,jk->j", self._grid, matrix, self._grid), _LEAST_INFORMATION)
            for matrix in (information, spread)
        )
        noise = variance_of_score / curvature**2
        prior = self._expected**2 * information[0, 0] / curvature
        variance = (self.PRIOR_LOOKS * prior + self._sum) / (self.PRIOR_LOOKS + self._weight)
        variance = np.maximum(variance, 0.0)
        self._learn(self._grid @ score / curvature, noise, prior, variance)
        factor = 1.0 + variance / noise
        return np.append(factor, factor.max())

    def _learn(self, effect: Vector, noise: Vector, prior: Vector, variance: Vector) -> None:
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
