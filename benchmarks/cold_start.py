"""Child of ``imports``: the first calls of one loss, timed beyond the imports, as JSON.

The arrays are what a first round of XGBoost hands over: float32 labels and scores, no weights.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses.multiclass import MulticlassLoss

LOSSES = {loss.__name__: loss() for loss in (LogLoss, FocalLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss)}


def main(name: str) -> None:
    """Call everything that a kernel serves, the objective first."""
    loss = LOSSES[name]
    y = np.array([0.0, 1.0, 0.0, 1.0], np.float32)
    raw = np.zeros((4, 2) if loss.multiclass else 4, np.float32)
    start = time.perf_counter()
    loss.gradient_hessian(y, raw)
    first = time.perf_counter()
    loss(y, raw)
    loss.init_score(y)
    loss.activation(raw)
    loss.posterior(raw)
    if isinstance(loss, MulticlassLoss):
        loss.row_function(2)(raw[0].astype(np.float64), 0.0, 1.0)
    json.dump({"first": first - start, "all": time.perf_counter() - start}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
