"""Test the installed wheel from a folder outside the repository."""

import importlib.util
import pathlib
import subprocess
import sys

import catboost as cb
import lightgbm as lgb
import numpy as np
import xgboost as xgb

import boosting_losses
from boosting_losses import FocalLoss
from boosting_losses.adapters import catboost, lightgbm, xgboost
from boosting_losses.report import ProbabilityReport

assert "site-packages" in boosting_losses.__file__, boosting_losses.__file__
assert (pathlib.Path(boosting_losses.__file__).parent / "py.typed").exists()
assert importlib.util.find_spec("adapters") is None, "adapters/ must not be installed as a top-level package"
X = np.random.default_rng(0).standard_normal((200, 3))
y = (X[:, 0] > 0).astype(int)
loss = FocalLoss()
cat = {"verbose": False, "learning_rate": 0.3, "iterations": 20}
for adapter, model in (
    (xgboost, xgboost.train({}, xgb.DMatrix(X, y), loss=loss)),
    (lightgbm, lightgbm.train({"verbosity": -1}, lgb.Dataset(X, y), loss=loss)),
    (catboost, catboost.train(cb.Pool(X, y), cat, loss=loss)),
):
    proba = adapter.predict_proba(model, X)
    assert ((proba[:, 1] > 0.5) == y).mean() > 0.9
page = ProbabilityReport.from_predictions(y, proba).to_html()
assert "Probability report" in page
pathlib.Path("predictions.csv").write_text("y,p\n0,0.2\n1,0.7\n1,0.4\n0,0.1\n", encoding="utf-8")
command = [
    str(pathlib.Path(sys.executable).parent / "boosting-losses"),
    "evaluate",
    "predictions.csv",
    "--label",
    "y",
    "--proba",
    "p",
]
assert "log loss" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
print("wheel of", boosting_losses.__version__, "works")
