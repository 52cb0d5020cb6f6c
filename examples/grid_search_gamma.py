"""Grid search over the focal gamma and the number of leaves, scored by the log loss of calibrated probabilities."""

from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, train_test_split

from boosting_losses import CalibratedBoostingClassifier, FocalLoss

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = CalibratedBoostingClassifier(
    LGBMClassifier(n_estimators=200, learning_rate=0.1),
    loss=FocalLoss(),
    calibration="temperature",
    early_stopping=10,
    cv=3,
)
grid = {"loss__gamma": [0.0, 0.5, 1.0, 2.0], "estimator__num_leaves": [4, 15]}
search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=3).fit(X_train, y_train)
for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"gamma {parameters['loss__gamma']}, {parameters['estimator__num_leaves']:2} leaves: log loss {-score:.4f}")
best = search.best_estimator_
print(
    f"best: {search.best_params_}, {best.rounds_} rounds in the folds, temperature {best.calibrators_[0].temperature_:.2f}"
)
print(f"held out: log loss {-search.score(X_test, y_test):.4f}")
