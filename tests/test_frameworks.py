"""The comparison of libraries, losses and calibrations: data, scores, statistics, and that nothing is lost on the way."""

import contextlib
import dataclasses
import datetime as dt
import decimal
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from scipy.stats import t

from benchmarks.__main__ import _parser, main
from benchmarks.frameworks import command, figures, markdown, page, plan, scoring, supervisor, text, worker
from benchmarks.frameworks.comparison import compare
from benchmarks.frameworks.data import Source, from_file, from_openml, made, split
from benchmarks.frameworks.options import plan_of
from benchmarks.frameworks.runs import COSTS, KEYS
from benchmarks.study import TableError, columns, data_sets, intervals, splits, tables
from benchmarks.study.store import Store

ROOT = Path(__file__).parent.parent
QUICK = ("--size", "seconds", "--libraries", "lightgbm", "--losses", "builtin", "--rounds", "3")
FEW = ("--size", "seconds", "--sets", "iris", "--losses", "builtin", "focal")


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "frameworks", *map(str, arguments)])
        code = main()
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def process(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "frameworks", *arguments, "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def scores_of(folder):
    """The final table without what may differ between two runs of the same."""
    return pd.read_parquet(folder / "runs.parquet").drop(columns=list(COSTS))


GRID = ("--size", "seconds", "--gamma", "0.5", "2")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Every library and loss on three sets, trained once for the tests that look at the scores."""
    folder = tmp_path_factory.mktemp("grid")
    done = process(folder, *GRID)
    printed, _ = done.communicate(timeout=600)
    assert done.returncode == 0, printed
    return folder, printed


STORED = ("--size", "seconds", "--gamma", "0.5", "--libraries", "xgboost", "catboost", "--losses", "builtin", "focal")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What the command writes and prints of finished trainings, with scores from nowhere."""
    folder = tmp_path_factory.mktemp("stored")
    arguments = _parser().parse_args(["frameworks", *STORED, "--out", str(folder)])
    counts = {"classes": 2, "train_rows": 50, "inner_rows": 20, "test_rows": 30, "rounds": 3, "peak_mb": None}
    costs = {"fit_seconds": 1.0, "predict_seconds": 0.1, "seconds": 1.0}
    for number, fit in enumerate(plan_of(arguments).fits):
        log_loss = 0.2 + 0.001 * number
        scores = dict.fromkeys(scoring.SCORES, log_loss) | {"base_log_loss": 0.5, "nce": log_loss / 0.5}
        run = {"chosen": None, "calibration_seconds": 0.1, "error": None, **scores}
        runs = [{"calibration": name, **run} for name in scoring.CALIBRATIONS]
        Store(folder).keep(fit, {"error": None, "runs": runs, **counts, **costs})
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(command, "save", lambda _figure, file, **_: file.write_bytes(b"a picture"))
        assert command.run(arguments) == 0
    page, table = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "table.md"))
    return folder, printed.getvalue(), page, table


# ---- the whole way -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_library_loss_and_calibration_has_scores(grid):
    runs = pd.read_parquet(grid[0] / "runs.parquet")
    assert runs["error"].isna().all()
    assert set(runs["library"]) == {"XGBoost", "LightGBM", "CatBoost"}
    assert set(runs["loss"]) == {"builtin", "plain", "weighted", "focal 0.5", "focal 2"}
    assert set(runs["calibration"]) == set(scoring.CALIBRATIONS)
    assert not runs.duplicated(list(KEYS)).any()
    known = [*scoring.SCORES[:-2], "rounds", "fit_seconds", "predict_seconds", "calibration_seconds"]
    assert np.isfinite(runs[known]).all(axis=None)
    assert runs["excess_log_loss"].notna().equals(runs["made"])
    assert (runs["rounds"] <= runs["budget_rounds"]).all()
    assert {"version", "version_python", "version_numba", "budget_depth"} <= set(runs)
    assert len(pd.read_csv(grid[0] / "runs.csv")) == len(runs)
    assert all((grid[0] / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in figures.PICTURES)
    assert "45/45" in grid[1]


@pytest.mark.slow
def test_our_plain_loss_is_the_builtin_one(grid):
    runs = pd.read_parquet(grid[0] / "runs.parquet")
    part = runs[(runs["data"] == "breast cancer") & (runs["calibration"] == "none")]
    losses = part.set_index(["library", "loss"])["log_loss"].unstack()
    np.testing.assert_allclose(losses["plain"], losses["builtin"], rtol=2e-3)
    assert (losses["focal 2"] > 1.05 * losses["builtin"]).all()


def test_the_page_needs_nothing_else_and_the_table_is_markdown(stored):
    _, printed, page, table = stored
    assert page.count("data:image/png;base64,") == 3
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    for word in ("Lowest log loss", "breast cancer", "CatBoost", "focal 0.5", "lowest log loss first"):
        assert word in page
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    assert all(line.endswith(" |") for line in rows)
    assert "Lowest log loss" in printed


def test_of_one_seed_no_set_alone_shows_anything(stored):
    _, printed, page, table = stored
    for words in (printed, page, table):
        assert "One seed: no single set shows a difference" in words
        assert "Intervals are over the 3 sets together; --seeds 5" in words
        assert not re.search(r"better on \d|\d better, \d|A set counts as", words)
    assert "By set, with one seed each and no intervals" in page
    assert "By set, with one seed each and no intervals" in table
    assert "the order on a single set is not evidence of a difference" in page
    assert "of the lowest combination:" in table
    bold = re.findall(r'<td class="(\w*)"><b>', page)
    assert bold
    assert "" not in bold, "bold is what an interval over sets shows"


def test_what_is_finished_is_not_trained_again(stored):
    folder, printed, _, _ = stored
    assert "12 of 12 trainings are already finished" in printed
    runs = pd.read_parquet(folder / "runs.parquet")
    assert len(runs) == 12 * len(scoring.CALIBRATIONS)
    assert runs["log_loss"].max() == pytest.approx(0.211)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(grid, call, tmp_path):
    code, printed = call(
        "--size", "seconds", "--gamma", "2", "--sets", "10 %", "--losses", "builtin", "focal", "--out", tmp_path
    )
    assert code == 0, printed
    again = scores_of(tmp_path)
    first = scores_of(grid[0]).merge(again[list(KEYS)], on=list(KEYS))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_like_an_undisturbed_run(grid, tmp_path):
    """The moments are random, so that each run of this test tries others."""
    arguments = ("--size", "seconds", "--gamma", "0.5", "2", "--sets", "iris")
    for _ in range(3):
        victim = process(tmp_path, *arguments)
        time.sleep(random.uniform(1.0, 5.0))
        victim.kill()
        victim.communicate(timeout=60)
    last = process(tmp_path, *arguments)
    printed, _ = last.communicate(timeout=600)
    assert last.returncode == 0, printed
    undisturbed = scores_of(grid[0])
    undisturbed = undisturbed[undisturbed["data"] == "iris"].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores_of(tmp_path), undisturbed, check_exact=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent another way there")
def test_ctrl_c_leaves_what_is_finished(tmp_path):
    victim = process(tmp_path, *FEW)
    for _ in range(600):
        if list((tmp_path / "fits").glob("*.json")):
            break
        time.sleep(0.1)
    os.kill(victim.pid, signal.SIGINT)
    printed, _ = victim.communicate(timeout=60)
    assert victim.returncode == 130, printed
    assert "the same command resumes the comparison" in printed
    assert "Traceback" not in printed


# ---- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_training_that_fails_is_recorded_and_tried_again_on_request(call, tmp_path):
    limited = (*FEW, "--out", tmp_path)
    # Imports and compilation do not count; no training is as short as this.
    code, printed = call(*limited, "--time-limit", "0.0001")
    assert code == 1
    assert "stopped after the time limit of 0.0001 s" in printed
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert len(runs) == 6
    assert runs["error"].str.contains("time limit").all()
    assert runs["log_loss"].isna().all()
    for name in ("report.html", "table.md"):
        written = (tmp_path / name).read_text(encoding="utf-8")
        assert "6 trainings, of which 6 failed" in written
        assert "iris, seed 0, XGBoost, focal 2: stopped after the time limit" in written
    code, printed = call(*limited)
    assert code == 1, "failed ones are not tried again by themselves"
    assert "6 of them failed, and --retry-failed repeats these" in printed
    code, printed = call(*limited, "--retry-failed", "--libraries", "lightgbm")
    assert code == 0, printed
    assert pd.read_csv(tmp_path / "runs.csv")["error"].isna().all()


@pytest.mark.slow
def test_a_process_that_dies_is_recorded_and_the_others_go_on(call, tmp_path, monkeypatch):
    original = supervisor._Workers._start

    def start(self, library):
        started = original(self, library)
        if library == "lightgbm":
            started.kill()
        return started

    monkeypatch.setattr(supervisor._Workers, "_start", start)
    code, printed = call(*FEW, "--libraries", "lightgbm", "catboost", "--out", tmp_path)
    assert code == 0, printed
    runs = pd.read_csv(tmp_path / "runs.csv")
    failed = runs[runs["error"].notna()]
    assert set(failed["library"]) == {"LightGBM"}
    assert failed["error"].str.contains("killed by signal 9").all()
    assert set(runs[runs["error"].isna()]["loss"]) == {"builtin", "focal 2"}


def test_an_exception_is_recorded_in_words(capsys):
    gone = {"name": "mine", "path": "/gone.csv", "label": "y"}
    request = {"source": gone, "seed": 0, "library": "lightgbm", "loss": "plain", "budget": {}}
    answer = worker.answer(request, set(), lambda: None)
    assert set(answer) == {"error"}
    assert answer["error"].startswith("FileNotFoundError")
    assert "Traceback" in capsys.readouterr().err, "for the log"


def test_a_calibration_that_fails_does_not_take_the_others_with_it(monkeypatch):
    data = data_sets.DataSet(np.zeros((60, 1)), np.arange(60) % 2)
    parts = split(data, 0)
    raw = np.linspace(-1.0, 1.0, len(parts.inner.y)), np.linspace(-1.0, 1.0, len(parts.test.y))
    trained = scoring.Trained(*raw, rounds=1, fit_seconds=0.0, predict_seconds=0.0, peak_bytes=None)

    class Broken:
        def fit(self, *_):
            raise ArithmeticError("no way")

    monkeypatch.setitem(scoring.CALIBRATORS, "beta", Broken)
    runs = {run["calibration"]: run for run in scoring.runs(trained, "builtin", None, parts, 2)}
    assert runs["beta"] == {"calibration": "beta", "error": "ArithmeticError: no way"}
    assert runs["sigmoid"]["error"] is None
    assert np.isfinite(runs["sigmoid"]["log_loss"])


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "3", "{}", '{"error": null}'])
def test_an_answer_that_was_not_written_whole_counts_as_none(tmp_path, content):
    from benchmarks.frameworks.plan import Budget, Fit

    fit = Fit(Source("iris"), 0, "lightgbm", "plain", Budget())
    store = Store(tmp_path)
    (tmp_path / "fits" / f"{fit.key}.json").write_text(content, encoding="utf-8")
    assert store.answer(fit) is None
    store.keep(fit, {"error": None})
    assert store.answer(fit)["error"] is None


# ---- files of the caller's and OpenML's --------------------------------------------------------------------------------


def frame_of_mine(rows=300):
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row number": np.arange(rows),
            "size [m²]": draw.normal(size=rows),
            "kind": draw.choice(["a", "b", None], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 900, rows), unit="D"),
            "is open": draw.integers(0, 2, rows).astype(bool),
            "importance": draw.integers(1, 4, rows),
        }
    )
    frame.loc[::7, "size [m²]"] = np.nan
    frame["outcome"] = np.where(frame["size [m²]"].fillna(0.0) + draw.normal(size=rows) > 0.5, "yes", "no")
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_of_the_callers(call, tmp_path, kind):
    file = tmp_path / f"mine.{kind}"
    frame = frame_of_mine()
    frame.to_csv(file, index=False) if kind == "csv" else frame.to_parquet(file)
    columns = ("--label", "outcome", "--weight", "importance", "--drop", "row number")
    code, printed = call(
        "--data", file, *columns, "--size", "seconds", "--losses", "builtin", "weighted", "--out", tmp_path / "out"
    )
    assert code == 0, printed
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert runs["error"].isna().all()
    assert set(runs["data"]) == {"mine"}
    assert (runs["train_rows"] + runs["inner_rows"] + runs["test_rows"] == 300).all()


TABLE = tables.Table(Path("mine.csv"), "y")


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ([dt.timedelta(days=2), None], 2.0),
        ([decimal.Decimal("1.5"), None], 1.5),
        ([dt.date(1970, 1, 11), None], 10.0),
        (["1970-01-11", None], 10.0),
        (["1970-01-11T12:00:00", "1970-01-11T12:00:00Z"], 10.5),
        (["1970-01-11 12:00:00+02:00", None], 10.0 + 10 / 24),
    ],
)
def test_times_and_decimals_become_numbers(values, number):
    column = tables._feature(TABLE, pd.Series(values, name="x"))
    assert column[0] == pytest.approx(number)
    assert np.isnan(column[1]) == (values[1] is None)


@pytest.mark.slow
def test_what_has_become_categories_is_said(call, tmp_path):
    file = tmp_path / "mine.csv"
    frame_of_mine().astype({"size [m²]": object}).fillna({"size [m²]": "?"}).to_csv(file, index=False)
    _, printed = call("--data", file, "--label", "outcome", *QUICK, "--out", tmp_path / "out")
    assert "mine.csv: 4 columns of numbers or times, categories: size [m²] (258), kind (3)" in printed


def warnings_of(frame, *, time=None, drop=()):
    table = tables.Table(Path("mine.csv"), "y", time=time, drop=drop)
    frame = frame.assign(y=np.arange(len(frame)) % 2)
    return list(columns.warnings_of(table, frame, tables.features_of(table, frame)))


ROWS = 200
DRAW = np.random.default_rng(0)
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(DRAW.integers(0, 900, ROWS), unit="D")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            np.arange(ROWS),
            "200 distinct integers in 200 rows, rising from row to row: it looks like an identifier",
        ),
        (np.cumsum(DRAW.integers(1, 10**6, ROWS)) + 0.0, "rising from row to row: it looks like an identifier"),
        (DRAW.permutation(ROWS) + 7, "200 distinct integers in 200 rows: it looks like an identifier"),
        (2**60 + np.arange(ROWS), "rising from row to row"),
        ([f"p-{i}" for i in DRAW.permutation(ROWS)], "200 categories in 200 rows, nearly one per row"),
        ([f"The customer said, {i} times, that all was well" for i in range(ROWS)], "200 rows of long texts"),
        ([f"p-{i % 80}" for i in range(ROWS)], "becomes 80 categories in 200 rows, with 2.5 rows each"),
        ([f"{i / 7}" if i else "n.a." for i in range(ROWS)], "if 'n.a.' denotes a missing value, leave the cell empty"),
    ],
)
def test_a_column_that_is_no_feature_is_named(values, why):
    (warning,) = warnings_of(pd.DataFrame({"no feature": values, "x": DRAW.normal(size=ROWS)}))
    assert warning.startswith("mine.csv: the column 'no feature' ")
    assert why in warning
    assert "; exclude it with --drop 'no feature'" in warning
    assert not warnings_of(pd.DataFrame({"no feature": values, "x": 0.5 * np.arange(ROWS)}), drop=("no feature",))


def test_a_name_says_what_numbers_are():
    numbers = 10**6 * np.arange(1, ROWS + 1)[::-1]
    assert not warnings_of(pd.DataFrame({"turnover": numbers, "paid": numbers}))
    for name in ("id", "customer_id", "customerID", "Customer Id"):
        assert "looks like an identifier" in warnings_of(pd.DataFrame({name: numbers}))[0]


def test_usual_columns_give_no_warning():
    frame = pd.DataFrame(
        {
            "all different": DRAW.normal(size=ROWS),
            "sorted": np.sort(DRAW.normal(size=ROWS)),
            "mostly missing": np.where(np.arange(ROWS) < 9, 1.0, np.nan),
            "count": DRAW.poisson(3.0, ROWS),
            "amount in cents": DRAW.integers(0, 10_000, ROWS),
            "is open": DRAW.integers(0, 2, ROWS).astype(bool),
            "kind": DRAW.choice(list("abcdefgh"), ROWS),
            "sentence": DRAW.choice(
                ["All was well, and nobody had anything to say.", "It was not as it ought to be."], ROWS
            ),
            "year": DRAW.integers(1990, 2024, ROWS),
            "seldom there": pd.Series([f"note {i}" for i in range(9)]).reindex(range(ROWS)),
        }
    )
    assert warnings_of(frame) == []


def test_constant_columns_are_named_together():
    frame = pd.DataFrame({"one": 1, "none": np.nan, "text": "a", "x": DRAW.normal(size=ROWS)})
    (warning,) = warnings_of(frame)
    assert "the columns 'one', 'none', 'text' are constant" in warning
    assert "exclude them with --drop one none text" in warning


@pytest.mark.parametrize(
    ("name", "values", "iso"),
    [
        ("since", DAYS, True),
        ("since", DAYS.strftime("%Y-%m-%d"), True),
        ("since", DAYS.strftime("%Y%m%d").astype(int), True),
        ("updated_at", (DAYS - pd.Timestamp(0)) // pd.Timedelta(seconds=1), True),
        ("since", DAYS.strftime("%d/%m/%Y"), False),
        ("since", DAYS.strftime("%Y-%m"), False),
    ],
)
def test_a_random_split_beside_a_time_is_said(name, values, iso):
    frame = pd.DataFrame({name: values, "x": DRAW.normal(size=ROWS)})
    (warning,) = warnings_of(frame)
    assert f"the rows are split at random, although the column '{name}' looks like a time" in warning
    assert (
        f"--time {name}{'' if iso else ', once it contains dates such as 2020-01-31,'} tests on the latest rows"
        in warning
    )
    assert f"exclude it with --drop {name}" in warning
    assert not warnings_of(frame, drop=(name,))
    if iso:
        assert not warnings_of(frame, time=name)
        assert not warnings_of(frame.assign(birth=pd.date_range("1950-01-01", periods=ROWS)), time=name)


@pytest.mark.slow
def test_warnings_of_columns_are_on_the_screen_and_on_the_page(capsys, monkeypatch, tmp_path):
    file = tmp_path / "mine.csv"
    frame_of_mine().assign(**{"<name>": [f"p{i}" for i in range(300)]}).to_csv(file, index=False)
    arguments = ("--data", str(file), "--label", "outcome", *QUICK, "--out", str(tmp_path / "out"))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "frameworks", *arguments])
    assert main() == 0
    captured = capsys.readouterr()
    for words in ("the column 'row number' contains", "the column '<name>' becomes", "the rows are split at random"):
        assert words in captured.err
        assert words not in captured.out
        for name in ("report.html", "table.md"):
            written = (tmp_path / "out" / name).read_text(encoding="utf-8")
            assert words in written.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")


def test_columns_of_several_drops_are_dropped(tmp_path, call):
    file = tmp_path / "mine.csv"
    frame_of_mine().to_csv(file, index=False)
    _, printed = call("--data", file, "--label", "outcome", "--drop", "row number", "--drop", "gone", "--out", tmp_path)
    assert "must have the column 'gone'" in printed
    _, printed = call("--data", file, "--label", "outcome", "--drop", "gone", "--drop", "kind", "--out", tmp_path)
    assert "must have the column 'gone'" in printed


def test_labels_of_a_csv_are_text(tmp_path):
    file = tmp_path / "mine.csv"
    labels = ["01", "1", "NA", "None"] * 15
    pd.DataFrame({"x": np.arange(60.0), "y": labels}).to_csv(file, index=False)
    assert tables.read(tables.Table(file, "y")).y.tolist() == labels


def test_a_class_does_not_change_its_name_in_a_long_file(tmp_path):
    """pandas guesses types block by block unless told otherwise; the more columns, the shorter the blocks."""
    codes = ["01", "02"] * 9_500 + ["A1"] * 1_000
    zeros = ",0" * 30
    lines = ["code,y" + "".join(f",x{i}" for i in range(30)), *(f"{code},{code}{zeros}" for code in codes)]
    file = tmp_path / "long.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    data = tables.read(tables.Table(file, "y"))
    assert np.unique(data.y).tolist() == ["01", "02", "A1"]
    assert len(data.X["f0"].cat.categories) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("y,x,y\n0,1,0\n", "got the column 'y' twice"),
        ("x,y\n" + "0,0.12,0\n" * 30, "must be a CSV or Parquet file, got Length of header"),
        ("x,y\n" + "1,0\ninf,1\n" * 30, "the column 'x' must contain finite or missing numbers, got inf in row 1"),
        ("x,y\n" + "1,0\n,\n" * 30, "must have a label in every row, got none in row 1"),
    ],
)
def test_a_csv_that_means_something_else_is_refused(tmp_path, content, message):
    file = tmp_path / "mine.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        tables.read(tables.Table(file, "y"))


def test_columns_of_lists_are_refused(tmp_path):
    file = tmp_path / "mine.parquet"
    pd.DataFrame({"x": [[1, 2]] * 60, "y": np.arange(60) % 2}).to_parquet(file)
    with pytest.raises(TableError, match="the column 'x' must contain scalars, got lists"):
        tables.read(tables.Table(file, "y"))


def test_a_file_that_changes_meanwhile_is_refused(tmp_path):
    file = tmp_path / "mine.csv"
    frame_of_mine().to_csv(file, index=False)
    source = from_file(file, "outcome", None, ())
    frame_of_mine(200).to_csv(file, index=False)
    with pytest.raises(TableError, match="must not change during the comparison"):
        source.load(0)


def test_a_class_without_weight_is_refused():
    weight = np.where(np.arange(60) % 2 == 0, 1.0, 0.0)
    data = data_sets.DataSet(np.zeros((60, 1)), np.array(["a", "b"] * 30), weight=weight)
    with pytest.raises(TableError, match="weight > 0 in every part, got none of 'b'"):
        split(data, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x$^$", "[/old] <script>", "数" * 80], ids=["dollar", "markup", "long"])
def test_names_of_files_are_only_names(call, tmp_path, name):
    file = tmp_path / f"{name.replace('/', '-')}.csv"
    frame_of_mine().to_csv(file, index=False)
    for _ in range(2):
        code, printed = call("--data", file, "--label", "outcome", *QUICK, "--out", tmp_path / "[bold] out")
        assert code == 0, printed
    for written in ("report.html", "table.md"):
        words = (tmp_path / "[bold] out" / written).read_text(encoding="utf-8")
        assert "<script>" not in re.sub("`.*?`", "", words), "but for the command, which is code"


def test_features_of_a_file():
    frame = frame_of_mine()
    columns = {name: tables._feature(TABLE, frame[name]) for name in frame}
    assert columns["is open"].dtype == columns["since"].dtype == np.float64
    assert columns["since"].min() >= 18262  # days from 1970 to 2020
    assert list(columns["kind"].categories) == [tables.MISSING, "a", "b"]
    assert np.isnan(columns["size [m²]"]).sum() == 43


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, ["--label", "y"], r"must have the column 'y', got row number, size"),
        ({}, [], "--data requires --label"),
        ({}, ["--label", "outcome", "--weight", "size [m²]"], "must contain finite weights >= 0, got"),
        ({}, ["--label", "outcome", "--drop", "colour"], "must have the column 'colour'"),
        ({"outcome": "yes"}, ["--label", "outcome"], "must contain at least 2 classes, got 1"),
        ({"outcome": None}, ["--label", "outcome"], "must have a label in every row, got none in row 0"),
        ({}, ["--label", "row number"], "must have at least 12 rows, got 1 of '0'"),
        ({}, ["--label", "outcome", "--weight", "outcome"], "must be in different columns, got 'outcome' for both"),
        ({"importance": 0}, ["--label", "outcome", "--weight", "importance"], "must have a sum > 0, got only zeros"),
    ],
)
def test_a_file_that_will_not_do_is_refused_in_words(call, tmp_path, change, options, message):
    file = tmp_path / "mine.csv"
    frame_of_mine().assign(**change).to_csv(file, index=False)
    code, printed = call("--data", file, *options, "--out", tmp_path / "out")
    assert code == 2
    assert re.search(re.escape(message) if "[" in message else message, printed)
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sets", "moon"], "--sets must match the name of a data set"),
        (["--seeds", "1001"], "--seeds must be at most 1000, got 1001"),
        (["--seeds", "0"], "--seeds must be finite and > 0, got 0"),
        (["--learning-rate", "-1"], "--learning-rate must be finite and > 0, got -1"),
        (["--gamma", "-1"], "--gamma: gamma must be"),
        (["--gamma", "1", "--losses", "plain"], "--gamma requires --losses focal"),
        (["--time-limit", "0"], "--time-limit must be finite and > 0, got 0"),
        (["--time-limit", "inf"], "--time-limit must be finite and > 0, got inf"),
        (["--label", "y"], "require --data, got no file"),
        (["--data", "nothing.csv", "--label", "y"], "must be a CSV or Parquet file, got"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(call, tmp_path, arguments, message):
    code, printed = call(*arguments, "--out", tmp_path / "out")
    assert code == 2
    assert message in printed


def test_files_of_one_name_are_refused(call, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        frame_of_mine().to_csv(tmp_path / folder / "mine.csv", index=False)
    code, printed = call(
        "--data", tmp_path / "a" / "mine.csv", tmp_path / "b" / "mine.csv", "--label", "outcome", "--out", tmp_path
    )
    assert code == 2
    assert "got 'mine' twice" in printed


class _Bunch:
    def __init__(self, frame):
        self.data, self.target = frame.drop(columns="outcome"), frame["outcome"]


def test_a_set_of_openml_is_fetched_once(tmp_path):
    asked = []

    def fetch(**options):
        asked.append(options)
        return _Bunch(frame_of_mine())

    for _ in range(2):
        source = from_openml("credit-g", tmp_path, fetch)
    assert [options["name"] for options in asked] == ["credit-g"]
    assert len(source.load(0).y) == 300
    assert from_openml("31", tmp_path, fetch).name == "31"
    assert asked[1]["data_id"] == 31


def test_without_a_connection_openml_is_an_error_in_words(tmp_path):
    from urllib.error import URLError

    def fetch(**_):
        raise URLError("no route to host")

    with pytest.raises(TableError, match=r"'adult' could not be fetched .*connect once"):
        from_openml("adult", tmp_path, fetch)
    assert not list(tmp_path.iterdir())


# ---- splits by time ----------------------------------------------------------------------------------------------------


def timed(time, classes=2):
    rows = len(time)
    y = DRAW.permutation(np.arange(rows) % classes)
    return data_sets.DataSet(np.arange(rows)[:, None], y, weight=np.arange(1.0, rows + 1), time=np.asarray(time, float))


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("different", [40, 10_000])
def test_no_row_is_trained_on_that_is_later_than_one_tested_on(number, different):
    data = timed(np.random.default_rng(number).integers(0, different, 1000))
    tested, ends = [], []
    for seed in range(number):
        train, inner, test = split(data, seed, number)
        assert train.time.max() < inner.time.min()
        assert inner.time.max() < test.time.min()
        for part in (train, inner, test):
            rows = part.X[:, 0]
            np.testing.assert_array_equal(part.time, data.time[rows])
            np.testing.assert_array_equal(part.y, data.y[rows])
            np.testing.assert_array_equal(part.weight, data.weight[rows])
        assert len(test.y) == pytest.approx(1000 * splits.share(number), abs=40)
        assert len(inner.y) == pytest.approx(0.25 * (len(train.y) + len(inner.y)), abs=40)
        tested += list(test.X[:, 0])
        ends.append(test.time.max())
    assert len(set(tested)) == len(tested), "no row is tested on twice"
    assert ends == sorted(ends, reverse=True)
    assert ends[0] == data.time.max()
    assert len(tested) == pytest.approx(300 if number == 1 else 500, abs=40)


def test_rows_of_one_time_stay_together_or_there_is_no_split():
    with pytest.raises(
        TableError, match="rows in every part, got none to test on for seed 0; rows with the same time stay"
    ):
        split(timed(np.repeat([1, 2, 3], 100)), 0, 5)
    data = timed(np.repeat(np.arange(6), 50))
    late = data_sets.DataSet(data.X, np.where(data.time > 4.0, data.y, 0), time=data.time)
    with pytest.raises(TableError, match="at least 2 rows in every part of a split by time, got 0 of 1 to train on"):
        split(late, 0, 1)


@pytest.mark.slow
def test_a_file_is_split_by_time_on_request(call, tmp_path):
    file = tmp_path / "mine.csv"
    frame_of_mine().to_csv(file, index=False)
    asked = ("--data", file, "--label", "outcome", "--drop", "row number", *QUICK, "--out", tmp_path / "out")
    code, printed = call(*asked, "--time", "since", "--seeds", "2")
    assert code == 0, printed
    assert "at random" not in printed
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert runs["error"].isna().all()
    assert set(runs["time"]) == {"since"}
    sizes = runs.groupby("seed")[["train_rows", "inner_rows", "test_rows"]].first()
    assert sizes.sum(axis=1).tolist() == [300, 300 - sizes["test_rows"][0]]
    page, table = ((tmp_path / "out" / name).read_text(encoding="utf-8") for name in ("report.html", "table.md"))
    for written in (printed, page.replace("&#39;", "'"), table):
        assert "mine is split by time, in the order of 'since', which is not a feature" in written
        assert "seeds differ in the period, not in a random sample of rows" in written
        assert "there are only 2" in written
    assert "gets the same rows, split by time as described above." in page
    assert "stratified" not in page


def test_the_column_of_times_is_no_feature(tmp_path):
    file = tmp_path / "mine.parquet"
    frame_of_mine().to_parquet(file)
    with_it, without = (tables.read(tables.Table(file, "outcome", time=time)) for time in (None, "since"))
    assert without.X.shape[1] == with_it.X.shape[1] - 1
    np.testing.assert_array_equal(without.time, with_it.X["f3"])
    assert with_it.time is None


@pytest.mark.parametrize(
    ("change", "time", "message"),
    [
        ({}, "when", "must have the column 'when'"),
        ({}, "outcome", "times must be in a separate column, got 'outcome' for two uses"),
        ({}, "importance", "times must be in a separate column, got 'importance' for two uses"),
        ({}, "kind", r"the column 'kind' must contain ISO 8601 dates (2020-01-31) or numbers in every row, got "),
        ({"since": "31.1.2020"}, "since", "or numbers in every row, got '31.1.2020' in row 0"),
        ({}, "size [m²]", "the column 'size [m²]' must contain a finite time in every row, got none in row 0"),
        ({}, "is open", "must have rows in every part, got none to stop and calibrate on for seed 0"),
    ],
)
def test_times_that_will_not_do_are_refused_in_words(call, tmp_path, change, time, message):
    file = tmp_path / "mine.csv"
    frame_of_mine().assign(**change).to_csv(file, index=False)
    code, printed = call(
        "--data", file, "--label", "outcome", "--weight", "importance", "--time", time, "--out", tmp_path / "out"
    )
    assert code == 2
    assert message in printed
    assert "Traceback" not in printed


def test_without_times_a_training_keeps_its_name():
    """What earlier versions have stored must be found again."""
    assert Source("mine", path="/a", label="y", digest="1").identity == {"name": "mine", "label": "y", "digest": "1"}
    ordered = Source("mine", path="/a", label="y", digest="1", time="since", periods=5)
    assert {"time": "since", "periods": 5}.items() <= ordered.identity.items()


# ---- data and scores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", made(1))
def test_labels_of_made_sets_are_drawn_from_the_known_probabilities(name):
    data = made(2000)[name](0)
    np.testing.assert_allclose(data.proba.sum(axis=1), 1.0)
    weight = np.ones(len(data.y)) if data.weight is None else data.weight
    for k in range(data.proba.shape[1]):
        p = data.proba[:, k]
        drawn = weight * ((data.y == k) - p)
        if data.weight is None:
            assert abs(drawn.sum()) < 4 * np.sqrt((p * (1 - p)).sum())
        else:  # rows are kept by their labels: only the weights bring the shares back
            assert abs(drawn.sum()) < 4 * np.sqrt((weight**2 * p * (1 - p)).sum())


@pytest.mark.parametrize(("name", "rate"), [("10 %", 0.1), ("1 %", 0.01), ("0.1 %", 0.001)])
def test_made_sets_have_the_share_in_their_name(name, rate):
    data = made(2000)[f"made: {name} positive"](1)
    assert data.proba[:, 1].mean() == pytest.approx(rate)
    assert (data.y == 1).sum() >= tables.LEAST_OF_A_CLASS


def test_the_parts_are_disjoint_stratified_and_the_same_again():
    y = np.repeat(["a", "b", "c"], [400, 200, 40])
    data = data_sets.DataSet(np.arange(640)[:, None], y, weight=np.arange(640.0))
    parts = split(data, 3)
    rows = [part.X[:, 0] for part in parts]
    assert sorted(np.concatenate(rows)) == list(range(640))
    for part in parts:
        assert np.bincount(part.y) / len(part.y) == pytest.approx(np.array([400, 200, 40]) / 640, abs=0.01)
        np.testing.assert_array_equal(part.weight, part.X[:, 0])
    assert all(np.array_equal(one.y, other.y) for one, other in zip(parts, split(data, 3), strict=True))


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_scikit_learn(classes):
    draw = np.random.default_rng(0)
    proba = draw.dirichlet(np.ones(classes), 500)
    truth = draw.dirichlet(np.ones(classes), 500)
    test = data_sets.drawn(np.zeros((500, 1)), truth, draw)
    y, weight = test.y, draw.uniform(0.5, 2.0, 500)
    test = dataclasses.replace(test, weight=weight)
    scores = scoring.scores(test, proba[:, 1] if classes == 2 else proba)
    assert set(scores) == set(scoring.SCORES)
    assert scores["log_loss"] == pytest.approx(sklearn.metrics.log_loss(y, proba, sample_weight=weight))
    shares = np.broadcast_to(np.bincount(y, weight) / weight.sum(), proba.shape)
    assert scores["base_log_loss"] == pytest.approx(sklearn.metrics.log_loss(y, shares, sample_weight=weight))
    assert scores["nce"] == pytest.approx(scores["log_loss"] / scores["base_log_loss"])
    if classes == 2:
        assert scores["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(y, proba[:, 1], sample_weight=weight))
    else:
        assert scores["auc"] == pytest.approx(
            sklearn.metrics.roc_auc_score(np.eye(classes)[y], proba, sample_weight=weight, average="macro")
        )


def test_the_excess_is_the_expected_log_loss_above_the_lowest():
    draw = np.random.default_rng(1)
    truth, proba = draw.dirichlet(np.ones(3), 50), draw.dirichlet(np.ones(3), 50)
    expected = -(truth * np.log(proba)).sum() / 50 + (truth * np.log(truth)).sum() / 50
    test = data_sets.DataSet(np.zeros((50, 1)), np.arange(50) % 3, truth)
    assert scoring.scores(test, proba)["excess_log_loss"] == pytest.approx(expected)
    perfect = scoring.scores(test, truth)
    assert perfect["excess_log_loss"] == pytest.approx(0.0, abs=1e-15)
    assert perfect["proba_error"] == 0.0


# ---- statistics --------------------------------------------------------------------------------------------------------


def runs_of(values, made=False):
    """A table of runs, from ``{(data, seed, library, loss, calibration): log loss}``; base rates have a log loss of 0.5."""
    rows = [dict(zip(KEYS, key, strict=True)) | {"log_loss": value} for key, value in values.items()]
    frame = pd.DataFrame(rows).assign(
        error=None,
        made=made,
        excess_log_loss=np.nan,
        base_log_loss=0.5,
        nce=lambda frame: frame["log_loss"] / 0.5,
        train_rows=50.0,
        inner_rows=20.0,
        test_rows=30.0,
        fit_seconds=1.0,
    )
    return frame.reindex(
        columns=list(
            dict.fromkeys(
                [*frame.columns, *scoring.SCORES, "predict_seconds", "peak_mb", "rounds", "calibration_seconds"]
            )
        )
    )


def test_an_effect_on_one_set_is_students_with_the_correction_for_shared_rows():
    losses = {"builtin": [0.20, 0.22, 0.24], "focal 2": [0.23, 0.24, 0.28]}
    values = {("mine", seed, "XGBoost", loss, "none"): losses[loss][seed] for loss in losses for seed in range(3)}
    points = 100.0 * np.array([0.03, 0.02, 0.04]) / 0.5
    for is_made, shared in ((False, 30 / 70), (True, 0.0)):
        effect = compare(runs_of(values, is_made)).losses["focal 2", "none"]
        reach = t.ppf(0.975, 2) * points.std(ddof=1) * np.sqrt(1 / 3 + shared)
        assert effect.mean.value == pytest.approx(6.0)
        assert (effect.mean.low, effect.mean.high) == pytest.approx((6.0 - reach, 6.0 + reach))
        assert (effect.sets, effect.better, effect.worse) == (1, 0, int(is_made))


def test_where_training_rows_grow_the_interval_is_that_of_the_fewest():
    losses = {"builtin": [0.20, 0.22, 0.24], "plain": [0.23, 0.24, 0.28]}
    runs = runs_of(
        {("mine", seed, "XGBoost", loss, "none"): losses[loss][seed] for loss in losses for seed in range(3)}
    )
    runs["train_rows"] = 50.0 - 10.0 * runs["seed"]
    effect = compare(runs).losses["plain", "none"]
    reach = t.ppf(0.975, 2) * 100.0 * np.std([0.03, 0.02, 0.04], ddof=1) / 0.5 * np.sqrt(1 / 3 + 30 / 50)
    assert effect.mean.high == pytest.approx(6.0 + reach)


FACTS = {"date": "today", "command": "python -m benchmarks", "cpu": "one", "versions": {"python": "3"}}


def test_of_one_seed_and_one_set_nothing_is_shown():
    losses = {"builtin": 0.2, "plain": 0.3, "weighted": 0.1}
    values = {("a", 0, library, loss, "none"): losses[loss] for library in ("XGBoost", "CatBoost") for loss in losses}
    for is_made in (False, True):
        runs = runs_of(values, is_made).assign(classes=2.0)
        runs["excess_log_loss"] = runs["log_loss"] if is_made else np.nan
        comparison = compare(runs)
        assert not comparison.has_intervals
        found = list(text.findings(comparison))
        assert found[0].startswith("One seed: no difference can be distinguished from chance.")
        assert "It is unknown whether the other 5 combinations would be worse on other rows." in found[1]
        assert "The plain loss compared with the uncalibrated builtin loss: uncalibrated +20.0 (no interval)." in found
        budget = plan.Budget()
        written = page.page(comparison, budget, FACTS, {}), markdown.markdown(comparison, budget, FACTS)
        for words in (*written, " ".join(found)):
            assert "One seed: no difference can be distinguished" in words
            assert not re.search(r"due to chance|clearly|best|95 % intervals|<td class=.\w*.><b>|\*\*", words)
        label = figures.losses(comparison).axes[0].get_xlabel()
        assert "one seed: no difference can be distinguished" in label
        assert "interval" not in label


def test_with_several_seeds_nothing_is_said_of_one():
    values = {
        ("a", seed, "XGBoost", loss, "none"): 0.2 + 0.01 * seed for seed in range(2) for loss in ("builtin", "plain")
    }
    comparison = compare(runs_of(values))
    assert comparison.has_intervals
    assert text.unknown(comparison) == ""
    assert "may be due to chance for 1 of the 1 other combinations" in next(text.findings(comparison))
    assert "with 95 % intervals" in figures.losses(comparison).axes[0].get_xlabel()
    mixed = compare(runs_of(values | {("b", 0, "XGBoost", loss, "none"): 0.3 for loss in ("builtin", "plain")}))
    assert text.unknown(mixed) == "Sets with only one finished seed, which show no difference by themselves: b."


def test_a_combination_alone_is_compared_with_none():
    comparison = compare(runs_of({("a", seed, "XGBoost", "builtin", "none"): 0.2 for seed in range(2)}))
    assert "others" not in " ".join(text.findings(comparison))


def test_an_effect_over_sets_takes_sets_for_independent_and_libraries_together():
    added = {("a", "XGBoost"): 0.01, ("a", "CatBoost"): 0.03, ("b", "XGBoost"): -0.01, ("b", "CatBoost"): -0.03}
    values = {}
    for (data, library), more in added.items():
        for seed in range(2):
            values[data, seed, library, "builtin", "none"] = 0.2 + 0.01 * seed
            values[data, seed, library, "plain", "auto"] = 0.2 + 0.01 * seed + more
    comparison = compare(runs_of(values))
    effect = comparison.losses["plain", "auto"]
    assert effect.mean.value == pytest.approx(0.0, abs=1e-12)
    assert effect.mean.high == pytest.approx(t.ppf(0.975, 1) * np.std([4.0, -4.0], ddof=1) / np.sqrt(2))
    assert (effect.sets, effect.judged, effect.better, effect.worse) == (2, 2, 1, 1)
    assert comparison.losses_by_library["CatBoost"]["plain", "auto"].mean.high > effect.mean.high
    assert comparison.libraries["CatBoost"].mean.value == pytest.approx(0.0)


def test_runs_are_compared_only_where_both_are_there():
    values = {("a", seed, "XGBoost", loss, "none"): 0.2 for seed in range(3) for loss in ("builtin", "plain")}
    runs = runs_of(values | {("a", 0, "XGBoost", "plain", "none"): 0.3})
    runs.loc[(runs["seed"] == 0) & (runs["loss"] == "plain"), ["error", "log_loss", "nce"]] = ["broken", np.nan, np.nan]
    comparison = compare(runs)
    assert comparison.losses["plain", "none"].mean.value == 0.0
    assert [one.combination[1] for one in comparison.contenders] == ["builtin"]


def test_an_effect_on_one_of_several_sets_has_no_interval_over_sets():
    values = {(data, seed, "XGBoost", "builtin", "none"): 0.2 for data in ("a", "b") for seed in range(3)}
    values |= {("a", seed, "XGBoost", "builtin", "vector"): 0.3 for seed in range(3)}
    effect = compare(runs_of(values)).losses["builtin", "vector"]
    assert effect.mean.value == pytest.approx(20.0)
    assert effect.mean.low is None
    assert effect.worse == 1


def test_a_loss_without_a_partner_has_no_effect():
    values = {("a", 0, "XGBoost", "builtin", "none"): 0.2, ("a", 1, "XGBoost", "plain", "none"): 0.2}
    comparison = compare(runs_of(values | {("a", 1, "CatBoost", "builtin", "none"): 0.2}))
    assert not comparison.losses
    assert not comparison.libraries


def test_the_reference_is_a_library_that_has_finished():
    values = {
        ("a", seed, library, "builtin", "none"): 0.2 + 0.1 * (library == "CatBoost")
        for seed in range(2)
        for library in ("XGBoost", "LightGBM", "CatBoost")
    }
    runs = runs_of(values)
    runs.loc[runs["library"] == "XGBoost", "error"] = "broken"
    words = " ".join(text.findings(compare(runs)))
    assert "compared with LightGBM: CatBoost +20.0" in words
    runs = runs_of(values)
    runs.loc[(runs["library"] == "XGBoost") & (runs["seed"] == 0), "error"] = "broken"
    comparison = compare(runs)
    assert comparison.reference == "XGBoost"
    assert list(comparison.libraries) == ["LightGBM", "CatBoost"]


def test_the_best_and_those_not_shown_to_be_worse():
    values = {}
    for seed, noise in enumerate((0.0, 0.002, 0.001)):
        for data in ("a", "b"):
            values[data, seed, "XGBoost", "builtin", "none"] = 0.200 + noise
            values[data, seed, "LightGBM", "builtin", "none"] = 0.2001 + (data == "b") * 0.0004 - noise / 2
            values[data, seed, "CatBoost", "builtin", "none"] = 0.3 + noise
    comparison = compare(runs_of(values))
    assert comparison.contenders[-1].combination[0] == "CatBoost"
    assert comparison.contenders[-1].above_best.mean.is_above_zero
    ties = text.indistinct(comparison)
    assert [one.combination[0] for one in ties] == ["XGBoost"]
    assert "may be due to chance for 1 of the 2 other combinations" in next(text.findings(comparison))


def test_where_probabilities_are_known_the_noise_of_labels_is_left_out():
    values = {("a", seed, "XGBoost", loss, "none"): 0.2 for seed in range(2) for loss in ("builtin", "plain")}
    runs = runs_of(values, made=True)
    runs["excess_log_loss"] = [0.01, 0.02, 0.01, 0.02]
    assert compare(runs).losses["plain", "none"].mean.value == pytest.approx(2.0)


def test_of_nothing_there_is_nothing_to_say():
    runs = runs_of({("a", 0, "XGBoost", "builtin", "none"): 0.2})
    runs["error"] = "broken"
    comparison = compare(runs)
    assert not comparison.sets
    assert not comparison.contenders
    assert list(text.findings(comparison)) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (1234.5, "1234"),
        (0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        (-0.5, "-0.500"),
        (1e-9, "1e-09"),
    ],
)
def test_numbers_have_the_digits_that_count(value, shown):
    assert intervals.number(value) == shown


def test_settings_tell_trainings_apart():
    from benchmarks.frameworks.plan import Budget, Fit

    fits = [
        Fit(Source("iris"), 0, "lightgbm", "plain", Budget()),
        Fit(Source("iris"), 1, "lightgbm", "plain", Budget()),
        Fit(Source("iris"), 0, "lightgbm", "plain", Budget(depth=5)),
        Fit(Source("iris"), 0, "lightgbm", "focal 0.25", Budget()),
        Fit(Source("iris"), 0, "lightgbm", plan.focal(2.0000001), Budget()),
        Fit(Source("mine", path="/a", label="y", digest="1"), 0, "lightgbm", "plain", Budget()),
        Fit(Source("mine", path="/a", label="y", digest="2"), 0, "lightgbm", "plain", Budget()),
    ]
    assert len({fit.key for fit in fits}) == len(fits)
    moved = Fit(Source("mine", path="/b", label="y", digest="2"), 0, "lightgbm", "plain", Budget())
    assert moved.key == fits[-1].key
    assert json.dumps(moved.settings)
