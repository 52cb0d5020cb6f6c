"""Tables of the results, and a Markdown page that contains them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..report import environment, markdown_table, measured
from ..study.intervals import mean_and_interval, mean_of, number, points
from .methods import BUILTIN, OTHERS, SHIPPED
from .race import USUAL, Shape
from .results import Results

#: The number of sets of the first stage on which all methods run.
FOR_METHODS = 8
#: Other depths, the default number of bins of XGBoost, and the sets on which these run.
SHAPES = (USUAL, Shape(depth=4), Shape(depth=8), Shape(bins=256))
FOR_SHAPES = ("waves, 10 classes", "waves, 20 classes, 2000 rows")

#: Captions of the tables.
ABOVE = "Test loss in per cent above that of the better builtin strategy, on the seeds common to all methods"
TIMES = "Seconds to the lowest builtin validation loss / those of the better builtin strategy (medians, same seeds)"
OTHER_TREES = (
    "Other tree shapes, one seed: test loss and time of the sketch, as above, against builtin trees of that shape"
)
JUDGED = (
    "Test loss; its difference from the better builtin strategy, in per cent of the latter; and the time to the lowest"
    " validation loss of that strategy, relative to its own time (medians). The last rows contain means with 95 % intervals:"
    " over sets; over sets in points (per cent of the base rates' loss), which give small losses less weight; and over all"
    " pairs of set and seed, treating splits as independent"
)
CALIBRATION = "Calibration error on the test rows, and the temperature fitted to the validation rows (means over seeds)"

Table = tuple[str, Sequence[str], list[list[str]]]


def development(results: Results) -> Iterator[Table]:
    """Yield tables of all methods on their common sets and seeds, and of the shipped method on all sets and seeds."""
    everything, results = results, results.of_seeds(results.seeds(results.sets[0], OTHERS[0]))
    names = results.sets[:FOR_METHODS]
    methods = [*BUILTIN, SHIPPED, *OTHERS]
    lines = []
    for method in methods:
        means = [float(np.mean(results.above(name, method))) for name in names]
        lines.append([method, *map(points, means), points(float(np.mean(means)))])
    yield ABOVE, ["method", *names, "mean"], lines
    lines = []
    for method in methods:
        by_set = [results.times(name, method) for name in names]
        lines.append([method, *map(_times, by_set), _times([value for values in by_set for value in values])])
    yield TIMES, ["method", *names, "all"], lines
    yield (
        OTHER_TREES,
        ["trees", *FOR_SHAPES],
        [
            [
                f"depth {shape.depth}, {shape.bins} bins",
                *(
                    f"{points(results.above(name, SHIPPED, shape)[0])}, {_times(results.times(name, SHIPPED, shape)[:1])}"
                    for name in FOR_SHAPES
                ),
            ]
            for shape in SHAPES
        ],
    )

    yield from judging(everything)


def judging(results: Results) -> Iterator[Table]:
    """Yield tables of the shipped method by set."""
    above = {name: results.above(name, SHIPPED) for name in results.sets}
    times = {name: results.times(name, SHIPPED) for name in results.sets}
    lines = [
        [
            name,
            *(number(float(np.mean(_at(results, name, method, "test")))) for method in (*BUILTIN, SHIPPED)),
            points(float(np.mean(above[name]))),
            f"{sum(value < 0 for value in above[name])} of {len(above[name])}",
            _times(times[name]),
        ]
        for name in results.sets
    ]
    in_points = {name: results.points(name, SHIPPED) for name in results.sets}
    lower = f"{sum(value < 0 for values in above.values() for value in values)} of {sum(map(len, above.values()))}"
    all_times = _times([value for values in times.values() for value in values])
    blank = [""] * (len(BUILTIN) + 1)
    lines.append(["all", *blank, _mean([float(np.mean(values)) for values in above.values()]), lower, all_times])
    over_sets = _mean([float(np.mean(values)) for values in in_points.values()])
    over_pairs = _mean([value for values in in_points.values() for value in values])
    lines += [["all, in points", *blank, over_sets, "", ""], ["all pairs, in points", *blank, over_pairs, "", ""]]
    yield (
        JUDGED,
        ["set", *BUILTIN, SHIPPED, "above", "lower on", "seconds, times"],
        lines,
    )
    yield (
        CALIBRATION,
        ["set", *(f"{method}{what}" for method in (*BUILTIN, SHIPPED) for what in ("", ", temperature"))],
        [
            [
                name,
                *(
                    number(float(np.mean([best.answer[score] for best in _bests(results, name, method)])))
                    for method in (*BUILTIN, SHIPPED)
                    for score in ("ece", "temperature")
                ),
            ]
            for name in results.sets
        ],
    )


def markdown(tables: Mapping[str, Sequence[Table]]) -> str:
    """Return a Markdown page with a heading and the tables for every stage."""
    parts = [measured(environment({}))]
    for stage, of_stage in tables.items():
        parts.append(f"## {stage.capitalize()}")
        for title, headings, lines in of_stage:
            parts += [f"{title}:", markdown_table(headings, lines)]
    return "\n\n".join(parts) + "\n"


def _bests(results: Results, name: str, method: str) -> list[Any]:
    return [results.best(name, method, seed) for seed in results.seeds(name, method)]


def _at(results: Results, name: str, method: str, what: str) -> list[float]:
    return [best.at(what) for best in _bests(results, name, method)]


def _mean(values: Sequence[float]) -> str:
    return mean_and_interval(mean_of(values))


def _times(values: Sequence[float]) -> str:
    middle = float(np.median(values))
    return "never" if math.isinf(middle) else number(middle, 2)
