"""What commands write: errors, a progress bar, and files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .inputs import Input
from .passes import Advance


class Problem(click.ClickException):
    """An error in the data, the options or the configuration, reported in one line with exit code 2."""

    exit_code = 2


def refuse_odd_outputs(outputs: Sequence[Path], inputs: Sequence[Path | None]) -> None:
    """Raise Problem if an output has no folder, or is an input or another output."""
    taken = {path.resolve() for path in inputs if path is not None}
    for path in outputs:
        if not path.absolute().parent.is_dir():
            raise Problem(f"{path}: the output folder must exist, got none at {path.absolute().parent}")
        if path.resolve() in taken:
            raise Problem(f"{path}: an output must be neither an input nor another output, got the same file")
        if any(folder in taken for folder in path.resolve().parents):
            raise Problem(f"{path}: an output must not be in the input folder, got a file in it")
        taken.add(path.resolve())


@contextlib.contextmanager
def progress(sources: Sequence[Input], passes: int) -> Iterator[Advance]:
    """Show a progress bar in a terminal; all rows are read in each of several passes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rows: None
        return
    known = [count for source in sources if (count := source.rows()) is not None]
    total = passes * sum(known) if len(known) == len(sources) else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("rows", total=total)
        yield lambda rows: bar.advance(task, rows)


def write(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write each file as a whole or not at all."""
    for path, content in files:
        scratch = path.with_name(path.name + ".part")
        try:
            scratch.write_bytes(content)
            scratch.replace(path)
        except OSError as error:
            raise Problem(f"{path}: the file cannot be written, {error.strerror}") from None
        finally:
            scratch.unlink(missing_ok=True)
