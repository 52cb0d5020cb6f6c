"""The effect of calibration: reliability diagrams of a model trained with the focal loss, saved as reliability.png.

The sigmoid of the raw scores is underconfident with a focal loss. The posterior is exact for scores that minimise the
expected loss, and a calibrator corrects the remaining error.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from boosting_losses import CalibratedBoostingClassifier, LogLoss

mpl.use("agg")
random = np.random.default_rng(0)
X = random.standard_normal((12_000, 8))
score = X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] - 1
y = (random.random(len(X)) < 1 / (1 + np.exp(-score))).astype(int)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

model = CalibratedBoostingClassifier(XGBClassifier(n_estimators=150, max_depth=4), loss="focal").fit(X_train, y_train)
raw = model.raw_score(X_test)
probabilities = {
    "sigmoid of the scores": LogLoss().activation(raw),
    "posterior": model.loss_.posterior(raw),
    f"calibrated: {model.calibration_report_['method']}": model.predict_proba(X_test)[:, 1],
}
figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
for marker, (name, proba) in zip("sox", probabilities.items(), strict=True):
    loss = log_loss(y_test, proba)
    print(f"{name}: log loss {loss:.4f}")
    CalibrationDisplay.from_predictions(
        y_test, proba, n_bins=12, strategy="quantile", name=f"{name} (log loss {loss:.3f})", ax=axes, marker=marker
    )
axes.set(xlabel="predicted probability", ylabel="observed frequency", title="Focal boosting, held-out rows")
figure.savefig("reliability.png", dpi=120)
print("saved reliability.png")
