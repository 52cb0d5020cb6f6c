"""The benchmarks run, measure equal work and find a regression. No timing is asserted."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core import event

import boosting_losses
from benchmarks import cold_start, compare, imports, numpy_losses, probabilities, training_cases
from benchmarks.__main__ import main
from benchmarks.measure import Bar, Budget, Row, chosen, interleave, interleave_pairs, median_and_interval, one_thread
from benchmarks.report import Output, publish, read
from benchmarks.study import data_sets
from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss

ROOT = Path(__file__).parent.parent


@pytest.fixture
def benchmark_command(monkeypatch, tmp_path):
    """Run a command with ``--json`` and return what it wrote."""

    def run(*arguments):
        path, table = tmp_path / "rows.json", tmp_path / "rows.md"
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments, "--json", str(path), "--markdown", str(table)])
        assert main() == 0
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["rows"]
        lines = len(document["rows"]) + 4 + sum(len(extra["lines"]) + 5 for extra in document["tables"])
        assert table.read_text(encoding="utf-8").count("\n") == lines
        assert list(read(path)[1]) == [row["name"] for row in document["rows"]]
        return document

    return run


@pytest.mark.slow
def test_the_command_line_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "kernels" in result.stdout


@pytest.mark.slow
def test_the_kernels_benchmark_runs(benchmark_command):
    document = benchmark_command("kernels", "--rows", "500", "--repeats", "1", "--memory", "system")
    assert {"python", "numpy", "numba", "llvmlite", "xgboost", "lightgbm", "catboost", "scikit-learn"} == (
        document["environment"]["versions"].keys() - {"boosting-losses"}
    )
    for row in document["rows"]:
        assert row["ours"] > 0
        assert row["reference"] > 0
        assert row["met"] is None or row["bar"] is not None


@pytest.mark.slow
def test_the_training_benchmark_runs(benchmark_command):
    budget = ("--quick", "--scale", "0.01", "--repeats", "1", "--threads", "1", "2")
    document = benchmark_command("training", *budget, "--only", "xgboost 1,000 *K=3")
    case = "XGBoost 1,000 x 20, K=3"
    parts = ("training", "objective", "copy of the scores")
    of_threads = [f"{case}, {threads}: {part}" for threads in ("1 thread", "2 threads") for part in parts]
    assert [row["name"] for row in document["rows"]] == [f"{case}: extra peak memory", *of_threads]
    (extra,) = document["tables"]
    measured = ["1 thread, measured", "2 threads, measured", "speed-up with 2 threads, measured"]
    assert extra["headings"][1:5] == [*measured, "8 cores, extrapolated"]
    assert [line[0] for line in extra["lines"]] == [f"{case}: objective", f"{case}: copy of the scores"]


@pytest.mark.slow
def test_the_threads_benchmark_runs(benchmark_command):
    rows = benchmark_command("threads", "--rows", "2000", "--repeats", "1", "--only", "*raw scores*")["rows"]
    work = "mean loss of raw scores, K = 10"
    many = [f"{work}, 2,000 rows: {what}" for what in ("2 threads", "2 processes", "threads / processes")]
    assert [row["name"] for row in rows] == many + [f"{work}, {n} rows: 2 threads" for n in ("100", "1,000", "10,000")]
    assert rows[2]["figure"] == pytest.approx(rows[0]["figure"] / rows[1]["figure"])
    assert rows[1]["figure"] == pytest.approx(2 * rows[1]["reference"] / rows[1]["ours"], rel=1e-6)


@pytest.mark.slow
def test_the_import_benchmark_runs(benchmark_command):
    rows = benchmark_command("import", "--repeats", "1", "--only", "import")["rows"]
    assert [row["name"] for row in rows] == ["import numpy, numba", "import boosting_losses beyond them"]


@pytest.mark.slow
def test_the_cold_start_benchmark_runs(benchmark_command):
    rows = {
        row["name"]: row for row in benchmark_command("import", "--repeats", "1", "--only", "start LogLoss")["rows"]
    }
    title = "cold start LogLoss: "
    assert rows[f"{title}functions that it compiles"]["figure"] > 10
    of_one = rows[f"{title}compilation of binary.gradient_hessian_of_cross_entropy"]["figure"]
    assert 0.0 < of_one < rows[f"{title}compilation of these"]["figure"]
    assert rows[f"{title}compilation of these"]["figure"] < rows[f"{title}first objective call, cold cache"]["figure"]


def test_seconds_of_a_compilation_are_without_those_of_nested_ones(monkeypatch):
    inner, outer = SimpleNamespace(py_func=imports.run), SimpleNamespace(py_func=compare.run)
    clock = iter((0.0, 1.0, 3.0, 7.0))
    monkeypatch.setattr(cold_start.time, "perf_counter", lambda: next(clock))
    listener = cold_start.Compilations()
    for started, dispatcher in ((True, outer), (True, inner), (False, inner), (False, outer)):
        found = event.Event("numba:compile", event.EventStatus.START, {"dispatcher": dispatcher})
        (listener.on_start if started else listener.on_end)(found)
    assert listener.by_function == {"benchmarks.imports.run": (1, 2.0), "benchmarks.compare.run": (1, 5.0)}


def test_the_longest_compilations_are_listed():
    runs = [{"loops.add": (2, 0.2 * factor), "vector.exp": (1, 0.5 * factor)} for factor in (1.0, 1.1)]
    rows = {row.name: row for row in imports._compilations("cold", runs)}
    assert rows["cold: functions that it compiles"].figure == 3
    assert rows["cold: compilation of these"].figure == pytest.approx(0.735)
    assert list(rows)[2:] == ["cold: compilation of vector.exp", "cold: compilation of loops.add (2 times)"]


@pytest.mark.slow
def test_the_calibration_benchmark_runs(benchmark_command):
    rows = benchmark_command("calibration", "--repeats", "1", "--only", "Platt, n = 100,000")["rows"]
    assert rows[0]["figure"] > 1
    assert abs(rows[1]["figure"]) < 1e-6


@pytest.mark.slow
def test_the_probabilities_benchmark_runs(benchmark_command, tmp_path, monkeypatch):
    few = {
        name: {**data_sets.real(), **data_sets.made()}[name] for name in ("breast cancer", "made: 2 classes, 400 rows")
    }
    monkeypatch.setattr(probabilities, "real", lambda: few)
    monkeypatch.setattr(probabilities, "made", dict)
    file = tmp_path / "mine.csv"
    random = np.random.default_rng(0)
    lines = [f"{random.normal()},{'ab'[i % 2]},{i % 3 == 0:d}" for i in range(60)]
    file.write_text("\n".join(["size,kind,outcome", *lines]), encoding="utf-8")
    asked = ("--seeds", "1", "--rounds", "2", "--data", str(file), "--label", "outcome")
    rows = benchmark_command("probabilities", *asked, "--only", "LightGBM, one model*")["rows"]
    names = [row["name"].rpartition(": ")[2] for row in rows]
    assert {"breast cancer", "mine", "all sets"} <= set(names)
    assert all(np.isfinite(row["figure"]) for row in rows)


@pytest.mark.slow
def test_the_monitoring_benchmark_runs(benchmark_command):
    document = benchmark_command("monitoring", "--years", "1", "--runs", "2", "--rows", "20000", "--jobs", "2")
    names = [row["name"] for row in document["rows"]]
    for start in ("false alarms: right", "delay: slope 0.5, 5 classes", "false alarms: 100", "speed: SQLite, open"):
        assert any(name.startswith(start) for name in names), start


@pytest.mark.slow
def test_the_scale_benchmark_runs(benchmark_command):
    document = benchmark_command("scale", "--rows", "25000", "--partition", "10000", "--threads", "2", "--only", "*e*")
    names = [row["name"] for row in document["rows"]]
    assert "report: 25,000 rows in partitions of 10,000, peak memory of the process" in names
    assert all(row["met"] in (None, True) for row in document["rows"])


def test_differences_are_averaged_before_they_become_per_cent():
    rows = {
        row.name: row for row in probabilities._rows("a", {"x": [(1.0, 2.0), (3.0, 2.0)], "y": [(0.2, 0.1)]}, [(1, 2)])
    }
    assert rows["a: x"].figure == 0.0
    assert rows["a: all sets"].figure == pytest.approx(100 * (0.1 / 3) / (4.1 / 3))
    assert rows["a: all sets, upper end"].figure == rows["a: all sets"].high
    assert rows["a: made sets, error of the probability"].figure == -50.0


def test_a_file_without_the_label_is_refused(tmp_path, monkeypatch, capsys):
    file = tmp_path / "mine.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "probabilities", "--data", str(file), "--label", "y"])
    assert main() == 2
    assert "must have the column 'y', got a, b" in capsys.readouterr().err


@pytest.mark.parametrize("name", data_sets.made())
def test_labels_are_drawn_from_the_known_probabilities(name):
    data = data_sets.made()[name](0)
    for k in range(data.proba.shape[1]):
        drawn = (data.y == k) - data.proba[:, k]
        assert abs(drawn.sum()) < 4 * np.sqrt((data.proba[:, k] * (1 - data.proba[:, k])).sum())
        assert abs((drawn * data.proba[:, k]).sum()) < 4 * np.sqrt((data.proba[:, k] ** 3).sum())


# ---- equal work --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [2.0, 1.5])
def test_numpy_formulas_are_our_binary_losses(gamma):
    random = np.random.default_rng(0)
    y, raw = random.integers(0, 2, 50).astype(float), random.normal(size=50)
    for formula, loss in (
        (numpy_losses.logistic(y, raw), LogLoss()),
        (numpy_losses.focal(y, raw, gamma), FocalLoss(gamma, hessian="exact")),
    ):
        np.testing.assert_allclose(formula, loss.gradient_hessian(y, raw), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gamma", [2.0, 1.5])
def test_numpy_formulas_are_our_softmax_losses(gamma):
    random = np.random.default_rng(0)
    codes, raw = random.integers(0, 4, 50), random.normal(size=(50, 4))
    for (gradient, hessian), loss in (
        (numpy_losses.softmax(codes, raw), SoftmaxCrossEntropy()),
        (numpy_losses.softmax_focal(codes, raw, gamma), SoftmaxFocalLoss(gamma, hessian="exact")),
    ):
        ours = loss.gradient_hessian(codes, raw)
        np.testing.assert_allclose((gradient, hessian / 2), ours, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", ["XGBoost", "LightGBM", "CatBoost"])
@pytest.mark.parametrize("classes", [2, 3])
def test_both_sides_train_the_same_model(library, classes):
    case = training_cases.Case(library, rows=600, features=4, classes=classes, rounds=3)
    train_ours, train_builtin = training_cases.pair(case, threads=1)
    ours, builtin = train_ours(), train_builtin()
    X, _ = training_cases.rows_of(case)
    if library == "XGBoost":
        import xgboost as xgb

        scores = [model.predict(xgb.DMatrix(X), output_margin=True) for model in (ours, builtin)]
    elif library == "LightGBM":
        scores = [model.predict(X, raw_score=True) for model in (ours, builtin)]
        if classes > 2:  # its own intercept is the logarithm of the shares: the same but for a constant
            scores = [score - score.mean(axis=1, keepdims=True) for score in scores]
    else:
        scores = [model.predict(X, prediction_type="RawFormulaVal") for model in (ours, builtin)]
    np.testing.assert_allclose(*scores, atol=1e-4)


# ---- measuring and comparing -------------------------------------------------------------------------------------------


def test_benchmarks_on_one_thread_limit_this_package():
    with boosting_losses.num_threads(2):
        with one_thread():
            assert boosting_losses.get_num_threads() == 1
        assert boosting_losses.get_num_threads() == 2


def test_pairs_take_turns():
    order = []
    pairs = [
        (lambda: order.append("A"), lambda: order.append("B")),
        (lambda: order.append("C"), lambda: order.append("D")),
    ]
    first, second = interleave_pairs(pairs, Budget(seconds=0.0, repeats=2))
    assert "".join(order) == "ABCD" + "ABBACDDC" * 2
    assert len(first.ours) == len(second.ours) == 2


def test_blocks_take_turns():
    order = []
    timings = interleave(lambda: order.append("A"), lambda: order.append("B"), Budget(seconds=0.0, repeats=2))
    assert "".join(order) == "AB" + "ABBA" * 2
    assert len(timings.speed_ups()) == 2


@pytest.mark.parametrize(("count", "first"), [(6, 0), (8, 0), (9, 1), (20, 5), (100, 39)])
def test_the_interval_is_that_of_order_statistics(count, first):
    """Ranks as in tables of the sign test's confidence interval, here counted from 0."""
    middle, low, high = median_and_interval(range(1, count + 1))
    assert (middle, low, high) == ((count + 1) / 2, first + 1, count - first)


def test_few_figures_have_a_wide_interval_and_one_has_none():
    middle, low, high = median_and_interval([1.0, 1.1, 1.2])
    assert low < 1.0 < middle < 1.2 < high
    assert median_and_interval([1.5]) == (1.5, None, None)


def test_only_chooses_by_a_part_of_the_name():
    names = ["softmax K=3 float32", "softmax K=10 float32", "logistic float32"]
    assert chosen(names, str, "SOFTMAX*k=10") == names[1:2]
    assert chosen(names, str, None) == names


def speed_up(name, figure, reach=0.01):
    return Row(name, "speed-up", figure, figure - reach, figure + reach, bar=Bar(1.0))


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (speed_up("a", 4.0), 1),
        (speed_up("a", 6.0), 0),
        (speed_up("a", 4.8), 0),  # below the threshold
        (speed_up("a", 4.0, reach=1.5), 0),  # may be chance
        (speed_up("b", 1.0), 0),  # nothing to compare with
    ],
)
def test_compare_finds_a_regression(tmp_path, capsys, new, code):
    files = tmp_path / "old.json", tmp_path / "new.json"
    for path, row in zip(files, (speed_up("a", 5.0), new), strict=True):
        publish([row], Output(settings={"rows": row.figure}, json=path))
    capsys.readouterr()
    assert compare.run(argparse.Namespace(old=files[0], new=files[1], threshold=0.1)) == code
    shown = capsys.readouterr().out
    assert ("WORSE" in shown) == bool(code)
    assert ("only in old" in shown) == (new.name == "b")
    assert f"rows 5.0 and {new.figure}" in shown


def test_compare_knows_figures_that_should_be_small():
    old, new = (Row("a", "seconds", value, value, value, higher_is_better=False) for value in (1.0, 2.0))
    assert compare.is_regression(old, new, 0.1)
    assert not compare.is_regression(new, old, 0.1)


def test_compare_refuses_another_file(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="must be a file written with --json"):
        read(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Parameter (n_jobs|num_threads) will be ignored")
def test_the_cluster_benchmark_runs(benchmark_command):
    document = benchmark_command("dask", "--rows", "2000", "--repeats", "1", "--only", "*binary*")
    assert [row["name"].split()[0] for row in document["rows"]] == ["XGBoost", "LightGBM"]
