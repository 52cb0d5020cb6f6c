"""A report on the probabilities of two models on the same held-out rows, as a table, an HTML page and a plot.

`scale_pos_weight` hardly changes the ranking, but it makes the probabilities wrong. The report shows this, with confidence
intervals. The following command creates the same report from a file:
boosting-losses evaluate predictions.csv --label y --proba plain --proba weighted --html report.html
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from boosting_losses.report import ProbabilityReport

random = np.random.default_rng(0)
X = random.standard_normal((20_000, 8))
score = X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] - 2.5
y = (random.random(len(X)) < 1 / (1 + np.exp(-score))).astype(int)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)

settings = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.2}
models = {
    "plain": XGBClassifier(**settings),
    "weighted": XGBClassifier(**settings, scale_pos_weight=(y_train == 0).sum() / y_train.sum()),
}
held_out = {name: model.fit(X_train, y_train).predict_proba(X_test)[:, 1] for name, model in models.items()}

report = ProbabilityReport.from_predictions(y_test, held_out)
print(report)
report.to_html("report.html")
report.plot("report.png")
pd.DataFrame({"y": y_test, **held_out}).to_csv("predictions.csv", index=False)
print("saved report.html, report.png and predictions.csv")
