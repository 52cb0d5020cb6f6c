"""Checks and conversions that the prediction functions of all libraries share."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import Loss


def check_model(model: object, *kinds: type, argument: str = "model") -> None:
    """Raise TypeError if ``model`` is not a model of the library; add a hint if it contains one."""
    if isinstance(model, kinds):
        return
    hint = ""
    if hasattr(model, "best_estimator_"):
        hint = "; pass its best_estimator_"
    elif hasattr(model, "steps"):
        hint = "; pass its last step, and the X that the other steps return"
    elif isinstance(model, (str, os.PathLike)):
        hint = "; load the file first"
    names = " or ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{argument} must be a {names}, got {type(model).__name__}{hint}")


def checked_rounds(rounds: object, trained: int) -> int:
    """Return the number of rounds to use; raise an error unless it is from 1 to ``trained``, the rounds of the model.

    The libraries interpret 0 and negative numbers as all rounds, and silently reduce numbers that are too large.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)):
        raise TypeError(f"rounds must be a whole number or None, got {rounds!r}")
    if not 1 <= rounds <= trained:
        raise ValueError(f"rounds must be >= 1 and at most {trained}, the rounds of the model, got {rounds}")
    return int(rounds)


def refuse_ranges(options: Mapping[str, object], *names: str) -> None:
    """Raise TypeError if an option of the library would select a range of rounds; ``rounds`` replaces these options.

    A range that starts after the first round would lack the init score.
    """
    for name in names:
        if name in options:
            raise TypeError(f"{name} must be omitted, got {options[name]!r}; use rounds= to set the number of rounds")


def probabilities(loss: Loss, raw: Array) -> npt.NDArray[np.float64]:
    """Return the posterior with shape ``(n, K)``; for a binary loss, the second of two columns is the positive class.

    The computation uses double precision, because 1 - p would lose all its digits in single precision if p is close to 1.
    """
    proba = np.asarray(loss.posterior(np.asarray(raw, np.float64)), np.float64)
    return proba if loss.multiclass else np.column_stack([1 - proba, proba])
