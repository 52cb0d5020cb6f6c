"""Slices, groups, thresholds and the reference of the command: the report of the same rows in memory."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numba.core import config

from boosting_losses._cli.categories import Categories, Groups
from boosting_losses._cli.files import FileError
from boosting_losses.report import ProbabilityReport

from . import command_line
from .command_line import COLUMNS, FAST, check_refused

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

SCORES = ["log_loss", "calibration_error"]
SOME = "bootstrap: {n_resamples: 20}\nmetrics: [log_loss, calibration_error]\n"


@pytest.fixture(scope="module")
def frame():
    """Rows in the order of their groups, three of each."""
    rng = np.random.default_rng(0)
    n = 300
    z = np.repeat(rng.normal(-1.0, 1.2, n // 3), 3) + rng.normal(0.0, 0.3, n)
    p = (1 / (1 + np.exp(-z))).round(2).clip(0.01, 0.99)
    shares = rng.dirichlet(np.ones(3), n).round(2)
    return pd.DataFrame(
        {
            "y": (np.repeat(rng.random(n // 3), 3) < p).astype(int),
            "p": p,
            "q": p**1.3,
            "w": rng.random(n) * (rng.random(n) < 0.9),
            "kind": rng.choice(["b", "a", "ü, c"], n),
            "area": np.where(rng.random(n) < 0.1, None, rng.choice(["north", "south"], n)),
            "id": np.repeat(np.arange(n // 3), 3),
            "who": [f"g{i:04d}" for i in np.repeat(np.arange(n // 3), 3)],
            "m_a": shares[:, 0],
            "m_b": shares[:, 1],
            "m_c": shares[:, 2],
            "klass": [int(rng.choice(3, p=row / row.sum())) for row in shares],
        }
    )


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def report(*arguments, config=SOME):
    return command_line.report(*arguments, config=config)


def written(rows, kind="parquet"):
    name = f"rows.{kind}"
    if kind == "csv":
        rows.to_csv(name, index=False)
    else:
        rows.to_parquet(name)
    return name


def expected(rows, *models, metrics=SCORES, **options):
    probas = {name: rows[name].to_numpy() for name in models or ("p",)}
    return json.loads(
        ProbabilityReport.from_predictions(rows["y"], probas, n_resamples=20, metrics=metrics, **options).to_json()
    )


def leaves(value, at=()):
    if not isinstance(value, dict | list):
        return {at: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {place: leaf for key, part in parts for place, leaf in leaves(part, (*at, key)).items()}


def close(first, second):
    """The same but for the rounding of sums."""
    first, second = leaves(first), leaves(second)
    assert first.keys() == second.keys()
    for place, leaf in first.items():
        same = (
            math.isclose(leaf, second[place], rel_tol=1e-6, abs_tol=1e-9)
            if isinstance(leaf, float)
            else leaf == second[place]
        )
        assert same, (place, leaf, second[place])


@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=pytest.mark.slow)])
def test_it_is_the_report_in_memory(frame, kind):
    """All at once: slices with missing values, groups, thresholds, a reference, and weights of which some are 0."""
    options = ("--slice", "kind", "--slice", "area", "--groups", "who", "--threshold", 0.3, "--costs", "1:9")
    models = ("--label", "y", "--proba", "p", "--proba", "q", "--weight", "w", "--reference", "q")
    read = report(written(frame, kind), *models, *options, config="bootstrap: {n_resamples: 20}")
    slices = {"kind": frame["kind"], "area": frame["area"]}
    wanted = expected(
        frame, "p", "q", sample_weight=frame["w"].to_numpy(), slices=slices, groups=frame["who"],
        thresholds=[0.1, 0.3], reference="q", metrics=None,
    )  # fmt: skip
    close(read, wanted)
    assert [row["value"] for row in read["models"][0]["slices"][1]["rows"]] == ["missing", "north", "south"]
    assert [row["threshold"] for row in read["models"][0]["thresholds"]] == [0.1, 0.3]
    assert (read["reference"], read["differences"][0]["model"]) == ("q", "p")


def test_the_configuration_says_the_same_and_options_go_before_it(frame):
    text = FAST + "slices: [kind, area]\ngroups: who\ndecision_thresholds: [0.3, 1e-1]\nreference: q\n"
    models = (written(frame), *COLUMNS, "--proba", "q")
    options = ("--slice", "kind", "--slice", "area", "--groups", "who", "--threshold", 0.1, "--threshold", 0.3)
    wanted = report(*models, *options, "--reference", "q", config=FAST)
    close(report(*models, config=text), wanted)
    others = ("--slice", "area", "--groups", "id", "--threshold", 0.5, "--reference", "p")
    close(report(*models, *others, config=text), report(*models, *others, config=FAST))


def test_probabilities_are_normalized(frame):
    columns = (written(frame), "--label", "klass", "--proba", "m_a,m_b,m_c", "--slice", "kind")
    odd = frame.assign(m_a=frame["m_a"] * 0.9)
    check_refused("rows of proba must sum to 1", written(odd), *columns[1:])
    wanted = ProbabilityReport.from_predictions(
        odd["klass"], {"m": odd[["m_a", "m_b", "m_c"]].to_numpy()}, slices={"kind": odd["kind"]}, normalize=True,
        n_resamples=20, metrics=SCORES,
    )  # fmt: skip
    close(report(*columns, "--normalize"), json.loads(wanted.to_json()))
    close(report(*columns, config=SOME + "normalize: true\n"), json.loads(wanted.to_json()))


@pytest.mark.parametrize(("groups", "kind"), [("id", "csv"), ("who", "parquet")])
def test_groups_in_any_order(frame, groups, kind):
    """Rows that are scattered are brought together, in the order that arrays in memory get."""
    scattered = frame.sample(frac=1.0, random_state=0).reset_index(drop=True)
    for rows in (frame, scattered):
        read = report(written(rows, kind), *COLUMNS, "--groups", groups, "--slice", "kind", "--weight", "w")
        weight = rows["w"].to_numpy()
        close(read, expected(rows, groups=rows[groups], slices={"kind": rows["kind"]}, sample_weight=weight))
    alone = report(written(frame, kind), *COLUMNS, "--weight", "w")
    wide, narrow = (part["models"][0]["scores"]["log_loss"] for part in (read, alone))
    assert wide["value"] == pytest.approx(narrow["value"])
    assert wide["high"] - wide["low"] > 1.1 * (narrow["high"] - narrow["low"])


def test_groups_and_slices_over_several_blocks_and_files(frame, monkeypatch):
    """Blocks of twenty rows part the groups of three, and a slice is first met in a late one."""
    late = frame.assign(kind=np.where(np.arange(len(frame)) < 280, frame["kind"], "0 late"))
    arguments = (*COLUMNS, "--groups", "who", "--slice", "kind", "--threshold", 0.3)
    scattered = late.sample(frac=1.0, random_state=0).reset_index(drop=True)
    whole = [
        expected(rows, groups=rows["who"], slices={"kind": rows["kind"]}, thresholds=[0.3])
        for rows in (late, scattered)
    ]
    monkeypatch.setattr("boosting_losses._cli.files.ROWS", 20)
    for rows, wanted in zip((late, scattered), whole, strict=True):
        close(report(written(rows), *arguments), wanted)
    Path("parts").mkdir()
    for i, start in enumerate(range(0, len(late), 100)):  # no multiple of three
        late.iloc[start : start + 100].to_parquet(f"parts/{i}.parquet")
    close(report("parts", *arguments), whole[0])


def test_groups_that_come_back_are_one_group(frame):
    """Twice the same rows, with the copies at the end, are no more evidence than one of each."""
    half = frame.head(150)
    twice = pd.concat([half, half])
    read, once = (report(written(rows), *COLUMNS, "--groups", "id") for rows in (twice, half))
    first, second = (part["models"][0]["scores"]["log_loss"] for part in (read, once))
    assert [first["low"], first["high"]] == pytest.approx([second["low"], second["high"]], rel=1e-9)


def test_rows_keep_their_numbers_when_they_are_sorted(frame):
    scattered = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    read = report(written(scattered), *COLUMNS, "--groups", "who")
    wanted = expected(scattered, groups=scattered["who"])
    close(read["models"][0]["worst_rows"], wanted["models"][0]["worst_rows"])
    scattered.loc[170, "p"] = 1.5
    check_refused("proba must lie in .0, 1., got 1.5 in row 170", written(scattered), *COLUMNS, "--groups", "who")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--slice", "nowhere"), "the file must contain the column 'nowhere' exactly once, got y, p"),
        (("--groups", "nowhere"), "the file must contain the column 'nowhere' exactly once, got y, p"),
        (("--slice", ""), "the file must contain the column '' exactly once"),
        (("--slice", "y"), "--slice must name a column other than that of the labels, got 'y'"),
        (("--groups", "y"), "--groups must name a column other than that of the labels, got 'y'"),
        (("--slice", "kind", "--slice", "kind"), "--slice must name each column once, got 'kind' a second time"),
        (("--slice", "number"), "slices must have at most 200 categories, got 300 of 'number': bin its values"),
        (("--slice", "three_hundred"), "slices must have at most 200 categories, got 300 of 'three_hundred'"),
        (("--groups", "same"), "groups must name at least 2 groups, got only 'x' in 'same'"),
        (("--groups", "area"), r"the column 'area' must have no missing values, got one in row \d+"),
        (("--groups", "holes"), "the column 'holes' must have no missing values, got one in row 7"),
        (("--groups", "area", "--slice", "area"), "the column 'area' must have no missing values"),
        (("--threshold", 0), r"thresholds must lie in \(0, 1\), got 0.0"),
        (("--threshold", 0.5, "--threshold", 1), r"thresholds must lie in \(0, 1\), got 1.0"),
        (("--threshold", "nan"), r"thresholds must lie in \(0, 1\), got nan"),
        (("--costs", "1:9:2"), "--costs must be two numbers > 0 with a colon between them, such as 1:9, got '1:9:2'"),
        (("--costs", "0:1"), "--costs must be two numbers > 0"),
        (("--costs", "nan:1"), "--costs must be two numbers > 0"),
        (("--costs", "a:b"), "--costs must be two numbers > 0"),
        (("--costs", "-1:2"), "--costs must be two numbers > 0"),
        (("--reference", "z"), "--reference must be one of the models p, got 'z'"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=pytest.mark.slow)])
def test_what_cannot_be_followed(frame, kind, arguments, message):
    holes = frame["p"].where(frame.index != 7)
    odd = frame.assign(
        same="x", holes=holes, number=frame.index, three_hundred=[f"c{i % 300}" for i in range(len(frame))]
    )
    check_refused(message, written(odd, kind), *COLUMNS, *arguments)


def test_what_three_classes_do_not_have(frame):
    columns = (written(frame), "--label", "klass", "--proba", "m_a,m_b,m_c", "--normalize")
    check_refused("--threshold must be given for two classes only, got 3 classes", *columns, "--threshold", 0.5)
    check_refused("--costs must be given for two classes only, got 3 classes", *columns, "--costs", "1:1")
    for text, message in (
        ("decision_thresholds: [0.5]", "line 1: decision_thresholds must be given for two classes only, got 3 classes"),
        (
            "thresholds:\n  calibration_slope: {min: 1}",
            "line 2: thresholds.calibration_slope must name a score that is computed",
        ),
        ("metrics: [log_loss, calibration_slope]", "scores of 3 classes, got calibration_slope"),
    ):
        Path("c.yaml").write_text(text)
        check_refused(message, *columns, "--config", "c.yaml")


def test_labels_of_no_class_are_refused_when_classes_are_balanced(frame):
    Path("c.yaml").write_text("class_weight: balanced")
    odd = frame.assign(y=frame["y"].where(frame.index != 9, 4))
    check_refused("y_true must lie in .0, 1., got 4.0 in row 9", written(odd), *COLUMNS, "--config", "c.yaml")


def test_columns_may_be_called_anything(frame):
    named = frame.rename(columns={"kind": "2024", "area": "yes", "who": "\0groups"})
    config = SOME + 'slices: [2024, yes, "\\0groups"]\ngroups: id\n'
    read = report(written(named), *COLUMNS, config=config)["models"][0]["slices"]
    assert [table["variable"] for table in read] == ["2024", "yes", "\0groups"]
    assert [len(table["rows"]) for table in read] == [3, 3, 100]


def test_slices_of_other_kinds(frame):
    days = pd.to_datetime("2026-01-01") + pd.to_timedelta(frame.index % 3, unit="D")
    odd = frame.assign(
        day=days, code=frame.index % 2, flag=frame.index % 2 == 0, label=frame["kind"].astype("category")
    )
    names = ("day", "code", "flag", "label")
    options = [part for name in names for part in ("--slice", name)]
    read = report(written(odd), *COLUMNS, *options)["models"][0]["slices"]
    assert [[row["value"] for row in table["rows"]] for table in read] == [
        ["2026-01-01", "2026-01-02", "2026-01-03"], ["0", "1"], ["False", "True"], ["a", "b", "ü, c"],
    ]  # fmt: skip


def test_folders_are_columns_of_slices_and_groups(frame):
    for day, rows in frame.groupby(frame.index % 3):
        Path(f"data/day={day}").mkdir(parents=True)
        rows.to_parquet(f"data/day={day}/rows.parquet")
    read = report("data", *COLUMNS, "--slice", "day", "--groups", "day")
    assert [row["rows"] for row in read["models"][0]["slices"][0]["rows"]] == [100, 100, 100]


def test_codes_of_texts():
    def texts(*names):
        return np.array(names, dtype=object)

    groups = Groups()
    assert groups.add(texts("b", "b", "a")).tolist() == [0, 0, 1]
    assert groups.add(texts("a", "c")).tolist() == [1, 2]
    assert groups.together
    assert groups.known(texts("b", "c")).tolist() == [0, 2]
    assert groups.together  # a second pass starts anew
    groups.add(texts("b"))
    assert not groups.together
    assert groups.ranks(as_numbers=True).tolist() == [1, 0, 2]
    numbers = Categories()
    numbers.add(texts("10", "9", "-1"))
    assert numbers.ranks(as_numbers=True).tolist() == [2, 1, 0]
    assert numbers.ranks(as_numbers=False).tolist() == [1, 2, 0]
    with pytest.raises(FileError, match="must not change while they are read, got '11' in the second pass only"):
        numbers.known(texts("9", "11"))
