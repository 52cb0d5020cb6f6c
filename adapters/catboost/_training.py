"""Training and cross-validation with CatBoost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import catboost as cb
import numpy as np

from ..._threads import threads_of_library
from ..._types import Array
from ...losses import Loss
from .._init_score import InitScore, as_init_score
from .._loss import check_storable, naming
from .._parameters import switch, thread_count, without_none
from ._builtin import builtin_settings, with_baseline
from ._continuation import added, check_same_classes, checked_model, on_top_of
from ._data import (
    check_evaluation,
    check_pool,
    check_pool_values,
    encode,
    evaluation_pools,
    has_baseline,
    weights_of,
)
from ._groups import has_groups
from ._model import finished
from ._settings import check_ordered, companions, own_settings

#: Arguments of ``catboost.train`` that are not training parameters.
_OUTLETS = ("plot", "plot_file", "log_cout", "log_cerr")
#: CatBoost's aliases of arguments, each with the name to use instead.
_ALIASES = {"dtrain": "pool", "evals": "eval_set"}


def train(
    pool: cb.Pool,
    params: Mapping[str, Any] | None = None,
    *,
    loss: Loss,
    eval_set: cb.Pool | Sequence[cb.Pool] | None = None,
    init_model: cb.CatBoost | str | os.PathLike[str] | None = None,
    builtin: Literal["never", "auto"] = "never",
    **options: Any,
) -> cb.CatBoost:
    """Train like ``catboost.train``, with a loss and its init score, class labels, weights and metric.

    Arguments after ``params`` are keyword-only.

    Parameters
    ----------
    pool : Pool
        The training data, with labels of any type. Its sample weights, group weights and baseline are used, and it is not
        modified. If it has a baseline, the raw score is the baseline plus the trees, and no init score is added.
    params : mapping, optional
        CatBoost's parameters, without a loss function. ``boost_from_average=False`` starts from 0. ``class_weights`` act as
        sample weights: :func:`predict_proba` corrects for class weights of the loss, but not for these. By default, nothing
        is written to disk.
    loss : Loss
    eval_set : Pool or list of Pools, optional
    init_model : CatBoost or path, optional
        A model to continue, trained with the same loss and classes. It keeps its init score, including one that is only in
        its :class:`Objective`. The returned model has no evaluation history. CatBoost cannot add models with text or
        embedding features. With categorical features, each part keeps its own statistics of the categories. If the parts
        were trained on different data, only CatBoost's "cbm" format can store both.
    builtin : {"never", "auto"}, default "never"
        If "auto", train with CatBoost's own loss if it gives the same model, which is several times faster for many
        classes. This requires ``LogLoss()`` or ``SoftmaxCrossEntropy()`` without class weights and label smoothing, data
        without text and embedding features (for a multiclass loss, also without categorical features), and parameters that
        have the same effect with both losses (not ``monotone_constraints``, ``model_shrink_rate`` or ``langevin``).
        Otherwise, and for continued training, "auto" is the same as "never". During training with CatBoost's own loss, the
        init score is rounded to float32, a nonzero init score requires a copy of the data, and CatBoost also reports its
        own loss.
    **options
        Other keyword arguments of ``catboost.train``, such as ``iterations``, ``early_stopping_rounds``, ``verbose`` and
        ``save_snapshot``; also ``callbacks``, one or a list, as in ``CatBoost.fit``.

    Returns
    -------
    CatBoost
        Its bias is the init score and its metadata contain the loss, also in the model file. (If a binary model was trained
        with CatBoost's own loss, the first tree contains the init score, because CatBoost's ONNX export would ignore the
        bias.) Its ``predict`` returns raw scores. :func:`predict_proba` returns probabilities, and :func:`servable` returns a
        classifier whose ``predict_proba`` does.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores are invalid for the loss, or if a parameter would be ignored or
        give wrong results.
    """
    check_storable(loss)
    if builtin not in ("never", "auto"):
        raise ValueError(f"builtin must be 'never' or 'auto', got {builtin!r}")
    check_pool(pool, "pool")
    for name, instead in _ALIASES.items():
        if options.get(name) is not None:
            raise TypeError(f"{name} must be given as {instead}")
    outlets = {name: options.pop(name) for name in _OUTLETS if name in options}
    settings = own_settings({**without_none(params), **options}, loss)
    previous = None if init_model is None else checked_model(init_model, loss, pool)
    if previous is not None and len(previous.classes_):
        settings.setdefault("class_names", tuple(previous.classes_.tolist()))
    codes, names = encode(loss, pool.get_label(), settings)
    n_classes = 2 if names is None else len(names)
    weight = weights_of(pool, codes, names, settings)
    check_ordered(settings, weight)
    average = switch("boost_from_average", settings.pop("boost_from_average", True))
    if previous is None:
        init_score = _init_score(loss, pool, codes, weight, n_classes, average=average)
    else:
        check_same_classes(previous, names, codes)
        check_pool_values(loss, pool, codes, n_classes)
        init_score = as_init_score(np.zeros(n_classes if loss.multiclass else 1))
    evaluation = evaluation_pools(eval_set)
    for index, data in enumerate(evaluation):
        check_evaluation(loss, data, f"eval_set {index}", names, baseline=has_baseline(pool))
    if previous is not None:
        pool, *evaluation = (on_top_of(previous, data) for data in (pool, *evaluation))
    own = builtin_settings(loss, pool, names, settings) if builtin == "auto" and previous is None else None
    if own is None:
        own = {**settings, **companions(loss, init_score, names, settings)}
    else:
        pool, *evaluation = (with_baseline(data, init_score) for data in (pool, *evaluation))
    with threads_of_library(thread_count(settings, "thread_count")):
        model = _uninterrupted(cb.train, pool, own, eval_set=evaluation or None, **outlets)
    if previous is None:
        return finished(model, loss, init_score)
    return finished(added(previous, model), loss, as_init_score(previous.get_scale_and_bias()[1]))


def cv(pool: cb.Pool, params: Mapping[str, Any] | None = None, *, loss: Loss, **options: Any) -> Any:
    """Cross-validate like ``catboost.cv``, with a loss.

    CatBoost does not support different settings per fold, so all folds start from the init score of the whole pool.
    ``catboost.cv`` does not support class names, so labels must be class codes 0..K-1, or soft. By default, folds are
    stratified by class, as with CatBoost's own losses, except for soft labels and grouped data.

    Parameters
    ----------
    pool, params, loss
        As for :func:`train`.
    **options
        Other keyword arguments of ``catboost.cv``, such as ``fold_count``, ``folds``, ``stratified``,
        ``early_stopping_rounds``, ``as_pandas`` and ``return_models``.

    Returns
    -------
    DataFrame, dict or tuple
        The result of ``catboost.cv``. Its models, if any, are like those that :func:`train` returns.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`.
    """
    check_storable(loss)
    check_pool(pool, "pool")
    settings = own_settings(without_none(params), loss)
    if "callbacks" in settings or options.get("callbacks") is not None:
        raise ValueError("callbacks must be omitted for cv: catboost.cv does not call them")
    codes, names = encode(loss, pool.get_label(), settings)
    n_classes = 2 if names is None else len(names)
    average = switch("boost_from_average", settings.pop("boost_from_average", True))
    weight = weights_of(pool, codes, names, settings)
    check_ordered(settings, weight)
    init_score = _init_score(loss, pool, codes, weight, n_classes, average=average)
    if isinstance(options.get("folds"), Sequence):
        for fold, (rows, _) in enumerate(options["folds"], 1):
            with naming(f"training part of fold {fold}"):
                loss.init_score(codes[rows], weight[rows], n_classes)
    if names is not None:
        if names != tuple(range(n_classes)):
            raise ValueError(
                f"labels must be class codes 0..{n_classes - 1} for catboost.cv with a custom loss, got {names}"
            )
        settings["classes_count"] = n_classes  # catboost.cv does not support class names
    settings.update(companions(loss, init_score, None, settings))
    if options.get("stratified") is None:
        options["stratified"] = names is not None and not has_groups(pool)
    with tempfile.TemporaryDirectory() as folder:
        if not settings["allow_writing_files"]:
            settings["train_dir"] = folder  # catboost.cv creates a folder anyway
        with threads_of_library(thread_count(settings, "thread_count")):
            results = _uninterrupted(cb.cv, pool, settings, **options)
    if options.get("return_models"):
        for model in results[1]:
            finished(model, loss, init_score)
    return results


def _init_score(loss: Loss, pool: cb.Pool, codes: Array, weight: Array, n_classes: int, *, average: bool) -> InitScore:
    """Check the data and return the best constant, or 0 if the caller or the pool's baseline sets the initial score."""
    best = loss.init_score(codes, weight, n_classes)
    return as_init_score(best if average and not has_baseline(pool) else 0.0 * np.asarray(best))


def _uninterrupted(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a training function; raise KeyboardInterrupt if CatBoost wraps one from a loss or metric in its own error."""
    try:
        return call(*arguments, **options)
    except cb.CatBoostError as error:
        if "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from None
        raise
