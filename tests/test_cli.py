"""The command line: the numbers of the report, exit codes, one-line errors, and nothing half written."""

import gzip
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from numba.core import config
from numpy.testing import assert_allclose

from boosting_losses import metrics
from boosting_losses._cli.commands import commands
from boosting_losses.report import ProbabilityReport

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 3000
    z = rng.normal(-1.0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    p = 1 / (1 + np.exp(-1.3 * z))
    shares = rng.dirichlet(np.ones(3), n)
    of_class = {f"m_{c}": shares[:, k] for k, c in enumerate("abc")}
    kind = np.array(list("abc"))[[rng.choice(3, p=row) for row in shares]]
    return pd.DataFrame({"y": y, "p": p, "q": p**2, "w": rng.random(n), "kind": kind, **of_class})


@pytest.fixture
def files(frame, tmp_path):
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    return tmp_path


def run(folder, *arguments):
    """The command in that folder: exit code, standard output and standard error."""
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = runner.invoke(commands, ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_it_is_the_report(files, frame, name):
    code, out, _ = run(
        files, name, "--label", "y", "--proba", "p", "--proba", "q", "--weight", "w",
        "--html", "r.html", "--plot", "r.svg", "--json", "r.json",
    )  # fmt: skip
    assert code == 0
    report = ProbabilityReport.from_predictions(frame["y"], {"p": frame["p"], "q": frame["q"]}, frame["w"])
    read = json.loads((files / "r.json").read_text())
    for model, written in zip(report.models, read["models"], strict=True):
        assert written["name"] == model.name
        for key, estimate in model.scores.items():
            assert_allclose(list(written["scores"][key].values()), estimate, rtol=1e-9)
            assert f"{estimate.value:.4f}" in out
    assert f"{report.models[1].scores['brier_score'].value:.4f}" in (files / "r.html").read_text()
    assert "<svg" in (files / "r.svg").read_text()
    assert {path.name for path in files.iterdir()} == {"a.csv", "a.parquet", "r.html", "r.svg", "r.json"}


def test_many_classes_and_texts_as_labels(files, frame):
    for name in ("a.csv", "a.parquet"):
        arguments = (name, "--label", "kind", "--classes", "a,b,c", "--proba", "m_a,m_b,m_c", "--json", "r.json")
        assert run(files, *arguments)[0] == 0
        read = json.loads((files / "r.json").read_text())
        codes = frame["kind"].map({"a": 0, "b": 1, "c": 2})
        expected = metrics.log_loss(codes, frame[["m_a", "m_b", "m_c"]])
        assert_allclose(read["models"][0]["scores"]["log_loss"]["value"], expected)
        assert read["models"][0]["name"] == "m"
        assert read["classes"] == ["a", "b", "c"]


def test_other_kinds_of_columns(frame, tmp_path):
    frame = frame.head(200)
    table = pa.table(
        {
            "y": pa.array(frame["y"] == 1),
            "p": pa.array(frame["p"].astype(np.float32)),
            "w": pa.array(frame["y"] + 1, pa.uint8()),
            "kind": pa.array(frame["kind"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    arguments = ("t.parquet", "--label", "y", "--proba", "p", "--weight", "w", "--json", "r.json")
    assert run(tmp_path, *arguments)[0] == 0
    value = json.loads((tmp_path / "r.json").read_text())["models"][0]["scores"]["log_loss"]["value"]
    assert_allclose(value, metrics.log_loss(frame["y"], frame["p"], frame["y"] + 1), rtol=1e-6)
    with gzip.open(tmp_path / "t.csv.gz", "wt", encoding="utf-8") as out:
        frame.to_csv(out, index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    for name in ("t.csv.gz", "t.tsv"):
        assert run(tmp_path, name, "--label", "y", "--proba", "p", "--json", "r.json")[0] == 0
        value = json.loads((tmp_path / "r.json").read_text())["models"][0]["scores"]["log_loss"]["value"]
        assert_allclose(value, metrics.log_loss(frame["y"], frame["p"]))


CONFIG = """
metrics:
  log_loss:
  calibration_error: {norm: 2, n_bins: 10, debiased: false}
eps: 1e-9
bins: {strategy: quantile}
bootstrap: {n_resamples: 50, level: 0.9, seed: 3}
class_weight: balanced
thresholds:
  log_loss: {max: %s}
  calibration_error: {max: 0.5, min: 0.0}
"""


@pytest.mark.parametrize(("most", "code"), [("0.35", 1), ("2.0", 0)])
def test_config_and_thresholds(files, frame, most, code):
    (files / "c.yaml").write_text(CONFIG % most)
    got, _, err = run(files, "a.parquet", "--label", "y", "--proba", "p", "--config", "c.yaml", "--json", "r.json")
    assert got == code
    read = json.loads((files / "r.json").read_text())
    assert read["level"] == 0.9
    y, p = frame["y"].to_numpy(), frame["p"].to_numpy()
    weight = (len(y) / (2 * np.bincount(y)))[y]
    loss = metrics.log_loss(y, p, weight, eps=1e-9)
    error = metrics.calibration_error(y, p, weight, norm=2, n_bins=10, strategy="quantile")
    scores = read["models"][0]["scores"]
    assert_allclose([scores["log_loss"]["value"], scores["calibration_error"]["value"]], [loss, error], rtol=1e-9)
    assert_allclose(read["base_rates"], 0.5)
    assert (f"threshold broken: p: log_loss {loss:.6g} is above 0.35" in err) == bool(code)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics:\n  log_los:\n", "line 2: metrics.log_los must be one of .* an unknown key .did you mean log_loss"),
        ("metrics: [log_loss, auc]", "line 1: metrics must be one of log_loss, .* got 'auc'"),
        ("metrics: []", "line 1: metrics must name at least one score, got none"),
        ("metrics: {log_loss: {norm: 1}}", "metrics.log_loss.norm must not be given, got an unknown key"),
        (
            "metrics:\n  calibration_error:\n    norm: 3",
            "line 3: metrics.calibration_error.norm must be one of 1, 2, max",
        ),
        ("metrics: {calibration_error: {debiased: 1}}", "debiased must be one of True, False, got 1"),
        ("\n\neps: 0.5", "line 3: eps must be a number >= 0 and < 0.5, got 0.5"),
        ("eps: small", "line 1: eps must be a number >= 0 and < 0.5, got 'small'"),
        ("bins: {n_bins: 2.5}", "bins.n_bins must be an integer from 1 to 100000, got 2.5"),
        ("bootstrap: {level: 95}", "bootstrap.level must lie between 0 and 1, got 95"),
        ("bootstrap: 100", "line 1: bootstrap must be a mapping of keys to values, got 100"),
        ("class_weight: inverse", "class_weight must be one of balanced, got 'inverse'"),
        ("thresholds: {d2: {min: 0}}", "thresholds.d2 must be of a score that is computed"),
        ("thresholds: {log_loss: {}}", "thresholds.log_loss must give max, min or both, got neither"),
        ("thresholds:\n  log_loss:\n    max: lots", "line 3: thresholds.log_loss.max must be a number, got 'lots'"),
        ("eps: 0\neps: 0", "line 2: eps must be given once, got it a second time"),
        ("metrics: [log_loss", "line 1: the file must be YAML"),
        ("- a", "line 1: the file must be a mapping of keys to values"),
        ("eps: !foo 1", "line 1: eps must be a value that can be read, got '1'"),
        ("eps: !!int abc", "line 1: eps must be a value that can be read, got 'abc'"),
        (
            "metrics: [log_loss]\nbins: {n_bins: 3}",
            "line 2: bins must be given with calibration_error among the metrics",
        ),
        ("thresholds: {log_loss: {max: .nan}}", "thresholds.log_loss.max must be a number, got nan"),
        ("thresholds: {log_loss: {min: 0.9, max: 0.1}}", "must have a min that is not above its max, got 0.9 and 0.1"),
        ("bootstrap: {n_resamples: 1000000000}", "n_resamples must be an integer from 2 to 100000"),
        (
            "thresholds:\n  log_loss: {max: 1, by: mean}",
            "line 2: thresholds.log_loss.by must be one of value, interval",
        ),
        ("thresholds: {log_loss: {by: interval}}", "thresholds.log_loss must give max, min or both, got neither"),
        ("metrics: {trimmed_log_loss: {trim: 1}}", "trimmed_log_loss.trim must be a number >= 0 and < 1, got 1"),
        (
            "metrics:\n  calibration_error_quantile:\n    q: .nan",
            "line 3: .*quantile.q must be a number from 0 to 1, got nan",
        ),
        ("metrics: {calibration_error_quantile: {trim: 0.1}}", "quantile.trim must be one of q, got an unknown key"),
        ("slices: kind", "line 1: slices must be a list of columns, got 'kind'"),
        ("slices:\n- kind\n- kind", "line 3: slices must name each column once, got 'kind' a second time"),
        ("slices: [[kind]]", "slices must be a name, got .'kind'."),
        ("slices: [kind, '']", "slices must be a name, got ''"),
        ("slices: [y]", "line 1: slices must name another column than that of the labels, got 'y'"),
        ("\ngroups: y", "line 2: groups must name another column than that of the labels, got 'y'"),
        ("groups: [kind]", "groups must be a name, got .'kind'."),
        ("groups: nowhere", "the file must have the column 'nowhere' once"),
        ("decision_thresholds: 0.5", "decision_thresholds must be a list of probabilities, got 0.5"),
        ("decision_thresholds:\n- 0.5\n- 1", "line 3: decision_thresholds must lie between 0 and 1, got 1"),
        ("decision_thresholds: [.nan]", "decision_thresholds must lie between 0 and 1, got nan"),
        ("decision_thresholds: [true]", "decision_thresholds must lie between 0 and 1, got True"),
        ("\nreference: z", "line 2: reference must be one of the models p, got 'z'"),
        ("normalize: 1", "normalize must be one of True, False, got 1"),
        ("slice: [kind]", "slice must be one of .* got an unknown key .did you mean slices"),
    ],
)
def test_a_bad_config_is_named_by_key_and_line(files, text, message):
    (files / "c.yaml").write_text(text)
    code, out, err = run(files, "a.csv", "--label", "y", "--proba", "p", "--config", "c.yaml", "--html", "r.html")
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert re.search(message, line), line
    assert not (files / "r.html").exists()


def test_an_empty_config_is_the_default(files):
    for text in ("", "# nothing\n", "metrics:\nthresholds:\n", "slices:\ngroups:\ndecision_thresholds:\nreference:\n"):
        (files / "c.yaml").write_text(text)
        assert run(files, "a.csv", "--label", "y", "--proba", "p", "--config", "c.yaml")[0] == 0


def spoil(frame, **changes):
    spoilt = frame.head(400).copy()
    for column, (row, value) in changes.items():
        if isinstance(value, str):
            spoilt[column] = spoilt[column].astype(object)
        spoilt.loc[row, column] = value
    return spoilt


BAD = {
    "missing column": (lambda f: f.drop(columns="p"), "the file must have the column 'p' once, got y, q, w"),
    "text": (lambda f: spoil(f, p=(7, "oops")), "'oops'"),
    "text as label": (lambda f: spoil(f, y=(7, "oops")), "'oops'"),
    "outside": (lambda f: spoil(f, p=(300, 1.5)), r"proba must lie in \[0, 1\], got 1.5 in row 300"),
    "infinite": (lambda f: spoil(f, p=(300, np.inf)), r"proba must lie in \[0, 1\], got inf in row 300"),
    "missing value": (lambda f: spoil(f, p=(12, np.nan)), "'p' must have no missing values, got one in row 12"),
    "negative weight": (lambda f: spoil(f, w=(3, -1.0)), "sample_weight must be finite and >= 0, got -1.0 in row 3"),
    "label": (lambda f: spoil(f, y=(3, 2)), r"y_true must lie in \[0, 1\], got 2.0 in row 3"),
    "one class": (lambda f: f[f["y"] == 1], "more than one class to be evaluated, got class 1 only"),
    "empty": (lambda f: f.head(0), "at least one row, got none"),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_files(frame, tmp_path, fault, kind):
    change, message = BAD[fault]
    bad = change(frame)
    if kind == "csv":
        bad.to_csv(tmp_path / "bad.csv", index=False)
    else:
        mixed = [column for column in bad if bad[column].dtype == object]
        bad = bad.astype(dict.fromkeys(mixed, str))
        bad.to_parquet(tmp_path / "bad.parquet")
        if fault == "text":
            message = "must hold numbers, got (large_)?string"
    check_refused(tmp_path, f"bad.{kind}", message, "--label", "y", "--proba", "p", "--weight", "w")


def check_refused(folder, name, message, *arguments):
    before = {path.name for path in folder.iterdir()}
    code, out, err = run(folder, name, *arguments, "--html", "r.html", "--plot", "r.png", "--json", "r.json")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"Error: {name}")
    assert re.search(message, line), line
    assert {path.name for path in folder.iterdir()} == before


def test_broken_files(files):
    whole = (files / "a.parquet").read_bytes()
    (files / "cut.parquet").write_bytes(whole[:-100])
    (files / "hole.parquet").write_bytes(whole[:100] + bytes(len(whole) // 2) + whole[100 + len(whole) // 2 :])
    (files / "no.csv").write_bytes(b"")
    (files / "ragged.csv").write_text("y,p\n0,0.2\n1,0.4,0.6\n")
    (files / "a.xlsx").write_bytes(b"PK")
    columns = ("--label", "y", "--proba", "p")
    check_refused(files, "cut.parquet", "the file must be whole Parquet", *columns)
    check_refused(files, "hole.parquet", "the file (cannot be read|must be whole)", *columns)
    check_refused(files, "no.csv", "the file cannot be read, Empty CSV", *columns)
    check_refused(files, "ragged.csv", "the file cannot be read, .*Expected 2 columns, got 3", *columns)
    check_refused(files, "a.xlsx", "the file must be .csv, .tsv or .parquet, got .xlsx", *columns)
    three = ("--label", "kind", "--classes", "a,b,c")
    check_refused(files, "a.csv", "rows of proba must sum to 1", *three, "--proba", "m_a,m_b,p")
    check_refused(files, "a.csv", "'kind' must hold one of a, x, c, got 'b' in row", "--label", "kind", "--classes", "a,x,c",
                  "--proba", "m_a,m_b,m_c")  # fmt: skip
    check_refused(files, "a.csv", "--classes must name 2 different labels, got a, b, c", *three, "--proba", "p")
    check_refused(files, "a.csv", "--proba must name as many columns", *three, "--proba", "p", "--proba", "m_a,m_b,m_c")


def test_two_columns_are_two_classes(files, frame):
    frame.assign(other=1 - frame["p"]).to_csv(files / "two.csv", index=False)
    for probas in ("p", "other,p"):
        assert run(files, "two.csv", "--label", "y", "--proba", probas, "--json", "r.json")[0] == 0
        read = json.loads((files / "r.json").read_text())
        value = read["models"][0]["scores"]["brier_score"]["value"]
        assert_allclose(value, metrics.brier_score(frame["y"], frame["p"]))
        assert len(read["classes"]) == 2


def test_odd_names_and_labels(frame, tmp_path):
    odd = frame[["y", "p"]].rename(columns={"p": "p, [/b] $\\frac$"}).assign(y=frame["y"] == 1)
    name = odd.columns[1]
    odd.to_csv(tmp_path / "odd.csv", index=False)
    odd.to_parquet(tmp_path / "odd.parquet")
    for file in ("odd.csv", "odd.parquet"):
        for classes in ((), ("--classes", "False,True"), ("--classes", "0,1")):
            arguments = (file, "--label", "y", "--proba", name, *classes, "--json", "r.json", "--html", "r.html")
            code, out, err = run(tmp_path, *arguments)
            assert (code, err) == (0, "")
            assert name in out
            read = json.loads((tmp_path / "r.json").read_text())["models"][0]
            assert read["name"] == name
            assert_allclose(read["scores"]["log_loss"]["value"], metrics.log_loss(frame["y"], frame["p"]))


def test_rows_in_any_order_give_the_same_intervals(frame, tmp_path, monkeypatch):
    """What intervals need to know of the data is found in all of it, not in its first rows."""
    monkeypatch.setattr("boosting_losses._cli.files.ROWS", 500)
    monkeypatch.setattr("boosting_losses._cli.passes.ROWS", 2000)
    found = []
    for rows in (frame, frame.sort_values("p")):
        rows.to_parquet(tmp_path / "rows.parquet")
        assert run(tmp_path, "rows.parquet", "--label", "y", "--proba", "p", "--json", "r.json")[0] == 0
        found.append(json.loads((tmp_path / "r.json").read_text())["models"][0]["scores"])
    for name, estimate in found[0].items():
        width = estimate["high"] - estimate["low"]
        assert_allclose(list(found[1][name].values()), list(estimate.values()), atol=0.35 * width, err_msg=name)


def test_nothing_that_is_read_is_overwritten(files):
    (files / "c.yaml").write_text("eps: 0.0")
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    columns = ("a.csv", "--label", "y", "--proba", "p", "--config", "c.yaml")
    for outputs in (("--json", "a.csv"), ("--html", "./c.yaml"), ("--json", "r.out", "--html", "r.out")):
        code, _, err = run(files, *columns, *outputs)
        assert code == 2
        assert "must not be what is read or another output" in err
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "y", "--proba", "y"), "--label, --proba and --weight must name different columns"),
        (("--label", "y", "--proba", "p", "--weight", "p"), "must name different columns"),
        (("--label", "y", "--proba", "p", "--weight", ""), "must have the column '' once"),
        (("--label", "y", "--proba", "twice"), "must have the column 'twice' once"),
        (("--label", "parts", "--proba", "p", "--classes", "0,1"), "'parts' must hold texts or integers, got list"),
    ],
)
def test_columns_that_cannot_be_meant(tmp_path, arguments, message):
    parts = pa.array([[0]] * 4)
    arrays = [
        pa.array([0, 1, 0, 1]),
        pa.array([0.1, 0.9, 0.2, 0.7]),
        pa.array([1, 2, 3, 4]),
        pa.array([1, 2, 3, 4]),
        parts,
    ]
    pq.write_table(pa.table(arrays, names=["y", "p", "twice", "twice", "parts"]), tmp_path / "t.parquet")
    check_refused(tmp_path, "t.parquet", message, *arguments)


def test_options_that_cannot_be_followed(files):
    columns = ("--label", "y", "--proba", "p")
    code, _, err = run(files, "a.csv", *columns, "--html", "nowhere/r.html")
    assert code == 2
    assert "the folder must exist" in err
    code, _, err = run(files, "a.csv", *columns, "--plot", "r.xyz")
    assert code == 2
    assert "xyz" in err
    assert run(files, "absent.csv", *columns)[0] == 2
    assert run(files, "a.csv", "--label", "y")[0] == 2


def test_the_command_is_installed(files):
    call = "import sys; from boosting_losses._cli import main; sys.argv[0] = 'boosting-losses'; main()"
    options = {"capture_output": True, "text": True, "cwd": files}
    result = subprocess.run([sys.executable, "-c", call, "evaluate", "--help"], check=False, **options)
    assert result.returncode == 0
    assert "--proba" in result.stdout
    without = "import sys; sys.modules['click'] = None; " + call
    result = subprocess.run([sys.executable, "-c", without, "evaluate", "--help"], check=False, **options)
    assert result.returncode == 2
    assert 'needs pip install "boosting-losses[cli]"' in result.stderr
