"""Reports on predictions in partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _validation
from ..report import Accumulator, ProbabilityReport, Settings
from ..report._input import label_codes, named_models, rows_named, slice_codes
from ..report._settings import as_options
from ._groups import GroupRuns, numbered, runs_of
from ._partitions import BLOCK, Columns, Partitions, blocks, computed, merged


def report(
    y_true: Any,
    proba: Any,
    sample_weight: Any = None,
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    groups: Any = None,
    slices: Any = None,
    thresholds: Sequence[float] = (),
    reference: str | None = None,
    metrics: Any = None,
    normalize: bool = False,
    eps: float | None = None,
    level: float = 0.95,
    n_resamples: int = 500,
    random_state: int = 0,
) -> ProbabilityReport:
    """Evaluate predictions in partitions.

    Parameters
    ----------
    y_true : Dask array or series of shape (n,)
    proba : Dask collection, sequence of Dask collections, or mapping of names to Dask collections
        The probabilities of one or several models, of shape (n,) or (n, K) each.
    sample_weight : Dask array or series of shape (n,), optional
    groups : Dask array or series of shape (n,), optional
        The group of each row. The rows of a group must be contiguous; a group may extend over several partitions.
    slices : Dask array or series of shape (n,), or mapping or Dask frame of such, optional
    names, classes, thresholds, reference, metrics, normalize, eps, level, n_resamples, random_state
        As for :meth:`boosting_losses.report.ProbabilityReport.from_predictions`.

    Returns
    -------
    ProbabilityReport
        For the same rows in the same order (sorted by group, if there are groups), the report of
        :meth:`~boosting_losses.report.ProbabilityReport.from_predictions`, up to rounding; the bootstrap replicates are
        the same. Errors that are corrected for noise are found by a search, and may differ by its precision of 0.1 %.

    Raises
    ------
    TypeError, ValueError
        As for :meth:`~boosting_losses.report.ProbabilityReport.from_predictions`; the message names the row in the whole
        data. Also if an argument is not a Dask collection, partitions cannot be aligned, or groups are not contiguous.

    Notes
    -----
    The data are computed twice: first a sample, from which bins are determined, then the sums. If the sizes of the
    partitions of ``y_true`` are unknown, they are computed before. Call ``persist`` on data that are expensive to compute
    and fit in the memory of the workers.
    """
    models = named_models(proba, names)
    given = {"y_true": y_true, **{_of_model(name): values for name, values in models.items()}}
    by_variable = _variables(slices)
    given |= {"sample_weight": sample_weight, "groups": groups}
    given |= {_of_slice(name): values for name, values in by_variable.items()}
    partitions = Partitions(given)
    settings = Settings(
        as_options(metrics), eps, level, n_resamples, random_state, tuple(thresholds), reference, normalize
    )
    plan = _Plan(tuple(models), tuple(by_variable), None if classes is None else tuple(classes))
    step = -(-partitions.n_rows // BLOCK)
    found: list[_Survey] = [part for part in computed(partitions.map(_survey, plan, step)) if part is not None]
    counted = [part.counted for part in found]
    categories = {name: sorted(set().union(*(part.categories[name] for part in found))) for name in by_variable}
    codes = None if groups is None else numbered([part.groups for part in found if part.groups is not None])
    accumulator = Accumulator(plan.models, settings, None if codes is None else codes.n_groups, categories)
    y, probas, weight = _joined([part.sample for part in found])
    accumulator.prepare(y, probas, weight, n_rows=sum(counted))
    own: list[tuple[int, int, npt.NDArray[np.intp] | None]] = []
    before = at = 0
    for length in partitions.lengths:
        if not length:
            own.append((0, 0, None))
            continue
        own.append((before, 0 if codes is None else codes.ended[at], None if codes is None else codes.of_runs[at]))
        before, at = before + counted[at], at + 1
    whole: Accumulator = merged(partitions.map(_part, plan, accumulator, each=own))
    return ProbabilityReport.from_accumulator(whole, None if classes is None else [str(label) for label in classes])


# ---- the two passes -------------------------------------------------------------------------------------------------


class _Sample(NamedTuple):
    y: npt.NDArray[Any]
    probas: list[npt.NDArray[Any]]
    weight: npt.NDArray[Any] | None


@dataclass(frozen=True)
class _Survey:
    """What the second pass requires of a partition."""

    counted: int
    sample: _Sample
    categories: Mapping[str, set[str]]
    groups: GroupRuns | None


@dataclass(frozen=True)
class _Plan:
    """The arguments that say how columns are read."""

    models: tuple[str, ...]
    slices: tuple[str, ...]
    classes: tuple[Any, ...] | None

    def labels(self, columns: Columns, probas: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        y: npt.NDArray[Any] = label_codes(columns["y_true"], probas[0], self.classes)[0]
        return y

    def probas(self, columns: Columns) -> list[npt.NDArray[Any]]:
        return [_validation.numeric("proba", columns[_of_model(name)]) for name in self.models]

    def texts(self, columns: Columns) -> tuple[dict[str, list[str]], dict[str, npt.NDArray[np.intp]]]:
        n = len(columns["y_true"])
        return slice_codes({name: columns[_of_slice(name)] for name in self.slices} or None, n)


def _survey(columns: Columns, start: int, plan: _Plan, step: int) -> _Survey | None:
    n = len(columns["y_true"])
    if not n:
        return None
    weight = columns["sample_weight"]
    weight = None if weight is None else _validation.numeric("sample_weight", weight)
    rows = np.arange(-start % step, n, step)
    some = {name: None if column is None else column[rows] for name, column in columns.items()}
    with rows_named(start + rows):
        probas = plan.probas(some)
        y = plan.labels(some, probas)
    categories: dict[str, set[str]] = {name: set() for name in plan.slices}
    for block, _ in blocks(columns, start):
        for name, values in plan.texts(block)[0].items():
            categories[name].update(values)
            Accumulator.refuse_many_categories(name, len(categories[name]))
    return _Survey(
        n if weight is None else int(np.count_nonzero(weight)),
        _Sample(y, probas, None if weight is None else weight[rows]),
        categories,
        None if columns["groups"] is None else runs_of(columns["groups"], weight, start),
    )


def _part(
    columns: Columns,
    start: int,
    plan: _Plan,
    accumulator: Accumulator,
    counted: int,
    ended: int,
    of_runs: npt.NDArray[np.intp] | None,
) -> Accumulator:
    part = accumulator.part(start, counted=counted, groups=ended)
    groups = None if of_runs is None else runs_of(columns["groups"], None, start).each_row(of_runs)
    for block, index in blocks(columns, start):
        with rows_named(index):
            probas = plan.probas(block)
            y = plan.labels(block, probas)
        values, codes = plan.texts(block)
        slices = {name: np.searchsorted(part.slices[name], values[name])[codes[name]] for name in plan.slices}
        rows = slice(index[0] - start, index[-1] + 1 - start)
        part.add(
            y,
            probas,
            block["sample_weight"],
            index=index,
            groups=None if groups is None else groups[rows],
            slices=slices,
        )
    return part


# ---- parts ----------------------------------------------------------------------------------------------------------


def _joined(samples: Sequence[_Sample]) -> _Sample:
    some = [sample for sample in samples if len(sample.y)]
    weights = [sample.weight for sample in some if sample.weight is not None]
    return _Sample(
        np.concatenate([sample.y for sample in some]),
        [np.concatenate(parts) for parts in zip(*(sample.probas for sample in some), strict=True)],
        np.concatenate(weights) if weights else None,
    )


def _variables(slices: Any) -> dict[str, Any]:
    if slices is None:
        return {}
    if isinstance(slices, Mapping) or getattr(slices, "ndim", 1) == 2:
        return {str(name): slices[name] for name in slices}
    return {"slice": slices}


def _of_model(name: str) -> str:
    return f"proba of model {name!r}"


def _of_slice(name: str) -> str:
    return f"slices of variable {name!r}"
