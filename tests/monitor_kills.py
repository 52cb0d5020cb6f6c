"""Kill processes that write to the store of a monitor, at random moments, and print what they had reported.

``python -m tests.monitor_kills STORE KILLS [WRITERS]`` imports everything once and forks each writer, so that a hundred kills
take a minute. A writer records batches of 50 rows, labels them, and deletes one row of every fifth batch. It reports on a
pipe what has returned. The result is JSON: the reported batches and deleted ids.
"""

import json
import os
import random
import signal
import sys
import time

import sqlalchemy as sa

from boosting_losses.monitor import Monitor

ROWS = 50


def ids_of(batch):
    return [f"{batch}-{row}" for row in range(ROWS)]


def write(store, first, report):
    """Write batches with the numbers first, first + 1, ... until the process is killed."""
    monitor = Monitor(label_delay="1d", clock=None, store=store)
    for batch in range(first, first + 1_000_000):
        monitor.record(ids_of(batch), [0.5] * ROWS, 0)
        os.write(report, f"b {batch}\n".encode())
        monitor.label(ids_of(batch), [1] * ROWS, 0)
        if batch % 5 == 4:
            monitor.delete([f"{batch}-7"])
            os.write(report, f"d {batch}-7\n".encode())


def started(store, first):
    """Fork a writer, and return its process id and the end of the pipe with its reports."""
    reports, report = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reports)
        try:
            write(store, first, report)
        finally:
            os._exit(1)
    os.close(report)
    return pid, reports


def killed(pid, reports):
    """Kill a writer, and return its reports."""
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"a writer must run until it is killed, got exit status {status}")
    with os.fdopen(reports) as lines:
        return lines.read().splitlines()


def main(store, kills, writers=1):
    longest = 0.4
    if "://" in store:
        sa.create_engine(store)  # imports the driver
        longest = 1.2  # connecting takes half a second
    chance, running, reported, first = random.Random(0), [], [], 0
    for kill in range(kills + writers - 1):
        if kill < kills:
            running.append(started(store, first))
            first += 1_000_000
        time.sleep(chance.uniform(0.0, longest))
        if len(running) == writers or kill >= kills:
            reported += killed(*running.pop(chance.randrange(len(running))))
    batches = [int(line[2:]) for line in reported if line.startswith("b ")]
    print(json.dumps({"batches": batches, "deleted": [line[2:] for line in reported if line.startswith("d ")]}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
