"""Builtin log loss, LogLoss and FocalLoss in three libraries, compared by five-fold cross-validation on real data.

All scores are computed on held-out rows. The focal loss appears twice: with the plain sigmoid or softmax of its raw scores,
as other implementations return it, and with the posterior that the raw scores imply.
"""

import time

import catboost as cb
import lightgbm as lgb
import numpy as np
import xgboost as xgb
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters import catboost, lightgbm, xgboost
from boosting_losses.metrics import brier_score, log_loss

# fmt: off
XGB = {"max_depth": 3, "eta": 0.2}
LGB = {"num_leaves": 8, "learning_rate": 0.2, "verbosity": -1}
CAT = {"depth": 3, "learning_rate": 0.2, "iterations": 40, "bootstrap_type": "No", "leaf_estimation_iterations": 1,
       "leaf_estimation_backtracking": "No", "verbose": False, "allow_writing_files": False}
LIBRARIES = {  # adapter, data set, parameters of the library's own loss for 2 and for 10 classes, two ways to train
    "XGBoost": (xgboost, xgb.DMatrix, {"objective": "binary:logistic"}, {"objective": "multi:softprob", "num_class": 10},
                lambda d, own: xgb.train({**XGB, **own}, d, 40), lambda d, loss: xgboost.train(XGB, d, 40, loss=loss)),
    "LightGBM": (lightgbm, lgb.Dataset, {"objective": "binary"}, {"objective": "multiclass", "num_class": 10},
                 lambda d, own: lgb.train({**LGB, **own}, d, 40), lambda d, loss: lightgbm.train(LGB, d, 40, loss=loss)),
    "CatBoost": (catboost, cb.Pool, {"loss_function": "Logloss", "boost_from_average": True}, {"loss_function": "MultiClass"},
                 lambda d, own: cb.train(d, {**CAT, **own}), lambda d, loss: catboost.train(d, CAT, loss=loss)),
}
# fmt: on

for title, load, plain, focal in (
    ("breast cancer, 2 classes", load_breast_cancer, LogLoss(), FocalLoss(gamma=2.0)),
    ("digits, 10 classes", load_digits, SoftmaxCrossEntropy(), SoftmaxFocalLoss(gamma=2.0)),
):
    X, y = load(return_X_y=True)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    results = {}
    for fit, test in track([folds[0], *folds], title, transient=True):  # the first run only compiles the kernels
        for library, (adapter, dataset, own_2, own_10, train_own, train) in LIBRARIES.items():
            ways = {"builtin": (train_own, own_10 if plain.multiclass else own_2), type(plain).__name__: (train, plain)}
            for name, (way, what) in {**ways, "focal": (train, focal)}.items():
                start = time.perf_counter()
                model = way(dataset(X[fit], y[fit]), what)
                seconds, raw = time.perf_counter() - start, adapter.raw_score(model, X[test])
                views = {"focal, activation": focal.activation(raw), "focal, posterior": focal.posterior(raw)}
                for view, p in (views if what is focal else {name: plain.posterior(raw)}).items():
                    scores = log_loss(y[test], p), brier_score(y[test], p), roc_auc_score(y[test], p, multi_class="ovr")
                    results.setdefault((library, view), []).append([*scores, seconds])
    table = Table("library", "loss", "log loss", "Brier", "AUC", "seconds", title=title)
    for key, rows in results.items():
        table.add_row(*key, *(f"{value:.4f}" for value in np.mean(rows[1:], axis=0)))
    Console().print(table)
