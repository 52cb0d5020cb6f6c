"""The evaluation file of documents: its metrics, its baseline and its calibration, compared with scikit-learn."""

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from numba.core import config
from numpy.testing import assert_allclose
from scipy.special import logit, softmax
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.class_weight import compute_sample_weight

from boosting_losses import calibration
from boosting_losses._cli import config as configuration
from boosting_losses._cli.calibration_config import METHODS
from boosting_losses._cli.yaml_file import ConfigError
from boosting_losses.metrics import balanced_log_loss, confidence_interval

from .command_line import COLUMNS, DOCUMENT, FAST, check_refused, run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

PAGE = Path(__file__).parent.parent / "docs" / "reports.md"
CALIBRATED = "p, isotonic (cross-fitted)"
#: No score of the rows below is that far above the baseline.
LENIENT = DOCUMENT.replace("0.35", "9.0")
BALANCED = FAST.replace("[log_loss]", "{log_loss: {sample_weight_by: inverse_class_frequency}}")
THREE = ("--label", "k", "--proba", "m_0,m_1,m_2")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(n=500, seed=0):
    """Overconfident probabilities of two and of three classes, some exactly 0, with weights, groups and slices."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.5, 1.5, n)
    three = rng.normal([1.0, 0.0, -0.5], 1.0, (n, 3))
    frame = pd.DataFrame(softmax(2.0 * three, axis=1), columns=["m_0", "m_1", "m_2"])
    y = rng.random(n) < 1 / (1 + np.exp(-z))
    return frame.assign(
        y=y.astype(int),
        k=[rng.choice(3, p=row) for row in softmax(three, axis=1)],
        p=np.where((z < -3.0) & ~y, 0.0, 1 / (1 + np.exp(-2.0 * z))),
        q=1 / (1 + np.exp(-0.5 * z)),
        w=rng.random(n) * (rng.random(n) < 0.9),
        who=[f"ü{i:03d}" for i in rng.integers(0, n // 5, n)],
        area=rng.choice(["north", "south"], n),
    )


def evaluated(frame, *arguments, text=LENIENT, source="rows.parquet"):
    """The report, which conforms to its schema, with the exit code and standard error."""
    stdin = None
    if source == "-":
        stdin = frame.to_csv(index=False).encode()
    else:
        frame.to_parquet(source) if source.endswith("parquet") else frame.to_csv(source, index=False)
    Path("evaluation.yaml").write_text(text, encoding="utf-8")
    code, _, err = run(source, *(arguments or COLUMNS), "--config", "evaluation.yaml", "--json", "r.json", stdin=stdin)
    assert code in (0, 1), err
    written = json.loads(Path("r.json").read_text(encoding="utf-8"))
    schema = json.loads((resources.files("boosting_losses.report") / "schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(written, schema)
    return written, code, err


def read(text):
    Path("c.yaml").write_text(text, encoding="utf-8")
    return configuration.read(Path("c.yaml"))


def values(written, model=0):
    return {name: estimate["value"] for name, estimate in written["models"][model]["scores"].items()}


def balanced(y, proba, weight=None):
    """Scikit-learn's log loss with balanced weights."""
    weight = np.ones(len(y)) if weight is None else np.asarray(weight)
    of_class = compute_sample_weight("balanced", y) * np.bincount(y)[y] / np.bincount(y, weights=weight)[y]
    return log_loss(y, np.clip(proba, 1e-15, 1 - 1e-15), sample_weight=weight * of_class)


def ece(hits, proba, n_bins=15):
    cells = np.clip(np.ceil(proba * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(cells, weights=hits - proba, minlength=n_bins)
    return np.abs(gaps).sum() / len(proba)


# ---- the whole file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["rows.parquet", "rows.csv", "-"])
def test_the_file_as_it_is_printed(source):
    frame = rows()
    written, code, err = evaluated(frame, text=DOCUMENT, source=source)
    y, p = frame["y"].to_numpy(), frame["p"].to_numpy()
    scores = values(written)
    assert list(scores) == ["balanced_log_loss", "brier_score", "calibration_error"]
    assert (written["primary"], written["eps"]) == ("balanced_log_loss", 1e-15)
    assert_allclose(scores["balanced_log_loss"], balanced(y, p), rtol=1e-9)
    assert_allclose(scores["brier_score"], brier_score_loss(y, p), rtol=1e-9)
    assert_allclose(scores["calibration_error"], ece(y, p), rtol=1e-9)
    for model in written["models"]:
        for name in ("balanced_log_loss", "brier_score"):
            estimate = model["scores"][name]
            assert estimate["low"] < estimate["value"] < estimate["high"]
        assert model["scores"]["calibration_error"]["low"] is None
    assert [model["name"] for model in written["models"]] == ["p", CALIBRATED]
    assert [(pair["model"], pair["minus"]) for pair in written["differences"]] == [(CALIBRATED, "p")]
    assert code == 1
    (line,) = err.splitlines()
    assert re.fullmatch(
        rf"threshold violated: p: balanced_log_loss {scores['balanced_log_loss']:.6g} is above 0\.4025, the baseline of"
        r" 0\.35 plus 15 %, on 500 rows",
        line,
    )


def test_the_page_prints_the_same_file():
    assert f"```yaml\n{DOCUMENT}```" in PAGE.read_text(encoding="utf-8")


def test_the_wrapped_and_the_flat_file_are_the_same():
    flat = re.sub("^  ", "", DOCUMENT.removeprefix("evaluation:\n"), flags=re.MULTILINE)
    assert read(flat).model_dump() == read(DOCUMENT).model_dump()
    assert read(flat).settings == read(DOCUMENT).settings
    rule = read(flat).monitoring.rule()
    assert (rule.baseline, rule.rolling_window) == (0.35, 5000)
    assert_allclose(rule.limit, 0.4025)
    for text in ("evaluation:\n", ""):
        assert read(text).model_dump() == configuration.Evaluation().model_dump()


def test_all_outputs_show_the_primary_score_first():
    rows().to_csv("a.csv", index=False)
    text = LENIENT.replace("primary_metric: log_loss", "primary_metric: brier_score_loss")
    Path("c.yaml").write_text(text)
    outputs = ("--html", "r.html", "--plot", "r.svg", "--json", "r.json")
    code, out, err = run("a.csv", *COLUMNS, "--proba", "q", "--slice", "area", "--config", "c.yaml", *outputs)
    assert (code, err) == (0, "")
    page = Path("r.html").read_text(encoding="utf-8")
    for shown in (out, page):
        assert 0 < shown.index("Brier score") < shown.index("balanced log loss")
        assert "q, isotonic (cross-fitted) minus q" in shown
    assert "Differences in Brier score" in page
    written = json.loads(Path("r.json").read_text())
    assert written["primary"] == next(iter(written["models"][0]["scores"])) == "brier_score"


# ---- the balanced log loss ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [(), ("--groups", "who")])
def test_classes_are_balanced_for_the_log_loss_only(groups):
    frame = rows()
    options = ("--proba", "q", "--weight", "w", "--slice", "area", *groups)
    text = BALANCED.replace("}}", "}, brier_score: }").replace("resamples: 2", "resamples: 50") + "eps: 1e-15\n"
    written, code, _ = evaluated(frame, *COLUMNS, *options, text=text)
    assert code == 0
    some = frame[frame["w"] > 0]
    for m, name in enumerate(("p", "q")):
        data = some["y"].to_numpy(), some[name].to_numpy(), some["w"].to_numpy()
        assert_allclose(values(written, m)["balanced_log_loss"], balanced(*data), rtol=1e-9)
        plain = brier_score_loss(data[0], data[1], sample_weight=data[2])
        assert_allclose(values(written, m)["brier_score"], plain, rtol=1e-9)
        for row in written["models"][m]["slices"][0]["rows"]:
            part = some[some["area"] == row["value"]]
            estimate = row["balanced_log_loss"]
            assert_allclose(estimate["value"], balanced(part["y"].to_numpy(), part[name], part["w"]), rtol=1e-9)
            assert estimate["low"] < estimate["value"] < estimate["high"]
    difference = written["differences"][0]["scores"]["balanced_log_loss"]
    first, second = (values(written, m)["balanced_log_loss"] for m in (1, 0))
    assert_allclose(difference["value"], first - second, rtol=1e-9)
    assert_allclose(written["models"][0]["class_loss"], values_by_class(some), rtol=1e-9)


def values_by_class(frame):
    parts = [frame[frame["y"] == label] for label in (0, 1)]
    return [
        log_loss(part["y"], part["p"].clip(1e-15, 1 - 1e-15), sample_weight=part["w"], labels=[0, 1]) for part in parts
    ]


def test_three_classes():
    frame = rows()
    written, code, err = evaluated(frame, *THREE, "--weight", "w", "--slice", "area")
    assert (code, err) == (0, "")
    some = frame[frame["w"] > 0]
    k, proba, w = some["k"].to_numpy(), some[["m_0", "m_1", "m_2"]].to_numpy(), some["w"].to_numpy()
    assert_allclose(values(written)["balanced_log_loss"], balanced(k, proba, w), rtol=1e-9)
    squares = ((np.eye(3)[k] - proba) ** 2).sum(axis=1)
    assert_allclose(values(written)["brier_score"], np.average(squares, weights=w), rtol=1e-9)
    south = some[some["area"] == "south"]
    expected = balanced(south["k"].to_numpy(), south[["m_0", "m_1", "m_2"]].to_numpy(), south["w"])
    assert_allclose(written["models"][0]["slices"][0]["rows"][1]["balanced_log_loss"]["value"], expected, rtol=1e-9)
    assert written["models"][1]["name"] == "m, isotonic (cross-fitted)"


def test_the_interval_contains_the_noise_of_the_class_frequencies():
    """The standard deviation of scikit-learn's score in ordinary bootstrap samples, whose frequencies differ."""
    frame = rows(800)
    y, q = frame["y"].to_numpy(), frame["q"].to_numpy()
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(y), len(y)) for _ in range(300))
    spread = np.std([balanced(y[i], q[i]) for i in drawn])
    estimate = confidence_interval(balanced_log_loss, y, q)
    assert_allclose(estimate.high - estimate.low, 2 * 1.96 * spread, rtol=0.15)


def test_a_slice_without_a_class_has_no_balanced_log_loss():
    frame = rows()
    written, *_ = evaluated(frame.assign(area=frame["y"].map(str)), *COLUMNS, "--slice", "area", text=BALANCED)
    for row in written["models"][0]["slices"][0]["rows"]:
        assert row["balanced_log_loss"] == {"value": None, "low": None, "high": None}


def test_a_class_without_rows_is_refused():
    frame = rows()
    frame.assign(k=frame["k"].clip(upper=1)).to_csv("a.csv", index=False)
    Path("c.yaml").write_text(BALANCED)
    check_refused("balancing the classes requires .* got none of class 2", "a.csv", *THREE, "--config", "c.yaml")


# ---- the baseline ---------------------------------------------------------------------------------------------------


def monitored(baseline, least=200, others=""):
    return f"{FAST}monitoring: {{baseline_log_loss: {baseline}, min_samples_for_alert: {least}}}\n{others}"


def test_the_baseline_is_compared_with_the_log_loss_of_each_model():
    """By default, the limit is 10 % above the baseline."""
    frame, models = rows(), (*COLUMNS, "--proba", "q")
    written, *_ = evaluated(frame, *models, text=FAST)
    losses = {name: values(written, m)["log_loss"] for m, name in enumerate("pq")}
    worse = max(losses, key=losses.__getitem__)
    low, high = sorted(losses.values())
    for baseline, n_wrong in ((high / 1.0999, 0), (high / 1.1001, 1), (low / 1.0999, 1), (low / 1.1001, 2)):
        _, code, err = evaluated(frame, *models, text=monitored(baseline))
        assert (code, len(err.splitlines())) == (min(n_wrong, 1), n_wrong)
        if n_wrong == 1:
            assert err.startswith(f"threshold violated: {worse}: log_loss {high:.6g} is above {1.1 * baseline:.6g}, ")


def test_few_rows_are_not_compared_with_the_baseline():
    _, code, err = evaluated(rows(), text=monitored(0.01, 501))
    assert (code, err) == (0, "baseline not checked: 500 rows are fewer than min_samples_for_alert, 501\n")
    assert evaluated(rows(), text=monitored(0.01, 500))[1] == 1


def test_thresholds_and_the_baseline_concern_the_given_models_only():
    """The probabilities are calibrated, so noise makes their recalibration worse."""
    frame = rows().assign(p=lambda rows: 1 / (1 + np.exp(-logit(rows["q"]) * 2)))
    text = FAST + "calibration: {method: isotonic, cv_folds: 2}\n"
    given, calibrated = (values(evaluated(frame, text=text)[0], m)["log_loss"] for m in (0, 1))
    limit = (given + calibrated) / 2
    assert given < limit
    text += f"thresholds: {{log_loss: {{max: {limit}}}}}\nmonitoring: {{baseline_log_loss: {limit / 1.1}}}\n"
    assert evaluated(frame, text=text)[1:] == (0, "")


# ---- the calibration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("columns", [("p",), ("m_0", "m_1", "m_2")])
def test_each_row_is_recalibrated_by_the_other_folds(method, columns):
    frame = rows()
    text = FAST.replace("log_loss", "brier_score") + f"calibration: {{method: {method}, cv_folds: 3}}\n"
    label = "y" if columns == ("p",) else "k"
    written, *_ = evaluated(frame, "--label", label, "--proba", ",".join(columns), text=text)
    eps = np.finfo(float).eps
    y, proba = frame[label].to_numpy(), frame[list(columns)].to_numpy().clip(eps, 1 - eps)
    raw = logit(proba[:, 0]) if len(columns) == 1 else np.log(proba)
    found = np.empty((len(y), max(2, len(columns))))
    for others, part in StratifiedKFold(3, shuffle=True, random_state=0).split(raw, y):
        fitted = getattr(calibration, METHODS[method])().fit(raw[others], y[others])
        found[part] = fitted.predict_proba(raw[part])
    squares = ((np.eye(found.shape[1])[y] - found) ** 2).sum(axis=1)
    expected = squares.mean() / (2 if len(columns) == 1 else 1)
    assert_allclose(values(written, 1)["brier_score"], expected, rtol=1e-9)
    assert written["models"][1]["name"] == f"{written['models'][0]['name']}, {method} (cross-fitted)"


def test_rows_of_weight_0_are_ignored_by_the_calibration():
    frame = rows()
    text = FAST + "calibration: {method: platt}\n"
    weighted = (*COLUMNS, "--weight", "w")
    first = evaluated(frame, *weighted, text=text)[0]
    some = evaluated(frame[frame["w"] > 0], *weighted, text=text)[0]
    wrong = frame.assign(y=np.where(frame["w"] > 0, frame["y"], 1 - frame["y"]))
    for other in (some, evaluated(wrong, *weighted, text=text)[0]):
        assert_allclose(values(first, 1)["log_loss"], values(other, 1)["log_loss"], rtol=1e-12)
    assert values(evaluated(frame, text=text)[0], 1) != values(first, 1)


def test_labels_of_a_row_do_not_leak_into_its_calibration():
    """The probabilities say nothing about the labels, so no honest recalibration is better than the base rate."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": np.arange(60) % 2, "p": rng.random(60), "who": np.arange(60)})
    text = FAST + "calibration: {method: isotonic}\n"
    assert values(evaluated(frame, text=text)[0], 1)["log_loss"] > np.log(2)
    many = pd.concat([frame] * 20).sample(frac=1.0, random_state=0)
    assert values(evaluated(many, text=text)[0], 1)["log_loss"] < np.log(2)
    grouped = values(evaluated(many, *COLUMNS, "--groups", "who", text=text)[0], 1)["log_loss"]
    assert grouped > np.log(2)
    y, raw, groups = many["y"].to_numpy(), logit(many["p"].to_numpy()), pd.factorize(many["who"])[0]
    found = np.empty(len(y))
    for others, part in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(raw, y, groups):
        fitted = calibration.IsotonicCalibration().fit(raw[others], y[others])
        found[part] = fitted.predict_proba(raw[part])[:, 1]
    assert_allclose(grouped, log_loss(y, found), rtol=1e-9)


def test_the_given_models_are_evaluated_as_without_calibration(monkeypatch):
    monkeypatch.setattr("boosting_losses._cli.passes.ROWS", 100)
    monkeypatch.setattr("boosting_losses._cli.files.ROWS", 100)
    text = "bootstrap: {n_resamples: 20}\n"
    for options in ((), ("--groups", "who"), ("--weight", "w", "--slice", "area")):
        plain = evaluated(rows(), *COLUMNS, *options, text=text)[0]
        both = evaluated(rows(), *COLUMNS, *options, text=text + "calibration: {method: beta}\n")[0]
        assert both["models"][0]["worst_rows"] == plain["models"][0]["worst_rows"]
        for name, estimate in plain["models"][0]["scores"].items():
            assert_allclose(list(both["models"][0]["scores"][name].values()), list(estimate.values()), err_msg=name)


def test_each_calibrated_model_is_compared_with_its_original():
    frame = rows().assign(r=lambda rows: rows["p"] ** 1.1)
    columns = (*COLUMNS, "--proba", "q", "--proba", "r", "--reference", "q")
    text = "metrics: [log_loss, roc_auc]\nbootstrap: {n_resamples: 20}\ncalibration: {method: platt, cv_folds: 2}\n"
    written, *_ = evaluated(frame, *columns, text=text)
    name = "{}, platt (cross-fitted)".format
    pairs = {(pair["model"], pair["minus"]): pair["scores"] for pair in written["differences"]}
    assert list(pairs) == [("p", "q"), ("r", "q"), *((name(model), model) for model in "pqr")]
    losses = {model["name"]: model["scores"]["log_loss"]["value"] for model in written["models"]}
    for (here, there), scores in pairs.items():
        assert_allclose(scores["log_loss"]["value"], losses[here] - losses[there], rtol=1e-9)
        for estimate in scores.values():
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    alone = evaluated(frame, "--label", "y", "--proba", "r", text=text)[0]
    assert_allclose(list(pairs[name("r"), "r"]["log_loss"].values()), list(difference(alone).values()), rtol=1e-9)


def difference(written):
    return written["differences"][0]["scores"]["log_loss"]


def test_two_columns_of_two_classes():
    frame = rows().assign(no=lambda rows: 1 - rows["p"])
    text = FAST + "calibration: {method: beta}\n"
    wide = evaluated(frame, "--label", "y", "--proba", "no,p", text=text)[0]
    narrow = evaluated(frame, text=text)[0]
    for m in (0, 1):
        assert_allclose(values(wide, m)["log_loss"], values(narrow, m)["log_loss"], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"y": lambda rows: (rows.index < 4).astype(int)}, (), "at least 5 rows with each class, got 4 with class 1"),
        (
            {"y": lambda rows: (rows.index < 50).astype(int), "who": lambda rows: rows.index // 25},
            ("--groups", "who"),
            "at least 5 groups with each class, got 2 with class 1",
        ),
        (
            {"y": lambda rows: rows["y"] * 0.5},
            (),
            r"calibration requires labels 0 and 1, got 0\.5 in row \d+",
        ),
        ({"q": lambda rows: rows["q"] + 1.0}, ("--proba", "q"), "model 'q': proba must lie in .* in row 0"),
    ],
)
def test_rows_that_cannot_be_calibrated(change, options, message):
    rows().assign(**change).to_csv("a.csv", index=False)
    Path("c.yaml").write_text(LENIENT)
    check_refused(message, "a.csv", *COLUMNS, *options, "--config", "c.yaml")


# ---- names and errors -----------------------------------------------------------------------------------------------


def test_metrics_have_other_names():
    found = read(
        "metrics: [brier_score_loss, {name: roc_auc_score}, average_precision_score, calibration_ece]"
    ).settings
    assert list(found.metrics) == ["brier_score", "roc_auc", "average_precision", "calibration_error"]
    assert found.metrics["calibration_error"]["debiased"] is False
    assert read("metrics: {calibration_ece: {debiased: yes}}").settings.metrics["calibration_error"]["debiased"] is True
    assert read("metrics: [calibration_error]").settings.metrics["calibration_error"]["debiased"] is True
    text = "metrics: [{name: log_loss, clip_eps: 1e-9}]\neps: 0.000000001\nprimary_metric: log_loss"
    assert read(text).settings.eps == 1e-9
    assert read("bins: {n_bins: 7}\nmetrics: [calibration_ece]").settings.metrics["calibration_error"]["n_bins"] == 7


def test_thresholds_use_the_names_of_the_metrics():
    text = (
        BALANCED.replace("}}", "}, calibration_ece: }")
        + "thresholds: {log_loss: {max: 0.01}, calibration_ece: {max: 1}}"
    )
    written, code, err = evaluated(rows(), text=text)
    value = values(written)["balanced_log_loss"]
    assert (code, err) == (1, f"threshold violated: p: balanced_log_loss {value:.6g} is above 0.01\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eps: 0\nevaluation:\n  metrics: [log_loss]", "line 2: evaluation must be the only .* got eps beside it"),
        ("evaluation: 5", "line 1: evaluation must be a mapping of keys to values, got 5"),
        ("evaluation:\n  epz: 1", "line 2: evaluation.epz must be one of .* got epz .did you mean eps"),
        ("evaluation:\n  eps: 1", "line 2: evaluation.eps must be less than 0.5, got 1"),
        (DOCUMENT.replace("1e-15", "0.5"), "line 5: evaluation.metrics.log_loss.clip_eps must be less than 0.5, got 0.5"),
        (DOCUMENT.replace("bins: 15", "bins: no"), "line 9: .*metrics.calibration_ece.n_bins must be an integer, got no"),
        (DOCUMENT.replace("uniform", "even"), "line 10: .*calibration_ece.strategy must be 'uniform' or 'quantile', got ev"),
        (DOCUMENT.replace("inverse_", ""), "line 6: .*sample_weight_by must be 'inverse_class_frequency', got class_fr"),
        (DOCUMENT.replace("15.0", "-1"), "line 13: evaluation.monitoring.alert_threshold_pct must be greater than 0"),
        (DOCUMENT.replace("isotonic ", "isotonik "), "line 17: .*method must be one of .* got isotonik .did you mean iso"),
        (DOCUMENT.replace("folds: 5", "folds: 1"), "line 18: .*cv_folds must be greater than or equal to 2, got 1"),
        ("calibration: {cv_folds: 3}", "line 1: calibration must give the method, one of isotonic, platt, .* got none"),
        ("metrics:\n- name: neg_log_loss", "line 2: metrics.* must be one of .* got neg_log_loss .did you mean log_loss"),
        ("metrics:\n- {name: brier_score, clip_eps: 0}", "line 2: metrics.brier_score.clip_eps must not be given, got clip"),
        ("metrics:\n- {n_bins: 3}", "line 2: metrics must give each score as a name, or .* key name, got n_bins"),
        ("metrics:\n- log_loss: {clip_eps: 0}", "line 2: metrics must give each score .* key name, got log_loss"),
        ("metrics:\n- log_loss\n- name: log_loss", "line 3: metrics must name each score once, got log_loss a second time"),
        ("metrics:\n- brier_score\n- brier_score_loss", "line 3: .* once, got brier_score and brier_score_loss"),
        (
            "metrics:\n- balanced_log_loss\n- {name: log_loss, sample_weight_by: inverse_class_frequency}",
            "line 3: metrics.log_loss must name each score once, got balanced_log_loss and log_loss",
        ),
        ("metrics: [[log_loss]]", "line 1: metrics must be one of .* got .'log_loss'."),
        (
            "eps: 1e-9\nmetrics:\n- name: log_loss\n  clip_eps: 1e-15",
            "line 4: metrics.log_loss.clip_eps must equal eps, .* got 1e-15 and 1e-09",
        ),
        (
            "\nprimary_metric: d2\nmetrics: [log_loss]",
            "line 2: primary_metric must be one of log_loss, got d2",
        ),
        ("monitoring: {rolling_window: 9}", "line 1: monitoring must give baseline_log_loss, .* got rolling_window"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_by_key_and_line(text, message):
    with pytest.raises(ConfigError, match=r"^c\.yaml") as caught:
        read(text)
    assert re.search(message, str(caught.value)), caught.value


def test_the_baseline_requires_the_log_loss():
    rows().to_csv("a.csv", index=False)
    Path("c.yaml").write_text("metrics: [brier_score]\nmonitoring:\n  baseline_log_loss: 0.3\n")
    assert read(Path("c.yaml").read_text()).monitoring.baseline_log_loss == 0.3  # for the monitor
    message = "c.yaml, line 3: monitoring.baseline_log_loss must be given only if metrics name log_loss"
    check_refused(message, "a.csv", *COLUMNS, "--config", "c.yaml")
