"""The command line: the numbers of the report, exit codes, one-line errors, and nothing half written."""

import gzip
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numba.core import config
from numpy.testing import assert_allclose

from boosting_losses import metrics
from boosting_losses._cli import main
from boosting_losses.report import ProbabilityReport

from .command_line import COLUMNS, FAST, check_refused, report, run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 400
    z = rng.normal(-1.0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    p = (1 / (1 + np.exp(-1.3 * z))).round(2).clip(0.01, 0.99)
    shares = rng.dirichlet(np.ones(3), n)
    of_class = {f"m_{c}": shares[:, k] for k, c in enumerate("abc")}
    kind = np.array(list("abc"))[[rng.choice(3, p=row) for row in shares]]
    return pd.DataFrame({"y": y, "p": p, "q": p**2, "w": rng.random(n), "kind": kind, **of_class})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def files(frame, here):
    frame.to_csv("a.csv", index=False)
    frame.to_parquet("a.parquet")


def log_loss(*arguments):
    return report(*arguments)["models"][0]["scores"]["log_loss"]["value"]


def test_it_is_the_report(files, frame):
    outputs = ("--html", "r.html", "--json", "r.json")
    code, out, _ = run("a.csv", *COLUMNS, "--weight", "w", *outputs)
    assert code == 0
    wanted = ProbabilityReport.from_predictions(frame["y"], {"p": frame["p"]}, frame["w"])
    written = json.loads(Path("r.json").read_text())
    for model, found in zip(wanted.models, written["models"], strict=True):
        assert found["name"] == model.name
        for key, estimate in model.scores.items():
            assert_allclose(list(found["scores"][key].values()), estimate, rtol=1e-9)
            assert f"{estimate.value:.4f}" in out
    assert f"{wanted.models[0].scores['brier_score'].value:.4f}" in Path("r.html").read_text()
    assert {path.name for path in Path.cwd().iterdir()} == {"a.csv", "a.parquet", "r.html", "r.json"}


def test_many_classes_and_texts_as_labels(files, frame):
    codes = frame["kind"].map({"a": 0, "b": 1, "c": 2})
    for name in ("a.csv", "a.parquet"):
        read = report(name, "--label", "kind", "--classes", "a,b,c", "--proba", "m_a,m_b,m_c")
        (model,) = read["models"]
        assert_allclose(model["scores"]["log_loss"]["value"], metrics.log_loss(codes, frame[["m_a", "m_b", "m_c"]]))
        assert model["name"] == "m"
        assert read["classes"] == ["a", "b", "c"]


def test_other_kinds_of_columns(frame):
    columns = {
        "y": pa.array(frame["y"] == 1),
        "p": pa.array(frame["p"].astype(np.float32)),
        "w": pa.array(frame["y"] + 1, pa.uint8()),
        "kind": pa.array(frame["kind"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), "t.parquet")
    weighted = metrics.log_loss(frame["y"], frame["p"], frame["y"] + 1)
    assert_allclose(log_loss("t.parquet", *COLUMNS, "--weight", "w"), weighted, rtol=1e-6)
    with gzip.open("t.csv.gz", "wt", encoding="utf-8") as out:
        frame.to_csv(out, index=False)
    frame.to_csv("t.tsv", index=False, sep="\t")
    for name in ("t.csv.gz", "t.tsv"):
        assert_allclose(log_loss(name, *COLUMNS), metrics.log_loss(frame["y"], frame["p"]))


def spoil(frame, **changes):
    spoilt = frame.copy()
    for column, (row, value) in changes.items():
        if isinstance(value, str):
            spoilt[column] = spoilt[column].astype(object)
        spoilt.loc[row, column] = value
    return spoilt


BAD = {
    "missing column": (lambda f: f.drop(columns="p"), "the file must contain the column 'p' exactly once, got y, q, w"),
    "text": (lambda f: spoil(f, p=(7, "oops")), "'oops'"),
    "text as label": (lambda f: spoil(f, y=(7, "oops")), "'oops'"),
    "outside": (lambda f: spoil(f, p=(300, 1.5)), r"proba must lie in \[0, 1\], got 1.5 in row 300"),
    "infinite": (lambda f: spoil(f, p=(300, np.inf)), r"proba must lie in \[0, 1\], got inf in row 300"),
    "missing value": (lambda f: spoil(f, p=(12, np.nan)), "'p' must have no missing values, got one in row 12"),
    "negative weight": (lambda f: spoil(f, w=(3, -1.0)), "sample_weight must be finite and >= 0, got -1.0 in row 3"),
    "label": (lambda f: spoil(f, y=(3, 2)), r"y_true must lie in \[0, 1\], got 2.0 in row 3"),
    "one class": (lambda f: f[f["y"] == 1], "y_true must contain more than one class, got class 1 only"),
    "empty": (lambda f: f.head(0), "at least one row, got none"),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_files(frame, fault, kind):
    change, message = BAD[fault]
    bad = change(frame)
    if kind == "csv":
        bad.to_csv("bad.csv", index=False)
    else:
        bad.astype({column: str for column in bad if bad[column].dtype == object}).to_parquet("bad.parquet")
        if fault == "text":
            message = "must hold numbers, got (large_)?string"
    check_refused(f"^Error: bad.{kind}.*{message}", f"bad.{kind}", *COLUMNS, "--weight", "w")


def test_broken_files(files):
    whole = Path("a.parquet").read_bytes()
    Path("cut.parquet").write_bytes(whole[:-100])
    Path("hole.parquet").write_bytes(whole[:100] + bytes(len(whole) // 2) + whole[100 + len(whole) // 2 :])
    Path("no.csv").write_bytes(b"")
    Path("ragged.csv").write_text("y,p\n0,0.2\n1,0.4,0.6\n")
    Path("a.xlsx").write_bytes(b"PK")
    for name, message in (
        ("cut.parquet", "the file must be complete Parquet"),
        ("hole.parquet", "the file (cannot be read|must be complete)"),
        ("no.csv", "the file cannot be read, Empty CSV"),
        ("ragged.csv", "the file cannot be read, .*Expected 2 columns, got 3"),
        ("a.xlsx", "the file must be .csv, .tsv or .parquet, got .xlsx"),
    ):
        check_refused(f"^Error: {name}: {message}", name, *COLUMNS)


@pytest.mark.parametrize(
    ("classes", "probas", "message"),
    [
        ("a,b,c", ["m_a,m_b,p"], "rows of proba must sum to 1"),
        ("a,x,c", ["m_a,m_b,m_c"], "'kind' must hold one of a, x, c, got 'b' in row"),
        ("a,b,c", ["p"], "--classes must name 2 different labels, got a, b, c"),
        ("a,b,c", ["p", "m_a,m_b,m_c"], "--proba must name the same number of columns"),
    ],
)
def test_classes_that_do_not_fit(files, classes, probas, message):
    options = [part for proba in probas for part in ("--proba", proba)]
    check_refused(f"^Error: a.csv: .*{message}", "a.csv", "--label", "kind", "--classes", classes, *options)


def test_two_columns_are_two_classes(frame):
    frame.assign(other=1 - frame["p"]).to_csv("two.csv", index=False)
    read = report("two.csv", "--label", "y", "--proba", "other,p")
    assert_allclose(read["models"][0]["scores"]["log_loss"]["value"], metrics.log_loss(frame["y"], frame["p"]))
    assert len(read["classes"]) == 2


def test_odd_names_and_labels(frame):
    name = "p, [/b] $\\frac$"
    odd = pd.DataFrame({"y": frame["y"] == 1, name: frame["p"]}).head(100)
    odd.to_csv("odd.csv", index=False)
    odd.to_parquet("odd.parquet")
    wanted = metrics.log_loss(odd["y"], odd[name])
    for file, classes in itertools.product(("odd.csv", "odd.parquet"), ("False,True", "0,1")):
        (model,) = report(file, "--label", "y", "--proba", name, "--classes", classes)["models"]
        assert model["name"] == name
        assert_allclose(model["scores"]["log_loss"]["value"], wanted)
    Path("c.yaml").write_text(FAST)
    code, out, err = run("odd.csv", "--label", "y", "--proba", name, "--config", "c.yaml", "--plot", "r.svg")
    assert (code, err) == (0, "")
    assert name in out
    assert "<svg" in Path("r.svg").read_text()


def test_rows_in_any_order_give_the_same_intervals(frame, monkeypatch):
    """What intervals need to know of the data is found in all of it, not in its first rows."""
    monkeypatch.setattr("boosting_losses._cli.files.ROWS", 50)
    monkeypatch.setattr("boosting_losses._cli.passes.ROWS", 200)
    found = []
    for rows in (frame, frame.sort_values("p")):
        rows.to_parquet("rows.parquet")
        found.append(report("rows.parquet", *COLUMNS, config="bootstrap: {n_resamples: 200}")["models"][0]["scores"])
    for name, estimate in found[0].items():
        width = estimate["high"] - estimate["low"]
        assert_allclose(list(found[1][name].values()), list(estimate.values()), atol=0.35 * width, err_msg=name)


def test_nothing_that_is_read_is_overwritten(files):
    Path("c.yaml").write_text("eps: 0.0")
    before = {path.name: path.read_bytes() for path in Path.cwd().iterdir()}
    for outputs in (("--json", "a.csv"), ("--html", "./c.yaml"), ("--json", "r.out", "--html", "r.out")):
        code, _, err = run("a.csv", *COLUMNS, "--config", "c.yaml", *outputs)
        assert code == 2
        assert "must be neither an input nor another output" in err
    assert {path.name: path.read_bytes() for path in Path.cwd().iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "y", "--proba", "y"), "--label, --proba and --weight must name different columns"),
        (("--label", "y", "--proba", "p", "--weight", "p"), "must name different columns"),
        (("--label", "y", "--proba", "p", "--weight", ""), "must contain the column '' exactly once"),
        (("--label", "y", "--proba", "twice"), "must contain the column 'twice' exactly once"),
        (("--label", "parts", "--proba", "p", "--classes", "0,1"), "'parts' must hold texts or integers, got list"),
    ],
)
def test_columns_that_cannot_be_meant(arguments, message):
    arrays = [pa.array(values) for values in ([0, 1, 0], [0.1, 0.9, 0.2], [1, 2, 3], [1, 2, 3], [[0]] * 3)]
    pq.write_table(pa.table(arrays, names=["y", "p", "twice", "twice", "parts"]), "t.parquet")
    check_refused(f"^Error: t.parquet: .*{message}", "t.parquet", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.csv", *COLUMNS, "--html", "nowhere/r.html"), "the output folder must exist"),
        (("a.csv", *COLUMNS, "--plot", "r.xyz"), "xyz"),
        (("absent.csv", *COLUMNS), "absent.csv"),
        (("a.csv", "--label", "y"), "--proba"),
    ],
)
def test_options_that_cannot_be_followed(files, arguments, message):
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err


def test_every_command_and_option_has_a_help():
    code, out, _ = run("--help", command="evaluate")
    assert code == 0
    for option in (
        "--slice COLUMN",
        "--groups COLUMN",
        "--threshold P",
        "--costs FP:FN",
        "--reference NAME",
        "--config PATH",
    ):
        assert option in out
    assert "Sort large files" in " ".join(out.split())
    assert "--library" in run("--help", command="warmup")[1]


@pytest.mark.slow
def test_the_command_runs_as_a_module():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "boosting_losses", "--help"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert result.returncode == 0
    assert "evaluate" in result.stdout


def test_what_is_missing_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "boosting_losses._cli.commands", None)
    monkeypatch.delattr("boosting_losses._cli.commands", raising=False)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert 'requires pip install "boosting-losses[cli]"' in capsys.readouterr().err
