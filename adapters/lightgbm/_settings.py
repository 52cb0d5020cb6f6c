"""The parameters that training with a loss requires, and checks of the caller's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy.typing as npt

from ..._threads import threads_of_library
from ...losses import Loss
from .._init_score import as_init_score
from .._loss import check_loss
from .._parameters import checked_num_class, thread_count, without_none
from ._objects import Objective

_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_METRIC = ("metric", "metrics", "metric_types")
_NUM_CLASS = ("num_class", "num_classes")
_BOOSTING = ("boosting", "boosting_type", "boost")
_MACHINES = (
    "machines",
    "workers",
    "nodes",
    "num_machines",
    "num_machine",
    "machine_list_filename",
    "machine_list_file",
    "machine_list",
    "mlist",
)
_PORT = ("local_listen_port", "local_port", "port")
_TREE_LEARNER = ("tree_learner", "tree", "tree_type", "tree_learner_type")
_NUM_THREADS = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")
_RANDOM_FOREST = ("rf", "random_forest")
#: Parameters that LightGBM silently ignores with a custom objective, each with the value that has no effect.
_IGNORED = {
    "is_unbalance": False,
    "unbalance": False,
    "unbalanced_sets": False,
    "scale_pos_weight": 1,
    "sigmoid": 1,
    "pos_bagging_fraction": 1,
    "pos_sub_row": 1,
    "pos_subsample": 1,
    "pos_bagging": 1,
    "neg_bagging_fraction": 1,
    "neg_sub_row": 1,
    "neg_subsample": 1,
    "neg_bagging": 1,
}
#: Builtin metrics that depend only on the order of the scores, and are therefore correct for raw scores.
_RANK_METRICS = ("auc", "average_precision")


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings required to use :class:`Objective` directly with LightGBM.

    The settings contain the objective with its init score, ``metric="None"`` and, if required, the number of classes.
    LightGBM does not estimate an init score for a custom objective. Its builtin metrics read raw scores as probabilities, and
    ``LGBMClassifier`` uses one of them for early stopping unless ``metric`` is "None".

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, from which the init score is computed.
    sklearn : bool, default False
        Whether the settings are for the constructor of ``LGBMClassifier`` (True) or for ``lightgbm.train`` (False). The
        classifier's own ``predict`` and ``predict_proba`` return raw scores without the init score; use
        :func:`predict_proba` of this package.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights are invalid for the loss.
    """
    check_loss(loss)
    init_score = as_init_score(loss.init_score(y_true, sample_weight))
    settings: dict[str, Any] = {"objective": Objective(loss, init_score), "metric": "None"}
    return settings if sklearn or isinstance(init_score, float) else {**settings, "num_class": len(init_score)}


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters without aliases; raise an error for any that are ignored or contradict the loss."""
    settings = without_none(params)
    for alias in _OBJECTIVE:
        if alias in settings:
            raise ValueError(
                f"params must not contain {alias!r} when a loss is given (loss={loss}), got {settings[alias]!r}"
            )
    for name, harmless in _IGNORED.items():
        if str(settings.get(name, harmless)).lower() not in (
            str(harmless).lower(),
            str(int(harmless)),
            f"{harmless:.1f}",
        ):
            raise ValueError(
                f"{name} has no effect with a custom objective, got {settings[name]}; use LogLoss(pos_weight=...),"
                " FocalLoss(alpha=...) or sample weights"
            )
    for alias in _BOOSTING:
        if settings.get(alias) in _RANDOM_FOREST:
            raise ValueError(
                f"{alias} must not be {settings[alias]!r}: LightGBM's random forest does not support a custom objective"
            )
    settings["metric"] = _checked_metrics(_resolved(settings, _METRIC, "None"))
    settings["num_class"] = checked_num_class(_resolved(settings, _NUM_CLASS, None), loss)
    return without_none(settings)


def network_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the settings of a training on a cluster, and the port that all workers use, or 0 for any free port."""
    for alias in _MACHINES:
        if alias in settings:
            raise ValueError(
                f"{alias} must be omitted, because the workers of the cluster are used, got {settings[alias]!r}"
            )
    settings = dict(settings)
    port = _resolved(settings, _PORT, 0)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
        raise ValueError(f"local_listen_port must be a port from 1 to 65535, or 0 for a free port, got {port!r}")
    learner = _resolved(settings, _TREE_LEARNER, "data")
    if learner not in ("data", "data_parallel", "voting", "voting_parallel"):
        raise ValueError(
            f"tree_learner must be 'data' or 'voting', because each worker has some of the rows, got {learner!r}"
        )
    return {**settings, "tree_learner": learner}, port


def threads_of(settings: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Let losses and metrics use as many threads as LightGBM in a ``with`` block."""
    return threads_of_library(thread_count(settings, *_NUM_THREADS))


def is_dart(settings: Mapping[str, Any]) -> bool:
    """Return whether the booster is dart."""
    return "dart" in (settings.get(alias) for alias in _BOOSTING)


def is_random_forest(settings: Mapping[str, Any]) -> bool:
    """Return whether the booster is a random forest."""
    return not {settings.get(alias) for alias in _BOOSTING}.isdisjoint(_RANDOM_FOREST)


def _resolved(settings: dict[str, Any], aliases: tuple[str, ...], default: Any) -> Any:
    """Remove all aliases of a parameter from the settings and return its value, or the default."""
    values = [settings.pop(alias) for alias in aliases if alias in settings]
    return values[0] if values else default


def _checked_metrics(metric: Any) -> Any:
    """Return the metrics; raise ValueError for builtin metrics that would read raw scores as probabilities."""
    names = metric.split(",") if isinstance(metric, str) else list(metric or ())
    for name in names:
        if str(name).strip() not in (*_RANK_METRICS, "", "None", "none", "null", "custom", "na"):
            raise ValueError(
                f"metric must be one of {', '.join(_RANK_METRICS)} or 'None' with a custom objective, got {name!r}, which"
                " would read raw scores as probabilities; use feval=Metric(loss, score)"
            )
    return (metric if isinstance(metric, str) else names) or "None"
