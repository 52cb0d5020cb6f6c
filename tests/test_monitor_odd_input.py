"""The monitor and the detector with odd but legal input, copies, threads, and input that must be refused."""

import copy
import itertools
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from boosting_losses.monitor import Detector, Monitor, ThresholdRule

DAY = 86_400


def watching(**settings):
    return Monitor(label_delay=0, clock=None, **settings)


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def test_streams_are_in_the_order_in_which_slices_were_given():
    monitor = watching()
    names = [f"column {number}" for number in (5, 3, 9, 1, 7)]
    monitor.record(["a"], [0.5], 0, slices=dict.fromkeys(names, "x"))
    monitor.label(["a"], [1], 0)
    monitor.advance(2 * DAY)
    assert [stream.slice for stream in monitor.status().streams] == [None, *(f"{name}=x" for name in names)]


def test_rows_without_weight_are_no_evidence_and_raise_no_alert(tmp_path):
    monitor = watching(rule=ThresholdRule(0.1, min_samples_for_alert=1), store=tmp_path / "monitor.db")
    monitor.record(["a", "b"], [0.0, 0.9], 0, weight=[0.0, 0.0])
    monitor.label(["a", "b"], [1, 0], 10)
    monitor.advance(2 * DAY)
    assert monitor.alerts() == []
    monitor.record(["c", "d"], [0.0, 0.9], 3 * DAY, weight=[0.0, 1.0])
    monitor.label(["c", "d"], [1, 0], 3 * DAY)
    monitor.advance(5 * DAY)
    assert [alert.kind for alert in monitor.alerts()] == ["threshold"]
    monitor.close()
    assert str(Monitor.open(tmp_path / "monitor.db", clock=None).status()) == str(monitor.status())


def test_probabilities_of_k_classes_are_normalised():
    monitor = watching(n_classes=3)
    monitor.record([1, 2], [[0.3, 0.3, 0.40005], [0.2, 0.3, 0.4999]], 0)
    monitor.label([1, 2], [0, 2], 0)
    monitor.advance(2 * DAY)
    wanted = -np.mean(np.log([0.3 / 1.00005, 0.4999 / 0.9999]))
    assert monitor.curve("1d").log_loss[0] == pytest.approx(wanted, rel=1e-12)
    assert monitor.status().counts == {"recorded": 2, "labelled": 2}


def test_rounding_beyond_1_is_1():
    monitor = watching()
    monitor.record(["a", "b"], np.array([1.0000001, -1e-8], np.float32), 0)
    assert monitor.status().counts == {"recorded": 2}


@pytest.mark.parametrize("settings", [{}, {"min_saving": 1e-3}, {"look_effect": 0.0}])
def test_evidence_does_not_depend_on_the_order_of_classes(settings):
    rng = np.random.default_rng(0)
    shares = np.log([0.01, 0.02, 0.4, 0.57])
    orders = [[0, 1, 2, 3], [2, 3, 0, 1], [3, 1, 2, 0]]
    detectors = [Detector(4, **settings) for _ in orders]
    for look in range(30):
        z = log_softmax(shares + 0.8 * rng.normal(size=(300, 4)))
        truth = np.exp(log_softmax(z + np.array([0.0, 0.0, 0.02 * look, 0.0])))
        y = (rng.random(300)[:, None] > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
        nats = [
            detector.update(np.argsort(order)[y], z[:, order]).nats
            for detector, order in zip(detectors, orders, strict=True)
        ]
        np.testing.assert_allclose(nats, nats[0], rtol=1e-6, atol=1e-6)
    assert nats[0] > 1.0


def test_looks_that_tell_nothing_add_up_to_nothing():
    detector = Detector(run_length=100)
    for _ in range(2_000):
        assert not detector.update([0], [-16.0]).alarm
        assert not detector.update([0, 1], [1.0, -1.0], weight=[0.0, 0.0]).alarm


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([7], np.zeros((1, 3))), r"y must hold class codes 0..2, got 7 to 7"),
        (([0.5], np.zeros((1, 3))), r"y must hold class codes 0..2"),
        (([0], np.zeros((1, 2))), r"logits must have shape \(1, 3\), one row for each label, got \(1, 2\)"),
        (([0], [[0.0, math.nan, 0.0]]), "logits must be finite"),
        (([0], np.zeros((1, 3)), [-1.0]), "weight must be finite and >= 0, got -1"),
        (([0], np.zeros((1, 3)), None, [1, 2]), r"group must have shape \(1,\), one entry for each label, got \(2,\)"),
    ],
)
def test_a_detector_refuses_odd_looks(arguments, message):
    with pytest.raises(ValueError, match=message):
        Detector(3).update(*arguments)


def test_copies_are_independent(tmp_path):
    monitor = watching()
    monitor.record(["a", "b"], [0.5, 0.6], 0)
    monitor.label(["a", "b"], [0, 1], 0)
    for other in (copy.deepcopy(monitor), pickle.loads(pickle.dumps(watching()))):
        other.record(["c"], [0.5], 0)
        other.advance(3 * DAY)
    assert monitor.status().streams[0].looks == 0
    stored = watching(store=tmp_path / "monitor.db")
    with pytest.raises(TypeError, match="a monitor with a store cannot be copied or pickled"):
        pickle.dumps(stored)


def test_threads_take_turns():
    monitor = watching()

    def work(thread):
        for batch in range(40):
            ids = [(thread, batch, row) for row in range(10)]
            monitor.record(ids, [0.5] * 10, batch * DAY / 20)
            monitor.label(ids, [1] * 10, batch * DAY / 20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    counts = monitor.status().counts
    assert counts["recorded"] == counts["labelled"] == 1600


def test_threads_may_read_and_delete_while_others_write():
    monitor = watching()
    monitor.record(["first"], [0.5], 0)

    def write():
        for batch in range(60):
            ids = [(batch, row) for row in range(50)]
            monitor.record(ids, [0.5] * 50, batch * DAY / 4, slices={"s": "x"})
            monitor.label(ids, [row % 2 for row in range(50)], batch * DAY / 4)

    def read():
        for _ in range(60):
            monitor.status()
            monitor.curve("2d")
            monitor.forget(0 if monitor.status().mature_until is None else monitor.status().mature_until)

    with ThreadPoolExecutor(3) as pool:
        for task in [pool.submit(write), pool.submit(read), pool.submit(read)]:
            task.result()
    assert monitor.curve("1d", step="1d").rows.sum() == 3001


def test_impossible_events_have_no_saving():
    monitor = watching()
    ids = list(range(40))
    monitor.record(ids, [0.0, 1.0] * 20, 0)
    monitor.label(ids, [1, 0] * 20, 0)
    monitor.advance(2 * DAY)
    alert = monitor.alerts()[0]
    assert (alert.kind, alert.labels) == ("impossible", 40)
    assert math.isnan(alert.saving)


def test_a_refused_call_leaves_no_trace():
    monitor = watching()
    with pytest.raises(TypeError, match="group must be a sequence of hashable entries"):
        monitor.record(["a", "b"], [0.1, 0.2], 0, group=[[1], [2]])
    with pytest.raises(TypeError, match="ids must be a sequence of hashable entries"):
        monitor.record([["a"]], [0.1], 0)
    with pytest.raises(ValueError, match="time must be seconds since 1970"):
        monitor.record(["a"], [0.1], 1e11)
    monitor.record(["a", "b"], [0.1, 0.2], 0)
    monitor.label(["a", "b"], [1, 0], 0)
    assert monitor.curve(2).labelled.tolist() == [2]


def test_rows_without_a_group_are_not_a_group():
    rng = np.random.default_rng(1)
    z = rng.normal(size=400)
    y = (rng.random(400) < 1.0 / (1.0 + np.exp(-z - 1.0))).astype(int)
    nats = []
    for group in (None, [None] * 400, [math.nan] * 400):
        monitor = watching()
        monitor.record(list(range(400)), 1.0 / (1.0 + np.exp(-z)), 0, group=group)
        monitor.label(list(range(400)), y, 0)
        monitor.advance(2 * DAY)
        nats.append(monitor.evidence().nats[0])
    assert nats[0] == nats[1] == nats[2] > 5.0


def test_drift_of_two_columns_is_that_of_the_second():
    rng = np.random.default_rng(2)
    p, reference = rng.beta(1.0, 9.0, 500), rng.beta(1.0, 9.0, 800)
    monitor = watching()
    monitor.record(list(range(500)), p, 0)
    one = monitor.drift(0, DAY, reference=reference)
    assert monitor.drift(0, DAY, reference=np.column_stack([1.0 - reference, reference])) == one
    assert one.psi < 0.1
    with pytest.raises(ValueError, match="reference must be a pair of times in a tuple, or probabilities"):
        monitor.drift(0, DAY, reference=[0, DAY])


def test_drift_sees_moves_from_atoms():
    monitor = watching()
    monitor.record(list(range(1000)), np.full(1000, 0.1), 0)
    assert monitor.drift(0, DAY, reference=np.full(1000, 0.5)).p_value < 1e-10
    assert monitor.drift(0, DAY, reference=np.full(1000, 0.1)).psi == 0.0


def test_drift_when_everything_is_broken():
    monitor = watching()
    for _ in range(3):
        monitor.record(["a", "b"], [math.nan, math.nan], 0, slices={"shop": ["x", "y"]})
    monitor.record(["c"], [0.5], 2 * DAY, slices={"shop": "y"})
    assert monitor.status().counts == {"recorded": 1, "invalid": 2, "replayed": 4}
    drift = monitor.drift(0, DAY, reference=[0.1, 0.2])
    assert (drift.rows, drift.share_of_invalid) == (0, 1.0)
    assert math.isnan(drift.psi)
    assert monitor.drift(0, 3 * DAY, reference=[0.1, 0.2], slice="shop=y").share_of_invalid == 0.5


def test_intervals_do_not_depend_on_the_unit_of_weights():
    rng = np.random.default_rng(3)
    p = rng.uniform(size=300)
    y = (rng.random(300) < p).astype(int)
    curves = []
    for unit in (1.0, 1e-3, 1e3):
        monitor = watching()
        monitor.record(list(range(300)), p, 0, weight=np.full(300, unit))
        monitor.label(list(range(300)), y, 0)
        curves.append(monitor.curve("1d"))
    for curve in curves[1:]:
        np.testing.assert_allclose([curve.low, curve.high], [curves[0].low, curves[0].high], rtol=1e-9)


def test_a_window_of_rows_is_provisional_until_its_last_row_is_mature():
    monitor = watching()
    monitor.record(["a", "b"], [0.5, 0.5], [0, DAY])
    monitor.label(["a", "b"], [0, 1], DAY)
    assert monitor.curve(2).provisional.tolist() == [True]
    monitor.advance(2 * DAY)
    assert monitor.curve(2).provisional.tolist() == [False]


def test_an_alert_that_continues_another_has_its_start():
    rng = np.random.default_rng(4)
    monitor = watching()
    for day in range(60):
        z = -1.0 + 1.5 * rng.normal(size=400)
        y = rng.random(400) < 1.0 / (1.0 + np.exp(-z - (0.7 if day >= 20 else 0.0)))
        ids = [f"{day}-{row}" for row in range(400)]
        monitor.record(ids, 1.0 / (1.0 + np.exp(-z)), day * DAY)
        monitor.label(ids, y, day * DAY)
    starts = [alert.since for alert in monitor.alerts()]
    assert len(starts) >= 3
    assert len(set(starts)) == 1
    assert [alert.labels for alert in monitor.alerts()] == sorted(alert.labels for alert in monitor.alerts())


def test_names_of_slices_may_hold_anything():
    monitor = watching()
    monitor.record(["a", "b"], [0.5, 0.5], 0, slices={"a=b": ["c", "d=e"], "none": None, "number": np.int64(3)})
    monitor.label(["a", "b"], [0, 1], 0)
    monitor.advance(2 * DAY)
    for name in ("a=b=c", "a=b=d=e", "none=None", "number=3"):
        assert len(monitor.curve("1d", slice=name)) == 1
        assert len(monitor.evidence(slice=name).nats) == 1
    with pytest.raises(ValueError, match="slice must be one of"):
        monitor.evidence(slice="nonsense")


def test_numpy_scalars_are_numbers_and_texts(tmp_path):
    monitor = watching(n_classes=np.int64(3), store=tmp_path / "monitor.db")
    ids = [*np.arange(2), *np.array(["x", "y"])]
    monitor.record(ids, np.full((4, 3), 1 / 3), np.int64(0))
    monitor.label([0, 1, "x", "y"], [0, 1, 2, 2], 0)
    assert monitor.status().counts == {"recorded": 4, "labelled": 4}
    monitor.close()
    with pytest.raises(ValueError, match=r"the store must be open, got a closed one; use Monitor.open"):
        monitor.advance(5)
    with pytest.raises(ValueError, match="label_delay must be given for a new store"):
        Monitor.open(tmp_path / "typo.db")
    assert not (tmp_path / "typo.db").exists()


def test_times_before_1970():
    monitor = watching()
    monitor.record(["a"], [0.5], -5 * DAY)
    monitor.label(["a"], [1], -4 * DAY)
    assert monitor.status().clock is not None
    assert monitor.status().streams[0].looks == 1


def test_an_empty_monitor():
    monitor = watching()
    assert str(monitor.status()).startswith("no predictions yet")
    for call in (monitor.curve, monitor.recalibration, monitor.evidence):
        with pytest.raises(ValueError, match="the monitor must have predictions, got none"):
            call()
    monitor.record([], [], [])
    monitor.label([], [], [])
    assert len(monitor.curve("1d")) == len(monitor.curve(5)) == 0


def test_savings_use_all_events_however_they_lie():
    monitor = watching()
    p = np.full(1000, 0.01)
    y = np.zeros(1000, int)
    y[:10] = 1
    monitor.record(list(range(1000)), p, np.arange(1000))
    monitor.label(list(range(1000)), y, 1000)
    monitor.advance(2 * DAY)
    found = monitor.recalibration()
    assert abs(found.saving) < 0.002
    assert found.low < found.saving < found.high


def test_every_combination_of_optional_arguments_is_stored(tmp_path):
    for number, (weight, group, slices) in enumerate(
        itertools.product(([2.0], None), (["g"], None), ({"s": "x"}, None))
    ):
        path = tmp_path / f"{number}.db"
        monitor = watching(store=path)
        monitor.record(["a"], [0.4], 0, weight=weight, group=group, slices=slices)
        monitor.close()
        again = Monitor.open(path, clock=None)
        assert again.status().counts == {"recorded": 1}


def test_labels_without_a_prediction_wait_for_a_while(tmp_path):
    """For ten times the label delay plus a look, here 30 days, and until the next look becomes mature."""
    monitor = Monitor(label_delay="2d", clock=None, store=tmp_path / "monitor.db")
    for day in range(60):
        monitor.label([f"{day}", "again"], [1, 1], day * DAY)
    assert monitor.status().counts == {"early_labels": 120, "unmatched_labels": 27}
    assert len(monitor._ledger._waiting) == 34
    monitor.record([f"{day}" for day in range(60)], [0.5] * 60, 0)
    assert monitor.status().streams[0].labelled == 33
    monitor.record(["again"], [0.5], 0)
    assert monitor.status().streams[0].labelled == 34
    assert str(Monitor.open(tmp_path / "monitor.db", clock=None).status()) == str(monitor.status())


@pytest.mark.parametrize("delay", [0, 1.5 * DAY, 5 * DAY])
def test_cohorts_are_counted_once_whatever_the_order_of_calls(delay):
    """Compare with cohorts that are counted by their definition."""
    rng = np.random.default_rng(int(delay))
    monitor, rows, clock, late, counted = Monitor(label_delay=delay, clock=None), {}, -math.inf, 0, set()
    for call in range(400):
        kind, now = rng.integers(3), call * DAY / 20
        if kind == 0:
            time = now - rng.exponential(3 * DAY) + rng.exponential(2 * DAY)
            cohort = math.floor(time / DAY)
            late += (cohort + 1) * DAY + delay <= clock
            rows.setdefault(cohort, []).append(clock)
            monitor.record([str(call)], [0.5], time)
            monitor.label([str(call)], [1], -5 * DAY)
        elif kind == 1:
            clock = max(clock, now - rng.exponential(DAY))
            monitor.advance(clock)
        counted |= {
            c for c, seen in rows.items() if (c + 1) * DAY + delay <= clock and min(seen) < (c + 1) * DAY + delay
        }
        assert monitor.status().counts.get("late_predictions", 0) == late
        streams = monitor.status().streams
        assert (streams[0].looks if streams else 0) == len(counted)
    assert late > 1
    assert len(counted) > 5
