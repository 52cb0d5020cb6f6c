"""`boosting-losses warmup`: what it compiles is all that trainings, predictions and reports need."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from boosting_losses._cli import commands as module
from boosting_losses._cli import warmup
from boosting_losses._cli.commands import commands

#: A fresh process that trains, calibrates and reports on other data, and prints how many functions it has compiled.
AFTERWARDS = """
import numpy as np
from numba.core import event
from xgboost import XGBClassifier
from boosting_losses import CalibratedBoostingClassifier
from boosting_losses.report import ProbabilityReport

class Compiled(event.Listener):
    names = []
    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, _):
        pass

event.register("numba:compile", Compiled())
rng = np.random.default_rng(1)
X = rng.standard_normal((200, 3))
for y in ((X[:, 0] > 0.3).astype(int), np.digitize(X[:, 0], [-1.0, 0.5])):
    for loss in ("auto", "focal"):
        model = CalibratedBoostingClassifier(XGBClassifier(n_estimators=2), loss=loss, cv=2).fit(X, y)
        proba = model.predict_proba(X)
    str(ProbabilityReport.from_predictions(y, {"a": proba, "b": proba[:, ::1] ** 1.0}, n_resamples=10))
print(Compiled.names)
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile(tmp_path):
    pytest.importorskip("xgboost")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0"}

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = python("-m", "boosting_losses", "warmup", "--library", "xgboost")
    assert "compiled functions" in said
    assert str(tmp_path) in said
    assert python("-c", AFTERWARDS).strip() == "[]"


def test_what_cannot_be_warmed_up_is_said(monkeypatch):
    monkeypatch.setattr(warmup, "installed", lambda: ("xgboost",))
    result = CliRunner().invoke(commands, ["warmup", "--library", "catboost"])
    assert result.exit_code == 2
    assert "--library must be installed, got catboost" in result.output
    monkeypatch.setattr(module, "cache_folder", lambda: None)
    result = CliRunner().invoke(commands, ["warmup"])
    assert result.exit_code == 2
    assert "set NUMBA_CACHE_DIR" in result.output
