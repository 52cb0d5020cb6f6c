"""Served LightGBM models in other programs: LightGBM alone, ONNX Runtime, SHAP."""

import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters.lightgbm import predict_proba, servable, train

PLAIN = {"verbosity": -1, "num_leaves": 7, "num_threads": 1}
LOSSES = {
    "2": LogLoss(),
    "2-weighted": LogLoss(pos_weight=5.0),
    "2-smooth": LogLoss(pos_weight=0.2, label_smoothing=0.1),
    "2-focal-0": FocalLoss(gamma=0.0, alpha=0.9),
    "3": SoftmaxCrossEntropy(),
    "3-weighted": SoftmaxCrossEntropy(class_weight=(1.0, 2.0, 5.0)),
    "5": SoftmaxCrossEntropy(),
    "5-weighted": SoftmaxCrossEntropy(class_weight=(1.0, 2.0, 5.0, 0.5, 0.1)),
}


def rows(name, missing=False):
    classes = int(name[0])
    X, y = make_classification(300, 8, n_informative=6, n_classes=classes, flip_y=0.2, random_state=0)
    X = X.astype(np.float32)
    if missing:
        X[::7, 2] = np.nan
    return X, y


def through_onnx(booster, X):
    tools = pytest.importorskip("onnxmltools")
    runtime = pytest.importorskip("onnxruntime")
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, X.shape[1]]))]
    graph = tools.convert_lightgbm(booster, initial_types=types, target_opset=15, zipmap=False)
    session = runtime.InferenceSession(graph.SerializeToString())
    return session.run(["probabilities"], {"X": X})[0]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("2-weighted", True),
        ("3-weighted", False),
        *(pytest.param(name, missing, marks=pytest.mark.slow) for name in LOSSES for missing in (False, True)),
    ],
)
def test_onnx_gives_the_posterior(name, missing, tmp_path):
    loss = LOSSES[name]
    X, y = rows(name, missing)
    model = train(PLAIN, lgb.Dataset(X, y), 5, loss=loss)
    expected = predict_proba(model, X)
    served = servable(model)
    served.save_model(tmp_path / "model.txt")
    assert_allclose(through_onnx(served, X), expected, atol=2e-6)
    assert_allclose(through_onnx(lgb.Booster(model_file=tmp_path / "model.txt"), X), expected, atol=2e-6)
    if loss.is_proper:
        assert_allclose(through_onnx(model, X), expected, atol=2e-6)


def test_onnx_refuses_a_model_whose_scores_have_no_such_link():
    X, y = rows("2")
    model = train(PLAIN, lgb.Dataset(X, y), 5, loss=FocalLoss())
    for unserved in (model, lgb.Booster(model_str=model.model_to_string())):
        with pytest.raises(NotImplementedError, match="Unsupported LightGbm objective"):
            through_onnx(unserved, X)


@pytest.mark.slow
def test_lightgbm_alone_gives_the_posterior(tmp_path):
    expected = {}
    for name, loss in LOSSES.items():
        X, y = rows(name, missing=True)
        model = train(PLAIN, lgb.Dataset(X, y), 5, loss=loss)
        servable(model).save_model(tmp_path / f"{name}.txt")
        np.save(tmp_path / f"{name}.npy", X)
        expected[name] = predict_proba(model, X)
    script = (
        "import sys, pathlib, lightgbm, numpy as np\n"
        "for path in pathlib.Path('.').glob('*.txt'):\n"
        "    X = np.load(path.with_suffix('.npy'))\n"
        "    np.save(path.stem + '-proba.npy', lightgbm.Booster(model_file=path).predict(X))\n"
        "assert 'boosting_losses' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for name, proba in expected.items():
        own = np.load(tmp_path / f"{name}-proba.npy")
        assert_allclose(own, proba if own.ndim == 2 else proba[:, 1], atol=1e-15)


@pytest.mark.parametrize("name", ["2", pytest.param("2-weighted", marks=pytest.mark.slow)])
def test_shap_explains_probabilities(name):
    shap = pytest.importorskip("shap")
    X, y = rows(name)
    model = servable(train(PLAIN, lgb.Dataset(X, y), 10, loss=LOSSES[name]))
    explainer = shap.TreeExplainer(model, X[:10], model_output="probability")
    values = np.asarray(explainer.shap_values(X[:5]))
    total = values.sum(-1) + explainer.expected_value
    assert_allclose(total, model.predict(X[:5]), atol=1e-6)


def test_a_file_of_a_proper_loss_can_be_refitted(tmp_path):
    X, y = rows("2")
    model = train(PLAIN, lgb.Dataset(X, y), 10, loss=LogLoss())
    own = lgb.train({**PLAIN, "objective": "binary"}, lgb.Dataset(X, y), 10)
    half = slice(0, 150)
    model.save_model(tmp_path / "model.txt")
    loaded = lgb.Booster(model_file=tmp_path / "model.txt")
    assert_allclose(loaded.refit(X[half], y[half]).predict(X), own.refit(X[half], y[half]).predict(X), atol=1e-12)


def test_inner_nodes_are_what_lightgbm_writes():
    X, y = rows("2")
    model = train(PLAIN, lgb.Dataset(X, y), 3, loss=LogLoss()).trees_to_dataframe()
    own = lgb.train({**PLAIN, "objective": "binary"}, lgb.Dataset(X, y), 3).trees_to_dataframe()
    assert_allclose(model["value"], own["value"], atol=1e-6)
