"""Training runs with a loss of this package and with the equivalent builtin loss: same data, settings and intercept.

Sketched trees are compared with XGBoost's trees with vector leaves: no builtin strategy makes the same trees. The data are
binned beforehand if the library can store the bins; no metric is evaluated during training.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from boosting_losses import LogLoss, SoftmaxCrossEntropy
from boosting_losses.losses import Loss

from .measure import Bar, Pair, Row, Timings, median_and_interval


@dataclass(frozen=True)
class Case:
    """A training run; ``classes`` is 2 for a binary loss, and ``sketch`` means sketched trees of XGBoost."""

    library: str
    rows: int
    features: int
    classes: int
    rounds: int
    sketch: bool = False

    @property
    def name(self) -> str:
        """The library, the size of the data and the number of classes, as text."""
        kind = "binary" if self.classes == 2 else f"K={self.classes}"
        return f"{self.library} {self.rows:,} x {self.features}, {kind}{', sketch' if self.sketch else ''}"

    @property
    def loss(self) -> Loss:
        """The unweighted log loss."""
        return LogLoss() if self.classes == 2 else SoftmaxCrossEntropy()

    @property
    def gradient_bytes(self) -> int:
        """The size in bytes of one gradient array, in the dtype of the library's raw scores."""
        return self.rows * (self.classes if self.classes > 2 else 1) * (4 if self.library == "XGBoost" else 8)


def cases() -> list[Case]:
    """Return all cases, with enough rounds to time a run."""
    found = []
    for library in ("XGBoost", "LightGBM"):
        for rows, rounds in ((1_000_000, {2: 10, 3: 5, 10: 2, 100: 1}), (100_000, {2: 50, 3: 25, 10: 10, 100: 2})):
            found += [Case(library, rows, 20, classes, count) for classes, count in rounds.items()]
    found.append(Case("XGBoost", 100_000, 20, 100, 2, sketch=True))
    found.append(Case("CatBoost", 100_000, 10, 2, 50))
    found += [Case("CatBoost", 20_000, 10, classes, count) for classes, count in {5: 10, 10: 5, 50: 2}.items()]
    return found


def pair(case: Case, threads: int) -> Pair:
    """Return two training functions: one with the loss of this package, one with the builtin loss."""
    make: Callable[..., Pair] = {"XGBoost": _xgboost, "LightGBM": _lightgbm, "CatBoost": _catboost}[case.library]
    return make(importlib.import_module(f"boosting_losses.adapters.{case.library.lower()}"), case, threads)


def _xgboost(adapter: Any, case: Case, threads: int) -> Pair:
    import xgboost as xgb  # noqa: PLC0415

    X, y = rows_of(case)
    data = xgb.QuantileDMatrix(X, y, nthread=threads)
    settings = {"max_depth": 6, "eta": 0.1, "tree_method": "hist", "nthread": threads}
    builtin = {**settings, **adapter.params(case.loss, y)}  # same link, classes and intercept, builtin objective
    if case.sketch:
        builtin["multi_strategy"] = "multi_output_tree"
    return (
        partial(
            adapter.train,
            settings,
            data,
            case.rounds,
            loss=case.loss,
            sketch=adapter.Sketch() if case.sketch else None,
        ),
        partial(xgb.train, builtin, data, case.rounds),
    )


def _lightgbm(adapter: Any, case: Case, threads: int) -> Pair:
    import lightgbm as lgb  # noqa: PLC0415

    X, y = rows_of(case)
    # Without force_col_wise, each run first times both layouts, and runs may choose different ones.
    settings = {"num_leaves": 31, "learning_rate": 0.1, "num_threads": threads, "force_col_wise": True, "verbosity": -1}
    data = lgb.Dataset(X, y, params=settings).construct()
    objective: dict[str, Any] = {"objective": "binary", "metric": "None"}
    if case.classes > 2:
        objective = {"objective": "multiclass", "metric": "None", "num_class": case.classes}
    return (
        partial(adapter.train, settings, data, case.rounds, loss=case.loss),
        partial(lgb.train, {**settings, **objective}, data, case.rounds),
    )


def _catboost(adapter: Any, case: Case, threads: int) -> Pair:
    import catboost as cb  # noqa: PLC0415

    pool = cb.Pool(*rows_of(case))
    # The defaults differ for a builtin loss; these settings give the same trees. Both evaluate only after the last round.
    settings = {
        "iterations": case.rounds,
        "metric_period": case.rounds,
        "learning_rate": 0.1,
        "depth": 6,
        "boosting_type": "Plain",
        "bootstrap_type": "No",
        "leaf_estimation_method": "Newton",
        "leaf_estimation_iterations": 1,
        "leaf_estimation_backtracking": "No",
        "boost_from_average": False,
        "thread_count": threads,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    builtin = {**settings, "loss_function": "Logloss" if case.classes == 2 else "MultiClass"}
    if case.classes > 2:
        del builtin["boost_from_average"]  # does not apply to MultiClass
    return partial(adapter.train, pool, settings, loss=case.loss), partial(cb.train, pool, builtin)


def ratio_row(name: str, case: Case, timings: Timings, bar: Bar | None = None) -> Row:
    """Return the time of this package / the time of the builtin loss, with its interval."""
    middle, low, high = median_and_interval([1.0 / speed_up for speed_up in timings.speed_ups()])
    return Row(
        name,
        "time, ours / builtin",
        middle,
        low,
        high,
        timings.median_ours,
        timings.median_reference,
        case.rows * case.rounds / timings.median_ours / 1e6,
        "Mrow/s a round",
        bar=bar,
        higher_is_better=False,
    )


def rows_of(case: Case) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw features and labels; the classes are intervals of a noisy linear score."""
    random = np.random.default_rng(0)
    X = random.standard_normal((case.rows, case.features), dtype=np.float32)
    score = X @ random.standard_normal(case.features, dtype=np.float32) / np.float32(case.features**0.5)
    score += random.logistic(0.0, 0.5, case.rows).astype(np.float32)
    y = np.floor(case.classes / (1.0 + np.exp(-score)))
    y[: case.classes] = np.arange(case.classes)  # the smallest data, too, contain every class
    return X, np.minimum(y, case.classes - 1).astype(np.float32)
