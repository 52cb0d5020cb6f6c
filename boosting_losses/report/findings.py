"""What the numbers of a report mean, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..metrics import Estimate
from ._evaluation import Evaluation, ModelSums
from .results import Finding

#: A class is said to dominate from this share on.
DOMINANT = 0.9
#: Rows are said to make most of the loss when so few of them make so much of it.
FEW_ROWS, MUCH_LOSS = 0.01, 0.2
#: Miscalibration is worth a word from this share of the log loss on.
WORTH_IT = 0.02


def findings(evaluation: Evaluation, scores: list[dict[str, Estimate]], classes: list[str]) -> list[Finding]:
    """Everything that a reader should know before believing the scores."""
    found = []
    some = evaluation.effective_rows
    if some < 0.5 * evaluation.rows:
        text = f"The weights are uneven: {evaluation.rows:,} rows are worth no more than {some:,.0f} of equal weight."
        found.append(Finding(None, "uneven weights", text))
    for name, sums, own in zip(evaluation.names, evaluation.models, scores, strict=True):
        for kind, text, rows in (*_of_scores(sums, own), *_of_rows(sums, evaluation.rows, classes)):
            found.append(Finding(name, kind, text, rows))
    return found


def _of_scores(sums: ModelSums, scores: Mapping[str, Estimate]) -> list[tuple[str, str, tuple[int, ...]]]:
    found: list[tuple[str, str, tuple[int, ...]]] = []
    loss = sums.loss / sums.weight
    base = float(-(sums.shares[sums.shares > 0] * np.log(sums.shares[sums.shares > 0])).sum())
    if "miscalibration" in scores:
        miscalibration = scores["miscalibration"]
        mended = loss - miscalibration.value
        sure = not miscalibration.low <= 0.0  # also where there is no interval
        if sure and miscalibration.value > WORTH_IT * loss and mended < base:
            explained = 1.0 - mended / base
            worse = f", worse than the base rate's {base:.4f}" if loss > base else ""
            text = (
                f"Good ranking hides miscalibration: the log loss is {loss:.4f}{worse}; recalibration alone would bring it"
                f" to {mended:.4f}, and explain {explained:.0%} of the base rate's loss."
            )
            found.append(("miscalibration", text, ()))
        elif loss > base:
            text = (
                f"Worse than the base rate: the log loss is {loss:.4f}, always predicting the base rate has {base:.4f}."
            )
            found.append(("worse than the base rate", text, ()))
    elif loss > base:
        text = f"Worse than the base rate: the log loss is {loss:.4f}, always predicting the base rate has {base:.4f}."
        found.append(("worse than the base rate", text, ()))
    if sums.is_binary and len(sums.pooled.proba) > 1:
        mean, rate = sums.class_proba[1] / sums.weight, float(sums.shares[1])
        spread = np.sqrt(rate * (1.0 - rate) * float((sums.pooled.squared).sum())) / sums.weight
        if abs(mean - rate) > max(4.0 * spread, 0.1 * min(rate, 1.0 - rate)):
            direction = "high" if mean > rate else "low"
            text = f"Too {direction} on the whole: {mean:.4f} is predicted on average, {rate:.4f} happens."
            found.append(("biased", text, ()))
    if len(sums.pooled.proba) == 1:
        found.append(("constant", "All rows have the same probability: there is nothing to rank by.", ()))
    return found


def _of_rows(sums: ModelSums, n: int, classes: list[str]) -> list[tuple[str, str, tuple[int, ...]]]:
    found: list[tuple[str, str, tuple[int, ...]]] = []
    largest = int(np.argmax(sums.shares))
    if sums.shares[largest] >= DOMINANT:
        with np.errstate(invalid="ignore", divide="ignore"):
            by_class = sums.class_loss / sums.class_weight
        others = ", ".join(
            f"{by_class[k]:.4f} for {classes[k]}"
            for k in np.argsort(sums.shares)[:3]
            if k != largest and sums.shares[k] > 0
        )
        text = (
            f"Class {classes[largest]} dominates with {sums.shares[largest]:.1%} of the weight, and its rows dominate the"
            f" scores: their mean log loss is {by_class[largest]:.4f}, against {others}."
        )
        found.append(("majority class", text, ()))
    worst = sums.worst
    few = worst.weighted_loss[: max(1, min(len(worst.row), int(FEW_ROWS * n)))]
    if n >= 100 and sums.loss > 0.0 and few.sum() > MUCH_LOSS * sums.loss:
        needed = 1 + int(np.argmax(np.cumsum(few) > MUCH_LOSS * sums.loss))
        rows = tuple(int(row) for row in worst.row[: len(few)])
        named = ", ".join(map(str, rows[:10])) + (", ..." if len(rows) > 10 else "")
        text = (
            f"A handful of rows makes much of the loss: {needed} of {n:,} make {few[:needed].sum() / sums.loss:.0%} of it."
            f" Likely wrong labels: look at rows {named}."
        )
        found.append(("few rows", text, rows))
    if sums.moved:
        certain = "row has a probability" if sums.moved == 1 else "rows have probabilities"
        text = (
            f"{sums.moved:,} {certain} of 0 or 1, or too close to it: moved inwards for the log loss, where one such"
            " row that is wrong costs as much as the bound allows."
        )
        found.append(("clipped", text, ()))
    return found
