"""What a report is made of, added up block by block in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _arrays as arrays
from .._arrays import Array
from ..kernels.row_by_row import ROW_SUM_TOLERANCE
from ..metrics import Estimate
from ..metrics import _statistics as statistics
from ..metrics._bootstrap import Bootstrap, Numbers, Totals, apart, observed, side_by_side
from ..metrics._predictions import Predictions, check, class_columns, each
from ..metrics.intervals import half_width, refuse_odd_resampling, shifted
from ..metrics.means import log_loss_by_class
from ..metrics.reliability import each_class, one_column, tamed
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
            # The score itself says what options mean.
            SCORES[name].function([0, 1, 1], [0.2, 0.4, 0.7], **options)
        if not self.metrics:
            raise ValueError(f"metrics must name at least one of {', '.join(SCORES)}, got none")
        refuse_odd_resampling(self.level, self.n_resamples, self.random_state)

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

    def __init__(self, classes: int, *, is_binary: bool, n_bins: int, eps: float | None) -> None:
        self.is_binary, self.classes, self.eps = is_binary, classes, eps
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
        weighted = np.where(weight > 0.0, weight, 0.0) * np.where(weight > 0.0, losses, 0.0)
        self.loss += float(weighted.sum())
        self.square += float(weight @ squares)
        self.weight += float(weight.sum())
        columns = class_columns(data) * weight[:, None]
        self.class_weight += columns.sum(axis=0)
        if self.is_binary:  # labels may be shares
            self.class_loss += self._loss_of_classes(data, weight)
        else:
            self.class_loss += np.bincount(data.y.astype(np.intp), weights=weighted, minlength=self.classes)
        proba = np.stack([1.0 - data.proba, data.proba], axis=1) if self.is_binary else data.proba
        self.class_proba += weight @ proba
        top = one_column(data)
        self._pools[0].add(top.proba, top.y, weight, losses)
        for pool, rows in zip(self._pools[1:], [] if self.is_binary else each_class(data), strict=True):
            pool.add(rows.proba, rows.y, weight, losses)
        self._keep_worst(data, weighted, index)
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
        parts = [(part.y, part.proba, part.weight) for part in self._sample]
        return Predictions(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _loss_of_classes(self, data: Predictions, weight: Numbers) -> Numbers:
        by_class = log_loss_by_class(data.y, data.proba, weight, eps=self.eps) if weight.any() else np.zeros(2)
        share = np.array([weight @ (1.0 - data.y), weight @ data.y])
        return np.where(share > 0.0, by_class * share, 0.0)

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
        self._counted, self._squared_weights, self.scale = 0, 0.0, 1.0
        self._groups = None if n_groups is None else np.zeros((n_groups, size))
        self._bootstrap: Bootstrap | None = None
        self._observed: Totals | None = None

    def prepare(
        self, y: npt.ArrayLike, probas: Sequence[npt.ArrayLike], sample_weight: npt.ArrayLike | None = None
    ) -> None:
        """Look at a sample of all rows, from which bins of equal weight and the width of a kernel are found.

        Without this the first rows that are added are the sample. Their values need not have a meaning yet.
        """
        data = [_ready(*_with_meaning(y, proba, sample_weight)) for proba in probas]
        weight = None if data[0].weight is None else np.asarray(data[0].weight, dtype=np.float64)
        if weight is not None and weight.any():
            self.scale = 1.0 if tamed(weight) is weight else 1.0 / float(weight.max())
        for rows in data:
            sample = rows._replace(weight=None if weight is None or not weight.any() else weight * self.scale)
            self.models.append(
                ModelSums(rows.classes, is_binary=rows.is_binary, n_bins=self.settings.bins(), eps=self.settings.eps)
            )
            known = {}
            for name, options in self.settings.metrics.items():
                statistic = SCORES[name].statistic(sample, options, self.settings.eps)
                if statistic is not None and not isinstance(statistic, statistics.Mean):
                    known[name] = statistic
            self._statistics.append(known)
        flat = self._flat()
        n_values, n_cells = sum(s.n_values for s in flat), sum(s.n_cells for s in flat)
        if flat:
            self._bootstrap = Bootstrap(n_values, n_cells, self.settings.n_resamples, self.settings.random_state)

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
        if not self.models:
            self.prepare(y, probas, sample_weight)
        if index is None:
            index = np.arange(self.rows, self.rows + len(np.asarray(y)))
        with _rows_named(index):
            data = [_ready(y, proba, sample_weight) for proba in probas]
            weight = np.ones(len(data[0].y)) if data[0].weight is None else np.asarray(data[0].weight, dtype=np.float64)
            if not weight.any():  # all of this block, but perhaps not all of the data
                data = [rows._replace(weight=None) for rows in data]
            of_rows = [self._each(rows, name) for rows, name in zip(data, self.names, strict=True)]
        weight = weight * self.scale
        self.rows += len(weight)
        self._counted += int(np.count_nonzero(weight))
        self._squared_weights += float(weight @ weight)
        for model, rows, (losses, squares, moved) in zip(self.models, data, of_rows, strict=True):
            model.add(rows, weight, losses, squares, index)
            model.moved += moved
        columns = [np.ones(len(weight)), *(column for losses, squares, _ in of_rows for column in (losses, squares))]
        with np.errstate(invalid="ignore"):  # an infinite loss has no interval
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
                    change = statistics.minus(now, now_0), statistics.minus(then, then_0)
                    low, high = shifted(here - there, *change, self.settings.level)
                pair[name] = Estimate(here - there, low, high)
        return results

    @property
    def effective_rows(self) -> float:
        """How many rows of equal weight these are worth: (sum of weights)**2 / sum of squared weights."""
        return self.models[0].weight ** 2 / self._squared_weights

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _each(self, data: Predictions, name: str) -> tuple[Numbers, Numbers, int]:
        try:
            return each(data, self.settings.eps)
        except ValueError as error:
            whose = f"model {name!r}: " if len(self.names) > 1 else ""
            raise ValueError(f"{whose}{error}") from None

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
        n = self._counted if self._groups is None else int(np.count_nonzero(self._groups[:, 0]))
        with np.errstate(invalid="ignore"):
            square = float(direction @ self._cross() @ direction)
        return half_width(max(square, 0.0), self.models[0].weight, n, self.settings.level)


def _ready(y: npt.ArrayLike, proba: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Predictions:
    """Checked predictions; two columns are those of two classes, of which the second is looked at."""
    p = arrays.numeric("proba", proba)
    if p.ndim == 2 and p.shape[1] == 2:
        arrays.refuse_bad_probabilities(p)
        p = p[:, 1]
    data = check(y, p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p, sample_weight)
    if data.y.ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data.y.shape}")
    return Predictions(np.ascontiguousarray(data.y), np.ascontiguousarray(data.proba), data.weight)


def _with_meaning(
    y: npt.ArrayLike, proba: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike | None]:
    """The rows without a fault; the others are refused when they are added."""
    labels, p = arrays.numeric("y_true", y), arrays.numeric("proba", proba)
    weight = None if sample_weight is None else arrays.numeric("sample_weight", sample_weight)
    if labels.ndim != 1 or p.shape[:1] != labels.shape or (weight is not None and weight.shape != labels.shape):
        return labels, p, weight  # refused at once
    columns = p.reshape(len(p), -1)
    fine = ((columns >= 0.0) & (columns <= 1.0)).all(axis=1) & (labels >= 0)
    if columns.shape[1] > 1:
        fine &= (labels < columns.shape[1]) & (abs(columns.sum(axis=1, dtype=np.float64) - 1.0) <= ROW_SUM_TOLERANCE)
        fine &= labels == np.floor(labels)
    else:
        fine &= labels <= 1
    if weight is not None:
        fine &= (weight >= 0.0) & (weight < np.inf)
    if fine.all() or not fine.any():
        return labels, p, weight
    return labels[fine], p[fine], None if weight is None else weight[fine]


@contextmanager
def _rows_named(index: npt.NDArray[np.intp]) -> Iterator[None]:
    """Errors name the rows of all data instead of those of a block."""
    try:
        yield
    except ValueError as error:
        text = re.sub(r"in row (\d+)$", lambda match: f"in row {index[int(match[1])]}", str(error))
        raise ValueError(text) from None


def as_options(metrics: Any) -> Mapping[str, Options]:
    """Metrics given as names alone, or as names with options."""
    if metrics is None:
        return DEFAULT_METRICS
    if not isinstance(metrics, Mapping):
        return {str(name): {} for name in ([metrics] if isinstance(metrics, str) else metrics)}
    for name, options in metrics.items():
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"options of {name} must be a mapping of names to values, got {options!r}")
    return {str(name): dict(options or {}) for name, options in metrics.items()}
