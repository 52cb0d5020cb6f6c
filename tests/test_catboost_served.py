"""What the CatBoost adapter's models give without this package: ONNX, other formats, and CatBoost in another process."""

import itertools
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
for path in sys.argv[1:]:
    model = cb.CatBoostClassifier().load_model(path, format=path.rpartition(".")[2])
    np.save(path + ".npy", model.predict_proba(np.load("X.npy")))
"""


@pytest.mark.parametrize(
    ("loss", "n_classes", "builtin", "missing"),
    [
        (LogLoss(pos_weight=5.0), 2, "never", True),
        (SoftmaxCrossEntropy(), 3, "auto", False),
        *(
            pytest.param(*loss, builtin, missing, marks=pytest.mark.slow)
            for loss, builtin, missing in itertools.product(LOSSES, ("never", "auto"), (False, True))
        ),
    ],
    ids=str,
)
def test_a_served_model_gives_the_posterior_everywhere(loss, n_classes, builtin, missing, tmp_path):
    X, y = data(n_classes, missing)
    model = train(cb.Pool(X, y), SETTINGS, loss=loss, builtin=builtin)
    path = str(tmp_path / "first.cbm")
    model.save_model(path)
    expected = predict_proba(model, X)
    for served in (servable(model), servable(cb.CatBoost().load_model(path)), servable(servable(model))):
        assert_allclose(served.predict_proba(X), expected, atol=1e-12)
        outputs = through_onnx(served, X, tmp_path)
        assert_allclose(outputs["probabilities"], expected, atol=2e-6)
        assert (outputs["label"] == expected.argmax(axis=1)).mean() > 0.99
        shap = served.get_feature_importance(cb.Pool(X, y), type="ShapValues").sum(axis=-1)
        assert_allclose(shap, raw_score(served, X), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "n_classes"), [LOSSES[1], LOSSES[3]], ids=str)
def test_another_process_reads_a_served_file(loss, n_classes, tmp_path):
    X, y = data(n_classes)
    np.save(tmp_path / "X.npy", X)
    expected = {}
    for grow_policy, form in itertools.product(("SymmetricTree", "Lossguide", "Depthwise"), ("cbm", "json")):
        model = train(cb.Pool(X, y), {**SETTINGS, "grow_policy": grow_policy}, loss=loss)
        file = str(tmp_path / f"{grow_policy}.{form}")
        servable(model).save_model(file, format=form)
        expected[file] = predict_proba(model, X)
    subprocess.run([sys.executable, "-c", STRANGER, *expected], check=True, cwd=tmp_path)
    for file, proba in expected.items():
        assert_allclose(np.load(f"{file}.npy"), proba, atol=1e-12)


def test_a_model_as_python_code_has_the_intercept(tmp_path):
    X, y = data(2, missing=False)
    served = servable(train(cb.Pool(X, y), SETTINGS, loss=LogLoss(5.0)))
    served.save_model(str(tmp_path / "model.py"), format="python")
    apply = runpy.run_path(str(tmp_path / "model.py"))["apply_catboost_model"]
    scores = np.array([apply(row.tolist()) for row in X[:50]])
    assert_allclose(1 / (1 + np.exp(-scores)), served.predict_proba(X[:50])[:, 1], atol=1e-7)


@pytest.mark.parametrize("builtin", ["never", pytest.param("auto", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("loss", "n_classes"), [LOSSES[1], LOSSES[3], (FocalLoss(), 2)], ids=str)
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
