"""The configuration of the command: its keys, the errors that name key and line, and thresholds of scores."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numba.core import config
from numpy.testing import assert_allclose

from boosting_losses import metrics
from boosting_losses._cli import config as configuration
from boosting_losses._cli.metrics_config import ScoreOptions
from boosting_losses._cli.thresholds import beyond, broken
from boosting_losses._cli.yaml_file import ConfigError
from boosting_losses.metrics import Estimate
from boosting_losses.report import SCORES, ProbabilityReport

from .command_line import COLUMNS, FAST, check_refused, report, run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

PAGE = Path(__file__).parent.parent / "docs" / "reports.md"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rows(here):
    rng = np.random.default_rng(0)
    p = (1 / (1 + np.exp(-rng.normal(-1.0, 1.5, 300)))).round(2).clip(0.01, 0.99)
    rows = pd.DataFrame({"y": (rng.random(300) < p).astype(int), "p": p, "q": p**2, "kind": "a"})
    rows.to_csv("a.csv", index=False)
    return rows


def read(text):
    Path("c.yaml").write_text(text, encoding="utf-8")
    return configuration.read(Path("c.yaml"))


def test_what_a_configuration_says(rows):
    text = """
metrics:
  log_loss:
  calibration_error: {norm: 2, n_bins: 10, debiased: false}
eps: 1e-9
bins: {strategy: quantile}
bootstrap: {n_resamples: 50, level: 0.9, seed: 3}
class_weight: balanced
"""
    written = report("a.csv", *COLUMNS, config=text)
    assert written["level"] == 0.9
    y, p = rows["y"].to_numpy(), rows["p"].to_numpy()
    weight = (len(y) / (2 * np.bincount(y)))[y]
    loss = metrics.log_loss(y, p, weight, eps=1e-9)
    error = metrics.calibration_error(y, p, weight, norm=2, n_bins=10, strategy="quantile")
    scores = written["models"][0]["scores"]
    assert_allclose([scores["log_loss"]["value"], scores["calibration_error"]["value"]], [loss, error], rtol=1e-9)
    assert_allclose(written["base_rates"], 0.5)


def test_every_option_of_a_score_is_a_key():
    assert set(ScoreOptions.model_fields) == set().union(*(score.options for score in SCORES.values()))


def test_options_of_scores(rows):
    given = {
        "trimmed_log_loss": {"trim": 0.02},
        "calibration_error_quantile": {"q": 0.5},
        "calibration_error": {"debiased": False, "norm": "max"},
    }
    assert read(f"metrics: {json.dumps(given)}").settings.metrics == given
    assert read("metrics: {calibration_error: {norm: 1}}").settings.metrics["calibration_error"]["norm"] == 1
    scores = report(
        "a.csv", "--label", "y", "--proba", "q", config=f"metrics: {json.dumps(given)}\nbootstrap: {{n_resamples: 20}}"
    )["models"][0]["scores"]
    options = {"n_resamples": 20}
    wanted = ProbabilityReport.from_predictions(rows["y"], rows["q"], metrics=given, **options).models[0].scores
    other = ProbabilityReport.from_predictions(rows["y"], rows["q"], metrics=list(given), **options).models[0].scores
    for name, score in scores.items():
        assert score["value"] == pytest.approx(wanted[name].value, rel=1e-9), name
        assert score["value"] != pytest.approx(other[name].value, rel=1e-3), name


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "metrics:\nthresholds:\neps:\n", "slices:\ngroups:\ndecision_thresholds:\nreference:\nbins:\n"],
)
def test_an_empty_key_is_the_default(text):
    assert read(text).model_dump() == configuration.Evaluation().model_dump()


def test_texts_are_read_as_what_they_stand_for():
    """YAML 1.1 takes 1e-9 for a text, and the names of these columns for a number and a truth."""
    found = read(
        'eps: "1e-9"\nnormalize: yes\nslices: [2024, yes]\ngroups: 010\nbins: &a {n_bins: "9"}\nbootstrap: {seed: 5}'
    )
    assert (found.eps, found.normalize, found.slices, found.groups) == (1e-9, True, ("2024", "yes"), "010")
    assert (found.settings.metrics["calibration_error"]["n_bins"], found.settings.random_state) == (9, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics:\n  log_los:\n", "line 2: metrics.log_los must be one of .*, got log_los .did you mean log_loss"),
        ("metrics:\n- log_loss\n- auc", "line 3: metrics must be one of log_loss, .* got auc .did you mean roc_auc"),
        ("metrics: []", "line 1: metrics must not be empty"),
        ("metrics: {brier_score: {norm: 1}}", "metrics.brier_score.norm must not be given, got norm"),
        ("metrics: {log_loss: {norm: 1}}", "metrics.log_loss.norm must be one of clip_eps, sample_weight_by, got norm"),
        ("metrics:\n  calibration_error:\n    norm: 3", "line 3: .*calibration_error.norm must be 1, 2 or 'max', got 3"),
        ("metrics:\n  calibration_error:\n    debiased: true\n    norm: max", "line 2: .* not be debiased if norm is max"),
        ("metrics: {trimmed_log_loss: {trim: 1}}", "trimmed_log_loss.trim must be less than 1, got 1"),
        ("metrics:\n  calibration_error_quantile:\n    q: .nan", "line 3: .*quantile.q must be a finite number, got .nan"),
        ("metrics: {calibration_error_quantile: {trim: 0.1}}", "quantile.trim must be one of q, got trim"),
        ("metrics: [log_loss]\nbins: {n_bins: 3}", "line 2: bins must be given only if metrics name calibration_error"),
        ("\n\neps: 0.5", "line 3: eps must be less than 0.5, got 0.5"),
        ("eps: small", "line 1: eps must be a finite number, got small"),
        ("eps: 0\neps: 0", "line 2: the file must be YAML, found eps a second time"),
        ("eps: !foo 1", "line 1: the file must be YAML, found the unknown tag !foo"),
        ("bins: {n_bins: 2.5}", "bins.n_bins must be an integer, got 2.5"),
        ("bootstrap: {level: 95}", "bootstrap.level must be less than 1, got 95"),
        ("bootstrap: 100", "line 1: bootstrap must be a mapping of keys to values, got 100"),
        ("bootstrap: {n_resamples: 1000000000}", "n_resamples must be less than or equal to 100000, got 1000000000"),
        ("class_weight: inverse", "class_weight must be 'balanced', got inverse"),
        ("thresholds: [log_loss]", "thresholds.log_loss must give max, min or both, got neither"),
        ("thresholds: {log_loss: {}}", "thresholds.log_loss must give max, min or both, got neither"),
        ("thresholds: {log_loss: {by: interval}}", "thresholds.log_loss must give max, min or both, got neither"),
        ("thresholds:\n  log_loss:\n    max: lots", "line 3: thresholds.log_loss.max must be a finite number, got lots"),
        ("thresholds: {log_loss: {min: 0.9, max: 0.1}}", "must have a min that is not above its max, got 0.9 and 0.1"),
        ("thresholds:\n  log_loss:\n    max: 1\n    by: mean", "line 4: .*by must be 'value' or 'interval', got mean"),
        ("metrics: [log_loss", "line 1: the file must be YAML"),
        ("- a", "line 1: the file must be a mapping of keys to values"),
        ("slices: &a [*a]", "the file must be YAML, found a value that contains itself"),
        ("slices: kind", "line 1: slices must be a list, got kind"),
        ("slices: [[kind]]", "slices must be a name, got .'kind'."),
        ("slices: [kind, '']", "slices must not be empty, got ''"),
        ("decision_thresholds:\n- 0.5\n- 1", "line 3: decision_thresholds must be less than 1, got 1"),
        ("decision_thresholds: [.nan]", "decision_thresholds must be a finite number, got .nan"),
        ("normalize: 5", "normalize must be true or false, got 5"),
        ("slice: [kind]", "slice must be one of metrics, .* got slice .did you mean slices"),
    ],
)  # fmt: skip
def test_a_bad_configuration_is_named_by_key_and_line(text, message):
    with pytest.raises(ConfigError, match=r"^c\.yaml") as caught:
        read(text)
    assert re.search(message, str(caught.value)), caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\neps: 1", "Error: c.yaml, line 2: eps must be less than 0.5, got 1"),
        ("thresholds: {d2: {min: 0}}", "thresholds.d2 must name a score that is computed"),
        ("\nslices: [kind, kind]", "line 2: slices must name each column once, got 'kind' a second time"),
        ("slices: [y]", "line 1: slices must name a column other than that of the labels, got 'y'"),
        ("\ngroups: y", "line 2: groups must name a column other than that of the labels, got 'y'"),
        ("groups: nowhere", "the file must contain the column 'nowhere' exactly once"),
        ("\nreference: z", "line 2: reference must be one of the models p, got 'z'"),
        (
            "metrics: {calibration_error: {debiased: false}}\nthresholds:\n  calibration_error: {max: 0.9, by: interval}",
            "line 3: thresholds.calibration_error must be by value if the score has no interval, got by interval",
        ),
    ],
)
def test_the_command_refuses_what_the_data_do_not_allow(rows, text, message):
    Path("c.yaml").write_text(text)
    check_refused(message, "a.csv", *COLUMNS, "--config", "c.yaml")


def test_a_file_that_is_no_text():
    Path("c.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match=r"c\.yaml: the file must be YAML text"):
        configuration.read(Path("c.yaml"))


@pytest.mark.parametrize(
    ("limits", "estimate", "wrong"),
    [
        ("max: 0.3", Estimate(0.31, 0.2, 0.4), "0.31 is above 0.3"),
        ("max: 0.3, by: value", Estimate(0.31, 0.2, 0.4), "0.31 is above 0.3"),
        ("max: 0.3, by: value", Estimate(0.3, 0.2, 0.4), None),
        ("max: 0.3, by: interval", Estimate(0.35, 0.3, 0.4), None),
        ("max: 0.3, by: interval", Estimate(0.35, 0.31, 0.4), "0.35 is above 0.3, and so is its interval, 0.31 to 0.4"),
        ("min: 0.3, by: interval", Estimate(0.2, 0.1, 0.3), None),
        ("min: 0.3, by: interval", Estimate(0.2, 0.1, 0.29), "0.2 is below 0.3, and so is its interval, 0.1 to 0.29"),
        ("min: 0.1, max: 0.3, by: interval", Estimate(0.2, 0.0, 1.0), None),
        ("min: 0.3", Estimate(0.2, 0.1, 0.5), "0.2 is below 0.3"),
        ("max: 0.3", Estimate(np.nan, np.nan, np.nan), "nan is above 0.3"),
        # An infinite loss has no interval, and is beyond any bound.
        ("max: 0.3, by: interval", Estimate(np.inf, np.nan, np.nan), "inf is above 0.3"),
        ("max: 0.3, by: interval", Estimate(0.5, -np.inf, np.inf), None),
    ],
)
def test_what_breaks_a_threshold(limits, estimate, wrong):
    assert beyond(read(f"thresholds:\n  log_loss: {{{limits}}}").thresholds["log_loss"], estimate) == wrong


def test_the_command_judges_by_the_interval(rows):
    value, low, high = report("a.csv", *COLUMNS)["models"][0]["scores"]["log_loss"].values()
    within = (low + value) / 2

    def said(limits):
        Path("c.yaml").write_text(FAST + f"thresholds: {{log_loss: {{{limits}}}}}")
        code, _, err = run("a.csv", *COLUMNS, "--config", "c.yaml")
        return code, err

    assert said(f"max: {within}, by: interval") == (0, "")
    assert said(f"max: {within}") == (1, f"threshold violated: p: log_loss {value:.6g} is above {within:g}\n")
    wanted = f"p: log_loss {value:.6g} is above 0.01, and so is its interval, {low:.6g} to {high:.6g}"
    assert said("max: 0.01, by: interval") == (1, f"threshold violated: {wanted}\n")


def example():
    """The configuration in the page on reports."""
    first = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return read(first[1])


@pytest.mark.slow
def test_the_thresholds_of_the_page_spare_calibrated_models():
    """By the value, the calibration error of a perfect model is above 0.02 in one of eight samples of a thousand rows."""
    wishes = example()
    assert set(wishes.thresholds) == {"log_loss", "calibration_error"}
    assert wishes.class_weight is None  # balanced classes have other frequencies than a calibrated model says
    n_broken = {"interval": 0, "value": 0}
    rng = np.random.default_rng(0)
    for _ in range(100):
        z = rng.normal(-2.5, 2.0, 1000)  # expected log loss: 0.31
        p = 1 / (1 + np.exp(-z))
        y = (rng.random(1000) < p).astype(int)
        found = ProbabilityReport.from_predictions(y, p, metrics=wishes.settings.metrics, n_resamples=100)
        scores = found.models[0].scores
        n_broken["interval"] += bool(broken(found, wishes))
        n_broken["value"] += any(scores[name].value > limits.max for name, limits in wishes.thresholds.items())
    assert n_broken["interval"] <= 5, n_broken
    assert n_broken["value"] >= 8


def test_the_thresholds_of_the_page_find_spoilt_models():
    wishes = example()
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(-2.0, 2.0, 2000)))
    y = (rng.random(2000) < p).astype(int)
    spoilt = p / (p + 0.2 * (1 - p))  # what a weight of 5 for the rarer class does
    found = ProbabilityReport.from_predictions(y, spoilt, metrics=wishes.settings.metrics, n_resamples=100)
    assert len(broken(found, wishes)) == 2
