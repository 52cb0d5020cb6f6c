"""All runs in pairs: how much better is one choice than another on the same rows, and how sure is that?

Differences are of log losses in *points*: per cent of the log loss of the base rates, so that easy and hard data count
alike. Where the true probabilities are known the divergence from them takes the log loss's place: its differences have the
same expectation, without the noise of the labels.

Of one set, the interval is Student's t over seeds; of a single seed there is none. Made sets are drawn anew for each seed;
the splits of a given set share rows, for which the variance is corrected as by Nadeau and Bengio (Machine Learning 52, 2003),
where splits by time differ in size by the largest share of test rows. Over several sets it is Student's t over the sets'
means, even if each has one seed: it says what to expect of another set like these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from .plan import BUILTIN
from .scoring import NONE, SCORES

#: What ranking by the scores falls short of perfect, in hundredths: lower is better, as with log losses.
RANKING = {"auc": "AUC below 1", "average_precision": "average precision below 1"}
#: Of every set the mean over seeds of these is shown.
SHOWN = (*SCORES, "rounds", "fit_seconds", "predict_seconds", "calibration_seconds", "peak_mb")


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval, which nobody knows from a single value."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_below_zero(self) -> bool:
        return self.high is not None and self.high < 0.0

    @property
    def is_above_zero(self) -> bool:
        return self.low is not None and self.low > 0.0


@dataclass(frozen=True)
class Effect:
    """How much a choice adds to the log loss, in points: the mean over sets, or over seeds of a single one."""

    mean: Mean
    by_set: Mapping[str, Mean]

    @property
    def sets(self) -> int:
        return len(self.by_set)

    @property
    def median(self) -> float:
        """Over sets: a few hopeless ones can make the mean."""
        return float(np.median([mean.value for mean in self.by_set.values()]))

    @property
    def judged(self) -> int:
        """The number of sets with an interval of their own."""
        return sum(mean.low is not None for mean in self.by_set.values())

    @property
    def better(self) -> int:
        return sum(mean.is_below_zero for mean in self.by_set.values())

    @property
    def worse(self) -> int:
        return sum(mean.is_above_zero for mean in self.by_set.values())


Combination = tuple[str, str, str]


@dataclass(frozen=True)
class Contender:
    """A combination of library, loss and calibration: means over sets, and how far it is above the best one."""

    combination: Combination
    nce: float
    ece: float
    above_best: Effect | None
    fit_seconds: float


@dataclass(frozen=True)
class Comparison:
    """What all runs say together, and ``sets``, what those of each set do."""

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
        """The sets with a single seed, which alone show no difference."""
        return [name for name, seeds in self.seeds.items() if seeds == 1]

    @property
    def has_intervals(self) -> bool:
        """Whether any difference can be shown: over sets, or over the seeds of the only one."""
        return len(self.sets) > 1 or len(self.sets) > len(self.of_one_seed)


def compare(runs: pd.DataFrame) -> Comparison:
    """Of a table of runs; those that failed take no part."""
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
    """The scores of every combination by set; runs that failed take no part."""
    good = runs[runs["error"].isna()]
    return {str(name): _summary(part) for name, part in good.groupby("data", sort=False)}


def _libraries(runs: pd.DataFrame, baseline: str, libraries: list[str]) -> dict[str, Effect]:
    """The libraries' own loss without calibration, against the first library's."""
    part = runs[(runs["loss"] == baseline) & (runs["calibration"] == NONE)]
    points = _unstacked(part, ["data", "seed"], "library")
    above = {name: points[name] - points[libraries[0]] for name in libraries[1:]}
    return {name: _effect(differences, runs) for name, differences in above.items() if differences.notna().any()}


def _costs(runs: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Medians by library: seconds and memory for the library's own loss, and how many times its seconds all others take."""
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
    """Every loss and calibration against the library's own loss without calibration, within each library."""
    points = _unstacked(runs, ["data", "seed", "library"], ["loss", "calibration"], score)
    if (baseline, NONE) not in points:
        return {}
    above = points.sub(points[baseline, NONE], axis=0).dropna(axis=1, how="all")  # what has no partner is no pair
    return {
        (str(loss), str(calibration)): _effect(above[loss, calibration].dropna().groupby(["data", "seed"]).mean(), runs)
        for loss, calibration in above.columns
        if (loss, calibration) != (baseline, NONE)
    }


def _contenders(runs: pd.DataFrame) -> list[Contender]:
    """All combinations that are there for every set, the best first."""
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
    """A score with a column for each choice, in the order of the plan."""
    columns = [columns] if isinstance(columns, str) else columns
    points = runs.set_index([*rows, *columns])[score].unstack(columns)
    order = pd.MultiIndex.from_frame(runs[columns].drop_duplicates()) if len(columns) > 1 else runs[columns[0]].unique()
    return points.reindex(columns=order)


def _effect(differences: pd.Series[float], runs: pd.DataFrame) -> Effect:
    """Of differences by set and seed."""
    differences = differences.dropna()
    shared = _shared(runs)
    by_set = {
        str(name): mean_of(part.to_numpy(), shared[name]) for name, part in differences.groupby("data", sort=False)
    }
    values = list(by_set.values())
    alone = runs["data"].nunique() == 1
    return Effect(values[0] if alone else mean_of(np.array([one.value for one in values])), by_set)


def _shared(runs: pd.DataFrame) -> pd.Series[float]:
    """Of every set the test rows over all others, at most, which is 0 for made sets: their seeds share no rows."""
    ratios = runs["test_rows"] / (runs["train_rows"] + runs["inner_rows"])
    return ratios.mask(runs["made"].astype(bool), 0.0).groupby(runs["data"]).max()


def mean_of(values: np.ndarray[Any, Any], shared: float = 0.0) -> Mean:
    """With Student's t; ``shared`` is the test rows over the training rows, where repetitions share rows."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Mean(mean)
    reach = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) * np.sqrt(1.0 / count + shared))
    return Mean(mean, mean - reach, mean + reach)


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of one set, the lowest log loss first, with the interval of the log loss.

    Of a single seed it is the one that the test rows leave open.
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
