"""What the adapters of all libraries have alike: names and kinds of arguments, rounds, dtypes, types of served models."""

import inspect
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import catboost as cb
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_wine

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters import catboost, lightgbm, xgboost

ROOT = Path(__file__).parent.parent
ADAPTERS = {"xgboost": xgboost, "lightgbm": lightgbm, "catboost": catboost}
X, Y = load_breast_cancer(return_X_y=True)
ROUNDS = 4


def trained(library, loss, X=X, y=Y, rounds=ROUNDS):
    if library == "xgboost":
        return xgboost.train({"nthread": 1}, xgb.DMatrix(X, y), rounds, loss=loss)
    if library == "lightgbm":
        return lightgbm.train({"verbosity": -1, "num_threads": 1}, lgb.Dataset(X, y), rounds, loss=loss)
    settings = {"iterations": rounds, "learning_rate": 0.3, "depth": 3, "verbose": False, "thread_count": 1}
    return catboost.train(cb.Pool(X, y), settings, loss=loss)


@pytest.fixture(scope="module")
def models():
    return {library: trained(library, LogLoss()) for library in ADAPTERS}


each_library = pytest.mark.parametrize("library", ADAPTERS)


@each_library
def test_what_follows_the_data_and_rounds_goes_by_name(library):
    adapter = ADAPTERS[library]
    for function in (adapter.train, adapter.cv):
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
        leading = 2 if library == "catboost" else 3  # CatBoost has the rounds among its params
        assert kinds[:leading] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * leading
        assert set(kinds[leading:]) <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


@each_library
def test_the_first_rounds_are_those_of_a_shorter_training(library, models):
    adapter = ADAPTERS[library]
    short = trained(library, LogLoss(), rounds=2)
    for rounds in (2, np.int64(2)):
        assert_allclose(adapter.raw_score(models[library], X, rounds=rounds), adapter.raw_score(short, X), rtol=1e-6)
    assert_allclose(adapter.predict_proba(models[library], X, rounds=2), adapter.predict_proba(short, X), rtol=1e-6)
    assert_array_equal(adapter.raw_score(models[library], X, rounds=ROUNDS), adapter.raw_score(models[library], X))


@each_library
@pytest.mark.parametrize(
    ("rounds", "kind", "message"),
    [
        (0, ValueError, f"rounds must be >= 1 and at most {ROUNDS}, the rounds of the model, got 0"),
        (-1, ValueError, f"rounds must be >= 1 and at most {ROUNDS}, the rounds of the model, got -1"),
        (
            ROUNDS + 1,
            ValueError,
            f"rounds must be >= 1 and at most {ROUNDS}, the rounds of the model, got {ROUNDS + 1}",
        ),
        (2.0, TypeError, "rounds must be a whole number or None, got 2.0"),
        (True, TypeError, "rounds must be a whole number or None, got True"),
    ],
)
def test_rounds_that_a_model_does_not_have_are_refused(library, models, rounds, kind, message):
    for function in (ADAPTERS[library].raw_score, ADAPTERS[library].predict_proba):
        with pytest.raises(kind, match=message):
            function(models[library], X, rounds=rounds)


def test_other_words_for_rounds_are_refused(models):
    for library, name in (("lightgbm", "num_iteration"), ("lightgbm", "start_iteration"), ("catboost", "ntree_end")):
        with pytest.raises(TypeError, match=f"{name} must be omitted, got 2; use rounds= to"):
            ADAPTERS[library].raw_score(models[library], X, **{name: 2})


def test_linear_models_have_no_first_rounds():
    settings = {"booster": "gblinear", "updater": "coord_descent", "nthread": 1}
    model = xgboost.train(settings, xgb.DMatrix(X, Y), 3, loss=LogLoss())
    assert_array_equal(xgboost.raw_score(model, X, rounds=3), xgboost.raw_score(model, X))
    with pytest.raises(
        ValueError, match="rounds must be 3 or None for 'gblinear', which keeps only its last weights, got 2"
    ):
        xgboost.raw_score(model, X, rounds=2)


@each_library
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_probabilities_are_of_double_precision(library, loss):
    data, labels = load_wine(return_X_y=True) if loss.multiclass else (X, Y)
    model = trained(library, loss, data, labels, rounds=1)
    proba = ADAPTERS[library].predict_proba(model, data)
    assert proba.dtype == np.float64
    assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-15)


def test_a_small_probability_keeps_its_digits():
    """In single precision 1 - p is 0 or a multiple of 6e-8 where p is close to 1."""
    settings = {"nthread": 1, "max_depth": 1, "base_score": 1e-6}
    model = xgboost.train(settings, xgb.DMatrix(X, 1e-9 * Y), 1, loss=LogLoss())
    raw = xgboost.raw_score(model, X).astype(float)
    assert (raw < -13).all()
    assert_allclose(1 - xgboost.predict_proba(model, X)[:, 0], 1 / (1 + np.exp(-raw)), rtol=1e-9)


@each_library
def test_params_takes_the_interface_that_they_are_for(library):
    for sklearn in (False, True):
        assert ADAPTERS[library].params(LogLoss(), Y, sklearn=sklearn)


@pytest.mark.slow
@pytest.mark.parametrize("in_its_place", ["nothing", "a text file"])
def test_a_checkout_without_the_link_says_what_to_do(in_its_place, tmp_path):
    for name in ("pyproject.toml", "tests/conftest.py", "tests/test_trainings.py", "boosting_losses/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    if in_its_place == "a text file":
        (tmp_path / "boosting_losses" / "adapters").write_text("../adapters")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "boosting_losses/adapters must be a link to adapters/" in result.stderr


SOURCE = """
    import catboost as cb
    import lightgbm as lgb
    import xgboost as xgb
    from typing import assert_type
    from boosting_losses.adapters import catboost, lightgbm, xgboost

    def served(booster: xgb.Booster, classifier: xgb.XGBClassifier, forest: xgb.XGBRFClassifier) -> None:
        assert_type(xgboost.servable(booster), xgb.Booster)
        assert_type(xgboost.servable(classifier), xgb.XGBClassifier)
        assert_type(xgboost.servable(forest), xgb.XGBRFClassifier)
        xgboost.servable(classifier).predict_proba([[0.0]])

    def others(booster: lgb.Booster, classifier: lgb.LGBMClassifier, model: cb.CatBoostClassifier) -> None:
        assert_type(lightgbm.servable(booster), lgb.Booster)
        assert_type(lightgbm.servable(classifier), lgb.Booster)
        assert_type(catboost.servable(model), cb.CatBoostClassifier)
"""


@pytest.mark.slow
def test_a_type_checker_knows_the_types_of_served_models(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    file = tmp_path / "served.py"
    file.write_text(textwrap.dedent(SOURCE))
    cache = ["--cache-dir", str(tmp_path / "cache")]
    output, errors, status = api.run(
        ["--config-file", "pyproject.toml", *cache, "--follow-imports", "silent", str(file)]
    )
    assert status == 0, output + errors
