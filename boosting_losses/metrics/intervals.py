"""How sure is a score: confidence intervals, also of the difference between two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from . import decomposition, means, reliability
from ._bootstrap import Bootstrap, Numbers, Totals, apart, observed, side_by_side
from ._predictions import Predictions, check
from ._statistics import (
    CalibrationError,
    Discrimination,
    Mean,
    Miscalibration,
    OverBaseRate,
    SmoothCalibrationError,
    Statistic,
    minus,
    percentiles,
)

Method = Literal["auto", "analytic", "bootstrap"]

#: More replicates than this are a slip of the finger.
MOST_RESAMPLES = 100_000


class Estimate(NamedTuple):
    """A score and its confidence interval."""

    value: float
    low: float
    high: float


def confidence_interval(
    score: Callable[..., float],
    /,
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    method: Method = "auto",
    n_resamples: int = 1000,
    random_state: int = 0,
    **options: Any,
) -> Estimate:
    """A score with its confidence interval.

    Means (log loss, Brier score) have one in closed form; for the other scores of this package, Poisson replicates of the
    rows are summed up in one pass. Any other function of ``(y_true, proba, sample_weight=)``, scikit-learn's included, is
    called once per replicate.

    Parameters
    ----------
    score : callable
        A score of :mod:`boosting_losses.metrics`, or any function of that form.
    y_true, proba, sample_weight, raw
        As ``score`` takes them.
    groups : array-like of shape (n,), optional
        Rows of one group (a customer, a day) are no independent evidence: they are kept together.
    level : float
        Of confidence, in (0, 1).
    method : {"auto", "analytic", "bootstrap"}
        "auto" is analytic for means.
    n_resamples : int
        Replicates.
    random_state : int
        Seed: the same seed gives the same interval.
    **options
        Passed on to ``score``; an option of that name too, as ``d2`` has it.

    Returns
    -------
    Estimate
        ``(value, low, high)``

    Raises
    ------
    TypeError, ValueError
        For data that the score refuses, and for options without meaning.

    Notes
    -----
    Analytic: the normal interval of a weighted mean, with the variance ``n / (n - 1) sum_i w_i**2 (l_i - mean)**2 /
    (sum_i w_i)**2`` over the n rows that have a weight, or the same of sums by group (Cochran 1977, section 6.3).
    Bootstrap: percentiles (Efron 1979) of Poisson replicates; for discrimination and for differences, the basic interval.

    A calibration error is a norm of noisy gaps. It is too large, resampled ones are more so, and for a calibrated model no
    percentile interval ever holds its true error, 0. Here the gaps are scaled instead, ``c gaps`` plus the noise of the
    replicates, and the interval holds every c for which the error observed is no extreme one. ``python -m benchmarks
    coverage`` measures how often these intervals hold the truth.
    """
    _refuse(level, n_resamples, random_state, method)
    every = check(y_true, proba, sample_weight, raw)
    given = options if raw is None else {"raw": raw, **options}

    def with_weight(w: npt.ArrayLike | None) -> float:
        if proba is None:
            return float(score(y_true, sample_weight=w, **given))
        return float(score(y_true, proba, sample_weight=w, **given))

    value = with_weight(sample_weight)
    data, of_group = counted(every, groups)
    statistic = statistic_of(score, data, options)
    if isinstance(statistic, Mean) and method != "bootstrap":
        return analytic(value, statistic.columns(data).values[:, 0], data.weight, of_group, level)
    if method == "analytic":
        raise ValueError(
            f"method must be 'bootstrap' or 'auto' for a score that is no mean, got 'analytic' for {_name(score)}"
        )
    if statistic is None:
        return _by_calls(with_weight, value, every, groups, level, n_resamples, random_state)
    seen, replicates = _resampled([statistic], [data], of_group, n_resamples, random_state)
    return Estimate(value, *statistic.interval(value, seen[0], replicates[0], level))


def paired_difference(
    score: Callable[..., float],
    /,
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike,
    other: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    method: Method = "auto",
    n_resamples: int = 1000,
    random_state: int = 0,
    **options: Any,
) -> Estimate:
    """The score of one model minus that of another on the same rows, with its confidence interval.

    Far narrower than what the two scores' own intervals suggest, since most of their noise is the labels', which they share.

    Parameters
    ----------
    score : callable
        As for :func:`confidence_interval`.
    y_true : array-like
    proba, other : array-like of shape (n,) or (n, K)
        Probabilities of the two models.
    sample_weight, groups, level, method, n_resamples, random_state, **options
        As for :func:`confidence_interval`.

    Returns
    -------
    Estimate
        Of ``score(proba) - score(other)``; for a loss, below 0 where the first model is better.

    Raises
    ------
    TypeError, ValueError
        As :func:`confidence_interval`.
    """
    _refuse(level, n_resamples, random_state, method)
    every = [check(y_true, p, sample_weight) for p in (proba, other)]
    models = [counted(data, groups)[0] for data in every]
    of_group = counted(every[0], groups)[1]
    if models[0].proba.shape != models[1].proba.shape:
        shapes = f"{models[0].proba.shape} and {models[1].proba.shape}"
        raise ValueError(f"proba and other must have one shape, got {shapes}")
    first, second = (float(score(y_true, p, sample_weight=sample_weight, **options)) for p in (proba, other))
    value = first - second
    statistics = [statistic_of(score, data, options) for data in models]
    if isinstance(statistics[0], Mean) and method != "bootstrap":
        losses = [Mean.columns(statistics[0], data).values[:, 0] for data in models]
        return analytic(value, minus(*losses), models[0].weight, of_group, level)
    if method == "analytic":
        raise ValueError(
            f"method must be 'bootstrap' or 'auto' for a score that is no mean, got 'analytic' for {_name(score)}"
        )
    if statistics[0] is None or statistics[1] is None:

        def difference(w: Numbers) -> float:
            here, there = (float(score(y_true, p, sample_weight=w, **options)) for p in (proba, other))
            return here - there

        return _by_calls(difference, value, every[0], groups, level, n_resamples, random_state)
    pair = [statistics[0], statistics[1]]
    seen, replicates = _resampled(pair, models, of_group, n_resamples, random_state)
    now, then = (minus(pair[0].of(first), pair[1].of(second)) for first, second in (seen, replicates))
    return Estimate(value, *shifted(value, now, then, level))


def bootstrap(
    scores: Mapping[str, Callable[..., float]],
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> dict[str, Numbers]:
    """Several scores in the same Poisson replicates of the rows, all from one pass over them.

    Parameters
    ----------
    scores : mapping of str to callable
        Scores of :mod:`boosting_losses.metrics`; options are bound by :func:`functools.partial`.
    y_true, proba, sample_weight, raw, groups, n_resamples, random_state
        As for :func:`confidence_interval`.

    Returns
    -------
    dict of str to ndarray of shape (n_resamples,)
        Each score's values; fewer where replicates have drawn no row. Those of calibration errors are too large: see the
        notes of :func:`confidence_interval`.

    Raises
    ------
    TypeError, ValueError
        For data that the scores refuse, and for functions of which sums over rows do not suffice.
    """
    _refuse(0.5, n_resamples, random_state, "auto")
    data = check(y_true, proba, sample_weight, raw)
    data.refuse()
    data, groups = counted(data, groups)
    statistics = []
    for name, score in scores.items():
        function, options = (score.func, score.keywords) if isinstance(score, partial) else (score, {})
        statistic = statistic_of(function, data, options)
        if statistic is None:
            raise ValueError(
                f"scores must be of boosting_losses.metrics and sums over rows, got {_name(function)} as {name!r}"
            )
        statistics.append(statistic)
    if not statistics:
        return {}
    _, replicates = _resampled(statistics, [data] * len(statistics), groups, n_resamples, random_state)
    return {name: statistic.of(totals) for name, statistic, totals in zip(scores, statistics, replicates, strict=True)}


# ---- parts ----------------------------------------------------------------------------------------------------------


def statistic_of(score: Callable[..., float], data: Predictions, options: dict[str, Any]) -> Statistic | None:
    """The score as a function of sums, where it is one."""
    eps, of = options.get("eps"), options.get("score", "log_loss")
    if score in (means.log_loss, means.brier_score):
        return Mean("log_loss" if score is means.log_loss else "brier", eps)
    if score in (means.normalized_cross_entropy, means.d2):
        explained = score is means.d2
        return OverBaseRate(of, data.classes, explained=explained, binary=data.is_binary, eps=eps)
    if score is reliability.calibration_error and not options.get("debiased"):
        class_wise = options.get("multiclass") == "class_wise" and not data.is_binary
        columns = reliability.each_class(data) if class_wise else [reliability.one_column(data)]
        strategy, bins = options.get("strategy", "uniform"), options.get("n_bins", 15)
        edges = [reliability.bin_edges(rows, strategy, bins) for rows in columns]
        return CalibrationError(edges, options.get("norm", 1), class_wise=class_wise)
    if score is reliability.smooth_calibration_error:
        return SmoothCalibrationError(reliability.smooth_error(reliability.one_column(data))[1])
    if score in (decomposition.miscalibration, decomposition.discrimination) and data.is_binary:
        part = Miscalibration if score is decomposition.miscalibration else Discrimination
        return part(of, data, eps)
    return None


def analytic(
    value: float, losses: Numbers, weight: npt.NDArray[Any] | None, groups: npt.ArrayLike | None, level: float
) -> Estimate:
    """The normal interval of a weighted mean."""
    if not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    w = np.ones(len(losses)) if weight is None else reliability.tamed(np.asarray(weight, dtype=np.float64))
    parts = w * (losses - w @ losses / w.sum())
    if groups is not None:
        parts = np.bincount(np.unique(groups, return_inverse=True)[1], weights=parts)
    n = len(parts)
    half = half_width(float(parts @ parts), float(w.sum()), n, level)
    return Estimate(value, value - half, value + half)


def half_width(sum_of_squares: float, weight: float, n: int, level: float) -> float:
    """Half the normal interval of a mean, from the sum of squares of ``weight * (loss - mean)`` over n rows or groups."""
    if n < 2:
        return float("inf")
    deviation = np.sqrt(n / (n - 1) * sum_of_squares) / weight
    return float(NormalDist().inv_cdf((1.0 + level) / 2.0) * deviation)


def _resampled(
    statistics: list[Statistic],
    models: list[Predictions],
    groups: npt.ArrayLike | None,
    n_resamples: int,
    seed: int,
) -> tuple[list[Totals], list[Totals]]:
    """The totals of each statistic of its own predictions, as they are and in replicates that all of them share."""
    n_values, n_cells = [s.n_values for s in statistics], [s.n_cells for s in statistics]
    columns = side_by_side([s.columns(data) for s, data in zip(statistics, models, strict=True)], n_cells)
    weight = weights(models[0])
    seen = apart(observed(weight, columns, sum(n_cells)), n_values, n_cells)
    bootstrap = Bootstrap(sum(n_values), sum(n_cells), n_resamples, seed)
    if groups is None:
        bootstrap.add(weight, columns)
    else:
        codes = group_codes(groups, len(weight))
        order = np.argsort(codes, kind="stable")
        follows = np.concatenate([[False], np.diff(codes[order]) == 0])
        bootstrap.add(weight[order], columns.take(order), follows)
    return seen, apart(bootstrap.totals(), n_values, n_cells)


def counted(data: Predictions, groups: npt.ArrayLike | None) -> tuple[Predictions, npt.ArrayLike | None]:
    """The rows that have a weight, and their groups: the others count nowhere, whatever they lose."""
    codes = None if groups is None else group_codes(groups, len(data.y))
    if data.weight is None or data.weight.all() or not data.weight.any():
        return data, codes
    some = data.weight != 0.0
    codes = None if codes is None else codes[some]
    raw = None if data.raw is None else data.raw[some]
    return Predictions(data.y[some], data.proba[some], data.weight[some], raw), codes


def weights(data: Predictions) -> Numbers:
    """The weights of the rows as doubles."""
    if data.weight is None:
        return np.ones(len(data.y))
    return reliability.tamed(np.ascontiguousarray(data.weight, dtype=np.float64))


def shifted(value: float, now: Numbers, replicates: Numbers, level: float) -> tuple[float, float]:
    """What the replicates differ from the data by, taken off the value (the basic interval)."""
    low, high = percentiles(minus(replicates, now), level)
    return value - high, value - low


def _by_calls(
    score: Callable[[Numbers], float],
    value: float,
    data: Predictions,
    groups: npt.ArrayLike | None,
    level: float,
    n_resamples: int,
    seed: int,
) -> Estimate:
    """Percentiles of a function that has to be called for each replicate."""
    rng = np.random.default_rng(seed)
    weight = weights(data)
    codes = None if groups is None else group_codes(groups, len(weight))
    drawn = len(weight) if codes is None else int(codes.max()) + 1
    values = []
    for _ in range(n_resamples):
        counts = rng.poisson(1.0, drawn)
        resampled = weight * (counts if codes is None else counts[codes])
        if resampled.any():
            values.append(score(resampled))
    return Estimate(value, *percentiles(np.array(values), level))


def group_codes(groups: npt.ArrayLike, n: int) -> npt.NDArray[np.intp]:
    """Groups as integers from 0 on, one for each of n rows."""
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), one group per label, got {labels.shape}")
    if labels.dtype.kind in "fO":
        row = next((i for i, label in enumerate(labels.tolist()) if is_missing(label)), None)
        if row is not None:
            raise ValueError(f"groups must have no missing values, got {labels.tolist()[row]!r} in row {row}")
    try:
        codes: npt.NDArray[np.intp] = np.unique(labels, return_inverse=True)[1]
    except TypeError:
        raise TypeError("groups must be all of one kind, such as texts or numbers, got a mixture") from None
    if len(codes) and codes.max() < 1:
        raise ValueError(f"groups must name at least 2 groups, got only {labels.tolist()[0]!r}")
    return codes


def is_missing(value: object) -> bool:
    """None, NaN, and what a data frame has in their place."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:
        return True


def _refuse(level: float, n_resamples: int, random_state: int, method: str) -> None:
    if method not in ("auto", "analytic", "bootstrap"):
        raise ValueError(f"method must be 'auto', 'analytic' or 'bootstrap', got {method!r}")
    refuse_odd_resampling(level, n_resamples, random_state)


def refuse_odd_resampling(level: float, n_resamples: int, random_state: int) -> None:
    """Raise ValueError for settings of intervals that have no meaning."""
    if isinstance(level, bool) or not isinstance(level, (float, np.floating)) or not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")
    for name, number, least, most in (
        ("n_resamples", n_resamples, 2, MOST_RESAMPLES),
        ("random_state", random_state, 0, 2**64),
    ):
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if not whole or not least <= number <= most:
            raise ValueError(f"{name} must be an integer from {least} to {most}, got {number!r}")


def _name(score: Callable[..., float]) -> str:
    return getattr(score, "__name__", repr(score))
