"""A scikit-learn classifier that wraps an XGBoost, LightGBM or CatBoost classifier and calibrates its probabilities."""

from ._estimator import CalibratedBoostingClassifier

__all__ = ["CalibratedBoostingClassifier"]
