"""Scores, reports and calibrators on Dask collections give the results of the same rows in memory."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster
from numba.core import config
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from boosting_losses import _validation, calibration, metrics
from boosting_losses.calibration import (
    BetaCalibration,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
)
from boosting_losses.dask import _score_points, fit, predict_proba, report, score, scores
from boosting_losses.metrics import _binned_rows, _even_sample
from boosting_losses.report import SCORES, ProbabilityReport

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

CALIBRATORS = [TemperatureScaling, PlattScaling, BetaCalibration, IsotonicCalibration, VectorScaling]


@pytest.fixture(autouse=True, scope="module")
def _threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


def drawn(classes, n=1500, seed=0):
    """Labels, probabilities, raw scores and weights, of which some are 0; sorted by label, so that parts have one class."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(-0.5, 1.5, n) if classes == 2 else rng.normal(0.0, 1.5, (n, classes))
    noise = rng.logistic(size=n) if classes == 2 else rng.gumbel(size=(n, classes))
    y = (raw * 0.7 + noise > 0).astype(int) if classes == 2 else np.argmax(0.7 * raw + noise, axis=1)
    order = np.argsort(y, kind="stable")
    weight = rng.random(n) * (rng.random(n) > 0.2)
    y, raw = y[order], raw[order]
    return y, calibration.probabilities(raw)[:, 1] if classes == 2 else calibration.probabilities(raw), raw, weight


def cut(values, sizes=None):
    """A Dask array with unequal partitions, of which some are empty."""
    n = len(values)
    sizes = (0, 1, 7, n // 2, 0, n - n // 2 - 8) if sizes is None else sizes
    return da.from_array(values, chunks=(sizes, *((1,) * size for size in values.shape[1:])))


def unknown(values, parts=4):
    """A Dask series or frame, whose partitions are of unknown size."""
    frame = pd.DataFrame(values).add_prefix("c") if values.ndim == 2 else pd.Series(values, name="c")
    return dd.from_pandas(frame, npartitions=parts, sort=False)


def names_for(classes):
    return [name for name, entry in SCORES.items() if classes == 2 or not entry.two_classes_only]


# ---- scores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 5])
def test_every_score_is_that_of_one_machine(classes, weighted):
    y, proba, raw, w = drawn(classes)
    weight = w if weighted else None
    found = scores(names_for(classes), cut(y), cut(proba, (1000, 500)), cut(w) if weighted else None)
    of_raw = scores(names_for(classes), cut(y), raw=cut(raw), sample_weight=cut(w) if weighted else None)
    for name in names_for(classes):
        expected = SCORES[name].function(y, proba, weight)
        assert_allclose(found[name], expected, rtol=1e-9, err_msg=name)
        assert_allclose(of_raw[name], expected, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_with_options(classes):
    y, proba, _, w = drawn(classes)
    for name, options in {
        "calibration_error": {
            "norm": 2,
            "strategy": "quantile",
            "n_bins": 9,
            "debiased": True,
            "multiclass": "class_wise",
        },
        "d2": {"score": "brier"},
        "miscalibration": {"score": "brier"},
        "trimmed_log_loss": {"trim": 0.1},
        "log_loss": {"eps": 0.2},
    }.items():
        expected = SCORES[name].function(y, proba, w, **options)
        assert_allclose(score(SCORES[name].function, cut(y), cut(proba), cut(w), **options), expected, rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 5])
def test_frames_and_arrays_of_unknown_sizes(classes):
    y, proba, _, w = drawn(classes)
    expected = metrics.log_loss(y, proba, w)
    in_two = np.stack([1 - proba, proba], axis=1) if classes == 2 else proba
    frame = dd.from_pandas(pd.DataFrame(in_two).add_prefix("p").assign(y=y, w=w), npartitions=5, sort=False)
    columns = [name for name in frame.columns if name.startswith("p")]
    some = frame[frame["w"] > 0.0]  # removes rows, so that sizes are unknown
    assert_allclose(score("log_loss", frame["y"], frame[columns], frame["w"]), expected)
    assert_allclose(score("log_loss", some["y"], some[columns], some["w"]), expected)
    assert_allclose(score("log_loss", some["y"].values, some[columns].values, some["w"]), expected)
    assert_allclose(score("log_loss", frame["y"], cut(proba), cut(w)), expected)  # cut like the frame


def test_collections_that_do_not_match_are_refused():
    y, proba, _, _ = drawn(2)
    with pytest.raises(TypeError, match=r"y_true must be a Dask array, series or frame, got numpy.ndarray"):
        score("log_loss", y, cut(proba))
    with pytest.raises(TypeError, match=r"sample_weight must be a Dask array.* got builtins.list"):
        score("log_loss", cut(y), cut(proba), [1.0])
    with pytest.raises(TypeError, match=r"proba must be a Dask array, series or frame, got dask.delayed.Delayed"):
        score("log_loss", cut(y), dask.delayed(proba))
    with pytest.raises(ValueError, match="proba must have the 1500 rows of y_true, got 1499"):
        score("log_loss", cut(y), cut(proba[1:]))
    with pytest.raises(
        ValueError, match="proba must have the 4 partitions of y_true if the number of its rows is unknown, "
    ):
        score("log_loss", unknown(y), unknown(proba, parts=3))
    other = dd.concat([unknown(proba[:100], 1), unknown(proba[100:], 3)])
    with pytest.raises(
        ValueError, match=r"proba must have the rows of y_true in each partition, got \d+ rows instead of 375"
    ):
        score("log_loss", unknown(y), other)
    with pytest.raises(ValueError, match="y_true must have at least one row, got none"):
        score("log_loss", cut(y[:0], (0, 0)), cut(proba[:0], (0, 0)))
    with pytest.raises(ValueError, match="y_true must have one or two dimensions, got 3"):
        score("log_loss", da.zeros((2, 2, 2)), cut(proba))
    with pytest.raises(ValueError, match="either proba or raw must be given, got none"):
        score("log_loss", cut(y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, p, w: p.__setitem__(1200, 1.5), r"proba must lie in \[0, 1\], got 1.5 in row 1200$"),
        (lambda y, p, w: y.__setitem__(1400, 7), r"y_true must lie in \[0, 1\], got 7.0 in row 1400$"),
        (lambda y, p, w: w.__setitem__(5, -1.0), "sample_weight must be finite and >= 0, got -1.0 in row 5$"),
        (lambda y, p, w: w.fill(0.0), "sample_weight must have a sum > 0, got 1500 weights that are all 0"),
        (
            lambda y, p, w: w.fill(1e200),
            r"the largest sample_weight of a partition must lie in \[1e-100, 1e\+100\], got 1e",
        ),
        (lambda y, p, w: y.fill(0), "y_true must hold more than one class"),
    ],
)
def test_invalid_rows_are_named_by_their_number_in_all_data(change, message):
    y, proba, _, w = drawn(2)
    change(y, proba, w)
    with pytest.raises(ValueError, match=message):
        score("normalized_cross_entropy", cut(y), cut(proba), cut(w))


def test_what_scores_refuse():
    y, proba, _, w = drawn(5)
    with pytest.raises(ValueError, match=r"metrics must be among log_loss, .* got 'loss'"):
        score("loss", cut(y), cut(proba))
    with pytest.raises(ValueError, match="options of roc_auc must be among none, got 'n_bins'"):
        scores({"roc_auc": {"n_bins": 3}}, cut(y), cut(proba))
    with pytest.raises(ValueError, match=r"metrics must be among .* got <function"):
        scores([lambda y, p: 0.0], cut(y), cut(proba))
    with pytest.raises(ValueError, match=r"must contain probabilities of two classes"):
        score("calibration_slope", cut(y), cut(proba))
    with pytest.raises(ValueError, match=r"y_true must hold rows of every class 0..4, got none of class 4"):
        score("roc_auc", cut(np.minimum(y, 3)), cut(proba), cut(w))
    with pytest.raises(ValueError, match=r"y_true must hold class codes .* got soft labels"):
        score("log_loss", cut(proba), cut(proba))


def test_rounded_probabilities_are_counted_once():
    y, proba, _, _ = drawn(2)
    proba[[3, 1400]] = 1.0 + 1e-8
    with pytest.warns(_validation.RoundedWarning, match="got 2 values outside by at most 1e-06, which were moved"):
        score("brier_score", cut(y), cut(proba))


@pytest.mark.parametrize("classes", [2, 5])
def test_merged_rows_change_scores_within_the_stated_bounds(classes, monkeypatch):
    monkeypatch.setattr(_binned_rows, "MOST_ROWS", 1000)
    y, proba, _, _ = drawn(classes, n=20_000)
    found = scores(names_for(classes), cut(y), cut(proba))
    edges = _binned_rows.BinnedRows(15)._edges
    for name in names_for(classes):
        expected = SCORES[name].function(y, proba)
        exact = ("log_loss", "brier_score", "normalized_cross_entropy", "d2", "calibration_error")
        assert_allclose(found[name], expected, rtol=1e-9 if name in exact else 5e-3, atol=1e-4, err_msg=name)
    errors = []
    for k in [1] if classes == 2 else range(classes):
        cells = np.searchsorted(edges, proba if classes == 2 else proba[:, k])
        shares = [np.bincount(cells[own], minlength=len(edges)) / own.sum() for own in (y == k, y != k)]
        errors.append(0.5 * (shares[0] * shares[1]).sum())
    assert 0.0 < abs(found["roc_auc"] - metrics.roc_auc(y, proba)) <= np.mean(errors)


def test_arrays_with_a_common_source_compute_it_once():
    made = []

    def make(block_info=None):
        made.append(block_info[None]["chunk-location"])
        rng = np.random.default_rng(len(made))
        return np.stack([rng.random(50) < 0.5, rng.random(50)], axis=1)

    data = da.map_blocks(make, chunks=((50,) * 6, (2,)), dtype=float, meta=np.empty((0, 0)))
    score("log_loss", data[:, 0], data[:, 1])
    assert len(made) == 6


# ---- reports --------------------------------------------------------------------------------------------------------

#: Errors whose correction for noise is found by a search with a precision of 0.1 %.
SEARCHED = ("calibration_error", "smooth_calibration_error", "integrated_calibration_index", "errors")


def assert_same(one, other, path=()):
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], (*path, key))
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, (*path, i))
    elif isinstance(one, float):
        searched = set(path) & set(SEARCHED)
        assert_allclose(
            other, one, rtol=1e-2 if searched else 1e-7, atol=1e-3 if searched else 1e-10, err_msg=str(path)
        )
    elif path[-1] != "text":
        assert one == other, path


def both(classes, grouped):
    """The report of one machine and that of partitions, on two models with slices."""
    y, proba, _, w = drawn(classes, seed=1)
    rng = np.random.default_rng(2)
    shuffled = rng.permutation(len(y))
    y, proba, w = y[shuffled], proba[shuffled], w[shuffled]
    other = proba**2 if classes == 2 else proba**2 / (proba**2).sum(axis=1, keepdims=True)
    models = {"first": proba, "squared": other}
    groups = np.sort(rng.integers(0, 150, len(y))) if grouped else None
    slices = {"région": np.array(["ü", "b", "a"])[rng.integers(0, 3, len(y))], "even": np.arange(len(y)) % 2}
    options = {"n_resamples": 60, "thresholds": (0.2, 0.5) if classes == 2 else (), "reference": "squared"}
    names = np.array([f"class {k}" for k in range(classes)])
    options["classes"] = list(names)
    y = names[y]
    one = ProbabilityReport.from_predictions(y, models, w, groups=groups, slices=slices, **options)
    many = report(
        cut(y),
        {name: cut(values) for name, values in models.items()},
        cut(w),
        groups=None if groups is None else cut(groups),
        slices={name: cut(values) for name, values in slices.items()},
        **options,
    )
    return one, many


@pytest.mark.parametrize(
    ("classes", "grouped"),
    [
        (2, False),
        (5, True),
        pytest.param(2, True, marks=pytest.mark.slow),
        pytest.param(5, False, marks=pytest.mark.slow),
    ],
)
def test_a_report_is_that_of_one_machine(classes, grouped):
    one, many = both(classes, grouped)
    assert_same(one.to_dict(), many.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 5])
def test_a_report_on_merged_rows_is_that_of_one_machine(classes, monkeypatch):
    monkeypatch.setattr(_binned_rows, "MOST_ROWS", 500)
    monkeypatch.setattr(_even_sample, "SAMPLE", 200)
    one, many = both(classes, grouped=False)
    assert not many.is_exact
    assert_same(one.to_dict(), many.to_dict())


def test_a_report_on_frames():
    y, proba, _, _ = drawn(2)
    frame = dd.from_pandas(pd.DataFrame({"y": y, "p": proba, "s": np.arange(len(y)) % 3}), npartitions=3, sort=False)
    for slices in (frame[["s"]], frame["s"]):
        name = "s" if slices.ndim == 2 else "slice"
        one = ProbabilityReport.from_predictions(y, proba, slices={name: np.arange(len(y)) % 3}, n_resamples=30)
        assert_same(one.to_dict(), report(frame["y"], frame["p"], slices=slices, n_resamples=30).to_dict())


def test_the_worst_rows_of_constant_predictions_are_the_first():
    y, proba, _, w = drawn(2)
    models = {"constant": np.full(len(y), 0.25), "other": proba}
    one = ProbabilityReport.from_predictions(y, models, w > 0, n_resamples=30).models[0]
    many = report(cut(y), {name: cut(values) for name, values in models.items()}, cut(w > 0), n_resamples=30).models[0]
    first = np.flatnonzero((y == 1) & (w > 0))
    assert [row for row, *_ in one.worst_rows] == list(first[: len(one.worst_rows)])
    assert one.worst_rows == many.worst_rows


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(1500) % 100, "the rows of each group must be contiguous, got rows of group 0 after"),
        (np.where(np.arange(1500) == 1300, np.nan, 1.0), "groups must have no missing values, got nan in row 1300"),
        (np.ones(1500), "groups must name at least 2 groups, got only 1.0"),
        (np.ones((1500, 2)), r"groups must have shape \(n,\), one group per label, got \(n, 2\)"),
    ],
)
def test_groups_that_are_refused(groups, message):
    y, proba, _, _ = drawn(2)
    with pytest.raises(ValueError, match=message):
        report(cut(y), cut(proba), groups=cut(groups))


def test_what_reports_refuse():
    y, proba, _, w = drawn(2)
    with pytest.raises(ValueError, match=r"slices must have at most 200 categories, got .* of 'slice'"):
        report(cut(y), cut(proba), slices=cut(np.arange(1500)))
    with pytest.raises(ValueError, match=rf"y_true must hold labels among .* got 1 in row {np.argmax(y == 1)}"):
        report(cut(y), cut(proba), classes=[0, 2])
    proba[1450] = -1.0
    with pytest.raises(ValueError, match=r"model 'a': proba must lie in \[0, 1\], got -1.0 in row 1450"):
        report(cut(y), {"b": cut(np.full(1500, 0.5)), "a": cut(proba)}, cut(w))
    with pytest.raises(ValueError, match="sample_weight must have a sum > 0, got 1500 weights"):
        report(cut(y), cut(np.full(1500, 0.5)), cut(0.0 * w))


# ---- calibrators ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibrator", CALIBRATORS)
@pytest.mark.parametrize("classes", [2, 5])
def test_calibrators_are_those_of_one_machine(classes, calibrator):
    y, _, raw, w = drawn(classes)
    names = np.array(list("edcba"))[:classes]
    for weight in (None, w):
        one = calibrator().fit(raw, names[y], weight)
        many = fit(calibrator(), cut(raw), cut(names[y]), None if weight is None else cut(weight))
        assert list(many.classes_) == list(one.classes_)
        assert many.n_scores_ == one.n_scores_
        proba = predict_proba(many, cut(raw))
        assert proba.shape == (len(y), classes)
        assert_allclose(proba.compute(), one.predict_proba(raw), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("calibrator", CALIBRATORS)
@pytest.mark.parametrize("classes", [2, 5])
def test_calibrators_of_many_rows_start_from_the_same_sample(classes, calibrator):
    y, _, raw, w = drawn(classes, n=90_000)
    one = calibrator().fit(raw, y, w)
    many = fit(calibrator(), unknown(raw), unknown(y), unknown(w))
    assert_allclose(predict_proba(many, unknown(raw)).compute(), one.predict_proba(raw), rtol=1e-9, atol=1e-12)


def test_isotonic_calibration_merges_many_scores_into_cells(monkeypatch):
    y, _, raw, w = drawn(2, n=20_000)
    monkeypatch.setattr(_score_points, "MOST_POINTS", 2000)
    merged = fit(IsotonicCalibration(), cut(raw), cut(y), cut(w))
    low, high = raw.min(), raw.max()
    cell = np.minimum(((raw - low) / (high - low) * 2000).astype(int), 1999)
    weight = np.bincount(cell, weights=w)[cell]
    moved = np.where(weight > 0, np.bincount(cell, weights=w * raw)[cell] / np.where(weight > 0, weight, 1.0), raw)
    assert abs(moved - raw).max() <= (high - low) / 2000
    ends = np.append(moved, [low, high])  # the extreme scores remain, without weight
    one = IsotonicCalibration().fit(ends, np.append(y, [0, 1]), np.append(w, [0.0, 0.0]))
    assert_allclose(merged.predict_proba(raw), one.predict_proba(raw), rtol=1e-9, atol=1e-12)
    few = np.round(raw, 2)  # few distinct scores are never merged
    assert_allclose(
        fit(IsotonicCalibration(), cut(few), cut(y), cut(w)).predict_proba(few),
        IsotonicCalibration().fit(few, y, w).predict_proba(few),
        rtol=1e-9,
        atol=1e-12,
    )


def test_what_calibrators_refuse():
    y, _, raw, w = drawn(2)
    with pytest.raises(ValueError, match="raw must be finite, got inf in row 1400"):
        fit(PlattScaling(), cut(np.where(np.arange(1500) == 1400, np.inf, raw)), cut(y))
    with pytest.raises(ValueError, match="y must hold class labels, got nan in row 1400"):
        fit(PlattScaling(), cut(raw), cut(np.where(np.arange(1500) == 1400, np.nan, y)))
    with pytest.raises(ValueError, match="y must hold 2 classes for these scores, got 3: "):
        fit(PlattScaling(), cut(raw), cut(np.arange(1500) % 3 + 5))
    with pytest.raises(ValueError, match="sample_weight must have a sum > 0"):
        fit(PlattScaling(), cut(raw), cut(y), cut(0.0 * w))
    with pytest.raises(ValueError, match=r"y must have shape \(n,\)"):
        fit(PlattScaling(), cut(raw), cut(np.stack([y, y], axis=1)))
    with pytest.raises(ValueError, match="raw must have the 1500 rows of y, got 1400"):
        fit(PlattScaling(), cut(raw[:1400]), cut(y))
    fitted = PlattScaling().fit(raw, y)
    with pytest.raises(TypeError, match=r"raw must be a Dask array, series or frame, got numpy\.ndarray"):
        predict_proba(fitted, raw)
    with pytest.raises(NotFittedError):
        predict_proba(PlattScaling(), cut(raw))


# ---- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    with dask.config.set(scheduler=None), LocalCluster(silence_logs=50, **options) as cluster, Client(cluster):
        for classes in (2, 5):
            y, proba, raw, w = drawn(classes)
            found = scores(names_for(classes), cut(y), cut(proba), cut(w))
            for name, value in found.items():
                assert_allclose(value, SCORES[name].function(y, proba, w), rtol=1e-9, err_msg=name)
        for calibrator in CALIBRATORS:
            one, many = calibrator().fit(raw, y, w), fit(calibrator(), cut(raw), cut(y), cut(w))
            assert_allclose(many.predict_proba(raw), one.predict_proba(raw), rtol=1e-9, atol=1e-12)
        assert_same(*(whole.to_dict() for whole in both(2, grouped=True)))
        with pytest.raises(ValueError, match=r"in row 1450$"):
            score("log_loss", cut(y), cut(np.where(np.arange(1500)[:, None] == 1450, 2.0, proba)))
