"""The package works where Numba can keep nothing on disk."""

import os
import subprocess
import sys

from boosting_losses import FocalLoss

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


def test_the_package_needs_no_cache_folder():
    compiling = {**os.environ, "NUMBA_DISABLE_JIT": "0"}
    run = subprocess.run([sys.executable, "-c", NO_PLACE], capture_output=True, text=True, check=False, env=compiling)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == round(FocalLoss(2.0)([0, 1], [0.5, 1.5]), 6)
