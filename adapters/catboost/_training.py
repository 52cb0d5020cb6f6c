"""Training with CatBoost, and what is asked of its models."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import catboost as cb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._shared import (
    ATTRIBUTE,
    check_loss,
    check_model,
    check_storable,
    constant,
    servable_offset,
    served_loss,
    shifted,
    switch,
    two_columns,
    without_none,
)
from ._builtin import builtin_settings, starting_from
from ._continuation import added, check_same_classes, checked_model, on_top_of
from ._groups import has_groups
from ._model import (
    exchange_class_names,
    finished,
    loss_of,
    name_loss_function,
    reloaded,
    set_intercept,
    start_of,
)
from ._objects import Metric, Objective
from ._settings import check_ordered, check_pool, codes_of, encode, has_baseline, own_settings, weights_of


def params(loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> dict[str, Any]:
    """The settings that bare use needs: objective with intercept, metric, class names.

    CatBoost estimates no intercept for a custom objective, demands an eval metric, and reads labels as numbers unless the
    classes are named. They serve ``catboost.train`` and ``CatBoostClassifier`` alike.

    Parameters
    ----------
    loss : Loss
    y_true : array-like of shape (n,)
        The training labels, of any kind that CatBoost takes.
    sample_weight : array-like of shape (n,), optional

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    check_loss(loss)
    codes, names = encode(loss, y_true, {})
    init = constant(loss.init_score(codes, sample_weight))
    return _companions(loss, init, names, {}) | {"allow_writing_files": False}


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
    """``catboost.train`` with a loss of ours: intercept, class labels, weights and metric are as they must be.

    Parameters
    ----------
    pool : Pool
        With labels of any kind; its weights, those of groups too, and baseline are honoured, and it comes back as it was.
        With a baseline of its own the raw score is that baseline plus the trees, and no intercept is added.
    params : mapping, optional
        CatBoost's parameters, without a loss function. ``boost_from_average=False`` starts from 0. ``class_weights`` act
        as sample weights do; class weights of the loss are undone by :func:`predict_proba`, these are not. Nothing is
        written to disk unless asked for.
    loss : Loss
    eval_set : Pool or list of Pools, optional
    init_model : CatBoost or path, optional
        A model to continue, trained with the same loss and classes. It keeps its intercept, also where that stands in the
        :class:`Objective` of a bare model. The returned model has no evaluation history. CatBoost cannot add models with
        text or embedding features. With categorical ones, each part keeps its own statistics of the categories, for which
        CatBoost's formats other than "cbm" have no place where the two were trained on different data.
    builtin : {"never", "auto"}, default "never"
        "auto" trains with CatBoost's own loss, several times faster for many classes, where an equal one exists: for
        ``LogLoss()`` and ``SoftmaxCrossEntropy()`` without class weights (which count in CatBoost's choice of splits
        when they are its own ``class_weights``) and smoothing, on data without text and embedding features, for several
        classes without categorical ones, and with parameters that do the same to both losses (not with
        ``monotone_constraints``, ``model_shrink_rate`` or ``langevin``). All else trains as with "never", and so does a
        continued model. The model is the same, but for an intercept rounded to float32 while it trains; that takes a
        copy of the data. CatBoost also reports its own loss.
    **options
        The other arguments of ``catboost.train`` by their names: ``iterations``, ``early_stopping_rounds``, ``verbose``,
        ``save_snapshot`` and others; ``callbacks``, one or a list, as ``CatBoost.fit`` takes them.

    Returns
    -------
    CatBoost
        Its bias is the intercept and its metadata hold the loss, in the model file too. (Of a binary model that CatBoost
        trained with its own loss, the intercept is in the first tree: CatBoost's ONNX export would forget a bias.) Its
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
        offset = _intercept(loss, pool, codes, weight, n_classes, average=average)
    else:
        check_same_classes(previous, names, codes)
        _check_values(loss, pool, codes, n_classes)
        offset = constant(np.zeros(n_classes if loss.multiclass else 1))
    evaluation = _pools(eval_set)
    for index, data in enumerate(evaluation):
        _check_evaluation(loss, data, f"eval_set {index}", names, baseline=has_baseline(pool))
    if previous is not None:
        pool, *evaluation = (on_top_of(previous, data) for data in (pool, *evaluation))
    own = builtin_settings(loss, pool, names, settings) if builtin == "auto" and previous is None else None
    if own is None:
        own = {**settings, **_companions(loss, offset, names, settings)}
    else:
        pool, *evaluation = (starting_from(data, offset) for data in (pool, *evaluation))
    model = _uninterrupted(cb.train, pool, own, eval_set=evaluation or None, **outlets)
    if previous is None:
        return finished(model, loss, offset)
    return finished(added(previous, model), loss, constant(previous.get_scale_and_bias()[1]))


def cv(pool: cb.Pool, params: Mapping[str, Any] | None = None, *, loss: Loss, **options: Any) -> Any:
    """``catboost.cv`` with a loss of ours.

    CatBoost offers no settings for one fold alone: all folds start from the intercept of the whole pool. It takes no class
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
    offset = _intercept(loss, pool, codes, weight, n_classes, average=average)
    if isinstance(options.get("folds"), Sequence):
        for fold, (rows, _) in enumerate(options["folds"], 1):
            try:
                loss.init_score(codes[rows], weight[rows], n_classes)
            except ValueError as error:
                raise ValueError(f"training part of fold {fold}: {error}") from error
    if names is not None:
        if names != tuple(range(n_classes)):
            raise ValueError(
                f"labels must be class codes 0..{n_classes - 1} for catboost.cv with a loss of ours, got {names}"
            )
        settings["classes_count"] = n_classes  # catboost.cv takes no class names
    settings.update(_companions(loss, offset, None, settings))
    if options.get("stratified") is None:
        options["stratified"] = names is not None and not has_groups(pool)
    with tempfile.TemporaryDirectory() as folder:
        if not settings["allow_writing_files"]:
            settings["train_dir"] = folder  # catboost.cv makes a folder all the same
        results = _uninterrupted(cb.cv, pool, settings, **options)
    if options.get("return_models"):
        for model in results[1]:
            finished(model, loss, offset)
    return results


def raw_score(model: cb.CatBoost, X: Any, **options: Any) -> Array:
    """Raw scores of a model, intercept included.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X : Pool, array-like or DataFrame
    **options
        Of ``CatBoost.predict``: ``ntree_start``, ``ntree_end`` and others.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64

    Notes
    -----
    The intercept of a model trained with a bare :class:`Objective` is in the objective and not in the model file: of such a
    model, loaded, the raw scores lack it.
    """
    check_model(model, cb.CatBoost)
    scores = np.asarray(model.predict(X, prediction_type="RawFormulaVal", **options))
    return np.asarray(shifted(scores, start_of(model)))


def predict_proba(model: cb.CatBoost, X: Any, loss: Loss | None = None, **options: Any) -> Array:
    """Class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        Columns in the order of ``model.classes_``; two for a binary loss.

    Raises
    ------
    ValueError
        If the model carries no loss and none is given, or another one than is given.
    """
    loss = loss_of(model, loss)
    return two_columns(loss, raw_score(model, X, **options))


def servable(model: cb.CatBoost, loss: Loss | None = None) -> cb.CatBoostClassifier:
    """A copy whose own ``predict_proba`` gives the posterior, in any language.

    CatBoost applies a sigmoid or softmax to every classifier; what class weights have shifted is taken out of the intercept.
    The file names CatBoost's own loss, and of a binary model the intercept is in the first tree, so that CatBoost's ONNX
    export, where it has one (it has none for trees that are not symmetric), gives the posterior too, as do explanations of
    probabilities.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    CatBoostClassifier

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), or the model carries no loss and
        none is given.
    """
    loss = loss_of(model, loss)
    scale, bias = model.get_scale_and_bias()
    offset = servable_offset(loss, len(model.classes_) or 2)
    copy = model.copy()
    if not len(model.classes_) and not loss.multiclass:  # trained on soft labels
        exchange_class_names(copy, [0, 1])
    name_loss_function(copy, "MultiClass" if loss.multiclass else "Logloss")
    served = reloaded(copy, cb.CatBoostClassifier)
    if scale != 1:
        served.set_leaf_values(scale * np.asarray(served.get_leaf_values()))
    set_intercept(served, constant(np.asarray(bias) + offset + np.asarray(start_of(model))))
    served.get_metadata()[ATTRIBUTE] = loss_to_json(served_loss(loss))
    return served


# ---- training -------------------------------------------------------------------------------------------------------

#: Arguments of ``catboost.train`` that are no parameters.
_OUTLETS = ("plot", "plot_file", "log_cout", "log_cerr")
#: Other names of arguments, which are not parameters either.
_ALIASES = {"dtrain": "pool", "evals": "eval_set"}


def _intercept(
    loss: Loss, pool: cb.Pool, codes: Array, weight: Array, n_classes: int, *, average: bool
) -> float | tuple[float, ...]:
    """The best constant, or 0 where the caller or a baseline of the pool says where to start; checks the data."""
    init = loss.init_score(codes, weight, n_classes)
    return constant(init if average and not has_baseline(pool) else 0.0 * np.asarray(init))


def _companions(
    loss: Loss, offset: float | tuple[float, ...], names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Objective, metric and classes; a metric of the caller's is made to see the intercept."""
    if loss.multiclass and names is not None and len(names) == 2:
        raise ValueError(
            f"labels must be of at least 3 classes for {loss}: CatBoost trains two with one score, as a binary loss"
        )
    metric = settings.get("eval_metric") or Metric(loss)
    if isinstance(metric, Metric):
        metric = metric.starting_from(offset)
    companions = {"loss_function": Objective(loss, offset), "eval_metric": metric}
    return companions if names is None else {**companions, "class_names": names}


def _uninterrupted(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Run a training; Ctrl-C in one of our methods stays a KeyboardInterrupt."""
    try:
        return call(*arguments, **options)
    except cb.CatBoostError as error:
        if "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from None
        raise


def _check_values(loss: Loss, pool: cb.Pool, codes: Array, n_classes: int) -> None:
    """Refuse labels and weights without meaning for the loss."""
    scores = np.zeros((len(codes), n_classes) if loss.multiclass else len(codes))
    loss(codes, scores, np.asarray(pool.get_weight(), dtype=np.float64))


def _pools(eval_set: Any) -> list[cb.Pool]:
    """The evaluation sets as a list."""
    pools = [eval_set] if isinstance(eval_set, cb.Pool) else list(eval_set if eval_set is not None else ())
    for index, pool in enumerate(pools):
        check_pool(pool, f"eval_set {index}")
    return pools


def _check_evaluation(loss: Loss, pool: cb.Pool, name: str, names: tuple[Any, ...] | None, *, baseline: bool) -> None:
    """Refuse evaluation data without meaning, so that it does not come up after the first round."""
    try:
        labels = pool.get_label()
        if labels is None or np.ndim(labels) == 0:
            raise ValueError("the data must have labels, got none")
        codes = np.asarray(labels, dtype=np.float64) if names is None else codes_of(labels, names)
        _check_values(loss, pool, codes, 2 if names is None else len(names))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error
    if has_baseline(pool) != baseline:
        raise ValueError(f"{name} must have a baseline if and only if the training pool has")
