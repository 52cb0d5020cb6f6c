"""The sums from which a report is computed, accumulated block by block in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _validation
from ..metrics import Estimate
from ..metrics._base_rate import ProperScore
from ..metrics._model_sums import ModelSums
from ..metrics._predictions import Numbers, Predictions, each, tamed
from ..metrics._scores import SCORES
from ..metrics._statistics.base import Sampled, Source, Statistic, Summed, minus
from ..metrics._statistics.bootstrap import Replicates, Totals
from ..metrics._statistics.differences import difference_of
from ..metrics._statistics.means import Labels, Losses, events
from ..metrics._statistics.redrawn_labels import RedrawnLabels
from ..metrics._statistics.residuals import FlexibleError
from ..metrics._statistics.sample import Sample
from ._input import normalized, ready, rows_named, with_meaning
from ._moments import Moments
from ._settings import Settings
from ._tables import AtThresholds, BySlice, PerModel

#: The columns of the moments of a model.
_COLUMNS: tuple[ProperScore, ProperScore] = ("log_loss", "brier")
#: The quantile of the distances that defines each error of the flexible curve; None for the mean.
_FLEXIBLE = {"mean": None, "e50": 0.5, "e90": 0.9, "largest": 1.0}


class Accumulator:
    """Sums over the predictions of one or several models for the same rows, accumulated in bounded memory.

    Use an accumulator if the rows do not fit in memory: :meth:`add` each block of rows, then call
    :meth:`ProbabilityReport.from_accumulator`.

    Parameters
    ----------
    names : sequence of str
        The names of the models.
    settings : Settings, optional
    n_groups : int, optional
        The number of groups, if the rows are grouped. Memory use grows with this number.
    slices : mapping of str to sequence of str, optional
        The categories, at most 200, of each slicing variable. The report also shows the scores of each category.

    Raises
    ------
    ValueError
        If a variable has too many categories, or the reference is not one of the models.
    """

    #: The largest number of categories of a variable.
    MOST_CATEGORIES = 200

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings | None = None,
        n_groups: int | None = None,
        slices: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.names, self.n_groups = list(names), n_groups
        self.settings = Settings() if settings is None else settings
        self.reference = self.settings.reference_among(self.names)
        #: The index of the model with which each model, except the reference, is compared.
        self._compared = self.settings.compared_among(self.names)
        self.slices = {} if slices is None else dict(slices)
        for name, categories in self.slices.items():
            self.refuse_many_categories(name, len(categories))
        self.rows = 0
        #: The number of probabilities that rounding had moved outside [0, 1].
        self.rounded = 0
        self.models: list[ModelSums] = []
        self.scale = 1.0
        #: Columns: log loss and squared error of each model, then their differences from those of the compared model.
        self._moments = Moments(4 * len(self.names), n_groups)
        self._statistics: list[dict[str, Statistic]] = []
        self._flexible: list[dict[str, Statistic]] = []
        self._sources: list[list[Source]] = []
        self._tables: list[list[PerModel]] = []
        #: The keys are the indices of the models that are compared with another.
        self._redrawn: dict[int, RedrawnLabels] = {}
        self._labels = Labels()
        self._replicates: Replicates | None = None
        self._last_group = -1

    @classmethod
    def refuse_many_categories(cls, name: str, n: int) -> None:
        """Raise ValueError if a variable has more than ``MOST_CATEGORIES`` categories."""
        if n > cls.MOST_CATEGORIES:
            raise ValueError(
                f"slices must have at most {cls.MOST_CATEGORIES} categories, got {n} of {name!r}: bin its values"
            )

    def prepare(
        self, y_true: npt.ArrayLike, probas: Sequence[npt.ArrayLike], sample_weight: npt.ArrayLike | None = None
    ) -> None:
        """Determine bins of equal weight and the kernel width from a sample of all rows.

        Without this call, the first block is the sample. It should then be representative of all rows.

        Parameters
        ----------
        y_true, probas, sample_weight
            As for :meth:`add`. Invalid rows are ignored here; :meth:`add` raises an error for them.
        """
        data = [ready(*with_meaning(y_true, proba, sample_weight)) for proba in self._forms(probas)]
        weight = None if data[0].weight is None else np.asarray(data[0].weight, dtype=np.float64)
        if weight is not None and weight.any():
            self.scale = 1.0 if tamed(weight) is weight else 1.0 / float(weight.max())
        self.settings = self.settings.for_classes(data[0].classes)
        if data[0].is_binary and self.n_groups is None:
            self._redrawn = {
                m: RedrawnLabels(data[m], data[other], self.settings.eps) for m, other in self._compared.items()
            }
        for rows in data:
            sample = rows._replace(weight=None if weight is None or not weight.any() else weight * self.scale)
            self.models.append(
                ModelSums(rows.classes, is_binary=rows.is_binary, n_bins=self.settings.bins(), eps=self.settings.eps)
            )
            shared = Sample(sample, self.settings.eps)
            known = {}
            for name, options in self.settings.metrics.items():
                statistic = SCORES[name].statistic(shared, options)
                # A calibration error that includes noise does not estimate the true error, so it has no interval.
                if statistic is not None and options.get("debiased") is not False:
                    known[name] = statistic
            flexible = {name: FlexibleError(shared.flexible, share) for name, share in _FLEXIBLE.items()}
            self._statistics.append(known)
            self._flexible.append(dict(flexible))
            self._sources.append(list(dict.fromkeys(s.source for s in [*known.values(), *flexible.values()])))
            balanced = known.get("balanced_log_loss")
            tables: list[PerModel] = [BySlice(name, values, balanced) for name, values in self.slices.items()]
            if rows.is_binary and self.settings.thresholds:
                tables.append(AtThresholds(self.settings.thresholds))
            self._tables.append(tables)
        self._replicates = Replicates(self._all_sources(), self.settings.n_resamples, self.settings.random_state)

    def add(
        self,
        y_true: npt.ArrayLike,
        probas: Sequence[npt.ArrayLike],
        sample_weight: npt.ArrayLike | None = None,
        *,
        index: npt.NDArray[np.intp] | None = None,
        groups: npt.NDArray[np.intp] | None = None,
        slices: Mapping[str, npt.NDArray[np.intp]] | None = None,
    ) -> None:
        """Add a block of rows.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 and 1, or class codes 0..K-1.
        probas : sequence of array-likes of shape (n,) or (n, K)
            The probabilities of each model, in the order of the names.
        sample_weight : array-like of shape (n,), optional
        index : ndarray of shape (n,), optional
            The row numbers in error messages and in the list of worst rows; by default, rows are numbered consecutively.
        groups : ndarray of shape (n,), optional
            The group code of each row, from 0. The rows of a group must be contiguous, also across blocks.
        slices : mapping of str to ndarray of shape (n,), optional
            For each variable, the category code of each row: its position in the categories given to the constructor.

        Raises
        ------
        TypeError, ValueError
            If the data have a wrong dtype or shape, or invalid values; the message names the model and the row. Also if
            the models, slices or groups differ from those given to the constructor.
        """
        self._refuse_what_was_not_announced(len(probas), groups, slices or {})
        if not self.models:
            self.prepare(y_true, probas, sample_weight)
        if index is None:
            index = np.arange(self.rows, self.rows + len(np.asarray(y_true)))
        with rows_named(index):
            inside = [_validation.moved_inside(proba) for proba in self._forms(probas)]
            self.rounded += sum(count for _, count in inside)
            data = [ready(y_true, proba, sample_weight) for proba, _ in inside]
            weight = np.ones(len(data[0].y)) if data[0].weight is None else np.asarray(data[0].weight, dtype=np.float64)
            if not weight.any():  # other blocks may have weights above 0
                data = [rows._replace(weight=None) for rows in data]
            of_rows = [self._each(rows, name) for rows, name in zip(data, self.names, strict=True)]
        self.rows += len(weight)
        some = np.flatnonzero(weight)  # rows of weight 0 are ignored, even if their loss is infinite
        if not len(some):
            return
        codes = {} if slices is None else {name: values[some] for name, values in slices.items()}
        if len(some) < len(weight):
            data = [rows._replace(weight=weight).take(some) for rows in data]
            of_rows = [(losses[some], squares[some], moved) for losses, squares, moved in of_rows]
            weight, index = weight[some], index[some]
            groups = None if groups is None else groups[some]
        weight = weight * self.scale
        for model, rows, (losses, squares, moved) in zip(self.models, data, of_rows, strict=True):
            model.add(rows, weight, losses, squares, index)
            model.moved += moved
        own = np.stack([column for losses, squares, _ in of_rows for column in (losses, squares)], axis=1)
        others = [self._compared.get(m, m) for m in range(len(of_rows))]
        differences = minus(own, own.reshape(len(own), -1, 2)[:, others].reshape(own.shape))
        self._moments.add(weight, np.concatenate([own, differences], axis=1), groups)
        for m, redrawn in self._redrawn.items():
            redrawn.add(data[m], data[self._compared[m]], weight)
        self._add_replicates(data, of_rows, weight, codes, groups)

    # ---- results ----------------------------------------------------------------------------------------------------

    def scores(self) -> list[dict[str, Estimate]]:
        """Return the scores of each model with intervals; the bounds are NaN if a score has no interval."""
        return [self._of_model(m) for m in range(len(self.models))]

    @cached_property
    def values(self) -> list[dict[str, float]]:
        """The scores of each model without correction; label noise may inflate them."""
        metrics = self.settings.metrics.items()
        return [{name: SCORES[name].value(model, options) for name, options in metrics} for model in self.models]

    def flexible_errors(self) -> list[dict[str, Estimate]]:
        """Return the distances of each model's probabilities from its flexible curve, corrected for label noise."""
        return [
            {name: self._drawn(statistic, float("nan")).estimate for name, statistic in flexible.items()}
            for flexible in self._flexible
        ]

    def differences(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Return the scores of every model but the reference, minus those of the model with which it is compared."""
        return {(self.names[m], self.names[other]): self._of_pair(m, other) for m, other in self._compared.items()}

    def tables(self) -> list[list[Any]]:
        """Return the tables by slice and by threshold of each model."""
        level = self.settings.level
        return [[table.result(*self._totals[table], level) for table in tables] for tables in self._tables]

    @property
    def effective_rows(self) -> float:
        """The effective number of rows: (sum of weights)**2 / sum of squared weights."""
        return self._moments.effective_rows

    @cached_property
    def events(self) -> float:
        """The effective number of rows with the rarer label; for K classes, of the rarer of right and wrong predictions."""
        return events(self._totals[self._labels])

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _of_model(self, m: int) -> dict[str, Estimate]:
        of_model = {}
        for name, value in self.values[m].items():
            mean_of = SCORES[name].computation.mean_of
            if mean_of is not None:
                range_ = Losses(mean_of, 0).range(self.models[m].classes)
                of_model[name] = self._moments.interval(
                    2 * m + _COLUMNS.index(mean_of), value, self.settings.level, range_
                )
            elif name in self._sampled[m]:
                of_model[name] = self._sampled[m][name].estimate
            else:
                of_model[name] = Estimate(value, float("nan"), float("nan"))
        return of_model

    def _of_pair(self, m: int, other: int) -> dict[str, Estimate]:
        pair = {}
        for name, here in self.values[m].items():
            there = self.values[other][name]
            mean_of = SCORES[name].computation.mean_of
            if mean_of is not None:
                column, value = 2 * (len(self.models) + m) + _COLUMNS.index(mean_of), here - there
                expected = self._redrawn[m].moments(mean_of, value) if m in self._redrawn else None
                pair[name] = self._moments.interval(column, value, self.settings.level, expected=expected)
            elif name in self._sampled[m]:
                pair[name] = difference_of(self._sampled[m][name], self._sampled[other][name])
            else:
                pair[name] = Estimate(here - there, float("nan"), float("nan"))
        return pair

    @cached_property
    def _sampled(self) -> list[dict[str, Sampled]]:
        """The scores of each model that have bootstrap replicates, by name."""
        return [
            {
                name: Sampled(
                    statistic, values[name], *self._totals[statistic.source], self.settings.level, self.events
                )
                for name, statistic in known.items()
            }
            for known, values in zip(self._statistics, self.values, strict=True)
        ]

    def _drawn(self, statistic: Statistic, value: float) -> Sampled:
        return Sampled(statistic, value, *self._totals[statistic.source], self.settings.level, self.events)

    def _refuse_what_was_not_announced(
        self, n_models: int, groups: npt.NDArray[np.intp] | None, slices: Mapping[str, npt.NDArray[np.intp]]
    ) -> None:
        """Raise ValueError unless there is one array per model, and the codes of groups and slices are valid."""
        if n_models != len(self.names):
            raise ValueError(f"probas must contain one array per model ({len(self.names)} expected), got {n_models}")
        if set(slices) != set(self.slices):
            raise ValueError(f"slices must contain the codes of the variables {list(self.slices)}, got {list(slices)}")
        codes = [(name, slices[name], len(categories)) for name, categories in self.slices.items()]
        if self.n_groups is not None or groups is not None:
            if self.n_groups is None or groups is None:
                raise ValueError(
                    f"groups must be given if n_groups is given, got {groups!r} and n_groups={self.n_groups!r}"
                )
            codes.append(("groups", groups, self.n_groups))
        for name, values, size in codes:
            odd = (values < 0) | (values >= size)
            if odd.any():
                raise ValueError(f"codes of {name} must lie in [0, {size}), got {values[odd][0]}")

    def _each(self, data: Predictions, name: str) -> tuple[Numbers, Numbers, int]:
        try:
            return each(data, self.settings.eps)
        except ValueError as error:
            whose = f"model {name!r}: " if len(self.names) > 1 else ""
            raise ValueError(f"{whose}{error}") from None

    def _all_sources(self) -> list[Summed]:
        parts: list[Summed] = []
        for sources, tables in zip(self._sources, self._tables, strict=True):
            parts += [*sources, *tables]
        return [*parts, self._labels]

    def _add_replicates(
        self,
        data: list[Predictions],
        of_rows: list[tuple[Numbers, Numbers, int]],
        weight: Numbers,
        codes: Mapping[str, npt.NDArray[np.intp]],
        groups: npt.NDArray[np.intp] | None,
    ) -> None:
        assert self._replicates is not None
        follows = None
        if groups is not None:
            follows = np.diff(groups, prepend=self._last_group) == 0
            self._last_group = int(groups[-1])
        parts = []
        for m, (rows, (losses, squares, _)) in enumerate(zip(data, of_rows, strict=True)):
            parts += [source.columns(rows) for source in self._sources[m]]
            parts += [table.columns(rows, losses, squares, codes) for table in self._tables[m]]
        self._replicates.add([*parts, self._labels.columns(data[0])], weight, follows)

    @cached_property
    def _totals(self) -> dict[Summed, tuple[Totals, Totals]]:
        """The sums of each source, for the data and for the replicates."""
        assert self._replicates is not None
        return dict(zip(self._all_sources(), self._replicates.totals(), strict=True))

    def _forms(self, probas: Sequence[npt.ArrayLike]) -> list[npt.NDArray[Any]]:
        """Return the probabilities of each model, normalized if the settings require it."""
        forms = []
        for proba in probas:
            p = _validation.numeric("proba", proba)
            if p.ndim == 2 and p.shape[1] == 1:
                p = p[:, 0]
            forms.append(normalized(p) if self.settings.normalize and p.ndim == 2 else p)
        return forms
