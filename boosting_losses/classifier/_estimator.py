"""The estimator: the interface of scikit-learn, and the order of training and calibration."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from .._types import Array
from ..adapters._estimators import Labelled, Trained, Trainer
from ..calibration import Calibrator
from ..losses import Loss
from ._class_weights import resolved_loss, with_class_weight
from ._data import checked_data, checked_features, checked_weight, refuse_untrainable, times
from ._folds import fit_folds, held_out
from ._frameworks import COLUMN_OPTIONS, behind_steps, library_of
from ._select_calibrator import CALIBRATORS, HeldOut, choose, fitted
from ._stopping import stopping_of


class CalibratedBoostingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosting with a loss of this package and calibrated probabilities.

    The adapter of its library trains the estimator, with the right init score, weights and metric. The raw scores of held-out
    rows give the posterior that the loss implies, and a calibrator is fitted to that.

    Parameters
    ----------
    estimator : XGBClassifier, LGBMClassifier, CatBoostClassifier, or FrozenEstimator around a trained model
        Unfitted, with hyperparameters but without objective, metric, early stopping or class weights, for which there are
        parameters below. For a trained model in a ``sklearn.frozen.FrozenEstimator``, or a ``Pipeline`` that ends in one,
        only the calibrator is fitted, to all rows given to ``fit``, which the model should not have seen.
    loss : {"auto", "focal"} or Loss, default "auto"
        "auto" is ``LogLoss()`` for two classes and ``SoftmaxCrossEntropy()`` for more, "focal" ``FocalLoss()`` and
        ``SoftmaxFocalLoss()``. Parameters of a loss can be searched: ``loss__gamma`` where ``loss`` is an object,
        otherwise ``loss=[FocalLoss(1.0), FocalLoss(2.0)]``.
    calibration : {"auto", "temperature", "sigmoid", "beta", "vector", "isotonic"}, Calibrator or None, default "auto"
        None takes the posterior of the loss as it is. The names stand for the calibrators of
        :mod:`boosting_losses.calibration`. "auto" compares them and None by cross-fitted log loss on held-out rows, and
        takes the simplest within one standard error of the best; "isotonic" is compared from 1000 rows on.
    cv : int, splitter, iterable or None, default 5
        As in ``CalibratedClassifierCV``: an int stands for stratified folds. Splits need not be a partition.
    ensemble : bool, default False
        False calibrates on the held-out rows of all folds and trains one model on all rows. True keeps the model of each
        fold with a calibrator for its held-out rows, and averages probabilities. Where these have only one class, there is
        a warning, and the held-out rows of all folds are used instead.
    early_stopping : int, dict or None, default None
        Rounds without a better score on the held-out rows of a fold after which its training stops, or
        ``{"rounds": int, "metric": "loss" | "refinement" | callable, "greater_is_better": bool}``. The metric is the loss
        itself by default; "refinement" is :func:`boosting_losses.metrics.refinement_loss`; a callable takes
        ``(y_true, proba, sample_weight=None)`` and returns a float. It gets class codes, ``(n,)``, float32; the posterior
        of the loss, ``(n,)`` for the second of two classes or ``(n, K)``, float32 or float64; and weights, ``(n,)`` or
        None. The model of all rows gets the mean number of rounds.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes in training; with "balanced" all classes have the same sum of weights, ``sample_weight``
        included. They become a part of the loss, and its posterior undoes them: probabilities stay calibrated, and
        ``predict`` keeps the threshold 0.5. ``sklearn.model_selection.TunedThresholdClassifierCV`` chooses another.
    sketch : boosting_losses.adapters.xgboost.Sketch or None, default None
        For an ``XGBClassifier`` and 3 or more classes: trees with a vector in each leaf, whose splits are found along
        random directions of the gradient. Experimental; see :class:`boosting_losses.adapters.xgboost.Sketch`, which has its
        own seed. To search, ``sketch=[Sketch(2), Sketch(4)]``.
    n_jobs : int or None, default None
        Folds to train at the same time, as in joblib. The libraries use all cores for one fold.
    random_state : int, RandomState or None, default None
        Shuffles the folds of an int ``cv``, and seeds an estimator that has no seed.
    verbose : int, default 0
        Above 0, a line for each fold.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    loss_ : Loss
        The loss that was trained, class weights included.
    models_ : list
        The one model of all rows, or one per fold: ``xgboost.Booster``, ``lightgbm.Booster`` or ``catboost.CatBoost``, as
        returned by ``train`` of the adapter. Its own ``predict`` gives uncalibrated probabilities where these are the plain
        sigmoid or softmax, otherwise raw scores (with CatBoost always raw scores). For a trained pipeline, the model at
        its end.
    calibrators_ : list of Calibrator
        One for each model.
    calibration_report_ : dict
        ``method``, the calibration used ("none" for None). For "auto" also the ``best`` one and the ``scores``: for each
        its ``log_loss``, how far that is ``above_best``, and the ``standard_error`` of this difference.
    rounds_ : list of int
        Rounds of the model of each fold; without folds, of the one model.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has such names.

    Notes
    -----
    A classifier without calibration, early stopping and ensemble needs no folds and trains one model.

    Rows with missing values, sparse matrices, and categorical columns of pandas and polars frames are passed on to the
    library, whose settings apply (XGBoost's ``enable_categorical``; CatBoost's ``cat_features``, as a tuple, since
    scikit-learn cannot clone a CatBoost estimator with lists).
    """

    # The splitter requests groups itself. Arguments about columns may be requested.
    __metadata_request__fit = dict.fromkeys(COLUMN_OPTIONS) | {"groups": UNUSED}
    #: The steps of a trained pipeline before its model.
    _before: Any = None

    def __init__(
        self,
        estimator: Any,
        *,
        loss: Literal["auto", "focal"] | Loss = "auto",
        calibration: str | Calibrator | None = "auto",
        cv: Any = 5,
        ensemble: bool = False,
        early_stopping: int | Mapping[str, Any] | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        sketch: Any = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.loss = loss
        self.calibration = calibration
        self.cv = cv
        self.ensemble = ensemble
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.sketch = sketch
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # ---- fitting ----------------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None, groups: Any = None, **fit_params: Any
    ) -> Self:
        """Train and calibrate models.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
        y : array-like of shape (n,)
            Labels of any kind, of at least 2 classes.
        sample_weight : array-like of shape (n,), optional
            Finite, >= 0, the largest within the range of float32. Used in training, in the metric of early stopping and in
            calibration. Trees depend on the scale of weights (XGBoost's ``min_child_weight``), calibrators as
            :mod:`boosting_losses.calibration` describes.
        groups : array-like of shape (n,), optional
            For a splitter such as ``GroupKFold``.
        **fit_params
            Arguments about columns for the ``fit`` of the estimator: ``feature_weights`` (XGBoost); ``categorical_feature``,
            ``feature_name`` (LightGBM); ``cat_features``, ``text_features``, ``embedding_features`` (CatBoost).

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            When data or parameters are invalid, or a parameter of the estimator would be ignored or contradict one of
            this class.

        Warns
        -----
        UserWarning
            With ``ensemble=True``, when the held-out rows of a fold have only one class.
        """
        stopping = stopping_of(self.early_stopping)
        self._check_calibration()
        self._before = None
        if isinstance(self.estimator, FrozenEstimator):
            return self._fit_frozen(X, y, sample_weight, fit_params)
        X, y, weight = self._checked_data(X, y, sample_weight)
        refuse_untrainable(weight)
        library = library_of(self.estimator, trained=False)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least 2 classes, got 1 class: {self.classes_.tolist()}")
        self.loss_, factor = resolved_loss(self.loss, len(self.classes_)), 1.0
        if self.class_weight is not None:
            self.loss_, factor = with_class_weight(self.loss_, self.class_weight, self.classes_, codes, weight)
        self.calibration_report_: dict[str, Any]
        self.calibrators_: list[Calibrator]
        trainer = Trainer(library, self.loss_, self.estimator, fit_params, self._seed(), self.sketch)
        self._trainer: Trained = trainer
        data = Labelled(X, codes, times(weight, factor, len(codes)))
        folds = []
        if self.ensemble or stopping is not None or self.calibration is not None:
            folds = fit_folds(trainer, data, self._splits(X, codes, groups), stopping, self.n_jobs, self.verbose)
        self.rounds_ = [fold.rounds for fold in folds]
        if self.ensemble:
            self.models_ = [fold.model for fold in folds]
        else:
            rounds = max(1, round(float(np.mean(self.rounds_)))) if stopping is not None else None
            self.models_ = [trainer.train(data, rounds=rounds)]
            self.rounds_ = self.rounds_ or [trainer.rounds(self.models_[0])]
        if folds:
            self._calibrate(held_out(folds, codes, weight, self.loss_.posterior_logits))
        else:
            self._take_posterior()
        return self

    def _fit_frozen(self, X: Any, y: Any, sample_weight: Any, fit_params: Mapping[str, Any]) -> Self:
        """Calibrate a trained model."""
        for name, harmless in (("class_weight", None), ("early_stopping", None), ("sketch", None), ("ensemble", False)):
            if getattr(self, name) != harmless:
                raise ValueError(f"{name} must be left out for a trained model, got {getattr(self, name)!r}")
        if fit_params:
            raise TypeError(f"fit takes sample_weight alone for a trained model, got {next(iter(fit_params))!r}")
        self._before, model = behind_steps(self.estimator.estimator)
        X, y, weight = self._checked_data(X, y, sample_weight)
        library = library_of(model, trained=True)
        self.loss_ = library.loss_of(model, self.loss if isinstance(self.loss, Loss) else None)
        self._trainer = Trained(library, self.loss_)
        known = np.asarray(getattr(model, "classes_", ()))
        self.classes_ = np.unique(y) if not len(known) else known
        order = np.argsort(self.classes_, kind="stable")
        codes = order[np.minimum(np.searchsorted(self.classes_, y, sorter=order), len(self.classes_) - 1)]
        if (wrong := self.classes_[codes] != y).any():
            raise ValueError(
                f"y must hold the classes of the model, {self.classes_.tolist()}, got {y[wrong][0].item()!r}"
            )
        self.models_, self.rounds_ = [model], [self._trainer.rounds(model)]
        logits = self.loss_.posterior_logits(self._trainer.raw_score(model, self._model_rows(X)))
        if len(self.classes_) != (2 if logits.ndim == 1 else logits.shape[1]):
            raise ValueError(f"y must hold all classes of the model, got {self.classes_.tolist()}")
        fold = np.zeros(len(codes), dtype=np.intp)
        self._calibrate(HeldOut(logits, codes, weight, fold, np.arange(len(codes))))
        return self

    def _calibrate(self, rows: HeldOut) -> None:
        """Fit the calibrators, one per model, to held-out rows."""
        calibrator = self.calibration
        if calibrator is None:
            self._take_posterior()
            return
        if len(seen := rows.seen()) < 2:
            raise ValueError(
                "calibration must have held-out rows of at least 2 classes with weight, got"
                f" {len(seen)}: {self.classes_[seen].tolist()}; calibration=None needs none"
            )
        if isinstance(calibrator, str):
            self.calibration_report_ = choose(rows) if calibrator == "auto" else {"method": calibrator}
            calibrator = CALIBRATORS[self.calibration_report_["method"]]()
        else:
            self.calibration_report_ = {"method": type(calibrator).__name__}
        models = range(len(self.models_))
        parts = [rows.where(rows.fold == fold) for fold in models] if self.ensemble else [rows]
        poor = [number for number, part in enumerate(parts, 1) if len(part.seen()) < 2]
        if poor and self.calibration_report_["method"] != "none":
            warnings.warn(
                f"fold {', '.join(map(str, poor))} of {len(parts)}: a held-out part of one class, or without weight, fits no"
                " calibrator; the held-out rows of all folds calibrate the model instead",
                stacklevel=3,
            )
        self.calibrators_ = [fitted(calibrator, rows if len(part.seen()) < 2 else part) for part in parts]

    def _take_posterior(self) -> None:
        self.calibration_report_ = {"method": "none"}
        self.calibrators_ = [CALIBRATORS["none"]()] * len(self.models_)

    # ---- predicting -------------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return calibrated class probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, K), float64
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        X = self._model_rows(checked_features(self, X, as_they_are=self._before is not None))
        parts = [
            calibrator.predict_proba(self.loss_.posterior_logits(self._trainer.raw_score(model, X)))
            for model, calibrator in zip(self.models_, self.calibrators_, strict=True)
        ]
        mean: npt.NDArray[np.float64] = np.mean(parts, axis=0)
        return mean

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return log odds of the second of two classes, ``(n,)``, or logarithms of the probabilities, ``(n, K)``.

        ``predict`` gives the second class where log odds are above 0, otherwise the class of the largest logarithm.
        """
        proba = self.predict_proba(X)
        logs: npt.NDArray[np.float64] = np.log(np.maximum(proba, 1e-300))
        return logs[:, 1] - logs[:, 0] if len(self.classes_) == 2 else logs

    def raw_score(self, X: Any) -> Array:
        """Return uncalibrated raw scores of the model, ``(n,)`` or ``(n, K)``; for an ensemble their mean."""
        check_is_fitted(self)
        X = self._model_rows(checked_features(self, X, as_they_are=self._before is not None))
        mean: Array = np.mean([self._trainer.raw_score(model, X) for model in self.models_], axis=0)
        return mean

    @property
    def feature_importances_(self) -> Array:
        """Feature importances as the estimator defines them, ``(n_features,)``; for an ensemble their mean."""
        check_is_fitted(self)
        mean: Array = np.mean([self._trainer.feature_importances(model) for model in self.models_], axis=0)
        return mean

    # ---- scikit-learn -----------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return parameters, with those of the estimator and of a loss as ``estimator__name`` and ``loss__name``."""
        params: dict[str, Any] = super().get_params(deep)
        if deep and isinstance(self.loss, Loss):
            params |= {f"loss__{field.name}": getattr(self.loss, field.name) for field in fields(self.loss)}  # type: ignore[arg-type]
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; a changed parameter of a loss gives a new loss."""
        changes = {name.removeprefix("loss__"): params.pop(name) for name in list(params) if name.startswith("loss__")}
        if of_sketch := [name for name in params if name.startswith("sketch__")]:
            raise ValueError(f"{of_sketch[0]} must be set in an object, sketch=Sketch(...); search over sketch=[...]")
        super().set_params(**params)
        if changes:
            if not isinstance(self.loss, Loss):
                name = next(iter(changes))
                raise ValueError(
                    f"loss must be an object for loss__{name}, such as FocalLoss(), got {self.loss!r}; or search over"
                    " loss=[...]"
                )
            known = [field.name for field in fields(self.loss)]  # type: ignore[arg-type]
            if unknown := [name for name in changes if name not in known]:
                raise ValueError(f"loss__{unknown[0]} must be a parameter of {self.loss}, one of {', '.join(known)}")
            self.loss = replace(self.loss, **changes)  # type: ignore[type-var]
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Route sample weights to this estimator, and groups to the splitter."""
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

    # ---- parameters and data ----------------------------------------------------------------------------------------

    def _check_calibration(self) -> None:
        known = ("auto", *(name for name in CALIBRATORS if name != "none"))
        if not (self.calibration is None or isinstance(self.calibration, Calibrator) or self.calibration in known):
            names = ", ".join(map(repr, known))
            raise ValueError(f"calibration must be None, a Calibrator or one of {names}, got {self.calibration!r}")

    def _splits(self, X: Any, codes: npt.NDArray[np.intp], groups: Any) -> Iterable[Any]:
        cv = self.cv
        if isinstance(cv, numbers.Integral) and self.random_state is not None:
            cv = StratifiedKFold(int(cv), shuffle=True, random_state=self.random_state)
        splitter = check_cv(cv, codes, classifier=True)
        if isinstance(splitter, StratifiedKFold):
            counts = np.bincount(codes)
            if counts.min() < splitter.n_splits:
                raise ValueError(
                    f"cv={splitter.n_splits} needs at least {splitter.n_splits} rows of every class, got {counts.min()} of"
                    f" {self.classes_.tolist()[counts.argmin()]!r}"
                )
        routed: Mapping[str, Any] = {"groups": groups}
        if get_config()["enable_metadata_routing"]:
            # scikit-learn routes None too, which only splitters by groups accept.
            given = {} if groups is None else {"groups": groups}
            routed = process_routing(self, "fit", **given).splitter.split
        return splitter.split(X, codes, **routed)  # type: ignore[no-any-return]

    def _seed(self) -> int | None:
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(np.iinfo(np.int32).max))
        return None if self.random_state is None else int(self.random_state)

    def _checked_data(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, npt.NDArray[Any], Array | None]:
        X, y = checked_data(self, X, y, as_they_are=self._before is not None)
        return X, y, checked_weight(sample_weight, X)

    def _model_rows(self, X: Any) -> Any:
        """Return rows as the model takes them, behind the steps of a pipeline."""
        return X if self._before is None else self._before.transform(X)
