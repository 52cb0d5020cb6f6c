"""The options of the command, its sizes from seconds to hours, and the resulting plan."""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ..study import TableError
from .plan import BUILTIN, LIBRARIES, PLAIN, WEIGHTED, Budget, Fit, fits, focal

if TYPE_CHECKING:
    from .data import Source

_FOCAL = "focal"
#: The maximum number of seeds; more would not change any conclusion.
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Size:
    """Rows of the simplest synthetic set, splits of every set, values of gamma, budget, and set names (empty means all)."""

    rows: int
    seeds: int
    gammas: tuple[float, ...]
    budget: Budget = field(default_factory=Budget)
    sets: tuple[str, ...] = ()


SIZES = {
    "seconds": Size(400, 1, (2.0,), Budget(rounds=20), ("breast cancer", "iris", "made: 10 % positive")),
    "minutes": Size(2000, 2, (1.0, 2.0), Budget(rounds=200)),
    "standard": Size(4000, 5, (0.5, 1.0, 2.0, 5.0)),
    "hours": Size(40_000, 10, (0.5, 1.0, 2.0, 5.0), Budget(rounds=2000, learning_rate=0.05, patience=50)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options, in groups, to the parser."""
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="standard",
        help="duration on the bundled and synthetic sets; standard is 20 to 30 minutes (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("frameworks-comparison"),
        metavar="FOLDER",
        help="results; an interrupted comparison resumes from its contents (default: %(default)s)",
    )
    data = parser.add_argument_group("data", "without these options: data sets of scikit-learn, and synthetic ones")
    data.add_argument("--data", type=Path, nargs="+", default=[], metavar="FILE", help="your CSV or Parquet files")
    data.add_argument("--label", metavar="COLUMN", help="label column in these files")
    data.add_argument("--weight", metavar="COLUMN", help="column of sample weights")
    data.add_argument(
        "--drop", nargs="+", action="extend", default=[], metavar="COLUMN", help="columns that are not features"
    )
    data.add_argument(
        "--time",
        metavar="COLUMN",
        help="time column (not a feature): test on the latest rows, with one period per seed",
    )
    data.add_argument(
        "--openml", nargs="+", default=[], metavar="NAME", help="data sets from OpenML, by name or number"
    )
    data.add_argument(
        "--openml-folder",
        type=Path,
        default=Path("openml-data"),
        metavar="FOLDER",
        help="folder in which these are stored (default: %(default)s)",
    )
    data.add_argument(
        "--sets", metavar="PATTERN", help="bundled and synthetic sets whose name contains this; * matches anything"
    )
    grid = parser.add_argument_group("what is compared", "everything by default; gammas and seeds depend on --size")
    grid.add_argument("--libraries", nargs="+", choices=LIBRARIES, help="default: all that are installed")
    grid.add_argument("--losses", nargs="+", choices=(BUILTIN, PLAIN, WEIGHTED, _FOCAL), help="kinds of losses")
    grid.add_argument("--gamma", type=float, nargs="+", metavar="GAMMA", help="gammas of the focal losses")
    grid.add_argument("--seeds", type=int, help="splits of every data set")
    budget = parser.add_argument_group("budget of every training", "the same for all trainings")
    budget.add_argument("--rounds", type=int, help="maximum number of rounds")
    budget.add_argument("--patience", type=int, help="rounds without improvement before early stopping")
    budget.add_argument("--learning-rate", type=float)
    budget.add_argument("--depth", type=int, help="maximum depth of the trees")
    budget.add_argument("--threads", type=int)
    budget.add_argument(
        "--time-limit", type=float, metavar="SECONDS", help="stop a training after this time and count it as failed"
    )
    parser.add_argument("--retry-failed", action="store_true", help="repeat trainings that failed in an earlier call")


@dataclass(frozen=True)
class Plan:
    """The trainings and their common budget."""

    fits: list[Fit]
    budget: Budget


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan for the options of the command line.

    Raises
    ------
    TableError
        If a file, a set or a number breaks a rule.
    """
    size = SIZES[arguments.size]
    _positive("seeds", arguments.seeds)
    seeds = arguments.seeds or size.seeds
    if seeds > MOST_SEEDS:
        raise TableError(f"--seeds must be at most {MOST_SEEDS}, got {seeds}")
    own = {name: getattr(arguments, name) for name in vars(size.budget)}
    for name, value in own.items():
        _positive(name.replace("_", "-"), value)
    budget = Budget(**{name: getattr(size.budget, name) if value is None else value for name, value in own.items()})
    _positive("time-limit", arguments.time_limit)
    libraries = arguments.libraries or [name for name in LIBRARIES if importlib.util.find_spec(name)]
    missing = [name for name in libraries if not importlib.util.find_spec(name)]
    if missing or not libraries:
        raise TableError(f"--libraries must be installed, got {', '.join(missing) or 'no installed library'}")
    losses = _losses(arguments, size)
    sources = list(_sources(arguments, size, seeds))
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise TableError(f"sets must have different names, got {twice[0]!r} twice; the name of a file is its stem")
    return Plan(list(fits(sources, seeds, list(dict.fromkeys(libraries)), losses, budget)), budget)


def _positive(name: str, asked: float | None) -> None:
    if asked is not None and not 0.0 < asked < math.inf:
        raise TableError(f"--{name} must be finite and > 0, got {asked:g}")


def _losses(arguments: argparse.Namespace, size: Size) -> list[str]:
    from boosting_losses import FocalLoss  # noqa: PLC0415  (would slow down the other commands)

    kinds = list(dict.fromkeys(arguments.losses or (BUILTIN, PLAIN, WEIGHTED, _FOCAL)))
    gammas = arguments.gamma or size.gammas
    try:
        for gamma in gammas:
            FocalLoss(gamma)
    except ValueError as error:
        raise TableError(f"--gamma: {error}") from None
    if arguments.gamma and _FOCAL not in kinds:
        raise TableError("--gamma requires --losses focal, got other losses only")
    expanded = [[focal(gamma) for gamma in gammas] if kind == _FOCAL else [kind] for kind in kinds]
    return list(dict.fromkeys(name for names in expanded for name in names))


def _sources(arguments: argparse.Namespace, size: Size, seeds: int) -> list[Source]:
    from ..study import data_sets  # noqa: PLC0415  (as above)
    from .data import Source, from_file, from_openml, made  # noqa: PLC0415

    if arguments.data and not arguments.label:
        raise TableError("--data requires --label, the label column, got none")
    if not arguments.data and (arguments.label or arguments.weight or arguments.drop or arguments.time):
        raise TableError("--label, --weight, --drop and --time apply to files and require --data, got no file")
    columns = (arguments.label, arguments.weight, tuple(arguments.drop))
    found = [from_file(file, *columns, time=arguments.time, periods=seeds) for file in arguments.data]
    found += [from_openml(name, arguments.openml_folder) for name in arguments.openml]
    if found and not arguments.sets:
        return found
    bundled = [Source(name) for name in data_sets.real()] + [Source(name, size.rows) for name in made(size.rows)]
    if arguments.sets:
        pattern = f"*{arguments.sets.lower()}*"
        bundled = [source for source in bundled if fnmatchcase(source.name.lower(), pattern)]
        if not bundled:
            names = ", ".join([*data_sets.real(), *made(size.rows)])
            raise TableError(f"--sets must match the name of a data set ({names}), got {arguments.sets!r}")
    elif size.sets:
        bundled = [source for source in bundled if source.name in size.sets]
    return found + bundled
