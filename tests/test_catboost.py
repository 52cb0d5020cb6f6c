"""What only CatBoost has: its own loss on request, classes of any kind, class weights, snapshots, bare objects."""

import os
import pickle
import re
import signal
import threading

import catboost as cb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.catboost import Metric, Objective, cv, params, predict_proba, raw_score, servable, train

from .libraries import CANCER, CATBOOST, WINE, data_of, imbalanced

EXACT = {**CATBOOST.quick, "iterations": 8}
CUSTOM = "PythonUserDefinedPerObject"


def own_model(pool, settings, name="Logloss"):
    """Return a model of a loss of CatBoost's own, without an intercept of its own choice."""
    intercept = {} if name == "MultiClass" else {"boost_from_average": False}
    return cb.train(pool, {**settings, **intercept, "loss_function": name, "allow_writing_files": False})


# ---- CatBoost's own losses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, 0.5)])
def test_exact_focal_loss_is_the_builtin_one(gamma, alpha):
    X, y = imbalanced(rate=0.2)
    pool = cb.Pool(X, y)
    loss = FocalLoss(gamma, alpha, hessian="exact")
    ours = train(pool, {**EXACT, "boost_from_average": False}, loss=loss)
    own = own_model(pool, EXACT, f"Focal:focal_alpha={alpha};focal_gamma={gamma}")
    assert_allclose(loss.activation(raw_score(ours, X)), loss.activation(own.predict(X)), atol=1e-12)


def test_the_intercept_is_that_of_catboost():
    X, y = CANCER
    pool = cb.Pool(X, y)
    own = {**EXACT, "loss_function": "Logloss", "boost_from_average": True, "allow_writing_files": False}
    ours = train(pool, EXACT, loss=LogLoss())
    assert_allclose(raw_score(ours, X), cb.train(pool, own).predict(X), atol=1e-6)  # CatBoost's is a float32 mean
    assert_allclose(ours.get_scale_and_bias()[1], LogLoss().init_score(y))


def test_class_weights_are_the_builtin_ones():
    X, y = imbalanced(rate=0.2)
    pool = cb.Pool(X, y)
    for weights in (
        {"class_weights": (1.0, 4.0)},
        {"auto_class_weights": "Balanced"},
        {"auto_class_weights": "SqrtBalanced"},
    ):
        ours = train(pool, {**EXACT, **weights, "boost_from_average": False}, loss=LogLoss())
        assert_allclose(raw_score(ours, X), own_model(pool, {**EXACT, **weights}).predict(X), atol=1e-10)
        balance = (y == 0).sum() / y.sum()
        factor = {"Balanced": balance, "SqrtBalanced": np.sqrt(balance)}.get(weights.get("auto_class_weights"), 4.0)
        model = train(pool, {**EXACT, **weights, "iterations": 1}, loss=LogLoss())
        assert_allclose(model.get_scale_and_bias()[1], LogLoss().init_score(y, np.where(y == 1, factor, 1.0)))


def mixed_frame():
    pd = pytest.importorskip("pandas")
    X, y = imbalanced(500, 0.3)
    words = np.array(["late again", "paid on time", "no record", "late once"])[np.digitize(X[:, 1], [-1, 0, 1])]
    frame = pd.DataFrame(X, columns=[str(column) for column in range(X.shape[1])])
    return frame.assign(kind=np.random.default_rng(0).choice(["a", "b", "c"], len(y)), note=words), y


def test_text_features():
    X, y = mixed_frame()
    texts = cb.Pool(X, y, cat_features=["kind"], text_features=["note"])
    model = train(texts, {**EXACT, "iterations": 20}, loss=FocalLoss(2.0))
    assert roc_auc_score(y, predict_proba(model, texts)[:, 1]) > 0.75


@pytest.mark.parametrize(
    ("loss", "extra"),
    [
        (LogLoss(), {}),
        (LogLoss(4.0), {}),
        pytest.param(LogLoss(), {"class_weights": {0: 2.0, 1: 1.0}, "eta": 0.2}, marks=pytest.mark.slow),
        (LogLoss(), {"auto_class_weights": "Balanced", "leaf_estimation_method": "Gradient"}),
        pytest.param(LogLoss(), {"bootstrap_type": "Bernoulli", "subsample": 0.6}, marks=pytest.mark.slow),
        (LogLoss(), {"subsample": 0.5, "boost_from_average": False}),
        pytest.param(LogLoss(label_smoothing=0.1), {}, marks=pytest.mark.slow),
        (FocalLoss(), {}),
        (SoftmaxCrossEntropy(), {}),
        pytest.param(SoftmaxCrossEntropy((1.0, 2.0, 0.5)), {}, marks=pytest.mark.slow),
        (SoftmaxCrossEntropy(), {"class_weights": (1.0, 0.5, 2.0)}),
        pytest.param(SoftmaxCrossEntropy(), {"leaf_estimation_method": "Gradient"}, marks=pytest.mark.slow),
        (SoftmaxFocalLoss(), {}),
    ],
    ids=str,
)
def test_the_builtin_loss_gives_the_same_model(loss, extra, tmp_path):
    X, y = data_of(loss)
    pool, held_out = cb.Pool(X, y), cb.Pool(X[::2], y[::2])
    quiet = {"iterations": 12, "depth": 4, "random_seed": 1, "thread_count": 1, "verbose": False, **extra}
    ours, own = (
        train(pool, quiet, loss=loss, eval_set=held_out, early_stopping_rounds=5, builtin=builtin)
        for builtin in ("never", "auto")
    )
    assert not np.asarray(pool.get_baseline()).size
    assert (own.get_all_params()["loss_function"] != CUSTOM) == (loss in (LogLoss(), SoftmaxCrossEntropy()))
    assert_allclose(raw_score(own, X), raw_score(ours, X), atol=2e-8, rtol=0)  # the intercept is rounded to float32
    assert_allclose(predict_proba(own, X), predict_proba(ours, X), atol=4e-9, rtol=0)
    for part in ("learn", "validation"):
        history, expected = (model.get_evals_result()[part] for model in (own, ours))
        assert_allclose(history["Metric"], expected["Metric"], rtol=1e-6)
    own.save_model(str(tmp_path / "model.cbm"))
    assert_array_equal(predict_proba(cb.CatBoost().load_model(str(tmp_path / "model.cbm")), X), predict_proba(own, X))
    assert_array_equal(predict_proba(pickle.loads(pickle.dumps(own)), X), predict_proba(own, X))
    if loss.posterior_offset(3) is not None:
        assert_allclose(servable(own).predict_proba(X), predict_proba(own, X), atol=1e-12)
    longer = [
        train(pool, {**quiet, "iterations": 3}, loss=loss, init_model=model, builtin="auto") for model in (own, ours)
    ]
    assert longer[0].tree_count_ == own.tree_count_ + 3
    assert_allclose(predict_proba(longer[0], X), predict_proba(longer[1], X), atol=1e-6)
    assert longer[0].classes_.tolist() == ours.classes_.tolist()


def test_the_builtin_loss_of_other_data():
    X, y = CANCER
    quiet = {**EXACT, "eval_metric": "AUC"}
    soft = cb.Pool(X, 0.8 * y + 0.1)
    for loss, name in [(LogLoss(), "CrossEntropy"), (LogLoss(2.0), CUSTOM)]:
        ours, own = (train(soft, EXACT, loss=loss, builtin=builtin) for builtin in ("never", "auto"))
        assert own.get_all_params()["loss_function"] == name
        assert_allclose(predict_proba(own, X), predict_proba(ours, X), atol=4e-9, rtol=0)
        assert_allclose(servable(own).predict_proba(X), predict_proba(own, X), atol=1e-12)
    words = cb.Pool(X, np.array(["no", "yes"])[y], baseline=np.linspace(-1, 1, len(y))[:, None])
    ours, own = (train(words, quiet, loss=LogLoss(), builtin=builtin) for builtin in ("never", "auto"))
    assert own.get_all_params()["loss_function"] == "Logloss"
    assert_allclose(raw_score(own, X), raw_score(ours, X), atol=1e-12)
    assert own.classes_.tolist() == ["no", "yes"]
    X, y = mixed_frame()
    pool = cb.Pool(X.drop(columns="note"), y, cat_features=["kind"])
    ours, own = (train(pool, {**EXACT, "iterations": 20}, loss=LogLoss(), builtin=b) for b in ("never", "auto"))
    assert own.get_all_params()["loss_function"] == "Logloss"
    assert_allclose(raw_score(own, pool), raw_score(ours, pool), atol=1e-6)
    for pool, loss in [  # CatBoost's own loss would make other features of these
        (cb.Pool(X.drop(columns="note"), np.arange(len(y)) % 3, cat_features=["kind"]), SoftmaxCrossEntropy()),
        (cb.Pool(X.drop(columns="kind"), y, text_features=["note"]), LogLoss()),
        (cb.Pool(X[["0"]].assign(both=list(X[["0", "1"]].to_numpy())), y, embedding_features=["both"]), LogLoss()),
    ]:
        model = train(pool, {**EXACT, "iterations": 2}, loss=loss, builtin="auto")
        assert model.get_all_params()["loss_function"] == CUSTOM
    with pytest.raises(ValueError, match="builtin must be 'never' or 'auto', got True"):
        train(pool, EXACT, loss=SoftmaxCrossEntropy(), builtin=True)


@pytest.mark.parametrize("start", [-2.5, -4.0])
def test_a_leaf_of_positives_steps_up(start):
    """CatBoost's own focal loss steps down from -3 on: it divides by a negative curvature."""
    X = np.zeros((501, 1))
    X[0] = 1.0
    y = np.ones(501)
    y[0] = 0
    pool = cb.Pool(X, y, baseline=np.full((501, 1), start))
    settings = {**EXACT, "iterations": 1, "learning_rate": 1.0, "depth": 1}
    step = raw_score(train(pool, settings, loss=FocalLoss(2.0, 0.25)), X[1:2])[0]
    assert 1.0 < step < 5.0
    own = own_model(pool, settings, "Focal:focal_alpha=0.25;focal_gamma=2.0").predict(X[1:2])[0]
    if start <= -3.0:
        assert own < 0


# ---- labels, pools, metrics -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["strings", "1 and 2", "booleans", "floats"])
def test_labels_of_any_kind(kind):
    X, y = CANCER
    labels = {
        "strings": np.array(["benign", "malignant"])[y],
        "1 and 2": y + 1,
        "booleans": y.astype(bool),
        "floats": y * 1.0,
    }[kind]
    pool = cb.Pool(X, labels)
    model = train(pool, EXACT, loss=FocalLoss(2.0), eval_set=pool)
    plain = train(cb.Pool(X, y), EXACT, loss=FocalLoss(2.0))
    assert_allclose(predict_proba(model, X), predict_proba(plain, X), atol=1e-12)
    served = servable(train(pool, EXACT, loss=LogLoss(2.0)))
    assert len(served.classes_) == 2
    second = str(served.classes_[1])
    predicted = np.array([str(value) for value in np.ravel(served.predict(X))])
    assert ((predicted == second) == y).mean() > 0.9
    half = {**EXACT, "iterations": 4}
    more = train(pool, half, loss=FocalLoss(2.0), init_model=train(pool, half, loss=FocalLoss(2.0)))
    assert_allclose(raw_score(more, X), raw_score(plain, X), atol=1e-6)


def test_many_classes_of_words():
    X, y = WINE
    words = np.array(["barolo", "grignolino", "barbera"])[y]
    model = train(cb.Pool(X, words), EXACT, loss=SoftmaxFocalLoss(1.0))
    assert list(model.classes_) == ["barbera", "barolo", "grignolino"]
    plain = train(cb.Pool(X, y), EXACT, loss=SoftmaxFocalLoss(1.0))
    assert_allclose(predict_proba(model, X), predict_proba(plain, X)[:, [2, 0, 1]], atol=1e-9)


def test_a_served_model_of_soft_labels_has_two_classes():
    X, y = CANCER
    served = servable(train(cb.Pool(X, 0.8 * y + 0.1), EXACT, loss=LogLoss()))
    assert served.classes_.tolist() == [0, 1]
    assert (np.ravel(served.predict(X)).astype(int) == y).mean() > 0.9


def test_zero_weights_are_rows_left_out():
    X, y = CANCER
    keep = np.arange(len(y)) % 5 > 0
    weight = keep.astype(float)
    weight[:200] = 0.0
    settings = {**EXACT, "feature_border_type": "Uniform"}
    model = train(cb.Pool(X, y, weight=weight), settings, loss=LogLoss())
    assert_allclose(model.get_scale_and_bias()[1], LogLoss().init_score(y[weight > 0]))
    assert np.isfinite(raw_score(model, X)).all()


def test_a_builtin_metric_replaces_the_loss():
    pool = cb.Pool(*CANCER)
    model = train(pool, {**EXACT, "eval_metric": "AUC"}, loss=FocalLoss(), eval_set=pool)
    assert model.get_evals_result()["validation"]["AUC"]


def test_cv_takes_class_codes_only():
    X, y = CANCER
    with pytest.raises(ValueError, match=r"labels must be class codes 0\.\.1 for catboost\.cv"):
        cv(cb.Pool(X, y + 1), EXACT, loss=LogLoss())


def test_two_classes_need_a_binary_loss():
    X, y = CANCER
    with pytest.raises(ValueError, match="labels must be of at least 3 classes for SoftmaxFocalLoss"):
        train(cb.Pool(X, y), EXACT, loss=SoftmaxFocalLoss())
    model = train(cb.Pool(X, y), {**EXACT, "iterations": 2}, loss=SoftmaxCrossEntropy(), builtin="auto")
    assert predict_proba(model, X).shape == (len(y), 2)


# ---- models ---------------------------------------------------------------------------------------------------------


def test_snapshots_resume(tmp_path):
    X, y = CANCER
    whole = train(cb.Pool(X, y), {**EXACT, "iterations": 20}, loss=FocalLoss(2.0))
    options = {"save_snapshot": True, "snapshot_file": str(tmp_path / "snapshot"), "train_dir": str(tmp_path)}
    train(cb.Pool(X, y), {**EXACT, "iterations": 10}, loss=FocalLoss(2.0), **options)
    resumed = train(cb.Pool(X, y), {**EXACT, "iterations": 20}, loss=FocalLoss(2.0), **options)
    assert_allclose(raw_score(resumed, X), raw_score(whole, X), atol=1e-12)


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(cb.Pool(*CANCER), {**EXACT, "iterations": 2}, loss=LogLoss())
    cv(cb.Pool(*CANCER), {**EXACT, "iterations": 2}, loss=LogLoss(), fold_count=2, logging_level="Silent")
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_with_bare_objects_can_be_cloned():
    X, y = CANCER
    model = cb.CatBoostClassifier(**EXACT, **params(FocalLoss(2.0), y)).fit(X, y)
    assert_allclose(predict_proba(clone(model).fit(X, y), X), predict_proba(model, X))


@pytest.fixture
def default_ctrl_c():
    """Restore the handler of SIGINT, which a shell disables in background processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.usefixtures("default_ctrl_c")
def test_ctrl_c_is_a_keyboard_interrupt():
    X, y = imbalanced(20_000)

    def press(until: threading.Event) -> None:
        while not until.wait(1.5):
            os.kill(os.getpid(), signal.SIGINT)

    # Rarely CatBoost hears no signal at all in a training: such a training runs to its end and raises nothing.
    interrupted = 0
    for _ in range(6):
        ended = threading.Event()
        keyboard = threading.Thread(target=press, args=(ended,))
        keyboard.start()
        try:
            train(cb.Pool(X, y), {**EXACT, "iterations": 5_000}, loss=FocalLoss(2.0))
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            ended.set()
            keyboard.join()
        if interrupted == 3:
            return
    pytest.fail(f"{interrupted} of 6 trainings were interrupted")


def test_class_weights_are_matched_by_class():
    X, y = imbalanced(rate=0.2)
    for labels, names in [(y, None), (y, (1, 0)), (np.array(["no", "yes"])[y], None)]:
        first, second = np.unique(labels).tolist()
        settings = {**EXACT, "iterations": 3} | ({} if names is None else {"class_names": names})
        models = [
            train(cb.Pool(X, labels), {**settings, "class_weights": weights}, loss=LogLoss())
            for weights in ({first: 1, second: 5}, {second: 5, first: 1})
        ]
        start = LogLoss().init_score(y, np.where(y == 1, 5, 1))
        for model in models:
            assert_allclose(model.get_scale_and_bias()[1], -start if names else start)
        assert_array_equal(raw_score(models[0], X), raw_score(models[1], X))
    cv(cb.Pool(X, y), {**EXACT, "iterations": 2, "class_weights": {1: 5, 0: 1}}, loss=LogLoss(), logging_level="Silent")


def test_a_served_model_is_not_continued():
    pool = cb.Pool(*CANCER)
    served = servable(train(pool, EXACT, loss=LogLoss(20.0)))
    with pytest.raises(ValueError, match="init_model must have been trained with loss="):
        train(pool, EXACT, loss=LogLoss(20.0), init_model=served)


def test_continuation_keeps_the_classes():
    X, y = CANCER
    settings = {**EXACT, "iterations": 3}
    model = train(cb.Pool(X, np.array(["a", "b"])[y]), settings, loss=LogLoss())
    for labels, extra, message in [
        (
            np.array(["a", "b"])[y],
            {"class_names": ("b", "a")},
            "init_model must have the classes ['b', 'a'] in this order",
        ),
        (np.array(["b", "c"])[y], {}, "labels must be among the classes ['a', 'b'], got 'c' in row 19"),
        (np.full(len(y), "a"), {}, "labels must contain every class ['a', 'b'] of init_model, got none of 'b'"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            train(cb.Pool(X, labels), {**settings, **extra}, loss=LogLoss(), init_model=model)
    for other in (
        cb.CatBoostRegressor(**settings, allow_writing_files=False).fit(X, y),
        own_model(cb.Pool(*WINE), settings, "MultiClass"),
    ):
        with pytest.raises(ValueError, match="init_model must have been trained with loss="):
            train(cb.Pool(X, y), settings, loss=LogLoss(), init_model=other)
    own = own_model(cb.Pool(X, y), settings)
    assert train(cb.Pool(X, y), settings, loss=LogLoss(), init_model=own).tree_count_ == 6
    with pytest.raises(ValueError, match="init_model must have been trained with loss=FocalLoss"):
        train(cb.Pool(X, y), settings, loss=FocalLoss(), init_model=own)


# ---- refused --------------------------------------------------------------------------------------------------------


def refused(message, loss, pool, settings=None, error=ValueError):
    """Check that neither a training nor a cross-validation begins."""
    for run in (train, cv):
        with pytest.raises(error) as raised:
            run(pool, {**EXACT, **(settings or {})}, loss=loss)
        assert message in str(raised.value), raised.value


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        (LogLoss(), lambda y: np.arange(len(y)) % 3, "labels must be of 2 classes for the binary LogLoss"),
        (FocalLoss(), lambda y: np.ones(len(y)), "labels must be of 2 classes for the binary FocalLoss"),
        (
            SoftmaxFocalLoss(),
            lambda y: np.ones(len(y), int),
            "y_true must hold at least 2 classes with positive weight",
        ),
        (LogLoss(), lambda y: y + 0.5, "labels that are not integers must lie in [0, 1], or be listed in class_names"),
        (LogLoss(), lambda y: None, "the data must have labels, got none"),
    ],
)
def test_labels_are_refused(loss, labels, message):
    X, y = CANCER
    refused(message, loss, cb.Pool(X, labels(y)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weights": {0: 1, 2: 5}}, "class_weights must have the classes [0, 1] as keys, got [0, 2]"),
        ({"class_weights": (1, 2, 3)}, "class_weights must hold one weight per class, got 3 for 2"),
    ],
)
def test_class_weights_of_other_classes_are_refused(settings, message):
    refused(message, LogLoss(), cb.Pool(*CANCER), settings)


def test_classes_and_weights_that_do_not_fit_are_refused():
    X, y = CANCER
    refused("class_weights must be omitted for soft", LogLoss(), cb.Pool(X, 0.8 * y + 0.1), {"class_weights": (1, 5)})
    refused("got none of class 2", SoftmaxCrossEntropy(), cb.Pool(X, y), {"class_names": (0, 1, 2)})
    message = "labels must be among the classes [0, 1], got 2 in row"
    refused(message, SoftmaxFocalLoss(), cb.Pool(*WINE), {"class_names": (0, 1)})
    refused("class_weight must hold one weight per class, got 2 for 3", SoftmaxCrossEntropy((1, 2)), cb.Pool(*WINE))
    refused("got only class 1", LogLoss(), cb.Pool(X, y, weight=(y == 1) * 1.0))
    with pytest.raises(cb.CatBoostError, match="All data in Weights is 0"):
        cb.Pool(X, y, weight=0.0 * y)


def test_evaluation_data_are_refused():
    X, y = CANCER
    for given, message in (
        (cb.Pool(X), "eval_set 0: the data must have labels, got none"),
        (cb.Pool(X, 2 * y), r"eval_set 0: labels must be among the classes \[0, 1\], got 2 in row 19"),
    ):
        with pytest.raises(ValueError, match=message):
            train(cb.Pool(X, y), EXACT, loss=LogLoss(), eval_set=given)


def test_an_indefinite_hessian_is_refused():
    refused("hessian must be 'guarded', got 'exact'", SoftmaxFocalLoss(2.0, hessian="exact"), cb.Pool(*WINE))


def test_bare_objects_refuse_what_does_not_fit():
    X, y = WINE
    settings = {**EXACT, "allow_writing_files": False, "eval_metric": Metric(SoftmaxFocalLoss())}
    with pytest.raises(cb.CatBoostError, match="needs K scores per sample: pass class_names"):
        cb.train(cb.Pool(X, y), {**settings, "loss_function": Objective(SoftmaxFocalLoss())})
    with pytest.raises(cb.CatBoostError, match="is binary, got 3 scores per sample"):
        cb.train(cb.Pool(X, y), {**settings, "loss_function": Objective(LogLoss()), "class_names": (0, 1, 2)})
