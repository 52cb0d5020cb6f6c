"""Held-out log loss of ``CalibratedBoostingClassifier`` against scikit-learn's ``CalibratedClassifierCV``.

Both wrap the same estimator, are fitted on the same half of the data and scored on the other. scikit-learn's method is
chosen by cross-validation within the training half, ours by its own ``calibration="auto"``. What is compared is the
difference of log losses, pair by pair of set and split, in per cent of the reference's mean; negative is better for us. A
mean over sets is one of differences before it is one of per cent: a tiny set whose log loss is near 0 does not outweigh all
others.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.progress import track
from scipy.stats import t
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, train_test_split

from boosting_losses import CalibratedBoostingClassifier, LogLoss, SoftmaxCrossEntropy

from .data_sets import DataSet, Maker, made, real
from .measure import Bar, Row, chosen
from .report import console

#: Fixed before any comparison was made: what log loss may be worse by, in per cent.
MARGIN = 0.5
#: Half of the rows are for training, half of these for a fold of the inner cross-validation, which is cut in five again.
LEAST = 20
_METHODS = ("sigmoid", "isotonic", "temperature")


@dataclass
class _Results:
    """Figures of ours and of the reference, for every set a list of pairs, one per split."""

    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, ours: float, reference: float) -> None:
        self.pairs.setdefault(name, []).append((ours, reference))

    def everything(self) -> list[tuple[float, float]]:
        return [pair for pairs in self.pairs.values() for pair in pairs]


def run(seeds: int, only: str | None, rounds: int, sets: Mapping[str, Maker] | None = None) -> list[Row]:
    """Compare on all sets and seeds; ``only`` chooses libraries and comparisons by their names."""
    warnings.filterwarnings("ignore", message="The least populated class")
    warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")  # the reference's, in float32
    makers = {**real(), **made(), **(sets or {})}
    for name, maker in makers.items():
        rarest = int(np.unique(maker(0).y, return_counts=True)[1].min())
        if rarest < LEAST:
            raise ValueError(
                f"{name} must have {LEAST} rows of every class, of which folds within folds get 5, got {rarest}"
            )
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
    """A row for each set, one for all of them, and for calibrators the ends that are bounded."""
    measure = "log loss, per cent above"
    for name, pairs in losses.pairs.items():
        yield _row(f"{comparison.name}: {name}", measure, pairs)
    against_sklearn = comparison.margin == MARGIN
    bar = Bar(0.0 if against_sklearn else comparison.margin, at_least=False)
    everything = _row(f"{comparison.name}: all sets", measure, losses.everything(), bar)
    yield everything
    if against_sklearn and everything.high is not None:
        bar = Bar(MARGIN, at_least=False)
        title = f"{comparison.name}: all sets, upper end"
        yield Row(title, "end of the interval", everything.high, bar=bar, higher_is_better=False)
    if against_sklearn and errors.pairs:
        title = f"{comparison.name}: made sets, error of the probability"
        yield _row(title, "mean absolute error, per cent above", errors.everything(), Bar(0.0, at_least=False))


def _row(name: str, measure: str, pairs: list[tuple[float, float]], bar: Bar | None = None) -> Row:
    """The mean difference in per cent of the reference's mean, with a 95 % interval that takes pairs for independent."""
    ours, reference = np.array(pairs).T
    differences = 100.0 * (ours - reference) / reference.mean()
    mean, low, high = float(differences.mean()), None, None
    if len(pairs) > 1:
        reach = float(t.ppf(0.975, len(pairs) - 1) * differences.std(ddof=1) / math.sqrt(len(pairs)))
        low, high = mean - reach, mean + reach
    return Row(name, measure, mean, low, high, bar=bar, higher_is_better=False)
