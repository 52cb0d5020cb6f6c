"""Direct use of Objective and Metric with LightGBM: `params["objective"]`, `feval=` and `LGBMClassifier(objective=)`."""

import lightgbm as lgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from boosting_losses import FocalLoss
from boosting_losses.adapters.lightgbm import Metric, params, predict_proba
from boosting_losses.metrics import log_loss

X, y = load_breast_cancer(return_X_y=True)
X_fit, X_test, y_fit, y_test = train_test_split(X, y, stratify=y, random_state=0)
loss = FocalLoss(gamma=2.0)

# LightGBM does not compute an init score for a custom objective. `params` therefore stores one in the objective, so that
# training starts from it. The booster does not contain it, so add it to the raw scores. (`train` of the adapter adds it to
# the trees.)
settings = params(loss, y_fit)
init_score = settings["objective"].init_score
data = lgb.Dataset(X_fit, y_fit)
booster = lgb.train(
    {"verbosity": -1, **settings},
    data,
    num_boost_round=500,
    valid_sets=[lgb.Dataset(X_test, y_test, reference=data)],
    feval=Metric(loss, log_loss, init_score=init_score),  # log loss of the posterior, not of a sigmoid
    callbacks=[lgb.early_stopping(20, verbose=False)],
)
proba = loss.posterior(booster.predict(X_test, raw_score=True) + init_score)
print("lgb.train:      log loss", round(log_loss(y_test, proba), 4))

# The scikit-learn interface: predict_proba of the adapter adds the init score. The classifier's own predict_proba returns raw
# scores without it.
classifier = lgb.LGBMClassifier(verbosity=-1, n_estimators=50, **params(loss, y_fit, sklearn=True))
classifier.fit(X_fit, y_fit)
print("LGBMClassifier: log loss", round(log_loss(y_test, predict_proba(classifier, X_test)), 4))
