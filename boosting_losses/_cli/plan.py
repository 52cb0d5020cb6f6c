"""The plan of an evaluation, from the options of the command and its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..metrics import threshold_of_costs
from ..report import Settings
from .columns import Table
from .config import Evaluation
from .inputs import Input


@dataclass(frozen=True)
class Options:
    """The options of ``evaluate`` that say what is evaluated; see its help."""

    label: str
    probas: tuple[str, ...]
    weight: str | None = None
    classes: str | None = None
    slices: tuple[str, ...] = ()
    groups: str | None = None
    thresholds: tuple[float, ...] = ()
    costs: tuple[str, ...] = ()
    reference: str | None = None
    normalize: bool = False


@dataclass(frozen=True)
class Plan:
    """The meaning of the columns of a table, and how they are evaluated."""

    label: str
    classes: tuple[str, ...] | None
    names: tuple[str, ...]  #: of the models
    models: tuple[tuple[str, ...], ...]  #: the columns of each
    weight: str | None
    slices: tuple[str, ...]
    groups: str | None
    balanced: bool
    settings: Settings

    @property
    def n_classes(self) -> int:
        """The number of classes: one column of a model is of two, K columns are of K."""
        return max(2, len(self.models[0]))

    def numbers(self) -> tuple[str, ...]:
        """Return the columns that must hold numbers."""
        others = () if self.weight is None else (self.weight,)
        return tuple(dict.fromkeys([*(column for columns in self.models for column in columns), *others]))

    def table(self, source: Input) -> Table:
        """Return the columns that are read."""
        groups = () if self.groups is None else (self.groups,)
        texts = tuple(dict.fromkeys((*self.slices, *groups)))
        return Table(source, self.label, self.numbers(), self.classes, texts, groups)


def planned(options: Options, config: Evaluation, columns: Sequence[str]) -> Plan:
    """Return the plan; raise ValueError for options or keys that contradict each other or the columns of the first file.

    Options go before the configuration.
    """
    models = tuple(_split(proba, columns) for proba in options.probas)
    classes = None if options.classes is None else tuple(part.strip() for part in options.classes.split(","))
    _refuse_odd_models(models, classes)
    settings = replace(
        config.settings,
        thresholds=(*options.thresholds, *map(_threshold_of, options.costs)) or config.settings.thresholds,
        reference=config.settings.reference if options.reference is None else options.reference,
        normalize=options.normalize or config.settings.normalize,
    )
    plan = Plan(
        label=options.label,
        classes=classes,
        names=_names(models),
        models=models,
        weight=options.weight,
        slices=options.slices or config.slices,
        groups=config.groups if options.groups is None else options.groups,
        balanced=config.class_weight == "balanced",
        settings=settings,
    )
    _refuse_odd_columns(plan, options, config)
    _refuse_odd_settings(plan, options, config)
    return plan


def _split(proba: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an option names: itself, if there is such a column, or its parts between commas."""
    if proba in names:
        return (proba,)
    return tuple(part if part in names else part.strip() for part in proba.split(","))


def _refuse_odd_models(models: Sequence[tuple[str, ...]], labels: tuple[str, ...] | None) -> None:
    sizes = {len(columns) for columns in models}
    if len(sizes) > 1:
        raise ValueError(f"--proba must name as many columns for each model, got {sorted(sizes)}")
    if len(set(models)) < len(models):
        raise ValueError(f"--proba must name each model once, got {', '.join('+'.join(columns) for columns in models)}")
    size = sizes.pop()
    if any(not column for columns in models for column in columns):
        raise ValueError("--proba must name columns, got an empty name")
    n_classes = 2 if size == 1 else size
    if labels is not None and (len(labels) != n_classes or len(set(labels)) != n_classes):
        raise ValueError(f"--classes must name {n_classes} different labels, got {', '.join(labels)}")


def _names(models: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    names = tuple(columns[0] if len(columns) == 1 else _common_name(columns) for columns in models)
    return names if len(set(names)) == len(names) else tuple("+".join(columns) for columns in models)


def _common_name(columns: tuple[str, ...]) -> str:
    """Return what the names of a model's columns begin with."""
    shared = columns[0]
    while shared and not all(column.startswith(shared) for column in columns):
        shared = shared[:-1]
    return shared.rstrip("_-. ") or "+".join(columns)


def _threshold_of(costs: str) -> float:
    try:
        false_positive, false_negative = map(float, costs.split(":"))
        threshold = threshold_of_costs(false_positive, false_negative)
    except ValueError:
        threshold = 0.0
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"--costs must be two numbers > 0 with a colon between them, such as 1:9, got {costs!r}")
    return threshold


def _refuse_odd_columns(plan: Plan, options: Options, config: Evaluation) -> None:
    columns = [column for model in plan.models for column in model]
    if plan.label in plan.numbers() or plan.weight in columns:
        got = ", ".join((plan.label, *plan.numbers()))
        raise ValueError(f"--label, --proba and --weight must name different columns, got {got}")
    by_option = "slice" if options.slices else None
    for i, name in enumerate(plan.slices):
        if name in plan.slices[:i]:
            raise _error(by_option, "slices", config, "name each column once", f"{name!r} a second time")
    rule = "name another column than that of the labels"
    if plan.label in plan.slices:
        raise _error(by_option, "slices", config, rule, repr(plan.label))
    if plan.label == plan.groups:
        raise _error(None if options.groups is None else "groups", "groups", config, rule, repr(plan.label))


def _refuse_odd_settings(plan: Plan, options: Options, config: Evaluation) -> None:
    if plan.n_classes > 2 and plan.settings.thresholds:
        given = "threshold" if options.thresholds else "costs" if options.costs else None
        raise _error(given, "decision_thresholds", config, "be given with two classes", f"{plan.n_classes} classes")
    if plan.settings.reference not in (None, *plan.names):
        given = None if options.reference is None else "reference"
        got = repr(plan.settings.reference)
        raise _error(given, "reference", config, f"be one of the models {', '.join(plan.names)}", got)
    computed = list(plan.settings.for_classes(plan.n_classes).metrics)
    for name in config.thresholds:
        if name not in computed:
            raise config.error(("thresholds", name), f"be of a score that is computed ({', '.join(computed)})", name)


def _error(option: str | None, key: str, config: Evaluation, rule: str, got: str) -> ValueError:
    """Return the error of an option, or else of the key of the configuration that stands in its place."""
    return config.error((key,), rule, got) if option is None else ValueError(f"--{option} must {rule}, got {got}")
