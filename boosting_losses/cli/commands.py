"""What the commands do."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .. import __version__
from ..report import ProbabilityReport
from ..report._evaluation import Evaluation
from ..report.text import as_text, tables
from . import config as configuration
from .files import ROWS, Table, column_names

#: Tells how many rows more have been read.
Advance = Callable[[int], None]

#: Labels and columns of some rows.
Block = tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]


class Problem(click.ClickException):
    """An error of the user's data or wishes: one line, and exit code 2."""

    exit_code = 2


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """Losses, metrics and calibrated probabilities for gradient boosting."""


@commands.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--label", required=True, help="Column of the labels: 0 and 1, class codes, or any of --classes.")
@click.option(
    "--proba",
    "probas",
    required=True,
    multiple=True,
    help="Column of P(y = 1); for K classes their columns, with commas between. Again for each further model.",
)
@click.option("--weight", help="Column of the sample weights.")
@click.option("--classes", help="The labels in the order of the probabilities' columns, with commas between.")
@click.option(
    "--config", "config_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML file."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as a page.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the pictures (.png, .svg, .pdf).")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers.")
def evaluate(
    file: Path,
    label: str,
    probas: tuple[str, ...],
    weight: str | None,
    classes: str | None,
    config_path: Path | None,
    html: Path | None,
    plot: Path | None,
    json_path: Path | None,
) -> None:
    """Evaluate the probabilities in FILE (.csv or .parquet) against its labels.

    Exit code 0: done; 1: a threshold of the configuration is broken; 2: the data or the options have an error.
    """
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise Problem(f"{plot}: what --plot writes must end with .png, .svg or .pdf, got {plot.suffix or 'no ending'}")
    _refuse_odd_outputs([path for path in (html, plot, json_path) if path is not None], [file, config_path])
    try:
        config = configuration.Config() if config_path is None else configuration.read(config_path)
        names = column_names(file)
        models = [_split(proba, names) for proba in probas]
        labels = None if classes is None else tuple(part.strip() for part in classes.split(","))
        _refuse_odd_models(models, labels)
        others = [] if weight is None else [weight]
        numbers = tuple(dict.fromkeys([column for columns in models for column in columns] + others))
        if label in numbers or weight in [column for columns in models for column in columns]:
            raise ValueError(
                f"--label, --proba and --weight must name different columns, got {', '.join((label, *numbers))}"
            )
        table = Table(file, label, numbers, labels)
        report = _evaluated(table, models, weight, config)
        written = _rendered(report, html, plot, json_path)
    except (ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        named = any(str(path) in text for path in (file, config_path) if path is not None)
        raise Problem(text if named else f"{file}: {text}") from None
    _write(written)
    console = Console()
    if console.is_terminal:
        console.print(tables(report))
    else:
        click.echo(as_text(report))
    _judge(report, config)


def _split(proba: str, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that an option names: itself, if there is such a column, or its parts between commas."""
    if proba in names:
        return (proba,)
    return tuple(part if part in names else part.strip() for part in proba.split(","))


def _refuse_odd_outputs(outputs: Sequence[Path], inputs: Sequence[Path | None]) -> None:
    taken = {path.resolve() for path in inputs if path is not None}
    for path in outputs:
        if not path.absolute().parent.is_dir():
            raise Problem(f"{path}: the folder must exist, got none at {path.absolute().parent}")
        if path.resolve() in taken:
            raise Problem(f"{path}: what is written must not be what is read or another output, got the same file")
        taken.add(path.resolve())


def _refuse_odd_models(models: Sequence[tuple[str, ...]], labels: tuple[str, ...] | None) -> None:
    sizes = {len(columns) for columns in models}
    if len(sizes) > 1:
        raise ValueError(f"--proba must name as many columns for each model, got {sorted(sizes)}")
    if len(set(models)) < len(models):
        raise ValueError(f"--proba must name each model once, got {', '.join('+'.join(columns) for columns in models)}")
    size = sizes.pop()
    if any(not column for columns in models for column in columns):
        raise ValueError("--proba must name columns, got an empty name")
    n_classes = 2 if size == 1 else size
    if labels is not None and (len(labels) != n_classes or len(set(labels)) != n_classes):
        raise ValueError(f"--classes must name {n_classes} different labels, got {', '.join(labels)}")


def _evaluated(
    table: Table, models: Sequence[tuple[str, ...]], weight: str | None, config: configuration.Config
) -> ProbabilityReport:
    names = [columns[0] if len(columns) == 1 else _common_name(columns) for columns in models]
    if len(set(names)) < len(names):
        names = ["+".join(columns) for columns in models]
    evaluation = Evaluation(names, config.settings)
    with _progress(table) as advance:
        look = _look(table, weight, max(2, len(models[0])), advance)
        factor = look.balancing() if config.balanced else None
        for block in itertools.chain([look.sample], table.blocks()):
            y, columns = block
            of_row = None if weight is None else columns[weight]
            if factor is not None:
                balanced = factor[y.astype(np.intp)]
                of_row = balanced if of_row is None else of_row * balanced
            probas = [_matrix([columns[name] for name in model]) for model in models]
            if block is look.sample:
                evaluation.prepare(y, probas, of_row)
            else:
                evaluation.add(y, probas, of_row)
                advance(len(y))
    return ProbabilityReport.from_evaluation(evaluation, table.classes)


@dataclass(frozen=True)
class _Look:
    """What a first pass over the rows has seen: every so-manieth of them, and the weights of the classes."""

    sample: Block
    totals: npt.NDArray[np.float64]

    def balancing(self) -> npt.NDArray[np.float64]:
        """Factors that give each class the same weight: inverse class frequencies, of mean 1."""
        if not (self.totals > 0.0).all():
            raise ValueError(
                f"each class must have rows to be balanced, got none of class {int(np.argmin(self.totals))}"
            )
        balanced: npt.NDArray[np.float64] = self.totals.sum() / (len(self.totals) * self.totals)
        return balanced


def _look(table: Table, weight: str | None, n_classes: int, advance: Advance) -> _Look:
    kept: list[Block] = []
    totals, seen, step = np.zeros(n_classes), 0, 1
    for y, columns in table.blocks():
        codes = np.clip(np.nan_to_num(y), 0, n_classes - 1).astype(np.intp)  # others are refused when they are added
        totals += np.bincount(codes, weights=_checked(columns, weight, seen), minlength=n_classes)
        every = slice(-seen % step, None, step)
        kept.append((y[every], {name: values[every] for name, values in columns.items()}))
        seen += len(y)
        while sum(len(part[0]) for part in kept) > ROWS:
            step *= 2
            whole = _joined(kept)
            kept = [(whole[0][::2], {name: values[::2] for name, values in whole[1].items()})]
        advance(len(y))
    return _Look(_joined(kept), totals)


def _checked(
    columns: dict[str, npt.NDArray[np.float64]], weight: str | None, start: int
) -> npt.NDArray[np.float64] | None:
    if weight is None:
        return None
    values = columns[weight]
    wrong = ~((values >= 0.0) & (values < np.inf))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"sample_weight must be finite and >= 0, got {values[row]} in row {start + row}")
    return values


def _joined(parts: Sequence[Block]) -> Block:
    names = parts[0][1]
    return (
        np.concatenate([y for y, _ in parts]),
        {name: np.concatenate([columns[name] for _, columns in parts]) for name in names},
    )


def _matrix(columns: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _common_name(columns: tuple[str, ...]) -> str:
    """What the names of a model's columns begin with."""
    shared = columns[0]
    while shared and not all(column.startswith(shared) for column in columns):
        shared = shared[:-1]
    return shared.rstrip("_-. ") or "+".join(columns)


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
        from ..report.figures import save  # noqa: PLC0415  (matplotlib takes its time)

        picture = io.BytesIO()
        save(report.plot(), picture, format=plot.suffix[1:].lower(), dpi=150)
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


def _judge(report: ProbabilityReport, config: configuration.Config) -> None:
    """Exit with 1 where a threshold is broken."""
    broken = [
        f"{model.name}: {wrong}"
        for model in report.models
        for threshold in config.thresholds
        if (wrong := threshold.broken_by(model.scores[threshold.score].value))
    ]
    for line in broken:
        click.echo(f"threshold broken: {line}", err=True)
    if broken:
        raise click.exceptions.Exit(1)
