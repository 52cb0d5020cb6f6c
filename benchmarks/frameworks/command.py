"""The command, which plans trainings from the options, runs them and writes the results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from boosting_losses.report._views.figures import save

from ..report import environment
from ..screen import console, say
from ..study import TableError
from ..study.store import Store
from . import supervisor, text
from .comparison import compare
from .figures import PICTURES, pictures
from .markdown import markdown
from .options import Plan, plan_of
from .page import page
from .remarks import Remarks, remarks_of
from .runs import table as table_of_runs


def run(arguments: argparse.Namespace) -> int:
    """Run missing trainings and write the results; return 2 for invalid options, 130 after Ctrl-C, 1 if all failed."""
    screen, store, plan = console(), None, None
    try:
        plan = plan_of(arguments)
        store = Store(arguments.out)
        remarks = remarks_of(dict.fromkeys(fit.source for fit in plan.fits))
        for words in (*remarks.read, *remarks.splits):
            say(words, screen)
        for warning in remarks.warnings:
            print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
        supervisor.run(plan.fits, store, screen, time_limit=arguments.time_limit, retry_failed=arguments.retry_failed)
        return write(plan, store, screen, remarks)
    except (TableError, OSError) as error:
        print(f"frameworks: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        kept = "" if plan is None or store is None else _kept(plan, store)
        say(f"Stopped.{kept}", screen)
        return 130


def _kept(plan: Plan, store: Store) -> str:
    done = sum(store.answer(fit) is not None for fit in plan.fits)
    return (
        f" {done} of {len(plan.fits)} trainings are saved in {store.folder}; the same command resumes the comparison."
    )


def write(plan: Plan, store: Store, screen: Console, remarks: Remarks) -> int:
    """Write the runs, the page, the figures and the Markdown table, and print the findings."""
    folder = store.folder
    runs = table_of_runs(plan.fits, store)
    runs.to_csv(folder / "runs.csv", index=False)
    runs.to_parquet(folder / "runs.parquet", index=False)
    comparison = compare(runs)
    facts = environment({})
    for name in PICTURES:  # remove the figures of an earlier call
        (folder / f"{name}.png").unlink(missing_ok=True)
    files: dict[str, Path] = {}
    for name, figure in pictures(comparison).items():
        files[name] = folder / f"{name}.png"
        save(figure, files[name], dpi=160)
    (folder / "report.html").write_text(page(comparison, plan.budget, facts, files, remarks), encoding="utf-8")
    (folder / "table.md").write_text(markdown(comparison, plan.budget, facts, remarks), encoding="utf-8")
    for finding in text.findings(comparison):
        say(f"* {finding}", screen)
    written = ["report.html", "table.md", "runs.csv", "runs.parquet", *(file.name for file in files.values())]
    say(f"Written to {folder}: {', '.join(written)}", screen)
    return 0 if comparison.sets else 1
