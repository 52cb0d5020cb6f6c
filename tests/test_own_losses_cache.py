"""Compiled code of users' losses: what a second process compiles, what an edit changes, what a missing module breaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"),
]

FORMULA = """
import numpy as np
from boosting_losses import binary_loss

FACTOR = 1.0

def helper(p):
    return 1 - p

@binary_loss
def poly1(p, epsilon=1.0):
    return -np.log(p) + FACTOR * epsilon * helper(p)
"""

#: Prints the gradient and the number of functions that the process has compiled.
USE = """
import json
from numba.core import event

class Compiled(event.Listener):
    count = 0
    def on_start(self, _):
        self.count += 1
    def on_end(self, _):
        pass

compiled = Compiled()
event.register("numba:compile", compiled)
gradient, _ = LOSS().gradient_hessian([1.0, 0.0], [0.5, 1.5])
print(json.dumps([gradient.tolist(), compiled.count]))
"""
IN_SCRIPT = FORMULA + USE.replace("LOSS", "poly1")
IN_MODULE = "from mine import poly1\n" + USE.replace("LOSS", "poly1")
BUILTIN = "from boosting_losses import FocalLoss\n" + USE.replace("LOSS", "FocalLoss")


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a script, which finds modules in its folder, and returns what it prints."""

    def run_script(text):
        (tmp_path / "script.py").write_text(text)
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(tmp_path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, str(tmp_path / "script.py")]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run_script


@pytest.mark.parametrize(
    "edit",
    [("-np.log(p)", "-2 * np.log(p)"), ("return 1 - p", "return (1 - p) ** 2"), ("FACTOR = 1.0", "FACTOR = 3.0")],
    ids=["formula", "helper", "constant"],
)
def test_a_second_run_of_a_script_compiles_nothing_and_an_edit_is_seen(run, tmp_path, edit):
    before, compiled = run(IN_SCRIPT)
    assert compiled > 0
    assert run(IN_SCRIPT) == [before, 0]
    after, compiled = run(IN_SCRIPT.replace(*edit))
    assert compiled > 0
    assert after != before
    indexes = [path.name for path in (tmp_path / "cache").rglob("*gradient_hessian*poly1*.nbi")]
    assert len(indexes) == 1  # those of earlier sources are removed


def test_a_deleted_module_breaks_no_other_loss(run, tmp_path):
    (tmp_path / "mine.py").write_text(FORMULA)
    before, compiled = run(IN_MODULE)
    assert compiled > 0
    assert run(IN_MODULE) == [before, 0]
    run(BUILTIN)
    (tmp_path / "mine.py").unlink()
    assert run(BUILTIN)[1] == 0


def test_a_redefined_formula_of_the_same_name_is_another():
    from boosting_losses import binary_loss

    losses = []
    for factor in (1.0, 2.0):
        scope = {"binary_loss": binary_loss, "__name__": "notebook"}
        exec(f"import numpy as np\n@binary_loss\ndef mine(p):\n    return -{factor} * np.log(p)", scope)
        losses.append(scope["mine"]())
    one, two = (loss.gradient_hessian([1.0], [0.5])[0][0] for loss in losses)
    assert two == 2 * one
