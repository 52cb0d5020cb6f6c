"""Confidence intervals of scores, also of the difference between two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ._groups import counted, group_codes
from ._predictions import Numbers, Predictions, check, weights
from ._scores import score_of
from ._statistics import closed_form
from ._statistics.base import Estimate, Sampled, Source, Statistic, percentiles, refuse_other_level
from ._statistics.bootstrap import Replicates, Totals
from ._statistics.differences import difference_of
from ._statistics.means import Labels, Losses, events
from ._statistics.sample import Sample

Method = Literal["auto", "analytic", "bootstrap"]

#: More replicates than this are a slip of the finger.
MOST_RESAMPLES = 100_000


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
    """Return a score with its confidence interval.

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
        The confidence level, in (0, 1).
    method : {"auto", "analytic", "bootstrap"}
        "auto" is analytic for means.
    n_resamples : int
        The number of replicates.
    random_state : int
        The seed: the same seed gives the same interval.
    **options
        Passed on to ``score``, including an option with the name ``score``, which ``d2`` has.

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
    Analytic: a weighted mean, with the variance ``n / (n - 1) sum_i w_i**2 (l_i - mean)**2 / (sum_i w_i)**2`` over the n
    rows that have a weight, or the same of sums by group (Cochran 1977, section 6.3), and Student's ratio transformed for
    the skewness of rare, large losses (Hall 1992). Where a label was not seen, its probability may be what Clopper and
    Pearson's interval leaves it. Bootstrap: percentiles of Poisson replicates (Efron 1979), read with Student's quantile
    for the number of rare events (Hesterberg 2015). No interval leaves the range of its score.

    Few events show too little spread where, by chance, none of them was improbable. So areas under the ROC curve, average
    precision and differences of means have the spread of labels drawn anew, with frequencies that beta calibration gives,
    wherever it is larger than the spread seen.

    Noise makes errors of calibration, miscalibration and discrimination larger than they are, resampled ones even more so,
    and for a calibrated model no percentile interval ever holds its true error, 0. Of these scores ``value`` is corrected:
    it is not the score of the data but the estimate of what it would be with endless data. For errors of calibration the
    gaps are scaled, ``c gaps`` plus the noise of the replicates; the interval holds every c for which the error observed is
    no extreme one, and the value belongs to the c for which it is the median one. For miscalibration and discrimination
    labels are drawn from the recalibrated frequencies, where the truth is known. Differences of such scores are between
    corrected values, with an interval made of those of both (Zou and Donner 2008). ``python -m benchmarks coverage``
    measures how often these intervals hold the truth.
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
    mean = _mean_of(score, options, method)
    if mean is not None:
        return closed_form.of_losses(value, data, mean, of_group, level)
    statistic = _statistic_of(score, Sample(data, options.get("eps")), options)
    if statistic is None:
        return _by_calls(with_weight, value, every, groups, level, n_resamples, random_state)
    (seen, then), labels = _resampled([statistic], [data], of_group, n_resamples, random_state)
    return Sampled(statistic, value, seen[0], then[0], level, events(labels)).estimate


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
    """Return the score of one model minus that of another on the same rows, with its confidence interval.

    The interval is far narrower than those of the two scores suggest: both share the labels, from which most noise comes.

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
        ``score(proba) - score(other)`` with its interval; for a loss, below 0 where the first model is better.

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
    values = [float(score(y_true, p, sample_weight=sample_weight, **options)) for p in (proba, other)]
    mean = _mean_of(score, options, method)
    if mean is not None:
        return closed_form.of_difference(values[0] - values[1], models[0], models[1], mean, of_group, level)
    first, second = (_statistic_of(score, Sample(data, options.get("eps")), options) for data in models)
    if first is None or second is None:

        def difference(w: Numbers) -> float:
            here, there = (float(score(y_true, p, sample_weight=w, **options)) for p in (proba, other))
            return here - there

        return _by_calls(difference, values[0] - values[1], every[0], groups, level, n_resamples, random_state)
    (seen, then), labels = _resampled([first, second], models, of_group, n_resamples, random_state)
    here, there = (
        Sampled(statistic, value, own, replicates, level, events(labels))
        for statistic, value, own, replicates in zip((first, second), values, seen, then, strict=True)
    )
    return difference_of(here, there)


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
    """Return several scores in the same Poisson replicates of the rows, from one pass over them.

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
    data, groups = counted(check(y_true, proba, sample_weight, raw).tried(), groups)
    statistics = []
    for name, score in scores.items():
        function, options = (score.func, score.keywords) if isinstance(score, partial) else (score, {})
        statistic = _statistic_of(function, Sample(data, options.get("eps")), options)
        if statistic is None:
            raise ValueError(
                f"scores must be of boosting_losses.metrics and sums over rows, got {_name(function)} as {name!r}"
            )
        statistics.append(statistic)
    if not statistics:
        return {}
    (_, then), _ = _resampled(statistics, [data] * len(statistics), groups, n_resamples, random_state)
    return {name: statistic.of(totals) for name, statistic, totals in zip(scores, statistics, then, strict=True)}


# ---- parts ----------------------------------------------------------------------------------------------------------


def _statistic_of(score: Callable[..., float], sample: Sample, options: Mapping[str, Any]) -> Statistic | None:
    known = score_of(score)
    return None if known is None else known.statistic(sample, options)


def _mean_of(score: Callable[..., float], options: Mapping[str, Any], method: Method) -> Losses | None:
    """Return what a score is the mean of, where its interval is analytic; raises ValueError where it must be and is not."""
    known = score_of(score)
    mean_of = None if known is None else known.computation.mean_of
    if mean_of is None and method == "analytic":
        raise ValueError(
            f"method must be 'bootstrap' or 'auto' for a score that is no mean, got 'analytic' for {_name(score)}"
        )
    return None if mean_of is None or method == "bootstrap" else Losses(mean_of, 0, options.get("eps"))


def _resampled(
    statistics: Sequence[Statistic],
    models: Sequence[Predictions],
    groups: npt.ArrayLike | None,
    n_resamples: int,
    seed: int,
) -> tuple[tuple[list[Totals], list[Totals]], tuple[Totals, Totals]]:
    """Return the totals of each statistic, of the rows and of replicates that all share, and those of the labels."""
    sources: list[Source] = [*(statistic.source for statistic in statistics), Labels()]
    replicates = Replicates(sources, n_resamples, seed)
    weight = weights(models[0])
    parts = [source.columns(rows) for source, rows in zip(sources, [*models, models[0]], strict=True)]
    if groups is None:
        replicates.add(parts, weight)
    else:
        codes = group_codes(groups, len(weight))
        order = np.argsort(codes, kind="stable")
        follows = np.concatenate([[False], np.diff(codes[order]) == 0])
        replicates.add([part.take(order) for part in parts], weight[order], follows)
    totals = replicates.totals()
    seen, then = ([pair[k] for pair in totals[:-1]] for k in (0, 1))
    return (seen, then), totals[-1]


def _by_calls(
    score: Callable[[Numbers], float],
    value: float,
    data: Predictions,
    groups: npt.ArrayLike | None,
    level: float,
    n_resamples: int,
    seed: int,
) -> Estimate:
    """Return percentiles of a function that is called for each replicate."""
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


def _refuse(level: float, n_resamples: int, random_state: int, method: str) -> None:
    if method not in ("auto", "analytic", "bootstrap"):
        raise ValueError(f"method must be 'auto', 'analytic' or 'bootstrap', got {method!r}")
    refuse_odd_resampling(level, n_resamples, random_state)


def refuse_odd_resampling(level: float, n_resamples: int, random_state: int) -> None:
    """Raise ValueError for settings of intervals that have no meaning."""
    refuse_other_level(level)
    for name, number, least, most in (
        ("n_resamples", n_resamples, 2, MOST_RESAMPLES),
        ("random_state", random_state, 0, 2**64),
    ):
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if not whole or not least <= number <= most:
            raise ValueError(f"{name} must be an integer from {least} to {most}, got {number!r}")


def _name(score: Callable[..., float]) -> str:
    return getattr(score, "__name__", repr(score))
