"""Confidence intervals of scores, and of the difference between two models on the same rows."""

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

#: A larger number of replicates is probably a typing error, so it is refused.
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

    The interval of a mean (log loss, Brier score) is computed in closed form. The other scores of this package are
    computed from Poisson replicates, whose sums take one pass over the rows. Any other function of
    ``(y_true, proba, sample_weight=)``, such as a score of scikit-learn, is called once per replicate.

    Parameters
    ----------
    score : callable
        A score of :mod:`boosting_losses.metrics`, or any function with the same signature.
    y_true, proba, sample_weight, raw
        The data, in the form that ``score`` accepts.
    groups : array-like of shape (n,), optional
        The group of each row, such as a customer or a day. Rows of one group are not independent, so they are resampled
        together.
    level : float
        The confidence level, in (0, 1).
    method : {"auto", "analytic", "bootstrap"}
        "auto" selects "analytic" for means and "bootstrap" for other scores.
    n_resamples : int
        The number of replicates.
    random_state : int
        The seed; the same seed gives the same interval.
    **options
        Options passed to ``score``. One of them may be named ``score``, as for ``d2``.

    Returns
    -------
    Estimate
        ``(value, low, high)``

    Raises
    ------
    TypeError, ValueError
        If the score rejects the data, or an option is invalid.

    Notes
    -----
    Analytic intervals: the variance of the weighted mean is
    ``n / (n - 1) sum_i w_i**2 (l_i - mean)**2 / (sum_i w_i)**2`` over the n rows with nonzero weight, or the same
    formula with sums by group (Cochran 1977, section 6.3). Student's ratio is transformed to correct for the skewness
    that rare, large losses cause (Hall 1992). If a label does not occur, its probability may be as large as the
    Clopper-Pearson limit. Bootstrap intervals: percentiles of Poisson replicates (Efron 1979), with a level that
    Student's quantile for the number of rare events widens (Hesterberg 2015). All intervals are clipped to the range of
    the score.

    With few events, the observed variance is too small if, by chance, no event was improbable. For the area under the
    ROC curve, average precision and differences of means, labels are therefore redrawn with the frequencies estimated
    by beta calibration; the resulting variance is used if it is larger than the observed one.

    Noise inflates calibration errors, miscalibration and discrimination, and resampling inflates them further: for a
    calibrated model, a percentile interval never contains the true error, 0. The ``value`` of these scores is therefore
    corrected: it estimates the score for infinitely many rows and differs from the score of the data. For calibration
    errors, the gaps between predicted and observed frequencies are multiplied by a factor c, and the noise of the
    replicates is added. The interval contains the errors of all c for which the observed error is not extreme, and the
    value is the error of the c for which the observed error is the median. For miscalibration and discrimination of two
    classes, labels are simulated with the recalibrated frequencies, for which the true score is known. The difference
    between two such scores is computed from the corrected values. Its confidence interval is derived from the
    intervals of the two scores (Zou and Donner 2008). ``python -m benchmarks coverage`` measures the coverage of these
    intervals.
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
    """Return the score of one model minus the score of another on the same rows, with its confidence interval.

    The interval is much narrower than the intervals of the two scores suggest: both models share the labels, which
    cause most of the noise.

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
        ``score(proba) - score(other)`` with its interval; for a loss, a negative value means that the first model is
        better.

    Raises
    ------
    TypeError, ValueError
        As for :func:`confidence_interval`.
    """
    _refuse(level, n_resamples, random_state, method)
    every = [check(y_true, p, sample_weight) for p in (proba, other)]
    models = [counted(data, groups)[0] for data in every]
    of_group = counted(every[0], groups)[1]
    if models[0].proba.shape != models[1].proba.shape:
        shapes = f"{models[0].proba.shape} and {models[1].proba.shape}"
        raise ValueError(f"proba and other must have the same shape, got {shapes}")
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
    """Compute several scores in the same Poisson replicates of the rows, in one pass over the rows.

    Parameters
    ----------
    scores : mapping of str to callable
        Scores of :mod:`boosting_losses.metrics`; bind options with :func:`functools.partial`.
    y_true, proba, sample_weight, raw, groups, n_resamples, random_state
        As for :func:`confidence_interval`.

    Returns
    -------
    dict of str to ndarray of shape (n_resamples,)
        The values of each score. Replicates that drew no rows are omitted. Values of calibration errors are inflated by
        noise; see the notes of :func:`confidence_interval`.

    Raises
    ------
    TypeError, ValueError
        If a score rejects the data or cannot be computed from sums over rows.
    """
    _refuse(0.5, n_resamples, random_state, "auto")
    data, groups = counted(check(y_true, proba, sample_weight, raw).tried(), groups)
    statistics = []
    for name, score in scores.items():
        function, options = (score.func, score.keywords) if isinstance(score, partial) else (score, {})
        statistic = _statistic_of(function, Sample(data, options.get("eps")), options)
        if statistic is None:
            raise ValueError(
                f"scores must be from boosting_losses.metrics and computable from sums, got {_name(function)} as {name!r}"
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
    """Return the losses whose mean is the score, or None for a bootstrap; raise ValueError if 'analytic' is impossible."""
    known = score_of(score)
    mean_of = None if known is None else known.computation.mean_of
    if mean_of is None and method == "analytic":
        raise ValueError(
            f"method must be 'bootstrap' or 'auto' for a score that is not a mean, got 'analytic' for {_name(score)}"
        )
    return None if mean_of is None or method == "bootstrap" else Losses(mean_of, 0, options.get("eps"))


def _resampled(
    statistics: Sequence[Statistic],
    models: Sequence[Predictions],
    groups: npt.ArrayLike | None,
    n_resamples: int,
    seed: int,
) -> tuple[tuple[list[Totals], list[Totals]], tuple[Totals, Totals]]:
    """Return the totals of each statistic for the rows and for shared replicates, and the totals of the labels."""
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
    """Return the percentile interval of a function that is called once per replicate."""
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
    """Raise ValueError for invalid interval settings."""
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
