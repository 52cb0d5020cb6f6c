"""Training with losses that several threads compute: the same models, and as many threads as the library has."""

import threading
from concurrent.futures import ThreadPoolExecutor

import catboost as cb
import joblib
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from boosting_losses import FocalLoss, SoftmaxCrossEntropy, _threads, get_num_threads, num_threads, set_num_threads
from boosting_losses._threads import _number
from boosting_losses.classifier import CalibratedBoostingClassifier

from .libraries import CATBOOST, LIBRARIES, LIGHTGBM, XGBOOST
from .several_threads import take_part

ROWS = 1_500
KINDS = [FocalLoss(), SoftmaxCrossEntropy()]


@pytest.fixture
def everyone(monkeypatch):
    return take_part(monkeypatch)


def rows(loss, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, 3))
    y = (X[:, 0] + rng.standard_normal(ROWS) > 0.5) + (loss.multiclass * (X[:, 1] > 0.5)).astype(int)
    return X, y, rng.random(ROWS)


def trained(library, loss, seed=0):
    """Train with early stopping; return the raw scores, and the logged values of the loss."""
    X, y, w = rows(loss, seed)
    data, held_out = library.data(X[:1000], y[:1000], w[:1000]), library.data(X[1000:], y[1000:], w[1000:])
    model, values = library.watched(data, held_out, 8, loss=loss, stopping=3)
    return library.adapter.raw_score(model, library.data(X) if library is XGBOOST else X), values


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_models_do_not_depend_on_the_number_of_threads(library, loss, everyone):
    with num_threads(1):
        scores, values = trained(library, loss)
    with num_threads(3):
        again, values_again = trained(library, loss)
    assert everyone.most == 3
    assert scores.tobytes() == again.tobytes()
    assert values == values_again


def estimators(threads):
    return [
        xgb.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=threads),
        lgb.LGBMClassifier(n_estimators=5, num_leaves=7, deterministic=True, n_jobs=threads),
        cb.CatBoostClassifier(iterations=5, depth=3, thread_count=threads, allow_writing_files=False),
    ]


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("estimator", estimators(1), ids=map(repr, LIBRARIES))
def test_classifiers_do_not_depend_on_the_number_of_threads(estimator, loss, everyone):
    X, y, w = rows(loss)
    predicted = []
    for count in (1, 3):
        with num_threads(count):
            fitted = CalibratedBoostingClassifier(estimator, loss=loss, cv=2).fit(X, y, sample_weight=w)
            predicted.append(fitted.predict_proba(X))
    assert everyone.most == 3
    assert predicted[0].tobytes() == predicted[1].tobytes()


def noted():
    """Return a list and a score that notes in it the number of threads it may use."""
    seen = []

    def score(y, p, sample_weight=None):
        seen.append(get_num_threads())
        return 1.0

    return seen, score


@pytest.mark.parametrize("estimator", estimators(2), ids=map(repr, LIBRARIES))
def test_folds_at_once_use_the_threads_of_their_estimator(estimator, monkeypatch):
    monkeypatch.setattr(_number, "cpu_count", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen, score = noted()

    X, y, _ = rows(FocalLoss())
    stopping = {"rounds": 2, "metric": score}
    with joblib.parallel_config("threading"):
        CalibratedBoostingClassifier(estimator, loss="focal", cv=3, early_stopping=stopping, n_jobs=2).fit(X, y)
    assert len(seen) > 3
    assert set(seen) == {2}


def test_trainings_in_several_threads_at_once(everyone):
    jobs = [(library, loss, seed) for seed in range(2) for library in LIBRARIES for loss in KINDS]
    with num_threads(1):
        expected = [trained(*job) for job in jobs]

    def train(job):
        with num_threads(3):
            return trained(*job)

    with ThreadPoolExecutor(4) as callers:
        results = list(callers.map(train, jobs))
    for (scores, values), (scores_alone, values_alone) in zip(results, expected, strict=True):
        assert scores.tobytes() == scores_alone.tobytes()
        assert values == values_alone


NAMES = {XGBOOST: ("nthread", "n_jobs"), LIGHTGBM: ("num_threads", "nthread", "n_jobs"), CATBOOST: ("thread_count",)}


@pytest.mark.parametrize(("library", "name"), [(library, name) for library in LIBRARIES for name in NAMES[library]])
def test_losses_use_as_many_threads_as_the_library(library, name, monkeypatch):
    monkeypatch.setattr(_number, "cpu_count", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen, score = noted()

    def number(value):
        seen.clear()
        loss = FocalLoss()
        X, y, _ = rows(loss)
        data = library.data(X, y)
        settings = {key: of for key, of in library.quick.items() if key not in NAMES[library]}
        monkeypatch.setattr(type(library), "quick", settings)
        library.watched(
            data, data, 1, loss=loss, settings={name: value}, metric=library.adapter.Metric(loss, score, name="m")
        )
        (found,) = set(seen)
        return found

    assert [number(value) for value in (2, np.int64(2), -1, None)] == [2, 2, 5, 5]
    if library is not CATBOOST:  # which refuses text
        assert [number(value) for value in ("2", 0)] == [2, 5]
    if library is XGBOOST:
        with monkeypatch.context() as patch:  # XGBoost's own context manager does not restore this setting
            patch.setattr(xgb, "get_config", lambda: {"nthread": 3})
            assert [number(value) for value in (2, 0)] == [2, 3]
    with num_threads(4):
        assert number(2) == 4
    set_num_threads(3)
    try:
        assert number(2) == 3
    finally:
        set_num_threads(None)


def test_threads_of_catboost_start_no_others(monkeypatch):
    """CatBoost calls an objective from its own threads, with at most 1,000 rows."""
    everyone, main, callers = take_part(monkeypatch), threading.get_ident(), set()
    each = _threads.each
    monkeypatch.setattr(_threads, "each", lambda *of: callers.add(threading.get_ident()) or each(*of))
    X, y, w = rows(FocalLoss())
    X, y, w = np.tile(X, (4, 1)), np.tile(y, 4), np.tile(w, 4)
    objective_threads, objective = set(), CATBOOST.adapter.Objective
    original = objective.calc_ders_range

    def calc_ders_range(self, approxes, targets, weights):
        assert len(targets) <= 1_000
        objective_threads.add(threading.get_ident())
        return original(self, approxes, targets, weights)

    monkeypatch.setattr(objective, "calc_ders_range", calc_ders_range)
    data = CATBOOST.data(X, y, w)
    with num_threads(3):
        CATBOOST.train(data, loss=FocalLoss(), settings={"thread_count": 3}, eval_set=data)
    assert objective_threads
    assert callers == {main}
    assert everyone.most == 3
