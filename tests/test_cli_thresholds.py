"""Thresholds of a configuration: what breaks them, by the value or by the whole interval."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numba.core import config

from boosting_losses._cli import config as configuration
from boosting_losses._cli.commands import commands
from boosting_losses._cli.places import ConfigError
from boosting_losses.metrics import Estimate
from boosting_losses.report import ProbabilityReport

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

PAGE = Path(__file__).parent.parent / "docs" / "reports.md"


def thresholds(folder, text):
    path = folder / "c.yaml"
    path.write_text(text)
    return configuration.read(path).thresholds


@pytest.mark.parametrize(
    ("limits", "estimate", "wrong"),
    [
        ("max: 0.3", Estimate(0.31, 0.2, 0.4), "log_loss 0.31 is above 0.3"),
        ("max: 0.3, by: value", Estimate(0.31, 0.2, 0.4), "log_loss 0.31 is above 0.3"),
        ("max: 0.3, by: value", Estimate(0.3, 0.2, 0.4), None),
        ("max: 0.3, by: interval", Estimate(0.35, 0.3, 0.4), None),
        (
            "max: 0.3, by: interval",
            Estimate(0.35, 0.31, 0.4),
            "log_loss 0.35 is above 0.3, and so is its interval, 0.31 to 0.4",
        ),
        ("min: 0.3, by: interval", Estimate(0.2, 0.1, 0.3), None),
        (
            "min: 0.3, by: interval",
            Estimate(0.2, 0.1, 0.29),
            "log_loss 0.2 is below 0.3, and so is its interval, 0.1 to 0.29",
        ),
        ("min: 0.1, max: 0.3, by: interval", Estimate(0.2, 0.0, 1.0), None),
        ("min: 0.3", Estimate(0.2, 0.1, 0.5), "log_loss 0.2 is below 0.3"),
        ("max: 0.3", Estimate(np.nan, np.nan, np.nan), "log_loss nan is above 0.3"),
        # An infinite loss has no interval, and is beyond any bound.
        ("max: 0.3, by: interval", Estimate(np.inf, np.nan, np.nan), "log_loss inf is above 0.3"),
        ("max: 0.3, by: interval", Estimate(0.5, -np.inf, np.inf), None),
    ],
)
def test_what_breaks_a_threshold(tmp_path, limits, estimate, wrong):
    (threshold,) = thresholds(tmp_path, f"thresholds:\n  log_loss: {{{limits}}}")
    assert threshold.broken_by(estimate) == wrong


def test_by_interval_needs_one(tmp_path):
    (threshold,) = thresholds(tmp_path, "thresholds:\n  log_loss: {max: 0.3, by: interval}")
    message = "line 2: thresholds.log_loss must be by value where the score has no interval, got by interval"
    for value in (0.2, 0.4, np.nan):
        with pytest.raises(ConfigError, match=message):
            threshold.broken_by(Estimate(value, np.nan, np.nan))


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(-1.0, 1.5, 500)))
    pd.DataFrame({"y": (rng.random(500) < p).astype(int), "p": p}).to_csv("a.csv", index=False)
    return tmp_path


def run(text):
    Path("c.yaml").write_text("bootstrap: {n_resamples: 50}\n" + text)
    arguments = ("a.csv", "--label", "y", "--proba", "p", "--config", "c.yaml", "--json", "r.json")
    result = CliRunner().invoke(commands, ["evaluate", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_judges_by_the_interval(rows):
    assert run("metrics: [log_loss]")[0] == 0
    value, low, high = json.loads((rows / "r.json").read_text())["models"][0]["scores"]["log_loss"].values()
    within = (low + value) / 2
    assert run(f"metrics: [log_loss]\nthresholds: {{log_loss: {{max: {within}, by: interval}}}}")[0] == 0
    code, _, err = run(f"metrics: [log_loss]\nthresholds: {{log_loss: {{max: {within}}}}}")
    assert (code, err) == (1, f"threshold broken: p: log_loss {value:.6g} is above {within:g}\n")
    code, _, err = run("metrics: [log_loss]\nthresholds: {log_loss: {max: 0.01, by: interval}}")
    assert code == 1
    wanted = f"p: log_loss {value:.6g} is above 0.01, and so is its interval, {low:.6g} to {high:.6g}"
    assert err == f"threshold broken: {wanted}\n"


def test_a_score_without_an_interval_is_an_error(rows):
    text = (
        "metrics:\n  calibration_error: {debiased: false}\nthresholds:\n  calibration_error: {max: 0.9, by: interval}"
    )
    code, out, err = run(text)
    assert (code, out) == (2, "")
    message = "Error: c.yaml, line 5: thresholds.calibration_error must be by value where the score has no interval"
    assert err == f"{message}, got by interval\n"
    assert not (rows / "r.json").exists()


def test_options_of_scores(rows):
    text = """metrics:
  trimmed_log_loss: {trim: 0.02}
  calibration_error_quantile: {q: 0.5}
  calibration_error: {debiased: false, norm: max}
"""
    assert run(text)[0] == 0
    scores = json.loads((rows / "r.json").read_text())["models"][0]["scores"]
    frame = pd.read_csv("a.csv")
    metrics = {
        "trimmed_log_loss": {"trim": 0.02},
        "calibration_error_quantile": {"q": 0.5},
        "calibration_error": {"debiased": False, "norm": "max"},
    }
    report = ProbabilityReport.from_predictions(frame["y"], frame["p"], metrics=metrics, n_resamples=50)
    for name, estimate in report.models[0].scores.items():
        assert scores[name]["value"] == pytest.approx(estimate.value, rel=1e-9), name
    other = ProbabilityReport.from_predictions(frame["y"], frame["p"], metrics=list(metrics), n_resamples=50)
    for name, estimate in other.models[0].scores.items():
        assert scores[name]["value"] != pytest.approx(estimate.value, rel=1e-3), name


def example():
    """The configuration in the page on reports."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return text


@pytest.mark.slow
def test_the_pages_thresholds_spare_calibrated_models(tmp_path):
    """By the value, the calibration error of a perfect model is above 0.02 in one of eight samples of a thousand rows."""
    path = tmp_path / "c.yaml"
    path.write_text(example())
    wishes = configuration.read(path)
    assert {threshold.score for threshold in wishes.thresholds} == {"log_loss", "calibration_error"}
    assert not wishes.balanced  # balanced classes have other frequencies than a calibrated model says
    broken = {"interval": 0, "value": 0}
    most = {threshold.score: threshold.most for threshold in wishes.thresholds}
    rng = np.random.default_rng(0)
    for _ in range(100):
        z = rng.normal(-2.5, 2.0, 1000)  # expected log loss: 0.31
        p = 1 / (1 + np.exp(-z))
        y = (rng.random(1000) < p).astype(int)
        report = ProbabilityReport.from_predictions(y, p, metrics=wishes.settings.metrics, n_resamples=100)
        scores = report.models[0].scores
        broken["interval"] += any(threshold.broken_by(scores[threshold.score]) for threshold in wishes.thresholds)
        broken["value"] += any(scores[name].value > bound for name, bound in most.items())
    assert broken["interval"] <= 5, broken
    assert broken["value"] >= 8


def test_the_pages_thresholds_find_spoilt_models(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(example())
    wishes = configuration.read(path)
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(-2.0, 2.0, 3000)))
    y = (rng.random(3000) < p).astype(int)
    spoilt = p / (p + 0.2 * (1 - p))  # what a weight of 5 for the rarer class does
    report = ProbabilityReport.from_predictions(y, spoilt, metrics=wishes.settings.metrics, n_resamples=100)
    wrong = [threshold.broken_by(report.models[0].scores[threshold.score]) for threshold in wishes.thresholds]
    assert all(wrong), wrong
