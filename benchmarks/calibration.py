"""Fits of calibrators against scikit-learn's, on the same scores: seconds, and what log loss they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track
from sklearn.calibration import _SigmoidCalibration
from threadpoolctl import threadpool_limits

from boosting_losses import LogLoss, SoftmaxCrossEntropy
from boosting_losses.calibration import PlattScaling, TemperatureScaling

from .measure import Bar, Budget, Row, chosen, interleave, speed_up_row
from .report import console

try:
    from sklearn.calibration import _TemperatureScaling
except ImportError:  # before 1.8
    _TemperatureScaling = None

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class _Case:
    """A calibrator of ours and the one of scikit-learn, each fitted by a function that returns probabilities."""

    name: str
    data: Callable[[], tuple[Array, npt.NDArray[np.int64]]]
    ours: Callable[[Array, npt.NDArray[np.int64]], Any]
    reference: Callable[[Array, npt.NDArray[np.int64]], Any]
    cells: int
    bar: Bar

    def log_losses(self, raw: Array, y: npt.NDArray[np.int64]) -> tuple[float, float]:
        """What both leave on the rows that they were fitted to."""
        ours = self.ours(raw, y).predict_proba(raw)
        theirs = self.reference(raw, y).predict(raw)
        return _log_loss(y, ours), _log_loss(y, theirs)


def run(budget: Budget, only: str | None) -> list[Row]:
    """Measure the rows whose names match, on one thread."""
    rows = []
    with threadpool_limits(1):
        cases = chosen(_cases(), lambda case: case.name, only)
        for case in track(cases, "calibration", console=console(), transient=True):
            raw, y = case.data()
            timings = interleave(partial(case.ours, raw, y), partial(case.reference, raw, y), budget)
            rows.append(speed_up_row(f"{case.name}: fit / scikit-learn", timings, case.cells, "Mcell/s", case.bar))
            ours, theirs = case.log_losses(raw, y)
            bar = Bar(1e-6, at_least=False)
            rows.append(
                Row(f"{case.name}: log loss", "above scikit-learn's", ours - theirs, bar=bar, higher_is_better=False)
            )
    return rows


def _cases() -> Iterator[_Case]:
    for n in (100_000, 1_000_000):
        yield _Case(f"Platt, n = {n:,}", partial(_binary, n), _platt, _sklearn_platt, n, Bar(30.0))
    if _TemperatureScaling is None:
        return
    for n in (100_000, 1_000_000):
        data = partial(_binary, n)
        yield _Case(f"temperature, n = {n:,}", data, _temperature, _sklearn_temperature, n, Bar(10.0))
    data = partial(_multiclass, 100_000, 10)
    yield _Case("temperature, n = 100,000, K = 10", data, _temperature, _sklearn_temperature, 1_000_000, Bar(10.0))


def _platt(raw: Array, y: npt.NDArray[np.int64]) -> PlattScaling:
    return PlattScaling().fit(raw, y)


def _sklearn_platt(raw: Array, y: npt.NDArray[np.int64]) -> Any:
    return _SigmoidCalibration().fit(raw, y)


def _temperature(raw: Array, y: npt.NDArray[np.int64]) -> TemperatureScaling:
    return TemperatureScaling().fit(raw, y)


def _sklearn_temperature(raw: Array, y: npt.NDArray[np.int64]) -> Any:
    return _TemperatureScaling().fit(raw.reshape(len(raw), -1), y)


def _log_loss(y: npt.NDArray[np.int64], proba: Array) -> float:
    if proba.ndim == 1:
        proba = np.column_stack([1.0 - proba, proba])
    return float(-np.log(np.take_along_axis(proba, y[:, None], axis=1)).mean())


def _binary(n: int) -> tuple[Array, npt.NDArray[np.int64]]:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal(n)
    return raw, (random.random(n) < LogLoss().activation(0.6 * raw - 0.3)).astype(np.int64)


def _multiclass(n: int, classes: int) -> tuple[Array, npt.NDArray[np.int64]]:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal((n, classes))
    shares = SoftmaxCrossEntropy().activation(0.6 * raw).cumsum(axis=1)
    return raw, (shares < random.random((n, 1))).sum(axis=1).clip(max=classes - 1)
