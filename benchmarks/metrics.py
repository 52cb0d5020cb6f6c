"""Scores of probabilities against what a user would otherwise call, on the same arrays; one thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from rich.progress import track
from threadpoolctl import threadpool_limits

from boosting_losses import metrics

from .measure import Bar, Budget, Row, chosen, interleave, speed_up_row
from .report import console

Array = npt.NDArray[np.floating]
Data = tuple[npt.NDArray[np.int64], Array]

#: Replicates of the bootstrap: its time is proportional to them, on both sides.
REPLICATES = 128


@dataclass(frozen=True)
class _Case:
    name: str
    data: Callable[[], Data]
    ours: Callable[[npt.NDArray[np.int64], Array], Any]
    reference: Callable[[npt.NDArray[np.int64], Array], Any]
    bar: Bar


def run(budget: Budget, only: str | None, rows: int) -> list[Row]:
    """Measure the rows whose names match, on one thread."""
    table = []
    with threadpool_limits(1):
        cases = chosen(_cases(rows), lambda case: case.name, only)
        for case in track(cases, "metrics", console=console(), transient=True):
            y, p = case.data()
            timings = interleave(
                lambda c=case, a=y, b=p: c.ours(a, b), lambda c=case, a=y, b=p: c.reference(a, b), budget
            )
            table.append(speed_up_row(case.name, timings, p.size, "Mcell/s", case.bar))
    return table


def _cases(n: int) -> Iterator[_Case]:
    yield _Case("log loss / scikit-learn", lambda: _binary(n), metrics.log_loss, sklearn.metrics.log_loss, Bar(30.0))
    brier = sklearn.metrics.brier_score_loss
    yield _Case("Brier score / scikit-learn", lambda: _binary(n), metrics.brier_score, brier, Bar(30.0))
    name = "log loss, K = 10 / scikit-learn"
    yield _Case(name, lambda: _multiclass(n, 10), metrics.log_loss, sklearn.metrics.log_loss, Bar(30.0))
    if hasattr(sklearn.metrics, "d2_brier_score"):  # 1.8, whose Brier score knows many classes
        name = "Brier score, K = 10 / scikit-learn"
        yield _Case(name, lambda: _multiclass(n, 10), metrics.brier_score, _brier_of_many, Bar(30.0))
    yield _Case(
        f"{REPLICATES} replicates of log loss, Brier, ECE / NumPy",
        lambda: _binary(n),
        _replicates,
        _numpy_replicates,
        Bar(10.0),
    )
    mapie = _mapie()
    if mapie is not None:
        yield _Case("ECE, 15 bins / MAPIE", lambda: _binary(n), metrics.calibration_error, mapie, Bar(10.0))
    diagnostics = _model_diagnostics()
    if diagnostics is not None:
        name = "decomposition of the log loss / model-diagnostics"
        yield _Case(name, lambda: _binary(n), metrics.decompose, diagnostics, Bar(1.0))
    relplot = _relplot()
    if relplot is not None:
        name = "smooth calibration error / relplot"
        yield _Case(name, lambda: _binary(n), metrics.smooth_calibration_error, relplot, Bar(1.0))


def _replicates(y: npt.NDArray[np.int64], p: Array) -> Any:
    scores = {"log_loss": metrics.log_loss, "brier": metrics.brier_score, "ece": metrics.calibration_error}
    return metrics.bootstrap(scores, y, p, n_resamples=REPLICATES)


def _numpy_replicates(y: npt.NDArray[np.int64], p: Array) -> Any:
    """What one would write: per-row scores once, then weights drawn for each replicate."""
    random = np.random.default_rng(0)
    losses = -np.log(np.where(y == 1, p, 1.0 - p))
    squares = (y - p) ** 2
    gaps = p - y
    bins = np.minimum((p * 15).astype(np.int64), 14)
    values = []
    for _ in range(REPLICATES):
        count = random.poisson(1.0, len(y))
        total = count.sum()
        error = np.abs(np.bincount(bins, weights=count * gaps, minlength=15)).sum() / total
        values.append((count @ losses / total, count @ squares / total, error))
    return np.array(values)


def _brier_of_many(y: npt.NDArray[np.int64], p: Array) -> Any:
    return sklearn.metrics.brier_score_loss(y, p, labels=np.arange(p.shape[1]))


def _mapie() -> Callable[..., Any] | None:
    try:
        from mapie.metrics.calibration import expected_calibration_error  # noqa: PLC0415
    except ImportError:
        return None
    return lambda y, p: expected_calibration_error(y, p, num_bins=15)


def _model_diagnostics() -> Callable[..., Any] | None:
    try:
        from model_diagnostics.scoring import LogLoss, decompose  # noqa: PLC0415
    except ImportError:
        return None
    return lambda y, p: decompose(y_obs=y, y_pred=p, scoring_function=LogLoss())


def _relplot() -> Callable[..., Any] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import relplot  # noqa: PLC0415
    except ImportError:
        return None
    return lambda y, p: relplot.smECE(p, y)


def _binary(n: int) -> Data:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal(n) - 1.0
    p = 1.0 / (1.0 + np.exp(-raw))
    return (random.random(n) < p).astype(np.int64), p


def _multiclass(n: int, classes: int) -> Data:
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(classes), n)
    return (p.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(max=classes - 1), p
