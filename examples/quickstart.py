"""Builtin log loss, our log loss and our focal loss on two real data sets, by five-fold cross-validation.

Every figure is of held-out rows. The focal loss appears twice: with the plain sigmoid or softmax of its scores, which
is what a pasted focal loss leaves you with, and with the posterior that those scores imply.
"""

import time

import numpy as np
import xgboost as xgb
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import params, raw_score, train
from boosting_losses.metrics import brier_score, log_loss

SETTINGS = {"max_depth": 3, "eta": 0.2}
ROUNDS = 60


def trained(trainer, data):
    """Run one training; return the model and the seconds it took."""
    start = time.perf_counter()
    model = trainer(data)
    return model, time.perf_counter() - start


def compare(X, y, plain, focal, fit, test):
    """Yield a name, held-out probabilities and training seconds for each way to train."""
    data, held_out = xgb.DMatrix(X[fit], y[fit]), xgb.DMatrix(X[test])
    settings = {**SETTINGS, **params(plain, y[fit])}  # with the same intercept as ours
    builtin, seconds = trained(lambda d: xgb.train(settings, d, ROUNDS), data)
    yield "builtin log loss", builtin.predict(held_out), seconds
    own, seconds = trained(lambda d: train(SETTINGS, d, ROUNDS, loss=plain), data)
    yield "our log loss", plain.posterior(raw_score(own, held_out)), seconds
    own, seconds = trained(lambda d: train(SETTINGS, d, ROUNDS, loss=focal), data)
    yield "our focal loss, plain activation", focal.activation(raw_score(own, held_out)), seconds
    yield "our focal loss, posterior", focal.posterior(raw_score(own, held_out)), seconds


for title, load, plain, focal in (
    ("breast cancer, 2 classes", load_breast_cancer, LogLoss(), FocalLoss(gamma=2.0)),
    ("digits, 10 classes", load_digits, SoftmaxCrossEntropy(), SoftmaxFocalLoss(gamma=2.0)),
):
    X, y = load(return_X_y=True)
    for loss in (plain, focal):  # compile the kernels before the clock runs
        train(SETTINGS, xgb.DMatrix(X, y), 1, loss=loss)
    results = {}
    for fit, test in track(list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)), title, transient=True):
        for name, proba, seconds in compare(X, y, plain, focal, fit, test):
            scores = [score(y[test], proba) for score in (log_loss, brier_score)]
            results.setdefault(name, []).append([*scores, roc_auc_score(y[test], proba, multi_class="ovr"), seconds])
    table = Table("XGBoost with", "log loss", "Brier", "AUC", "seconds", title=title)
    for name, rows in results.items():
        table.add_row(name, *(f"{value:.4f}" for value in np.mean(rows, axis=0)))
    Console().print(table)
