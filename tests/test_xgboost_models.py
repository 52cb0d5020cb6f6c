"""What XGBoost models carry, serve and refuse."""

import json

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, Objective, params, predict_proba, raw_score, servable, train
from boosting_losses.metrics import log_loss

from .libraries import CANCER, DIGITS, WINE, XGBOOST, data_of


def trained(loss):
    return train({"max_depth": 3, "nthread": 1}, xgb.DMatrix(*data_of(loss)), 5, loss=loss)


def test_served_models_keep_feature_names_of_any_script():
    X, y = CANCER
    names = [f'größe "{i}"' for i in range(X.shape[1])]
    model = train({"nthread": 1}, xgb.DMatrix(X, y, feature_names=names), 2, loss=LogLoss(2.0))
    assert servable(model).feature_names == names


def test_a_model_of_base_margins_with_class_weights_is_not_servable():
    X, y = CANCER
    data = xgb.DMatrix(X, y, base_margin=np.linspace(-1, 1, len(y)))
    with pytest.raises(ValueError, match="cannot be stored for a model of base margins"):
        servable(train({"nthread": 1}, data, 2, loss=LogLoss(3.0)))
    model = train({"nthread": 1}, data, 2, loss=LogLoss())
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
    return xgb.train({"max_depth": 3, "nthread": 1, **settings}, xgb.DMatrix(X, y), 5, xgb_model=trained(loss))


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        (FocalLoss(), {"objective": "binary:logistic", "base_score": 0.5}),
        (LogLoss(3.0), {"objective": "binary:logistic", "base_score": 0.5}),
        (SoftmaxFocalLoss(), {"objective": "multi:softprob", "num_class": 3}),
        (SoftmaxFocalLoss(), {"num_class": 3}),
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
        train({"nthread": 1}, xgb.DMatrix(X, y), 1, loss=loss, xgb_model=model)


def test_what_to_do_with_a_model_that_bare_xgboost_has_continued():
    model = continued_without_us(FocalLoss(), {"objective": "binary:logistic", "base_score": 0.5})
    own = model.predict(xgb.DMatrix(CANCER[0]))
    model.set_attr(boosting_losses=None)
    assert_allclose(predict_proba(model, CANCER[0], LogLoss())[:, 1], own, atol=1e-6)


def test_a_continuation_with_the_same_loss_is_no_other_loss():
    X, y = WINE
    first = trained(SoftmaxCrossEntropy())
    builtin = xgb.train({"objective": "multi:softprob", "num_class": 3}, xgb.DMatrix(X, y), 2, xgb_model=first)
    assert_allclose(predict_proba(builtin, X), builtin.predict(xgb.DMatrix(X)), atol=1e-6)
    classifier = xgb.XGBClassifier(n_estimators=2).fit(X, y, xgb_model=first)
    assert_allclose(predict_proba(classifier, X), classifier.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="must have been trained with SoftmaxFocalLoss"):
        predict_proba(xgb.XGBClassifier(n_estimators=2).fit(X, y, xgb_model=trained(SoftmaxFocalLoss())), X)
    X, y = CANCER
    loss = LogLoss(3.0)
    ours = xgb.train(params(loss, y), xgb.DMatrix(X, y), 2, obj=Objective(loss), xgb_model=trained(loss))
    assert_allclose(predict_proba(ours, X)[:, 1], loss.posterior(ours.predict(xgb.DMatrix(X))), atol=1e-6)


def test_a_classifier_that_continues_with_another_loss_is_refused():
    X, y = CANCER
    settings = params(FocalLoss(), y, sklearn=True)
    model = xgb.XGBClassifier(n_estimators=2, **settings).fit(X, y, xgb_model=trained(LogLoss(3.0)))
    message = r"got LogLoss\(pos_weight=3.0, label_smoothing=0.0\) in its metadata, FocalLoss\(.*\) in its objective"
    with pytest.raises(ValueError, match=message):
        predict_proba(model, X)


def test_files_whose_raw_scores_are_logitraw_are_still_read():
    """Older versions wrote such files."""
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
    train({"nthread": 1}, xgb.DMatrix(X, y), 4, loss=FocalLoss(0.5), callbacks=[save])
    checkpoint = sorted(tmp_path.iterdir())[0]
    assert predict_proba(xgb.Booster(model_file=checkpoint), X).shape == (len(y), 2)
    with pytest.raises(ValueError, match="xgb_model must have been trained with loss="):
        train({"nthread": 1}, xgb.DMatrix(X, y), 2, loss=FocalLoss(2.0), xgb_model=checkpoint)


def test_models_that_do_not_fit_are_not_servable():
    X, y = CANCER
    with pytest.raises(ValueError, match="loss must match the model"):
        servable(xgb.train({"nthread": 1, "objective": "binary:logistic"}, xgb.DMatrix(X, y), 2), SoftmaxCrossEntropy())
    counts = xgb.train({"objective": "count:poisson"}, xgb.DMatrix(X, y), 2)
    with pytest.raises(
        ValueError, match="the model must have been trained for classes, got the objective 'count:poisson'"
    ):
        servable(counts, LogLoss())


def test_servable_classifiers():
    for loss in (LogLoss(3.0), SoftmaxCrossEntropy((1, 2, 3))):
        X, y = data_of(loss)
        model = xgb.XGBClassifier(n_estimators=5, **params(loss, y, sklearn=True)).fit(X, y)
        served = servable(model)
        assert type(served) is xgb.XGBClassifier
        assert_allclose(served.predict_proba(X), predict_proba(model, X), atol=1e-6)
        assert np.abs(model.predict_proba(X) - predict_proba(model, X)).max() > 0.01


@pytest.mark.parametrize("loss", [LogLoss(2.0), SoftmaxCrossEntropy()], ids=repr)
def test_an_early_stopped_booster_is_served_up_to_its_best_round(loss):
    X, y = data_of(loss)
    fit, held_out = xgb.DMatrix(X[::2], y[::2]), xgb.DMatrix(X[1::2], y[1::2])
    model, _ = XGBOOST.watched(fit, held_out, 200, loss=loss, settings={"eta": 0.9}, stopping=3)
    assert model.best_iteration + 1 < model.num_boosted_rounds()
    served = servable(model)
    assert served.best_iteration == model.best_iteration
    proba = predict_proba(model, X)
    for own in (served, served[: served.best_iteration + 1]):
        assert_allclose(own.predict(xgb.DMatrix(X)), proba if loss.multiclass else proba[:, 1], atol=1e-6)
    assert_allclose(predict_proba(served, X), proba, atol=1e-6)


def test_an_intercept_that_xgboost_cannot_store():
    data = xgb.DMatrix(np.zeros((3, 1)), [0.0, 1.0, 0.0], weight=[1e9, 1.0, 1.0])
    with pytest.raises(ValueError, match="XGBoost cannot store the"):
        servable(train({"nthread": 1}, data, 1, loss=LogLoss(2.0)))


# ---- refused before the first round ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        (LogLoss(), lambda y: None, "y_true must hold at least one label, got none"),
        (LogLoss(), lambda y: np.eye(2)[y], r"y_true must have shape \(n,\), got \(569, 2\)"),
        (SoftmaxFocalLoss(), lambda y: np.ones((len(y), 2)), "must sum to 1, got 2.0"),
    ],
)
def test_labels_of_the_wrong_shape_are_refused(loss, labels, message):
    X, y = CANCER
    with pytest.raises(ValueError, match=message):
        train({}, xgb.DMatrix(X, labels(y)), 1, loss=loss, **XGBOOST.without_rounds)


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
        train({"nthread": 1}, evals[0][0], 3, loss=LogLoss(), evals=evals, **XGBOOST.without_rounds)
    assert str(raised.value) == message
    with pytest.raises(ValueError, match="names in evals must not contain spaces or colons, because XGBoost"):
        train(
            {"nthread": 1}, evals[0][0], 3, loss=LogLoss(), evals=[(evals[0][0], "held out")], **XGBOOST.without_rounds
        )
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
    train(
        {"nthread": 1},
        xgb.DMatrix(X, y),
        2,
        loss=FocalLoss(),
        evals=[(one, "one")],
        evals_result=history,
        verbose_eval=False,
    )
    assert len(history["one"]["focal_loss"]) == 2


def test_bare_objects_refuse_bad_data_too():
    X, y = CANCER
    data = xgb.DMatrix(X, y + 1)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2.0 in row 19"):
        xgb.train({"objective": "binary:logistic"}, data, 1, obj=Objective(LogLoss()))
    with pytest.raises(
        ValueError, match=r"raw must have shape \(n, K\) with K >= 2 for a multiclass loss, got \(569,\)"
    ):
        xgb.XGBClassifier(objective=Objective(SoftmaxCrossEntropy())).fit(X, y)
    with pytest.raises(ValueError, match=r"raw must have shape \(n,\) for a binary loss, got \(600, 10\)"):
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
    """XGBoost alone stops: the best value logged is .5263, but the model up to that round has .5458."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((300, 4))
    y = (X[:, 0] + rng.standard_normal(300) > 0).astype(float)
    data, held_out = xgb.DMatrix(X[:150], y[:150]), xgb.DMatrix(X[150:], y[150:])
    settings = {"booster": "dart", "rate_drop": 0.5, "nthread": 1}
    stop = xgb.callback.EarlyStopping(rounds=5)
    for options in ({"early_stopping_rounds": 5}, {"callbacks": [stop]}):
        with pytest.raises(ValueError, match="early stopping is not supported with booster='dart'"):
            train(settings, data, 20, loss=LogLoss(), evals=[(held_out, "v")], **options)
    model = CalibratedBoostingClassifier(xgb.XGBClassifier(booster="dart"), early_stopping=2)
    with pytest.raises(ValueError, match="early_stopping must be omitted for dart"):
        model.fit(X, y)
