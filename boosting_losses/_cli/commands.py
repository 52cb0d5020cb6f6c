"""What the commands do."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track

from .. import __version__
from .._kernels import cache_folder
from ..report import ProbabilityReport
from . import config as configuration
from . import warmup
from .columns import Table
from .files import FileError
from .inputs import name_of, opened
from .passes import Advance, evaluated
from .places import ConfigError
from .plan import Options, planned
from .thresholds import broken


class Problem(click.ClickException):
    """An error of the user's data or wishes: one line, and exit code 2."""

    exit_code = 2


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """Losses, metrics and calibrated probabilities for gradient boosting."""


_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_WRITTEN = click.Path(dir_okay=False, path_type=Path)


@commands.command(context_settings={"max_content_width": 120})
@click.argument("file", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--label", metavar="COLUMN", required=True, help="The labels: 0 and 1, class codes, or any of --classes.")
@click.option(
    "--proba",
    "probas",
    metavar="COLUMN[,COLUMN...]",
    required=True,
    multiple=True,
    help="P(y = 1); for K classes a column of each. Again for each further model.",
)
@click.option("--weight", metavar="COLUMN", help="The sample weights.")
@click.option("--classes", metavar="LABEL,LABEL...", help="The labels in the order of the probabilities' columns.")
@click.option(
    "--slice",
    "slices",
    metavar="COLUMN",
    multiple=True,
    help="Categories by which the rows are also looked at in parts. Again for each further column.",
)
@click.option(
    "--groups",
    metavar="COLUMN",
    help="Rows of one group (a customer, a day) count together in the intervals. Memory grows with the number of groups,"
    " and, where the rows of a group do not come one after the other, with that of the rows: sort large files.",
)
@click.option(
    "--threshold",
    "decisions",
    metavar="P",
    type=float,
    multiple=True,
    help="The second of two classes is predicted from this probability on: precision, recall, ... Again for more.",
)
@click.option(
    "--costs",
    metavar="FP:FN",
    multiple=True,
    help="The threshold that follows from what a false positive and a false negative cost: 1:9 is --threshold 0.1.",
)
@click.option("--reference", metavar="NAME", help="The model with which the others are compared.  [default: the first]")
@click.option("--normalize", is_flag=True, help="Divide the probabilities of K classes by their sum in each row.")
@click.option("--format", "kind", type=click.Choice(["csv", "tsv", "parquet"]), help="Of FILE, whatever its ending is.")
@click.option("--delimiter", metavar="MARK", help='What stands between the columns of a CSV file: ";", "|", "tab", ...')
@click.option("--decimal", type=click.Choice([".", ","]), help="The decimal point of a CSV file.")
@click.option(
    "--config", "config_path", metavar="PATH", type=_EXISTING, help="YAML file; options go before what it says."
)
@click.option("--html", metavar="PATH", type=_WRITTEN, help="Write the report as a page.")
@click.option("--plot", metavar="PATH", type=_WRITTEN, help="Write the pictures (.png, .svg, .pdf).")
@click.option("--json", "json_path", metavar="PATH", type=_WRITTEN, help="Write all numbers.")
def evaluate(
    file: Path,
    label: str,
    probas: tuple[str, ...],
    weight: str | None,
    classes: str | None,
    slices: tuple[str, ...],
    groups: str | None,
    decisions: tuple[float, ...],
    costs: tuple[str, ...],
    reference: str | None,
    normalize: bool,
    kind: str | None,
    delimiter: str | None,
    decimal: str | None,
    config_path: Path | None,
    html: Path | None,
    plot: Path | None,
    json_path: Path | None,
) -> None:
    """Evaluate the probabilities in FILE (.csv, .tsv or .parquet) against its labels.

    FILE may be a folder of such files, date=2026-01-01/part-0.parquet and the like included, or - for standard input.

    \b
    boosting-losses evaluate rows.csv --label y --proba old --proba new --slice region --groups customer

    Exit code 0: done; 1: a threshold of the configuration is broken; 2: the data or the options have an error.
    """  # noqa: D301  (a mark of click's: the line stays as it is)
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise Problem(f"{plot}: what --plot writes must end with .png, .svg or .pdf, got {plot.suffix or 'no ending'}")
    _refuse_odd_outputs([path for path in (html, plot, json_path) if path is not None], [file, config_path])
    try:
        config = configuration.Config() if config_path is None else configuration.read(config_path)
        source = click.get_current_context().with_resource(opened(file, kind, delimiter, decimal))
        options = Options(label, probas, weight, classes, slices, groups, decisions, costs, reference, normalize)
        plan = planned(options, config, source.columns())
        table = plan.table(source)
        with _progress(table) as advance:
            report = evaluated(table, plan, advance)
        wrong = broken(report, config.thresholds)
        written = _rendered(report, html, plot, json_path)
    except (ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        named = isinstance(error, (FileError, ConfigError))
        raise Problem(text if named else f"{name_of(file)}: {text}") from None
    _write(written)
    console = Console()
    if console.is_terminal:
        console.print(report)
    else:
        click.echo(report)
    for line in wrong:
        click.echo(f"threshold broken: {line}", err=True)
    if wrong:
        raise click.exceptions.Exit(1)


@commands.command("warmup")
@click.option(
    "--library",
    "libraries",
    type=click.Choice(warmup.LIBRARIES),
    multiple=True,
    help="Again for each further one.  [default: those that are installed]",
)
@click.option(
    "--report/--no-report", "with_report", default=True, help="What a report needs, too.  [default: --report]"
)
def compile_kernels(libraries: tuple[str, ...], with_report: bool) -> None:
    """Compile what trainings, predictions and reports need, so that no later process waits for it.

    Machine code is kept in NUMBA_CACHE_DIR, else beside the package or in the user's cache folder. Run it where an image is
    built, with the processor that the image will run on.
    """
    found = warmup.installed()
    missing = [name for name in libraries if name not in found]
    if missing:
        raise Problem(f'--library must be installed, got {missing[0]}: pip install "boosting-losses[{missing[0]}]"')
    folder = cache_folder()
    if folder is None:
        raise Problem("compiled kernels must have a folder, got none that can be written: set NUMBA_CACHE_DIR")
    started = time.monotonic()
    console = Console(stderr=True)
    steps = list(warmup.steps(libraries or found, with_report=with_report))
    for name, run in track(steps, "compiling", console=console, transient=True, disable=not console.is_terminal):
        run()
        console.print(name)
    files = [path.stat().st_size for path in folder.glob("*.nbc")]
    seconds = time.monotonic() - started
    click.echo(f"{len(files)} compiled functions, {sum(files) / 1e6:.1f} MB, in {folder} after {seconds:.0f} s")


def _refuse_odd_outputs(outputs: Sequence[Path], inputs: Sequence[Path | None]) -> None:
    taken = {path.resolve() for path in inputs if path is not None}
    for path in outputs:
        if not path.absolute().parent.is_dir():
            raise Problem(f"{path}: the folder must exist, got none at {path.absolute().parent}")
        if path.resolve() in taken:
            raise Problem(f"{path}: what is written must not be what is read or another output, got the same file")
        if any(folder in taken for folder in path.resolve().parents):
            raise Problem(f"{path}: what is written must not be in the folder that is read, got a file in it")
        taken.add(path.resolve())


@contextlib.contextmanager
def _progress(table: Table) -> Iterator[Advance]:
    """A bar where somebody looks: rows are read twice."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rows: None
        return
    total = table.rows()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("rows", total=None if total is None else 2 * total)
        yield lambda rows: progress.advance(task, rows)


def _rendered(
    report: ProbabilityReport, html: Path | None, plot: Path | None, json_path: Path | None
) -> list[tuple[Path, bytes]]:
    """Everything that is to be written, before anything is."""
    written = []
    if html is not None:
        written.append((html, report.to_html().encode()))
    if plot is not None:
        picture = io.BytesIO()
        report.plot(picture, format=plot.suffix[1:].lower())
        written.append((plot, picture.getvalue()))
    if json_path is not None:
        written.append((json_path, report.to_json().encode()))
    return written


def _write(files: Sequence[tuple[Path, bytes]]) -> None:
    for path, content in files:
        scratch = path.with_name(path.name + ".part")
        try:
            scratch.write_bytes(content)
            scratch.replace(path)
        except OSError as error:
            raise Problem(f"{path}: the file cannot be written, {error.strerror}") from None
        finally:
            scratch.unlink(missing_ok=True)
