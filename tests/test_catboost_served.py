"""What the CatBoost adapter's models give without this package: ONNX, other formats, and CatBoost in another process."""

import runpy
import subprocess
import sys

import catboost as cb
import numpy as np
import pytest
from numpy.testing import assert_allclose

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters.catboost import params, predict_proba, raw_score, servable, train

SETTINGS = {"iterations": 10, "depth": 4, "learning_rate": 0.3, "thread_count": 1, "verbose": False}
LOSSES = [
    (LogLoss(), 2),
    (LogLoss(pos_weight=5.0), 2),
    (SoftmaxCrossEntropy(), 3),
    (SoftmaxCrossEntropy((1.0, 2.0, 5.0)), 3),
    (SoftmaxCrossEntropy(), 5),
    (SoftmaxCrossEntropy((1.0, 2.0, 5.0, 0.5, 3.0)), 5),
]


def data(n_classes, missing=True, rows=500):
    """Classes of unequal frequency."""
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(rows, 6)).astype(np.float32)
    y = (X[:, :n_classes] - np.arange(n_classes) + rng.gumbel(size=(rows, n_classes))).argmax(axis=1)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def through_onnx(model, X, folder):
    """The outputs of CatBoost's own export, by name."""
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(4)
    path = str(folder / "model.onnx")
    model.save_model(path, format="onnx")
    session = runtime.InferenceSession(path)
    outputs = dict(
        zip([output.name for output in session.get_outputs()], session.run(None, {"features": X}), strict=True)
    )
    if "probabilities" in outputs:
        outputs["probabilities"] = np.array([[row[label] for label in sorted(row)] for row in outputs["probabilities"]])
    return outputs


STRANGER = """
import sys
sys.modules["boosting_losses"] = None
import numpy as np, catboost as cb
np.save(sys.argv[3], cb.CatBoostClassifier().load_model(sys.argv[1], format=sys.argv[2]).predict_proba(np.load(sys.argv[4])))
"""


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("builtin", ["never", "auto"])
@pytest.mark.parametrize(("loss", "n_classes"), LOSSES, ids=str)
def test_a_served_model_gives_the_posterior_everywhere(loss, n_classes, builtin, missing, tmp_path):
    X, y = data(n_classes, missing)
    model = train(cb.Pool(X, y), SETTINGS, loss=loss, builtin=builtin)
    path = str(tmp_path / "first.cbm")
    model.save_model(path)
    expected = predict_proba(model, X)
    for served in (servable(model), servable(cb.CatBoost().load_model(path)), servable(servable(model))):
        assert_allclose(served.predict_proba(X), expected, atol=1e-12)
        outputs = through_onnx(served, X, tmp_path)
        difference = np.abs(outputs["probabilities"] - expected).max()
        print(f"{loss} of {n_classes}, {builtin}: ONNX {difference:.1e}")
        assert difference < 2e-6
        assert (outputs["label"] == expected.argmax(axis=1)).mean() > 0.99
        shap = served.get_feature_importance(cb.Pool(X, y), type="ShapValues").sum(axis=-1)
        assert_allclose(shap, raw_score(served, X), atol=1e-9)


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide", "Depthwise"])
@pytest.mark.parametrize(("loss", "n_classes"), [LOSSES[1], LOSSES[3]], ids=str)
def test_another_process_reads_a_served_file(loss, n_classes, grow_policy, tmp_path):
    X, y = data(n_classes)
    model = train(cb.Pool(X, y), {**SETTINGS, "grow_policy": grow_policy}, loss=loss)
    np.save(tmp_path / "X.npy", X)
    for form in ("cbm", "json"):
        files = [str(tmp_path / f"model.{form}"), form, str(tmp_path / "proba.npy"), str(tmp_path / "X.npy")]
        servable(model).save_model(files[0], format=form)
        subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=tmp_path)
        assert_allclose(np.load(files[2]), predict_proba(model, X), atol=1e-12)


def test_a_model_as_python_code_has_the_intercept(tmp_path):
    X, y = data(2, missing=False)
    served = servable(train(cb.Pool(X, y), SETTINGS, loss=LogLoss(5.0)))
    served.save_model(str(tmp_path / "model.py"), format="python")
    apply = runpy.run_path(str(tmp_path / "model.py"))["apply_catboost_model"]
    scores = np.array([apply(row.tolist()) for row in X[:50]])
    assert_allclose(1 / (1 + np.exp(-scores)), served.predict_proba(X[:50])[:, 1], atol=1e-7)


@pytest.mark.parametrize("builtin", ["never", "auto"])
@pytest.mark.parametrize(("loss", "n_classes"), [*LOSSES, (FocalLoss(), 2)], ids=str)
def test_the_onnx_of_any_model_has_the_intercept(loss, n_classes, builtin, tmp_path):
    """Probabilities where the loss is CatBoost's own or of several classes, otherwise raw scores."""
    X, y = data(n_classes)
    model = train(cb.Pool(X, y), SETTINGS, loss=loss, builtin=builtin)
    outputs = through_onnx(model, X, tmp_path)
    if "probabilities" in outputs:
        plain = loss.activation(raw_score(model, X))
        assert_allclose(outputs["probabilities"][:, -1], plain if plain.ndim == 1 else plain[:, -1], atol=2e-6)
    else:
        assert_allclose(np.ravel(outputs["predictions"]), raw_score(model, X), atol=2e-6)


def test_served_models_of_other_kinds(tmp_path):
    X, y = data(2)
    soft = train(cb.Pool(X, 0.8 * y + 0.1), SETTINGS, loss=LogLoss(2.0))
    stump = train(cb.Pool(X, y), {**SETTINGS, "iterations": 1, "depth": 1}, loss=LogLoss(2.0))
    words = train(cb.Pool(X, np.array(["no", "yes"])[y]), SETTINGS, loss=LogLoss(2.0), builtin="auto")
    scaled = train(cb.Pool(X, y), SETTINGS, loss=LogLoss(2.0))
    scaled.set_scale_and_bias(0.5, 0.3)
    for model in (soft, stump, words, scaled):
        served = servable(model)
        assert_allclose(served.predict_proba(X), predict_proba(model, X), atol=1e-12)
        assert_allclose(through_onnx(served, X, tmp_path)["probabilities"], predict_proba(model, X), atol=2e-6)
    several = train(cb.Pool(*data(3)), SETTINGS, loss=SoftmaxCrossEntropy())
    several.set_scale_and_bias(0.5, [0.3, 0.2, 0.1])
    probabilities = through_onnx(servable(several), X, tmp_path)["probabilities"]
    assert_allclose(probabilities, predict_proba(several, X), atol=2e-6)


def test_a_model_without_trees_keeps_the_intercept():
    X, y = data(2)
    model = train(cb.Pool(X, y), SETTINGS, loss=LogLoss(2.0))
    model.shrink(0)  # CatBoost predicts nothing with it
    expected = np.log(y.mean() / (1 - y.mean()))
    assert_allclose(servable(model).get_scale_and_bias(), (1.0, expected))


def test_bare_models_are_served(tmp_path):
    X, y = data(2)
    bare = cb.CatBoostClassifier(**{**SETTINGS, **params(LogLoss(5.0), y)}).fit(X, y)
    served = servable(bare)
    assert_allclose(served.predict_proba(X), predict_proba(bare, X), atol=1e-12)
    assert_allclose(through_onnx(served, X, tmp_path)["probabilities"], predict_proba(bare, X), atol=2e-6)
