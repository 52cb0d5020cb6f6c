"""Calibrators, which convert raw scores of a model to calibrated probabilities.

Each calibrator takes scores whose plain sigmoid or softmax is a first estimate of the class probability, ``(n,)`` for two
classes or ``(n, K)``. For a model trained with a proper loss these are the raw scores, otherwise
``loss.posterior_logits(raw)``. Fit calibrators to rows that were not used to train the model, or to out-of-fold scores, as
:class:`boosting_losses.CalibratedBoostingClassifier` does.

>>> from boosting_losses.calibration import PlattScaling
>>> PlattScaling().fit([-2.0, -1.0, 0.5, 2.0], ["no", "no", "yes", "yes"]).predict_proba([0.0]).round(2)
array([[0.47, 0.53]])

Most calibrators have a prior with the influence of one or two rows. The effective number of rows of the fit is the larger
of two numbers:

* The sum of the weights, so that an integer weight is equivalent to repeating the row.
* Kish's effective sample size, ``sum(w)**2 / sum(w**2)`` (Kish 1965, Survey Sampling, section 11.7), so that small weights
  may have any scale: n rows with weights of 1 / n, or of 1e-6, still have an effective number of n.

Weights above 1 are therefore treated as repetitions of rows. Divide weights that are not counts, such as inverse
probabilities, by their mean.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from . import _newton_fit, _validation
from ._labelled_scores import LabelledScores, Rows
from ._newton_fit import ConvergenceWarning
from ._types import Array
from .losses import LogLoss, SoftmaxCrossEntropy

__all__ = [
    "BetaCalibration",
    "Calibrator",
    "ConvergenceWarning",
    "IsotonicCalibration",
    "PlattScaling",
    "TemperatureScaling",
    "VectorScaling",
]


class Calibrator(BaseEstimator):  # type: ignore[misc]
    """Base class of all calibrators, which validates data, encodes labels and stores the classes.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The sorted class labels, in the order of the columns of ``predict_proba``.
    """

    def fit(self, raw: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Fit the calibrator to scores and labels.

        Parameters
        ----------
        raw : array-like of shape (n,), (n, 1) or (n, K)
            Finite scores: the log odds of the second class, or one score per class.
        y : array-like of shape (n,)
            Labels of any type. Integers 0..K-1 are class codes, of which some may be missing. If the labels are not class
            codes, every class must be present.
        sample_weight : array-like of shape (n,), optional
            Finite, >= 0, not all 0. An integer weight is equivalent to repeating the row. Weights that sum to 1 are
            equivalent to the same weights scaled to a mean of 1.

        Raises
        ------
        TypeError, ValueError
            If shapes disagree, a value is invalid, or the labels do not match the number of scores. Except for isotonic
            calibration, also if the magnitude of a score exceeds 1e150.

        Warns
        -----
        ConvergenceWarning
            If the fit stops before it reaches the minimum.
        """
        scores = score_array(raw)
        weight = None if sample_weight is None else _validation.numbers("sample_weight", sample_weight)
        n_classes = 2 if scores.ndim == 1 else scores.shape[1]
        classes, codes = encoded(y, n_classes, np.float64 if weight is None else weight.dtype)
        _validation.refuse_odd_labels_or_weights(codes, weight, multiclass=False)
        _validation.refuse_weights(weight)
        _validation.refuse_other_length(codes, scores, "raw")
        _validation.refuse_raw(scores)
        return self.fit_scores(classes, Rows(codes, scores, weight))

    def fit_scores(self, classes: npt.NDArray[Any], rows: LabelledScores) -> Self:
        """Fit the calibrator to checked scores with encoded labels, which may be distributed."""
        self.classes_, self.n_scores_ = classes, rows.n_scores
        self._fit(rows)
        return self

    def predict_proba(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the class probabilities of scores.

        Parameters
        ----------
        raw : array-like of shape (n,), (n, 1) or (n, K)
            Finite scores, with the same number of scores per row as in ``fit``.

        Returns
        -------
        ndarray of shape (n, K), float64

        Raises
        ------
        TypeError, ValueError
            If the scores are not finite numbers or have a different shape.
        """
        check_is_fitted(self)
        scores = score_array(raw)
        columns = 1 if scores.ndim == 1 else scores.shape[1]
        if columns != self.n_scores_:
            raise ValueError(f"raw must have {self.n_scores_} scores per row, as in fit, got {columns}")
        _validation.refuse_raw(scores)
        return self._probabilities(scores.astype(np.float64, copy=False))

    @abstractmethod
    def _fit(self, rows: LabelledScores) -> None: ...

    @abstractmethod
    def _probabilities(self, raw: Array) -> npt.NDArray[np.float64]: ...


class _OneVsRest(Calibrator):
    """Base class of calibrators of one score per row.

    For K scores, it calibrates the log odds of each class against the rest and normalises the probabilities.
    """

    def _fit(self, rows: LabelledScores) -> None:
        if self.n_scores_ == 1:
            self.fitted_ = [self._fit_one(rows)]
            return
        self.fitted_ = [self._fit_one(one) for one in rows.each_class(log_odds)]

    def _probabilities(self, raw: Array) -> npt.NDArray[np.float64]:
        if self.n_scores_ == 1:
            return self._estimate(raw, self.fitted_[0])
        odds = log_odds(raw)
        columns = [self._estimate(odds[:, k], fitted)[:, 1] for k, fitted in enumerate(self.fitted_)]
        proba = np.column_stack(columns)
        total = proba.sum(axis=1, keepdims=True)
        # For scores outside the range of the fitted rows, the probabilities of all classes may be 0.
        return np.where(total > 0.0, proba / np.where(total > 0.0, total, 1.0), 1.0 / self.n_scores_)

    @abstractmethod
    def _fit_one(self, rows: LabelledScores) -> Any: ...

    @abstractmethod
    def _estimate(self, raw: Array, fitted: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities of both classes, ``(n, 2)``, for log odds ``raw``."""


class TemperatureScaling(Calibrator):
    """Temperature scaling, which divides all scores by one number (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    Attributes
    ----------
    temperature_ : float
        The divisor of the scores. It is above 1 for overconfident scores; 1 does not change the scores.
    classes_ : ndarray of shape (K,)
        The sorted class labels.

    Notes
    -----
    The fit minimises the mean log loss of ``softmax(raw / temperature)``, or of the sigmoid for two classes, plus the penalty
    ``(1 / temperature - 1)**2 / 2`` with the influence of one row. The penalty keeps the temperature above 0 if the scores
    separate the classes. With m the larger of 1 and the largest magnitude of a score, the temperature is at most
    ``1e4 * m``, because there is no finite optimum for uninformative or anti-informative scores.
    """

    def _fit(self, rows: LabelledScores) -> None:
        self.temperature_ = 1.0 / _newton_fit.temperature(rows)

    def _probabilities(self, raw: Array) -> npt.NDArray[np.float64]:
        return probabilities(raw / self.temperature_)


class PlattScaling(_OneVsRest):
    """Platt scaling, also called sigmoid calibration: a logistic function of the score (Platt 1999).

    Attributes
    ----------
    fitted_ : list of ndarrays of shape (2,)
        Slope and intercept: one pair for two classes, otherwise one pair per class.
    classes_ : ndarray of shape (K,)
        The sorted class labels.

    Notes
    -----
    The fit minimises the mean log loss of ``sigmoid(slope * raw + intercept)`` for Platt's targets: with N1 and N0 the
    effective numbers of rows of the classes, ``(N1 + 1) / (N1 + 2)`` replaces 1 and ``1 / (N0 + 2)`` replaces 0. The slope is
    then finite even if the scores separate the classes. Constant scores result in the slope 0. For K classes, a separate
    function of the log odds against the rest is fitted for each class.
    """

    def _fit_one(self, rows: LabelledScores) -> Any:
        return _newton_fit.platt(rows)

    def _estimate(self, raw: Array, fitted: Any) -> npt.NDArray[np.float64]:
        slope, intercept = fitted
        return probabilities(slope * raw + intercept)


class BetaCalibration(_OneVsRest):
    """Beta calibration, a logistic function with a separate slope for each tail.

    The method is from Kull, Silva Filho and Flach (2017, AISTATS, equation 3).

    Attributes
    ----------
    fitted_ : list of ndarrays of shape (3,)
        The parameters a >= 0, b >= 0 and c: one triple for two classes, otherwise one triple per class.
    classes_ : ndarray of shape (K,)
        The sorted class labels.

    Notes
    -----
    With p the sigmoid of the score, the fit minimises the mean log loss of ``sigmoid(a * log(p) - b * log(1 - p) + c)`` plus
    a penalty with the influence of one row: half the squared distance of (a, b, c) from the identity, (1, 1, 0). If a = b,
    the function is logistic. For K classes, a separate function of the log odds against the rest is fitted for each class.
    """

    def _fit_one(self, rows: LabelledScores) -> Any:
        return _newton_fit.beta(rows)

    def _estimate(self, raw: Array, fitted: Any) -> npt.NDArray[np.float64]:
        a, b, c = fitted
        minus_log_q = np.logaddexp(0.0, raw)
        return probabilities(a * (raw - minus_log_q) + b * minus_log_q + c)


class IsotonicCalibration(_OneVsRest):
    """Isotonic regression of scikit-learn, an increasing function of any shape (Zadrozny and Elkan 2002).

    It requires a few thousand rows to estimate the shape.

    Attributes
    ----------
    fitted_ : list of IsotonicRegression
        One regression on the score for two classes, otherwise one regression per class on its log odds against the rest.
    classes_ : ndarray of shape (K,)
        The sorted class labels.

    Notes
    -----
    A function fitted to the rows alone would be exactly 0 below the lowest score of class 1 and exactly 1 above the highest
    score of class 0. The fit therefore adds one row of each class at the lowest score and at the highest score. If an
    outermost step consists of m rows of one class, the probability of the other class is then ``1 / (m + 2)``, as in
    Laplace's rule of succession, which is also the source of Platt's targets.
    """

    def _fit_one(self, rows: LabelledScores) -> Any:
        (low, high), some = rows.span, rows.by_score()
        raw, y = np.append(some.raw, [low, low, high, high]), np.append(some.y, [0.0, 1.0, 0.0, 1.0])
        weight = None if some.weight is None else np.append(some.weight, np.full(4, rows.total / rows.count))
        return IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, y, sample_weight=weight)

    def _estimate(self, raw: Array, fitted: Any) -> npt.NDArray[np.float64]:
        p = fitted.predict(raw)
        return np.column_stack([1.0 - p, p])


class VectorScaling(Calibrator):
    """Vector scaling, with a slope and an intercept per class (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    Unlike a temperature, the intercepts can correct a class whose probabilities are all too high or all too low.

    Attributes
    ----------
    slope_, intercept_ : ndarrays of shape (K,), or (1,) for one score per row
        The slopes and intercepts of the scores.
    classes_ : ndarray of shape (K,)
        The sorted class labels.

    Notes
    -----
    The fit minimises the mean log loss of ``softmax(slope * raw + intercept)`` plus a penalty with the influence of one row:
    half the squared distance of the parameters from the identity, where all slopes are 1 and all intercepts are 0.
    """

    def _fit(self, rows: LabelledScores) -> None:
        self.slope_, self.intercept_ = _newton_fit.per_class(rows)

    def _probabilities(self, raw: Array) -> npt.NDArray[np.float64]:
        return probabilities(raw * np.squeeze(self.slope_) + np.squeeze(self.intercept_))


class Uncalibrated(Calibrator):
    """The identity, which returns the posterior of the loss without calibration and requires no fit."""

    def predict_proba(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return self._probabilities(score_array(raw))

    def _fit(self, rows: LabelledScores) -> None:
        pass

    def _probabilities(self, raw: Array) -> npt.NDArray[np.float64]:
        return probabilities(raw.astype(np.float64, copy=False))

    def __sklearn_is_fitted__(self) -> bool:
        return True


# ---- data -----------------------------------------------------------------------------------------------------------


def probabilities(logits: Array) -> npt.NDArray[np.float64]:
    """Return probabilities, ``(n, 2)`` by the sigmoid or ``(n, K)`` by the softmax; small values keep full precision."""
    if logits.ndim == 1:
        return np.column_stack([LogLoss().activation(-logits), LogLoss().activation(logits)])
    return SoftmaxCrossEntropy().activation(logits).astype(np.float64, copy=False)


def log_odds(raw: Array) -> npt.NDArray[np.float64]:
    """Return each class's log odds against the rest, ``(n, K)``; they are finite even if probabilities round to 0 or 1."""
    scores = raw.astype(np.float64)
    best = scores.argmax(axis=1)[:, None]
    away = scores - np.take_along_axis(scores, best, axis=1)
    e = np.exp(away)
    others = e.sum(axis=1, keepdims=True) - e
    # For the largest score, the exponentials of the other classes are summed separately, relative to the second largest, so
    # that no digits are lost.
    without = away.copy()
    np.put_along_axis(without, best, -np.inf, axis=1)
    second = without.max(axis=1, keepdims=True)
    log_rest = second + np.log(np.exp(without - second).sum(axis=1, keepdims=True))
    np.put_along_axis(others, best, 1.0, axis=1)
    odds: npt.NDArray[np.float64] = away - np.log(others)
    np.put_along_axis(odds, best, -log_rest, axis=1)
    return odds


def score_array(raw: npt.ArrayLike) -> Array:
    """Return scores as an array of shape (n,) or (n, K)."""
    scores = _validation.numbers("raw", raw)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim not in (1, 2) or not scores.size:
        raise ValueError(f"raw must have shape (n,) or (n, K), n >= 1, got {scores.shape}")
    return scores


def encoded(y: npt.ArrayLike, n_classes: int, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], Array]:
    """Return the sorted classes and the code of each label."""
    labels = np.asarray(y)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"y must have shape (n,), n >= 1, got {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(f"y must not contain NaN, got nan in row {int(np.argmax(np.isnan(labels)))}")
    if labels.dtype.kind == "f" and (fractions := labels % 1 != 0).any():
        raise ValueError(f"y must hold class labels, got {labels[fractions][0]} in row {int(np.argmax(fractions))}")
    if labels.dtype.kind == "b" and n_classes != 2:
        raise ValueError(f"y must hold {n_classes} classes for these scores, got booleans")
    if labels.dtype.kind in "biuf" and labels.min() >= 0 and labels.max() < n_classes:
        codes = labels.astype(dtype)
        if labels.dtype.kind != "f" or (codes == np.floor(codes)).all():
            names = np.array([False, True]) if labels.dtype.kind == "b" else np.arange(n_classes)
            return names, codes
    classes, positions = np.unique(labels, return_inverse=True)
    if len(classes) != n_classes:
        raise ValueError(
            f"y must hold {n_classes} classes for these scores, got {len(classes)}: {classes[:10].tolist()}"
        )
    return classes, positions.astype(dtype)
