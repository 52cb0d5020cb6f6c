"""The estimator, which implements the scikit-learn interface and combines training and calibration."""

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
    """Gradient boosting classifier with a loss of this package and calibrated probabilities.

    The estimator is trained by the adapter of its library, with the init score, weights and metric that match the loss. The
    loss converts the raw scores of held-out rows to its posterior, and a calibrator is fitted to this posterior.

    Parameters
    ----------
    estimator : XGBClassifier, LGBMClassifier, CatBoostClassifier, or FrozenEstimator around a trained model
        Unfitted, with hyperparameters but without objective, metric, early stopping or class weights, which are parameters
        of this class. For a trained model in a ``sklearn.frozen.FrozenEstimator``, or a ``Pipeline`` that ends in such a
        model, only the calibrator is fitted. It is fitted to all rows passed to ``fit``, which should not be the training
        data of the model.
    loss : {"auto", "focal"} or Loss, default "auto"
        "auto" is ``LogLoss()`` for two classes and ``SoftmaxCrossEntropy()`` for more. "focal" is ``FocalLoss()`` for two
        classes and ``SoftmaxFocalLoss()`` for more. To search over parameters of a loss object, use ``loss__gamma``, or
        search over several objects with ``loss=[FocalLoss(1.0), FocalLoss(2.0)]``.
    calibration : {"auto", "temperature", "sigmoid", "beta", "vector", "isotonic"}, Calibrator or None, default "auto"
        None uses the posterior of the loss without calibration. The names refer to the calibrators of
        :mod:`boosting_losses.calibration`. "auto" compares these calibrators and None by cross-fitted log loss on held-out
        rows, and selects the simplest within one standard error of the best. "isotonic" is only compared if there are at
        least 1000 rows.
    cv : int, splitter, iterable or None, default 5
        As in ``CalibratedClassifierCV``: an int is the number of stratified folds. The held-out parts may overlap and need
        not cover all rows.
    ensemble : bool, default False
        If False, calibrate on the held-out rows of all folds and train one model on all rows. If True, keep the model of
        each fold with a calibrator that is fitted to its held-out rows, and average the probabilities. If the held-out rows
        of a fold have only one class, emit a warning and use the held-out rows of all folds instead.
    early_stopping : int, dict or None, default None
        The number of rounds without improvement on the held-out rows of a fold after which training stops, or
        ``{"rounds": int, "metric": "loss" | "refinement" | callable, "greater_is_better": bool}``. The default metric is the
        loss. "refinement" is :func:`boosting_losses.metrics.refinement_loss`. A callable has the signature
        ``(y_true, proba, sample_weight=None)`` and returns a float. It receives class codes, ``(n,)``, float32; the
        posterior of the loss, ``(n,)`` for the second of two classes or ``(n, K)``, float32 or float64; and weights,
        ``(n,)`` or None. The model of all rows is trained for the mean number of rounds of the folds.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes in training. With "balanced" all classes have the same total weight, including
        ``sample_weight``. Class weights become a part of the loss, and its posterior undoes them: probabilities stay
        calibrated, and ``predict`` keeps the threshold 0.5. Use ``sklearn.model_selection.TunedThresholdClassifierCV`` to
        choose another threshold.
    sketch : boosting_losses.adapters.xgboost.Sketch or None, default None
        For an ``XGBClassifier`` and at least 3 classes: train trees with a vector in each leaf, and find their splits from
        projections of the gradient on random directions. Experimental; see
        :class:`boosting_losses.adapters.xgboost.Sketch`, which has its own seed. To search over sketches, use
        ``sketch=[Sketch(2), Sketch(4)]``.
    n_jobs : int or None, default None
        The number of folds to train in parallel, as in joblib. The libraries already use all cores for one fold.
    random_state : int, RandomState or None, default None
        Shuffles the folds if ``cv`` is an int, and seeds an estimator that has no seed.
    verbose : int, default 0
        If above 0, print a line for each fold.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The class labels.
    loss_ : Loss
        The loss used in training, including class weights.
    models_ : list
        The single model of all rows, or one model per fold: ``xgboost.Booster``, ``lightgbm.Booster`` or
        ``catboost.CatBoost``, as returned by ``train`` of the adapter. The ``predict`` method of a model returns
        uncalibrated probabilities if these are the plain sigmoid or softmax, otherwise raw scores. With CatBoost it always
        returns raw scores. For a trained pipeline, the final model of the pipeline.
    calibrators_ : list of Calibrator
        One calibrator per model.
    calibration_report_ : dict
        ``method`` is the calibration used ("none" for None). For "auto", ``best`` is the calibration with the lowest log
        loss, ``rows`` is the number of rows, and ``scores`` contains for each calibration its ``log_loss``, the difference
        ``above_best`` from the lowest log loss, and the ``standard_error`` of this difference.
    rounds_ : list of int
        The number of rounds of each fold's model or, without folds, of the single model.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of str
        The names of the features. Only defined if X has feature names that are strings.

    Notes
    -----
    A classifier without calibration, early stopping and ensemble requires no folds and trains one model.

    Missing values, sparse matrices, and categorical columns of pandas and polars frames are passed on to the library, whose
    settings apply: XGBoost's ``enable_categorical``, or CatBoost's ``cat_features``, which must be a tuple because
    scikit-learn cannot clone a CatBoost estimator with lists.
    """

    # The splitter requests groups itself. Users may request metadata about columns.
    __metadata_request__fit = dict.fromkeys(COLUMN_OPTIONS) | {"groups": UNUSED}
    #: The steps before the final model of a trained pipeline.
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
            Labels of any type, with at least 2 classes.
        sample_weight : array-like of shape (n,), optional
            Finite, >= 0, and the largest weight within the range of float32. Weights are used in training, in the metric of
            early stopping and in calibration. Trees depend on the scale of the weights (for example through XGBoost's
            ``min_child_weight``). For the effect of the scale on calibrators see :mod:`boosting_losses.calibration`.
        groups : array-like of shape (n,), optional
            Groups for a splitter such as ``GroupKFold``.
        **fit_params
            Arguments of the estimator's ``fit`` that refer to columns: ``feature_weights`` (XGBoost);
            ``categorical_feature``, ``feature_name`` (LightGBM); ``cat_features``, ``text_features``,
            ``embedding_features`` (CatBoost).

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        TypeError, ValueError
            If data or parameters are invalid, or if a parameter of the estimator would be ignored or would contradict a
            parameter of this class.

        Warns
        -----
        UserWarning
            With ``ensemble=True``, if the held-out rows of a fold have only one class.
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
        """Fit a calibrator for a trained model."""
        for name, harmless in (("class_weight", None), ("early_stopping", None), ("sketch", None), ("ensemble", False)):
            if getattr(self, name) != harmless:
                raise ValueError(f"{name} must be {harmless} for a trained model, got {getattr(self, name)!r}")
        if fit_params:
            raise TypeError(f"fit accepts only sample_weight for a trained model, got {next(iter(fit_params))!r}")
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
        """Fit one calibrator per model to held-out rows."""
        calibrator = self.calibration
        if calibrator is None:
            self._take_posterior()
            return
        if len(seen := rows.seen()) < 2:
            raise ValueError(
                "calibration must have held-out rows of at least 2 classes with positive weight, got"
                f" {len(seen)}: {self.classes_[seen].tolist()}; pass calibration=None to skip calibration"
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
                f"fold {', '.join(map(str, poor))} of {len(parts)}: the held-out rows must hold at least 2 classes with"
                " positive weight to fit a calibrator; the held-out rows of all folds are used instead",
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
            The columns are in the order of ``classes_``.
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

        ``predict`` returns the second of two classes if its log odds are above 0, or the class of the largest logarithm.
        """
        proba = self.predict_proba(X)
        logs: npt.NDArray[np.float64] = np.log(np.maximum(proba, 1e-300))
        return logs[:, 1] - logs[:, 0] if len(self.classes_) == 2 else logs

    def raw_score(self, X: Any) -> Array:
        """Return the uncalibrated raw scores of the model, ``(n,)`` or ``(n, K)``, averaged over an ensemble."""
        check_is_fitted(self)
        X = self._model_rows(checked_features(self, X, as_they_are=self._before is not None))
        mean: Array = np.mean([self._trainer.raw_score(model, X) for model in self.models_], axis=0)
        return mean

    @property
    def feature_importances_(self) -> Array:
        """Feature importances as defined by the estimator, ``(n_features,)``, averaged over an ensemble."""
        check_is_fitted(self)
        mean: Array = np.mean([self._trainer.feature_importances(model) for model in self.models_], axis=0)
        return mean

    # ---- scikit-learn -----------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, including ``estimator__name`` and ``loss__name`` for those of the estimator and the loss."""
        params: dict[str, Any] = super().get_params(deep)
        if deep and isinstance(self.loss, Loss):
            params |= {f"loss__{field.name}": getattr(self.loss, field.name) for field in fields(self.loss)}  # type: ignore[arg-type]
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; changing a parameter of the loss creates a new loss object."""
        changes = {name.removeprefix("loss__"): params.pop(name) for name in list(params) if name.startswith("loss__")}
        if of_sketch := [name for name in params if name.startswith("sketch__")]:
            raise ValueError(
                f"{of_sketch[0]} must be set through a new object, sketch=Sketch(...); to search, use sketch=[...]"
            )
        super().set_params(**params)
        if changes:
            if not isinstance(self.loss, Loss):
                name = next(iter(changes))
                raise ValueError(
                    f"loss must be an object such as FocalLoss() to set loss__{name}, got {self.loss!r}; to search, use"
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
            # scikit-learn would also route groups=None, which only group splitters accept.
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
        """Return the input of the model, after any preceding steps of a pipeline."""
        return X if self._before is None else self._before.transform(X)
