"""Training with CatBoost: one model, or one for each fold."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import catboost as cb
import numpy as np

from ..._types import Array
from ...losses import Loss
from .._init_score import InitScore, as_init_score
from .._loss import check_storable, naming
from .._parameters import switch, without_none
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

#: Arguments of ``catboost.train`` that are no parameters.
_OUTLETS = ("plot", "plot_file", "log_cout", "log_cerr")
#: Other names of arguments, which are not parameters either.
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
    """Train as ``catboost.train`` does, with a loss: init score, class labels, weights and metric are as they must be.

    The arguments after ``params`` go by their names.

    Parameters
    ----------
    pool : Pool
        With labels of any kind; its weights, those of groups too, and baseline are honoured, and it comes back as it was.
        With a baseline of its own the raw score is that baseline plus the trees, and no init score is added.
    params : mapping, optional
        CatBoost's parameters, without a loss function. ``boost_from_average=False`` starts from 0. ``class_weights`` act
        as sample weights do; class weights of the loss are undone by :func:`predict_proba`, these are not. Nothing is
        written to disk unless asked for.
    loss : Loss
    eval_set : Pool or list of Pools, optional
    init_model : CatBoost or path, optional
        A model to continue, trained with the same loss and classes. It keeps its init score, also where that stands in
        the :class:`Objective` of a bare model. The returned model has no evaluation history. CatBoost cannot add models with
        text or embedding features. With categorical ones, each part keeps its own statistics of the categories, for which
        CatBoost's formats other than "cbm" have no place where the two were trained on different data.
    builtin : {"never", "auto"}, default "never"
        "auto" trains with CatBoost's own loss, several times faster for many classes, where an equal one exists: for
        ``LogLoss()`` and ``SoftmaxCrossEntropy()`` without class weights (which count in CatBoost's choice of splits
        when they are its own ``class_weights``) and smoothing, on data without text and embedding features, for several
        classes without categorical ones, and with parameters that do the same to both losses (not with
        ``monotone_constraints``, ``model_shrink_rate`` or ``langevin``). All else trains as with "never", and so does a
        continued model. The model is the same, but for an init score rounded to float32 while it trains; that takes
        a copy of the data. CatBoost also reports its own loss.
    **options
        The other arguments of ``catboost.train`` by their names: ``iterations``, ``early_stopping_rounds``, ``verbose``,
        ``save_snapshot`` and others; ``callbacks``, one or a list, as ``CatBoost.fit`` takes them.

    Returns
    -------
    CatBoost
        Its bias is the init score and its metadata hold the loss, in the model file too. (Of a binary model that CatBoost
        trained with its own loss, the init score is in the first tree: CatBoost's ONNX export would forget a bias.) Its
        ``predict`` gives raw scores; :func:`predict_proba` gives probabilities, :func:`servable` a classifier that does.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores have no meaning for the loss, or if a parameter would be
        ignored or give wrong numbers.
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
    model = _uninterrupted(cb.train, pool, own, eval_set=evaluation or None, **outlets)
    if previous is None:
        return finished(model, loss, init_score)
    return finished(added(previous, model), loss, as_init_score(previous.get_scale_and_bias()[1]))


def cv(pool: cb.Pool, params: Mapping[str, Any] | None = None, *, loss: Loss, **options: Any) -> Any:
    """Cross-validate as ``catboost.cv`` does, with a loss.

    CatBoost offers no settings for one fold alone: all folds start from the init score of the whole pool. It takes no class
    names here either: labels must be class codes 0..K-1 (or soft). Folds are stratified by class unless ``stratified`` says
    otherwise, as with CatBoost's own losses; soft labels and groups cannot be.

    Parameters
    ----------
    pool, params, loss
        As for :func:`train`.
    **options
        The other arguments of ``catboost.cv`` by their names: ``fold_count``, ``folds``, ``stratified``,
        ``early_stopping_rounds``, ``as_pandas``, ``return_models`` and others.

    Returns
    -------
    DataFrame, dict or tuple
        What ``catboost.cv`` returns; models among it are as :func:`train` returns them.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`.
    """
    check_storable(loss)
    check_pool(pool, "pool")
    settings = own_settings(without_none(params), loss)
    if "callbacks" in settings or options.get("callbacks") is not None:
        raise ValueError("callbacks must be left out for cv: catboost.cv does not call them")
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
        settings["classes_count"] = n_classes  # catboost.cv takes no class names
    settings.update(companions(loss, init_score, None, settings))
    if options.get("stratified") is None:
        options["stratified"] = names is not None and not has_groups(pool)
    with tempfile.TemporaryDirectory() as folder:
        if not settings["allow_writing_files"]:
            settings["train_dir"] = folder  # catboost.cv makes a folder all the same
        results = _uninterrupted(cb.cv, pool, settings, **options)
    if options.get("return_models"):
        for model in results[1]:
            finished(model, loss, init_score)
    return results


def _init_score(loss: Loss, pool: cb.Pool, codes: Array, weight: Array, n_classes: int, *, average: bool) -> InitScore:
    """Return the best constant, or 0 where the caller or a baseline of the pool says where to start; check the data."""
    best = loss.init_score(codes, weight, n_classes)
    return as_init_score(best if average and not has_baseline(pool) else 0.0 * np.asarray(best))


def _uninterrupted(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Run a training; Ctrl-C while CatBoost asks a loss or metric stays a KeyboardInterrupt."""
    try:
        return call(*arguments, **options)
    except cb.CatBoostError as error:
        if "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from None
        raise
