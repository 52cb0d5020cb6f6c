"""Direct use of Objective and Metric with CatBoost: `loss_function=` and `eval_metric=`, with text labels."""

import catboost as cb
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from boosting_losses import SoftmaxFocalLoss
from boosting_losses.adapters.catboost import Metric, params, predict_proba, train
from boosting_losses.metrics import log_loss

X, codes = load_wine(return_X_y=True)
y = np.array(["barolo", "grignolino", "barbera"])[codes]
X_fit, X_test, y_fit, y_test = train_test_split(X, y, stratify=y, random_state=0)
loss = SoftmaxFocalLoss(gamma=2.0)
quiet = {"iterations": 100, "learning_rate": 0.1, "verbose": False}

# `params` returns the settings that CatBoost requires with a custom loss: the objective, an eval metric and the class names.
# The objective adds the init score, and raw_score and predict_proba of the adapter also add it for such a model.
classifier = cb.CatBoostClassifier(**quiet, **params(loss, y_fit)).fit(X_fit, y_fit)
test_codes = np.searchsorted(classifier.classes_, y_test)
print("CatBoostClassifier: log loss", round(log_loss(test_codes, predict_proba(classifier, X_test)), 4))

# `train` of the adapter stores the init score as the model's bias and the loss in its metadata, so the model file has both.
model = train(
    cb.Pool(X_fit, y_fit),
    {**quiet, "eval_metric": Metric(loss, log_loss)},
    loss=loss,
    eval_set=cb.Pool(X_test, y_test),
    early_stopping_rounds=10,
)
print("train:              log loss", round(log_loss(test_codes, predict_proba(model, X_test)), 4))
