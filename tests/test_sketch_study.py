"""The study of sketched trees: what it makes of races, and a short run."""

import argparse
import math
from functools import partial

import numpy as np
import pytest

pytest.importorskip("xgboost.objective", reason="xgboost before 3.2 has no sketches")

from benchmarks.sketches import methods, race, sets, study, summary
from benchmarks.sketches.race import Race
from benchmarks.sketches.results import RATES, Results
from benchmarks.sketches.summary import development, judging, markdown


def answer(validation, test, each):
    """A race of rounds that take ``each`` seconds."""
    return {
        "validation": validation,
        "test": test,
        "seconds": [each * (i + 1) for i in range(len(test))],
        "ece": 0.1,
        "temperature": 1.0,
        "n_classes": 3,
        "base": 10.0,
    }


@pytest.fixture
def results():
    """One set, one seed: the best builtin one is the tree for each class at the second rate, in its third round."""
    of = {
        "one tree a class": [([1.0, 0.9], [1, 1], 1.0), ([0.9, 0.8, 0.7], [2.0, 2.0, 2.0], 1.0), ([0.9], [1.0], 1.0)],
        "vector leaves": [([1.0, 0.8], [0.1, 0.1], 9.0), ([0.9], [1.0], 1.0), ([0.9], [1.0], 1.0)],
        "sketch": [([0.8, 0.7, 0.6], [1.9, 1.8, 1.7], 0.5), ([0.7, 0.65], [1.6, 1.5], 0.9), ([0.9], [1.0], 1.0)],
    }
    return Results(
        {
            Race("made", method, rate, 0): answer(*one)
            for method, answers in of.items()
            for rate, one in zip(RATES, answers, strict=True)
        }
    )


def test_rate_and_round_are_chosen_by_the_validation_loss_and_judged_by_the_test_loss(results):
    assert results.sets == ["made"]
    assert results.of_seeds([0]).sets == ["made"]
    assert results.of_seeds([1]).sets == []
    assert results.best("made", "sketch", 0).race.learning_rate == RATES[0]
    assert results.best("made", "sketch", 0).at("test") == 1.7
    assert results.builtin("made", 0).race.method == "one tree a class"
    assert results.above("made", "sketch") == pytest.approx([-15.0])
    assert results.points("made", "sketch") == pytest.approx([-3.0])
    assert results.above("made", "vector leaves") == pytest.approx([-95.0])


def test_seconds_are_those_to_the_goal_at_the_rate_that_gets_there_first(results):
    """The goal 0.7 takes the builtin one three seconds; ours 1.0 at the first rate, 0.9 at the second."""
    assert results.times("made", "sketch") == pytest.approx([0.9 / 3.0])
    assert results.times("made", "one tree a class") == pytest.approx([1.0])
    assert results.times("made", "vector leaves") == [math.inf]


def test_parts_hold_every_class_and_share_no_row():
    data = sets.development()["waves, 10 classes"](0)
    parts = sets.split(data, 0)
    assert parts.n_classes == 10
    assert [len(part.y) for part in parts] == [5000, 2000, 3000]
    assert all(set(part.y) == set(range(10)) for part in parts)
    rows = np.concatenate([part.X for part in parts])
    assert len(np.unique(rows, axis=0)) == len(data.y)


def test_rare_classes_are_left_out():
    data = sets.DataSet(np.arange(60.0)[:, None], np.repeat([3, 5, 7], [30, 7, 23]))
    parts = sets.split(data, 0)
    assert parts.n_classes == 2
    assert sum(len(part.y) for part in parts) == 53


@pytest.mark.parametrize("stage", [pytest.param("development", marks=pytest.mark.slow), "judging"])
def test_the_made_sets_are_drawn_anew_for_each_seed(stage):
    for name, maker in study.STAGES[stage]().items():
        again, other = maker(1), maker(2)
        assert np.array_equal(maker(1).y, again.y), name
        given = name in ("digits", "wine", "iris")
        assert np.array_equal(again.X, other.X) == given, name


@pytest.mark.slow
def test_a_short_run_writes_everything_and_a_second_one_races_nothing(tmp_path, monkeypatch, capsys):
    makers = {"waves, 4 classes": partial(sets._waves, 300, 4), "clusters, 3 classes": partial(sets._clusters, 300, 3)}
    monkeypatch.setattr(study, "STAGES", {"development": lambda: makers, "judging": lambda: makers})
    monkeypatch.setattr(race, "ROUNDS", 4)
    for module in (study, summary):
        monkeypatch.setattr(module, "FOR_METHODS", 1)
        monkeypatch.setattr(module, "FOR_SHAPES", ("waves, 4 classes",))
    arguments = asked(tmp_path, markdown=tmp_path / "study.md", picture=tmp_path / "study.png")
    assert study.run(arguments) == 0
    page = arguments.markdown.read_text(encoding="utf-8")
    assert all(f"| {method} | " in page for method in (*methods.BUILTIN, methods.SHIPPED, *methods.OTHERS))
    assert "| depth 8, 64 bins | " in page
    assert "## Development" in page
    assert "## Judging" in page
    assert "nan" not in page
    assert arguments.picture.read_bytes().startswith(b"\x89PNG")
    assert "clusters, 3 classes" in capsys.readouterr().out

    monkeypatch.setattr(race, "run", lambda *_: pytest.fail("nothing was left to race"))
    assert study.run(arguments) == 0
    again = arguments.markdown.read_text(encoding="utf-8")
    assert again.partition("## Development")[2] == page.partition("## Development")[2]


def asked(tmp_path, **options):
    usual = {"stage": "both", "seeds": 1, "data": [], "label": "target", "markdown": None, "picture": None}
    return argparse.Namespace(**{**usual, "out": tmp_path / "out", **options})


def test_what_cannot_be_raced_is_refused_before_the_first_race(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(race, "run", lambda *_: pytest.fail("nothing is to be raced"))
    for name, y in (("wine", [0, 1, 2] * 10), ("two", [0, 1] * 20), ("three", [0, 1, 2] * 10)):
        lines = [f"{i},{label}" for i, label in enumerate(y)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,target", *lines]), encoding="utf-8")
    three = tmp_path / "three.csv"
    for options, message in (
        ({"seeds": 0}, "--seeds must be >= 1, got 0"),
        ({"data": [tmp_path / "none.csv"]}, "none.csv"),
        ({"data": [tmp_path / "two.csv"]}, "at least 3 classes in 'target' must have at least 8 rows"),
        ({"data": [tmp_path / "wine.csv"]}, "got 'wine' twice"),
        ({"data": [three], "stage": "development"}, "--data requires --stage judging or both"),
        ({"data": [three], "label": "y"}, "must have the column 'y'"),
        ({"markdown": tmp_path / "no" / "page.md"}, "output files must be in an existing folder"),
    ):
        assert study.run(asked(tmp_path, **options)) == 2, options
        assert message in capsys.readouterr().err


def test_races_of_another_file_of_the_same_name_are_not_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "STAGES", {"judging": dict})
    monkeypatch.setattr(race, "ROUNDS", 3)
    file = tmp_path / "own.csv"
    lines = [f"{i},{i % 3}" for i in range(60)]
    file.write_text("\n".join(["x,target", *lines]), encoding="utf-8")
    assert study.run(asked(tmp_path, stage="judging", data=[file])) == 0
    file.write_text("\n".join(["x,target", *lines[1:]]), encoding="utf-8")
    assert study.run(asked(tmp_path, stage="judging", data=[file])) == 2
    assert "without races of a different 'own'" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_finished(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "STAGES", {"judging": lambda: {"waves": partial(sets._waves, 300, 3)}})
    monkeypatch.setattr(race, "ROUNDS", 3)
    original, calls = race.run, []

    def run(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(race, "run", run)
    assert study.run(asked(tmp_path, stage="judging")) == 130
    assert "Stopped." in capsys.readouterr().out
    assert study.run(asked(tmp_path, stage="judging")) == 0
    assert len(calls) == 3 + 9 - 2


def test_tables_are_markdown(results):
    page = markdown({"judging": list(judging(results))})
    assert "| made | 2.00 | 0.100 | 1.70 | -15.0 | 1 of 1 | 0.30 |" in page
    assert callable(development)
