"""Faults of the libraries themselves, each reproduced without this package: ``python -m tests.trainings.faults``.

The cases exclude them, or the adapters reject them. If a new version fixes a fault, remove it here and in these places.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable

import catboost as cb
import click
import lightgbm as lgb
import numpy as np
import xgboost as xgb
from sklearn.metrics import log_loss

from .data import Data

_QUIET = {"verbosity": -1, "num_threads": 1}


def rows(seed: int = 0, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    return X, (X[:, 0] + rng.standard_normal(n) > 0).astype(float)


def lightgbm_dart_loses_trees() -> str:
    """If a dart round finds no split, the trees that it dropped keep negative weights."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = (X[:, 0] + 0.3 * rng.standard_normal(60) > 0).astype(float)
    params = {**_QUIET, "objective": "binary", "boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0, "num_leaves": 4}
    params |= {"min_data_in_leaf": 5, "min_gain_to_split": 8.0, "learning_rate": 1.0}
    data, history = lgb.Dataset(X, y), {}
    held_out = lgb.Dataset(X, y, reference=data)
    model = lgb.train(params, data, 80, [held_out], callbacks=[lgb.record_evaluation(history)])
    logged = history["valid_0"]["binary_logloss"][-1]
    return f"logged {logged:.4f}, of the model {log_loss(y, model.predict(X)):.4f}"


def lightgbm_quantized_gradients_stop() -> str:
    """Training with quantized gradients in small bags stops with "Check failed"."""

    def objective(raw: np.ndarray, data: lgb.Dataset) -> tuple[np.ndarray, np.ndarray]:
        weight, proba = 1 + 2.5 * data.get_label(), 1 / (1 + np.exp(-raw))
        return weight * (proba - data.get_label()), weight * proba * (1 - proba)

    failed = 0
    for seed in range(20):
        X, y, *_ = Data(seed=seed, rows=40, rare=True).draw(0)
        params = {**_QUIET, "objective": objective, "num_leaves": 2, "use_quantized_grad": True, "verbosity": -2}
        params |= {"min_data_in_leaf": 3, "min_data_in_bin": 1, "bagging_fraction": 0.6, "bagging_freq": 1}
        try:
            lgb.train({**params, "max_delta_step": 0.5}, lgb.Dataset(X, y), 10)
        except lgb.basic.LightGBMError:
            failed += 1
    return f"{failed} of 20 trainings stopped"


_LINEAR = """
import lightgbm as lgb, numpy as np
rng = np.random.default_rng(0)
X, y = rng.standard_normal((80, 4)), rng.integers(0, 4, 80)
params = {"verbosity": -1, "num_threads": 1, "objective": "multiclass", "num_class": 4, "linear_tree": True}
params |= {"num_leaves": 4, "min_data_in_leaf": 3}
for _ in range(10):
    lgb.train(params, lgb.Dataset(X, y), 20, callbacks=[lambda env: env.model.predict(X)])
"""


def lightgbm_linear_trees_crash() -> str:
    """A callback that predicts with a different number of threads crashes the training of linear trees."""
    code = subprocess.run([sys.executable, "-c", _LINEAR], capture_output=True, check=False).returncode
    return f"exit code {code}"


def xgboost_continues_with_other_draws() -> str:
    """Before 3.4, continued training with subsampled rows is not reproducible."""
    X, y = rows()
    params = {"objective": "binary:logistic", "nthread": 1, "max_depth": 2, "subsample": 0.6}
    first = xgb.train(params, xgb.DMatrix(X, y), 3)
    one, two = (xgb.train(params, xgb.DMatrix(X, y), 3, xgb_model=first).predict(xgb.DMatrix(X)) for _ in range(2))
    return f"two continuations differ by {np.abs(one - two).max():.3f}"


def xgboost_stops_dart_early() -> str:
    """Rounds after the best round change the weights of dart's earlier trees."""
    X, y = rows(2, 300)
    data, held_out, history = xgb.DMatrix(X[:150], y[:150]), xgb.DMatrix(X[150:], y[150:]), {}
    params = {"booster": "dart", "rate_drop": 0.5, "objective": "binary:logistic", "nthread": 1, "eta": 1.0}
    options = {"early_stopping_rounds": 5, "evals_result": history, "verbose_eval": False}
    model = xgb.train(params, data, 50, evals=[(held_out, "v")], **options)
    best = log_loss(y[150:], model.predict(held_out, iteration_range=(0, model.best_iteration + 1)))
    return f"best value logged {min(history['v']['logloss']):.4f}, of the model up to its round {best:.4f}"


def xgboost_reads_old_trees_through_new_bins() -> str:
    """A model that is continued on a ``QuantileDMatrix`` with different bins is evaluated with these bins."""
    (X, y), (other, labels), history = rows(0), rows(1), {}
    params = {"objective": "binary:logistic", "nthread": 1, "max_bin": 4}
    first = xgb.train(params, xgb.QuantileDMatrix(X, y, max_bin=4), 10)
    data = xgb.QuantileDMatrix(other, labels, max_bin=4)
    options = {"evals": [(data, "v")], "evals_result": history, "verbose_eval": False}
    model = xgb.train(params, data, 1, xgb_model=first, **options)
    found = log_loss(labels, model.predict(xgb.DMatrix(other)))
    return f"logged {history['v']['logloss'][-1]:.4f}, of the model {found:.4f}"


def catboost_ordered_boosting_stops() -> str:
    """Ordered boosting with more than two classes fails on rows of weight 0."""
    failed = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        pool = cb.Pool(rng.normal(size=(150, 4)), rng.integers(0, 4, 150), weight=rng.integers(0, 3, 150))
        params = {"loss_function": "MultiClass", "boosting_type": "Ordered", "leaf_estimation_method": "Newton"}
        params |= {"iterations": 3, "depth": 4, "random_seed": seed, "logging_level": "Silent"}
        try:
            cb.train(pool, {**params, "allow_writing_files": False})
        except cb.CatBoostError:
            failed += 1
    return f"{failed} of 10 trainings stopped"


FAULTS: tuple[Callable[[], str], ...] = (
    lightgbm_dart_loses_trees,
    lightgbm_quantized_gradients_stop,
    lightgbm_linear_trees_crash,
    xgboost_continues_with_other_draws,
    xgboost_stops_dart_early,
    xgboost_reads_old_trees_through_new_bins,
    catboost_ordered_boosting_stops,
)


def main() -> None:
    """Reproduce each fault and print the result."""
    click.echo(f"XGBoost {xgb.__version__}, LightGBM {lgb.__version__}, CatBoost {cb.__version__}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is deprecated")
        for fault in FAULTS:
            click.echo(f"{fault.__name__}: {fault.__doc__}\n    {fault()}")


if __name__ == "__main__":
    main()
