"""What a report is made of, added up block by block in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from .. import _arrays as arrays
from ..kernels.row_by_row import ROW_SUM_TOLERANCE
from ..metrics import Estimate
from ..metrics import _statistics as statistics
from ..metrics._bootstrap import Bootstrap, Numbers, Totals, apart, observed, side_by_side
from ..metrics._predictions import Predictions, check, each
from ..metrics.intervals import half_width, shifted
from ..metrics.reliability import tamed
from ._model_sums import ModelSums
from ._scores import SCORES
from ._settings import Settings


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
        self._last_group = -1
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
    ) -> None:
        """Add rows; those of a group must come together.

        Parameters
        ----------
        y, probas, sample_weight
            Labels, each model's probabilities and weights, as the metrics take them.
        index : ndarray of shape (n,), optional
            The numbers of the rows; by default they are counted on.
        groups : ndarray of shape (n,), optional
            The code of each row's group.
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
        self.rows += len(weight)
        some = np.flatnonzero(weight)  # the others count nowhere, whatever they lose
        if len(some) < len(weight):
            data = [Predictions(rows.y[some], rows.proba[some], weight[some]) for rows in data]
            of_rows = [(losses[some], squares[some], moved) for losses, squares, moved in of_rows]
            weight, index = weight[some], index[some]
            groups = None if groups is None else groups[some]
        if not len(weight):
            return
        weight = weight * self.scale
        self._counted += len(weight)
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
        self._add_replicates(data, weight, groups)

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
                here, there = float(scores[m][name].value), float(scores[0][name].value)
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

    def _add_replicates(self, data: list[Predictions], weight: Numbers, groups: npt.NDArray[np.intp] | None) -> None:
        if self._bootstrap is None:
            return
        follows = None
        if groups is not None:
            follows = np.diff(groups, prepend=self._last_group) == 0
            self._last_group = int(groups[-1])
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
        if not np.isfinite([value for _, value, _ in parts]).all():
            return float("nan")
        direction = np.zeros(len(self._moments))
        for column, value, sign in parts:
            direction[column] += sign
            direction[0] -= sign * value
        n = self._counted if self._groups is None else int(np.count_nonzero(self._groups[:, 0]))
        used = np.flatnonzero(direction)  # another column's infinite loss is none of theirs
        square = float(direction[used] @ self._cross()[np.ix_(used, used)] @ direction[used])
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
    """The rows that count and have no fault; those with one are refused when they are added."""
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
        fine &= (weight > 0.0) & (weight < np.inf)
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
