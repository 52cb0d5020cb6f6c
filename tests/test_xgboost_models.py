"""What XGBoost models carry, serve and refuse."""

import json
import subprocess
import sys

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, Objective, cv, params, predict_proba, raw_score, servable, train
from boosting_losses.metrics import log_loss

CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
BINARY = [LogLoss(), LogLoss(pos_weight=3.0), FocalLoss(2.0)]
MULTICLASS = [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(tuple(range(1, 11))), SoftmaxFocalLoss(2.0)]


def data_of(loss):
    return DIGITS if loss.multiclass else CANCER


def trained(loss, rounds=5, **options):
    return train({"max_depth": 3}, xgb.DMatrix(*data_of(loss)), rounds, loss=loss, **options)


#: Reads a model in a process that cannot import this package, and writes its predictions.
STRANGER = """
import sys
sys.modules["boosting_losses"] = None
import numpy as np, xgboost as xgb
try:
    import boosting_losses
except ImportError:
    pass
else:
    raise SystemExit("the package can be imported")
model = xgb.Booster(model_file=sys.argv[1])
data = xgb.DMatrix(np.load(sys.argv[2]))
np.save(sys.argv[3], model.predict(data, output_margin=True))
np.save(sys.argv[4], model.predict(data))
"""


def predicted_without_us(model, X, folder, suffix):
    files = [str(folder / name) for name in (f"model.{suffix}", "X.npy", "raw.npy", "own.npy")]
    model.save_model(files[0])
    np.save(files[1], X)
    subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=folder)
    return np.load(files[2]), np.load(files[3])


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("loss", BINARY + MULTICLASS, ids=repr)
def test_a_model_file_needs_nothing_of_ours(loss, suffix, tmp_path):
    X, _ = data_of(loss)
    model = trained(loss)
    raw, own = predicted_without_us(model, X, tmp_path, suffix)
    assert_array_equal(raw, raw_score(model, X))
    proba = predict_proba(model, X)
    if loss.is_proper:
        assert_allclose(own, proba if loss.multiclass else proba[:, 1], atol=1e-6)
    else:
        assert_array_equal(own, raw)


@pytest.mark.parametrize("loss", BINARY[:2] + MULTICLASS[:2], ids=repr)
def test_a_servable_model_predicts_the_posterior(loss, tmp_path):
    X, _ = data_of(loss)
    model = trained(loss)
    before = model.save_raw("json")
    _, own = predicted_without_us(servable(model), X, tmp_path, "ubj")
    proba = predict_proba(model, X)
    assert_allclose(own, proba if loss.multiclass else proba[:, 1], atol=1e-6)
    assert model.save_raw("json") == before, "the model itself must stay as it is"


def test_a_served_model_is_not_corrected_twice():
    X, _ = CANCER
    model = trained(LogLoss(20.0))
    assert_allclose(predict_proba(servable(model), X), predict_proba(model, X), atol=1e-6)
    assert_allclose(servable(servable(model)).predict(xgb.DMatrix(X)), predict_proba(model, X)[:, 1], atol=1e-6)


def test_served_models_keep_feature_names_of_any_script():
    X, y = CANCER
    names = [f'größe "{i}"' for i in range(X.shape[1])]
    model = train({}, xgb.DMatrix(X, y, feature_names=names), 2, loss=LogLoss(2.0))
    assert servable(model).feature_names == names


def test_a_model_of_base_margins_with_class_weights_is_not_servable():
    X, y = CANCER
    data = xgb.DMatrix(X, y, base_margin=np.linspace(-1, 1, len(y)))
    with pytest.raises(ValueError, match="cannot be stored for a model of base margins"):
        servable(train({}, data, 2, loss=LogLoss(3.0)))
    model = train({}, data, 2, loss=LogLoss())
    assert_allclose(servable(model).predict(data), predict_proba(model, data)[:, 1], atol=1e-6)


def test_a_served_model_of_class_weights_takes_no_base_margins():
    X, y = CANCER
    data = xgb.DMatrix(X, y, base_margin=np.linspace(-1, 1, len(y)))
    for loss in (LogLoss(3.0), LogLoss()):
        model = train({"max_depth": 3}, xgb.DMatrix(X, y), 2, loss=loss)
        served = servable(servable(model))
        if loss.is_proper:
            assert_allclose(predict_proba(served, data), predict_proba(model, data), atol=1e-6)
        else:
            with pytest.raises(ValueError, match="X must have no base margins for this served model"):
                predict_proba(served, data)
        assert_allclose(predict_proba(served, X), predict_proba(model, X), atol=1e-6)


def continued_without_us(loss, settings):
    X, y = data_of(loss)
    return xgb.train({"max_depth": 3, **settings}, xgb.DMatrix(X, y), 5, xgb_model=trained(loss))


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        (FocalLoss(), {"objective": "binary:logistic", "base_score": 0.5}),
        (LogLoss(3.0), {"objective": "binary:logistic", "base_score": 0.5}),
        (SoftmaxFocalLoss(), {"objective": "multi:softprob", "num_class": 10}),
        (SoftmaxFocalLoss(), {"num_class": 10}),
        (LogLoss(), {"objective": "reg:squarederror"}),
    ],
    ids=repr,
)
def test_a_model_that_bare_xgboost_has_continued_with_another_loss_is_refused(loss, settings, tmp_path):
    X, y = data_of(loss)
    model = continued_without_us(loss, settings)
    model.save_model(tmp_path / "model.ubj")
    classifier = xgb.XGBClassifier()
    classifier.load_model(tmp_path / "model.ubj")
    for stale in (model, classifier, xgb.Booster(model_file=tmp_path / "model.ubj"), model[:9]):
        for given in (None, loss):
            for call in (lambda m, given: predict_proba(m, X, given), servable):
                with pytest.raises(ValueError, match=r"must have been trained with .* to the end, got the objective '"):
                    call(stale, given)
    with pytest.raises(ValueError, match="xgb_model must have"):
        train({}, xgb.DMatrix(X, y), 1, loss=loss, xgb_model=model)


def test_what_to_do_with_a_model_that_bare_xgboost_has_continued():
    model = continued_without_us(FocalLoss(), {"objective": "binary:logistic", "base_score": 0.5})
    own = model.predict(xgb.DMatrix(CANCER[0]))
    model.set_attr(boosting_losses=None)
    assert_allclose(predict_proba(model, CANCER[0], LogLoss())[:, 1], own, atol=1e-6)


def test_a_continuation_with_the_same_loss_is_no_other_loss():
    X, y = DIGITS
    first = trained(SoftmaxCrossEntropy())
    builtin = xgb.train({"objective": "multi:softprob", "num_class": 10}, xgb.DMatrix(X, y), 2, xgb_model=first)
    assert_allclose(predict_proba(builtin, X), builtin.predict(xgb.DMatrix(X)), atol=1e-6)
    classifier = xgb.XGBClassifier(n_estimators=2).fit(X, y, xgb_model=first)
    assert_allclose(predict_proba(classifier, X), classifier.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="must have been trained with SoftmaxFocalLoss"):
        predict_proba(xgb.XGBClassifier(n_estimators=2).fit(X, y, xgb_model=trained(SoftmaxFocalLoss())), X)
    X, y = CANCER
    loss = LogLoss(3.0)
    ours = xgb.train(params(loss, y), xgb.DMatrix(X, y), 2, obj=Objective(loss), xgb_model=trained(loss))
    assert_allclose(predict_proba(ours, X)[:, 1], loss.posterior(ours.predict(xgb.DMatrix(X))), atol=1e-6)


def test_files_whose_raw_scores_are_logitraw_are_still_read():
    """As older versions wrote them."""
    X, y = CANCER
    for loss in (FocalLoss(), LogLoss(3.0)):
        model = trained(loss)
        file = json.loads(model.save_raw("json"))
        file["learner"]["objective"]["name"] = "binary:logitraw"
        older = xgb.Booster(model_file=bytearray(json.dumps(file).encode()))
        assert_array_equal(predict_proba(older, X), predict_proba(model, X))
        data = xgb.DMatrix(X, y)
        more = [train({"max_depth": 3}, data, 3, loss=loss, xgb_model=half) for half in (older, model)]
        assert_array_equal(raw_score(more[0], X), raw_score(more[1], X))
    assert_allclose(servable(older).predict(data), predict_proba(model, X)[:, 1], atol=1e-6)


def test_checkpoints_carry_the_loss(tmp_path):
    X, y = CANCER
    save = xgb.callback.TrainingCheckPoint(directory=tmp_path, name="part", interval=2)
    train({}, xgb.DMatrix(X, y), 4, loss=FocalLoss(0.5), callbacks=[save])
    checkpoint = sorted(tmp_path.iterdir())[0]
    assert predict_proba(xgb.Booster(model_file=checkpoint), X).shape == (len(y), 2)
    with pytest.raises(ValueError, match="xgb_model must have been trained with loss="):
        train({}, xgb.DMatrix(X, y), 2, loss=FocalLoss(2.0), xgb_model=checkpoint)


def test_models_that_do_not_fit_are_not_servable():
    X, y = CANCER
    with pytest.raises(ValueError, match="loss must fit the model"):
        servable(xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, y), 2), SoftmaxCrossEntropy())
    counts = xgb.train({"objective": "count:poisson"}, xgb.DMatrix(X, y), 2)
    with pytest.raises(
        ValueError, match="the model must have been trained for classes, got the objective 'count:poisson'"
    ):
        servable(counts, LogLoss())


def test_servable_classifiers():
    for loss in (LogLoss(3.0), SoftmaxCrossEntropy(range(1, 11))):
        X, y = data_of(loss)
        model = xgb.XGBClassifier(n_estimators=5, **params(loss, y, sklearn=True)).fit(X, y)
        served = servable(model)
        assert type(served) is xgb.XGBClassifier
        assert_allclose(served.predict_proba(X), predict_proba(model, X), atol=1e-6)
        assert np.abs(model.predict_proba(X) - predict_proba(model, X)).max() > 0.01


def test_servable_early_stopped_model_keeps_its_best_round():
    X, y = CANCER
    held_out = [(xgb.DMatrix(X[400:], y[400:]), "valid")]
    settings = {"evals": held_out, "early_stopping_rounds": 3, "verbose_eval": False}
    model = train({"eta": 0.9}, xgb.DMatrix(X[:400], y[:400]), 200, loss=LogLoss(2.0), **settings)
    served = servable(model)
    assert served.best_iteration == model.best_iteration
    best = served[: served.best_iteration + 1]
    assert_allclose(best.predict(xgb.DMatrix(X)), predict_proba(model, X)[:, 1], atol=1e-6)


def test_focal_models_are_not_servable():
    for loss in (FocalLoss(2.0), SoftmaxFocalLoss(1.0)):
        with pytest.raises(ValueError, match="is not a sigmoid or softmax of its raw scores"):
            servable(trained(loss))
    model = trained(FocalLoss(0.0, alpha=0.3))
    assert_allclose(servable(model).predict(xgb.DMatrix(CANCER[0])), predict_proba(model, CANCER[0])[:, 1], atol=1e-6)


def test_an_intercept_that_xgboost_cannot_store():
    data = xgb.DMatrix(np.zeros((3, 1)), [0.0, 1.0, 0.0], weight=[1e9, 1.0, 1.0])
    with pytest.raises(ValueError, match="XGBoost cannot store the init score"):
        servable(train({}, data, 1, loss=LogLoss(2.0)))


@pytest.mark.parametrize("loss", BINARY + MULTICLASS, ids=repr)
def test_a_loaded_model_knows_its_loss(loss, tmp_path):
    X, _ = data_of(loss)
    model = trained(loss)
    model.save_model(tmp_path / "model.ubj")
    loaded = xgb.Booster(model_file=tmp_path / "model.ubj")
    assert_array_equal(predict_proba(loaded, X), predict_proba(model, X))
    assert_array_equal(predict_proba(model[:3], X, loss), predict_proba(model[:3], X))
    assert json.loads(loaded.attr("boosting_losses"))["loss"] == type(loss).__name__
    proba = predict_proba(loaded, X)
    assert proba.shape == (len(X), 10 if loss.multiclass else 2)
    assert proba.dtype == np.float64
    assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


def test_a_model_without_a_loss():
    X, y = CANCER
    model = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, y), 3)
    with pytest.raises(ValueError, match=r"the model carries no loss; pass the one it was trained with as loss="):
        predict_proba(model, X)
    assert_allclose(predict_proba(model, X, LogLoss())[:, 1], model.predict(xgb.DMatrix(X)), atol=1e-7)
    classifier = xgb.XGBClassifier(n_estimators=3).fit(X, y)
    with pytest.raises(ValueError, match="the model carries no loss"):
        predict_proba(classifier, X)
    assert_allclose(predict_proba(classifier, X, LogLoss()), classifier.predict_proba(X), atol=1e-6)
    with pytest.raises(TypeError, match=r"loss must be a Loss, such as LogLoss"):
        predict_proba(model, X, "log_loss")


def test_shap_values_sum_to_the_raw_score():
    for loss in (LogLoss(2.0), FocalLoss(2.0)):
        model = trained(loss)
        data = xgb.DMatrix(CANCER[0])
        assert_allclose(model.predict(data, pred_contribs=True).sum(axis=1), raw_score(model, data), atol=1e-5)


# ---- refused before the first round ---------------------------------------------------------------------------------


class Never(xgb.callback.TrainingCallback):
    """Fails the test when a round begins."""

    def before_iteration(self, model, epoch, evals_log):
        raise AssertionError("a round was begun")


def refused(error, message, loss, data, settings=None, **options):
    for run in (train, cv):
        if run is cv:
            options = {name: value for name, value in options.items() if name not in ("evals", "xgb_model")}
            if not options.pop("also_cv", True):
                continue
        extra = {name: value for name, value in options.items() if name != "also_cv"}
        with pytest.raises(error) as raised:
            run(settings or {}, data, 3, loss=loss, callbacks=[Never()], **extra)
        assert message in str(raised.value), raised.value


def test_labels_are_refused():
    X, y = CANCER
    refused(ValueError, "y_true must lie in [0, 1], got 2.0 in row 0", LogLoss(), xgb.DMatrix(X, y + 2))
    refused(ValueError, "y_true must lie in [0, 1], got -1.0 in row", FocalLoss(), xgb.DMatrix(X, 2 * y - 1))
    refused(ValueError, "got only class 1", LogLoss(), xgb.DMatrix(X, np.ones(len(y))))
    refused(ValueError, "y_true must hold at least one label, got none", LogLoss(), xgb.DMatrix(X))
    refused(ValueError, "y_true must have shape (n,), got (569, 2)", LogLoss(), xgb.DMatrix(X, np.eye(2)[y]))
    message = "y_true must hold every class 0..2 with weight, got none of class 1"
    refused(ValueError, message, SoftmaxCrossEntropy(), xgb.DMatrix(X, 2 * y))
    refused(ValueError, "class codes 0..1, got 2.0", SoftmaxFocalLoss(), xgb.DMatrix(X, 2 * y), {"num_class": 2})
    refused(ValueError, "got none of class 2", SoftmaxCrossEntropy(), xgb.DMatrix(X, y), {"num_class": 3})
    refused(ValueError, "y_true must hold class codes 0, 1, 2, ..., got 0.5", SoftmaxFocalLoss(), xgb.DMatrix(X, y / 2))
    refused(
        ValueError, "must sum to 1, got 2.0", SoftmaxFocalLoss(), xgb.DMatrix(X, np.ones((len(y), 2))), also_cv=False
    )
    weight = xgb.DMatrix(X, y, weight=np.zeros(len(y)))
    refused(ValueError, "sample_weight must have a sum > 0, got 569 weights that are all 0", LogLoss(), weight)
    short = SoftmaxCrossEntropy((1.0, 2.0))
    refused(ValueError, "class_weight must hold one weight per class, got 2 for 10", short, xgb.DMatrix(*DIGITS))


def test_xgboost_itself_refuses_values_without_meaning():
    X, y = CANCER
    for bad in ({"label": np.where(y == 1, np.nan, 0)}, {"label": y, "weight": -np.ones(len(y))}):
        with pytest.raises(ValueError, match=r"Label contains NaN|Weights must be positive"):
            xgb.DMatrix(X, **bad)


def test_evaluation_data_are_refused():
    X, y = CANCER
    evals = [(xgb.DMatrix(X, y), "ok"), (xgb.DMatrix(X, y + 1), "shifted")]
    message = "evals 'shifted': y_true must lie in [0, 1], got 2.0 in row 19"
    with pytest.raises(ValueError, match="evals 'shifted'") as raised:
        train({}, evals[0][0], 3, loss=LogLoss(), evals=evals, callbacks=[Never()])
    assert str(raised.value) == message
    with pytest.raises(ValueError, match="names in evals must hold no blank and no colon, which XGBoost cannot read"):
        train({}, evals[0][0], 3, loss=LogLoss(), evals=[(evals[0][0], "held out")], callbacks=[Never()])
    with pytest.raises(ValueError, match=r"evals 'more': y_true must hold class codes 0..9, got 10.0"):
        train(
            {},
            xgb.DMatrix(*DIGITS),
            3,
            loss=SoftmaxCrossEntropy(),
            evals=[(xgb.DMatrix(DIGITS[0], DIGITS[1] + 1), "more")],
        )


def test_one_class_is_legal_in_evaluation_data():
    X, y = CANCER
    history = {}
    one = xgb.DMatrix(X[y == 1], y[y == 1])
    train({}, xgb.DMatrix(X, y), 2, loss=FocalLoss(), evals=[(one, "one")], evals_result=history, verbose_eval=False)
    assert len(history["one"]["focal_loss"]) == 2


def test_parameters_that_would_be_ignored_or_wrong_are_refused():
    data = xgb.DMatrix(*CANCER)
    message = "params must not hold an objective beside loss=LogLoss"
    refused(ValueError, message, LogLoss(), data, {"objective": "binary:logistic"})
    refused(
        ValueError,
        "scale_pos_weight has no effect under a custom objective, got 9",
        LogLoss(),
        data,
        {"scale_pos_weight": 9},
    )
    refused(ValueError, "num_class must be left out for the binary LogLoss", LogLoss(), data, {"num_class": 2})
    for metric in ("logloss", ["auc", "error@0.3"]):
        refused(ValueError, "eval_metric must be one of auc, aucpr,", FocalLoss(), data, {"eval_metric": metric})
        train({"eval_metric": metric}, data, 1, loss=LogLoss())
    train({"eval_metric": "auc"}, data, 1, loss=FocalLoss(), evals=[(data, "t")], verbose_eval=False)
    digits = xgb.DMatrix(*DIGITS)
    refused(
        ValueError, "eval_metric must be one of merror where", SoftmaxFocalLoss(), digits, {"eval_metric": "mlogloss"}
    )
    train({"eval_metric": "merror"}, digits, 1, loss=SoftmaxFocalLoss(), evals=[(digits, "t")], verbose_eval=False)
    with pytest.raises(TypeError, match="obj"):
        train({}, data, 1, loss=LogLoss(), obj=Objective(LogLoss()))


def test_eval_metrics_that_are_asked_for_are_right():
    data = xgb.DMatrix(*DIGITS)
    history = {}
    options = {"evals": [(data, "t")], "evals_result": history, "verbose_eval": False}
    train({"eval_metric": ["merror", "mlogloss"]}, data, 2, loss=SoftmaxCrossEntropy(), **options)
    builtin = {}
    settings = {**params(SoftmaxCrossEntropy(), DIGITS[1]), "eval_metric": ["merror", "mlogloss"]}
    xgb.train(settings, data, 2, evals=[(data, "t")], evals_result=builtin, verbose_eval=False)
    assert list(history["t"]) == ["merror", "mlogloss"]
    for name in ("merror", "mlogloss"):
        assert_allclose(history["t"][name], builtin["t"][name], atol=1e-6)


def test_arguments_of_the_wrong_kind():
    with pytest.raises(
        TypeError, match="eval_metric in params must be a name; pass a function or a Metric as custom_metric"
    ):
        train({"eval_metric": Metric(LogLoss())}, xgb.DMatrix(*CANCER), 1, loss=LogLoss())
    with pytest.raises(TypeError, match="the data must be a DMatrix, got ndarray"):
        train({}, CANCER[0], 1, loss=LogLoss())


def test_a_fold_without_a_class_is_named():
    X, y = DIGITS
    order = np.argsort(y, kind="stable")
    folds = [(np.arange(len(y)), np.arange(10)), (order[:900], order[900:])]
    with pytest.raises(ValueError, match=r"training part of fold 2: y_true must hold every class 0..9 with weight"):
        cv({}, xgb.DMatrix(X, y), 3, loss=SoftmaxCrossEntropy(), folds=folds)


def test_losses_are_objects():
    data = xgb.DMatrix(*CANCER)
    for call in (
        lambda: Objective(LogLoss),
        lambda: Metric(LogLoss),
        lambda: params(LogLoss, CANCER[1]),
        lambda: train({}, data, loss=LogLoss),
        lambda: cv({}, data, loss=LogLoss),
    ):
        with pytest.raises(
            TypeError, match=r"loss must be a Loss, such as LogLoss\(\), got .*did you mean LogLoss\(\)"
        ):
            call()
    with pytest.raises(TypeError, match="loss must be a Loss"):
        Objective("log_loss")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "log loss"}, ValueError, "name must be a letter followed by letters, digits or underscores"),
        ({"name": "log:loss"}, ValueError, "name must be a letter followed by"),
        ({"name": "pre_logloss"}, ValueError, "name must not start with auc, aucpr, ndcg, map, pre, which XGBoost"),
        ({"input": "logits"}, ValueError, "input must be 'raw' or 'proba', got 'logits'"),
        ({"score": "auc"}, TypeError, "score must be a function"),
    ],
)
def test_metric_options(options, error, message):
    with pytest.raises(error, match=message):
        Metric(LogLoss(), **options)


def test_bare_objects_refuse_bad_data_too():
    X, y = CANCER
    data = xgb.DMatrix(X, y + 1)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2.0 in row 19"):
        xgb.train({"objective": "binary:logistic"}, data, 1, obj=Objective(LogLoss()))
    with pytest.raises(
        ValueError, match=r"raw must have shape \(n, K\) with K >= 2 for a multiclass loss, got \(569,\)"
    ):
        xgb.XGBClassifier(objective=Objective(SoftmaxCrossEntropy())).fit(X, y)
    with pytest.raises(ValueError, match=r"raw must have shape \(n,\) for a binary loss, got \(1797, 10\)"):
        xgb.XGBClassifier(objective=Objective(LogLoss()), n_estimators=2).fit(*DIGITS)


def test_metric_values_of_the_scikit_learn_signature():
    raw = np.array([-1.0, 2.0, 0.5], dtype=np.float32)
    weight = np.array([1.0, 2.0, 3.0])
    loss = FocalLoss(2.0)
    assert Metric(loss)([0, 1, 1], raw) == loss([0, 1, 1], raw)
    assert Metric(loss)([0, 1, 1], raw, sample_weight=weight) == loss([0, 1, 1], raw, weight)
    expected = log_loss([0, 1, 1], loss.posterior(raw), weight)
    assert Metric(loss, log_loss)([0, 1, 1], raw, weight) == expected
    assert Metric(loss).__name__ == "focal_loss"
    assert Metric(SoftmaxFocalLoss()).__name__ == "softmax_focal_loss"
    assert Metric(loss, log_loss).__name__ == "log_loss"
    assert Metric(loss, name="mine").__name__ == "mine"


def test_dart_is_not_stopped_early():
    """XGBoost alone stops it: the best value logged is .5263, and .5458 that of the model up to its round."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((300, 4))
    y = (X[:, 0] + rng.standard_normal(300) > 0).astype(float)
    data, held_out = xgb.DMatrix(X[:150], y[:150]), xgb.DMatrix(X[150:], y[150:])
    settings = {"booster": "dart", "rate_drop": 0.5, "nthread": 1}
    stop = xgb.callback.EarlyStopping(rounds=5)
    for options in ({"early_stopping_rounds": 5}, {"callbacks": [stop]}):
        with pytest.raises(ValueError, match="early stopping must be left out for booster='dart'"):
            train(settings, data, 20, loss=LogLoss(), evals=[(held_out, "v")], **options)
    model = CalibratedBoostingClassifier(xgb.XGBClassifier(booster="dart"), early_stopping=2)
    with pytest.raises(ValueError, match="early_stopping must be left out for dart"):
        model.fit(X, y)
