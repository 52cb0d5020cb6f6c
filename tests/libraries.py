"""A common test interface to the three libraries, and the data sets that the adapter tests train on."""

from __future__ import annotations

from typing import ClassVar

import catboost as cb
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification

from boosting_losses import LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters import catboost, lightgbm, xgboost

# ---- data -----------------------------------------------------------------------------------------------------------


def _cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:, :8], y


#: Two classes, 569 rows, 8 features.
CANCER = _cancer()
#: Three classes, 178 rows, 13 features.
WINE = load_wine(return_X_y=True)
#: Ten classes, 600 rows, 64 features.
DIGITS = tuple(part[:600] for part in load_digits(return_X_y=True))


def synthetic(classes, n=1000):
    """Return single-precision features and the labels of overlapping classes."""
    X, y = make_classification(
        n, 15, n_informative=8, n_classes=classes, n_clusters_per_class=1, flip_y=0.1, random_state=classes
    )
    return X.astype(np.float32), y


def imbalanced(n=1500, rate=0.1, seed=0):
    """Return features and labels of two classes, of which the second is rare."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    logit = X[:, 0] + 0.7 * X[:, 1] * X[:, 2] + np.log(rate / (1 - rate))
    return X, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


def data_of(loss):
    """Return a real data set for a loss: three classes if the loss is multiclass, otherwise two."""
    return WINE if loss.multiclass else CANCER


def columns(proba):
    """Return probabilities with one column per class, also for two classes."""
    return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba


def plain_loss(y):
    """Return the loss for these labels that is built into every library."""
    return LogLoss() if y.max() == 1 else SoftmaxCrossEntropy()


# ---- libraries ------------------------------------------------------------------------------------------------------


class Library:
    """The operations of a library, under names that are common to all libraries.

    Each subclass defines the same methods, such as ``data``, ``train``, ``train_builtin``, ``watched``, ``cv``,
    ``classifier`` and ``load``. ``settings`` override ``quick``, and other options are passed to the library.
    """

    #: Settings of a fast and reproducible training.
    quick: ClassVar[dict] = {}
    #: Settings that sample rows and features.
    sampled: ClassVar[dict] = {}
    #: The accepted types of a model, as error messages list them.
    kinds = ""
    #: The name of the argument for the model to continue.
    continues = "init_model"
    #: Tolerances for probabilities compared with the builtin loss, and for logged values compared with its metric.
    atol, metric_rtol = 1e-12, 1e-12
    #: The largest allowed difference between the best round and the best round of the builtin loss.
    round_slack = 0
    #: Whether a model file stores the loss.
    file_keeps_loss = True
    #: Whether the library's own predictions are raw scores for every loss.
    predicts_raw = False
    #: The library's own metrics for two classes and for many classes.
    builtin_metrics = ("", "")
    #: Options that make the first round raise an error, if the library accepts them in ``train`` and in ``cv``.
    without_rounds: ClassVar[dict] = {}

    def __repr__(self):
        return type(self).__name__

    def comparable(self, X, y, loss, weight=None, init=None):
        """Return data with which the builtin loss starts from the init score of ``loss``, or from ``init``."""
        return self.data(X, y, weight)

    def assert_same_model(self, ours, own, X, loss):
        """Assert that a model and a model of the library's own loss predict the same probabilities."""
        assert self.difference(ours, own, X, loss) <= self.atol

    def difference(self, ours, own, X, loss):
        """Return the largest difference between the probabilities of two models."""
        scores = self.adapter.raw_score(ours, X), self.builtin_scores(own, X)
        return np.abs(np.subtract(*map(loss.activation, scores))).max()


class _NoRound(xgb.callback.TrainingCallback):
    def before_iteration(self, model, epoch, evals_log):
        raise AssertionError("a round was begun")


class XGBoost(Library):
    adapter = xgboost
    quick: ClassVar[dict] = {"max_depth": 3, "nthread": 1}
    sampled: ClassVar[dict] = {"subsample": 0.7, "colsample_bytree": 0.6, "colsample_bynode": 0.8, "seed": 7}
    kinds = "Booster or XGBModel"
    continues = "xgb_model"
    atol, metric_rtol = 1e-6, 1e-5
    builtin_metrics = ("logloss", "mlogloss")
    without_rounds: ClassVar[dict] = {"callbacks": [_NoRound()]}
    suffix = "ubj"
    #: Code that loads a model without this package and returns raw scores and the library's own predictions.
    reader = """
import xgboost
def read(path, X):
    model, data = xgboost.Booster(model_file=path), xgboost.DMatrix(X)
    return model.predict(data, output_margin=True), model.predict(data)
"""

    def data(self, X, y=None, weight=None, start=None):
        return xgb.DMatrix(X, y, weight=weight, base_margin=start, enable_categorical=True)

    def start_of(self, data):
        margin = data.get_base_margin()
        return margin if margin.size else None

    def train(self, data, rounds=5, *, loss, settings=None, first=None, **options):
        return xgboost.train(
            {**self.quick, **(settings or {})}, data, num_boost_round=rounds, loss=loss, xgb_model=first, **options
        )

    def train_builtin(self, data, rounds, *, loss, settings=None, **options):
        weight = data.get_weight()
        own = xgboost.params(loss, data.get_label(), weight if weight.size else None)
        own["eval_metric"] = self.builtin_metrics[loss.multiclass]
        return xgb.train({**self.quick, **own, **(settings or {})}, data, rounds, **options)

    def watched(self, data, held_out, rounds, *, loss, settings=None, metric=None, stopping=None, builtin=False):
        history = {}
        options = {"evals": [(held_out, "held_out")], "evals_result": history, "verbose_eval": False}
        options |= {"custom_metric": metric, "early_stopping_rounds": stopping}
        run = self.train_builtin if builtin else self.train
        model = run(data, rounds, loss=loss, settings=settings, **options)
        return model, list(history["held_out"].values())[-1]

    def onnx(self, model, X, folder):
        tools, kind = _onnx_tools()
        graph = tools.convert_xgboost(model, initial_types=[("X", kind([None, X.shape[1]]))], target_opset=15)
        return _onnx_outputs(graph.SerializeToString(), {"X": X})

    def builtin_scores(self, model, X):
        return model.predict(xgb.DMatrix(X, enable_categorical=True), output_margin=True)

    def cv(self, data, rounds, *, loss, settings=None, metric=None, **options):
        options = {"loss": loss, "custom_metric": metric, "as_pandas": False, **options}
        history = xgboost.cv({**self.quick, **(settings or {})}, data, num_boost_round=rounds, **options)
        return next(values for name, values in history.items() if name.startswith("test-") and name.endswith("-mean"))

    def classifier(self, loss, y, weight=None, rounds=5):
        return xgb.XGBClassifier(n_estimators=rounds, **self.quick, **xgboost.params(loss, y, weight, sklearn=True))

    def load(self, path):
        return xgb.Booster(model_file=path)

    def own_predictions(self, model, X):
        return model.predict(xgb.DMatrix(X))

    def best_round(self, model):
        return model.best_iteration

    def shap(self, model, X, y):
        return model.predict(xgb.DMatrix(X), pred_contribs=True)

    def assert_same_model(self, ours, own, X, loss):
        """Assert that probabilities are equal, or that the first split that differs is a tie.

        Rounding decides between splits with equal gains. A leaf, that is, no split, is a candidate with gain 0.
        """
        if self.difference(ours, own, X, loss) <= self.atol:
            return
        one, other = (_splits(model) for model in (ours, own))
        rows = min(len(one), len(other))
        keys = one.Key[:rows].to_numpy(), other.Key[:rows].to_numpy()
        first = int(np.argmax(keys[0] != keys[1]))
        assert keys[0][first] != keys[1][first], "the predictions differ although the trees are alike"
        largest = one.Gain[one.Tree == one.Tree[first]].max()
        message = f"split {first} differs and is no tie"
        assert_allclose(one.Gain[first], other.Gain[first], rtol=1e-5, atol=1e-6 * largest, err_msg=message)


def _splits(booster):
    """Return the nodes in the order of their creation; a leaf is a split with gain 0."""
    frame = booster.trees_to_dataframe()
    leaf = frame.Feature == "Leaf"
    keys = [f"{feature} {split}" for feature, split in zip(frame.Feature, frame.Split, strict=True)]
    return frame.assign(Gain=frame.Gain.where(~leaf, 0.0), Key=keys)


def _no_round(env):
    raise AssertionError("a round was begun")


_no_round.before_iteration = True


class LightGBM(Library):
    adapter = lightgbm
    quick: ClassVar[dict] = {"verbosity": -1, "num_leaves": 7, "num_threads": 1, "deterministic": True}
    sampled: ClassVar[dict] = {
        "feature_fraction": 0.5,
        "feature_fraction_bynode": 0.8,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
    }
    kinds = "Booster or LGBMModel"
    file_keeps_loss = False
    builtin_metrics = ("binary_logloss", "multi_logloss")
    without_rounds: ClassVar[dict] = {"callbacks": [_no_round]}
    suffix = "txt"
    reader = """
import lightgbm
def read(path, X):
    model = lightgbm.Booster(model_file=path)
    return model.predict(X, raw_score=True), model.predict(X)
"""

    def data(self, X, y=None, weight=None, start=None):
        return lgb.Dataset(X, y, weight=weight, init_score=start, free_raw_data=False)

    def start_of(self, data):
        return data.get_init_score()

    def train(self, data, rounds=5, *, loss, settings=None, first=None, **options):
        return lightgbm.train(
            {**self.quick, **(settings or {})}, data, num_boost_round=rounds, loss=loss, init_model=first, **options
        )

    def train_builtin(self, data, rounds, *, loss, settings=None, **options):
        own = {"objective": "binary"}
        if loss.multiclass:
            own = {"objective": "multiclass", "num_class": int(np.max(data.label)) + 1}
        return lgb.train({**self.quick, **own, **(settings or {})}, data, rounds, **options)

    def watched(self, data, held_out, rounds, *, loss, settings=None, metric=None, stopping=None, builtin=False):
        history = {}
        callbacks = [lgb.record_evaluation(history)]
        if stopping is not None:
            callbacks.append(lgb.early_stopping(stopping, first_metric_only=builtin, verbose=False))
        options = {"valid_sets": [held_out], "valid_names": ["held_out"], "feval": metric, "callbacks": callbacks}
        run = self.train_builtin if builtin else self.train
        model = run(data, rounds, loss=loss, settings=settings, **options)
        return model, list(history["held_out"].values())[-1]

    def onnx(self, model, X, folder):
        tools, kind = _onnx_tools()
        types = [("X", kind([None, X.shape[1]]))]
        graph = tools.convert_lightgbm(model, initial_types=types, target_opset=15, zipmap=False)
        return _onnx_outputs(graph.SerializeToString(), {"X": X})

    def builtin_scores(self, model, X):
        return model.predict(X, raw_score=True)

    def cv(self, data, rounds, *, loss, settings=None, metric=None, **options):
        settings = {**self.quick, **(settings or {})}
        results = lightgbm.cv(settings, data, num_boost_round=rounds, loss=loss, feval=metric, **options)
        return next(values for name, values in results.items() if name.endswith("-mean"))

    def classifier(self, loss, y, weight=None, rounds=5):
        return lgb.LGBMClassifier(n_estimators=rounds, **self.quick, **lightgbm.params(loss, y, weight, sklearn=True))

    def load(self, path):
        return lgb.Booster(model_file=path)

    def own_predictions(self, model, X):
        return model.predict(X)

    def best_round(self, model):
        return model.best_iteration - 1

    def shap(self, model, X, y):
        return model.predict(X, pred_contrib=True)


class CatBoost(Library):
    adapter = catboost
    #: Settings with which CatBoost trains its own loss and a custom loss in the same way; its defaults differ.
    quick: ClassVar[dict] = {
        "depth": 3,
        "learning_rate": 0.1,
        "leaf_estimation_method": "Newton",
        "leaf_estimation_iterations": 1,
        "leaf_estimation_backtracking": "No",
        "boosting_type": "Plain",
        "bootstrap_type": "No",
        "random_seed": 1,
        "random_strength": 0,
        "thread_count": 1,
        "verbose": False,
    }
    sampled: ClassVar[dict] = {"bootstrap_type": "Bernoulli", "subsample": 0.7, "rsm": 0.5}
    kinds = "CatBoost"
    metric_rtol = 1e-3  # CatBoost computes its own metric from exponentiated scores
    round_slack = 1
    predicts_raw = True
    builtin_metrics = ("Logloss", "MultiClass")
    suffix = "cbm"
    reader = """
import catboost
def read(path, X):
    classifier = catboost.CatBoostClassifier().load_model(path)
    return catboost.CatBoost().load_model(path).predict(X), classifier.predict_proba(X)
"""

    def data(self, X, y=None, weight=None, start=None):
        start = None if start is None else np.reshape(start, (len(y), -1))
        return cb.Pool(X, y, weight=weight, baseline=start, cat_features=_categories(X))

    def comparable(self, X, y, loss, weight=None, init=None):
        init = loss.init_score(y, weight) if init is None else init
        return self.data(X, y, weight, np.tile(np.atleast_1d(init), (len(y), 1)).astype(np.float32))

    def start_of(self, data):
        baseline = np.asarray(data.get_baseline())
        return baseline if baseline.size else None

    def train(self, data, rounds=5, *, loss, settings=None, first=None, **options):
        settings = {**self.quick, **(settings or {}), "iterations": rounds}
        return catboost.train(data, settings, loss=loss, init_model=first, **options)

    def train_builtin(self, data, rounds, *, loss, settings=None, **options):
        own = {"loss_function": self.builtin_metrics[loss.multiclass], "allow_writing_files": False}
        if not loss.multiclass:
            own["boost_from_average"] = False
        return cb.train(data, {**self.quick, **own, **(settings or {}), "iterations": rounds}, **options)

    def watched(self, data, held_out, rounds, *, loss, settings=None, metric=None, stopping=None, builtin=False):
        settings = {**(settings or {})} if metric is None else {**(settings or {}), "eval_metric": metric}
        options = {"use_best_model": False} if stopping is None else {"early_stopping_rounds": stopping}
        run = self.train_builtin if builtin else self.train
        model = run(data, rounds, loss=loss, settings={**settings, **options}, eval_set=held_out)
        return model, list(model.get_evals_result()["validation"].values())[-1]

    def onnx(self, model, X, folder):
        model.save_model(str(folder / "model.onnx"), format="onnx")
        outputs = _onnx_outputs(str(folder / "model.onnx"), {"features": X})
        if "probabilities" in outputs:
            rows = outputs["probabilities"]
            outputs["probabilities"] = np.array([[row[label] for label in sorted(row)] for row in rows])
        return outputs

    def builtin_scores(self, model, X):
        return model.predict(cb.Pool(X, cat_features=_categories(X)))

    def cv(self, data, rounds, *, loss, settings=None, metric=None, **options):
        settings = {**self.quick, **(settings or {}), "iterations": rounds}
        if metric is not None:
            settings["eval_metric"] = metric
        results = catboost.cv(data, settings, loss=loss, as_pandas=False, **options)
        return results["test-Metric-mean"]

    def classifier(self, loss, y, weight=None, rounds=5):
        return cb.CatBoostClassifier(**{**self.quick, "iterations": rounds}, **catboost.params(loss, y, weight))

    def load(self, path):
        return cb.CatBoost().load_model(str(path))

    def own_predictions(self, model, X):
        return model.predict_proba(X) if isinstance(model, cb.CatBoostClassifier) else model.predict(X)

    def best_round(self, model):
        return model.get_best_iteration()

    def shap(self, model, X, y):
        return model.get_feature_importance(cb.Pool(X, y), type="ShapValues")


def _onnx_tools():
    tools = pytest.importorskip("onnxmltools")
    return tools, pytest.importorskip("onnxmltools.convert.common.data_types").FloatTensorType


def _onnx_outputs(graph, inputs):
    """Return the outputs of ONNX Runtime for a graph, by name."""
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(4)
    session = runtime.InferenceSession(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def _categories(X):
    return [name for name in getattr(X, "columns", ()) if str(X[name].dtype) == "category"] or None


XGBOOST, LIGHTGBM, CATBOOST = LIBRARIES = XGBoost(), LightGBM(), CatBoost()
