"""``boosting-losses monitor``: its commands against the same calls of a Monitor in memory."""

import datetime as dt
import json
import re

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone

from boosting_losses.monitor import Monitor, ThresholdRule

from .command_line import DOCUMENT, run

DAYS, ROWS = 40, 150
NAMES = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BOOSTING_LOSSES_ID_KEY", raising=False)
    monkeypatch.delenv("BOOSTING_LOSSES_STORE", raising=False)


def monitor(command, *arguments, stdin=None, store="m.db"):
    return run(command, *arguments, "--store", store, command="monitor", stdin=stdin)


def simulated(n_classes=2, shift=0.8):
    """Columns of served predictions; the odds of class 1 change half way."""
    random = np.random.default_rng(0)
    n = DAYS * ROWS
    day = np.repeat(np.arange(DAYS), ROWS)
    wrong_by = np.where(day < DAYS // 2, 0.0, shift)
    score = random.normal(-1.0, 1.2, (n, n_classes - 1))
    served = np.exp(np.hstack([np.zeros((n, 1)), score]))
    true = np.exp(np.hstack([np.zeros((n, 1)), score + wrong_by[:, None]]))
    chance = true / true.sum(1, keepdims=True)
    y = (random.random((n, 1)) > chance.cumsum(1)[:, :-1]).sum(1)
    time = (np.datetime64("2026-03-01", "s") + day * 86_400 + random.integers(0, 86_400, n)).astype("datetime64[us]")
    return {
        "id": [f"row {i}" for i in range(n)],
        "time": time,
        "proba": served / served.sum(1, keepdims=True),
        "y": y,
        "known": time + random.integers(0, 5 * 86_400, n).astype("timedelta64[s]"),
        "country": random.choice(["DE", "FR"], n),
        "weight": random.integers(1, 4, n).astype(float),
        "shop": random.integers(0, 400, n).astype(str),
    }


def table(data, labels=None):
    proba = {f"p{k}": data["proba"][:, k] for k in range(data["proba"].shape[1])}
    names = {name: data[name] for name in ("id", "time", "known", "country", "weight", "shop")}
    return pa.table({**names, **proba, "y": data["y"] if labels is None else labels})


def as_csv(whole, path):
    columns = [
        [value.isoformat() if isinstance(value, dt.datetime) else value for value in column.to_pylist()]
        for column in whole.columns
    ]
    lines = [",".join(whole.column_names)]
    lines += [",".join("" if value is None else str(value) for value in row) for row in zip(*columns, strict=True)]
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("\n".join(lines) + "\n")


def in_memory(data, **settings):
    found = Monitor(label_delay="7d", **settings)
    proba = data["proba"] if data["proba"].shape[1] > 2 else data["proba"][:, 1]
    found.record(data["id"], proba, data["time"], slices={"country": data["country"].tolist()}, weight=data["weight"])
    found.label(data["id"], data["y"], data["known"])
    return found


COLUMNS = ("--id", "id", "--time", "time", "--slice", "country", "--weight", "weight")


def check_same(found, other):
    assert str(found.status()) == str(other.status())
    assert [alert.to_dict() for alert in found.alerts()] == [alert.to_dict() for alert in other.alerts()]


def stored(path="m.db"):
    return Monitor.open(path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_file_gives_the_state_of_the_same_calls(kind):
    data = simulated()
    pq.write_table(table(data), "rows.parquet")
    as_csv(table(data), "rows.csv")
    labels = ("--label", "y", "--label-time", "known")
    code, out, err = monitor("ingest", f"rows.{kind}", *COLUMNS, "--proba", "p1", *labels, "--label-delay", "7d")
    assert (code, err) == (0, "")
    assert out.startswith("labelled 6,000, recorded 6,000\nalert 1: default: since")
    expected = in_memory(data)
    assert expected.alerts()
    check_same(stored(), expected)


def test_predictions_and_labels_may_be_in_several_files_in_any_order_of_rows():
    data = simulated()
    whole, half = table(data), DAYS * ROWS // 2
    pq.write_table(whole.slice(half), "part-1.parquet")
    pq.write_table(whole.slice(0, half), "part-2.parquet")
    predicted = monitor("ingest", "part-1.parquet", "part-2.parquet", *COLUMNS, "--proba", "p1", "--label-delay", "7d")
    assert predicted == (0, "recorded 6,000\n", "")
    code, out, err = monitor(
        "ingest", "part-1.parquet", "part-2.parquet", "--id", "id", "--label", "y", "--label-time", "known"
    )
    assert (code, out.splitlines()[0], err) == (0, "labelled 6,000", "")
    again = monitor("ingest", "part-1.parquet", *COLUMNS, "--proba", "p1")
    assert again == (0, "replayed 3,000\n", "")
    with stored() as found:
        expected = in_memory(data)
        assert [alert.text for alert in found.alerts()] == [alert.text for alert in expected.alerts()]


def test_classes_and_models_and_standard_input():
    data = simulated(3)
    whole = table(data, np.array(NAMES)[data["y"]])
    whole = whole.append_column("q0", whole["p1"]).append_column("q1", whole["p0"]).append_column("q2", whole["p2"])
    as_csv(whole, "rows.csv")
    with open("rows.csv", "rb") as file:  # noqa: PTH123
        content = file.read()
    options = (
        "--proba",
        "p0,p1,p2",
        "--proba",
        "q0,q1,q2",
        "--classes",
        "a,b,c",
        "--label",
        "y",
        "--label-time",
        "known",
    )
    code, _, err = monitor("ingest", "-", *COLUMNS, *options, "--label-delay", "7d", stdin=content)
    assert (code, err) == (0, "")
    expected = Monitor(label_delay="7d", n_classes=3)
    for model, proba in (("p", data["proba"]), ("q", data["proba"][:, [1, 0, 2]])):
        slices = {"country": data["country"].tolist()}
        expected.record(data["id"], proba, data["time"], model=model, slices=slices, weight=data["weight"])
    expected.label(data["id"], data["y"], data["known"])
    check_same(stored(), expected)


BOTH = ("--id", "id", "--time", "time", "--proba", "p", "--label", "y", "--label-delay", "0d")


def test_missing_probabilities_are_invalid_and_missing_labels_are_not_known_yet():
    text = "id,time,p,y\n1,2026-03-01,0.5,1\n2,2026-03-01 10:00:00,,0\n3,2026-03-01T10:00:00+02:00,0.25,\n"
    assert monitor("ingest", "-", *BOTH, stdin=text) == (0, "early labels 1, invalid 1, labelled 1, recorded 2\n", "")
    assert monitor("ingest", "-", "--id", "id", "--label", "y", stdin="id,y\n3,1\n")[1] == "labelled 1, late labels 1\n"


@pytest.mark.parametrize("with_times", [True, False])
def test_labels_without_times_are_known_when_they_are_final(with_times):
    data = simulated()
    pq.write_table(table(data).take(np.random.default_rng(1).permutation(DAYS * ROWS)), "rows.parquet")
    served = ("--proba", "p1", "--label-delay", "3d")
    if with_times:
        assert monitor("ingest", "rows.parquet", *COLUMNS, *served, "--label", "y")[0] == 0
    else:
        assert monitor("ingest", "rows.parquet", *COLUMNS, *served)[0] == 0
        assert monitor("ingest", "rows.parquet", "--id", "id", "--label", "y")[0] == 0
    with stored() as found:
        assert found.status().counts == {"recorded": 6000, "labelled": 6000}
        assert found.status().mature_until.isoformat() == "2026-04-10T00:00:00+00:00"
        assert found.alerts()


def test_times_may_be_seconds_dates_or_have_a_zone():
    written = [
        ("1772323200", "1772323200.5"),
        ("2026-03-01", "2026-03-01T00:00:00.5"),
        ("2026-03-01T02:00:00+02:00", "2026-02-28T19:00:00.5-05:00"),
    ]
    moments = []
    for i, (first, second) in enumerate(written):
        text = f"id,time,p\n1,{first},0.5\n2,{second},0.5\n"
        store = f"{i}.db"
        arguments = ("--id", "id", "--time", "time", "--proba", "p", "--label-delay", "0d")
        assert monitor("ingest", "-", *arguments, stdin=text, store=store)[0] == 0
        with Monitor.open(store) as found:
            found.label(["1"], [1], "2026-03-02")
            moments.append(found.curve("1s", step=0.5).to_dict()["end"].tolist())
    assert moments[0] == moments[1] == moments[2]


def test_dates_may_have_no_hyphens():
    arguments = ("--id", "id", "--time", "time", "--proba", "p", "--label-delay", "0d")
    assert monitor("ingest", "-", *arguments, stdin="id,time,p\n1,20260301,0.5\n2,20260310,0.5\n")[0] == 0
    found = stored().status().streams[0]
    assert (str(found.first), str(found.last)) == ("2026-03-01 00:00:00+00:00", "2026-03-10 00:00:00+00:00")


def test_integer_ids_of_parquet_and_text_ids_of_csv_are_the_same():
    pq.write_table(pa.table({"id": [7, 8], "time": [1_772_323_200, 1_772_323_200], "p": [0.5, 0.5]}), "p.parquet")
    arguments = ("--id", "id", "--time", "time", "--proba", "p", "--label-delay", "1d")
    assert monitor("ingest", "p.parquet", *arguments)[1] == "recorded 2\n"
    assert monitor("ingest", "-", "--id", "id", "--label", "y", stdin="id,y\n8,1\n7,0\n")[1] == "labelled 2\n"


def test_weights_and_groups_arrive():
    data = simulated()
    pq.write_table(table(data), "rows.parquet")
    options = ("--proba", "p1", "--group", "shop", "--label", "y", "--label-time", "known", "--label-delay", "7d")
    assert monitor("ingest", "rows.parquet", *COLUMNS[:4], *options)[0] == 0
    expected = Monitor(label_delay="7d")
    expected.record(data["id"], data["proba"][:, 1], data["time"], group=data["shop"].tolist())
    expected.label(data["id"], data["y"], data["known"])
    check_same(stored(), expected)
    ungrouped = Monitor(label_delay="7d")
    ungrouped.record(data["id"], data["proba"][:, 1], data["time"])
    ungrouped.label(data["id"], data["y"], data["known"])
    assert expected.evidence().nats.tolist() != ungrouped.evidence().nats.tolist()


@pytest.fixture
def with_alerts():
    """A store with a change half way, and the alerts that it raised."""
    data = simulated()
    with Monitor(label_delay="7d", store="m.db") as found:
        found.record(data["id"], data["proba"][:, 1], data["time"], slices={"country": data["country"].tolist()})
        found.label(data["id"], data["y"], data["known"])
        return found.alerts()


def test_status_says_by_its_exit_code_whether_alerts_are_open(with_alerts):
    code, out, _ = monitor("status")
    assert code == 1
    assert all(f"alert {alert.number}: {alert.text}" in out for alert in with_alerts)
    assert monitor("acknowledge", with_alerts[0].number) == (0, "", "")
    for alert in with_alerts[1:]:
        assert monitor("resolve", alert.number) == (0, "", "")
    code, out, _ = monitor("status", "--json")
    assert (code, json.loads(out)["alerts"]) == (0, [])
    assert json.loads(out)["status"]["open_alerts"] == 1
    assert [alert.state for alert in stored().alerts()][:2] == ["acknowledged", "resolved"]


def test_report_writes_a_page_a_figure_and_numbers(with_alerts):
    code, out, err = monitor(
        "report", "--html", "m.html", "--plot", "m.png", "--json", "m.json", "--slice", "country=DE"
    )
    assert (code, out, err) == (0, "", "")
    with stored() as found:
        curve = found.curve("7d", slice="country=DE").to_dict()
    with open("m.json", encoding="utf-8") as file:  # noqa: PTH123
        written = json.load(file)
    np.testing.assert_allclose(written["curve"]["log_loss"], curve["log_loss"], rtol=1e-15)
    assert [alert["number"] for alert in written["alerts"]] == [alert.number for alert in with_alerts]
    with open("m.html", encoding="utf-8") as file:  # noqa: PTH123
        assert with_alerts[0].text.split(":")[0] in file.read()
    with open("m.png", "rb") as file:  # noqa: PTH123
        assert file.read(4) == b"\x89PNG"


@pytest.mark.parametrize("method", [None, "isotonic"])
def test_recalibrate_writes_what_the_monitor_fits(with_alerts, method):
    options = () if method is None else ("--method", method)
    code, out, err = monitor("recalibrate", "--alert", 2, "--out", "r.joblib", *options)
    assert (code, err) == (0, "")
    alert, proba = with_alerts[1], np.linspace(0.0, 1.0, 11)
    loaded = joblib.load("r.joblib")
    with stored() as found:
        unfitted = None if method is None else clone(loaded.calibrator)
        expected = found.recalibration(alert.since, slice=alert.slice, calibrator=unfitted)
    assert out == f"{expected}\n"
    np.testing.assert_array_equal(loaded.predict_proba(proba), expected.predict_proba(proba))


def test_rows_can_be_forgotten_and_deleted(with_alerts):
    assert monitor("forget", "2026-03-11") == (0, "", "")
    with stored() as found:
        assert found.status().streams[0].rows == (DAYS - 10) * ROWS
    with open("ids.txt", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("row 5999\nrow 5998\n\n")
    assert monitor("delete", "row 5997", "unknown", "--ids", "ids.txt") == (
        0,
        "3 of 4 ids were known; their rows are deleted\n",
        "",
    )
    with stored() as found:
        assert found.status().streams[0].rows == (DAYS - 10) * ROWS - 3


def test_ids_are_hashed_with_a_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("BOOSTING_LOSSES_ID_KEY", "a secret of 24 characters")
    text = "id,time,p\nalice@example.org,2026-03-01,0.5\n"
    assert (
        monitor("ingest", "-", "--id", "id", "--time", "time", "--proba", "p", "--label-delay", "1d", stdin=text)[0]
        == 0
    )
    with open("m.db", "rb") as file:  # noqa: PTH123
        assert b"alice" not in file.read()
    labelled = monitor("ingest", "-", "--id", "id", "--label", "y", stdin="id,y\nalice@example.org,1\n")
    assert labelled == (0, "labelled 1\n", "")
    monkeypatch.delenv("BOOSTING_LOSSES_ID_KEY")
    check_refused("BOOSTING_LOSSES_ID_KEY must be that of the store, the key with fingerprint", "status")


def test_the_evaluation_file_of_the_documents_sets_the_threshold_rule():
    data = simulated(shift=1.5)
    pq.write_table(table(data), "rows.parquet")
    with open("evaluation.yaml", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(DOCUMENT)
    options = ("--proba", "p1", "--label", "y", "--label-time", "known", "--config", "evaluation.yaml")
    check_refused("label_delay must be given for a new store", "ingest", "rows.parquet", *COLUMNS, *options)
    code, _, err = monitor("ingest", "rows.parquet", *COLUMNS, *options, "--label-delay", "7d")
    assert (code, err) == (0, "")
    rule = ThresholdRule(0.35, alert_threshold_pct=15.0, rolling_window=5000, balanced=True)
    expected = in_memory(data, rule=rule)
    assert "threshold" in {alert.kind for alert in expected.alerts()}
    check_same(stored(), expected)


def check_refused(message, command, *arguments, stdin=None, store="m.db"):
    code, out, err = monitor(command, *arguments, stdin=stdin, store=store)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert re.search(message, line), line


ROW = "id,time,p,y\n1,2026-03-01,0.5,1\n"


@pytest.mark.parametrize(
    ("message", "text", "arguments"),
    [
        ("--proba or --label must be given, got neither", ROW, ("--id", "id")),
        ("--time must name the column of the prediction times", ROW, ("--id", "id", "--proba", "p")),
        ("--model must name each of the 1 models once, got a, b", ROW, (*BOTH, "--model", "a", "--model", "b")),
        ("label_delay must be given for a new store", ROW, BOTH[:6]),
        ("must contain the column 'q' exactly once", ROW, ("--id", "q", *BOTH[2:])),
        ("the column 'time' must be in ISO 8601.*'soon'", "id,time,p,y\n1,soon,0.5,1\n", BOTH),
        ("divide milliseconds by 1000", "id,time,p,y\n1,1772323200000,0.5,1\n", BOTH),
        ("the column 'time' must have no missing values", "id,time,p,y\n1,,0.5,1\n", BOTH),
        ("the column 'id' must have no missing values", "id,time,p,y\n,2026-03-01,0.5,1\n", BOTH),
        ("y must hold class codes 0..1, got 2.0", "id,time,p,y\n1,2026-03-01,0.5,2\n", BOTH),
        ("the column 'y' must hold one of no, yes, got '1' in row 0", ROW, (*BOTH, "--classes", "no,yes")),
    ],
)
def test_odd_files_and_options_are_refused_in_one_line(message, text, arguments):
    check_refused(message, "ingest", "-", *arguments, stdin=text)


def test_commands_refuse_stores_that_are_not_there_or_have_other_settings(with_alerts):
    check_refused("got none, and other.db does not exist", "status", store="other.db")
    check_refused("label_delay must be that of the store, 604800.0, got 0.0", "ingest", "-", *BOTH, stdin=ROW)
    check_refused(
        "n_classes must be that of the store, 2, got 3",
        *("ingest", "-", *BOTH[:4], "--proba", "p,q,r"),
        stdin="id,time,p,q,r\n",
    )
    check_refused("--alert must be the number of an alert", "recalibrate", "--alert", 99, "--out", "r.joblib")
    check_refused("--html, --plot or --json must be given", "report")
    check_refused("ID or --ids must name rows", "delete")
    check_refused("number must be that of an alert", "resolve", 99)
