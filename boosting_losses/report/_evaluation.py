"""What a report is made of, added up block by block in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ..metrics import Estimate
from ..metrics import _statistics as statistics
from ..metrics._bootstrap import Bootstrap, Numbers, Totals, apart, observed, side_by_side
from ..metrics._predictions import Predictions, check, class_columns, each
from ..metrics.intervals import half_width, shifted, weights
from ..metrics.reliability import each_class, one_column
from ._pool import Pool, Pooled, quantile_edges
from ._scores import SCORES, Options

#: What a report holds unless it is told otherwise.
DEFAULT_METRICS: Mapping[str, Options] = {
    "log_loss": {},
    "brier_score": {},
    "normalized_cross_entropy": {},
    "calibration_error": {},
    "smooth_calibration_error": {},
    "miscalibration": {},
    "discrimination": {},
}

#: Rows that are named when they make much of the loss.
WORST = 20
#: Rows of K classes that are kept for temperature scaling.
SAMPLE = 2**18


@dataclass(frozen=True)
class Settings:
    """How predictions are evaluated.

    Parameters
    ----------
    metrics : mapping of str to mapping
        Names of scores in :mod:`boosting_losses.metrics`, with their options.
    eps : float, optional
        Probabilities are moved into [eps, 1 - eps] for the log loss; by default the machine epsilon of their dtype.
    level : float
        Of the confidence intervals.
    n_resamples : int
        Bootstrap replicates.
    random_state : int
        Their seed.
    """

    metrics: Mapping[str, Options] = field(default_factory=lambda: DEFAULT_METRICS)
    eps: float | None = None
    level: float = 0.95
    n_resamples: int = 500
    random_state: int = 0

    def __post_init__(self) -> None:
        for name, options in self.metrics.items():
            if name not in SCORES:
                raise ValueError(f"metrics must be among {', '.join(SCORES)}, got {name!r}")
            unknown = sorted(set(options) - SCORES[name].options)
            if unknown:
                known = ", ".join(sorted(SCORES[name].options)) or "none"
                raise ValueError(f"options of {name} must be among {known}, got {unknown[0]!r}")
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"level must lie in (0, 1), got {self.level}")
        for what, number, least in (("n_resamples", self.n_resamples, 2), ("random_state", self.random_state, 0)):
            if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
                raise ValueError(f"{what} must be an integer >= {least}, got {number!r}")

    def bins(self) -> int:
        """Of the calibration error, and of the diagrams."""
        return int(self.metrics.get("calibration_error", {}).get("n_bins", 15))


@dataclass(frozen=True)
class WorstRows:
    """The rows that lose most, the worst first; each field ``(W,)``, or ``(W, K)`` for K classes' probabilities."""

    row: npt.NDArray[np.intp]
    label: Numbers
    proba: Array
    weighted_loss: Numbers


class ModelSums:
    """All that is kept of one model's predictions."""

    def __init__(self, classes: int, *, is_binary: bool, n_bins: int) -> None:
        self.is_binary, self.classes = is_binary, classes
        self.loss = self.square = self.weight = 0.0
        self.moved = 0
        self.class_weight, self.class_loss, self.class_proba = np.zeros(classes), np.zeros(classes), np.zeros(classes)
        self._pools = [Pool(n_bins) for _ in range(1 if is_binary else 1 + classes)]
        self._worst: WorstRows | None = None
        self._sample: list[Predictions] = []
        self._step, self._seen = 1, 0

    def add(
        self, data: Predictions, weight: Numbers, losses: Numbers, squares: Numbers, index: npt.NDArray[np.intp]
    ) -> None:
        """Add checked rows and what they lose."""
        self.loss += float(weight @ losses)
        self.square += float(weight @ squares)
        self.weight += float(weight.sum())
        columns = class_columns(data) * weight[:, None]
        self.class_weight += columns.sum(axis=0)
        self.class_loss += losses @ columns
        proba = np.stack([1.0 - data.proba, data.proba], axis=1) if self.is_binary else data.proba
        self.class_proba += weight @ proba
        top = one_column(data)
        self._pools[0].add(top.proba, top.y, weight, losses)
        for pool, rows in zip(self._pools[1:], [] if self.is_binary else each_class(data), strict=True):
            pool.add(rows.proba, rows.y, weight, losses)
        self._keep_worst(data, weight * losses, index)
        if not self.is_binary:
            self._keep_sample(data, weight)

    @property
    def shares(self) -> Numbers:
        """Of the classes among the labels, by weight."""
        shares: Numbers = self.class_weight / self.class_weight.sum()
        return shares

    @cached_property
    def pooled(self) -> Pooled:
        """Probabilities of y = 1, or the largest of K, and whether it was right."""
        return self._pools[0].pooled()

    @cached_property
    def class_pools(self) -> list[Pooled]:
        """Probabilities of each of K classes against the others."""
        return [pool.pooled() for pool in self._pools[1:]]

    @property
    def is_exact(self) -> bool:
        """Have no rows been put into cells?"""
        return self._pools[0].is_exact

    @property
    def worst(self) -> WorstRows:
        """The rows that lose most."""
        assert self._worst is not None
        return self._worst

    def edges(self, pooled: Pooled, strategy: str, n_bins: int) -> Numbers:
        """Of bins of equal width or weight."""
        return quantile_edges(pooled, n_bins) if strategy == "quantile" else np.arange(n_bins + 1) / n_bins

    def sample(self) -> Predictions:
        """Rows of K classes, evenly taken from all."""
        parts = list(zip(*self._sample, strict=True))
        return Predictions(*(np.concatenate(part) for part in parts))

    def _keep_worst(self, data: Predictions, weighted: Numbers, index: npt.NDArray[np.intp]) -> None:
        some = np.argpartition(weighted, -min(WORST, len(weighted)))[-min(WORST, len(weighted)) :]
        rows = WorstRows(index[some], np.asarray(data.y[some], dtype=np.float64), data.proba[some], weighted[some])
        if self._worst is not None:
            pairs = zip(vars(self._worst).values(), vars(rows).values(), strict=True)
            rows = WorstRows(*(np.concatenate(pair) for pair in pairs))
        order = np.lexsort((rows.row, -rows.weighted_loss))[:WORST]
        self._worst = WorstRows(*(part[order] for part in vars(rows).values()))

    def _keep_sample(self, data: Predictions, weight: Numbers) -> None:
        """Every so-manieth row: where they become too many, every second of these is let go."""
        first = -self._seen % self._step
        every = slice(first, None, self._step)
        self._seen += len(weight)
        self._sample.append(Predictions(data.y[every], data.proba[every], weight[every]))
        while sum(len(part.y) for part in self._sample) > SAMPLE:
            kept = self.sample()
            self._step *= 2
            self._sample = [Predictions(kept.y[::2], kept.proba[::2], kept.weight[::2])]  # type: ignore[index]


class Evaluation:
    """Adds up predictions of one or several models of the same rows.

    Parameters
    ----------
    names : sequence of str
        Of the models.
    settings : Settings
    n_groups : int, optional
        Of how many groups the rows come, where they do.
    """

    def __init__(self, names: Sequence[str], settings: Settings, n_groups: int | None = None) -> None:
        self.names, self.settings = list(names), settings
        self.rows = 0
        self.models: list[ModelSums] = []
        self._statistics: list[dict[str, statistics.Statistic]] = []
        size = 1 + 2 * len(self.names)
        self._moments = np.zeros((size, size))
        self._groups = None if n_groups is None else np.zeros((n_groups, size))
        self._bootstrap: Bootstrap | None = None
        self._observed: Totals | None = None

    def add(
        self,
        y: npt.ArrayLike,
        probas: Sequence[npt.ArrayLike],
        sample_weight: npt.ArrayLike | None = None,
        *,
        index: npt.NDArray[np.intp] | None = None,
        groups: npt.NDArray[np.intp] | None = None,
        follows: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add rows; those of a group must come together.

        Parameters
        ----------
        y, probas, sample_weight
            Labels, each model's probabilities and weights, as the metrics take them.
        index : ndarray of shape (n,), optional
            The numbers of the rows; by default they are counted on.
        groups, follows : ndarray of shape (n,), optional
            The code of each row's group, and whether it is that of the row before.
        """
        data = [_ready(check(y, proba, sample_weight)) for proba in probas]
        weight = weights(data[0])
        if not weight.any():  # all of this block, but perhaps not all of the data
            data = [rows._replace(weight=None) for rows in data]
        if index is None:
            index = np.arange(self.rows, self.rows + len(weight))
        of_rows = [self._each(rows, name, index) for rows, name in zip(data, self.names, strict=True)]
        if not self.models:
            self._start(data)
        self.rows += len(weight)
        for model, rows, (losses, squares, moved) in zip(self.models, data, of_rows, strict=True):
            model.add(rows, weight, losses, squares, index)
            model.moved += moved
        columns = [np.ones(len(weight)), *(column for losses, squares, _ in of_rows for column in (losses, squares))]
        matrix = np.stack(columns, axis=1) * weight[:, None]
        if self._groups is None or groups is None:
            self._moments += matrix.T @ matrix
        else:
            np.add.at(self._groups, groups, matrix)
        self._add_replicates(data, weight, follows)

    # ---- results ----------------------------------------------------------------------------------------------------

    def scores(self) -> list[dict[str, Estimate]]:
        """Each model's scores with intervals, NaN where there is none."""
        replicates = self._totals()
        results = []
        for m, (model, known) in enumerate(zip(self.models, self._statistics, strict=True)):
            of_model = {}
            for name, options in self.settings.metrics.items():
                value = SCORES[name].value(model, options)
                if name in ("log_loss", "brier_score"):
                    half = self._half_width([(self._column(m, name), value, 1.0)])
                    of_model[name] = Estimate(value, value - half, value + half)
                elif name in known:
                    seen, then = replicates[m, name]
                    low, high = known[name].interval(value, seen, then, self.settings.level)
                    of_model[name] = Estimate(value, low, high)
                else:
                    of_model[name] = Estimate(value, float("nan"), float("nan"))
            results.append(of_model)
        return results

    def differences(self, scores: list[dict[str, Estimate]]) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Each later model's scores minus those of the first."""
        replicates = self._totals()
        results: dict[tuple[str, str], dict[str, Estimate]] = {}
        for m in range(1, len(self.models)):
            pair = results[self.names[m], self.names[0]] = {}
            for name in self.settings.metrics:
                here, there = scores[m][name].value, scores[0][name].value
                low = high = float("nan")
                if name in ("log_loss", "brier_score"):
                    parts = [(self._column(m, name), here, 1.0), (self._column(0, name), there, -1.0)]
                    half = self._half_width(parts)
                    low, high = here - there - half, here - there + half
                elif (m, name) in replicates and (0, name) in replicates:
                    (now, then), (now_0, then_0) = (
                        [self._statistics[k][name].of(totals) for totals in replicates[k, name]] for k in (m, 0)
                    )
                    low, high = shifted(here - there, float(now[0] - now_0[0]), then - then_0, self.settings.level)
                pair[name] = Estimate(here - there, low, high)
        return results

    @property
    def effective_rows(self) -> float:
        """How many rows of equal weight these are worth: (sum of weights)**2 / sum of squared weights."""
        return self.models[0].weight ** 2 / float(self._cross()[0, 0])

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _each(self, data: Predictions, name: str, index: npt.NDArray[np.intp]) -> tuple[Numbers, Numbers, int]:
        try:
            return each(data, self.settings.eps)
        except ValueError as error:
            of_all = re.sub(r"in row (\d+)$", lambda match: f"in row {index[int(match[1])]}", str(error))
            whose = f"model {name!r}: " if len(self.names) > 1 else ""
            raise ValueError(whose + of_all) from None

    def _start(self, data: list[Predictions]) -> None:
        for rows in data:
            self.models.append(ModelSums(rows.classes, is_binary=rows.is_binary, n_bins=self.settings.bins()))
            known = {}
            for name, options in self.settings.metrics.items():
                statistic = SCORES[name].statistic(rows, options, self.settings.eps)
                if statistic is not None and not isinstance(statistic, statistics.Mean):
                    known[name] = statistic
            self._statistics.append(known)
        flat = self._flat()
        n_values, n_cells = sum(s.n_values for s in flat), sum(s.n_cells for s in flat)
        if flat:
            self._bootstrap = Bootstrap(n_values, n_cells, self.settings.n_resamples, self.settings.random_state)

    def _flat(self) -> list[statistics.Statistic]:
        return [statistic for known in self._statistics for statistic in known.values()]

    def _add_replicates(self, data: list[Predictions], weight: Numbers, follows: npt.NDArray[np.bool_] | None) -> None:
        if self._bootstrap is None:
            return
        parts = [s.columns(rows) for rows, known in zip(data, self._statistics, strict=True) for s in known.values()]
        n_cells = [s.n_cells for s in self._flat()]
        columns = side_by_side(parts, n_cells)
        self._bootstrap.add(weight, columns, follows)
        block = observed(weight, columns, sum(n_cells))
        before = self._observed
        self._observed = block if before is None else Totals(*(a + b for a, b in zip(before, block, strict=True)))

    def _totals(self) -> dict[tuple[int, str], tuple[Totals, Totals]]:
        if self._bootstrap is None or self._observed is None:
            return {}
        keys = [(m, name) for m, known in enumerate(self._statistics) for name in known]
        flat = self._flat()
        sizes = [s.n_values for s in flat], [s.n_cells for s in flat]
        pairs = zip(apart(self._observed, *sizes), apart(self._bootstrap.totals(), *sizes), strict=True)
        return dict(zip(keys, pairs, strict=True))

    def _column(self, model: int, name: str) -> int:
        return 1 + 2 * model + (name == "brier_score")

    def _cross(self) -> Numbers:
        cross: Numbers = self._moments if self._groups is None else self._groups.T @ self._groups
        return cross

    def _half_width(self, parts: list[tuple[int, float, float]]) -> float:
        """Of a sum of means, each given by its column, its value and its sign."""
        direction = np.zeros(len(self._moments))
        for column, value, sign in parts:
            direction[column] += sign
            direction[0] -= sign * value
        n = self.rows if self._groups is None else int(np.count_nonzero(self._groups[:, 0]))
        square = float(direction @ self._cross() @ direction)
        return half_width(max(square, 0.0), self.models[0].weight, n, self.settings.level)


def _ready(data: Predictions) -> Predictions:
    if data.y.ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data.y.shape}")
    return Predictions(np.ascontiguousarray(data.y), np.ascontiguousarray(data.proba), data.weight)


def as_options(metrics: Any) -> Mapping[str, Options]:
    """Metrics given as names alone, or as names with options."""
    if metrics is None:
        return DEFAULT_METRICS
    if isinstance(metrics, Mapping):
        return {str(name): dict(options or {}) for name, options in metrics.items()}
    return {str(name): {} for name in metrics}
