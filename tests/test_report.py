"""Reports: their numbers are those of the metrics, in every form; what they say in words; and data of any length."""

import io
import json
import math
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rich.console
from numba.core import config
from numpy.testing import assert_allclose

from boosting_losses import metrics
from boosting_losses.metrics._binned_rows import BinnedRows
from boosting_losses.metrics._score import Score
from boosting_losses.report import SCORES, Accumulator, ProbabilityReport, Settings, _report

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")


def binary(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.0, 1.5, n)
    return (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int), 1 / (1 + np.exp(-1.6 * z)), rng.random(n)


def multiclass(n=1500, classes=4):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(classes), n)
    return np.array([rng.choice(classes, p=row) for row in p]), p, rng.random(n)


def evaluated(*data, n_resamples=60, **options):
    return ProbabilityReport.from_predictions(*data, n_resamples=n_resamples, **options)


def score(name, *data, **options):
    return getattr(metrics, name)(*data, **options)


@pytest.mark.parametrize(
    ("data", "weighted"),
    [
        (binary, True),
        (multiclass, False),
        pytest.param(binary, False, marks=pytest.mark.slow),
        pytest.param(multiclass, True, marks=pytest.mark.slow),
    ],
)
def test_scores_are_those_of_the_metrics(data, weighted):
    y, p, weight = data()
    w = weight if weighted else None
    only_two = [name for name, reported in SCORES.items() if reported.two_classes_only]
    names = [name for name in SCORES if data is binary or name not in only_two]
    report = evaluated(y, p, w, n_resamples=150, metrics=names)
    model = report.models[0]
    for name, estimate in model.scores.items():
        options = SCORES[name].defaults
        plain = model.uncorrected.get(name, estimate.value)
        assert_allclose(plain, score(name, y, p, w, **options), rtol=1e-8, err_msg=name)
        if not math.isnan(estimate.low):
            assert estimate.low <= estimate.value <= estimate.high, name
            alone = metrics.confidence_interval(getattr(metrics, name), y, p, w, n_resamples=150, **options)
            width = alone.high - alone.low
            near = 1e-9 if name in ("log_loss", "brier_score") else 0.35 * width
            assert_allclose(estimate, alone, atol=near, err_msg=name)
    without = {name for name, estimate in model.scores.items() if math.isnan(estimate.low)}
    assert without == ({"spiegelhalter_z"} if data is binary else set())


@pytest.mark.parametrize("data", [binary, multiclass])
def test_scores_with_options(data):
    y, p, w = data()
    chosen = {
        "calibration_error": {"norm": 2, "strategy": "quantile", "n_bins": 9, "debiased": True},
        "d2": {"score": "brier"},
        "miscalibration": {"score": "brier"},
    }
    report = evaluated(y, p, metrics=chosen, eps=1e-3)
    for name, options in chosen.items():
        model = report.models[0]
        plain = model.uncorrected.get(name, model.scores[name].value)
        assert_allclose(plain, score(name, y, p, **options), rtol=1e-9)
    class_wise = {"calibration_error": {"multiclass": "class_wise", "norm": "max"}}
    model = evaluated(y, p, w, metrics=class_wise).models[0]
    expected = metrics.calibration_error(y, p, w, **class_wise["calibration_error"])
    assert_allclose(model.uncorrected["calibration_error"], expected)
    assert model.scores["calibration_error"].value < expected


@pytest.mark.parametrize("data", [binary, multiclass])
def test_baselines(data):
    y, p, w = data()
    classes = 2 if p.ndim == 1 else p.shape[1]
    chosen = [name for name, reported in SCORES.items() if classes == 2 or not reported.two_classes_only]
    report = evaluated(y, p, w, metrics=chosen)
    shares = np.bincount(y, weights=w) / w.sum()
    for baseline, forecast in zip(report.baselines, (shares, np.full(classes, 1 / classes)), strict=True):
        constant = np.full(len(y), forecast[1]) if classes == 2 else np.tile(forecast, (len(y), 1))
        for name, value in baseline.scores.items():
            if value is not None:
                assert_allclose(value, score(name, y, constant, w), rtol=1e-9, atol=1e-12, err_msg=name)
        assert sum(value is not None for value in baseline.scores.values()) >= 10


def test_differences_are_paired():
    y, p, w = binary()
    q = np.sqrt(p)
    report = evaluated(y, {"p": p, "root": q}, w, n_resamples=200)
    pair = report.differences["root", "p"]
    for name in pair:
        options = SCORES[name].defaults
        alone = metrics.paired_difference(getattr(metrics, name), y, q, p, w, n_resamples=200, **options)
        width = alone.high - alone.low
        assert_allclose(pair[name].value, alone.value, rtol=1e-7, atol=0.1 * width, err_msg=name)
        assert_allclose(pair[name], alone, atol=1e-9 if name in ("log_loss", "brier_score") else 0.4 * width)


def test_groups():
    y, p, w = binary(400)
    many = [np.tile(values, 5) for values in (y, p, w)]
    groups = np.array([f"customer {i % 400}" for i in range(2000)])
    options = {"n_resamples": 300, "metrics": ["log_loss", "normalized_cross_entropy", "calibration_error"]}
    single = evaluated(y, p, w, **options).models[0]
    grouped = evaluated(*many, groups=groups, **options).models[0]
    careless = evaluated(*many, **options).models[0]
    for name in ("log_loss", "normalized_cross_entropy", "calibration_error"):
        widths = [model.scores[name].high - model.scores[name].low for model in (single, grouped, careless)]
        assert_allclose(widths[1], widths[0], rtol=0.2)
        assert widths[2] < 0.6 * widths[0]
    assert {row % 400 for row, _, _ in grouped.worst_rows[:5]} == {single.worst_rows[0][0]}


# ---- data of any length ---------------------------------------------------------------------------------------------


def test_blocks_change_nothing(monkeypatch):
    y, p, w = binary(2000)
    whole = evaluated(y, {"a": p, "b": p**2}, w)
    monkeypatch.setattr(_report, "BLOCK", 501)
    parts = evaluated(y, {"a": p, "b": p**2}, w)
    for a, b in zip(whole.models, parts.models, strict=True):
        assert_allclose(a.worst_rows, b.worst_rows)
        for name in a.scores:
            # the cells of some scores' replicates are found in a part of the rows
            coarse = "tion" in name or name in ("roc_auc", "average_precision", "calibration_slope")
            assert_allclose(a.scores[name], b.scores[name], rtol=0.1 if coarse else 1e-9, atol=0.01, err_msg=name)


def test_many_rows_are_put_into_cells(monkeypatch):
    y, p, w = binary(12_000)
    exact = evaluated(y, p, w)
    monkeypatch.setattr("boosting_losses.metrics._binned_rows.MOST_ROWS", 4_000)
    monkeypatch.setattr(_report, "BLOCK", 3_000)
    cells = evaluated(y, p, w)
    assert exact.is_exact
    assert not cells.is_exact
    for name, estimate in exact.models[0].scores.items():
        near = 1e-9 if name in ("log_loss", "brier_score", "normalized_cross_entropy") else 1e-2
        assert_allclose(cells.models[0].scores[name].value, estimate.value, rtol=near, err_msg=name)
    as_they_are = [report.models[0].uncorrected["calibration_error"] for report in (cells, exact)]
    assert_allclose(*as_they_are, rtol=1e-9)
    assert_allclose(cells.models[0].deciles.loss, exact.models[0].deciles.loss, rtol=0.02)
    assert_allclose(cells.models[0].curve.observed, exact.models[0].curve.observed, rtol=0.05)


def test_binned_rows_keep_every_sum(monkeypatch):
    monkeypatch.setattr("boosting_losses.metrics._binned_rows.MOST_ROWS", 500)
    y, p, w = binary(4000)
    p[:3] = 0.0, 1.0, 1e-300
    binned = BinnedRows(15)
    for rows in np.array_split(np.arange(4000), 9):
        binned.add(p[rows], y[rows] * 1.0, w[rows], p[rows] ** 2)
    points = binned.points()
    assert not binned.is_exact
    assert (np.diff(points.proba) > 0).all()
    for total, expected in zip(points[1:], (w, w * y, w * p**2, w**2), strict=True):
        assert_allclose(total.sum(), expected.sum(), rtol=1e-12)
    assert_allclose(points.weight @ points.proba, w @ p, rtol=1e-12)
    edges = np.arange(16) / 15
    assert_allclose(points.sums(edges)[:, 1], np.histogram(-p, -edges[::-1], weights=w * y)[0][::-1], rtol=1e-9)
    weight = points.sums(points.edges("quantile", 10))[:, 0]
    assert_allclose(weight, w.sum() / 10, rtol=0.05)


def test_an_accumulator_gives_the_report_of_all_rows():
    y, p, w = binary(3000)
    codes, groups = np.arange(3000) % 2, np.arange(3000) // 3
    names = np.array(["even", "odd"])
    slices, settings = {"parity": names[codes]}, Settings(thresholds=(0.3,), n_resamples=60)
    whole = evaluated(
        np.where(y == 1, "b", "a"),
        {"p": p, "q": p**2},
        w,
        classes=["a", "b"],
        slices=slices,
        groups=groups,
        thresholds=[0.3],
    )
    accumulator = Accumulator(["p", "q"], settings, n_groups=1000, slices={"parity": ["even", "odd"]})
    accumulator.prepare(y, [p, p**2], w)
    for rows in np.array_split(np.arange(3000), 7):
        given = {"slices": {"parity": codes[rows]}, "groups": groups[rows]}
        accumulator.add(y[rows], [p[rows], (p**2)[rows]], w[rows], **given)
    parts = ProbabilityReport.from_accumulator(accumulator, ["a", "b"])
    assert (parts.rows, parts.classes, parts.findings) == (whole.rows, whole.classes, whole.findings)
    for a, b in zip(whole.models, parts.models, strict=True):
        assert (a.slices[0].variable, a.slices[0].rows[1].value) == ("parity", "odd")
        assert_allclose(list(a.scores.values()), list(b.scores.values()), rtol=1e-9)
        assert_allclose(a.slices[0].rows[1].observed, b.slices[0].rows[1].observed, rtol=1e-9)
        assert_allclose(a.thresholds[0].recall, b.thresholds[0].recall, rtol=1e-9)


def test_what_an_accumulator_refuses():
    with pytest.raises(ValueError, match="slices must have at most 200 categories, got 201 of 'day'"):
        Accumulator(["a"], slices={"day": [str(day) for day in range(201)]})
    with pytest.raises(ValueError, match="reference must be one of a, got 'b'"):
        Accumulator(["a"], Settings(reference="b"))
    with pytest.raises(ValueError, match="primary must be one of the metrics log_loss, got 'd2'"):
        Settings({"log_loss": {}}, primary="d2")
    for other in ("b", "z"):
        with pytest.raises(ValueError, match=f"comparisons must be with another of a, b, got '{other}' for 'b'"):
            Accumulator(["a", "b"], Settings(comparisons={"b": other}))
    with pytest.raises(ValueError, match="the accumulator must contain at least one row, got none"):
        ProbabilityReport.from_accumulator(Accumulator(["a"]))
    accumulator = Accumulator(["a"], n_groups=2, slices={"day": ["Monday", "Tuesday"]})
    y, p, codes = [0, 1], [0.2, 0.7], np.arange(2)
    for probas, given, message in (
        ([p, p], {"slices": {"day": codes}}, r"probas must contain one array per model \(1 expected\), got 2"),
        ([p], {"groups": codes}, r"slices must contain the codes of the variables \['day'\], got \[\]"),
        ([p], {"slices": {"day": codes}}, "groups must be given if n_groups is given, got None and n_groups=2"),
        ([p], {"groups": codes, "slices": {"day": codes + 1}}, r"codes of day must lie in \[0, 2\), got 2"),
        ([p], {"groups": codes - 1, "slices": {"day": codes}}, r"codes of groups must lie in \[0, 2\), got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            accumulator.add(y, probas, **given)


def test_a_new_score_needs_one_entry(monkeypatch):
    def accuracy(y_true, proba, sample_weight=None, *, threshold=0.5):
        if not threshold < 1.0:
            raise ValueError(f"threshold must be < 1, got {threshold!r}")
        return np.average((np.asarray(proba) > threshold) == np.asarray(y_true), weights=sample_weight)

    monkeypatch.setitem(SCORES, "accuracy", Score(accuracy, "accuracy", "higher", "share of right predictions"))
    y, p, w = binary(500)
    report = evaluated(y, {"p": p, "q": p**2}, w, metrics={"accuracy": {"threshold": 0.3}})
    assert_allclose(report.models[0].scores["accuracy"].value, accuracy(y, p, w, threshold=0.3))
    assert "accuracy ↑" in str(report)
    assert "accuracy" in report._repr_html_()
    with pytest.raises(ValueError, match="threshold must be < 1, got 2"):
        Settings({"accuracy": {"threshold": 2}})


def test_rows_in_errors_and_lists_are_those_of_the_data(monkeypatch):
    monkeypatch.setattr(_report, "BLOCK", 100)
    y, p, _ = binary(1000)
    p[777], y[777] = 1e-12, 1
    assert evaluated(y, p).models[0].worst_rows[0][0] == 777
    groups = np.arange(1000)[::-1]
    assert evaluated(y, p, groups=groups).models[0].worst_rows[0][0] == 777
    for options in ({}, {"groups": groups}):
        p[777] = 1.5
        with pytest.raises(ValueError, match=r"proba must lie in \[0, 1\], got 1.5 in row 777"):
            evaluated(y, p, **options)
        with pytest.raises(ValueError, match=r"model 'b': proba must lie in \[0, 1\], got 1.5 in row 777"):
            evaluated(y, {"a": np.clip(p, 0, 1), "b": p}, **options)


# ---- what comes in --------------------------------------------------------------------------------------------------


def test_forms_of_probabilities_and_labels():
    y, p, _ = binary(300)
    two = np.stack([1 - p, p], axis=1)
    expected = evaluated(y, p, metrics=["log_loss", "roc_auc"]).models[0].scores
    texts = np.where(y == 1, "fraud", "ok")
    for labels, proba, options in (
        (list(y), list(p), {}),
        (y.astype(bool), two, {}),
        (pd.Series(y), pd.DataFrame(two), {"names": "booster"}),
        (pl.Series(y), [p], {"names": ["booster"]}),
        (texts, p, {"classes": ["ok", "fraud"]}),
        (pd.Series(texts), {"booster": p[:, None]}, {"classes": ["ok", "fraud"]}),
    ):
        report = evaluated(labels, proba, metrics=["log_loss", "roc_auc"], **options)
        for name, estimate in expected.items():
            assert_allclose(report.models[0].scores[name], estimate)
    assert report.classes == ("ok", "fraud")
    assert report.models[0].name == "booster"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"proba": {}}, "proba must hold the probabilities of at least one model, got none"),
        ({"proba": {"a": [0.5]}}, r"proba must have one row per label \(4 expected\), got shape \(1,\) of model 'a'"),
        ({"proba": [np.full(4, 0.5), np.full(4, 0.2)], "names": ["a", "a"]}, "names must hold 2 different names"),
        ({"names": ["a", "b"]}, "names must hold one name for one array"),
        ({"proba": {"a": [0.5] * 4}, "names": ["a"]}, "names must not be given with a mapping"),
        ({"y_true": ["a", "b", "a", "b"]}, "classes must name the 2 labels"),
        ({"classes": ["a", "b", "c"]}, r"classes must hold 2 different labels, one per class, got \['a', 'b', 'c'\]"),
        ({"y_true": ["a", "b", "c", "b"], "classes": ["a", "b"]}, r"among \['a', 'b'\], got 'c' in row 2"),
        ({"y_true": [1, 1, 1, 1]}, "y_true must contain more than one class, got class 1 only"),
        ({"y_true": [0, 1]}, r"proba must have one row per label \(2 expected\), got shape \(4,\)"),
        ({"sample_weight": [0.0] * 4}, "sample_weight must have a sum > 0, got 4 weights that are all 0"),
        ({"sample_weight": [1.0, 1.0, -1.0, 1.0]}, "sample_weight must be finite and >= 0, got -1.0 in row 2"),
        ({"metrics": ["auc"]}, "metrics must be among log_loss, .*, got 'auc'"),
        ({"metrics": {"log_loss": {"norm": 1}}}, "options of log_loss must be among none, got 'norm'"),
        ({"metrics": {"calibration_error": {"bins": 1}}}, "options of calibration_error must be among .*, got 'bins'"),
        ({"level": 95}, r"level must lie in \(0, 1\), got 95"),
        ({"n_resamples": 1.5}, "n_resamples must be an integer from 2 to 100000, got 1.5"),
        ({"proba": [[0.5, 0.6], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]}, "rows of proba must sum to 1, got 1.1 in row 0"),
        ({"proba": np.array([[0.5, 0.6]] * 4)}, "rows of proba must sum to 1, got 1.1 in row 0"),
    ],
)
def test_what_has_no_meaning_is_refused(change, message):
    given = {"y_true": [0, 1, 1, 0], "proba": [0.2, 0.4, 0.7, 0.3]} | change
    with pytest.raises(ValueError, match=message):
        evaluated(**given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration_error": {"norm": 3}}, "norm must be 1, 2 or 'max', got 3"),
        ({"calibration_error": {"multiclass": "classwise"}}, "multiclass must be"),
        ({"calibration_error": {"norm": "max", "debiased": True}}, "debiased must be False for norm 'max'"),
        ({"calibration_error": {"strategy": "quantiles"}}, "strategy must be"),
        ({"d2": {"score": "briar"}}, "score must be 'log_loss' or 'brier', got 'briar'"),
        ({"miscalibration": {"score": "foo"}}, "score must be 'log_loss' or 'brier', got 'foo'"),
        ([], "metrics must name at least one of log_loss"),
    ],
)
def test_options_of_scores_are_checked_by_the_scores(options, message):
    y, p, _ = binary(100)
    with pytest.raises(ValueError, match=message):
        evaluated(y, p, metrics=options)


def test_hard_cases():
    few = evaluated([0, 1, 0, 1.0], [0.2, 0.3, 0.6, 0.7])
    assert_allclose(few.models[0].scores["log_loss"].value, metrics.log_loss([0, 1, 0, 1], [0.2, 0.3, 0.6, 0.7]))
    y, p, w = binary(1000)
    same = evaluated(y, p, w, n_resamples=30).models[0].scores
    for scale in (1e-200, 1e200):
        scaled = evaluated(y, p, scale * w, n_resamples=30)
        assert_allclose(scaled.weight, scale * w.sum())
        for name, estimate in same.items():
            assert_allclose(scaled.models[0].scores[name], estimate, rtol=1e-4, err_msg=name)
    p[np.argmax(y)] = 0.0
    infinite = evaluated(y, p, eps=0.0)
    assert infinite.models[0].scores["log_loss"].value == math.inf
    assert infinite.models[0].class_loss[0] < 1.0
    json.loads(infinite.to_json())
    loss, brier = (infinite.models[0].scores[name] for name in ("log_loss", "brier_score"))
    assert math.isnan(loss.low)
    assert_allclose(brier, metrics.confidence_interval(metrics.brier_score, y, p), rtol=1e-9)
    both = evaluated(y, [p, p], eps=0.0)
    assert math.isnan(both.differences["model 2", "model 1"]["log_loss"].value)
    absent = np.ones(1000)
    absent[np.argmax(y)] = 0.0
    some = absent > 0.0
    for groups in (None, np.arange(1000) // 3):
        here = evaluated(y, p, absent, eps=0.0, groups=groups)
        there = evaluated(y[some], p[some], eps=0.0, groups=None if groups is None else groups[some])
        for name, estimate in there.models[0].scores.items():
            assert_allclose(here.models[0].scores[name], estimate, rtol=1e-6, atol=2e-3, err_msg=name)
    rare = np.arange(1000) == 3
    assert evaluated(rare, 0.1 * p, np.where(rare, 1e-300, 1.0)).rows == 1000


def test_first_rows_without_weight(monkeypatch):
    monkeypatch.setattr(_report, "BLOCK", 200)
    y, p, _ = binary(1000)
    weight = np.where(np.arange(1000) < 400, 0.0, 1.0)
    some = evaluated(y[400:], p[400:]).models[0]
    every = evaluated(y, p, weight).models[0]
    for name in some.scores:
        here, there = (model.uncorrected.get(name, model.scores[name].value) for model in (every, some))
        assert_allclose(here, there, rtol=1e-9, err_msg=name)
    assert_allclose(every.scores["log_loss"], some.scores["log_loss"], rtol=1e-9)


def test_scores_on_the_edges_of_bins(monkeypatch):
    """A mean of equal probabilities may be rounded across an edge, and take its cell to another bin."""
    monkeypatch.setattr("boosting_losses.metrics._binned_rows.MOST_ROWS", 1000)
    rng = np.random.default_rng(0)
    p = rng.choice([0.15, 0.1, 0.3, 0.6, 0.2, 0.25, 0.4, 0.45, 0.05, 0.7], 20_000)
    y, w = rng.random(20_000) < p**1.5, rng.random(20_000)
    chosen = {"calibration_error": {"n_bins": 20}}
    report = evaluated(y, p, w, metrics=chosen)
    assert not report.is_exact
    expected = metrics.calibration_error(y, p, w, n_bins=20)
    assert_allclose(report.models[0].uncorrected["calibration_error"], expected, rtol=1e-9)


def test_odd_names():
    y, p, _ = binary(200)
    names = ["a[/b] [red]", "x$\\frac$", 3]
    report = evaluated(y, [p, p**2, p**3], names=names)
    for name in names:
        assert str(name) in repr(report)
    with pytest.raises(ValueError, match="proba must have keys that differ as strings"):
        evaluated(y, {1: p, "1": p})
    nested = evaluated([0, 1], [[0.8, 0.2], [0.3, 0.7]])
    assert len(nested.models) == 1


# ---- in words -------------------------------------------------------------------------------------------------------


def kinds(report):
    return [finding.kind for finding in report.findings]


def test_nothing_is_said_of_a_good_model():
    rng = np.random.default_rng(0)
    z = rng.normal(-1.0, 1.5, 4000)
    p = 1 / (1 + np.exp(-z))
    assert kinds(evaluated(rng.random(4000) < p, p)) == []


def test_good_ranking_hides_miscalibration():
    y, p, _ = binary(4000)
    bad = p**3
    report = evaluated(y, {"good": np.clip(p, 0.05, 0.8), "bad": bad})
    of_bad = {finding.kind: finding.text for finding in report.findings if finding.model == "bad"}
    assert of_bad.keys() == {"miscalibration", "biased"}
    estimate = report.models[1].scores["miscalibration"]
    loss = metrics.log_loss(y, bad)
    shown = f"{loss - estimate.value:.4f} ({loss - estimate.high:.4f} to {loss - estimate.low:.4f})"
    assert f"recalibration alone would reduce it to about {shown}" in of_bad["miscalibration"]
    # What isotonic regression makes of these rows is better than what it would make of others.
    assert metrics.decompose(y, bad).refinement < loss - estimate.value
    assert of_bad["biased"].startswith(f"Too low on average: the mean probability is {bad.mean():.4f},")


def test_recalibrated_is_of_the_log_loss_that_is_shown():
    y, p, _ = binary(3000)
    bad = np.clip(p, 0.05, 0.95)
    bad[np.flatnonzero(y)[:30]] = 0.0
    for proba, options in ((bad, {"eps": 1e-2}), (bad.astype(np.float32), {})):
        report = evaluated(y, proba, **options)
        (text,) = [finding.text for finding in report.findings if finding.kind == "miscalibration"]
        scores = report.models[0].scores
        assert f"about {scores['log_loss'].value - scores['miscalibration'].value:.4f} (" in text
    for chosen in ({"log_loss": {}, "miscalibration": {"score": "brier"}}, ["brier_score"]):
        assert "miscalibration" not in kinds(evaluated(y, bad, metrics=chosen))


def test_groups_are_no_uneven_weights():
    y, p, _ = binary(2000)
    report = evaluated(y, p, groups=np.arange(2000) // 20)
    assert "uneven weights" not in kinds(report)


def test_majority_class():
    rng = np.random.default_rng(0)
    y = rng.random(5000) < 0.02
    report = evaluated(y, np.full(5000, 0.02) + 0.01 * rng.random(5000))
    (text,) = [finding.text for finding in report.findings if finding.kind == "majority class"]
    by_class = metrics.log_loss_by_class(y, report.models[0].class_proba[1] * np.ones(5000))
    assert f"{1 - y.mean():.1%}" in text
    assert re.search(r"compared with (\d\.\d+) for 1", text)
    assert_allclose(report.models[0].class_loss, by_class, rtol=0.02)


def test_a_handful_of_rows():
    y, p, _ = binary(3000)
    wrong = [5, 70, 1500, 2999]
    p[wrong] = np.where(y[wrong] == 1, 1e-300, 1 - 1e-16)
    report = evaluated(y, p)
    (finding,) = [finding for finding in report.findings if finding.kind == "few rows"] or [None]
    assert finding is None  # clipped at the machine epsilon, four rows are no fifth of it
    report = evaluated(y, np.where(np.isin(np.arange(3000), wrong), p, 0.02 + 0.96 * y))
    (finding,) = [finding for finding in report.findings if finding.kind == "few rows"]
    assert set(finding.rows[:4]) == set(wrong)
    assert "such rows often have wrong labels" in finding.text


def test_clipped_and_uneven_and_constant():
    y, p, w = binary(1000)
    p[:4] = y[:4]
    report = evaluated(y, p, np.exp(8 * w))
    assert report.models[0].clipped_rows == 4
    texts = {finding.kind: finding.text for finding in report.findings}
    assert texts["clipped"].startswith("4 rows have probabilities of 0 or 1")
    weight = np.exp(8 * w)
    assert f"is only {weight.sum() ** 2 / (weight**2).sum():,.0f} of 1,000" in texts["uneven weights"]
    assert kinds(evaluated(y, np.full(1000, y.mean()))) == ["constant"]


# ---- forms ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    y, p, w = binary()
    p[:5] = 0.0
    return evaluated(y, {"plain": p, "<b>square</b>": p**2}, w)


def test_frames(report):
    frames = [report.to_frame(backend) for backend in ("pandas", "polars", "pyarrow")]
    rows = frames[0].to_dict("records")
    assert [row["model"] for row in rows[:7]] == ["plain"] * 7
    for row in rows[:14]:
        model = next(model for model in report.models if model.name == row["model"])
        assert (row["value"], row["low"], row["high"]) == model.scores[row["score"]]
    assert {"base rate", "fair coin", "<b>square</b> - plain"} <= {row["model"] for row in rows}
    assert frames[1].shape == frames[0].shape
    assert frames[2].num_rows == len(rows)


def test_json(report, tmp_path):
    text = report.to_json(tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text())
    assert read == json.loads(text) == report.to_dict()
    model = read["models"][0]
    assert model["clipped_rows"] == 5
    assert len(model["curve"]["observed"]) == len(model["band_low"]) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_terminal(report):
    text = repr(report)
    for part in ("log loss ↓", f"{report.models[0].scores['log_loss'].value:.4f}", "base rate", "minus"):
        assert part in text
    console = rich.console.Console(record=True, width=150, file=None, quiet=True)
    console.print(report)


def test_pictures_are_written(tmp_path):
    report = evaluated(*binary(100)[:2], metrics=["log_loss"], n_resamples=5)
    report.plot(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    picture = io.BytesIO()
    report.plot(picture, format="svg")
    assert b"<svg" in picture.getvalue()


@pytest.mark.parametrize("data", [binary, multiclass])
def test_pictures_show_the_data(data):
    y, p, w = data()
    report = evaluated(y, p, w, metrics=["log_loss"])
    figure = report.plot()
    diagram, histogram, deciles = figure.axes
    points = next(line for line in diagram.lines if line.get_linestyle() == "None")
    assert_allclose(points.get_xdata(), report.models[0].curve.predicted)
    assert_allclose(points.get_ydata(), report.models[0].curve.observed)
    assert_allclose(histogram.patches[0].get_data().values.sum(), 1.0)
    assert_allclose(deciles.lines[0].get_ydata(), report.models[0].deciles.loss)
    assert all(axes.get_ylabel() for axes in figure.axes)


@pytest.mark.slow
def test_consistency_bands_hold_a_calibrated_model():
    inside = total = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = rng.random(1000)
        model = evaluated(rng.random(1000) < p, p, metrics=["log_loss"]).models[0]
        hit = (model.curve.observed >= model.band_low) & (model.curve.observed <= model.band_high)
        inside, total = inside + hit.sum(), total + len(hit)
    assert 0.92 < inside / total < 0.99
