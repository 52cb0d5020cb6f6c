"""Tables by slice and by threshold, with intervals from sums in bootstrap replicates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..metrics import Estimate
from ..metrics._predictions import Numbers, Predictions, one_column
from ..metrics._statistics.base import (
    Statistic,
    Summed,
    expanded,
    independent_rows,
    normal_quantile,
    percentiles,
    within,
)
from ..metrics._statistics.bootstrap import Columns, Totals
from ..metrics._thresholds import from_and_below
from ._results import SliceRow, SliceTable, ThresholdRow, quiet_ratio

Codes = Mapping[str, npt.NDArray[np.intp]]


class PerModel(Summed, ABC):
    """A table that is computed for each model."""

    @abstractmethod
    def columns(self, data: Predictions, losses: Numbers, squares: Numbers, codes: Codes) -> Columns:
        """Return the terms of each row that are summed."""

    def merge(self, later: PerModel) -> None:
        """Add what the table counts in other rows, besides the sums of its columns."""

    @abstractmethod
    def result(self, observed: Totals, replicates: Totals, level: float) -> SliceTable | tuple[ThresholdRow, ...]:
        """Return the table."""


class BySlice(PerModel):
    """Means over the rows of each category of a variable.

    Parameters
    ----------
    name : str
        The name of the variable.
    values : sequence of str
        The categories, in the order of their codes.
    balanced : Statistic, optional
        The balanced log loss, a function of the sums of values, if it is shown.
    """

    def __init__(self, name: str, values: Sequence[str], balanced: Statistic | None = None) -> None:
        self.name, self.values = name, tuple(values)
        self._balanced = balanced
        self.n_cells = (4 + (0 if balanced is None else balanced.source.n_values)) * len(self.values)
        self._rows = np.zeros(len(self.values), dtype=np.int64)

    def columns(self, data: Predictions, losses: Numbers, squares: Numbers, codes: Codes) -> Columns:
        own = codes[self.name]
        self._rows += np.bincount(own, minlength=len(self.values))
        rows = one_column(data)
        amounts = np.stack([losses, squares, rows.proba, rows.y], axis=1).astype(np.float64)
        if self._balanced is not None:
            amounts = np.concatenate([amounts, self._balanced.source.columns(data).values], axis=1)
        cells = own[:, None] + len(self.values) * np.arange(amounts.shape[1])
        return Columns(np.empty((len(own), 0)), cells.astype(np.int32), amounts)

    def merge(self, later: PerModel) -> None:
        assert isinstance(later, BySlice)
        self._rows = self._rows + later._rows  # noqa: SLF001

    def result(self, observed: Totals, replicates: Totals, level: float) -> SliceTable:
        n = len(self.values)
        found = []
        for k, value in enumerate(self.values):
            if not observed.cell_weight[k, 0] > 0.0:
                continue
            cells = [k + n * part for part in range(4)]
            weight, then = float(observed.cell_weight[k, 0]), replicates.cell_weight[k]
            loss, square, proba, label = (float(observed.cell_amounts[c, 0]) / weight for c in cells)
            loss_, square_, proba_, label_ = (quiet_ratio(replicates.cell_amounts[c], then) for c in cells)
            events = independent_rows(observed.cell_amounts[cells[3], 0], replicates.cell_amounts[cells[3]])
            others = independent_rows(
                weight - observed.cell_amounts[cells[3], 0], then - replicates.cell_amounts[cells[3]]
            )
            wide = expanded(level, min(events, others))
            rate = proportion(label, label_, independent_rows(weight, then), level)
            over = _between(label / proba if proba > 0.0 else np.nan, quiet_ratio(label_, proba_), wide)
            if label in (0.0, 1.0) and proba > 0.0:
                over = Estimate(over.value, rate.low / proba, rate.high / proba)
            found.append(
                SliceRow(
                    value=value,
                    rows=int(self._rows[k]),
                    weight=weight,
                    events=events,
                    observed=rate,
                    predicted=proba,
                    observed_over_expected=over,
                    log_loss=_between(loss, loss_, wide),
                    brier_score=_between(square, square_, wide),
                    balanced_log_loss=self._of_balanced(k, observed, replicates, wide),
                )
            )
        return SliceTable(self.name, tuple(found))

    def _of_balanced(self, k: int, observed: Totals, replicates: Totals, level: float) -> Estimate | None:
        if self._balanced is None:
            return None
        own = slice(4 * len(self.values) + k, None, len(self.values))
        value, then = (
            self._balanced.of(totals._replace(values=totals.cell_amounts[own])) for totals in (observed, replicates)
        )
        return _between(float(value[0]), then, level)


class AtThresholds(PerModel):
    """Scores if the second class is predicted for probabilities at or above a threshold."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self._thresholds = np.array(thresholds, dtype=np.float64)
        self.n_cells = len(self._thresholds) + 1

    def columns(self, data: Predictions, losses: Numbers, squares: Numbers, codes: Codes) -> Columns:
        cells = np.searchsorted(self._thresholds, data.proba, side="right").astype(np.int32)
        return Columns(np.empty((len(cells), 0)), cells[:, None], np.asarray(data.y, dtype=np.float64)[:, None])

    def result(self, observed: Totals, replicates: Totals, level: float) -> tuple[ThresholdRow, ...]:
        now, then = (_counts(totals) for totals in (observed, replicates))
        rows = independent_rows(float(observed.weight[0]), replicates.weight)
        found = []
        for j, threshold in enumerate(self._thresholds):
            tp, fp, fn, tn = (float(part[j, 0]) for part in now)
            tp_, fp_, fn_, tn_ = (part[j] for part in then)
            total, total_ = tp + fp + fn + tn, tp_ + fp_ + fn_ + tn_
            per_row = total / rows  # weight of an independent row

            def share(part: float, whole: float, part_: Numbers, whole_: Numbers, per_row: float = per_row) -> Estimate:
                if not whole > 0.0:
                    return Estimate(np.nan, np.nan, np.nan)
                return proportion(part / whole, quiet_ratio(part_, whole_), whole / per_row, level)

            odds = threshold / (1.0 - threshold)
            benefit = _between(
                (tp - fp * odds) / total, (tp_ - fp_ * odds) / total_, expanded(level, (tp + fn) / per_row)
            )
            if tp + fp == 0.0:
                unseen = 1.0 - ((1.0 - level) / 2.0) ** (1.0 / rows)
                benefit = Estimate(0.0, -unseen * odds, unseen)
            overlap = share(tp, tp + fp + fn, tp_, tp_ + fp_ + fn_)  # the Jaccard index, of which F1 is a function
            found.append(
                ThresholdRow(
                    threshold=float(threshold),
                    flagged=share(tp + fp, total, tp_ + fp_, total_),
                    precision=share(tp, tp + fp, tp_, tp_ + fp_),
                    recall=share(tp, tp + fn, tp_, tp_ + fn_),
                    specificity=share(tn, tn + fp, tn_, tn_ + fp_),
                    f1=Estimate(*(2.0 * bound / (1.0 + bound) for bound in overlap)),
                    net_benefit=benefit,
                    net_benefit_of_all=(tp + fn - (fp + tn) * odds) / total,
                )
            )
        return tuple(found)


# ---- parts ----------------------------------------------------------------------------------------------------------


def _counts(totals: Totals) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return the weights of true positives, false positives, false negatives and true negatives, ``(T, R)`` each."""
    tp, fn = from_and_below(totals.cell_amounts)
    fp, tn = from_and_below(np.maximum(totals.cell_weight - totals.cell_amounts, 0.0))
    return tp, fp, fn, tn


def proportion(value: float, replicates: Numbers, rows: float, level: float) -> Estimate:
    """Return Wilson's interval of a proportion (Wilson 1927) for its effective number of rows.

    The variance of the replicates determines the effective number; if they do not vary, ``rows`` is used.
    """
    finite = replicates[np.isfinite(replicates)]
    variance = float(finite.var()) if len(finite) else 0.0
    n = value * (1.0 - value) / variance if variance > 1e-12 and 0.0 < value < 1.0 else rows
    z = normal_quantile(level)
    centre = (value + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z / (1.0 + z * z / n) * np.sqrt(value * (1.0 - value) / n + z * z / (4.0 * n * n))
    return Estimate(value, float(min(max(centre - half, 0.0), value)), float(max(min(centre + half, 1.0), value)))


def _between(value: float, replicates: Numbers, level: float) -> Estimate:
    """Return a value with the percentile interval of its replicates."""
    return within((-np.inf, np.inf), value, *percentiles(replicates, level))
