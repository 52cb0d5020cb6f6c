"""The JSON of a report: every field is in the schema and in its description, whatever was evaluated."""

import copy
import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numba.core import config

from boosting_losses.report import ProbabilityReport
from boosting_losses.report._views.data import _plain

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

SCHEMA = json.loads((resources.files("boosting_losses.report") / "schema.json").read_text(encoding="utf-8"))
PAGE = Path(__file__).parent.parent / "docs" / "report_json.md"


def data(n=400):
    rng = np.random.default_rng(0)
    z = rng.normal(-1.0, 1.5, n)
    p = 1 / (1 + np.exp(-z))
    return (rng.random(n) < p).astype(int), p, rng.choice(["a", "b", "c"], n)


def two_classes(**options):
    y, p, _ = data()
    return ProbabilityReport.from_predictions(y, p, n_resamples=20, **options)


def many_classes():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(3), 300)
    y = np.array([rng.choice(3, p=row) for row in shares])
    slices = {"side": np.arange(300) % 2}
    return ProbabilityReport.from_predictions(y, {"m": shares, "n": shares[:, ::-1]}, slices=slices, n_resamples=20)


def everything():
    y, p, kind = data()
    models = {"p": p, "q": p**2, "half": np.full(len(p), 0.5)}
    options = {
        "slices": {"kind": kind},
        "thresholds": [0.2, 1.0 - 1e-9],
        "reference": "q",
        "groups": np.arange(400) // 3,
    }
    return ProbabilityReport.from_predictions(y, models, np.linspace(0, 2, 400), n_resamples=20, **options)


def infinite():
    y, p, kind = data()
    p[np.argmax(y)] = 0.0
    y[kind == "c"] = 0
    options = {
        "eps": 0.0,
        "slices": kind,
        "thresholds": [0.5],
        "metrics": {"log_loss": {}, "calibration_error": {"debiased": False}},
    }
    return ProbabilityReport.from_predictions(y, {"p": p, "q": np.sqrt(p)}, n_resamples=20, **options)


def few_rows():
    return ProbabilityReport.from_predictions([0, 1], [0.2, 0.7], slices=["x", None], thresholds=[0.9], n_resamples=5)


REPORTS = [two_classes, many_classes, everything, infinite, few_rows]


def strict(schema):
    """The same schema without room for fields that it does not name."""
    if isinstance(schema, dict):
        closed = {key: strict(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            closed["additionalProperties"] = False
        return closed
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("make", REPORTS, ids=lambda make: make.__name__)
def test_reports_follow_the_schema(make):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    read = json.loads(make().to_json())
    jsonschema.validate(read, SCHEMA)
    jsonschema.validate(read, strict(SCHEMA))
    assert read["schema_version"] == 1


def test_the_schema_refuses_other_things():
    good = json.loads(few_rows().to_json())

    def refused(change):
        bad = copy.deepcopy(good)
        change(bad)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, SCHEMA)

    refused(lambda read: read.pop("schema_version"))
    refused(lambda read: read.update(schema_version=2))
    refused(lambda read: read.update(rows=1.5))
    refused(lambda read: read["models"][0]["slices"][0]["rows"][0].update(log_loss=[0.1, 0.0, 0.2]))
    refused(lambda read: read["models"][0]["thresholds"][0].update(precision=0.5))
    refused(lambda read: read["models"][0]["scores"]["log_loss"].pop("low"))
    read = {**good, "new": 1}
    jsonschema.validate(read, SCHEMA)


def test_every_field_is_described():
    page = PAGE.read_text(encoding="utf-8")
    names = {name for part in [SCHEMA, *SCHEMA["$defs"].values()] for name in part.get("properties", {})}
    assert len(names) > 60
    described = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in page.splitlines() if line[:1] == "|"))
    )
    assert names - described - {"variable"} == {"value", "low", "high"} - described
    assert described <= names
    assert all(kind in page for kind in ('"value"', '"low"', '"high"', "`variable`"))


def test_estimates_are_named_numbers_everywhere():
    report = everything()
    model = json.loads(report.to_json())["models"][1]
    row, seen = model["slices"][0]["rows"][0], report.models[1].slices[0].rows[0]
    for name in ("observed", "observed_over_expected", "log_loss", "brier_score"):
        assert row[name] == getattr(seen, name)._asdict()
    row, seen = model["thresholds"][0], report.models[1].thresholds[0]
    for name in ("flagged", "precision", "recall", "specificity", "f1", "net_benefit"):
        assert row[name] == getattr(seen, name)._asdict()


def test_whatever_numpy_made_is_plain():
    odd = {
        1: np.float32(0.5),
        "nan": np.float32("nan"),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "text": np.str_("a"),
    }
    assert _plain(odd) == {"1": 0.5, "nan": None, "int": 3, "bool": True, "text": "a"}
    assert _plain(np.array([[1.0, np.inf]])) == [[1.0, None]]
    assert {type(value) for value in _plain(odd).values()} == {float, type(None), int, bool, str}


def test_an_infinite_loss_is_null():
    model = json.loads(infinite().to_json())["models"][0]
    assert model["scores"]["log_loss"] == {"value": None, "low": None, "high": None}
    assert model["scores"]["calibration_error"]["low"] is None
    assert model["scores"]["calibration_error"]["value"] > 0.0
