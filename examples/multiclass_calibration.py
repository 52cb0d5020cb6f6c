"""Ten classes with CatBoost: the calibration method selected on held-out rows, and its effect."""

from catboost import CatBoostClassifier
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from boosting_losses import CalibratedBoostingClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
estimator = CatBoostClassifier(iterations=100, depth=4, allow_writing_files=False)
model = CalibratedBoostingClassifier(estimator, cv=3).fit(X_train, y_train)
for name, score in model.calibration_report_["scores"].items():
    difference = f"{score['above_best']:.4f} +- {score['standard_error']:.4f} above the best method"
    print(f"{name:12} held-out log loss {score['log_loss']:.4f}, {difference}")
print(f"selected: {model.calibration_report_['method']}")

uncalibrated = CalibratedBoostingClassifier(estimator, calibration=None).fit(X_train, y_train)
for name, fitted in {"calibrated": model, "uncalibrated": uncalibrated}.items():
    print(f"{name:12} held-out log loss {log_loss(y_test, fitted.predict_proba(X_test)):.4f}")
