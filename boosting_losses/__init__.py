"""Losses, metrics and calibrated probabilities for gradient boosting."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ._threads import get_num_threads, num_threads, set_num_threads
from ._version import __version__
from .losses import (
    BinaryLoss,
    FocalLoss,
    LogLoss,
    Loss,
    MulticlassLoss,
    SoftmaxCrossEntropy,
    SoftmaxFocalLoss,
    binary_loss,
    check_loss,
    multiclass_loss,
)

if TYPE_CHECKING:
    from .classifier import CalibratedBoostingClassifier as CalibratedBoostingClassifier

__all__ = [
    "BinaryLoss",
    "FocalLoss",
    "LogLoss",
    "Loss",
    "MulticlassLoss",
    "SoftmaxCrossEntropy",
    "SoftmaxFocalLoss",
    "__version__",
    "binary_loss",
    "check_loss",
    "get_num_threads",
    "multiclass_loss",
    "num_threads",
    "set_num_threads",
]
# ``import *`` imports every name of ``__all__``, so the classifier is included only if scikit-learn is installed.
if find_spec("sklearn"):
    __all__ += ["CalibratedBoostingClassifier"]


def __getattr__(name: str) -> Any:
    """Import the classifier on first use, because only the classifier depends on scikit-learn."""
    if name == "CalibratedBoostingClassifier":
        from .classifier import CalibratedBoostingClassifier  # noqa: PLC0415

        return CalibratedBoostingClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
