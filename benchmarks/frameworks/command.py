"""The command: a plan from the options, its trainings, and everything that is written about them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from boosting_losses.report.figures import save

from ..report import console, environment
from ..tables import TableError
from . import supervisor, text
from .comparison import compare
from .figures import pictures
from .markdown import markdown
from .options import Plan, plan_of
from .page import page
from .runs import table
from .store import Store


def run(arguments: argparse.Namespace) -> int:
    """Train what is not there yet and write the tables; 2 for what cannot be asked, 130 after Ctrl-C, 1 if all failed."""
    screen = console()
    try:
        plan = plan_of(arguments)
        store = Store(arguments.out)
    except (TableError, OSError) as error:
        print(f"frameworks: {error}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        supervisor.run(plan.fits, store, screen, time_limit=arguments.time_limit, retry_failed=arguments.retry_failed)
    except KeyboardInterrupt:
        done = sum(store.answer(fit) is not None for fit in plan.fits)
        screen.print(
            f"Stopped. {done} of {len(plan.fits)} trainings are kept in {store.folder}; the same command goes on."
        )
        return 130
    return write(plan, store, screen)


def write(plan: Plan, store: Store, screen: Console) -> int:
    """Runs as CSV and Parquet, the page, its pictures, the Markdown table; and the findings to the screen."""
    folder = store.folder
    runs = table(plan.fits, store)
    runs.to_csv(folder / "runs.csv", index=False)
    runs.to_parquet(folder / "runs.parquet", index=False)
    comparison = compare(runs)
    facts = environment({})
    files: dict[str, Path] = {}
    for name, figure in pictures(comparison).items():
        files[name] = folder / f"{name}.png"
        save(figure, files[name], dpi=160)
    (folder / "report.html").write_text(page(comparison, plan.budget, facts, files), encoding="utf-8")
    (folder / "table.md").write_text(markdown(comparison, plan.budget, facts), encoding="utf-8")
    for finding in text.findings(comparison):
        screen.print(f"* {finding}", markup=False, highlight=False)
    written = ["report.html", "table.md", "runs.csv", "runs.parquet", *(file.name for file in files.values())]
    screen.print(f"Written to {folder}: {', '.join(written)}", markup=False, highlight=False, soft_wrap=True)
    return 0 if comparison.sets else 1
