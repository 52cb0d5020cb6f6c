"""Expected moments of the loss differences between two models, for labels redrawn from recalibrated frequencies."""

from __future__ import annotations

import numpy as np

from ... import _newton_fit
from .._base_rate import ProperScore
from .._predictions import Numbers, Predictions, each
from .._raw_scores import logits
from .base import central_sums, minus

#: The powers of weights and of differences in the sums that give the second and third central moments.
_POWERS = ((2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3))
_SCORES: tuple[ProperScore, ProperScore] = ("log_loss", "brier")


class RedrawnLabels:
    """Expected moments of the loss differences between two binary models.

    With few events, the observed moments are unreliable: if, by chance, no event was improbable for one of the models,
    the difference and its variance are both too small, and the interval misses the true difference. The rows without
    events contain more information: here the label of each row is redrawn with the frequency predicted by both models
    together, recalibrated with three parameters.

    Parameters
    ----------
    first, second : Predictions
        A sample, which shows the distribution of the probabilities.
    eps : float, optional
        The bound of the probabilities in the log loss.
    """

    _CELLS = 200

    def __init__(self, first: Predictions, second: Predictions, eps: float | None) -> None:
        self._eps = eps
        middle = np.sort(_middle(first, second))
        self._edges = np.unique(middle[np.linspace(0, len(middle) - 1, self._CELLS).astype(np.intp)])
        n = len(self._edges) + 1
        #: Weights, weighted labels and weighted log odds of each cell.
        self._rows = np.zeros((3, n))
        #: Sums by label, score, powers and cell.
        self._sums = np.zeros((2, len(_SCORES), len(_POWERS), n))

    def add(self, first: Predictions, second: Predictions, weight: Numbers) -> None:
        """Add rows with nonzero weight."""
        middle = _middle(first, second)
        cell = np.searchsorted(self._edges, middle)

        def summed(values: Numbers) -> Numbers:
            sums: Numbers = np.bincount(cell, weights=values, minlength=self._rows.shape[1]).astype(np.float64)
            return sums

        self._rows += np.stack([summed(weight), summed(weight * first.y), summed(weight * middle)])
        for label in (0, 1):
            losses = [
                each(Predictions(np.full(len(cell), label), rows.proba, None), self._eps)[:2]
                for rows in (first, second)
            ]
            for s in range(len(_SCORES)):
                difference = minus(losses[0][s], losses[1][s])
                difference = np.where(np.isfinite(difference), difference, 0.0)
                for k, (a, b) in enumerate(_POWERS):
                    self._sums[label, s, k] += summed(weight**a * difference**b)

    def merge(self, later: RedrawnLabels) -> None:
        """Add the sums of other rows."""
        self._rows = self._rows + later._rows
        self._sums = self._sums + later._sums

    def moments(self, score: ProperScore, mean: float) -> tuple[float, float] | None:
        """Return the sums of squares and cubes of ``weight * (difference - mean)``, or None if a label does not occur."""
        some = self._rows[0] > 0.0
        weight, label, log_odds = self._rows[:, some]
        if not 0.0 < label.sum() < weight.sum():
            return None
        rate = _newton_fit.beta_frequencies(label / weight, log_odds / weight, weight)
        if_0, if_1 = self._sums[:, _SCORES.index(score)][..., some]
        s = dict(zip(_POWERS, (if_0 @ (1.0 - rate) + if_1 @ rate).tolist(), strict=True))
        return central_sums(s, mean)


def has_labels(data: Predictions) -> bool:
    """Return whether there are two classes and every label is 0 or 1, so that labels can be redrawn."""
    return data.is_binary and bool(((data.y == 0) | (data.y == 1)).all())


def _middle(first: Predictions, second: Predictions) -> Numbers:
    """Return the mean of the log odds of two models in each row."""
    middle: Numbers = (logits(first.proba).astype(np.float64) + logits(second.proba).astype(np.float64)) / 2.0
    return middle
