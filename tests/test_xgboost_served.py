"""XGBoost models as others read them: a process without this package, ONNX Runtime, SHAP."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters.xgboost import params, predict_proba, raw_score, servable, train

KINDS = ("gbtree", "dart", "stopped", "classifier")
FEW = [(2, True, True, kind) for kind in KINDS] + [(3, True, False, kind) for kind in KINDS]
CASES = list(itertools.product((2, 3, 5), (False, True), (False, True), KINDS))
SETTINGS = {"gbtree": {}, "dart": {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}, "stopped": {"eta": 1.0}}
SETTINGS["classifier"] = SETTINGS["dart"]

STRANGER = """
import sys
sys.modules["boosting_losses"] = None
from pathlib import Path
import numpy as np, xgboost as xgb
for file in Path(sys.argv[1]).glob("*.ubj"):
    model = xgb.Booster(model_file=file)
    np.save(file.with_suffix(".own.npy"), model.predict(xgb.DMatrix(np.load(file.with_suffix(".X.npy")))))
"""


def data_of(classes, missing=False):
    rng = np.random.default_rng(classes)
    X = rng.standard_normal((300, 6)).astype(np.float32)
    scores = X[:, :classes] + rng.standard_normal((300, classes))
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X, scores.argmax(axis=1)


def trained(classes, weighted, missing, kind):
    X, y = data_of(classes, missing)
    if classes == 2:
        loss = LogLoss(5.0 if weighted else 1.0)
    else:
        loss = SoftmaxCrossEntropy(tuple(range(1, classes + 1)) if weighted else None)
    settings = {"nthread": 1, "max_depth": 3, **SETTINGS[kind]}
    if kind == "classifier":
        return xgb.XGBClassifier(n_estimators=8, **settings, **params(loss, y, sklearn=True)).fit(X, y), X
    options = {}
    if kind == "stopped":
        held_out = xgb.DMatrix(X[200:], y[200:])
        options = {"evals": [(held_out, "t")], "early_stopping_rounds": 2, "verbose_eval": False}
        X, y = X[:200], y[:200]
    model = train(settings, xgb.DMatrix(X, y), 30 if kind == "stopped" else 8, loss=loss, **options)
    assert kind != "stopped" or model.best_iteration + 1 < model.num_boosted_rounds()
    return model, X


def served(case):
    """Return the served model of a case, its features, and the probabilities that it has to give."""
    model, X = trained(*case)
    return servable(model), X, predict_proba(model, X)


@pytest.mark.slow
def test_a_process_without_this_package_reads_the_file(tmp_path):
    models = {case: served(case) for case in CASES}
    for number, (model, X, _) in enumerate(models.values()):
        model.save_model(tmp_path / f"{number}.ubj")
        np.save(tmp_path / f"{number}.X.npy", X)
    subprocess.run([sys.executable, "-c", STRANGER, str(tmp_path)], check=True, cwd=tmp_path)
    for number, (case, (model, X, proba)) in enumerate(models.items()):
        own = np.load(tmp_path / f"{number}.own.npy")
        assert_allclose(own, proba[:, 1] if case[0] == 2 else proba, atol=2e-6, err_msg=str(case))
        if case[-1] == "classifier":
            assert_allclose(model.predict_proba(X), proba, atol=2e-6)


@pytest.mark.parametrize(
    "case", [case if case in FEW else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_served_models_predict_the_same_through_onnx(case):
    model, X, proba = served(case)
    assert_allclose(outputs_of(model, X)["probabilities"], proba, atol=2e-6)


def outputs_of(model, X):
    """What a model gives through onnxmltools and ONNX Runtime."""
    onnxmltools, runtime = pytest.importorskip("onnxmltools"), pytest.importorskip("onnxruntime")
    kind = pytest.importorskip("onnxmltools.convert.common.data_types").FloatTensorType
    graph = onnxmltools.convert_xgboost(model, initial_types=[("X", kind([None, X.shape[1]]))], target_opset=15)
    session = runtime.InferenceSession(graph.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def test_dart_is_served_as_plain_trees():
    model, X = trained(3, weighted=True, missing=False, kind="dart")
    one = servable(model)
    assert_allclose(servable(one).predict(xgb.DMatrix(X)), predict_proba(model, X), atol=1e-6)
    frame = one.trees_to_dataframe()
    leaves = one.predict(xgb.DMatrix(X), pred_leaf=True)
    values = {(row.Tree, row.Node): row.Gain for row in frame[frame.Feature == "Leaf"].itertuples()}
    sums = np.array([[values[tree, leaf] for tree, leaf in enumerate(row)] for row in leaves])
    by_class = sums.reshape(len(X), -1, 3).sum(
        axis=1
    )  # the sum of the leaves alone, as a reader without weights sees it
    shifts = raw_score(one, X) - by_class
    assert_allclose(shifts, np.broadcast_to(shifts[0], shifts.shape), atol=1e-5)


# ---- models that predict raw scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [FocalLoss(), LogLoss(3.0)], ids=repr)
def test_raw_scores_of_two_classes_through_onnx(loss):
    X, y = data_of(2, missing=True)
    model = train({"nthread": 1, "max_depth": 3}, xgb.DMatrix(X, y), 8, loss=loss)
    (raw,) = outputs_of(model, X).values()
    assert_allclose(raw[:, 0], raw_score(model, X), atol=2e-6)
    assert_allclose(loss.posterior(raw[:, 0]), predict_proba(model, X)[:, 1], atol=2e-6)


def test_shap_makes_no_probabilities_of_raw_scores():
    shap = pytest.importorskip("shap", minversion="0.50")  # which reads an intercept per class
    X, y = data_of(2)
    model = train({"nthread": 1, "max_depth": 3}, xgb.DMatrix(X, y), 5, loss=FocalLoss())
    explainer = shap.TreeExplainer(model)
    assert_allclose(explainer.shap_values(X).sum(axis=1) + explainer.expected_value, raw_score(model, X), atol=1e-5)
    with pytest.raises(NotImplementedError):
        shap.TreeExplainer(model, X[:20], model_output="probability")


@pytest.mark.parametrize("settings", [{}, {"booster": "dart", "rate_drop": 0.5}, {"booster": "gblinear"}], ids=str)
def test_a_classifier_loads_raw_scores(settings, tmp_path):
    X, y = data_of(2)
    model = train({"nthread": 1, **settings}, xgb.DMatrix(X, y), 5, loss=FocalLoss())
    model.save_model(tmp_path / "model.ubj")
    classifier = xgb.XGBClassifier()
    classifier.load_model(tmp_path / "model.ubj")
    assert_allclose(raw_score(classifier, X), raw_score(model, X), atol=1e-6)
    assert_allclose(predict_proba(classifier, X), predict_proba(model, X), atol=1e-6)
