"""Held-out log loss of ``CalibratedBoostingClassifier`` against scikit-learn's ``CalibratedClassifierCV``.

Both wrap the same estimator, are fitted on the same half of the data and scored on the other. scikit-learn's method is
chosen by cross-validation within the training half, ours by its own ``calibration="auto"``. What is compared is the
relative difference of log losses, pair by pair; negative is better for us.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.progress import track
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, train_test_split

from boosting_losses import CalibratedBoostingClassifier, LogLoss, SoftmaxCrossEntropy

from .data_sets import DataSet, Maker, made, real
from .measure import Bar, Row, chosen
from .report import console

#: Fixed before any comparison was made: what log loss may be worse by, in per cent.
MARGIN = 0.5
_STUDENT_OF_MANY = 1.96
_METHODS = ("sigmoid", "isotonic", "temperature")


@dataclass
class _Results:
    """Per cent that ours is above the reference, of every set and seed; and absolute errors where they are known."""

    differences: dict[str, list[float]] = field(default_factory=dict)
    ours: dict[str, list[float]] = field(default_factory=dict)
    reference: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, ours: float, reference: float) -> None:
        self.differences.setdefault(name, []).append(100.0 * (ours / reference - 1.0))
        self.ours.setdefault(name, []).append(ours)
        self.reference.setdefault(name, []).append(reference)


def run(seeds: int, only: str | None, rounds: int, sets: Mapping[str, Maker] | None = None) -> list[Row]:
    """Compare on all sets and seeds; ``only`` chooses libraries and comparisons by their names."""
    warnings.filterwarnings("ignore", message="The least populated class")
    makers = {**real(), **made(), **(sets or {})}
    comparisons = chosen(_comparisons(rounds), lambda comparison: comparison.name, only)
    rows = []
    for comparison in comparisons:
        losses, errors = _Results(), _Results()
        pairs = [(name, maker, seed) for name, maker in makers.items() for seed in range(seeds)]
        for name, maker, seed in track(pairs, comparison.name, console=console(), transient=True):
            data = maker(seed)
            if comparison.binary_only and not data.is_binary:
                continue
            _compare(name, comparison, data, seed, losses, errors)
        rows += list(_rows(comparison, losses, errors))
    return rows


@dataclass(frozen=True)
class _Comparison:
    """Two functions that make unfitted classifiers, ours first; the second also looks at the training data."""

    name: str
    ours: Callable[[DataSet], Any]
    reference: Callable[[DataSet], Any]
    margin: float
    binary_only: bool = False


def _comparisons(rounds: int) -> Iterator[_Comparison]:
    for library, estimator in _estimators(rounds).items():
        for ensemble in (False, True):
            words = "averaged folds" if ensemble else "one model"
            yield _Comparison(
                f"{library}, {words}: auto / CalibratedClassifierCV",
                lambda _, e=estimator, k=ensemble: CalibratedBoostingClassifier(e(), ensemble=k),
                lambda data, e=estimator, k=ensemble: _chosen_by_cross_validation(e, data, k),
                MARGIN,
            )
        for calibration in (None, "auto"):
            yield _Comparison(
                f"{library}, focal: {calibration} / log loss",
                lambda _, e=estimator, c=calibration: CalibratedBoostingClassifier(e(), loss="focal", calibration=c),
                lambda data, e=estimator: _plain(e, data),
                3.0,
            )
            yield _Comparison(
                f"{library}, pos_weight=5: {calibration} / log loss",
                lambda _, e=estimator, c=calibration: CalibratedBoostingClassifier(
                    e(), loss=LogLoss(pos_weight=5.0), calibration=c
                ),
                lambda data, e=estimator: _plain(e, data),
                3.0,
                binary_only=True,
            )


def _estimators(rounds: int) -> dict[str, Callable[[], Any]]:
    from catboost import CatBoostClassifier  # noqa: PLC0415  (heavy, and only this command needs all three)
    from lightgbm import LGBMClassifier  # noqa: PLC0415
    from xgboost import XGBClassifier  # noqa: PLC0415

    return {
        "XGBoost": lambda: XGBClassifier(n_estimators=rounds, learning_rate=0.1, max_depth=4),
        "LightGBM": lambda: LGBMClassifier(n_estimators=rounds, learning_rate=0.1, num_leaves=15, verbosity=-1),
        "CatBoost": lambda: CatBoostClassifier(iterations=rounds, depth=4, verbose=False, allow_writing_files=False),
    }


def _plain(estimator: Callable[[], Any], data: DataSet) -> CalibratedBoostingClassifier:
    loss = LogLoss() if data.is_binary else SoftmaxCrossEntropy()
    return CalibratedBoostingClassifier(estimator(), loss=loss, calibration=None)


def _chosen_by_cross_validation(estimator: Callable[[], Any], data: DataSet, ensemble: bool) -> Any:
    candidates = [CalibratedClassifierCV(estimator(), method=method, ensemble=ensemble, cv=5) for method in _METHODS]
    scores = [
        cross_val_score(candidate, data.X, data.y, scoring="neg_log_loss", cv=2, error_score="raise").mean()
        for candidate in candidates
    ]
    return candidates[int(np.argmax(scores))]


def _compare(name: str, comparison: _Comparison, data: DataSet, seed: int, losses: _Results, errors: _Results) -> None:
    _, codes = np.unique(data.y, return_inverse=True)
    rows = np.arange(len(codes))
    train, test = train_test_split(rows, test_size=0.5, stratify=codes, random_state=seed)
    part = DataSet(data.X[train], codes[train])
    probas = [
        make(part).fit(part.X, part.y).predict_proba(data.X[test]) for make in (comparison.ours, comparison.reference)
    ]
    losses.add(name, *(log_loss(codes[test], proba, labels=np.unique(codes)) for proba in probas))
    if data.proba is not None:
        truth = data.proba[test]
        errors.add(name, *(float(np.abs(proba - truth).mean()) for proba in probas))


def _rows(comparison: _Comparison, losses: _Results, errors: _Results) -> Iterator[Row]:
    for name, differences in losses.differences.items():
        mean, low, high = _mean_and_interval(differences)
        yield Row(f"{comparison.name}: {name}", "log loss, per cent above", mean, low, high, higher_is_better=False)
    everything = [difference for differences in losses.differences.values() for difference in differences]
    mean, low, high = _mean_and_interval(everything)
    measure = "log loss, per cent above, mean"
    if comparison.margin == MARGIN:
        yield Row(
            f"{comparison.name}: all", measure, mean, low, high, bar=Bar(0.0, at_least=False), higher_is_better=False
        )
        yield Row(
            f"{comparison.name}: all, upper end",
            "end of the interval",
            high if high is not None else math.nan,
            bar=Bar(MARGIN, at_least=False),
            higher_is_better=False,
        )
    else:
        bar = Bar(comparison.margin, at_least=False)
        yield Row(f"{comparison.name}: all", measure, mean, low, high, bar=bar, higher_is_better=False)
    if errors.differences and comparison.margin == MARGIN:
        everything = [difference for differences in errors.differences.values() for difference in differences]
        mean, low, high = _mean_and_interval(everything)
        yield Row(
            f"{comparison.name}: error of the probability",
            "mean absolute error, per cent above",
            mean,
            low,
            high,
            bar=Bar(0.0, at_least=False),
            higher_is_better=False,
        )


def _mean_and_interval(values: list[float]) -> tuple[float, float | None, float | None]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None, None
    reach = _STUDENT_OF_MANY * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - reach, mean + reach
