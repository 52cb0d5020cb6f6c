"""Twenty classes with XGBoost 3.2: one tree per class, trees with vector leaves, and sketched trees."""

import time

import numpy as np
import xgboost as xgb
from sklearn.model_selection import train_test_split

from boosting_losses import SoftmaxCrossEntropy
from boosting_losses.adapters.xgboost import Sketch, predict_proba, train
from boosting_losses.metrics import log_loss

ROWS, FEATURES, CLASSES = 8000, 8, 20
draw = np.random.default_rng(0)
X = draw.normal(size=(ROWS, FEATURES))
scores = 2.0 * np.sin(2.0 * X @ draw.normal(size=(FEATURES, CLASSES)) / np.sqrt(FEATURES)) + (X > 0.3) @ draw.normal(
    size=(FEATURES, CLASSES)
)
y = (scores + draw.gumbel(size=scores.shape)).argmax(axis=1)  # drawn with the probabilities softmax(scores)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
X_train, X_stop, y_train, y_stop = train_test_split(X_train, y_train, stratify=y_train, random_state=0)
data, stop, test = (xgb.DMatrix(*part) for part in ((X_train, y_train), (X_stop, y_stop), (X_test, y_test)))

for name, sketch, more in (
    ("one tree per class", None, {}),
    ("vector leaves", None, {"multi_strategy": "multi_output_tree"}),
    ("sketch", Sketch(seed=0), {}),
):
    start = time.perf_counter()
    booster = train(
        {"learning_rate": 0.1, **more},
        data,
        1000,
        loss=SoftmaxCrossEntropy(),
        sketch=sketch,
        evals=[(stop, "stop")],
        early_stopping_rounds=20,
        verbose_eval=False,
    )
    seconds = time.perf_counter() - start
    loss = log_loss(y_test, predict_proba(booster, test))
    rounds = booster.best_iteration + 1
    print(f"{name:17} held-out log loss {loss:.4f} after {rounds} rounds, {seconds:.1f} s")
