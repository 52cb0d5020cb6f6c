"""Paired comparisons of all runs: differences between two choices on the same rows, with confidence intervals.

Differences of log losses are in *points*: per cent of the log loss of the base rates, so that easy and hard data sets have
equal weight. If the true probabilities are known, the divergence from them replaces the log loss: its differences have the
same expectation, without the noise of the labels.

The interval for one set is a Student's t interval over seeds; a single seed gives no interval. Synthetic sets are drawn
independently for each seed. The splits of other sets share rows, and ``study.intervals`` corrects the variance for that; if
splits by time differ in size, it uses the largest share of test rows. The interval over several sets is a Student's t
interval over the means of the sets, even if each has one seed: it estimates the result on another, similar set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..study.intervals import Mean, mean_of
from .plan import BUILTIN
from .scoring import NONE, SCORES

#: Shortfall of the ranking from a perfect one, in hundredths: lower is better, as for log losses.
RANKING = {"auc": "AUC below 1", "average_precision": "average precision below 1"}
#: The columns whose mean over seeds is shown for every set.
SHOWN = (*SCORES, "rounds", "fit_seconds", "predict_seconds", "calibration_seconds", "peak_mb")


@dataclass(frozen=True)
class Effect:
    """The points that a choice adds to the log loss: a mean over sets, or over the seeds of a single set."""

    mean: Mean
    by_set: Mapping[str, Mean]

    @property
    def sets(self) -> int:
        """The number of sets."""
        return len(self.by_set)

    @property
    def median(self) -> float:
        """The median over sets, which is robust to a few extreme sets."""
        return float(np.median([mean.value for mean in self.by_set.values()]))

    @property
    def judged(self) -> int:
        """The number of sets that have an interval."""
        return sum(mean.low is not None for mean in self.by_set.values())

    @property
    def better(self) -> int:
        """The number of sets whose interval lies below zero."""
        return sum(mean.is_below_zero for mean in self.by_set.values())

    @property
    def worse(self) -> int:
        """The number of sets whose interval lies above zero."""
        return sum(mean.is_above_zero for mean in self.by_set.values())


Combination = tuple[str, str, str]


@dataclass(frozen=True)
class Contender:
    """A combination of library, loss and calibration, with means over sets and the difference from the best combination."""

    combination: Combination
    nce: float
    ece: float
    above_best: Effect | None
    fit_seconds: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of all runs; ``sets`` contains a table for each set."""

    runs: pd.DataFrame
    baseline: str
    reference: str | None
    libraries: Mapping[str, Effect]
    costs: pd.DataFrame
    losses: Mapping[tuple[str, str], Effect]
    losses_by_library: Mapping[str, Mapping[tuple[str, str], Effect]]
    ranking: Mapping[tuple[str, str], Effect]
    contenders: list[Contender]
    sets: Mapping[str, pd.DataFrame]
    seeds: Mapping[str, int]

    @property
    def of_one_seed(self) -> list[str]:
        """The sets with a single seed, which individually cannot show a difference."""
        return [name for name, seeds in self.seeds.items() if seeds == 1]

    @property
    def has_intervals(self) -> bool:
        """Whether any interval exists: over sets, or over the seeds of the only set."""
        return len(self.sets) > 1 or len(self.sets) > len(self.of_one_seed)


def compare(runs: pd.DataFrame) -> Comparison:
    """Compare the runs of a table, excluding failed runs."""
    good = runs[runs["error"].isna()]
    good = good.assign(
        points=100.0 * good["excess_log_loss"].fillna(good["log_loss"]) / good["base_log_loss"],
        **{name: 100.0 * (1.0 - good[score]) for score, name in RANKING.items()},
    )
    names = list(dict.fromkeys(good["loss"]))
    baseline = BUILTIN if BUILTIN in names or not names else names[0]
    with_baseline = set(good[(good["loss"] == baseline) & (good["calibration"] == NONE)]["library"])
    libraries = [name for name in dict.fromkeys(runs["library"]) if name in with_baseline]
    return Comparison(
        runs=runs,
        baseline=baseline,
        reference=libraries[0] if libraries else None,
        libraries=_libraries(good, baseline, libraries),
        costs=_costs(good, baseline).reindex(libraries),
        losses=_losses(good, baseline),
        losses_by_library={
            str(library): _losses(part, baseline) for library, part in good.groupby("library", sort=False)
        },
        ranking={
            (loss, name): effect
            for name in RANKING.values()
            for (loss, calibration), effect in _losses(good, baseline, name).items()
            if calibration == NONE
        },
        contenders=_contenders(good),
        sets=summaries(good),
        seeds={str(name): int(part["seed"].nunique()) for name, part in good.groupby("data", sort=False)},
    )


def summaries(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the scores of every combination by set, excluding failed runs."""
    good = runs[runs["error"].isna()]
    return {str(name): _summary(part) for name, part in good.groupby("data", sort=False)}


def _libraries(runs: pd.DataFrame, baseline: str, libraries: list[str]) -> dict[str, Effect]:
    """Compare the uncalibrated baseline loss of each library with that of the first library."""
    part = runs[(runs["loss"] == baseline) & (runs["calibration"] == NONE)]
    points = _unstacked(part, ["data", "seed"], "library")
    above = {name: points[name] - points[libraries[0]] for name in libraries[1:]}
    return {name: _effect(differences, runs) for name, differences in above.items() if differences.notna().any()}


def _costs(runs: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return medians by library: seconds and memory of the baseline loss, and the ratio of other losses' seconds to it."""
    of_trainings = runs.drop_duplicates(["data", "seed", "library", "loss"])
    seconds = of_trainings.set_index(["data", "seed", "loss", "library"])["fit_seconds"].unstack("loss")
    own = of_trainings[of_trainings["loss"] == baseline].groupby("library", sort=False)
    costs = own[["fit_seconds", "predict_seconds", "peak_mb"]].median()
    others = [name for name in seconds.columns if name != baseline]
    if baseline in seconds and others:
        ratios = pd.concat([seconds[name] / seconds[baseline] for name in others])
        costs["times_own"] = ratios.groupby("library").median()
    return costs


def _losses(runs: pd.DataFrame, baseline: str, score: str = "points") -> dict[tuple[str, str], Effect]:
    """Compare every loss and calibration with the uncalibrated baseline loss, within each library."""
    points = _unstacked(runs, ["data", "seed", "library"], ["loss", "calibration"], score)
    if (baseline, NONE) not in points:
        return {}
    above = points.sub(points[baseline, NONE], axis=0).dropna(axis=1, how="all")  # complete pairs only
    return {
        (str(loss), str(calibration)): _effect(above[loss, calibration].dropna().groupby(["data", "seed"]).mean(), runs)
        for loss, calibration in above.columns
        if (loss, calibration) != (baseline, NONE)
    }


def _contenders(runs: pd.DataFrame) -> list[Contender]:
    """Return the combinations with results for every set and seed, best first."""
    keys = ["library", "loss", "calibration"]
    points = _unstacked(runs, ["data", "seed"], keys).dropna(axis=1)
    if points.empty:
        return []
    means = points.groupby("data", sort=False).mean().mean().sort_values(kind="stable")
    best = means.index[0]
    scores = runs.groupby(["data", *keys])[["nce", "ece"]].mean().groupby(keys).mean()
    seconds = runs.groupby(keys)["fit_seconds"].median()
    return [
        Contender(
            combination=tuple(name),
            nce=float(scores.loc[name, "nce"]),
            ece=float(scores.loc[name, "ece"]),
            above_best=None if name == best else _effect(points[name] - points[best], runs),
            fit_seconds=float(seconds[name]),
        )
        for name in means.index
    ]


def _unstacked(runs: pd.DataFrame, rows: list[str], columns: str | list[str], score: str = "points") -> pd.DataFrame:
    """Return a score with one column for each choice, in the order of the plan."""
    columns = [columns] if isinstance(columns, str) else columns
    points = runs.set_index([*rows, *columns])[score].unstack(columns)
    order = pd.MultiIndex.from_frame(runs[columns].drop_duplicates()) if len(columns) > 1 else runs[columns[0]].unique()
    return points.reindex(columns=order)


def _effect(differences: pd.Series[float], runs: pd.DataFrame) -> Effect:
    """Summarise differences by set and seed."""
    differences = differences.dropna()
    shared = _shared(runs)
    by_set = {
        str(name): mean_of(part.to_numpy(), shared[name]) for name, part in differences.groupby("data", sort=False)
    }
    values = list(by_set.values())
    alone = runs["data"].nunique() == 1
    return Effect(values[0] if alone else mean_of([one.value for one in values]), by_set)


def _shared(runs: pd.DataFrame) -> pd.Series[float]:
    """Return the largest ratio of test rows to other rows by set; 0 for synthetic sets, whose seeds share no rows."""
    ratios = runs["test_rows"] / (runs["train_rows"] + runs["inner_rows"])
    return ratios.mask(runs["made"].astype(bool), 0.0).groupby(runs["data"]).max()


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds of one set, lowest log loss first, with the interval of the log loss.

    With a single seed, the interval reflects the sampling of its test rows.
    """
    keys = ["library", "loss", "calibration"]
    groups = runs.groupby(keys, sort=False)
    summary = groups[list(SHOWN)].mean()
    if runs["seed"].nunique() > 1:
        shared = float(_shared(runs).iloc[0])
        means = groups["log_loss"].apply(lambda values: mean_of(values.to_numpy(), shared))
        summary["log_loss_low"] = [mean.low for mean in means]
        summary["log_loss_high"] = [mean.high for mean in means]
    return summary.sort_values("log_loss", kind="stable")
