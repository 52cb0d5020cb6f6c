"""The sequence of races of both stages, and their tables and figure."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping

import numpy as np

from ..screen import console, progress, say, table
from ..study import TableError
from ..study.data_sets import Maker
from ..study.store import Store
from ..study.tables import maker
from . import race, sets
from .methods import BUILTIN, OTHERS, SHIPPED
from .race import USUAL, Race
from .results import RATES, Results
from .summary import FOR_METHODS, FOR_SHAPES, SHAPES, development, judging, markdown

STAGES = {"development": sets.development, "judging": sets.judging}
#: The number of seeds for methods that are not shipped.
SEEDS_OF_OTHERS = 2


def run(arguments: argparse.Namespace) -> int:
    """Run the races that are not stored yet, and show all results; return 2 for invalid options, 130 after Ctrl-C."""
    try:
        makers_by_stage = _makers(arguments)
        store = Store(arguments.out)
        _check_same_files(arguments)
        for file in (arguments.markdown, arguments.picture):
            if file is not None and not file.parent.is_dir():
                raise TableError(f"output files must be in an existing folder, got {file}")
    except (TableError, OSError) as error:
        print(f"sketch: {error}", file=sys.stderr)  # noqa: T201
        return 2
    races = {stage: list(_races(stage, of_stage, arguments.seeds)) for stage, of_stage in makers_by_stage.items()}
    try:
        for stage, of_stage in races.items():
            missing = [one for one in of_stage if store.answer(one) is None]
            for one in progress(missing, f"races, {stage}"):
                store.keep(one, race.run(one, sets.split(makers_by_stage[stage][one.data](one.seed), one.seed)))
    except KeyboardInterrupt:
        say(f"Stopped. Finished races are saved in {store.folder}; the same command resumes the study.", console())
        return 130
    _publish(
        {stage: Results({one: store.answer(one) or {} for one in of_stage}) for stage, of_stage in races.items()},
        arguments,
    )
    return 0


def _publish(results: Mapping[str, Results], arguments: argparse.Namespace) -> None:
    """Print and write the tables of each stage, and draw the figure of the first stage."""
    tables = {
        stage: list((development if stage == "development" else judging)(found)) for stage, found in results.items()
    }
    for of_tables in tables.values():
        for title, headings, lines in of_tables:
            console().print(title)
            console().print(table(headings, lines))
    if arguments.markdown is not None:
        arguments.markdown.write_text(markdown(tables), encoding="utf-8")
    if arguments.picture is not None:
        from .figure import draw  # noqa: PLC0415  (matplotlib is needed only for the figure)

        draw(next(iter(results.values())), arguments.picture)


def _makers(arguments: argparse.Namespace) -> dict[str, dict[str, Maker]]:
    """Return the data sets of the requested stages, including the user's files."""
    if arguments.seeds < 1:
        raise TableError(f"--seeds must be >= 1, got {arguments.seeds}")
    if arguments.data and arguments.stage == "development":
        raise TableError("--data requires --stage judging or both, got development")
    chosen = STAGES if arguments.stage == "both" else (arguments.stage,)
    makers_by_stage = {stage: dict(STAGES[stage]()) for stage in chosen}
    for file in arguments.data:
        if file.stem in makers_by_stage["judging"]:
            raise TableError(f"sets must have different names, got {file.stem!r} twice; the name of a file is its stem")
        data = maker(file, arguments.label, least=1)
        if sum(np.unique(data(0).y, return_counts=True)[1] >= sets.LEAST) < 3:
            raise TableError(f"{file}: at least 3 classes in {arguments.label!r} must have at least {sets.LEAST} rows")
        makers_by_stage["judging"][file.stem] = data
    return makers_by_stage


def _check_same_files(arguments: argparse.Namespace) -> None:
    """Raise TableError if the folder contains races of a different file with the same name, or with other labels."""
    path = arguments.out / "files.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for file in arguments.data:
        digest = hashlib.sha256(arguments.label.encode() + b"\0" + file.read_bytes()).hexdigest()
        if known.setdefault(file.stem, digest) != digest:
            raise TableError(f"--out must be a folder without races of a different {file.stem!r}, got {arguments.out}")
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _races(stage: str, of_stage: Mapping[str, Maker], seeds: int) -> Iterator[Race]:
    for seed in range(seeds):
        for number, data in enumerate(of_stage):
            for method in (*BUILTIN, SHIPPED):
                shapes = SHAPES if stage == "development" and data in FOR_SHAPES and seed == 0 else (USUAL,)
                yield from (Race(data, method, rate, seed, shape) for shape in shapes for rate in RATES)
            if stage == "development" and seed < SEEDS_OF_OTHERS and number < FOR_METHODS:
                yield from (Race(data, method, rate, seed) for method in OTHERS for rate in RATES)
