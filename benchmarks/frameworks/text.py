"""The findings in words and cells, for the screen, the page and the Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from ..study.intervals import mean_and_interval, number, points
from .comparison import Comparison, Contender, Effect
from .plan import Budget
from .scoring import AUTO, NONE, POSTERIOR

#: The calibrations that findings name, in words.
WAYS = {NONE: "as it is", POSTERIOR: "its posterior", AUTO: "calibrated by auto"}


def typical(one: Effect) -> str:
    """Write the median, where there are several sets."""
    return f"median {points(one.median)}" if one.sets > 1 else ""


def clause(one: Effect) -> str:
    """Write mean, interval, median and counts for a sentence."""
    known = mean_and_interval(one.mean) + (" (no interval)" if one.mean.low is None else "")
    return ", ".join(part for part in (known, typical(one), count(one)) if part)


def by_set(effects: Mapping[tuple[str, str], Effect], loss: str, name: str) -> str:
    """Write what a loss adds on one set, as it is and calibrated; the baseline as it is has no figure."""
    ways = [effects.get((loss, way)) for way in (NONE, AUTO)]
    cells = [points(one.by_set[name].value) if one is not None and name in one.by_set else "" for one in ways]
    return " → ".join(cells).strip()


def count(one: Effect) -> str:
    """Write on how many of several sets a choice is clearly better or worse."""
    known = one.sets > 1 and one.judged
    return f"better on {one.better}, worse on {one.worse} of {one.judged}" if known else ""


def name_of(contender: Contender) -> str:
    """Name library, loss and calibration."""
    library, loss, calibration = contender.combination
    return f"{library}, {loss}, {'no calibration' if calibration == NONE else calibration}"


def indistinct(comparison: Comparison) -> list[Contender]:
    """Return the combinations that the runs do not show to be worse than the best."""
    others = (one for one in comparison.contenders if one.above_best is not None)
    return [one for one in others if one.above_best is not None and not one.above_best.mean.is_above_zero]


def unknown(comparison: Comparison) -> str:
    """Say what a single seed cannot show; nothing where every set has several seeds."""
    alone, sets = comparison.of_one_seed, len(comparison.sets)
    more = "--seeds 5, or a larger --size,"
    if not alone:
        return ""
    if sets == 1:
        return f"One seed: no difference here is shown to be more than chance. One split gives it no interval; {more} does."
    if len(alone) == sets:
        return (
            f"One seed: no set alone shows a difference, nor which combination is best on it. Intervals are over the {sets}"
            f" sets together; {more} gives every set one of its own."
        )
    return f"With one finished seed these sets alone show no difference: {', '.join(alone)}."


def findings(comparison: Comparison) -> Iterator[str]:
    """Yield the findings in sentences; points are per cent of the log loss of the base rates."""
    if words := unknown(comparison):
        yield words
    if comparison.contenders:
        yield _best(comparison)
    if comparison.libraries:
        against = comparison.reference
        parts = [f"{name} {clause(one)}" for name, one in comparison.libraries.items()]
        yield f"The libraries with the {comparison.baseline} loss as it is, against {against}: {'; '.join(parts)}."
    for loss in dict.fromkeys(loss for loss, _ in comparison.losses):
        parts = [
            f"{words} {clause(one)}"
            for calibration, words in WAYS.items()
            if (one := comparison.losses.get((loss, calibration))) is not None
        ]
        if parts and loss == comparison.baseline:
            yield f"The {loss} loss, {'; '.join(parts)}, against itself as it is."
        elif parts:
            yield f"The {loss} loss against the {comparison.baseline} one as it is: {'; '.join(parts)}."


def _best(comparison: Comparison) -> str:
    best, ties = comparison.contenders[0], indistinct(comparison)
    over = f"on average over {len(comparison.sets)} sets" if len(comparison.sets) > 1 else "on these rows"
    words = f"Lowest log loss {over}: {name_of(best)}, at {number(100.0 * best.nce)} % of the base rates'."
    others = len(comparison.contenders) - 1
    if not others:
        return words
    if not comparison.has_intervals:
        return f"{words} Whether any of the {others} others is worse is not known."
    if not ties:
        return f"{words} All {others} others that every set has are clearly worse."
    words += f" {len(ties)} of the {others} others that every set has are not shown to be worse"
    fastest = min(ties, key=lambda one: one.fit_seconds)
    if fastest.fit_seconds < best.fit_seconds:
        words += f", of which {name_of(fastest)} is trained fastest: {number(fastest.fit_seconds, 2)} s"
        words += f" in place of {number(best.fit_seconds, 2)} s"
    return f"{words}. The best of many is partly lucky: another sample may choose another."


def what_ran(comparison: Comparison) -> str:
    """Say how many trainings of what ran."""
    runs = comparison.runs
    trainings = runs.drop_duplicates(["data", "seed", "library", "loss"])
    if not len(trainings):
        return "No training is finished."
    seeds = int(trainings["seed"].nunique())
    failed = int((trainings["error"].notna() & trainings["calibration"].isna()).sum())
    trained = many(len(trainings), "training") + (f", of which {failed} failed" if failed else "")
    return (
        f"{trained}: {_listed(runs['library'])}; losses {_listed(runs['loss'])};"
        f" {many(trainings['data'].nunique(), 'set')}, {many(seeds, 'seed')} each."
    )


def budget(one: Budget) -> str:
    """Say what every training may spend."""
    return (
        f"Budget of every training: at most {one.rounds} rounds, stopped after {one.patience} without progress on the inner"
        f" rows, learning rate {one.learning_rate:g}, trees of depth {one.depth}, {many(one.threads, 'thread')}; all else as"
        " the library has it, save that CatBoost takes one Newton step for a leaf with every loss."
    )


def failures(comparison: Comparison) -> list[str]:
    """Return each training or calibration that failed, with its error."""
    failed = comparison.runs[comparison.runs["error"].notna()]
    return [
        f"{row.data}, seed {row.seed}, {row.library}, {row.loss}"
        f"{'' if pd.isna(row.calibration) else f', {row.calibration}'}: {row.error}"
        for row in failed.itertuples(index=False)
    ]


def size(runs: pd.DataFrame) -> str:
    """Say how many rows, classes and seeds a set has."""
    rows = runs[["train_rows", "inner_rows", "test_rows"]].iloc[0].astype(int)
    return f"{rows.sum():,} rows, {int(runs['classes'].iloc[0])} classes, {many(runs['seed'].nunique(), 'seed')}"


def many(count: int, noun: str) -> str:
    """Write a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(values: pd.Series[str]) -> str:
    return ", ".join(dict.fromkeys(values))
