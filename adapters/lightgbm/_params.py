"""The settings that bare use of an objective needs."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ...losses import Loss
from .._init_score import as_init_score
from .._loss import check_loss
from ._objects import Objective


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use needs: objective with init score, number of classes, no builtin metric.

    LightGBM estimates no init score for a custom objective, and its builtin metrics read raw scores as probabilities;
    ``LGBMClassifier`` adds one of them to the early stopping unless it is told not to.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the init score.
    sklearn : bool, default False
        Settings for ``lightgbm.train`` (False) or for the constructor of ``LGBMClassifier`` (True), whose own ``predict``
        and ``predict_proba`` give raw scores without the init score; use :func:`predict_proba`.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    check_loss(loss)
    init_score = as_init_score(loss.init_score(y_true, sample_weight))
    settings: dict[str, Any] = {"objective": Objective(loss, init_score), "metric": "None"}
    return settings if sklearn or isinstance(init_score, float) else {**settings, "num_class": len(init_score)}
