"""The loss used for training, and the loss that a trained model carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import LogLoss, Loss, SoftmaxCrossEntropy, loss_from_json, loss_to_json

#: The name under which a model stores its loss.
ATTRIBUTE = "boosting_losses"


def check_loss(loss: object) -> None:
    """Raise TypeError if ``loss`` is not a loss; add a hint if it is a loss class."""
    if not isinstance(loss, Loss):
        hint = f"; did you mean {loss.__name__}()?" if isinstance(loss, type) and issubclass(loss, Loss) else ""
        raise TypeError(f"loss must be a Loss, such as LogLoss(), got {loss!r}{hint}")


def check_storable(loss: object) -> None:
    """Raise an error if ``loss`` is not a loss, or if a model cannot store it."""
    check_loss(loss)
    loss_to_json(cast(Loss, loss))


def check_values(loss: Loss, labels: Array, weight: Array | None, n_classes: int, dtype: npt.DTypeLike = float) -> None:
    """Raise an error if labels or weights are invalid for the loss; ``dtype`` is the dtype of the library's raw scores."""
    loss(labels, np.zeros((len(labels), n_classes) if loss.multiclass else len(labels), dtype), weight)


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Prefix error messages with the name of the data that is being checked."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{part}: {error}") from error


def check_same_loss(loss: Loss, stored: str | None, argument: str) -> None:
    """Raise ValueError if the model to continue was trained with another loss; ``stored`` is the loss it carries."""
    if stored is not None and not _is_stored_as(loss, stored) and loss_from_json(stored) != loss:
        raise ValueError(f"{argument} must have been trained with loss={loss}, got a model of {loss_from_json(stored)}")


def _is_stored_as(loss: Loss | None, stored: str) -> bool:
    """Return whether a loss is the stored one, without importing anything."""
    try:
        return loss is not None and loss_to_json(loss) == stored
    except TypeError:  # a loss that models cannot store
        return False


def carried_loss(stored: str | None, objective: object, given: Loss | None) -> Loss:
    """Return the loss that a model was trained with, from the argument, the model's metadata or its objective.

    All known losses must agree, because a wrong loss silently gives wrong probabilities.
    """
    known = {}
    if given is not None:
        check_loss(given)
        known["loss="] = given
    own = loss_of_objective(objective)
    if stored is not None and not any(_is_stored_as(loss, stored) for loss in (given, own)):
        known["its metadata"] = loss_from_json(stored)
    if own is not None:
        known["its objective"] = own
    if not known:
        raise ValueError(
            "the model carries no loss; pass the one it was trained with as loss= (a model trained with Objective directly"
            " may lack the init score, too)"
        )
    if len(set(known.values())) > 1:
        losses = ", ".join(f"{loss} in {place}" for place, loss in known.items()).replace(" in loss=", " as loss=")
        raise ValueError(f"loss must be the one that the model was trained with, got {losses}")
    return next(iter(known.values()))


def loss_of_objective(objective: Any) -> Loss | None:
    """Return the loss of an objective of this package, or None for any other objective."""
    loss = getattr(objective, "loss", None)
    return loss if isinstance(loss, Loss) else None


def servable_offset(loss: Loss, n_classes: int) -> Array:
    """Return the constant that a served model must add to its raw scores; raise ValueError if none exists."""
    offset = loss.posterior_offset(n_classes)
    if offset is None:
        raise ValueError(
            f"the posterior of {loss} is not a sigmoid or softmax of its raw scores, so no model file can represent it; use"
            " predict_proba"
        )
    return np.asarray(offset)


def served_loss(loss: Loss) -> str:
    """Return the JSON of the loss that a served model carries.

    The posterior of that loss is the plain activation, because the served model already contains the offset.
    """
    return loss_to_json(SoftmaxCrossEntropy() if loss.multiclass else LogLoss())
