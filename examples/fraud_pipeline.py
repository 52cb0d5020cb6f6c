"""Simulated fraud data with 1 % positives: a pipeline with calibrated probabilities, and a threshold that minimises the cost.

Class weights give the rare class more weight in training. The posterior undoes their effect, so the probabilities stay
calibrated.
"""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

from boosting_losses import CalibratedBoostingClassifier

PRICE_OF_A_MISS, PRICE_OF_AN_ALARM = 100.0, 5.0


def claims(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Return the amount, hour and channel of each claim, and whether it was fraud."""
    random = np.random.default_rng(0)
    amount, hour, channel = random.lognormal(5, 1, n), random.integers(0, 24, n), random.integers(0, 3, n)
    score = -6.2 + 0.9 * (np.log(amount) - 5) + 1.5 * (hour < 5) + 1.2 * (channel == 2) * (amount > 300)
    return np.column_stack([amount, hour, channel]), (random.random(n) < 1 / (1 + np.exp(-score))).astype(int)


def pipeline(**parameters: object) -> object:
    """Return a pipeline of one-hot encoding for the channel and a boosting classifier."""
    columns = make_column_transformer((OneHotEncoder(), [2]), remainder="passthrough")
    estimator = XGBClassifier(n_estimators=60, max_depth=3, learning_rate=0.1)
    return make_pipeline(columns, CalibratedBoostingClassifier(estimator, **parameters))


def cost(y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the negative cost per claim of misses and false alarms; it is negative because scikit-learn maximises scores."""
    (_, alarms), (misses, _) = confusion_matrix(y, predicted)
    return -float(misses * PRICE_OF_A_MISS + alarms * PRICE_OF_AN_ALARM) / len(y)


X, y = claims()
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
print(f"{y.mean():.2%} of {len(y)} claims are fraud")
for name, parameters in {
    "log loss": {},
    "balanced class weights": {"class_weight": "balanced"},
    "focal loss": {"loss": "focal"},
}.items():
    proba = pipeline(**parameters).fit(X_train, y_train).predict_proba(X_test)[:, 1]
    ranking = average_precision_score(y_test, proba)
    loss = log_loss(y_test, proba)
    print(f"{name:23}: log loss {loss:.4f}, mean {proba.mean():.2%}, average precision {ranking:.3f}")

tuned = TunedThresholdClassifierCV(pipeline(), scoring=make_scorer(cost), cv=3).fit(X_train, y_train)
at_half = pipeline().fit(X_train, y_train)
for name, model in {"0.5": at_half, f"{tuned.best_threshold_:.3f}, tuned": tuned}.items():
    print(f"cost per claim with a threshold of {name}: {-cost(y_test, model.predict(X_test)):.3f}")
