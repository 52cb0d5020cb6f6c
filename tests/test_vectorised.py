"""The hot loops must be SIMD code: an edit that looks harmless could otherwise cost a factor of ten unseen."""

import json
import os
import platform
import subprocess
import sys

import pytest

#: Compiles every hot loop and prints how many packed arithmetic instructions each has, over dtypes the fewest.
SCRIPT = r"""
import json, re
import numpy as np
from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses._kernels import binary, blocks, multiclass
from tests.cases import loops_of

PACKED = re.compile(r"^\s+v?(?:add|sub|mul|div|min|max|fn?m(?:add|sub)\d+)p[sd]\s", re.MULTILINE)
n = 100
y, weight = (np.arange(n) % 2).astype(np.float32), np.ones(n, np.float32)
for dtype, order in ((np.float32, "C"), (np.float64, "F")):
    for loss in (LogLoss(), FocalLoss(1.5), SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
        raw = np.zeros((n, 3) if loss.multiclass else n, dtype, order=order)
        gradient, hessian = np.empty_like(raw, dtype=np.float32), np.empty_like(raw, dtype=np.float32)
        loss.write_gradient_hessian(y, raw, weight, gradient, hessian)
        loss(y, raw, weight)
        loss.posterior(raw)
loops = {"sigmoids": binary.sigmoids, "exponentials": blocks.exponentials}
for name in ("derivatives_of_block", "derivatives_of_cross_entropy"):
    loops[name] = getattr(multiclass, name)
for loss in (LogLoss(), FocalLoss(1.5), SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
    kind = type(loss).__name__
    loops |= {f"{kind}.{name}": getattr(loops_of(loss)[0], name) for name in ("gradient_hessian", "sums")}
loops["FocalLoss.posterior"] = loops_of(FocalLoss(1.5))[1].binary
counts = {}
for name, function in loops.items():
    code = function.inspect_asm()
    assert code, "no code to read: was it compiled in another process?"
    counts[name] = min(len(PACKED.findall(assembly)) for assembly in code.values())
print(json.dumps(counts))
"""

#: Some two thirds of what x86-64 without and with AVX2 or AVX-512 shows, the least of them; without SIMD it is 0.
LEAST = {
    "sigmoids": 33,
    "exponentials": 14,
    "derivatives_of_block": 20,
    "derivatives_of_cross_entropy": 10,
    "LogLoss.gradient_hessian": 40,
    "LogLoss.sums": 30,
    "FocalLoss.gradient_hessian": 110,
    "FocalLoss.sums": 60,
    "SoftmaxCrossEntropy.gradient_hessian": 60,
    "SoftmaxCrossEntropy.sums": 38,
    "SoftmaxFocalLoss.gradient_hessian": 110,
    "SoftmaxFocalLoss.sums": 65,
    "FocalLoss.posterior": 100,
}

pytestmark = [
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="knows the instructions of x86-64 only"
    ),
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"),
]


def packed_instructions(folder, **environment):
    """Numba keeps no assembly of what comes from its cache, so that each run has a folder of its own."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment},
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_hot_loops_are_simd_code(tmp_path):
    counts = packed_instructions(tmp_path)
    assert counts.keys() == LEAST.keys()
    too_few = {name: count for name, count in counts.items() if count < LEAST[name]}
    assert not too_few, f"packed instructions are gone: {too_few}"


@pytest.mark.slow
def test_the_guard_sees_scalar_code(tmp_path):
    assert set(packed_instructions(tmp_path, NUMBA_LOOP_VECTORIZE="0", NUMBA_SLP_VECTORIZE="0").values()) == {0}
