"""The plan of an evaluation, built from the options of the command and the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..metrics import threshold_of_costs
from ..report import Settings
from .calibration_config import Calibration
from .columns import Table
from .config import Evaluation
from .inputs import Input


@dataclass(frozen=True)
class Options:
    """The options of ``evaluate`` that determine what is evaluated; see its help."""

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
    """The roles of the columns of a table, and the settings of their evaluation."""

    label: str
    classes: tuple[str, ...] | None
    names: tuple[str, ...]  #: names of the models
    models: tuple[tuple[str, ...], ...]  #: columns of each model
    weight: str | None
    slices: tuple[str, ...]
    groups: str | None
    balanced: bool
    calibration: Calibration | None
    settings: Settings

    @property
    def reported(self) -> tuple[str, ...]:
        """The names of the models, then of the calibrated models."""
        return (*self.names, *self.settings.comparisons)

    @property
    def n_classes(self) -> int:
        """The number of classes: 2 if a model has one column, otherwise the number of its columns."""
        return max(2, len(self.models[0]))

    def numbers(self) -> tuple[str, ...]:
        """Return the columns that must contain numbers."""
        others = () if self.weight is None else (self.weight,)
        return tuple(dict.fromkeys([*(column for columns in self.models for column in columns), *others]))

    def table(self, source: Input) -> Table:
        """Return the table of the columns that are read."""
        groups = () if self.groups is None else (self.groups,)
        texts = tuple(dict.fromkeys((*self.slices, *groups)))
        return Table(source, self.label, self.numbers(), self.classes, texts, groups)


def planned(options: Options, config: Evaluation, columns: Sequence[str]) -> Plan:
    """Return the plan; options override the configuration.

    Raise ValueError if options or keys conflict with each other or with the columns of the first file.
    """
    models, classes = models_of(options.probas, options.classes, columns)
    names = names_of(models)
    settings = replace(
        config.settings,
        thresholds=(*options.thresholds, *map(_threshold_of, options.costs)) or config.settings.thresholds,
        reference=config.settings.reference if options.reference is None else options.reference,
        normalize=options.normalize or config.settings.normalize,
        comparisons={} if config.calibration is None else {config.calibration.name_of(name): name for name in names},
    )
    plan = Plan(
        label=options.label,
        classes=classes,
        names=names,
        models=models,
        weight=options.weight,
        slices=options.slices or config.slices,
        groups=config.groups if options.groups is None else options.groups,
        balanced=config.class_weight == "balanced",
        calibration=config.calibration,
        settings=settings,
    )
    _refuse_odd_columns(plan, options, config)
    _refuse_odd_settings(plan, options, config)
    return plan


def models_of(
    probas: Sequence[str], classes: str | None, columns: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...] | None]:
    """Return the columns of each model, and the labels of the classes if they are given; raise ValueError for odd ones."""
    models = tuple(_split(proba, columns) for proba in probas)
    labels = None if classes is None else tuple(part.strip() for part in classes.split(","))
    _refuse_odd_models(models, labels)
    return models, labels


def _split(proba: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an option names: a column with exactly this name, or else the comma-separated names."""
    if proba in names:
        return (proba,)
    return tuple(part if part in names else part.strip() for part in proba.split(","))


def _refuse_odd_models(models: Sequence[tuple[str, ...]], labels: tuple[str, ...] | None) -> None:
    sizes = {len(columns) for columns in models}
    if len(sizes) > 1:
        raise ValueError(f"--proba must name the same number of columns for each model, got {sorted(sizes)}")
    if len(set(models)) < len(models):
        raise ValueError(f"--proba must name each model once, got {', '.join('+'.join(columns) for columns in models)}")
    size = sizes.pop()
    if any(not column for columns in models for column in columns):
        raise ValueError("--proba must name columns, got an empty name")
    n_classes = 2 if size == 1 else size
    if labels is not None and (len(labels) != n_classes or len(set(labels)) != n_classes):
        raise ValueError(f"--classes must name {n_classes} different labels, got {', '.join(labels)}")


def names_of(models: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return a name for the columns of each model."""
    names = tuple(columns[0] if len(columns) == 1 else _common_name(columns) for columns in models)
    return names if len(set(names)) == len(names) else tuple("+".join(columns) for columns in models)


def _common_name(columns: tuple[str, ...]) -> str:
    """Return the common prefix of a model's column names, or all names if there is none."""
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
    rule = "name a column other than that of the labels"
    if plan.label in plan.slices:
        raise _error(by_option, "slices", config, rule, repr(plan.label))
    if plan.label == plan.groups:
        raise _error(None if options.groups is None else "groups", "groups", config, rule, repr(plan.label))


def _refuse_odd_settings(plan: Plan, options: Options, config: Evaluation) -> None:
    if plan.n_classes > 2 and plan.settings.thresholds:
        given = "threshold" if options.thresholds else "costs" if options.costs else None
        raise _error(given, "decision_thresholds", config, "be given for two classes only", f"{plan.n_classes} classes")
    if plan.settings.reference not in (None, *plan.names):
        given = None if options.reference is None else "reference"
        got = repr(plan.settings.reference)
        raise _error(given, "reference", config, f"be one of the models {', '.join(plan.names)}", got)
    computed = list(plan.settings.for_classes(plan.n_classes).metrics)
    for name in config.thresholds:
        if config.score(name) not in computed:
            raise config.error(("thresholds", name), f"name a score that is computed ({', '.join(computed)})", name)
    if config.monitoring.baseline_log_loss is not None and "log_loss" not in config.metrics:
        rule = "be given only if metrics name log_loss, which is compared with it"
        raise config.error(("monitoring", "baseline_log_loss"), rule, ", ".join(config.metrics))


def _error(option: str | None, key: str, config: Evaluation, rule: str, got: str) -> ValueError:
    """Return the error for an option or, if ``option`` is None, for a key of the configuration."""
    return config.error((key,), rule, got) if option is None else ValueError(f"--{option} must {rule}, got {got}")
