"""Calibrators against those of scikit-learn on the same scores: fit time in seconds, and log loss after calibration."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import _SigmoidCalibration

from boosting_losses import LogLoss, SoftmaxCrossEntropy, metrics
from boosting_losses._types import Array
from boosting_losses.calibration import PlattScaling, TemperatureScaling

from .measure import Bar, Budget, Row, chosen, interleave, one_thread, speed_up_row
from .screen import progress

try:
    from sklearn.calibration import _TemperatureScaling
except ImportError:  # scikit-learn before 1.8
    _TemperatureScaling = None

Data = tuple[Array, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class _Case:
    """A calibrator of this package and its counterpart in scikit-learn."""

    name: str
    data: Callable[[], Data]
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    bar: Bar


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the rows whose names match ``--only``, on one thread."""
    rows, budget = [], Budget.of(arguments)
    with one_thread():
        for case in progress(chosen(_cases(), lambda case: case.name, arguments.only), "calibration"):
            raw, y = case.data()
            columns = raw.reshape(len(raw), -1)
            ours, theirs = partial(_fitted, case.ours, raw, y), partial(_fitted, case.reference, columns, y)
            timings = interleave(ours, theirs, budget)
            rows.append(speed_up_row(f"{case.name}: fit / scikit-learn", timings, raw.size, "Mcell/s", case.bar))
            above = metrics.log_loss(y, ours().predict_proba(raw)) - metrics.log_loss(y, theirs().predict(columns))
            name, bar = f"{case.name}: log loss", Bar(1e-6, at_least=False)
            rows.append(Row(name, "above scikit-learn's", above, bar=bar, higher_is_better=False))
    return rows


def _cases() -> Iterator[_Case]:
    sizes = {n: partial(_binary, n) for n in (100_000, 1_000_000)}
    for n, data in sizes.items():
        yield _Case(f"Platt, n = {n:,}", data, PlattScaling, _SigmoidCalibration, Bar(30.0))
    if _TemperatureScaling is None:
        return
    for n, data in sizes.items():
        yield _Case(f"temperature, n = {n:,}", data, TemperatureScaling, _TemperatureScaling, Bar(10.0))
    data = partial(_multiclass, 100_000, 10)
    yield _Case("temperature, n = 100,000, K = 10", data, TemperatureScaling, _TemperatureScaling, Bar(10.0))


def _fitted(calibrator: Callable[[], Any], raw: Array, y: npt.NDArray[np.int64]) -> Any:
    return calibrator().fit(raw, y)


def _binary(n: int) -> Data:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal(n)
    return raw, (random.random(n) < LogLoss().activation(0.6 * raw - 0.3)).astype(np.int64)


def _multiclass(n: int, classes: int) -> Data:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal((n, classes))
    shares = SoftmaxCrossEntropy().activation(0.6 * raw).cumsum(axis=1)
    return raw, (shares < random.random((n, 1))).sum(axis=1).clip(max=classes - 1)
