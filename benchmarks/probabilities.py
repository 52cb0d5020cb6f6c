"""Held-out log loss of ``CalibratedBoostingClassifier`` against ``CalibratedClassifierCV`` of scikit-learn.

Both wrap the same estimator, are fitted to the same half of the rows and scored on the other half. The calibration method
of scikit-learn is chosen by cross-validation within the training half, that of this package by ``calibration="auto"``. A
figure is the mean difference of log losses over pairs of data set and split, in per cent of the mean log loss of
scikit-learn; negative values favour this package. Differences are averaged before they are converted to per cent, so that a
small data set with a log loss near 0 does not dominate.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from boosting_losses import CalibratedBoostingClassifier

from .measure import Bar, Row, chosen
from .screen import progress
from .study import TableError, tables
from .study.data_sets import DataSet, Maker, made, real
from .study.intervals import mean_of
from .study.splits import two_parts

#: The bar for the upper end of the interval over all sets, in per cent, which was fixed before any comparison.
MARGIN = 0.5
#: The minimum rows of a class: half are for training, half of those for one of two folds, which is split into five again.
LEAST = 20
_METHODS = ("sigmoid", "isotonic", "temperature")

#: A figure of this package and the corresponding one of scikit-learn.
Pair = tuple[float, float]


def run(arguments: argparse.Namespace) -> list[Row]:
    """Compare on all data sets and seeds; ``--only`` selects combinations of library and ensemble by name."""
    warnings.filterwarnings("ignore", message="The least populated class")
    warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")  # float32 in scikit-learn
    makers = {**real(), **made(), **{file.stem: tables.maker(file, arguments.label) for file in arguments.data}}
    for name, maker in makers.items():
        rarest = int(np.unique(maker(0).y, return_counts=True)[1].min())
        if rarest < LEAST:
            raise TableError(
                f"{name} must have at least {LEAST} rows of every class, so that nested folds get 5 of them, got {rarest}"
            )
    names = {
        f"{library}, {words}: auto / CalibratedClassifierCV": (estimator, ensemble)
        for library, estimator in _estimators(arguments.rounds).items()
        for ensemble, words in ((False, "one model"), (True, "averaged folds"))
    }
    rows = []
    for name in chosen(names, str, arguments.only):
        rows += list(_rows(name, *_compare(*names[name], makers, arguments.seeds, name)))
    return rows


def _estimators(rounds: int) -> dict[str, Callable[[], Any]]:
    from catboost import CatBoostClassifier  # noqa: PLC0415  (slow to import, and only this command needs all three)
    from lightgbm import LGBMClassifier  # noqa: PLC0415
    from xgboost import XGBClassifier  # noqa: PLC0415

    return {
        "XGBoost": lambda: XGBClassifier(n_estimators=rounds, learning_rate=0.1, max_depth=4),
        "LightGBM": lambda: LGBMClassifier(n_estimators=rounds, learning_rate=0.1, num_leaves=15, verbosity=-1),
        "CatBoost": lambda: CatBoostClassifier(iterations=rounds, depth=4, verbose=False, allow_writing_files=False),
    }


def _compare(
    estimator: Callable[[], Any], ensemble: bool, makers: Mapping[str, Maker], seeds: int, title: str
) -> tuple[dict[str, list[Pair]], list[Pair]]:
    """Return pairs of log losses by set, and pairs of mean absolute errors over all sets with known probabilities."""
    losses: dict[str, list[Pair]] = {}
    errors: list[Pair] = []
    for name, seed in progress([(name, seed) for name in makers for seed in range(seeds)], title):
        data = makers[name](seed)
        classes, codes = np.unique(data.y, return_inverse=True)
        train, test = two_parts(codes, 0.5, seed)
        part = DataSet(data.X[train], codes[train])
        ours = CalibratedBoostingClassifier(estimator(), ensemble=ensemble)
        reference = _chosen_by_cross_validation(estimator, part, ensemble)
        probas = [one.fit(part.X, part.y).predict_proba(data.X[test]) for one in (ours, reference)]
        scores = [log_loss(codes[test], proba, labels=np.arange(len(classes))) for proba in probas]
        losses.setdefault(name, []).append((scores[0], scores[1]))
        if data.proba is not None:
            distances = [float(np.abs(proba - data.proba[test]).mean()) for proba in probas]
            errors.append((distances[0], distances[1]))
    return losses, errors


def _chosen_by_cross_validation(estimator: Callable[[], Any], data: DataSet, ensemble: bool) -> Any:
    candidates = [CalibratedClassifierCV(estimator(), method=method, ensemble=ensemble, cv=5) for method in _METHODS]
    scores = [
        cross_val_score(candidate, data.X, data.y, scoring="neg_log_loss", cv=2, error_score="raise").mean()
        for candidate in candidates
    ]
    return candidates[int(np.argmax(scores))]


def _rows(title: str, losses: Mapping[str, list[Pair]], errors: list[Pair]) -> Iterator[Row]:
    """Yield a row for each set, rows for all sets and the upper end of their interval, and one for known probabilities."""
    measure = "log loss, per cent above"
    for name, pairs in losses.items():
        yield _row(f"{title}: {name}", measure, pairs)
    bar = Bar(0.0, at_least=False)
    everything = _row(f"{title}: all sets", measure, [pair for pairs in losses.values() for pair in pairs], bar)
    yield everything
    if everything.high is not None:
        end = Bar(MARGIN, at_least=False)
        yield Row(
            f"{title}: all sets, upper end", "end of the interval", everything.high, bar=end, higher_is_better=False
        )
    yield _row(f"{title}: made sets, error of the probability", "mean absolute error, per cent above", errors, bar)


def _row(name: str, measure: str, pairs: list[Pair], bar: Bar | None = None) -> Row:
    """Return the mean difference in per cent of the mean of scikit-learn; the interval treats splits as independent."""
    ours, reference = np.array(pairs).T
    mean = mean_of(100.0 * (ours - reference) / reference.mean())
    return Row(name, measure, mean.value, mean.low, mean.high, bar=bar, higher_is_better=False)
