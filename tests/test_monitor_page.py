"""The page and the figures of a monitor: they show its state, under any names and for any state, and stay small."""

import io
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.dates import date2num
from numba.core import config
from scipy.stats import binomtest, chi2

from boosting_losses import metrics
from boosting_losses.monitor import Monitor, ThresholdRule
from boosting_losses.monitor import _overview as overviews
from boosting_losses.monitor._status import StreamStatus
from boosting_losses.monitor._views import figures, words
from boosting_losses.report._views.looks import printable

from .pages import Elements, refuse_what_is_not_self_contained, shown

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

DAY = 86_400
START = 20_000 * DAY
NAMES = (
    "<script>alert(1)</script>",
    '"onload="x',
    "$\\frac{ and $x_1$ {{ 7 * 7 }} \ud800 \x00 \n line",
    "\u202e القرار 模型 🌲 &amp; <b>bold</b> 'single'",
)


def filled(days=20, rows=60, classes=2, shift=0.0, labels=True, slices=None, models=None, monitor=None, **options):
    """Return a monitor whose log odds are wrong by ``shift`` in the second half; ``models`` has the slices of each."""
    if monitor is None:
        monitor = Monitor(label_delay="3d", clock=None, n_classes=classes, **options)
    rng = np.random.default_rng(0)
    for day in range(days):
        z = rng.normal(size=(rows, classes))
        proba = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        right = proba * np.exp(shift * (day >= days // 2) * (np.arange(classes) == classes - 1))
        right /= right.sum(axis=1, keepdims=True)
        y = (right.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, classes - 1)
        time = START + (day + rng.random(rows)) * DAY
        ids = [f"{day}-{row}" for row in range(rows)]
        for model, own in (models or {"default": slices}).items():
            monitor.record(ids, proba[:, 1] if classes == 2 else proba, time, model=model, slices=own)
        if labels:
            some = rng.random(rows) < 0.8
            monitor.label(np.array(ids, object)[some], y[some], time[some] + rng.random(some.sum()) * 2 * DAY)
    return monitor


def one(labelled=False, proba=0.3):
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(["a"], [proba], START)
    if labelled:
        monitor.label(["a"], [1], START + DAY)
        monitor.advance(START + 9 * DAY)
    return monitor


def one_class():
    monitor = Monitor(label_delay="1d", clock=None)
    for day in range(6):
        ids = [f"{day}-{row}" for row in range(20)]
        monitor.record(ids, np.full(20, 0.01 * (day + 1)), START + day * DAY)
        monitor.label(ids, np.zeros(20), START + (day + 1) * DAY)
    return monitor


def forgotten(days):
    monitor = filled(shift=2.0)
    monitor.advance(START + 40 * DAY)
    monitor.forget(START + days * DAY)
    return monitor


STATES = {
    "empty": lambda: Monitor(label_delay="1d"),
    "one prediction": one,
    "one label": lambda: one(labelled=True),
    "invalid only": lambda: one(proba=np.nan),
    "no labels": lambda: filled(days=5, labels=False),
    "one class": one_class,
    "classes": lambda: filled(classes=7, shift=3.0),
    "some deleted": lambda: forgotten(12),
    "all deleted": lambda: forgotten(30),
}


@pytest.fixture(scope="module")
def odd():
    """Two models with odd names, slices and alerts of two kinds."""
    rule = ThresholdRule(0.1, rolling_window=100, min_samples_for_alert=50)
    return filled(shift=3.0, models={NAMES[0]: {NAMES[1]: NAMES[2]}, NAMES[3]: {NAMES[2]: NAMES[0]}}, rule=rule)


@pytest.fixture(scope="module")
def page(odd):
    return odd.to_html(title=NAMES[2])


def cells(page):
    return [unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]


# ---- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_page(state):
    monitor = STATES[state]()
    page = monitor.to_html()
    refuse_what_is_not_self_contained(page)
    assert not re.search(r"\b(nan|NaT|inf)\b", re.sub("that are NaN", "", page))
    for stream in monitor.status().streams:
        monitor.plot(io.BytesIO(), format="svg", model=stream.model, slice=stream.slice)
    assert ("No alerts." in page) == (not monitor.alerts())
    assert ("<h2><bdi>default, all rows" in page) == (state != "empty")
    assert ("No valid predictions." in page) == (state == "invalid only")


def test_names_are_texts(odd, page):
    refuse_what_is_not_self_contained(page)
    texts = Elements(page).texts
    assert texts.count(shown(NAMES[2])) == 2  # the title and the heading
    for model, part in ((NAMES[0], f"{NAMES[1]}={NAMES[2]}"), (NAMES[3], f"{NAMES[2]}={NAMES[0]}")):
        assert texts.count(shown(f"model {model}")) == 1
        assert texts.count(shown(f"{model}, all rows")) == 1
        # The heading of the figures, and the table of alerts.
        alerts = [alert for alert in odd.alerts() if (alert.model, alert.slice) == (model, part)]
        assert alerts
        assert texts.count(shown(f"{model}, {part}")) == 1 + len(alerts)
        labels = [svg["aria-label"] for svg in Elements(page).all("svg")]
        assert sum(printable(f" of {model}, {part}. ") in label for label in labels) == 4
    assert "49" not in " ".join(text for text in texts if "7 * 7" in text)


def test_names_are_texts_in_figures(odd):
    for stream in odd.status().streams:
        figure = odd.plot(io.BytesIO(), format="svg", model=stream.model, slice=stream.slice)
        title = figure.get_suptitle().replace("\n", " ")
        assert not figure._suptitle.get_parse_math()
        assert title.startswith(printable(stream.model).split()[0])


def test_very_long_names_are_shortened():
    monitor = filled(days=6, shift=6.0, rows=200, models={"m" * 50_000: {"s": "v" * 50_000}}, min_labels=1)
    assert monitor.alerts()
    page = monitor.to_html()
    assert len(page) < 300_000
    assert "…" in page
    assert max(len(text.split(": ")[0]) for text in Elements(page).texts) < 1_000
    monitor.plot(io.BytesIO(), slice=f"s={'v' * 50_000}")


def test_the_tables_have_the_state(odd, page):
    texts = cells(page)
    status = odd.status()
    for stream in status.streams:
        expected = [f"{stream.rows:,}", f"{stream.labelled:,}", f"{stream.coverage:.1%}"]
        expected += [f"{stream.evidence:.3g} of {stream.needed:.3g}"]
        expected += [f"{stream.log_loss:.4f}", f"{stream.expected_log_loss:.4f}"]
        unresolved = sum((alert.model, alert.slice) == (stream.model, stream.slice) for alert in odd.alerts())
        expected.append(f"{unresolved}")
        at = [i for i in range(len(texts)) if texts[i : i + 7] == expected]
        assert at, expected
    for alert in odd.alerts():
        row = [words.moment(alert.time), words.moment(alert.since), f"{alert.labels:,}"]
        assert any(texts[i : i + 3] == row for i in range(len(texts)))
    for key, count in status.counts.items():
        assert words.COUNTS[key] in unescape(page)
        assert f"{count:,}" in texts


def test_every_case_has_words():
    docs = (Path(__file__).parent.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    table = re.findall(r"\| `(\w+)` \|$", docs[: docs.index("## Restarts")], re.MULTILINE)
    assert len(table) > 10
    assert set(table) == set(words.COUNTS)


def test_unresolved_alerts_come_first():
    monitor = filled(days=30, shift=2.0, rows=100, slices={"a": "b"}, cool_down=3)
    alerts = monitor.alerts()
    of_model = [alert for alert in alerts if alert.slice is None]
    assert len(of_model) > 2
    page = unescape(monitor.to_html())
    sentences = page[page.index('class="findings"') : page.index("<nav")]
    assert sentences.count("<li>") == 2  # one for each stream
    assert of_model[-1].text in sentences
    assert of_model[0].text not in sentences
    earlier = ", ".join(f"{alert.number}" for alert in of_model[-6:-1])
    assert f"Alert {of_model[-1].number}</a></strong>" in sentences
    assert f"earlier: {earlier})" in sentences
    monitor.acknowledge(alerts[-1].number)
    page = monitor.to_html()
    assert page.index("(open, ") < page.index("(acknowledged, ")
    for alert in alerts:
        monitor.resolve(alert.number)
    page = monitor.to_html()
    assert "All alerts are resolved." in page
    assert cells(page).count("resolved") == len(alerts)


def test_the_number_of_figures_is_limited(monkeypatch):
    monkeypatch.setattr(overviews, "MOST_DRAWN", 2)
    monitor = filled(days=4, labels=False, models=dict.fromkeys("abcd"))
    page = monitor.to_html()
    assert page.count("<figure>") == 2 * 4
    assert "2 streams are not drawn." in page
    assert page.count('scope="row"') >= 4


def test_slices_with_unresolved_alerts_are_drawn_first(monkeypatch):
    monkeypatch.setattr(overviews, "MOST_DRAWN", 2)
    monitor = filled(days=16, rows=150, shift=3.0, slices={"s": "x"})
    filled(days=4, rows=20, models={"other": {"s": "quiet"}}, monitor=monitor)
    found = overviews.overview(monitor, monitor._settings)
    assert [(stream.status.model, stream.status.slice) for stream in found.streams] == [
        ("default", None),
        ("default", "s=x"),
    ]
    for alert in monitor.alerts():
        monitor.resolve(alert.number)
    found = overviews.overview(monitor, monitor._settings)
    assert [(stream.status.model, stream.status.slice) for stream in found.streams] == [
        ("default", None),
        ("other", None),
    ]


def test_a_long_history_has_a_small_page():
    monitor = Monitor(label_delay="1h", look="1h", clock=None)
    rng = np.random.default_rng(0)
    hours = np.repeat(np.arange(1_200), 3)
    proba = rng.uniform(0.05, 0.95, len(hours))
    ids = list(range(len(hours)))
    monitor.record(ids, proba, START + hours * 3_600.0)
    monitor.label(ids, rng.random(len(hours)) < proba, START + hours * 3_600.0 + 60)
    page = monitor.to_html()
    assert len(page) < 150_000
    stream = overviews.overview(monitor, monitor._settings).streams[0]
    assert len(stream.looks) <= overviews.MOST_WINDOWS
    assert len(stream.evidence.nats) > figures.MOST_LOOKS
    evidence = monitor.plot().axes[4 - 2]
    line = max(evidence.lines, key=lambda line: len(line.get_xdata()))
    assert len(line.get_xdata()) <= figures.MOST_LOOKS
    assert max(line.get_ydata()) == stream.evidence.nats.max()


def test_a_store_and_a_memory_have_the_same_page(tmp_path):
    monitor = filled(days=6, store=str(tmp_path / "monitor.db"))
    page = monitor.to_html()
    monitor.close()
    assert monitor.to_html() == page  # what is in memory
    assert Monitor.open(tmp_path / "monitor.db", clock=None).to_html() == page == filled(days=6).to_html()


def test_settings_of_the_user_make_no_difference():
    monitor = filled(days=6)
    page = monitor.to_html()
    with mpl.rc_context(
        {"axes.facecolor": "black", "font.size": 40, "timezone": "Asia/Tokyo", "axes.edgecolor": "red"}
    ):
        assert monitor.to_html() == page


def test_threads_draw_the_same_page():
    monitor = filled(days=4)
    page, before = monitor.to_html(), dict(mpl.rcParams)
    found = []
    threads = [threading.Thread(target=lambda: found.append(monitor.to_html())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [page] * 4
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("missing", "method"), [("jinja2", "to_html"), ("matplotlib", "plot")])
def test_what_is_not_installed_is_named(monkeypatch, missing, method):
    for name in [name for name in sys.modules if "_views" in name]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    for package in ("boosting_losses.monitor", "boosting_losses.report"):
        monkeypatch.delattr(f"{package}._views", raising=False)
    with pytest.raises(ImportError, match=rf'{method} needs .*pip install "boosting-losses\[monitor,report\]"'):
        getattr(one(), method)()


# ---- the figures ----------------------------------------------------------------------------------------------------


def line_of(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)


def test_lines_are_the_curves():
    monitor = filled(days=60, shift=1.0)
    axes = monitor.plot().axes
    curve = monitor.curve("7d")
    final = ~curve.provisional
    observed, expected = line_of(axes[0], "observed"), line_of(axes[0], "expected")
    np.testing.assert_array_equal(observed.get_xdata(), date2num(curve.end))
    np.testing.assert_array_equal(observed.get_ydata()[final], curve.log_loss[final])
    assert np.isnan(observed.get_ydata()[~final]).all()
    np.testing.assert_array_equal(expected.get_ydata(), curve.expected_log_loss)
    provisional = line_of(axes[0], "provisional").get_ydata()
    np.testing.assert_array_equal(provisional[~final], curve.log_loss[~final])
    assert np.isfinite(provisional).sum() == (~final).sum() + 1
    np.testing.assert_array_equal(
        line_of(axes[1], "observed minus expected").get_ydata()[final], curve.difference[final]
    )
    np.testing.assert_array_equal(line_of(axes[2], "evidence").get_ydata(), monitor.evidence().nats)
    looks = monitor.curve("1d", step="1d")
    np.testing.assert_array_equal(axes[3].patches[0].get_data().values, looks.labelled / looks.rows)
    np.testing.assert_array_equal(line_of(axes[4], "event rate").get_ydata()[final], curve.mean_label[final])
    np.testing.assert_array_equal(line_of(axes[5], "PSI").get_ydata(), monitor.drift_curve("7d").psi)
    assert len({axes[i].get_xlim() for i in range(6)}) == 1


def test_alerts_are_vertical_lines(odd):
    alerts = [alert for alert in odd.alerts() if (alert.model, alert.slice) == (NAMES[0], None)]
    axes = odd.plot(model=NAMES[0]).axes[0]
    since, by_rule, found = ({segment[0][0] for segment in lines.get_segments()} for lines in axes.collections[-3:])
    assert {alert.kind for alert in alerts} >= {"threshold", "miscalibrated"}
    assert since == {date2num(alert.since) for alert in alerts if alert.since is not None}
    assert by_rule == {date2num(alert.time) for alert in alerts if alert.kind == "threshold"}
    assert found == {date2num(alert.time) for alert in alerts if alert.kind != "threshold"}
    assert f"{alerts[0].number}" in [text.get_text() for text in axes.texts]


def test_classes_that_differ_most_are_drawn():
    monitor = filled(days=20, rows=300, classes=7, shift=2.0)
    stream = overviews.overview(monitor, monitor._settings).streams[0]
    assert len(figures.classes(stream)) == figures.MOST_CLASSES
    assert 6 in figures.classes(stream)
    axes = monitor.plot().axes
    assert [text.get_text() for text in axes[4].get_legend().get_texts()] == [
        f"class {k}" for k in figures.classes(stream)
    ]


def test_invalid_probabilities_have_a_panel():
    monitor = Monitor(label_delay="1d", clock=None)
    for day in range(10):
        proba = np.full(20, 0.3)
        proba[: day if day > 5 else 0] = np.nan
        monitor.record([f"{day}-{row}" for row in range(20)], proba, START + day * DAY)
    axes = monitor.plot().axes
    shares = next(ax for ax in axes if ax.get_ylabel() == "share of rows")
    assert line_of(shares, "invalid").get_ydata()[-1] == 9 / 20
    assert not any(line.get_label() == "exactly 0" for line in shares.lines)
    assert "invalid" in monitor.to_html()


def test_intervals_of_reliability():
    monitor = filled(days=20)
    stream = overviews.overview(monitor, monitor._settings).streams[0]
    predicted, observed, low, high = figures.points(stream.now)
    assert len(predicted) > 5
    for n, rate, a, b in zip(stream.now.curve.effective_rows, observed, low, high, strict=True):
        interval = binomtest(round(rate * n), round(n)).proportion_ci(method="wilson")
        assert (a, b) == pytest.approx((interval.low, interval.high))


def test_periods_of_reliability():
    monitor = filled(days=60)
    stream = overviews.overview(monitor, monitor._settings).streams[0]
    until = monitor.status().mature_until
    assert stream.now[:2] == (until - timedelta(days=7), until)
    first = datetime.fromtimestamp(START, UTC)
    assert stream.before[0] == first
    assert abs(stream.before[1] - (first + (until - first) / 2)) <= timedelta(days=1)


def test_plot_writes_files_and_refuses_unknown_streams(tmp_path):
    monitor = filled(days=4, slices={"a": "b"}, max_streams=1)
    monitor.plot(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    monitor.plot(slice="a=b")  # not watched
    with pytest.raises(ValueError, match=r"slice must be one of \['a=b'\], got 'a=c'"):
        monitor.plot(slice="a=c")
    with pytest.raises(ValueError, match="must have predictions"):
        Monitor(label_delay="1d").plot()


# ---- windows --------------------------------------------------------------------------------------------------------


@given(
    st.integers(0, 10**9),
    st.integers(0, 4 * 10**9),
    st.sampled_from(["1min", "1h", "90min", "1d", "36h", "7d", "30d"]),
)
def test_windows_fit_the_period(first, length, look):
    look = round(words_of(look).total_seconds() * 1e6)
    nan = float("nan")
    times = (datetime.fromtimestamp(t, UTC) for t in (first, first + length))
    status = StreamStatus("m", None, 1, 0, nan, 0, 0.0, 1.0, nan, nan, True, *times)
    window, step = overviews._window_and_step(status, look)
    unit = timedelta(microseconds=look)
    assert window % unit == step % unit == timedelta(0)
    assert timedelta(0) < step <= window
    assert timedelta(seconds=length) / step <= overviews.MOST_WINDOWS
    assert window <= max(step, (timedelta(seconds=length) + 2 * unit) / 5)


def words_of(text):
    units = {"min": 60, "h": 3_600, "d": DAY}
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return timedelta(seconds=int(number) * units[unit])


def test_times_of_the_first_and_the_last_row():
    monitor = filled(days=10)
    before = monitor.status().streams[0]
    assert START <= before.first.timestamp() < START + DAY
    assert START + 9 * DAY <= before.last.timestamp() < START + 10 * DAY
    monitor.forget(START + 4 * DAY)
    after = monitor.status().streams[0]
    assert after.first.timestamp() == START
    assert after.last == before.last
    assert one(proba=np.nan).status().streams[0].first is None


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (DAY, "1 day"),
        (7 * DAY, "7 days"),
        (364 * DAY, "52 weeks"),
        (5_400, "90 minutes"),
        (0.5, "0.5 seconds"),
        (0, "0 seconds"),
    ],
)
def test_durations(length, text):
    assert words.duration(timedelta(seconds=length)) == text


# ---- drift over time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 4])
def test_the_curve_has_the_drift_of_each_window(classes):
    monitor = filled(days=20, classes=classes, labels=False, slices={"a": "b"})
    ids = [f"bad-{i}" for i in range(9)]
    wrong = np.full(9, np.nan) if classes == 2 else np.full((9, classes), np.nan)
    monitor.record(ids, wrong, START + 12.5 * DAY, slices={"a": "b"})
    for which in ({}, {"slice": "a=b"}):
        curve = monitor.drift_curve("3d", step="2d", **which)
        assert (curve.reference_end - curve.reference_start) == np.timedelta64(6, "D")
        assert (curve.start >= curve.reference_end).all()
        assert len(curve.psi) == 6
        for i in range(len(curve.psi)):
            alone = monitor.drift(
                curve.start[i], curve.end[i], reference=(curve.reference_start, curve.reference_end), **which
            )
            for name in ("rows", "psi", "expected_psi", "share_of_zeros", "share_of_ones", "share_of_invalid"):
                assert getattr(curve, name)[i] == getattr(alone, name)
            noise = 1 / alone.rows + 1 / alone.reference_rows
            assert chi2.sf(curve.high[i] / noise, 9) == pytest.approx(0.05)
        assert curve.share_of_invalid.max() > 0.0


def test_the_index_exceeds_its_limit_in_one_of_twenty_windows():
    monitor = Monitor(label_delay="1d", clock=None)
    rng = np.random.default_rng(1)
    for day in range(600):
        monitor.record([f"{day}-{i}" for i in range(100)], rng.beta(1, 3, 100), START + day * DAY)
    curve = monitor.drift_curve("1d")
    share = float(np.mean(curve.psi > curve.high))
    assert 0.0 < share < 0.2
    assert np.mean(curve.psi) == pytest.approx(np.mean(curve.expected_psi), rel=0.5)


def test_windows_without_rows_have_no_drift():
    monitor = Monitor(label_delay="1d", clock=None)
    for day in (0, 1, 2, 5):
        monitor.record([f"{day}-{i}" for i in range(10)], np.linspace(0.1, 0.9, 10), START + day * DAY)
    curve = monitor.drift_curve("1d")
    assert curve.rows.tolist() == [10, 0, 0, 10]
    assert np.isnan(curve.psi).tolist() == [False, True, True, False]
    assert np.isnan(curve.high).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="drift_curve needs predictions"):
        one(proba=np.nan).drift_curve()
    constant = Monitor(label_delay="1d", clock=None)
    constant.record(list(range(5)), np.full(5, 0.5), START + np.arange(5) * DAY)
    curve = constant.drift_curve("1d")
    assert curve.psi.tolist() == curve.high.tolist() == [0.0, 0.0, 0.0]


def test_bins_of_equal_weight_in_reliability():
    rng = np.random.default_rng(0)
    proba = rng.beta(1, 30, 500)
    y = rng.random(500) < proba
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(list(range(500)), proba, START)
    monitor.label(list(range(500)), y, START)
    monitor.advance(START + 9 * DAY)
    found = monitor.reliability(n_bins=5, strategy="quantile")
    for a, b in zip(found, metrics.reliability_curve(y, proba, n_bins=5, strategy="quantile"), strict=True):
        np.testing.assert_allclose(a, b)
