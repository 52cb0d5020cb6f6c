"""Try the installed wheel from a folder that is not the repository."""

import importlib.util
import pathlib

import numpy as np
import xgboost as xgb

import boosting_losses
from boosting_losses import FocalLoss
from boosting_losses.adapters.xgboost import predict_proba, train

assert "site-packages" in boosting_losses.__file__, boosting_losses.__file__
assert (pathlib.Path(boosting_losses.__file__).parent / "py.typed").exists()
assert importlib.util.find_spec("adapters") is None, "adapters/ must not install under a name of its own"
X = np.random.default_rng(0).standard_normal((200, 3))
y = (X[:, 0] > 0).astype(int)
proba = predict_proba(train({}, xgb.DMatrix(X, y), 5, loss=FocalLoss()), X)
assert ((proba[:, 1] > 0.5) == y).mean() > 0.9
print("wheel of", boosting_losses.__version__, "works")
