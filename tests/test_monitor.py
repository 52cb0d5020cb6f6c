"""The monitor: joins, cohorts, curves, alerts, what it says without labels."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from boosting_losses import metrics
from boosting_losses.calibration import IsotonicCalibration, PlattScaling
from boosting_losses.monitor import Monitor, ThresholdRule
from boosting_losses.monitor._sums import confidence_sequence, expected_clipped, terms_of

DAY = 86_400
START = 20_000 * DAY  # a Monday in 2024, at midnight


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def counts(monitor):
    return monitor.status().counts


def days(monitor, number, rng, rows=400, shift=0.0, delay=0.0, **more):
    """Record a day of predictions whose log odds are off by ``shift``, and their labels ``delay`` days later."""
    z = -1.0 + 1.5 * rng.normal(size=rows)
    y = (rng.random(rows) < sigmoid(z + shift)).astype(int)
    time = START + number * DAY + rng.random(rows) * DAY
    ids = [f"{number}-{row}" for row in range(rows)]
    monitor.record(ids, sigmoid(z), time, **more)
    monitor.label(ids, y, time + delay * DAY)
    return ids, z, y, time


# ---- what the calls mean --------------------------------------------------------------------------------------------


def test_a_replay_changes_nothing():
    monitor = Monitor(label_delay="1d")
    for _ in range(2):
        monitor.record(["a", "b"], [0.1, 0.7], START)
        monitor.label(["a", "b"], [0, 1], START + 5)
    assert counts(monitor) == {"recorded": 2, "replayed": 2, "labelled": 2, "repeated_labels": 2}
    assert monitor.curve(2).log_loss[0] == pytest.approx(log_loss([0, 1], [0.1, 0.7]))


def test_the_first_of_conflicting_predictions_stays():
    monitor = Monitor(label_delay="1d")
    monitor.record(["a", "a"], [0.1, 0.2], START)
    monitor.record(["a"], [0.3], START)
    monitor.label(["a"], [0], START)
    assert counts(monitor) == {"recorded": 1, "conflicting": 2, "labelled": 1}
    assert monitor.curve(1).mean_proba[0] == 0.1


def test_labels_may_come_before_predictions():
    monitor = Monitor(label_delay="1d")
    monitor.label(["a", "b"], [1, 1], START + 50)
    monitor.record(["a", "c"], [0.4, 0.5], START)
    assert counts(monitor) == {"early_labels": 2, "recorded": 2}
    assert monitor.status().streams[0].labelled == 1
    monitor.record(["b"], [0.4], START)
    assert monitor.status().streams[0].labelled == 2


@pytest.mark.parametrize("times", [(10, 20), (20, 10)])
def test_the_latest_label_corrects_the_others(times):
    monitor = Monitor(label_delay="30d")
    monitor.record(["a"], [0.4], START)
    monitor.label(["a"], [1], START + times[0])
    monitor.label(["a"], [0], START + times[1])
    late = times[1] > times[0]
    assert counts(monitor)["corrected_labels" if late else "outdated_labels"] == 1
    assert monitor.curve(1).mean_label[0] == (0.0 if late else 1.0)


def test_labels_of_one_row_in_one_call_are_taken_in_the_order_of_time():
    monitor = Monitor(label_delay="30d")
    monitor.record(["a"], [0.4], START)
    monitor.label(["a", "a", "a"], [0, 1, 1], [START + 30, START + 10, START + 20])
    assert monitor.curve(1).mean_label[0] == 0.0
    assert counts(monitor) == {"recorded": 1, "labelled": 1, "repeated_labels": 1, "corrected_labels": 1}


def test_a_correction_after_maturity_changes_curves_and_not_the_evidence():
    rng = np.random.default_rng(0)
    monitors = [Monitor(label_delay="1d", clock=None) for _ in range(2)]
    for monitor in monitors:
        rng = np.random.default_rng(0)
        for number in range(4):
            days(monitor, number, rng)
    corrected, untouched = monitors
    corrected.label([f"0-{row}" for row in range(400)], np.ones(400), START + 4 * DAY)
    untouched.advance(START + 4 * DAY)
    assert corrected.status().streams[0].evidence == untouched.status().streams[0].evidence
    assert corrected.curve("1d").mean_label[0] == 1.0
    assert counts(corrected)["corrected_labels"] > 100


def test_predictions_and_labels_of_a_counted_cohort_are_late():
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(["a", "b"], [0.5, 0.5], START)
    monitor.label(["a"], [1], START + 2 * DAY)  # its cohort is mature exactly now, with this label
    assert monitor.status().streams[0].looks == 1
    monitor.record(["c"], [0.5], START)
    monitor.label(["b", "c"], [1, 1], START + 2 * DAY)
    assert counts(monitor) == {"recorded": 3, "labelled": 3, "late_predictions": 1, "late_labels": 2}
    assert monitor.status().streams[0].looks == 1
    assert monitor.curve("1d").labelled[0] == 3


def test_one_call_with_many_labels_counts_each_cohort_with_the_labels_known_at_its_maturity():
    """A file of months of labels gives what the same labels give day by day, in any order of its rows."""
    rng = np.random.default_rng(1)
    daily, at_once = Monitor(label_delay="3d", clock=None), Monitor(label_delay="3d", clock=None)
    batches = []
    for number in range(20):
        z = rng.normal(size=50)
        ids, y = [f"{number}-{row}" for row in range(50)], rng.integers(0, 2, 50)
        time = START + number * DAY + rng.random(50) * DAY
        batches.append((ids, sigmoid(z), y, time, time + rng.random(50) * 5 * DAY))
    ids, proba, y, time, label_time = (np.concatenate(part) for part in zip(*batches, strict=True))
    at_once.record(ids, proba, time)
    order = rng.permutation(len(ids))
    at_once.label(ids[order], y[order], label_time[order])
    daily.record(ids, proba, time)
    for row in np.argsort(label_time):
        daily.label(ids[row : row + 1], y[row : row + 1], label_time[row])
    assert str(daily.status()) == str(at_once.status())
    assert daily.status().streams[0].evidence == at_once.status().streams[0].evidence
    assert counts(daily)["late_labels"] > 100


def test_two_models_may_score_the_same_rows():
    monitor = Monitor(label_delay="1d")
    monitor.record(["a", "b"], [0.1, 0.2], START, model="old")
    monitor.label(["a"], [1], START + 1)
    monitor.record(["a", "b"], [0.3, 0.4], START, model="new")
    monitor.label(["b"], [0], START + 2)
    assert [stream.labelled for stream in monitor.status().streams] == [2, 2]
    assert monitor.curve(2, model="new").log_loss[0] == pytest.approx(log_loss([1, 0], [0.3, 0.4]))
    with pytest.raises(ValueError, match=r"model must be one of \['old', 'new'\], got None"):
        monitor.curve(2)


def test_a_missing_label_may_stand_for_a_class():
    monitor = Monitor(label_delay="1d", missing=0, clock=None)
    monitor.record(["a", "b"], [0.3, 0.4], START)
    monitor.label(["a"], [1], START + 10)
    monitor.advance(START + 2 * DAY)
    assert monitor.curve(2).mean_label[0] == 0.5
    monitor.label(["b"], [1], START + 20)  # the real label is older than maturity, but came late
    assert monitor.curve(2).mean_label[0] == 1.0
    assert counts(monitor)["late_labels"] == 1


def test_times_in_the_future_are_refused_and_counted():
    monitor = Monitor(label_delay="1d", clock=lambda: START + 100.0)
    monitor.record(["a", "b"], [0.3, 0.4], [START, START + 1000])
    monitor.label(["a"], [1], START + 1000)
    monitor.advance(START + 1000)
    assert counts(monitor) == {"recorded": 1, "from_the_future": 3}


def test_probabilities_that_are_none_are_counted_and_not_scored():
    monitor = Monitor(label_delay="1d")
    monitor.record(list("abcd"), [0.3, math.nan, 1.5, -0.1], START)
    assert counts(monitor) == {"recorded": 1, "invalid": 3}
    drift = monitor.drift(START, START + DAY, reference=[0.1, 0.2, 0.3])
    assert drift.share_of_invalid == 0.75
    three = Monitor(label_delay="1d", n_classes=3)
    three.record(["a", "b"], [[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]], START)
    assert counts(three) == {"recorded": 1, "invalid": 1}


@pytest.mark.parametrize(
    "time",
    [
        START,
        float(START),
        datetime.fromtimestamp(START, UTC),
        datetime.fromtimestamp(START, UTC).astimezone(),
        np.datetime64(START, "s"),
        np.array([START, START], "datetime64[s]"),
        datetime.fromtimestamp(START, UTC).isoformat(),
        datetime.fromtimestamp(START, UTC).replace(tzinfo=None),
        [datetime.fromtimestamp(START, UTC)] * 2,
    ],
)
def test_times_of_any_kind(time):
    monitor = Monitor(label_delay=timedelta(days=1))
    monitor.record(["a", "b"], [0.5, 0.5], time)
    monitor.label(["a", "b"], [0, 1], time)
    assert monitor.curve("1d").end[0] == np.datetime64(START + DAY, "s")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.record(["a"], [0.1, 0.2], 0), r"proba must have shape \(1,\), one row for each id, got \(2,\)"),
        (lambda m: m.record("ab", [0.1, 0.2], 0), "ids must be a sequence with one entry for each row"),
        (lambda m: m.record(["a"], [0.1], [0, 1]), "time must have one time or 1, one for each row"),
        (
            lambda m: m.record(["a"], [0.1], "yesterday"),
            "time must be in ISO 8601, as 2026-05-03T14:00, got 'yesterday'",
        ),
        (lambda m: m.record(["a"], [0.1], 1.7e15), "seconds since 1970, got 1.7e.15; divide milliseconds by 1000"),
        (lambda m: m.record(["a"], [0.1], math.nan), "time must be finite, got nan"),
        (lambda m: m.record(["a"], [0.1], np.datetime64("NaT", "s")), "time must hold a time for each row, got NaT"),
        (lambda m: m.record(["a"], [0.1], 0, weight=[-1.0]), "weight must be finite and >= 0, got -1.0 in row 0"),
        (lambda m: m.record(["a"], [0.1], 0, group=[1, 2]), "group must have 1 entries, one for each id, got 2"),
        (lambda m: m.record(["a"], [0.1], 0, slices={"s": [1, 2]}), r"slices\['s'\] must have 1 entries"),
        (lambda m: m.label(["a"], [2], 0), r"y must hold class codes 0..1, got 2(\.0)? in row 0"),
        (lambda m: m.label(["a"], [1, 0], 0), r"y must have shape \(1,\), one label for each id, got \(2,\)"),
        (lambda m: m.resolve(1), r"number must be that of an alert, 1..0, got 1"),
        (lambda m: Monitor(label_delay="soon"), "label_delay must be a timedelta, seconds, or a text"),
        (lambda m: Monitor(label_delay="1d", look=0), "look must be > 0, got 0"),
        (lambda m: Monitor(label_delay=-1), "label_delay must be >= 0, got -1"),
        (lambda m: Monitor(label_delay="1d", missing=2), r"missing must be None or a class code 0..1, got 2"),
        (lambda m: Monitor(label_delay="1d", run_length=0), "run_length must be > 1 and finite, got 0"),
        (lambda m: Monitor(label_delay="1d", cool_down=-1), "cool_down must be a whole number >= 0, got -1"),
        (lambda m: ThresholdRule(0.0), "baseline must be a log loss > 0, got 0.0"),
        (lambda m: ThresholdRule(0.3, rolling_window=100), "min_samples_for_alert must be at most rolling_window=100"),
    ],
)
def test_wrong_arguments_are_refused_in_words(call, message):
    monitor = Monitor(label_delay="1d")
    with pytest.raises((TypeError, ValueError), match=message):
        call(monitor)
    assert counts(monitor) == {}


# ---- curves ---------------------------------------------------------------------------------------------------------


@st.composite
def streams(draw):
    """Random calls: predictions and labels in any order, with copies, corrections and gaps."""
    classes = draw(st.sampled_from([2, 3]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    rows = draw(st.integers(1, 40))
    calls = []
    for row in range(rows):
        proba = rng.dirichlet(np.ones(classes))
        calls.append(("record", row, proba, float(START + rng.integers(0, 5 * DAY)), float(rng.integers(1, 4))))
        calls += [
            ("label", row, int(rng.integers(classes)), float(START + rng.integers(0, 9 * DAY)), 0.0)
            for _ in range(rng.integers(0, 4))
        ]
    calls += [calls[i] for i in rng.integers(0, len(calls), 10)]
    return classes, [calls[i] for i in rng.permutation(len(calls))]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(streams())
def test_windows_of_many_streams(stream):
    check_windows(*stream)


@settings(max_examples=10, deadline=None)
@given(streams())
def test_windows_are_those_of_the_metrics_on_their_rows(stream):
    check_windows(*stream)


def check_windows(classes, calls):
    """Brute force: the last label of each row by time, the rows of each window, scikit-learn's scores."""
    monitor = Monitor(label_delay="2d", n_classes=classes, clock=None)
    served, labels = {}, {}
    for kind, row, value, time, weight in calls:
        if kind == "record":
            monitor.record([row], value[None], time, weight=[weight])
            served.setdefault(row, (time, value, weight))
        else:
            monitor.label([row], [value], time)
            if row not in labels or time >= labels[row][0]:
                labels[row] = (time, value)
    order = sorted(served, key=lambda row: served[row][0])
    proba = np.array([served[row][1] for row in order])
    weight = np.array([served[row][2] for row in order])
    time = np.array([served[row][0] for row in order])
    y = np.array([labels[row][1] if row in labels else -1 for row in order])
    # Rows of one time may be in any order within a window of rows; windows of time hold all of them.
    for window, curve in (("2d", monitor.curve("2d")), (7, monitor.curve(7, step=1))):
        for k in range(len(curve)):
            if window == "2d":
                low, high = (
                    edge.astype("datetime64[us]").astype(np.int64) / 1e6 for edge in (curve.start[k], curve.end[k])
                )
                inside = (time >= low) & (time < high) & (y >= 0)
            else:
                inside = np.flatnonzero(y >= 0)[k : k + 7]
                if len(np.unique(time)) < len(time):
                    continue
            truth, p, w = y[inside], proba[inside], weight[inside]
            assert curve.labelled[k] == len(truth)
            if not len(truth):
                continue
            loss = np.average(-np.log(p[np.arange(len(truth)), truth]), weights=w)
            assert curve.log_loss[k] == pytest.approx(loss, abs=1e-9)
            assert curve.expected_log_loss[k] == pytest.approx(
                np.average(-(p * np.log(p)).sum(axis=1), weights=w), abs=1e-9
            )
            square = ((np.eye(classes)[truth] - p) ** 2).sum(axis=1)
            assert curve.brier_score[k] == pytest.approx(
                np.average(square, weights=w) / (2 if classes == 2 else 1), abs=1e-9
            )
            assert curve.calibration_error[k] == pytest.approx(metrics.calibration_error(truth, p, w), abs=1e-9)
            assert curve.low[k] <= curve.difference[k] <= curve.high[k]
            shares = np.array([np.average(truth == c, weights=w) for c in range(classes)])
            np.testing.assert_allclose(curve.mean_label[k], shares[1] if classes == 2 else shares, atol=1e-9)
            if len(np.unique(truth)) == classes:
                assert curve.normalized_cross_entropy[k] == pytest.approx(
                    metrics.normalized_cross_entropy(truth, p, w), abs=1e-9
                )


def test_scores_of_two_classes_are_scikit_learns():
    rng = np.random.default_rng(2)
    monitor = Monitor(label_delay="1d", clock=None)
    _, z, y, _ = days(monitor, 0, rng)
    curve = monitor.curve("1d")
    assert curve.log_loss[0] == pytest.approx(log_loss(y, sigmoid(z)), rel=1e-12)
    assert curve.brier_score[0] == pytest.approx(brier_score_loss(y, sigmoid(z)), rel=1e-12)
    assert set(curve.to_dict()) >= {"start", "end", "log_loss", "expected_log_loss", "provisional"}


def test_a_right_model_has_the_expected_loss_whatever_the_mix():
    rng = np.random.default_rng(3)
    monitor = Monitor(label_delay="1d", clock=None)
    for number in range(40):
        z = (2.0 if number >= 20 else 0.0) - 2.0 + rng.normal(size=500)
        ids = [f"{number}-{row}" for row in range(500)]
        monitor.record(ids, sigmoid(z), START + number * DAY)
        monitor.label(ids, rng.random(500) < sigmoid(z), START + number * DAY)
    curve = monitor.curve("10d", step="10d")
    assert abs(curve.log_loss[0] - curve.log_loss[-1]) > 0.02
    assert (np.abs(curve.difference) < 0.05).all()
    assert ((curve.low < 0) & (curve.high > 0)).all()
    assert curve.provisional.tolist() == [False, False, False, True]


def test_part_of_a_curve_is_that_part():
    rng = np.random.default_rng(13)
    monitor = Monitor(label_delay="1d", clock=None)
    for number in range(12):
        days(monitor, number, rng, rows=50)
    whole, part = monitor.curve("3d"), monitor.curve("3d", start=START + 5 * DAY, end=START + 9 * DAY)
    inside = (whole.end > np.datetime64(START + 5 * DAY, "s")) & (whole.end <= np.datetime64(START + 9 * DAY, "s"))
    assert inside.sum() == 4
    for name, values in part.to_dict().items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, getattr(whole, name)[inside], rtol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(values, getattr(whole, name)[inside], err_msg=name)
    assert len(monitor.curve(100, step=1, start=START + 5 * DAY, end=START + 9 * DAY)) == 101


def test_the_confidence_sequence_holds_at_every_moment():
    """Of right models with rare events, at most 5 % of the sequences may ever leave 0 out."""
    rng = np.random.default_rng(4)
    left = 0
    for _ in range(300):
        p = rng.beta(0.3, 6.0, 2000)
        y = (rng.random(2000) < p).astype(np.int32)
        terms = terms_of(p, y, np.ones(2000))
        half = confidence_sequence(np.cumsum(terms.surprise**2), np.full(2000, 20.0), 10.7)
        left += bool((np.abs(np.cumsum(terms.surprise)) > half).any())
    assert left <= 15


def test_expected_clipped_loss_is_the_mean_over_labels():
    p = np.array([0.0, 1e-6, 0.3, 1.0 - 1e-7, 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.nan_to_num(p * np.minimum(-np.log(p), 10.0)) + np.nan_to_num(
            (1 - p) * np.minimum(-np.log1p(-p), 10.0)
        )
    np.testing.assert_allclose(expected_clipped(p), wanted, rtol=1e-12, atol=2e-15)


# ---- alerts ---------------------------------------------------------------------------------------------------------


def drifting(days_before=30, days_after=25, shift=0.588, **settings):  # odds x 1.8
    rng = np.random.default_rng(5)
    monitor = Monitor(label_delay="2d", clock=None, **settings)
    for number in range(days_before + days_after):
        days(
            monitor,
            number,
            rng,
            shift=shift if number >= days_before else 0.0,
            slices={"country": rng.choice(["DE", "FR"], 400)},
        )
    return monitor


def test_a_drift_raises_an_alert_with_numbers():
    monitor = drifting()
    alerts = [alert for alert in monitor.alerts() if alert.slice is None]
    first = alerts[0]
    assert first.kind == "miscalibrated"
    change = datetime.fromtimestamp(START + 30 * DAY, UTC)
    assert change <= first.time <= change + timedelta(days=6)
    assert abs(first.since - change) <= timedelta(days=3)
    assert first.saving_low <= first.saving <= first.saving_high
    assert first.evidence >= first.needed == pytest.approx(math.log(1000 * 3))
    assert first.mean_label > first.mean_proba
    assert first.shift == pytest.approx(math.log(1.8), abs=0.35)
    assert "predictions are too low" in str(first)
    assert f"{first.labels:,} labels" in first.text
    record = first.to_dict()
    assert record["schema_version"] == 1
    assert datetime.fromisoformat(record["since"]) == first.since
    # 25 days of drift, a cool-down of 7 looks between alerts.
    assert 2 <= len(alerts) <= 4


def test_acknowledged_alerts_are_not_raised_again_until_resolved():
    rng = np.random.default_rng(5)
    monitor = Monitor(label_delay="0d", clock=None, cool_down=0)
    number = 0
    while not monitor.alerts():
        days(monitor, number := number + 1, rng, shift=1.0)
    monitor.acknowledge(1)
    for _ in range(5):
        days(monitor, number := number + 1, rng, shift=1.0)
    assert len(monitor.alerts()) == 1
    assert monitor.status().open_alerts == 1
    monitor.resolve(1)
    for _ in range(3):
        days(monitor, number := number + 1, rng, shift=1.0)
    assert len(monitor.alerts()) > 1
    assert [alert.number for alert in monitor.alerts("resolved")] == [1]


def test_a_right_model_with_a_season_raises_no_alert_and_the_threshold_rule_does():
    rng = np.random.default_rng(6)
    rule = ThresholdRule(0.36, 10.0, rolling_window=2000)
    monitor = Monitor(label_delay="1d", clock=None, rule=rule)
    for number in range(60):
        z = -2.0 + number / 30 + 1.5 * rng.normal(size=400)
        ids = [f"{number}-{row}" for row in range(400)]
        monitor.record(ids, sigmoid(z), START + number * DAY)
        monitor.label(ids, rng.random(400) < sigmoid(z), START + number * DAY)
    assert {alert.kind for alert in monitor.alerts()} == {"threshold"}
    assert "above 0.3960 = 0.3600 + 10 %" in monitor.alerts()[0].text


def test_an_event_of_probability_0_is_an_alert():
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(["a", "b"], [0.0, 0.5], START)
    monitor.label(["a", "b"], [1, 1], START)
    monitor.advance(START + 2 * DAY)
    assert [alert.kind for alert in monitor.alerts()] == ["impossible"]
    assert monitor.alerts()[0].text.endswith("had a served probability of exactly 0")


def test_informative_delays_raise_no_alert_when_cohorts_are_mature():
    """Positives are known within 10 days, negatives after 30: labels as they come say that events are too many."""

    def run(label_delay):
        rng = np.random.default_rng(7)
        monitor = Monitor(label_delay=label_delay, clock=None)
        due = []
        for number in range(60):
            z = -2.0 + 1.5 * rng.normal(size=200)
            y = (rng.random(200) < sigmoid(z)).astype(int)
            ids = [f"{number}-{row}" for row in range(200)]
            monitor.record(ids, sigmoid(z), START + number * DAY)
            delay = np.where(y == 1, rng.integers(0, 10, 200), 30)
            due += [(number + d, i, label) for d, i, label in zip(delay, ids, y, strict=True)]
            now = [(i, label) for day, i, label in due if day == number]
            if now:
                monitor.label(*zip(*now, strict=True), time=START + number * DAY + 3600)
        return monitor.alerts()

    assert run("30d") == []
    assert len(run("0d")) > 0


def test_labels_missing_for_high_scores_are_said_to_be():
    rng = np.random.default_rng(8)
    monitor = Monitor(label_delay="1d", clock=None)
    p = rng.uniform(size=500)
    monitor.record(list(range(500)), p, START)
    kept = np.flatnonzero(p < rng.uniform(size=500))
    monitor.label(kept, np.zeros(len(kept)), START)
    monitor.advance(START + 3 * DAY)
    stream = monitor.status().streams[0]
    assert stream.coverage == len(kept) / 500
    assert not stream.missing_at_random
    assert "different mean probabilities" in str(monitor.status())


def test_slices_beyond_the_limit_are_not_watched():
    monitor = Monitor(label_delay="1d", clock=None, max_streams=3)
    monitor.record(list(range(10)), np.full(10, 0.5), START, slices={"shop": range(10)})
    monitor.label(list(range(10)), np.ones(10), START)
    monitor.advance(START + 3 * DAY)
    assert len(monitor.status().streams) == 3
    assert counts(monitor)["unwatched_slices"] == 8
    assert monitor.curve("1d", slice="shop=9").labelled[0] == 1
    with pytest.raises(ValueError, match="slice must be one of"):
        monitor.curve("1d", slice="shop=10")


# ---- recalibration, drift -------------------------------------------------------------------------------------------


def test_recalibration_can_go_into_production():
    monitor = drifting()
    since = next(alert.since for alert in monitor.alerts() if alert.slice is None)
    found = monitor.recalibration(start=since)
    assert isinstance(found.calibrator, PlattScaling)
    assert 0.0 < found.low < found.saving < found.high
    p = np.array([0.1, 0.5, 0.9])
    shift = found.calibrator.fitted_[0][1]
    assert shift == pytest.approx(math.log(1.8), abs=0.15)
    recalibrated = found.predict_proba(p)
    assert recalibrated.shape == (3,)
    np.testing.assert_allclose(found.predict_proba(np.column_stack([1 - p, p]))[:, 1], recalibrated)
    np.testing.assert_allclose(found.calibrator.predict_proba(metrics.logits(p))[:, 1], recalibrated)
    isotonic = monitor.recalibration(start=since, calibrator=IsotonicCalibration())
    assert isinstance(isotonic.calibrator, IsotonicCalibration)
    # Recalibrated probabilities raise no alert.
    rng = np.random.default_rng(9)
    watching = Monitor(label_delay="0d", clock=None)
    for number in range(40):
        z = -1.0 + 1.5 * rng.normal(size=400)
        ids = [f"{number}-{row}" for row in range(400)]
        watching.record(ids, found.predict_proba(sigmoid(z)), START + number * DAY)
        watching.label(ids, rng.random(400) < sigmoid(z + math.log(1.8)), START + number * DAY)
    assert watching.alerts() == []
    with pytest.raises(ValueError, match="recalibration needs at least 10 mature labelled rows"):
        monitor.recalibration(start=START + 500 * DAY)


def test_drift_of_scores_needs_no_labels():
    rng = np.random.default_rng(10)
    monitor = Monitor(label_delay="1d", clock=None)
    for number, shift in enumerate((0.0, 0.0, 0.8)):
        p = sigmoid(shift + rng.normal(size=2000))
        p[:20] = 0.0 if number == 2 else p[:20]
        monitor.record([f"{number}-{row}" for row in range(2000)], p, START + number * DAY)
    first = (START, START + DAY)
    same = monitor.drift(START + DAY, START + 2 * DAY, reference=first)
    other = monitor.drift(START + 2 * DAY, START + 3 * DAY, reference=first)
    assert same.p_value > 0.001
    assert same.psi < 5 * same.expected_psi
    assert other.p_value < 1e-10
    assert other.share_of_zeros == 0.01
    assert other.expected_psi == pytest.approx(9 * (1 / 2000 + 1 / 2000))
    with pytest.raises(ValueError, match="drift needs predictions between"):
        monitor.drift(START + 9 * DAY, START + 10 * DAY, reference=first)


@pytest.mark.slow
def test_psi_of_no_change_is_chi_square():
    rng = np.random.default_rng(11)
    monitor = Monitor(label_delay="1d", clock=None)
    reference = rng.uniform(size=5000)
    p_values = []
    for number in range(200):
        ids = [f"{number}-{row}" for row in range(500)]
        monitor.record(ids, rng.uniform(size=500), START + number * DAY)
        p_values.append(monitor.drift(START + number * DAY, START + (number + 1) * DAY, reference=reference).p_value)
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.12


def test_reliability_of_a_time():
    rng = np.random.default_rng(12)
    monitor = Monitor(label_delay="0d", clock=None)
    for number in range(4):
        days(monitor, number, rng, shift=1.0 if number >= 2 else 0.0)
    then = monitor.reliability(end=START + 2 * DAY)
    now = monitor.reliability(start=START + 2 * DAY)
    assert np.average(now.observed - now.predicted, weights=now.weight) > 0.1
    assert abs(np.average(then.observed - then.predicted, weights=then.weight)) < 0.05


def test_labels_without_a_time_became_known_now_or_when_they_were_final():
    now = [20 * DAY]
    monitor = Monitor(label_delay="3d", clock=lambda: now[0])
    monitor.record(["old", "new"], [0.5, 0.5], [2 * DAY + 5.0, 19 * DAY + 5.0])
    monitor.label(["new", "old"], [1, 0])
    assert monitor.status().counts == {"recorded": 2, "labelled": 2}
    assert monitor.status().clock.timestamp() == 20 * DAY
    (looks,) = [stream.looks for stream in monitor.status().streams]
    assert looks == 1  # only the cohort of day 2 is mature
    with pytest.raises(ValueError, match="time must be given if the monitor has no clock"):
        Monitor(label_delay=0, clock=None).label(["a"], [1])
