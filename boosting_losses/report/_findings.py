"""Findings: problems of the data and the models that a report describes in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..metrics import Estimate
from ..metrics._base_rate import entropy
from ..metrics._model_sums import ModelSums
from ._accumulator import Accumulator
from ._estimates import Estimates
from ._results import Finding

#: Kind, text and rows of a finding.
Part = tuple[str, str, tuple[int, ...]]

#: A class dominates if its share of the weight is at least this.
DOMINANT = 0.9
#: A finding names the worst rows if this share of the rows causes more than this share of the loss.
FEW_ROWS, MUCH_LOSS = 0.01, 0.2
#: Intervals are inaccurate with fewer independent rows of the rarer label than this.
FEW_EVENTS = 10
#: Miscalibration is reported only above this share of the log loss.
WORTH_IT = 0.02


def findings(evaluation: Accumulator, estimates: Estimates, classes: list[str]) -> list[Finding]:
    """Return the findings that a reader should know before relying on the scores."""
    found = []
    some = evaluation.effective_rows
    if some < 0.5 * evaluation.rows:
        text = f"The weights are uneven: the effective number of rows is only {some:,.0f} of {evaluation.rows:,}."
        found.append(Finding(None, "uneven weights", text))
    if estimates.events < FEW_EVENTS:
        found.append(Finding(None, "few events", _few_events(evaluation, estimates.events, classes)))
    if evaluation.rounded:
        one = evaluation.rounded == 1
        what = "probability was" if one else "probabilities were"
        text = f"{evaluation.rounded:,} {what} outside [0, 1] because of rounding; such values are clipped to [0, 1]."
        found.append(Finding(None, "rounded", text))
    options = evaluation.settings.metrics.get("miscalibration")
    of_log_loss = options is not None and options.get("score", "log_loss") == "log_loss"
    for name, sums, own in zip(evaluation.names, evaluation.models, estimates.scores, strict=True):
        parts = (
            *_of_the_score(sums, own["miscalibration"] if of_log_loss else None),
            *_of_probabilities(sums),
            *_of_rows(sums, evaluation.rows, classes),
        )
        found += [Finding(name, *part) for part in parts]
    return found


def _few_events(evaluation: Accumulator, events: float, classes: list[str]) -> str:
    sums = evaluation.models[0]
    count = f"{events:.1f}".removesuffix(".0")
    if sums.is_binary:
        of = f"rows of class {classes[int(np.argmin(sums.shares))]}"
    else:
        of = "right or wrong predictions, whichever are rarer,"
    return (
        f"Few events: the effective number of {of} is {count}. With fewer than {FEW_EVENTS}, the intervals"
        " contain the true values less often than they should."
    )


def _of_the_score(sums: ModelSums, miscalibration: Estimate | None) -> Iterator[Part]:
    loss = sums.loss / sums.weight
    base = float(entropy(sums.shares, "log_loss"))
    if miscalibration is not None and miscalibration.low > 0.0 and np.isfinite(loss):
        mended = loss - miscalibration.value
        if miscalibration.value > WORTH_IT * loss and mended < base:
            worse = f", worse than the base rate's {base:.4f}" if loss > base else ""
            best, least = loss - miscalibration.high, loss - miscalibration.low
            text = (
                f"Good ranking hides miscalibration: the log loss is {loss:.4f}{worse}; recalibration alone would reduce"
                f" it to about {mended:.4f} ({best:.4f} to {least:.4f}), which is {1.0 - mended / base:.0%} below the loss of"
                " the base rate."
            )
            yield "miscalibration", text, ()
            return
    if loss > base:
        text = (
            f"Worse than the base rate: the log loss is {loss:.4f}; always predicting the base rate gives {base:.4f}."
        )
        yield "worse than the base rate", text, ()


def _of_probabilities(sums: ModelSums) -> Iterator[Part]:
    if not sums.is_binary:
        return
    if len(sums.points.proba) == 1:
        yield "constant", "All rows have the same probability, so the model cannot rank them.", ()
        return
    mean, rate = sums.class_proba[1] / sums.weight, float(sums.shares[1])
    spread = np.sqrt(rate * (1.0 - rate) * float(sums.points.squared.sum())) / sums.weight
    if abs(mean - rate) > max(4.0 * spread, 0.1 * min(rate, 1.0 - rate)):
        direction = "high" if mean > rate else "low"
        text = f"Too {direction} on average: the mean probability is {mean:.4f}, the event rate is {rate:.4f}."
        yield "biased", text, ()


def _of_rows(sums: ModelSums, n: int, classes: list[str]) -> Iterator[Part]:
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
            f" scores: their mean log loss is {by_class[largest]:.4f}, compared with {others}."
        )
        yield "majority class", text, ()
    worst = sums.worst
    few = worst.weighted_loss[: max(1, min(len(worst.row), int(FEW_ROWS * n)))]
    if n >= 100 and 0.0 < sums.loss < np.inf and few.sum() > MUCH_LOSS * sums.loss:
        needed = 1 + int(np.argmax(np.cumsum(few) > MUCH_LOSS * sums.loss))
        rows = tuple(int(row) for row in worst.row[: len(few)])
        named = ", ".join(map(str, rows[:10])) + (", ..." if len(rows) > 10 else "")
        text = (
            f"A few rows cause much of the loss: {needed} of {n:,} cause {few[:needed].sum() / sums.loss:.0%} of it."
            f" Check rows {named}: such rows often have wrong labels."
        )
        yield "few rows", text, rows
    if sums.moved:
        certain = "row has a probability" if sums.moved == 1 else "rows have probabilities"
        text = (
            f"{sums.moved:,} {certain} of 0 or 1, or too close to 0 or 1. They are clipped for the log loss; each wrong one"
            " has the largest loss that clipping allows."
        )
        yield "clipped", text, ()
