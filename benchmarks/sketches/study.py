"""The races of both stages, one after the other, and the tables and the picture of what they say."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from rich.progress import track

from ..data_sets import Maker
from ..frameworks.store import Store
from ..report import console, table
from ..tables import makers
from . import race, sets
from .methods import BUILTIN, OTHERS, SHIPPED
from .race import USUAL, Race
from .results import RATES, Results
from .summary import FOR_METHODS, FOR_SHAPES, SHAPES, development, judging, markdown

STAGES = {"development": sets.development, "judging": sets.judging}
#: What is not shipped is tried on fewer seeds, and shapes on one.
SEEDS_OF_OTHERS = 2


def run(arguments: argparse.Namespace) -> int:
    """Race what has not been raced, and write the tables of each stage and the picture of the first."""
    store = Store(arguments.out)
    found: dict[str, Results] = {}
    for stage in STAGES if arguments.stage == "both" else (arguments.stage,):
        makers_of_stage = dict(STAGES[stage]())
        if stage == "judging":
            makers_of_stage |= makers(arguments.data, arguments.label, least=1)  # rare classes are left out
        races = list(_races(stage, makers_of_stage, arguments.seeds))
        missing = [one for one in races if store.answer(one) is None]
        for one in track(missing, f"races, {stage}", console=console(), disable=not missing):
            store.keep(one, race.run(one, sets.split(makers_of_stage[one.data](one.seed), one.seed)))
        found[stage] = Results({one: store.answer(one) or {} for one in races})
    tables = {
        stage: list((development if stage == "development" else judging)(results)) for stage, results in found.items()
    }
    for of_stage in tables.values():
        for title, headings, lines in of_stage:
            console().print(title)
            console().print(table(headings, lines))
    if arguments.markdown is not None:
        arguments.markdown.write_text(markdown(tables), encoding="utf-8")
    if arguments.picture is not None:
        from .figure import draw  # noqa: PLC0415  (matplotlib only to draw)

        draw(next(iter(found.values())), arguments.picture)
    return 0


def _races(stage: str, of_stage: Mapping[str, Maker], seeds: int) -> Iterator[Race]:
    for seed in range(seeds):
        for number, data in enumerate(of_stage):
            for method in (*BUILTIN, SHIPPED):
                shapes = SHAPES if stage == "development" and data in FOR_SHAPES and seed == 0 else (USUAL,)
                yield from (Race(data, method, rate, seed, shape) for shape in shapes for rate in RATES)
            if stage == "development" and seed < SEEDS_OF_OTHERS and number < FOR_METHODS:
                yield from (Race(data, method, rate, seed) for method in OTHERS for rate in RATES)
