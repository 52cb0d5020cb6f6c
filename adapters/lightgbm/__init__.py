"""LightGBM: losses as objectives and eval metrics, and training functions that work around the library's known pitfalls.

>>> import lightgbm as lgb
>>> from sklearn.datasets import load_breast_cancer
>>> from boosting_losses import FocalLoss
>>> from boosting_losses.adapters.lightgbm import predict_proba, train
>>> X, y = load_breast_cancer(return_X_y=True)
>>> booster = train({"verbosity": -1}, lgb.Dataset(X, y), 20, loss=FocalLoss(gamma=2.0))
>>> predict_proba(booster, X).shape
(569, 2)
"""

from ._objects import Metric, Objective
from ._prediction import predict_proba, raw_score
from ._serving import servable
from ._settings import params
from ._training import cv, train

__all__ = ["Metric", "Objective", "cv", "params", "predict_proba", "raw_score", "servable", "train"]
