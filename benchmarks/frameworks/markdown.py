"""A comparison as Markdown tables, for example for a README."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from ..report import markdown_table, measured
from ..study.intervals import interval, number, points
from . import text
from .comparison import RANKING, Comparison, Effect
from .plan import Budget
from .remarks import Remarks
from .scoring import AUTO, CALIBRATIONS, NONE

#: The maximum number of combinations and failures that are listed.
_LISTED = 10


def markdown(comparison: Comparison, budget: Budget, facts: Mapping[str, Any], remarks: Remarks | None = None) -> str:
    """Return findings and tables, preceded by a line on how they were measured."""
    remarks = remarks or Remarks()
    parts = [
        measured(facts),
        f"{text.what_ran(comparison)} {text.budget(budget)}",
        _listed("Warnings about the data:", remarks.warnings),
        _listed("", text.findings(comparison)),
        _how_to_read(comparison),
        *(escape(words, quote=False) for words in remarks.splits),
        *_tables(comparison),
        _failures(comparison),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(title: str, sentences: Iterable[str]) -> str:
    lines = [f"* {escape(sentence, quote=False)}" for sentence in sentences]
    return "\n".join([title, "", *lines] if title and lines else lines)


def _how_to_read(comparison: Comparison) -> str:
    several = len(comparison.sets) > 1
    words = "Points are per cent of the log loss of the base rates; negative values are better."
    if not comparison.has_intervals:
        return words
    words += (
        f" 95 % intervals over {'sets' if several else 'seeds'} are in brackets; those of bold figures exclude zero."
    )
    return words + (" The median over sets is robust to a few extreme sets." if several else "")


def _failures(comparison: Comparison) -> str:
    failed = text.failures(comparison)
    if not failed:
        return ""
    lines = [f"* {escape(one, quote=False)}" for one in failed[:_LISTED]]
    if len(failed) > _LISTED:
        lines.append(f"* and {len(failed) - _LISTED} more, in runs.csv")
    return "\n".join(["Failed, and excluded from the comparison:", "", *lines])


def _tables(comparison: Comparison) -> Iterator[str]:
    runs = comparison.runs
    if comparison.losses:
        ways = [c for c in CALIBRATIONS if any(calibration == c for _, calibration in comparison.losses)]
        yield f"Points above the uncalibrated {comparison.baseline} loss, within each library:"
        yield markdown_table(
            ["loss", *ways],
            [
                [loss, *(_effect(comparison.losses.get((loss, way))) for way in ways)]
                for loss in dict.fromkeys(runs["loss"])
                if any((loss, way) in comparison.losses for way in ways)
            ],
        )
        if len(comparison.sets) > 1:
            losses = list(dict.fromkeys(loss for loss, _ in comparison.losses))
            alone = len(comparison.of_one_seed) == len(comparison.sets)
            yield f"By set{', with one seed each and no intervals' if alone else ''}, uncalibrated → calibrated by auto:"
            yield markdown_table(
                ["set", *losses],
                [[name, *(text.by_set(comparison.losses, loss, name) for loss in losses)] for name in comparison.sets],
            )
        names = list(RANKING.values())
        yield f"Shortfall of the ranking from a perfect one, in hundredths, minus that of the {comparison.baseline} loss:"
        yield markdown_table(
            ["loss", *names],
            [
                [
                    loss,
                    *(
                        ", ".join(part for part in (_effect(one), text.count(one)) if part)
                        for name in names
                        if (one := comparison.ranking.get((loss, name)))
                    ),
                ]
                for loss in dict.fromkeys(loss for loss, _ in comparison.ranking)
            ],
        )
    if len(comparison.costs):
        yield f"Libraries with the uncalibrated {comparison.baseline} loss; costs are medians:"
        yield markdown_table(
            ["library", "points above the first", "training, s", "prediction, s", "memory, MB"],
            [
                [
                    str(library),
                    _effect(comparison.libraries.get(str(library))),
                    *(number(cost[name]) for name in ("fit_seconds", "predict_seconds", "peak_mb")),
                ]
                for library, cost in comparison.costs.iterrows()
            ],
        )
    if comparison.contenders:
        best = "best" if comparison.has_intervals else "lowest"
        order = "" if comparison.has_intervals else ", on one split"
        yield f"The {best} combinations, ordered by points above the {best}{order}:"
        yield markdown_table(
            ["combination", "log loss, % of that of the base rates", f"points above the {best}", "training, s"],
            [
                [text.name_of(one), number(100.0 * one.nce), _effect(one.above_best), number(one.fit_seconds)]
                for one in comparison.contenders[:_LISTED]
            ],
        )
    if comparison.sets:
        best = _best_word(comparison)
        yield f"Log loss by set of the {comparison.baseline} loss (uncalibrated, calibrated) and of the {best} combination:"
        yield _by_set(comparison)


def _by_set(comparison: Comparison) -> str:
    libraries = list(dict.fromkeys(comparison.runs["library"]))
    lines = []
    for name, summary in comparison.sets.items():
        cells = []
        for library in libraries:
            keys = [(library, comparison.baseline, way) for way in (NONE, AUTO)]
            cells += [number(summary["log_loss"].get(key)) for key in keys]
        best = summary.index[0]
        lines.append([name, *cells, f"{number(summary['log_loss'].iloc[0])}: {', '.join(best)}"])
    headings = [f"{library}{way}" for library in libraries for way in ("", ", auto")]
    return markdown_table(["set", *headings, _best_word(comparison)], lines)


def _best_word(comparison: Comparison) -> str:
    """Return the word for the lowest log loss on a set; one seed does not show that it is the best."""
    return "lowest" if len(comparison.of_one_seed) == len(comparison.sets) else "best"


def _effect(one: Effect | None) -> str:
    if one is None:
        return ""
    clear = one.mean.is_below_zero or one.mean.is_above_zero
    value = points(one.mean.value)
    parts = [f"**{value}**" if clear else value, interval(one.mean), text.typical(one)]
    return " ".join(part for part in parts if part)
