"""Models that are asked for raw scores and probabilities, and what they return."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import Loss


def check_model(model: object, *kinds: type, argument: str = "model") -> None:
    """Refuse what is not a model of the library, such as what contains one."""
    if isinstance(model, kinds):
        return
    hint = ""
    if hasattr(model, "best_estimator_"):
        hint = "; pass its best_estimator_"
    elif hasattr(model, "steps"):
        hint = "; pass its last step, and the X that the other steps make"
    elif isinstance(model, (str, os.PathLike)):
        hint = "; load the file first"
    names = " or ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{argument} must be a {names}, got {type(model).__name__}{hint}")


def checked_rounds(rounds: object, trained: int) -> int:
    """Return a number of rounds to use; refuse one that a model of so many ``trained`` rounds does not have.

    The libraries take 0 and negative numbers for all rounds, and cut larger ones without a message.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)):
        raise TypeError(f"rounds must be a whole number or None, got {rounds!r}")
    if not 1 <= rounds <= trained:
        raise ValueError(f"rounds must be >= 1 and at most {trained}, the rounds of the model, got {rounds}")
    return int(rounds)


def refuse_ranges(options: Mapping[str, object], *names: str) -> None:
    """Refuse the library's own words for what ``rounds`` says; from a later round on, the init score would be missing."""
    for name in names:
        if name in options:
            raise TypeError(f"{name} must be left out, got {options[name]!r}; rounds= says how many rounds to use")


def probabilities(loss: Loss, raw: Array) -> npt.NDArray[np.float64]:
    """Return the posterior as ``(n, K)``; of a binary loss the second of two columns.

    In single precision 1 - p would have no digits left where p is close to 1.
    """
    proba = np.asarray(loss.posterior(np.asarray(raw, np.float64)), np.float64)
    return proba if loss.multiclass else np.column_stack([1 - proba, proba])
