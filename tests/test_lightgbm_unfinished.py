"""A LightGBM model that is seen before ``train`` returns it is the model that it returns."""

import copy
import pickle

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.lightgbm import cv, params, predict_proba, raw_score, train

from .libraries import CANCER, WINE, data_of

PLAIN = {"verbosity": -1, "num_leaves": 4, "num_threads": 1}
LOSSES = [LogLoss(), LogLoss(pos_weight=5.0), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss()]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


@each_loss
def test_a_wrapper_of_lightgbm_train_gets_the_finished_model(loss, monkeypatch):
    """MLflow's autologging is such a wrapper."""
    X, y = data_of(loss)
    own, seen = lgb.train, {}

    def wrapped(*arguments, **options):
        booster = own(*arguments, **options)
        seen.update(text=booster.model_to_string(), predictions=booster.predict(X), params=booster.params)
        return booster

    monkeypatch.setattr(lgb, "train", wrapped)
    model = train(PLAIN, lgb.Dataset(X, y), 5, loss=loss)
    assert type(model) is lgb.Booster
    assert_array_equal(seen["predictions"], model.predict(X))
    assert_array_equal(raw_score(lgb.Booster(model_str=seen["text"]), X), raw_score(model, X))
    if loss.is_proper:
        name = "multiclass" if loss.multiclass else "binary"
        assert seen["params"]["objective"] == name
        assert f"\n[objective: {name}]\n" in seen["text"]
        assert_allclose(model.predict(X), loss.posterior(raw_score(model, X)), atol=1e-15)


class Look:
    """Callback that takes what it can out of the model after each round."""

    def __init__(self, X, folder):
        self.X, self.folder, self.seen = X, folder, []

    def __call__(self, env):
        path = self.folder / f"{env.iteration}.txt"
        env.model.save_model(path)
        copies = {
            "itself": env.model,
            "file": lgb.Booster(model_file=path),
            "pickle": pickle.loads(pickle.dumps(env.model)),
            "copy": copy.deepcopy(env.model),
            "text": lgb.Booster(model_str=env.model.model_to_string()),
        }
        dump = env.model.dump_model()["tree_info"]
        self.seen.append(
            (
                {name: raw_score(model, self.X) for name, model in copies.items()},
                predict_proba(env.model, self.X),
                env.model.predict(self.X),
                len(dump),
            )
        )


@each_loss
def test_a_callback_sees_the_model_of_the_rounds_so_far(loss, tmp_path):
    X, y = data_of(loss)
    look = Look(X, tmp_path)
    model = train(PLAIN, lgb.Dataset(X, y), 4, loss=loss, callbacks=[look])
    assert len(look.seen) == 4
    for index, (scores, proba, own, trees) in enumerate(look.seen):
        expected = model.predict(X, raw_score=True, num_iteration=index + 1)
        for seen in scores.values():
            assert_array_equal(seen, expected)
        assert_array_equal(proba[:, -1] if proba.shape[1] == 2 else proba, loss.posterior(expected))
        assert_array_equal(own, model.predict(X, num_iteration=index + 1))
        assert trees == (index + 1) * model.num_model_per_iteration()


def test_a_callback_sees_the_finished_models_of_folds(tmp_path):
    X, y = CANCER
    seen = []

    def look(env):
        seen.append([raw_score(booster, X) for booster in env.model.boosters])

    results = cv(PLAIN, lgb.Dataset(X, y), 3, loss=FocalLoss(), nfold=3, callbacks=[look], return_cvbooster=True)
    boosters = results["cvbooster"].boosters
    assert all(type(booster) is lgb.Booster for booster in boosters)
    assert_array_equal(seen[-1], [raw_score(booster, X) for booster in boosters])
    assert np.ptp([scores.mean() for scores in seen[-1]]) > 0


def test_an_early_stopped_model_that_a_callback_kept_is_the_one_returned():
    X, y = CANCER
    data = lgb.Dataset(X[:300], y[:300])
    kept = []
    model = train(
        PLAIN,
        data,
        300,
        valid_sets=[lgb.Dataset(X[300:], y[300:], reference=data)],
        loss=LogLoss(),
        callbacks=[lgb.early_stopping(5, verbose=False), lambda env: kept.append(env.model)],
    )
    assert kept[-1] is model
    assert 0 < model.best_iteration == model.num_trees() < 300
    assert_array_equal(raw_score(pickle.loads(pickle.dumps(model)), X), raw_score(model, X))


def test_early_stopping_counts_trees_where_rounds_have_none():
    """A bag that cannot be split adds no tree, but LightGBM counts trees when it cuts a model after its best round."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 2))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(float)
    settings = {**PLAIN, "bagging_fraction": 0.5, "bagging_freq": 1, "min_gain_to_split": 1.5, "min_data_in_leaf": 5}
    data, history = lgb.Dataset(X[:30], y[:30]), {}
    callbacks = [lgb.early_stopping(20, verbose=False), lgb.record_evaluation(history)]
    held_out = lgb.Dataset(X[30:], y[30:], reference=data)
    model = train(settings, data, 200, valid_sets=[held_out], loss=FocalLoss(), callbacks=callbacks)
    logged = history["valid_0"]["focal_loss"]
    assert model.num_trees() < model.best_iteration == np.argmin(logged) + 1 < len(logged) < 200
    assert_allclose(FocalLoss()(y[30:], raw_score(model, X[30:])), min(logged), rtol=1e-12)
    results = cv(
        settings,
        lgb.Dataset(X, y),
        200,
        loss=FocalLoss(),
        folds=[(np.arange(30), np.arange(30, 60))],
        callbacks=[lgb.early_stopping(20, verbose=False)],
        return_cvbooster=True,
    )
    (booster,) = results["cvbooster"].boosters
    assert booster.num_trees() > booster.best_iteration < results["cvbooster"].best_iteration
    logged = results["valid focal_loss-mean"][-1]
    assert_allclose(FocalLoss()(y[30:], raw_score(booster, X[30:])), logged, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_dart_evaluates_its_training_rows_without_harm(classes):
    X, y = CANCER if classes == 2 else WINE
    loss = LogLoss() if classes == 2 else SoftmaxCrossEntropy()
    data, history = lgb.Dataset(X[::2], y[::2]), {}
    held_out = lgb.Dataset(X[1::2], y[1::2], reference=data)
    settings = {**PLAIN, "boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0}
    options = {"valid_names": ["own", "other"], "callbacks": [lgb.record_evaluation(history)]}
    model = train(settings, data, 20, valid_sets=[data, held_out], loss=loss, **options)
    assert list(history) == ["other", "own"] or list(history) == ["own", "other"]
    for name, part in (("own", slice(0, None, 2)), ("other", slice(1, None, 2))):
        ((_, values),) = history[name].items()
        assert len(values) == 20
        assert_allclose(values[-1], loss(y[part], raw_score(model, X[part])), rtol=1e-9)
    assert all(tree["shrinkage"] > 0 for tree in model.dump_model()["tree_info"])
    train(settings, data, 3, valid_sets=[data], loss=loss, callbacks=[lgb.record_evaluation(history)])
    assert list(history) == ["training"]


def test_dart_loses_no_trees_where_no_leaf_can_be_split():
    """LightGBM alone does: of 80 rounds 31 trees get negative weights, and the logged .2138 becomes .6384."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = (X[:, 0] + 0.3 * rng.standard_normal(60) > 0).astype(float)
    settings = {**PLAIN, "boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0, "min_data_in_leaf": 5}
    settings |= {"min_gain_to_split": 8.0, "learning_rate": 1.0}
    data, history, seen = lgb.Dataset(X, y), {}, []
    callbacks = [lgb.record_evaluation(history), lambda env: seen.append(raw_score(env.model, X))]
    with pytest.warns(UserWarning, match="training stopped at round .*: it found no leaf to split"):
        model = train(settings, data, 300, valid_sets=[data], loss=LogLoss(), callbacks=callbacks)
    logged = history["training"]["log_loss"]
    assert 2 < model.num_trees() < len(logged) < 300
    assert_allclose(logged[-1], LogLoss()(y, raw_score(model, X)), rtol=1e-9)
    assert_array_equal(seen[-1], raw_score(model, X))
    assert all(tree["shrinkage"] > 0 for tree in model.dump_model()["tree_info"])
    folds = [(np.arange(60), np.arange(60))]
    with pytest.warns(UserWarning, match="training stopped"):
        results = cv(settings, data, 300, loss=LogLoss(), folds=folds, return_cvbooster=True)
    (booster,) = results["cvbooster"].boosters
    assert_allclose(results["valid log_loss-mean"][-1], LogLoss()(y, raw_score(booster, X)), rtol=1e-9)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss()], ids=repr)
def test_a_classifier_with_a_bare_objective_is_continued_with_its_intercept(loss):
    X, y = CANCER
    y = (y == 0) & (X[:, 0] > 20)  # 1 in 10
    first = lgb.LGBMClassifier(n_estimators=5, **PLAIN, **params(loss, y, sklearn=True)).fit(X, y)
    model = train(PLAIN, lgb.Dataset(X, y), 1, loss=loss, init_model=first)
    own = train(PLAIN, lgb.Dataset(X, y), 6, loss=loss)
    assert_allclose(raw_score(model, X), raw_score(own, X), atol=1e-9)
    with pytest.raises(ValueError, match="init_model must have been trained with loss="):
        train(PLAIN, lgb.Dataset(X, y), 1, loss=LogLoss(pos_weight=7.0), init_model=first)


def test_models_and_evaluation_data_in_other_containers_are_refused():
    X, y = CANCER
    data = lgb.Dataset(X, y)
    with pytest.raises(TypeError, match=r"valid_sets 'valid_0' must be a lightgbm\.Dataset, got tuple"):
        train(PLAIN, data, 1, valid_sets=[(X, y)], loss=LogLoss())
    with pytest.raises(TypeError, match="init_model must be a Booster or LGBMModel, got object"):
        train(PLAIN, data, 1, loss=LogLoss(), init_model=object())
