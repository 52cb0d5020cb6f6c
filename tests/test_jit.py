"""What Numba compiles and keeps: no more variants than needed, and nothing that needs a cache folder."""

import json
import os
import subprocess
import sys

import pytest

from boosting_losses import FocalLoss

#: Trains with everything, as a process that compares the three libraries does, and prints how many variants each loop has.
EVERYTHING = """
import json
import catboost as cb, lightgbm as lgb, numpy as np, xgboost as xgb
from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters import catboost, lightgbm, xgboost
from boosting_losses.kernels import focal, logistic, softmax, softmax_focal

y = np.arange(60) % 3
X = np.random.default_rng(0).standard_normal((60, 2))
for loss in (LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
    label = y if loss.multiclass else y > 1
    for weight in (None, np.ones(60)):
        data = xgb.DMatrix(X, label, weight=weight)
        xgboost.predict_proba(xgboost.train({}, data, 1, loss=loss, evals=[(data, "t")], verbose_eval=False), data)
        settings = xgboost.params(loss, label, weight, sklearn=True)
        xgb.XGBClassifier(n_estimators=1, **settings).fit(X, label, sample_weight=weight)
        data = lgb.Dataset(X, label, weight=weight)
        lightgbm.predict_proba(lightgbm.train({"verbosity": -1}, data, 1, [data], loss=loss), X)
        data = cb.Pool(X, label, weight=weight)
        settings = {"iterations": 1, "allow_writing_files": False, "logging_level": "Silent"}
        catboost.predict_proba(catboost.train(data, settings, loss=loss, eval_set=data), X)
loops = {
    f"{module.__name__}.{name}": len(getattr(module, name).signatures)
    for module in (logistic, focal, softmax, softmax_focal)
    for name in ("gradient_hessian", "sums", "posterior")
    if hasattr(module, name)
}
print(json.dumps(loops))
"""

#: Takes from Numba every place for its cache, as in a read-only container without a home.
NO_PLACE = """
import numba
from numba.core import caching
caching.CacheImpl._locator_classes = []
try:
    numba.njit(lambda x: x, cache=True)
except RuntimeError as error:
    assert "no locator available" in str(error)
else:
    raise SystemExit("Numba found a place")
from boosting_losses import FocalLoss
print(round(FocalLoss(2.0)([0, 1], [0.5, 1.5]), 6))
"""


def run(script):
    compiling = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=compiling)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_few_variants_serve_all_three_libraries():
    for library in ("xgboost", "lightgbm", "catboost"):
        pytest.importorskip(library)
    variants = json.loads(run(EVERYTHING))
    # Each library's layout and precision, with weights and without; XGBoost's two interfaces give labels of two dtypes.
    assert max(variants.values()) <= 8, variants
    assert min(variants.values()) >= 1, variants


def test_the_package_needs_no_cache_folder():
    assert float(run(NO_PLACE)) == round(FocalLoss(2.0)([0, 1], [0.5, 1.5]), 6)
