"""The two passes over the rows: the first collects what the second needs to accumulate the sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..report import Accumulator, ProbabilityReport
from .categories import Categories, Codes, Groups
from .columns import Block, Table
from .files import ROWS
from .plan import Plan

Numbers = npt.NDArray[np.float64]

#: A function that is called with the number of rows read since its last call.
Advance = Callable[[int], None]


def evaluated(table: Table, plan: Plan, advance: Advance) -> ProbabilityReport:
    """Return the report on all rows, which are read twice."""
    look = _look(table, plan, advance)
    factor = look.balancing() if plan.balanced else None
    slices = {name: sorted(categories.names) for name, categories in look.slices.items()}
    accumulator = Accumulator(plan.reported, plan.settings, None if look.groups is None else len(look.groups), slices)
    blocks = _coded(table, plan, look, factor)
    scattered = look.groups is not None and not look.groups.together
    if plan.calibration is None and not scattered:
        sample = _rows(look.sample, plan, factor)
    else:
        whole = _calibrated(_Rows.joined(list(blocks)), plan)
        sample = whole.take(np.arange(0, len(whole.labels), look.step))
        blocks = _in_order(whole, look.groups if scattered else None)
    accumulator.prepare(sample.labels, sample.probas, sample.weight)
    for rows in blocks:
        accumulator.add(rows.labels, rows.probas, rows.weight, index=rows.index, groups=rows.groups, slices=rows.slices)
        advance(len(rows.labels))
    if "balanced_log_loss" in plan.settings.metrics:
        _refuse_absent_classes(accumulator.models[0].class_weight)
    return ProbabilityReport.from_accumulator(accumulator, table.classes)


def _refuse_absent_classes(weight: Numbers) -> None:
    """Raise ValueError unless each class has weight."""
    if not (weight > 0.0).all():
        raise ValueError(
            f"balancing the classes requires at least one row of each class, got none of class {int(np.argmin(weight))}"
        )


# The first pass


@dataclass(frozen=True)
class _Look:
    """The results of the first pass.

    They are an evenly spaced sample of the rows, the weights of the classes, and the categories of slices and groups.
    """

    sample: Block
    step: int  #: the sample consists of the rows 0, step, 2 * step, ...
    totals: Numbers
    slices: dict[str, Categories]
    groups: Groups | None

    def balancing(self) -> Numbers:
        """Return factors that give each class the same weight: inverse class frequencies with weighted mean 1."""
        _refuse_absent_classes(self.totals)
        balanced: Numbers = self.totals.sum() / (len(self.totals) * self.totals)
        return balanced


def _look(table: Table, plan: Plan, advance: Advance) -> _Look:
    kept: list[Block] = []
    totals, seen, step = np.zeros(plan.n_classes), 0, 1
    slices = {name: Categories() for name in plan.slices}
    groups = None if plan.groups is None else Groups()
    for block in table.blocks():
        totals += np.bincount(
            _classes(block, plan), weights=_checked(block, plan.weight, seen), minlength=plan.n_classes
        )
        for name, categories in slices.items():
            categories.add(block.texts[name])
            Accumulator.refuse_many_categories(name, len(categories))
        if groups is not None:
            groups.add(block.texts[str(plan.groups)])
        kept.append(replace(block, texts={}).take(slice(-seen % step, None, step)))
        seen += len(block)
        while sum(len(part) for part in kept) > ROWS:
            step *= 2
            kept = [Block.joined(kept).take(slice(None, None, 2))]
        advance(len(block))
    if groups is not None and len(groups) < 2:
        raise ValueError(f"groups must name at least 2 groups, got only {groups.names[0]!r} in {plan.groups!r}")
    return _Look(Block.joined(kept), step, totals, slices, groups)


def _classes(block: Block, plan: Plan) -> Codes:
    """Return class codes; ``Accumulator.add`` raises an error for invalid labels, which are clipped here."""
    return np.clip(np.nan_to_num(block.labels), 0, plan.n_classes - 1).astype(np.intp)


def _checked(block: Block, weight: str | None, start: int) -> Numbers | None:
    if weight is None:
        return None
    values = block.numbers[weight]
    wrong = ~((values >= 0.0) & (values < np.inf))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"sample_weight must be finite and >= 0, got {values[row]} in row {start + row}")
    return values


# The second pass


@dataclass(frozen=True)
class _Rows:
    """The rows of one call to ``Accumulator.add``; without ``index``, rows are numbered consecutively."""

    labels: Numbers
    probas: list[Numbers]
    weight: Numbers | None
    slices: dict[str, Codes] = field(default_factory=dict)
    groups: Codes | None = None
    index: Codes | None = None

    def take(self, index: Codes) -> _Rows:
        def of(values: npt.NDArray[Any] | None) -> Any:
            return None if values is None else values[index]

        slices = {name: of(codes) for name, codes in self.slices.items()}
        return _Rows(of(self.labels), list(map(of, self.probas)), of(self.weight), slices, of(self.groups), index)

    @staticmethod
    def joined(parts: Sequence[_Rows]) -> _Rows:
        def of(arrays: Iterable[npt.NDArray[Any] | None]) -> Any:
            some = [values for values in arrays if values is not None]
            return np.concatenate(some) if some else None

        return _Rows(
            of(part.labels for part in parts),
            [of(columns) for columns in zip(*(part.probas for part in parts), strict=True)],
            of(part.weight for part in parts),
            {name: of(part.slices[name] for part in parts) for name in parts[0].slices},
            of(part.groups for part in parts),
        )


def _rows(block: Block, plan: Plan, factor: Numbers | None) -> _Rows:
    weight = None if plan.weight is None else block.numbers[plan.weight]
    if factor is not None:
        balanced = factor[_classes(block, plan)]
        weight = balanced if weight is None else weight * balanced
    return _Rows(block.labels, [_matrix([block.numbers[name] for name in model]) for model in plan.models], weight)


def _matrix(columns: list[Numbers]) -> Numbers:
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _coded(table: Table, plan: Plan, look: _Look, factor: Numbers | None) -> Iterator[_Rows]:
    """Return all rows in the order of the files."""
    ranks = {name: categories.ranks(as_numbers=False) for name, categories in look.slices.items()}
    for block in table.blocks():
        slices = {name: ranks[name][look.slices[name].known(block.texts[name])] for name in ranks}
        groups = None if look.groups is None else look.groups.known(block.texts[str(plan.groups)])
        yield replace(_rows(block, plan, factor), slices=slices, groups=groups)


def _in_order(whole: _Rows, scattered: Groups | None) -> Iterator[_Rows]:
    """Return all rows in blocks, sorted by group if groups are scattered."""
    order = np.arange(len(whole.labels))
    if scattered is not None:
        order = np.argsort(scattered.ranks(as_numbers=True)[whole.groups], kind="stable")
    for start in range(0, len(order), ROWS):
        yield whole.take(order[start : start + ROWS])


def _calibrated(whole: _Rows, plan: Plan) -> _Rows:
    """Return all rows with the probabilities of the calibrated models, if there are any, after those of the models."""
    if plan.calibration is None:
        return whole
    from .cross_fitting import cross_fitted  # noqa: PLC0415  (scikit-learn takes seconds to import)

    seed, normalize = plan.settings.random_state, plan.settings.normalize
    models = dict(zip(plan.names, whole.probas, strict=True))
    data = (whole.labels, models, whole.weight, whole.groups)
    calibrated = cross_fitted(*data, plan.calibration, seed=seed, normalize=normalize)
    return replace(whole, probas=[*whole.probas, *calibrated])
