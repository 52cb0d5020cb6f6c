"""Direct use of Objective and Metric with XGBoost: `obj=`, `custom_metric=` and `XGBClassifier(objective=)`."""

import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from boosting_losses import FocalLoss
from boosting_losses.adapters.xgboost import Metric, Objective, params, predict_proba
from boosting_losses.metrics import log_loss

X, y = load_breast_cancer(return_X_y=True)
X_fit, X_test, y_fit, y_test = train_test_split(X, y, stratify=y, random_state=0)
loss = FocalLoss(gamma=2.0)

# XGBoost's own train: `params` returns the init score (`base_score`) and the link, which a custom objective cannot set.
booster = xgb.train(
    {"max_depth": 3, **params(loss, y_fit)},
    xgb.DMatrix(X_fit, y_fit),
    num_boost_round=200,
    obj=Objective(loss),
    custom_metric=Metric(loss, log_loss),  # log loss of the posterior, not of a sigmoid
    evals=[(xgb.DMatrix(X_test, y_test), "test")],
    early_stopping_rounds=10,
    verbose_eval=20,
)
# Only `train` of the adapter stores the loss in the booster. For other boosters, pass the loss.
print("xgb.train:     log loss", round(log_loss(y_test, predict_proba(booster, X_test, loss)), 4))

# The scikit-learn interface: `params` returns the objective, the metric and the settings as keyword arguments.
classifier = xgb.XGBClassifier(max_depth=3, n_estimators=50, **params(loss, y_fit, sklearn=True))
classifier.fit(X_fit, y_fit)
print("XGBClassifier: log loss", round(log_loss(y_test, predict_proba(classifier, X_test)), 4))
print("its own predict_proba, a sigmoid of focal scores:", round(log_loss(y_test, classifier.predict_proba(X_test)), 4))
