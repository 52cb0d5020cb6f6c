"""XGBoost: losses as objectives and eval metrics, and training functions that work around the library's known pitfalls.

>>> import xgboost as xgb
>>> from sklearn.datasets import load_breast_cancer
>>> from boosting_losses import FocalLoss
>>> from boosting_losses.adapters.xgboost import predict_proba, train
>>> X, y = load_breast_cancer(return_X_y=True)
>>> booster = train({"max_depth": 3}, xgb.DMatrix(X, y), 20, loss=FocalLoss(gamma=2.0))
>>> predict_proba(booster, X).shape
(569, 2)
"""

from ._objects import Metric, Objective
from ._prediction import predict_proba, raw_score
from ._serving import servable
from ._settings import params
from ._sketch import Sketch
from ._training import cv, train

__all__ = ["Metric", "Objective", "Sketch", "cv", "params", "predict_proba", "raw_score", "servable", "train"]
