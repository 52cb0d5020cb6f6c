"""Models continued by the CatBoost adapter: categories, bare models, and what is refused."""

import copy
import pickle

import catboost as cb
import numpy as np
import pytest
from numpy.testing import assert_allclose

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.catboost import Objective, params, predict_proba, raw_score, servable, train

from .libraries import CANCER, WINE, data_of

SETTINGS = {"iterations": 8, "depth": 4, "learning_rate": 0.2, "thread_count": 1, "random_seed": 3, "verbose": False}
STATISTICS = ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]


def categories(seed, n_classes, rows=400):
    """Return data whose categories have other effects under each seed; most have too many values to be one-hot."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    many, some = rng.integers(0, 40, rows), rng.integers(5 * seed, 5 * seed + 15, rows)  # some values are new each time
    few = rng.integers(0, 2, rows)
    effects = rng.normal(size=(40, n_classes)), rng.normal(size=(100, n_classes))
    scores = 2 * effects[0][many] + effects[1][some] + few[:, None] * np.arange(n_classes)
    X = pd.DataFrame({"x": rng.normal(size=rows), "many": many, "some": some, "few": few})
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return cb.Pool(X.astype({"many": str, "some": str, "few": str}), y, cat_features=["many", "some", "few"])


def with_baseline(pool, model):
    pool = pool.slice(np.arange(pool.num_row()))
    pool.set_baseline(raw_score(model, pool).reshape(pool.num_row(), -1))
    return pool


#: Settings of statistics, and whether they are tried with every loss each time.
OF_CATEGORIES = [
    ({}, True),
    ({"one_hot_max_size": 50}, False),
    ({"simple_ctr": STATISTICS, "combinations_ctr": STATISTICS}, False),
    ({"counter_calc_method": "Full", "simple_ctr": ["Counter"], "combinations_ctr": ["Counter"]}, False),
    ({"use_best_model": True}, False),
]


@pytest.mark.parametrize(
    ("loss", "extra"),
    [
        pytest.param(loss, extra, marks=() if often or loss == LogLoss() else pytest.mark.slow)
        for loss in (LogLoss(), FocalLoss(), SoftmaxCrossEntropy())
        for extra, often in OF_CATEGORIES
    ],
    ids=str,
)
def test_each_part_keeps_its_statistics_of_categories(loss, extra, tmp_path):
    n_classes = 3 if loss.multiclass else 2
    data = [categories(seed, n_classes) for seed in range(4)]
    settings = {**SETTINGS, "use_best_model": False, **extra}
    model = train(data[0], {**SETTINGS, **extra, "use_best_model": None}, loss=loss)
    expected = raw_score(model, data[3])
    for pool in (data[1], data[1], data[2]):  # the same data twice, and a sum continued
        start, held_out = with_baseline(pool, model), with_baseline(data[3], model)
        expected = expected + raw_score(train(start, settings, loss=loss, eval_set=held_out), data[3])
        log = Logged()
        model = train(pool, settings, loss=loss, init_model=model, eval_set=data[3], callbacks=log)
        assert_allclose(raw_score(model, data[3]), expected, atol=1e-6)  # baselines are single precision
        reported = min(log.values) if settings["use_best_model"] else log.values[-1]
        assert_allclose(loss(data[3].get_label(), raw_score(model, data[3])), reported, rtol=1e-6)
    path = str(tmp_path / "model.cbm")
    model.save_model(path)
    for twin in (cb.CatBoost().load_model(path), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_allclose(raw_score(twin, data[3]), expected, atol=1e-6)
    if loss.posterior_offset(n_classes) is not None:
        assert_allclose(servable(model).predict_proba(data[3]), predict_proba(model, data[3]), atol=1e-12)


@pytest.mark.parametrize("grow_policy", ["Lossguide", "Depthwise"])
def test_trees_that_are_not_symmetric_keep_equal_statistics(grow_policy, tmp_path):
    settings = {**SETTINGS, "grow_policy": grow_policy}
    first, other = categories(0, 2), categories(1, 2)
    model = train(first, settings, loss=LogLoss())
    path = str(tmp_path / "model.cbm")
    model.save_model(path)
    second = train(with_baseline(first, model), settings, loss=LogLoss())
    for start in (model, path):
        both = train(first, settings, loss=LogLoss(), init_model=start)
        assert_allclose(raw_score(both, other), raw_score(model, other) + raw_score(second, other), atol=1e-6)
    assert_allclose(predict_proba(copy.deepcopy(both), other), predict_proba(both, other), atol=1e-12)
    few = first.slice(np.arange(350))
    for pool in (other, few):
        with pytest.raises(ValueError, match="init_model must have been trained on the same data: CatBoost cannot add"):
            train(pool, settings, loss=LogLoss(), init_model=model)
    one_hot = {**settings, "one_hot_max_size": 100}
    model = train(first, one_hot, loss=LogLoss())
    second = train(with_baseline(other, model), one_hot, loss=LogLoss())
    both = train(other, one_hot, loss=LogLoss(), init_model=model)
    assert_allclose(raw_score(both, first), raw_score(model, first) + raw_score(second, first), atol=1e-6)


class Logged:
    """Callback that keeps the values of the metric on the evaluation set."""

    def __init__(self):
        self.values = []

    def after_iteration(self, info):
        self.values.append(info.metrics["validation"]["Metric"][-1])
        return True


def test_the_metadata_of_a_sum_stay_small():
    sizes = []
    model = None
    for seed in range(4):
        model = train(categories(seed, 2), {**SETTINGS, "iterations": 1}, loss=LogLoss(), init_model=model)
        sizes.append(sum(len(text) for text in dict(model.get_metadata().items()).values()))
    growth = np.diff(sizes)
    assert growth.max() < 1.3 * sizes[0]


@pytest.mark.parametrize("loss", [LogLoss(), LogLoss(5.0), FocalLoss(), SoftmaxCrossEntropy((1, 2, 3))], ids=repr)
def test_a_bare_model_keeps_the_intercept_of_its_objective(loss):
    X, y = data_of(loss)
    keep = (y != 0) | (np.arange(len(y)) % 4 == 0)
    X, y = X[keep], y[keep]
    settings = {**SETTINGS, "allow_writing_files": False, **params(loss, y)}
    pool = cb.Pool(X, y)
    for bare in (cb.CatBoostClassifier(**settings).fit(X, y), cb.train(pool, settings)):
        for first in (bare, pickle.loads(pickle.dumps(bare))):
            continued = train(pool, {**SETTINGS, "iterations": 1, "learning_rate": 1e-6}, loss=loss, init_model=first)
            assert_allclose(predict_proba(continued, X), predict_proba(bare, X), atol=1e-5)
        whole = train(pool, {**SETTINGS, "iterations": 16}, loss=loss)
        both = train(pool, SETTINGS, loss=loss, init_model=bare)
        assert both.tree_count_ == whole.tree_count_
        assert abs(loss(y, raw_score(both, X)) - loss(y, raw_score(whole, X))) < 0.02
        assert continued.classes_.tolist() == bare.classes_.tolist()
        other = SoftmaxFocalLoss(0.5) if loss.multiclass else FocalLoss(0.5)
        with pytest.raises(ValueError, match="init_model must have been trained with loss="):
            train(pool, SETTINGS, loss=other, init_model=bare)


def test_a_bare_model_in_a_file_has_lost_its_intercept(tmp_path):
    X, y = CANCER
    bare = cb.CatBoostClassifier(**{**SETTINGS, **params(LogLoss(), y)}).fit(X, y)
    bare.save_model(str(tmp_path / "bare.cbm"))
    for first in (tmp_path / "bare.cbm", cb.CatBoost().load_model(str(tmp_path / "bare.cbm"))):
        with pytest.raises(ValueError, match="init_model must carry its loss and its"):
            train(cb.Pool(X, y), SETTINGS, loss=LogLoss(), init_model=first)


def test_a_builtin_loss_that_continues_a_custom_one_leaves_no_loss(tmp_path):
    """The loss in the metadata would be that of the first part alone."""
    for loss, (X, y), name in [(FocalLoss(), CANCER, "Logloss"), (SoftmaxCrossEntropy((1, 2, 5)), WINE, "MultiClass")]:
        ours = train(cb.Pool(X, y), SETTINGS, loss=loss)
        own = cb.train(
            cb.Pool(X, y), {**SETTINGS, "loss_function": name, "allow_writing_files": False}, init_model=ours
        )
        own.save_model(str(tmp_path / "own.cbm"))
        for model in (own, cb.CatBoost().load_model(str(tmp_path / "own.cbm"))):
            with pytest.raises(ValueError, match="the model carries no loss"):
                predict_proba(model, X)


def test_what_is_no_model_is_refused():
    lightgbm = pytest.importorskip("lightgbm")
    pool = cb.Pool(*CANCER)
    for other, error, message in [
        (lightgbm.LGBMClassifier(), TypeError, "init_model must be a CatBoost, got LGBMClassifier"),
        (3, TypeError, "init_model must be a CatBoost, got int"),
        (cb.CatBoostClassifier(), ValueError, "init_model must be trained, got a CatBoostClassifier that is not"),
    ]:
        with pytest.raises(error, match=message):
            train(pool, SETTINGS, loss=LogLoss(), init_model=other)


def test_an_objective_without_intercept_is_continued():
    X, y = CANCER
    settings = {
        **SETTINGS,
        "allow_writing_files": False,
        **params(FocalLoss(), y),
        "loss_function": Objective(FocalLoss()),
    }
    bare = cb.train(cb.Pool(X, y), settings)
    both = train(cb.Pool(X, y), {**SETTINGS, "iterations": 1}, loss=FocalLoss(), init_model=bare)
    assert_allclose(raw_score(both, X, rounds=bare.tree_count_), raw_score(bare, X), atol=1e-6)
