"""Models as others read them: the library in another process, ONNX Runtime, SHAP, other file formats."""

import runpy
import subprocess
import sys

import catboost as cb
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters import catboost

from .libraries import CATBOOST, LIBRARIES, LIGHTGBM, XGBOOST, columns

#: Losses that can be served, and numbers of classes.
SERVABLE = [
    (LogLoss(), 2),
    (LogLoss(pos_weight=5.0), 2),
    (LogLoss(pos_weight=0.2, label_smoothing=0.1), 2),
    (FocalLoss(gamma=0.0, alpha=0.9), 2),
    (SoftmaxCrossEntropy(), 3),
    (SoftmaxCrossEntropy((1.0, 2.0, 5.0)), 3),
    (SoftmaxCrossEntropy(), 5),
    (SoftmaxCrossEntropy((1.0, 2.0, 5.0, 0.5, 0.1)), 5),
]
each_library = pytest.mark.parametrize("library", LIBRARIES, ids=repr)


def rows(classes, missing=False):
    """Return classes of unequal frequency, in single precision."""
    rng = np.random.default_rng(classes)
    X = rng.standard_normal((300, 6)).astype(np.float32)
    y = (X[:, :classes] - np.arange(classes) / 2 + rng.gumbel(size=(300, classes))).argmax(axis=1)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def assert_serves(library, served, X, expected, folder):
    """Check that the library alone and ONNX Runtime give these probabilities."""
    own = served.predict_proba(X) if hasattr(served, "predict_proba") else library.own_predictions(served, X)
    assert_allclose(columns(own), expected, atol=2e-6)
    outputs = library.onnx(served, X, folder)
    assert_allclose(outputs["probabilities"], expected, atol=2e-6)
    assert (outputs["label"] == expected.argmax(axis=1)).mean() > 0.99


@each_library
@pytest.mark.parametrize(
    ("loss", "classes", "missing"),
    [
        (*SERVABLE[1], True),
        (*SERVABLE[5], False),
        *(
            pytest.param(*servable, missing, marks=pytest.mark.slow)
            for servable in SERVABLE
            for missing in (False, True)
        ),
    ],
    ids=str,
)
def test_a_served_model_gives_the_posterior(library, loss, classes, missing, tmp_path):
    X, y = rows(classes, missing)
    model = library.train(library.data(X, y), loss=loss)
    expected = library.adapter.predict_proba(model, X)
    served = library.adapter.servable(model)
    assert_serves(library, served, X, expected, tmp_path)
    assert_serves(library, library.adapter.servable(served), X, expected, tmp_path)  # weights are taken out only once
    if loss.is_proper and not library.predicts_raw:
        assert_serves(library, model, X, expected, tmp_path)
    assert_allclose(library.adapter.predict_proba(model, X), expected)


#: Reads the models of a folder in a process that cannot import this package, and writes their predictions.
STRANGER = """
import sys
sys.modules["boosting_losses"] = None
from pathlib import Path
import numpy as np
for file in Path(".").glob("*.npy"):
    raw, own = read(str(file.with_suffix(sys.argv[1])), np.load(file))
    np.savez(file.with_suffix(".npz"), raw=raw, own=own)
"""


@pytest.mark.slow
@each_library
def test_another_process_needs_nothing_of_this_package(library, tmp_path):
    expected = {}
    for number, (loss, classes) in enumerate([*SERVABLE, (FocalLoss(), 2), (SoftmaxFocalLoss(), 3)]):
        X, y = rows(classes, missing=True)
        model = library.train(library.data(X, y), loss=loss)
        raw, proba = library.adapter.raw_score(model, X), library.adapter.predict_proba(model, X)
        models = {f"{number}": (model, raw, proba if loss.is_proper else None)}
        if loss.posterior_offset(classes) is not None:
            models[f"{number}-served"] = (library.adapter.servable(model), None, proba)
        for name, (one, *predictions) in models.items():
            one.save_model(str(tmp_path / f"{name}.{library.suffix}"))
            np.save(tmp_path / f"{name}.npy", X)
            expected[name] = predictions
    code = library.reader + STRANGER
    subprocess.run([sys.executable, "-c", code, f".{library.suffix}"], check=True, cwd=tmp_path)
    for name, (raw, proba) in expected.items():
        with np.load(tmp_path / f"{name}.npz") as file:
            found = dict(file)
        if raw is not None:
            assert_array_equal(found["raw"], raw)
        if proba is not None:
            assert_allclose(columns(found["own"]), proba, atol=1e-6)


# ---- XGBoost --------------------------------------------------------------------------------------------------------

DART = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}


@pytest.mark.parametrize("kind", ["dart", "stopped", "classifier"])
@pytest.mark.parametrize(("loss", "classes"), [SERVABLE[1], SERVABLE[5]], ids=repr)
def test_other_kinds_of_xgboost_models_are_served(kind, loss, classes, tmp_path):
    X, y = rows(classes, missing=True)
    if kind == "dart":
        model = XGBOOST.train(XGBOOST.data(X, y), 8, loss=loss, settings=DART)
    elif kind == "classifier":
        model = XGBOOST.classifier(loss, y, rounds=8).set_params(**DART).fit(X, y)
    else:
        data, held_out = XGBOOST.data(X[:200], y[:200]), XGBOOST.data(X[200:], y[200:])
        model, _ = XGBOOST.watched(data, held_out, 30, loss=loss, settings={"eta": 1.0}, stopping=2)
        assert model.best_iteration + 1 < model.num_boosted_rounds()
    assert_serves(XGBOOST, XGBOOST.adapter.servable(model), X, XGBOOST.adapter.predict_proba(model, X), tmp_path)


def test_dart_is_served_as_plain_trees():
    """The sum of the leaves alone is what a reader without weights of trees sees."""
    X, y = rows(3)
    model = XGBOOST.train(XGBOOST.data(X, y), 8, loss=SERVABLE[5][0], settings=DART)
    served = XGBOOST.adapter.servable(model)
    frame = served.trees_to_dataframe()
    leaves = served.predict(xgb.DMatrix(X), pred_leaf=True)
    values = {(row.Tree, row.Node): row.Gain for row in frame[frame.Feature == "Leaf"].itertuples()}
    sums = np.array([[values[tree, leaf] for tree, leaf in enumerate(row)] for row in leaves])
    shifts = XGBOOST.adapter.raw_score(served, X) - sums.reshape(len(X), -1, 3).sum(axis=1)
    assert_allclose(shifts, np.broadcast_to(shifts[0], shifts.shape), atol=1e-5)


@pytest.mark.parametrize("loss", [FocalLoss(), LogLoss(3.0)], ids=repr)
def test_raw_scores_of_two_classes_go_through_onnx(loss, tmp_path):
    X, y = rows(2, missing=True)
    model = XGBOOST.train(XGBOOST.data(X, y), loss=loss)
    (raw,) = XGBOOST.onnx(model, X, tmp_path).values()
    assert_allclose(raw[:, 0], XGBOOST.adapter.raw_score(model, X), atol=2e-6)


def test_shap_makes_no_probabilities_of_raw_scores():
    shap = pytest.importorskip("shap", minversion="0.50")  # which reads an intercept per class
    X, y = rows(2)
    model = XGBOOST.train(XGBOOST.data(X, y), loss=FocalLoss())
    explainer = shap.TreeExplainer(model)
    total = explainer.shap_values(X).sum(axis=1) + explainer.expected_value
    assert_allclose(total, XGBOOST.adapter.raw_score(model, X), atol=1e-5)
    with pytest.raises(NotImplementedError):
        shap.TreeExplainer(model, X[:20], model_output="probability")


@pytest.mark.parametrize("settings", [{}, {"booster": "dart", "rate_drop": 0.5}, {"booster": "gblinear"}], ids=str)
def test_a_classifier_loads_raw_scores(settings, tmp_path):
    X, y = rows(2)
    model = XGBOOST.adapter.train({"nthread": 1, **settings}, XGBOOST.data(X, y), 5, loss=FocalLoss())
    model.save_model(tmp_path / "model.ubj")
    classifier = xgb.XGBClassifier()
    classifier.load_model(tmp_path / "model.ubj")
    for call in (XGBOOST.adapter.raw_score, XGBOOST.adapter.predict_proba):
        assert_allclose(call(classifier, X), call(model, X), atol=1e-6)


# ---- LightGBM -------------------------------------------------------------------------------------------------------


def test_onnx_refuses_a_model_whose_scores_have_no_such_link(tmp_path):
    model = LIGHTGBM.train(LIGHTGBM.data(*rows(2)), loss=FocalLoss())
    for unserved in (model, lgb.Booster(model_str=model.model_to_string())):
        with pytest.raises(NotImplementedError, match="Unsupported LightGbm objective"):
            LIGHTGBM.onnx(unserved, rows(2)[0], tmp_path)


@pytest.mark.parametrize("loss", [LogLoss(), pytest.param(LogLoss(5.0), marks=pytest.mark.slow)], ids=repr)
def test_shap_explains_probabilities(loss):
    shap = pytest.importorskip("shap")
    X, y = rows(2)
    model = LIGHTGBM.adapter.servable(LIGHTGBM.train(LIGHTGBM.data(X, y), loss=loss))
    explainer = shap.TreeExplainer(model, X[:10], model_output="probability")
    total = np.asarray(explainer.shap_values(X[:5])).sum(-1) + explainer.expected_value
    assert_allclose(total, model.predict(X[:5]), atol=1e-6)


def test_trees_and_refits_are_those_of_the_builtin_loss(tmp_path):
    X, y = rows(2)
    models = [train(LIGHTGBM.data(X, y), 5, loss=LogLoss()) for train in (LIGHTGBM.train, LIGHTGBM.train_builtin)]
    assert_allclose(*[model.trees_to_dataframe()["value"] for model in models], atol=1e-6)
    models[0].save_model(tmp_path / "model.txt")
    models[0] = lgb.Booster(model_file=tmp_path / "model.txt")
    assert_allclose(*[model.refit(X[:150], y[:150]).predict(X) for model in models], atol=1e-12)


# ---- CatBoost -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide", "Depthwise"])
@pytest.mark.parametrize(("loss", "classes"), [SERVABLE[1], SERVABLE[5]], ids=repr)
def test_served_files_of_every_kind_of_trees(loss, classes, grow_policy, tmp_path):
    X, y = rows(classes)
    model = CATBOOST.train(CATBOOST.data(X, y), loss=loss, settings={"grow_policy": grow_policy})
    for form in ("cbm", "json"):
        catboost.servable(model).save_model(str(tmp_path / "model"), format=form)
        loaded = cb.CatBoostClassifier().load_model(str(tmp_path / "model"), format=form)
        assert_allclose(loaded.predict_proba(X), catboost.predict_proba(model, X), atol=1e-12)


def test_a_model_as_python_code_has_the_intercept(tmp_path):
    X, y = rows(2)
    served = catboost.servable(CATBOOST.train(CATBOOST.data(X, y), loss=LogLoss(5.0)))
    served.save_model(str(tmp_path / "model.py"), format="python")
    apply = runpy.run_path(str(tmp_path / "model.py"))["apply_catboost_model"]
    scores = np.array([apply(row.tolist()) for row in X[:50]])
    assert_allclose(1 / (1 + np.exp(-scores)), served.predict_proba(X[:50])[:, 1], atol=1e-7)


@pytest.mark.parametrize("builtin", ["never", "auto"])
@pytest.mark.parametrize(("loss", "classes"), [SERVABLE[0], SERVABLE[1], SERVABLE[5], (FocalLoss(), 2)], ids=repr)
def test_the_onnx_of_any_model_has_the_intercept(loss, classes, builtin, tmp_path):
    """Probabilities where the loss is CatBoost's own or of several classes, otherwise raw scores."""
    X, y = rows(classes, missing=True)
    model = CATBOOST.train(CATBOOST.data(X, y), loss=loss, builtin=builtin)
    outputs, raw = CATBOOST.onnx(model, X, tmp_path), catboost.raw_score(model, X)
    if "probabilities" in outputs:
        assert_allclose(outputs["probabilities"], columns(loss.activation(raw)), atol=2e-6)
    else:
        assert_allclose(np.ravel(outputs["predictions"]), raw, atol=2e-6)


@pytest.mark.parametrize("kind", ["soft", "stump", "words", "builtin", "loaded", "bare", "scaled", "scaled classes"])
def test_other_kinds_of_catboost_models_are_served(kind, tmp_path):
    X, y = rows(3 if kind == "scaled classes" else 2, missing=True)
    loss = SoftmaxCrossEntropy() if kind == "scaled classes" else LogLoss(1.0 if kind == "builtin" else 5.0)
    labels = {"soft": 0.8 * y + 0.1, "words": np.array(["no", "yes", "maybe"])[y]}.get(kind, y)
    data = CATBOOST.data(X, labels)
    settings = {"depth": 1} if kind == "stump" else None
    model = CATBOOST.train(data, 1 if kind == "stump" else 5, loss=loss, settings=settings, builtin="auto")
    if kind == "loaded":
        model.save_model(str(tmp_path / "first.cbm"))
        model = CATBOOST.load(tmp_path / "first.cbm")
    elif kind == "bare":
        model = CATBOOST.classifier(loss, y).fit(X, y)
    elif kind.startswith("scaled"):
        model.set_scale_and_bias(0.5, [0.3, 0.2, 0.1] if loss.multiclass else 0.3)
    served, expected = catboost.servable(model), catboost.predict_proba(model, X)
    assert_allclose(served.predict_proba(X), expected, atol=1e-12)
    assert_allclose(CATBOOST.onnx(served, X, tmp_path)["probabilities"], expected, atol=2e-6)
    shap = served.get_feature_importance(cb.Pool(X), type="ShapValues").sum(axis=-1)
    assert_allclose(shap, catboost.raw_score(served, X), atol=1e-9)


def test_a_model_without_trees_keeps_the_intercept():
    X, y = rows(2)
    model = CATBOOST.train(CATBOOST.data(X, y), loss=LogLoss(2.0))
    model.shrink(0)  # CatBoost predicts nothing with it
    expected = np.log(y.mean() / (1 - y.mean()))
    assert_allclose(catboost.servable(model).get_scale_and_bias(), (1.0, expected))
