"""The terms that rows contribute to sums over windows, and confidence sequences of these sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ..metrics import logits
from ..metrics._predictions import Predictions, each
from ._detector import entropy

#: Bins of equal width for the calibration error.
BINS = 15
#: Log losses are clipped at this bound, in nats, for confidence sequences, which need bounded terms.
BOUND = 10.0
#: The distance that probabilities keep from 0 and 1, as in ``metrics.log_loss``.
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Terms:
    """The terms of each row; the first axis of every array has one entry per prediction.

    ``surprise`` is the clipped log loss minus its expectation. Terms of unlabelled rows are meaningless except ``expected``.
    """

    weight: Doubles
    labelled: npt.NDArray[np.bool_]
    loss: Doubles
    expected: Doubles
    surprise: Doubles
    square: Doubles
    label: Doubles  # (n,) or (n, K): 1 for the class that happened
    proba: Doubles  # (n,) or (n, K)


def terms_of(proba: Doubles, y: npt.NDArray[np.int32], weight: Doubles) -> Terms:
    """Return the terms of rows; ``y`` is -1 for rows without a label."""
    labelled = y >= 0
    codes = np.where(labelled, y, 0).astype(np.float64)
    loss, square, _ = each(Predictions(codes, proba, None))
    expected, clipped_expected = entropy(logits(proba)), expected_clipped(proba)
    if proba.ndim == 1:
        label = codes
    else:
        label = np.zeros_like(proba)
        label[np.arange(len(y)), codes.astype(np.intp)] = 1.0
    return Terms(weight, labelled, loss, expected, np.minimum(loss, BOUND) - clipped_expected, square, label, proba)


def expected_clipped(proba: Doubles) -> Doubles:
    """Return the expectation of the clipped log loss of each row under its probabilities."""
    if proba.ndim == 1:
        columns = np.stack([1.0 - proba, proba], axis=1)
        p = np.clip(proba, _EPS, 1.0 - _EPS)
        losses = np.minimum(np.stack([-np.log1p(-p), -np.log(p)], axis=1), BOUND)
    else:
        columns = proba
        losses = np.minimum(-np.log(np.maximum(proba, _EPS)), BOUND)
    means: Doubles = np.einsum("ik,ik->i", columns, losses)
    return means


class Sums:
    """Sums over segments of rows, such as cohorts, which add up over windows.

    Parameters
    ----------
    table : ndarray of shape (S, C)
        One row per segment; ``columns_of`` defines the number of columns.
    """

    #: The first columns, in this order. Sums over labelled rows are weighted, and so is ``expected_of_all``.
    NAMES = (
        "rows",
        "labelled",
        "weight",
        "loss",
        "expected",
        "surprise",
        "surprise_squared",
        "weight_squared",
        "square",
        "weight_of_all",
        "expected_of_all",
    )

    def __init__(self, table: Doubles) -> None:
        self.table = table
        self._width = (table.shape[1] - len(self.NAMES) - BINS) // 2

    def __getitem__(self, name: str) -> Doubles:
        column: Doubles = self.table[:, self.NAMES.index(name)]
        return column

    @property
    def label(self) -> Doubles:
        """Weighted sums of class indicators, (S, 1) or (S, K)."""
        return self._block(0, self._width)

    @property
    def proba(self) -> Doubles:
        """Weighted sums of probabilities, (S, 1) or (S, K)."""
        return self._block(self._width, self._width)

    @property
    def gaps(self) -> Doubles:
        """Weighted sums of observed minus predicted by bin of the probability, (S, BINS)."""
        return self._block(2 * self._width, BINS)

    def _block(self, start: int, width: int) -> Doubles:
        first = len(self.NAMES) + start
        block: Doubles = self.table[:, first : first + width]
        return block

    def between(self, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]) -> Sums:
        """Return the sums over segments after ``first`` up to ``last``, for arrays of segment numbers."""
        running = np.cumsum(self.table, axis=0)
        return Sums(running[last] - running[first])


def columns_of(n_classes: int) -> int:
    """Return the number of columns of ``Sums``."""
    return len(Sums.NAMES) + 2 * (1 if n_classes == 2 else n_classes) + BINS


def sums_of(terms: Terms, segment: npt.NDArray[np.intp], segments: int) -> Sums:
    """Return the sums over the rows of each segment."""
    w = np.where(terms.labelled, terms.weight, 0.0)
    label, proba = (part if part.ndim == 2 else part[:, None] for part in (terms.label, terms.proba))
    columns = [
        np.ones(len(w)),
        terms.labelled.astype(np.float64),
        w,
        w * terms.loss,
        w * terms.expected,
        w * terms.surprise,
        (w * terms.surprise) ** 2,
        w**2,
        w * terms.square,
        terms.weight,
        terms.weight * terms.expected,
        *(w * label.T),
        *(w * proba.T),
    ]
    top = proba.argmax(axis=1)
    largest, hit = (part[np.arange(len(w)), top] for part in (proba, label))
    edges = np.linspace(0.0, 1.0, BINS + 1)
    cell = segment * BINS + np.clip(np.searchsorted(edges, largest, side="left") - 1, 0, BINS - 1)
    gaps = np.bincount(cell, w * (hit - largest), segments * BINS).reshape(segments, BINS)
    totals = np.column_stack([np.bincount(segment, column, segments) for column in columns])
    return Sums(np.hstack([totals, gaps]))


def confidence_sequence(variance: Doubles, least: Doubles, span: float, level: float = 0.95) -> Doubles:
    """Return the half-width of an interval for a sum of bounded terms that is valid at all times simultaneously.

    Parameters
    ----------
    variance : ndarray
        Sums of the squared terms.
    least : ndarray
        The variance at which the interval starts to be efficient; it must not depend on labels.
    span : float
        The width of the range of the terms.
    level : float, default 0.95

    Notes
    -----
    The empirical Bernstein bound by polynomial stitching of Howard, Ramdas, McAuliffe and Sekhon 2021 (Annals of Statistics
    49, theorems 1 and 4), with eta = 2 and s = 1.4, for each side.
    """
    eta, power, zeta = 2.0, 1.4, 3.10554727797758  # Riemann's zeta function at 1.4
    k1 = (eta**0.25 + eta**-0.25) / math.sqrt(2.0)
    k2 = (math.sqrt(eta) + 1.0) / 2.0
    v = np.maximum(variance, least)
    log_term = power * np.log1p(np.log(v / least) / math.log(eta)) + math.log(2.0 * zeta / (1.0 - level))
    half: Doubles = np.sqrt(k1**2 * v * log_term + (k2 * span * log_term) ** 2) + k2 * span * log_term
    return half
