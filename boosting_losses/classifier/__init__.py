"""A scikit-learn classifier around an XGBoost, LightGBM or CatBoost classifier, with calibrated probabilities."""

from ._estimator import CalibratedBoostingClassifier

__all__ = ["CalibratedBoostingClassifier"]
