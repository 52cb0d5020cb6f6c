"""The commands of the command line, their options, and their output files."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from .. import __version__
from .._kernels import cache_folder
from ..report import ProbabilityReport
from . import config as configuration
from . import warmup
from .files import FileError
from .inputs import name_of, opened
from .outputs import Problem, progress, refuse_odd_outputs, write
from .passes import evaluated
from .plan import Options, planned
from .thresholds import above_baseline, broken
from .yaml_file import ConfigError


class _Commands(click.Group):
    """All commands; those of the monitor are imported when they are needed, because this takes a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "monitor"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "monitor":
            return super().get_command(ctx, cmd_name)
        from .monitoring.commands import monitor  # noqa: PLC0415

        return monitor


@click.group(cls=_Commands, context_settings={"max_content_width": 120})
@click.version_option(__version__)
def commands() -> None:
    """Evaluate and monitor predicted probabilities, or compile kernels in advance."""


_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_WRITTEN = click.Path(dir_okay=False, path_type=Path)


@commands.command()
@click.argument("file", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "--label", metavar="COLUMN", required=True, help="Column of the labels: 0 and 1, 0 to K-1, or those of --classes."
)
@click.option(
    "--proba",
    "probas",
    metavar="COLUMN[,COLUMN...]",
    required=True,
    multiple=True,
    help="Column of P(y = 1), or K columns for K classes. Repeat the option for each additional model.",
)
@click.option("--weight", metavar="COLUMN", help="Column of the sample weights.")
@click.option("--classes", metavar="LABEL,LABEL...", help="Labels in the order of the columns of --proba.")
@click.option(
    "--slice",
    "slices",
    metavar="COLUMN",
    multiple=True,
    help="Column of categories: the report also shows the scores of each category. Repeat for additional columns.",
)
@click.option(
    "--groups",
    metavar="COLUMN",
    help="Column of the group of each row (a customer, a day). The intervals allow for dependent rows within a group."
    " Sort large files by group: otherwise, all rows are kept in memory.",
)
@click.option(
    "--threshold",
    "thresholds",
    metavar="P",
    type=float,
    multiple=True,
    help="Show precision, recall and net benefit if class 1 is predicted for probabilities >= P. Repeat for more.",
)
@click.option(
    "--costs",
    metavar="FP:FN",
    multiple=True,
    help="Costs of a false positive and a false negative, which imply a threshold: 1:9 is --threshold 0.1.",
)
@click.option(
    "--reference", metavar="NAME", help="Model with which the other models are compared.  [default: the first]"
)
@click.option("--normalize", is_flag=True, help="Divide the probabilities of K classes by their sum in each row.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "tsv", "parquet"]),
    help="Format of FILE, if the extension of its name does not tell.",
)
@click.option("--delimiter", metavar="CHAR", help='Delimiter of a CSV file: ";", "|", "tab", ...  [default: ","]')
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator of a CSV file.  [default: .]")
@click.option(
    "--config", "config_path", metavar="PATH", type=_EXISTING, help="YAML file of settings; options override them."
)
@click.option("--html", metavar="PATH", type=_WRITTEN, help="Write the report to an HTML page.")
@click.option("--plot", metavar="PATH", type=_WRITTEN, help="Write the diagrams to a .png, .svg or .pdf file.")
@click.option("--json", "json_path", metavar="PATH", type=_WRITTEN, help="Write all numbers to a JSON file.")
def evaluate(
    file: Path,
    kind: str | None,
    delimiter: str | None,
    decimal: str | None,
    config_path: Path | None,
    html: Path | None,
    plot: Path | None,
    json_path: Path | None,
    **wishes: Any,
) -> None:
    """Evaluate predicted probabilities against labels.

    FILE is a .csv, .tsv or .parquet file of predictions, a folder of such files, a partitioned data set (with folders
    such as date=2026-01-01), or - for standard input. The report shows scores with confidence intervals.

    \b
    Example:
      boosting-losses evaluate rows.csv --label y --proba old --proba new --slice region --groups customer

    \b
    Exit codes:
      0  The evaluation succeeded.
      1  A score violates a threshold of the configuration, or the log loss is too far above the baseline.
      2  The data, the options or the configuration are invalid.
    """  # noqa: D301  (click does not rewrap the lines after this mark)
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise Problem(f"{plot}: --plot must name a .png, .svg or .pdf file, got {plot.suffix or 'no extension'}")
    refuse_odd_outputs([path for path in (html, plot, json_path) if path is not None], [file, config_path])
    try:
        config = configuration.Evaluation() if config_path is None else configuration.read(config_path)
        source = click.get_current_context().with_resource(opened(file, kind, delimiter, decimal))
        plan = planned(Options(**wishes), config, source.columns())
        with progress([source], passes=2) as advance:
            report = evaluated(plan.table(source), plan, advance)
        above, note = above_baseline(report, config, plan.names)
        wrong = [*broken(report, config, plan.names), *above]
        written = _rendered(report, html, plot, json_path)
    except (ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        named = isinstance(error, (FileError, ConfigError))
        raise Problem(text if named else f"{name_of(file)}: {text}") from None
    write(written)
    console = Console()
    if console.is_terminal:
        console.print(report)
    else:
        click.echo(report)
    if note:
        click.echo(note, err=True)
    for line in wrong:
        click.echo(f"threshold violated: {line}", err=True)
    if wrong:
        raise click.exceptions.Exit(1)


@commands.command("warmup")
@click.option(
    "--library",
    "libraries",
    type=click.Choice(warmup.LIBRARIES),
    multiple=True,
    help="Library to compile for. Repeat for additional libraries.  [default: all installed]",
)
@click.option(
    "--report/--no-report", "with_report", default=True, help="Also compile for reports.  [default: --report]"
)
def compile_kernels(libraries: tuple[str, ...], with_report: bool) -> None:
    """Compile all kernels in advance, so that later processes start fast.

    The machine code is stored in NUMBA_CACHE_DIR or, by default, next to the package or in the user's cache folder. Run
    this command when you build a container image, on the type of processor on which the image will run.
    """
    found = warmup.installed()
    missing = [name for name in libraries if name not in found]
    if missing:
        raise Problem(f'--library must be installed, got {missing[0]}: pip install "boosting-losses[{missing[0]}]"')
    folder = cache_folder()
    if folder is None:
        raise Problem("the folder of compiled kernels must be writable, got no writable folder: set NUMBA_CACHE_DIR")
    started = time.monotonic()
    console = Console(stderr=True)
    steps = list(warmup.steps(libraries or found, with_report=with_report))
    for name, run in track(steps, "compiling", console=console, transient=True, disable=not console.is_terminal):
        run()
        console.print(name)
    files = [path.stat().st_size for path in folder.glob("*.nbc")]
    seconds = time.monotonic() - started
    click.echo(f"{len(files)} compiled functions, {sum(files) / 1e6:.1f} MB, in {folder} after {seconds:.0f} s")


def _rendered(
    report: ProbabilityReport, html: Path | None, plot: Path | None, json_path: Path | None
) -> list[tuple[Path, bytes]]:
    """Return the content of all output files before any is written, so that errors leave no partial output."""
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
