"""The parts of training rounds are timed, and extrapolated to more cores by Amdahl's law."""

import numpy as np
import pytest
from scipy.optimize import nnls

from benchmarks import clock, scaling, threads, training_cases, workloads


@pytest.mark.parametrize(
    ("library", "sketch", "parts"),
    [
        ("XGBoost", False, {clock.OBJECTIVE, clock.COPY, clock.LIBRARY}),
        ("XGBoost", True, {clock.OBJECTIVE, clock.SKETCH, clock.COPY, clock.LIBRARY}),
        ("LightGBM", False, {clock.OBJECTIVE, clock.LIBRARY}),
    ],
)
def test_the_clock_sees_every_part_of_every_round(library, sketch, parts):
    if sketch:
        pytest.importorskip("xgboost", minversion="3.2")
    train, builtin = training_cases.pair(training_cases.Case(library, 600, 4, 3, rounds=3, sketch=sketch), threads=1)
    with clock.clock(library) as running:
        builtin()
        train()
        found = running.parts()
    train()  # after the block, calls are not timed
    assert {len(part.seconds) for part in vars(running).values() if part.seconds} == {3}
    assert found.keys() == parts
    assert min(found.values()) > 0.0


def test_the_first_copy_of_the_scores_counts_as_much_as_the_others(monkeypatch):
    running = clock.Clock(
        clock.Stopwatch(first=10.0, seconds=[2.0, 1.0, 1.0]), copy=clock.Stopwatch(first=1.0, seconds=[8.0, 0.4, 0.6])
    )
    monkeypatch.setattr(clock.time, "perf_counter", lambda: 20.0)
    expected = {clock.OBJECTIVE: 4.0, clock.COPY: 1.5, clock.LIBRARY: 10.5 - 5.5}
    assert running.parts() == pytest.approx(expected)
    running.copy.seconds = [8.0]  # of a single round: nothing is known about later ones
    assert running.parts() == {clock.OBJECTIVE: 4.0, clock.LIBRARY: 6.0}


@pytest.mark.parametrize(
    "seconds",
    [{1: 11.0, 2: 7.0}, {1: 11.0, 2: 5.0}, {1: 4.0, 2: 5.0}, {1: 9.0, 2: 6.0, 4: 4.0}, {1: 1.0, 2: 1.1, 8: 0.9}],
)
def test_amdahls_law_is_the_best_fit_without_negative_parts(seconds):
    matrix = np.array([[1.0, 1.0 / n] for n in seconds])
    (serial, parallel), _ = nnls(matrix, np.array(list(seconds.values())))
    law = scaling.Amdahl.fitted(seconds)
    assert (law.serial, law.parallel) == pytest.approx((serial, parallel), abs=1e-12)
    assert law.seconds(8) == pytest.approx(serial + parallel / 8)


def rounds(objective, library):
    return {clock.OBJECTIVE: objective, clock.LIBRARY: library}


def test_shares_at_more_cores_are_those_of_amdahls_law():
    """The objective takes 1 + 2/n seconds, and the library 5 + 92/n."""
    runs = {1: [rounds(3.0, 97.0)] * 6, 2: [rounds(2.0, 51.0)] * 6}
    found = scaling.scaling_table({"a": runs}, [1, 2])
    assert "from 1 thread and 2 threads." in found.title
    assert found.headings == [
        "",
        "1 thread, measured",
        "2 threads, measured",
        "speed-up with 2 threads, measured",
        *(f"{n} cores, extrapolated" for n in scaling.CORES),
    ]
    expected = [100 * (1 + 2 / n) / (6 + 94 / n) for n in (1, 2, *scaling.CORES)]
    cells = [f"{x:.2g} % ({x:.2g} to {x:.2g})" for x in expected]
    assert found.lines == [["a: objective", *cells[:2], "1.50, library 1.90", *cells[2:]]]


def test_one_number_of_threads_assumes_parallel_trees_and_a_serial_objective():
    found = scaling.scaling_table({"a": {2: [rounds(1.0, 99.0)]}}, [2])
    assert "from 2 threads only" in found.title
    assert found.lines == [["a: objective", "1 %", *(f"{100 / (1 + 99 * 2 / n):.2g} %" for n in scaling.CORES)]]


def test_a_measured_number_of_cores_is_not_extrapolated():
    found = scaling.scaling_table({"a": {8: [rounds(1.0, 9.0)], 32: [rounds(1.0, 4.0)]}}, [8, 32])
    assert [heading for heading in found.headings if "extrapolated" in heading] == [
        "16 cores, extrapolated",
        "64 cores, extrapolated",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_every_workload_runs_on_the_fewest_rows(name):
    workloads.WORKLOADS[name](min(threads.FEW_ROWS))()
