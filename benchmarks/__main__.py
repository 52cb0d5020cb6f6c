"""Command line: ``python -m benchmarks COMMAND``; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .frameworks import options
from .report import Output, publish
from .study import TableError

#: Options that do not change a figure, but only its precision or the output files.
_WITHOUT_EFFECT = ("module", "only", "seconds", "repeats", "json", "markdown")


def main() -> int:
    """Run the requested benchmark."""
    arguments = _parser().parse_args()
    try:
        # Each command imports only the packages that it measures, so that no others need to be installed.
        found = importlib.import_module(f".{arguments.module}", __package__).run(arguments)
    except (ImportError, TableError) as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    if isinstance(found, int):  # the command has already written its results
        return found
    settings = {name: value for name, value in vars(arguments).items() if name not in _WITHOUT_EFFECT}
    if "data" in settings:
        settings["data"] = [str(file) for file in settings["data"]]
    rows, tables = found if isinstance(found, tuple) else (found, ())
    publish(rows, Output(settings, arguments.json, arguments.markdown), tables)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, module: str, words: str, seconds: float | None = None) -> Any:
        """Add the command of a module, with the options for the time budget if ``seconds`` is given."""
        command = commands.add_parser(name, help=words)
        command.set_defaults(module=module)
        if seconds is not None:
            command.add_argument(
                "--seconds", type=float, default=seconds, help="minimum time per row (default: %(default)s)"
            )
            command.add_argument("--repeats", type=int, help="blocks of four runs per row, instead of --seconds")
        return command

    kernels = add("kernels", "kernels", "values and derivatives of the losses on one thread", seconds=2.0)
    kernels.add_argument("--rows", type=int, default=1_000_000, help="rows of binary data (default: %(default)s)")
    kernels.add_argument(
        "--memory",
        choices=("kept", "fresh", "system"),
        default="kept",
        help="memory of new arrays: reused from freed ones, new, or left to the C library (default: %(default)s)",
    )
    threaded = _add_threaded(add)
    words = "training runs on a local Dask cluster against the libraries' builtin losses"
    cluster = add("dask", "cluster", words, seconds=60.0)
    cluster.add_argument("--rows", type=int, default=1_000_000, help="rows of data (default: %(default)s)")
    cluster.add_argument("--workers", type=int, default=2, help="worker processes (default: %(default)s)")
    imports = add("import", "imports", "imports, first calls and their compilations, in fresh processes")
    imports.add_argument("--repeats", type=int, default=15, help="processes per measurement (default: %(default)s)")
    calibration = add("calibration", "calibration", "calibrators against those of scikit-learn", seconds=5.0)
    metrics = add("metrics", "metrics", "scores, intervals and decompositions against other packages", seconds=3.0)
    metrics.add_argument("--rows", type=int, default=1_000_000, help="rows of data (default: %(default)s)")
    coverage = add("coverage", "coverage", "coverage of confidence intervals, in simulations")
    coverage.add_argument("--samples", type=int, default=1000, help="samples per population (default: %(default)s)")
    coverage.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    monitoring = add("monitoring", "monitoring", "false alarms and delays of the monitor, in simulations")
    monitoring.add_argument("--years", type=int, default=100, help="years of each quiet world (default: %(default)s)")
    monitoring.add_argument("--runs", type=int, default=200, help="runs of each change (default: %(default)s)")
    monitoring.add_argument("--rows", type=int, default=1_000_000, help="rows of a store (default: %(default)s)")
    monitoring.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    scale = add("scale", "scale", "time and memory of scores and reports on Dask collections, without a cluster")
    scale.add_argument("--rows", type=int, default=100_000_000, help="rows of data (default: %(default)s)")
    scale.add_argument("--partition", type=int, default=1_000_000, help="rows of a partition (default: %(default)s)")
    scale.add_argument("--threads", type=int, help="threads of Dask (default: all cores)")
    words = "held-out log loss against CalibratedClassifierCV; an hour, --seeds 1 for a short version"
    probabilities = add("probabilities", "probabilities", words)
    probabilities.add_argument("--seeds", type=int, default=5, help="splits of every data set (default: %(default)s)")
    probabilities.add_argument("--rounds", type=int, default=100, help="boosting rounds (default: %(default)s)")
    rows = (kernels, *threaded, cluster, imports, calibration, metrics, coverage, monitoring, scale, probabilities)
    for command in rows:
        command.add_argument("--only", metavar="PATTERN", help="rows whose name contains this; * matches anything")
        command.add_argument("--json", type=Path, metavar="FILE", help="write rows and versions as JSON")
        command.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")

    _add_studies(add, probabilities)
    comparison = add("compare", "compare", "compare two JSON files; exit with 1 if the second is slower")
    comparison.add_argument("old", type=Path)
    comparison.add_argument("new", type=Path)
    comparison.add_argument(
        "--threshold", type=float, default=0.1, help="smallest change that counts as slower (default: %(default)s)"
    )
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number with a lower bound."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be >= {least}, got {text}")
        return int(text)

    return number


def _add_threaded(add: Any) -> tuple[Any, Any]:
    training = add("training", "training", "whole training runs against the libraries' builtin losses", seconds=10.0)
    training.add_argument(
        "--threads",
        type=_at_least(1),
        nargs="+",
        metavar="N",
        help="numbers of threads of both sides, from which times at more cores are extrapolated (default: all cores)",
    )
    training.add_argument(
        "--scale", type=float, default=1.0, help="factor for the number of rows (default: %(default)s)"
    )
    training.add_argument("--quick", action="store_true", help="use a tenth of the rows and at most 10 classes")
    words = "several threads against one, and against independent processes"
    threads = add("threads", "threads", words, seconds=5.0)
    threads.add_argument("--threads", type=_at_least(2), default=2, metavar="N", help="(default: %(default)s)")
    threads.add_argument("--rows", type=int, default=1_000_000, help="rows of the large data (default: %(default)s)")
    return training, threads


def _add_studies(add: Any, probabilities: Any) -> None:
    words = "libraries, losses and calibrations by their probabilities, on your data or on bundled and synthetic sets"
    options.add_options(add("frameworks", "frameworks.command", words))
    words = "a published table on focal boosting and a replication of it, from a copy of its public data"
    literature = add("literature", "frameworks.literature", words)
    literature.add_argument("--data", type=Path, required=True, metavar="FILE", help="BRFSS 2015 diabetes indicators")
    literature.add_argument("--label", default="Diabetes_binary", metavar="COLUMN", help="(default: %(default)s)")
    literature.add_argument("--seeds", type=int, default=10, help="splits (default: %(default)s)")
    words = "sketched trees for many classes against XGBoost's own; an hour and a half"
    sketch = add("sketch", "sketches.study", words)
    stages = ("development", "judging", "both")
    sketch.add_argument("--stage", choices=stages, default="both", help="(default: %(default)s)")
    sketch.add_argument("--seeds", type=int, default=5, help="splits of every data set (default: %(default)s)")
    sketch.add_argument("--picture", type=Path, metavar="FILE", help="plot loss against time")
    for command, folder in ((literature, "literature"), (sketch, "sketch-study")):
        command.add_argument("--out", type=Path, default=Path(folder), metavar="FOLDER", help="(default: %(default)s)")
    for command in (probabilities, sketch):
        command.add_argument(
            "--data", type=Path, nargs="+", default=[], metavar="FILE", help="additional data sets, CSV or Parquet"
        )
        command.add_argument("--label", default="target", help="label column in these files (default: %(default)s)")
    for command in (literature, sketch):
        command.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")


if __name__ == "__main__":
    sys.exit(main())
