"""What Numba compiles and keeps: no more variants than needed, and nothing that needs a cache folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import boosting_losses
from boosting_losses import FocalLoss
from boosting_losses._kernels import _cache

#: Trains with everything, as a process that compares the three libraries does, and prints how many variants each loop has.
EVERYTHING = """
import json
import catboost as cb, lightgbm as lgb, numpy as np, xgboost as xgb
from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters import catboost, lightgbm, xgboost
from tests.cases import compiled_variants

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
        lightgbm.predict_proba(lightgbm.train({"verbosity": -1}, data, 1, loss=loss, valid_sets=[data]), X)
        data = cb.Pool(X, label, weight=weight)
        settings = {"iterations": 1, "allow_writing_files": False, "logging_level": "Silent"}
        catboost.predict_proba(catboost.train(data, settings, loss=loss, eval_set=data), X)
used = ("gradient_hessian", "sums")
loops = {name: count for name, count in compiled_variants().items() if count and name.endswith(used)}
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


@pytest.mark.slow
def test_few_variants_serve_all_three_libraries():
    for library in ("xgboost", "lightgbm", "catboost"):
        pytest.importorskip(library)
    variants = json.loads(run(EVERYTHING))
    # Each library's layout and precision, with weights and without; XGBoost's two interfaces give labels of two dtypes.
    assert max(variants.values()) <= 8, variants
    assert min(variants.values()) >= 1, variants


@pytest.mark.slow
def test_the_package_needs_no_cache_folder():
    assert float(run(NO_PLACE)) == round(FocalLoss(2.0)([0, 1], [0.5, 1.5]), 6)


# ---- the cache on disk ----------------------------------------------------------------------------------------------

#: Prints a Hessian and how many functions this process has compiled for it.
FIRST_CALL = """
import json
from numba.core import event
import numpy as np
from boosting_losses import FocalLoss

class Compiled(event.Listener):
    count = 0
    def on_start(self, _):
        self.count += 1
    def on_end(self, _):
        pass

compiled = Compiled()
event.register("numba:compile", compiled)
hessian = FocalLoss().gradient_hessian(np.array([1.0, 0.0]), np.array([0.5, 1.5]))[1]
print(json.dumps([hessian.tolist(), compiled.count]))
"""


def first_call(folder, cache):
    """Start a process that finds the package in a folder and compiled kernels in another."""
    # Python itself would run stale bytecode of a file whose size and date are those of its previous version.
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "0",
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", FIRST_CALL]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)


def answer(process):
    printed, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


@pytest.fixture
def package(tmp_path):
    """Copy what losses need."""
    source = Path(boosting_losses.__file__).parent
    target = tmp_path / "boosting_losses"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "adapters"))
    return target


@pytest.mark.slow
def test_an_edited_kernel_is_compiled_anew(package, tmp_path):
    """Edit a kernel that kernels of other files inline, and keep its size and date."""
    cache = tmp_path / "cache"
    before, compiled = answer(first_call(tmp_path, cache))
    assert compiled > 0
    assert answer(first_call(tmp_path, cache)) == [before, 0]
    edited = package / "_kernels" / "vector.py"
    text, times = edited.read_text(), edited.stat()
    assert text.count("return yes if condition else no") == 1
    edited.write_text(text.replace("return yes if condition else no", "return no if condition else yes"))
    os.utime(edited, ns=(times.st_atime_ns, times.st_mtime_ns))
    after, compiled = answer(first_call(tmp_path, cache))
    assert compiled > 0
    assert after != before
    edited.write_text(text)
    # What other sources have left is gone, not kept for ever.
    assert answer(first_call(tmp_path, cache)) == [before, compiled]
    names = [path.name for path in cache.rglob("*.nbi")]
    assert len({name.rsplit(".", 2)[0] for name in names}) == len(names)  # one index for each function


@pytest.mark.slow
def test_processes_share_what_one_of_them_compiles(tmp_path):
    alone = answer(first_call(tmp_path, tmp_path / "one"))
    processes = [first_call(tmp_path, tmp_path / "four") for _ in range(4)]
    found = [answer(process) for process in processes]
    assert [hessian for hessian, _ in found] == [alone[0]] * 4
    assert sum(compiled for _, compiled in found) == alone[1]


def test_a_process_that_dies_holds_nobody_up(tmp_path, monkeypatch):
    path = tmp_path / "compiling.lock"
    hold = f"""
import pathlib, time
from boosting_losses._kernels._cache import _Lock
assert _Lock(pathlib.Path({str(path)!r}), "f").acquire()
print("held", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    monkeypatch.setattr(_cache, "PATIENCE", 0.1)
    lock = _cache._Lock(path, "f")
    assert not lock.acquire()
    other = _cache._Lock(path, "g")
    assert other.acquire()  # another function
    other.release()
    process.kill()
    process.communicate()
    monkeypatch.setattr(_cache, "PATIENCE", 30.0)
    assert lock.acquire()
    lock.release()
    assert not _cache._Lock(tmp_path / "none" / "compiling.lock", "f").acquire()  # where there is no folder
