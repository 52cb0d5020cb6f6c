"""Command that runs random trainings for a given time, and shows every kind of failure once."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter

import click

from .search import work

#: Time limit for one case in seconds, since a library may hang.
_PATIENCE = 180


@click.command()
@click.argument("library", type=click.Choice(["xgboost", "lightgbm", "catboost", "classifier"]))
@click.option("--minutes", default=5.0, show_default=True)
@click.option("--first-seed", default=0, show_default=True)
def main(library: str, minutes: float, first_seed: int) -> None:
    """Search for trainings that violate an invariant."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    start = multiprocessing.get_context("spawn")
    end = time.time() + 60 * minutes
    count: Counter[str] = Counter()
    number = first_seed
    while time.time() < end:
        receiver, sender = start.Pipe(duplex=False)
        process = start.Process(target=work, args=(library, number, end, sender))
        process.start()
        sender.close()
        last = ""
        while True:
            try:
                if not receiver.poll(_PATIENCE):
                    process.kill()
                kind, what, message = receiver.recv()
            except EOFError:
                process.join()
                kind, what, message = "failure", "the process died", f"exit code {process.exitcode}"
            if kind == "case":
                count["trainings"] += 1
                last = what
            elif kind == "failure":
                count[what] += 1
                if count[what] == 1:
                    click.echo(f"{what}\n  {last}\n  {message[:800]}\n")
            if kind == "end" or what == "the process died":
                break
        process.join()
        number += 1
    for kind, times in count.most_common():
        click.echo(f"{times:6d}  {kind}")
    raise SystemExit(1 if len(count) > 1 else 0)


if __name__ == "__main__":
    main()
