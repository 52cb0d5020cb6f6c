"""Command line: ``python -m benchmarks COMMAND``, of which ``--help`` has a list."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from . import compare
from .frameworks import options
from .measure import Budget
from .report import Output, publish

#: Options that do not move a figure, but say how well or whether it is known.
_WITHOUT_EFFECT = ("only", "seconds", "repeats", "json", "markdown")


def main() -> int:
    """Run the benchmark that the command names."""
    arguments = _parser().parse_args()
    if arguments.command == "compare":
        return compare.run(arguments.old, arguments.new, arguments.threshold)
    if arguments.command == "frameworks":
        from .frameworks import command  # noqa: PLC0415

        return command.run(arguments)
    if arguments.command == "literature":
        from .frameworks import literature  # noqa: PLC0415

        return literature.run(arguments)
    if arguments.command == "sketch":
        return _sketch(arguments)
    # Each command imports what it measures, and nothing else has to be installed.
    if arguments.command == "kernels":
        from . import allocator, kernels  # noqa: PLC0415

        allocator.settle(arguments.memory)
        rows = kernels.run(Budget(arguments.seconds, arguments.repeats), arguments.only, arguments.rows)
    elif arguments.command == "training":
        from . import training  # noqa: PLC0415

        budget = Budget(arguments.seconds, arguments.repeats)
        rows = training.run(budget, arguments.only, arguments.threads, arguments.scale, quick=arguments.quick)
    elif arguments.command == "calibration":
        from . import calibration  # noqa: PLC0415

        rows = calibration.run(Budget(arguments.seconds, arguments.repeats), arguments.only)
    elif arguments.command == "metrics":
        from . import metrics  # noqa: PLC0415

        rows = metrics.run(Budget(arguments.seconds, arguments.repeats), arguments.only, arguments.rows)
    elif arguments.command == "coverage":
        from . import coverage  # noqa: PLC0415

        rows = coverage.run(arguments.samples, arguments.only, arguments.jobs)
    elif arguments.command == "monitoring":
        from . import monitoring  # noqa: PLC0415

        rows = monitoring.run(arguments.years, arguments.runs, arguments.only, arguments.jobs)
    elif arguments.command == "probabilities":
        from . import probabilities, tables  # noqa: PLC0415

        sets = tables.makers(arguments.data, arguments.label)
        rows = probabilities.run(arguments.seeds, arguments.only, arguments.rounds, sets)
    else:
        from . import imports  # noqa: PLC0415

        rows = imports.run(arguments.repeats, arguments.only)
    settings = {name: value for name, value in vars(arguments).items() if name not in _WITHOUT_EFFECT}
    if "data" in settings:
        settings["data"] = [str(file) for file in settings["data"]]
    publish(rows, Output(settings, arguments.json, arguments.markdown))
    return 0


def _sketch(arguments: argparse.Namespace) -> int:
    try:
        from .sketches import study  # noqa: PLC0415
    except ImportError as error:
        print(f"sketch: needs xgboost 3.2 or newer ({error})", file=sys.stderr)  # noqa: T201
        return 2
    return study.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    kernels = commands.add_parser("kernels", help="values and derivatives of the losses on one thread")
    _add_common(kernels)
    _add_budget(kernels, seconds=2.0)
    kernels.add_argument("--rows", type=int, default=1_000_000, help="rows of binary data (default: %(default)s)")
    kernels.add_argument(
        "--memory",
        choices=("kept", "fresh", "system"),
        default="kept",
        help="pages of new arrays: kept from freed ones, fresh, or left to the C library (default: %(default)s)",
    )

    training = commands.add_parser("training", help="whole training runs against the libraries' builtin losses")
    _add_common(training)
    _add_budget(training, seconds=10.0)
    training.add_argument("--threads", type=int, help="threads of the boosting library (default: all cores)")
    training.add_argument("--scale", type=float, default=1.0, help="factor of all row counts (default: %(default)s)")
    training.add_argument("--quick", action="store_true", help="a tenth of the rows, and no more than 10 classes")

    imports = commands.add_parser("import", help="seconds until the first objective call of a fresh process")
    _add_common(imports)
    imports.add_argument("--repeats", type=int, default=15, help="processes per measurement (default: %(default)s)")

    calibration = commands.add_parser("calibration", help="fits of calibrators against scikit-learn's")
    _add_common(calibration)
    _add_budget(calibration, seconds=5.0)

    metrics = commands.add_parser("metrics", help="scores, intervals and decompositions against other packages'")
    _add_common(metrics)
    _add_budget(metrics, seconds=3.0)
    metrics.add_argument("--rows", type=int, default=1_000_000, help="rows of data (default: %(default)s)")

    coverage = commands.add_parser("coverage", help="how often confidence intervals hold the truth, in simulations")
    _add_common(coverage)
    coverage.add_argument("--samples", type=int, default=1000, help="samples of each world (default: %(default)s)")
    coverage.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")

    monitoring = commands.add_parser("monitoring", help="false alarms and delays of the monitor, in simulations")
    _add_common(monitoring)
    monitoring.add_argument("--years", type=int, default=100, help="years of each quiet world (default: %(default)s)")
    monitoring.add_argument("--runs", type=int, default=200, help="runs of each change (default: %(default)s)")
    monitoring.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")

    probabilities = commands.add_parser(
        "probabilities", help="held-out log loss against CalibratedClassifierCV; an hour, --seeds 1 for a short version"
    )
    _add_common(probabilities)
    probabilities.add_argument("--seeds", type=int, default=5, help="splits of every set (default: %(default)s)")
    probabilities.add_argument("--rounds", type=int, default=100, help="rounds of boosting (default: %(default)s)")
    probabilities.add_argument(
        "--data", type=Path, nargs="+", default=[], metavar="FILE", help="more sets, CSV or Parquet"
    )
    probabilities.add_argument("--label", default="target", help="column of the labels in these (default: %(default)s)")

    frameworks = commands.add_parser(
        "frameworks", help="which library, loss and calibration has the best probabilities, on your data or on ours"
    )
    options.add_options(frameworks)

    literature = commands.add_parser(
        "literature", help="a published table on focal boosting beside our own, from a copy of its open data"
    )
    literature.add_argument("--data", type=Path, required=True, metavar="FILE", help="BRFSS 2015 diabetes indicators")
    literature.add_argument("--label", default="Diabetes_binary", metavar="COLUMN", help="(default: %(default)s)")
    literature.add_argument("--seeds", type=int, default=10, help="splits (default: %(default)s)")
    literature.add_argument(
        "--out", type=Path, default=Path("literature"), metavar="FOLDER", help="(default: %(default)s)"
    )
    literature.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")

    _add_sketch(commands)

    comparison = commands.add_parser("compare", help="two files of --json; exit code 1 if the second is slower")
    comparison.add_argument("old", type=Path)
    comparison.add_argument("new", type=Path)
    comparison.add_argument(
        "--threshold", type=float, default=0.1, help="least change that counts as slower (default: %(default)s)"
    )
    return parser


def _add_sketch(commands: Any) -> None:
    sketch = commands.add_parser(
        "sketch", help="trees of many classes on sketched gradients against XGBoost's own; an hour and a half"
    )
    sketch.add_argument(
        "--stage", choices=("development", "judging", "both"), default="both", help="(default: %(default)s)"
    )
    sketch.add_argument("--seeds", type=int, default=5, help="splits of every set (default: %(default)s)")
    sketch.add_argument(
        "--data", type=Path, nargs="+", default=[], metavar="FILE", help="more to judge by, CSV or Parquet"
    )
    sketch.add_argument("--label", default="target", help="column of the labels in these (default: %(default)s)")
    sketch.add_argument(
        "--out", type=Path, default=Path("sketch-study"), metavar="FOLDER", help="(default: %(default)s)"
    )
    sketch.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    sketch.add_argument("--picture", type=Path, metavar="FILE", help="draw loss against seconds")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", metavar="PATTERN", help="rows whose name contains this; * stands for anything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows and versions as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")


def _add_budget(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument("--seconds", type=float, default=seconds, help="least time per row (default: %(default)s)")
    parser.add_argument("--repeats", type=int, help="blocks of four runs per row, in place of --seconds")


if __name__ == "__main__":
    sys.exit(main())
