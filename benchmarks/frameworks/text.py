"""The findings as sentences and table cells, for the terminal, the page and the Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from ..study.intervals import mean_and_interval, number, points
from .comparison import Comparison, Contender, Effect
from .plan import Budget
from .scoring import AUTO, NONE, POSTERIOR

#: The names of the calibrations in the findings.
WAYS = {NONE: "uncalibrated", POSTERIOR: "posterior", AUTO: "calibrated by auto"}


def typical(one: Effect) -> str:
    """Return the median over sets as text; empty for a single set."""
    return f"median {points(one.median)}" if one.sets > 1 else ""


def clause(one: Effect) -> str:
    """Return the mean, interval, median and counts as text for a sentence."""
    known = mean_and_interval(one.mean) + (" (no interval)" if one.mean.low is None else "")
    return ", ".join(part for part in (known, typical(one), count(one)) if part)


def by_set(effects: Mapping[tuple[str, str], Effect], loss: str, name: str) -> str:
    """Return the points that a loss adds on one set, uncalibrated and calibrated; blank for the uncalibrated baseline."""
    ways = [effects.get((loss, way)) for way in (NONE, AUTO)]
    cells = [points(one.by_set[name].value) if one is not None and name in one.by_set else "" for one in ways]
    return " → ".join(cells).strip()


def count(one: Effect) -> str:
    """Return the numbers of sets on which a choice is clearly better or worse, as text."""
    known = one.sets > 1 and one.judged
    return f"better on {one.better}, worse on {one.worse} of {one.judged}" if known else ""


def name_of(contender: Contender) -> str:
    """Return the library, loss and calibration as text."""
    library, loss, calibration = contender.combination
    return f"{library}, {loss}, {'no calibration' if calibration == NONE else calibration}"


def indistinct(comparison: Comparison) -> list[Contender]:
    """Return the combinations whose difference from the best may be due to chance."""
    others = (one for one in comparison.contenders if one.above_best is not None)
    return [one for one in others if one.above_best is not None and not one.above_best.mean.is_above_zero]


def unknown(comparison: Comparison) -> str:
    """Return a sentence on the limits of a single seed; empty if every set has several seeds."""
    alone, sets = comparison.of_one_seed, len(comparison.sets)
    more = "--seeds 5, or a larger --size,"
    if not alone:
        return ""
    if sets == 1:
        return f"One seed: no difference can be distinguished from chance. One split gives no interval; {more} does."
    if len(alone) == sets:
        return (
            f"One seed: no single set shows a difference or a best combination. Intervals are over the {sets} sets together;"
            f" {more} also gives an interval for every set."
        )
    return f"Sets with only one finished seed, which show no difference by themselves: {', '.join(alone)}."


def findings(comparison: Comparison) -> Iterator[str]:
    """Yield the findings as sentences; points are per cent of the log loss of the base rates."""
    if words := unknown(comparison):
        yield words
    if comparison.contenders:
        yield _best(comparison)
    if comparison.libraries:
        against = comparison.reference
        parts = [f"{name} {clause(one)}" for name, one in comparison.libraries.items()]
        yield f"Libraries with the uncalibrated {comparison.baseline} loss, compared with {against}: {'; '.join(parts)}."
    for loss in dict.fromkeys(loss for loss, _ in comparison.losses):
        parts = [
            f"{words} {clause(one)}"
            for calibration, words in WAYS.items()
            if (one := comparison.losses.get((loss, calibration))) is not None
        ]
        if parts and loss == comparison.baseline:
            yield f"The {loss} loss compared with itself uncalibrated: {'; '.join(parts)}."
        elif parts:
            yield f"The {loss} loss compared with the uncalibrated {comparison.baseline} loss: {'; '.join(parts)}."


def _best(comparison: Comparison) -> str:
    best, ties = comparison.contenders[0], indistinct(comparison)
    over = f"on average over {len(comparison.sets)} sets" if len(comparison.sets) > 1 else "on these rows"
    words = (
        f"Lowest log loss {over}: {name_of(best)}, with {number(100.0 * best.nce)} % of the log loss of the base rates."
    )
    others = len(comparison.contenders) - 1
    if not others:
        return words
    if not comparison.has_intervals:
        return f"{words} It is unknown whether the other {many(others, 'combination')} would be worse on other rows."
    if not ties:
        return f"{words} All {others} other combinations with results for every set are clearly worse."
    words += f" The difference may be due to chance for {len(ties)} of the {others} other combinations"
    words += " with results for every set"
    fastest = min(ties, key=lambda one: one.fit_seconds)
    if fastest.fit_seconds < best.fit_seconds:
        words += f"; the fastest of these is {name_of(fastest)}, which trains in {number(fastest.fit_seconds, 2)} s"
        words += f" instead of {number(best.fit_seconds, 2)} s"
    return f"{words}. Being the best of many combinations is partly chance: the order may differ on another sample."


def what_ran(comparison: Comparison) -> str:
    """Return a sentence on the trainings that ran."""
    runs = comparison.runs
    trainings = runs.drop_duplicates(["data", "seed", "library", "loss"])
    if not len(trainings):
        return "No training is finished."
    seeds = int(trainings["seed"].nunique())
    failed = int((trainings["error"].notna() & trainings["calibration"].isna()).sum())
    trained = many(len(trainings), "training") + (f", of which {failed} failed" if failed else "")
    return (
        f"{trained}: {_listed(runs['library'])}; losses {_listed(runs['loss'])};"
        f" {many(trainings['data'].nunique(), 'data set')}, {many(seeds, 'seed')} each."
    )


def budget(one: Budget) -> str:
    """Return a sentence on the budget of every training."""
    return (
        f"Budget of every training: at most {one.rounds} rounds, early stopping after {one.patience} rounds without"
        f" improvement on the inner rows, learning rate {one.learning_rate:g}, trees of depth {one.depth},"
        f" {many(one.threads, 'thread')}. All other settings are the defaults of the library, except that CatBoost takes one"
        " Newton step per leaf with every loss."
    )


def failures(comparison: Comparison) -> list[str]:
    """Return every failed training or calibration with its error, as text."""
    failed = comparison.runs[comparison.runs["error"].notna()]
    return [
        f"{row.data}, seed {row.seed}, {row.library}, {row.loss}"
        f"{'' if pd.isna(row.calibration) else f', {row.calibration}'}: {row.error}"
        for row in failed.itertuples(index=False)
    ]


def size(runs: pd.DataFrame) -> str:
    """Return the numbers of rows, classes and seeds of a set, as text."""
    rows = runs[["train_rows", "inner_rows", "test_rows"]].iloc[0].astype(int)
    return f"{rows.sum():,} rows, {int(runs['classes'].iloc[0])} classes, {many(runs['seed'].nunique(), 'seed')}"


def many(count: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(values: pd.Series[str]) -> str:
    return ", ".join(dict.fromkeys(values))
