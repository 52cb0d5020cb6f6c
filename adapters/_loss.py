"""The loss of a training, and of the model that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import LogLoss, Loss, SoftmaxCrossEntropy, loss_from_json, loss_to_json

#: The name under which a model file carries its loss.
ATTRIBUTE = "boosting_losses"


def check_loss(loss: object) -> None:
    """Refuse what is not a loss; most often its class instead of an object."""
    if not isinstance(loss, Loss):
        hint = f"; did you mean {loss.__name__}()?" if isinstance(loss, type) and issubclass(loss, Loss) else ""
        raise TypeError(f"loss must be a Loss, such as LogLoss(), got {loss!r}{hint}")


def check_storable(loss: object) -> None:
    """Refuse what is not a loss, or one that a model could not carry."""
    check_loss(loss)
    loss_to_json(cast(Loss, loss))


def check_values(loss: Loss, labels: Array, weight: Array | None, n_classes: int, dtype: npt.DTypeLike = float) -> None:
    """Refuse labels and weights without meaning for the loss; ``dtype`` is that of the library's raw scores."""
    loss(labels, np.zeros((len(labels), n_classes) if loss.multiclass else len(labels), dtype), weight)


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Put the part of the data that is looked at before the message of an error."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{part}: {error}") from error


def check_same_loss(loss: Loss, stored: str | None, argument: str) -> None:
    """Refuse to continue a model that was trained with another loss; ``stored`` is what the model carries."""
    if stored is not None and loss_from_json(stored) != loss:
        raise ValueError(f"{argument} must have been trained with loss={loss}, got a model of {loss_from_json(stored)}")


def carried_loss(stored: str | None, objective: object, given: Loss | None) -> Loss:
    """Return the loss that a model was trained with: in its metadata, of its objective, or given where it carries none.

    Those that are known must agree: a wrong loss gives wrong probabilities without a message.
    """
    known = {}
    if given is not None:
        check_loss(given)
        known["loss="] = given
    if stored is not None:
        known["its metadata"] = loss_from_json(stored)
    if (own := loss_of_objective(objective)) is not None:
        known["its objective"] = own
    if not known:
        raise ValueError(
            "the model carries no loss; pass the one it was trained with as loss= (the init score of a bare objective is not"
            " in the model either)"
        )
    if len(set(known.values())) > 1:
        losses = ", ".join(f"{loss} in {place}" for place, loss in known.items()).replace(" in loss=", " as loss=")
        raise ValueError(f"loss must be the one that the model was trained with, got {losses}")
    return next(iter(known.values()))


def loss_of_objective(objective: Any) -> Loss | None:
    """Return the loss of an objective of this package, None for any other."""
    loss = getattr(objective, "loss", None)
    return loss if isinstance(loss, Loss) else None


def servable_offset(loss: Loss, n_classes: int) -> Array:
    """Return what a served model must add to its raw scores; refuse a loss for which no constant will do."""
    offset = loss.posterior_offset(n_classes)
    if offset is None:
        raise ValueError(
            f"the posterior of {loss} is not a sigmoid or softmax of its raw scores, so no model file can give it; use"
            " predict_proba"
        )
    return np.asarray(offset)


def served_loss(loss: Loss) -> str:
    """Return what a served model carries: the loss whose posterior is the plain activation, its offset being folded in."""
    return loss_to_json(SoftmaxCrossEntropy() if loss.multiclass else LogLoss())
