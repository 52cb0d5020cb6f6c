"""The coverage of confidence intervals, and the share of false findings, in samples from known populations ("worlds")."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from boosting_losses import metrics
from boosting_losses._types import Array
from boosting_losses.metrics import Estimate, FlexibleErrors
from boosting_losses.report import SCORES, ProbabilityReport, Settings

from .measure import Bar, Row, chosen
from .screen import progress

#: The required coverage over all worlds and in the worst one, in per cent, and the level of the intervals.
POOLED, WORST, LEVEL = 94.0, 92.0, 0.95
#: The largest accepted ratio of the width of an interval to the width of the sampling distribution of its estimate.
WIDER = 1.3
#: The largest accepted shares of false findings about calibrated models and of false differences, in per cent.
ACCUSED, PREFERRED = 5.0, 6.0

#: Every interval that a report prints by default: scores by their names in the report, errors of the flexible curve,
#: differences between scores, and rows of the tables by slice and by threshold.
NAMES = list(Settings().metrics)
FLEXIBLE = {f"flexible curve: {key}": key for key in FlexibleErrors._fields}
LARGEST = "flexible curve: largest"
DIFFERENCES = [f"difference: {name}" for name in NAMES]
SLICE = {f"half of the rows: {key}": key for key in ("observed", "observed_over_expected", "log_loss", "brier_score")}
THRESHOLD = {
    f"at the mean probability: {key}": key
    for key in ("flagged", "precision", "recall", "specificity", "f1", "net_benefit")
}


@dataclass(frozen=True)
class World:
    """A population of scores with mean ``mean``, and a model whose log odds are ``sureness`` times the true ones."""

    rows: int
    mean: float
    sureness: float

    @property
    def name(self) -> str:
        """The number of rows, the expected number of events and the model, as text."""
        events = self.rows * float(np.mean(expit(_scores(self.mean))))
        model = "calibrated" if self.sureness == 1.0 else f"log odds x {self.sureness:g}"
        return f"n = {self.rows:,}, {events:.0f} events, {model}"


#: The standard deviations of the scores and of the noise in the other model, and the share of variance that it explains.
SPREAD, NOISE = 1.5, 1.0
KNOWN = SPREAD**2 / (SPREAD**2 + NOISE**2)
#: The number of quantiles that represent a population.
GRID = 50_000
#: The means for which about a third of the rows, or about 15 rows, are events, by number of rows.
MEANS = {300: (-1.0, -3.9), 1_000: (-1.0, -5.25), 10_000: (-1.0, -7.75)}
WORLDS = [
    World(rows, mean, sureness) for rows, means in MEANS.items() for mean in means for sureness in (1.0, 1.5, 0.6)
]


@dataclass(frozen=True)
class Sample:
    """The intervals and findings of one report."""

    scores: dict[str, Estimate]
    #: The true largest error of the flexible curve, which depends on the rows of the sample.
    largest: float
    hides_miscalibration: bool
    breaks_example: bool


def run(arguments: argparse.Namespace) -> list[Row]:
    """Draw samples from each world and count the intervals that contain the true value."""
    worlds, samples = chosen(WORLDS, lambda world: world.name, arguments.only), arguments.samples
    drawn: dict[World, list[Sample]] = defaultdict(list)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        tasks = list(product(worlds, range(samples)))
        found = pool.map(_drawn, tasks, chunksize=max(1, min(25, samples // 4)))
        for (world, _), sample in zip(progress(tasks, "coverage"), found, strict=True):
            if sample is not None:
                drawn[world].append(sample)
    return [*_coverage(drawn), *_of_calibrated_models(drawn)]


def _drawn(task: tuple[World, int]) -> Sample | None:
    world, seed = task
    random = np.random.default_rng([seed, world.rows, round(100 * -world.mean)])
    score = world.mean + SPREAD * random.standard_normal(world.rows)
    y = (random.random(world.rows) < expit(score)).astype(np.int64)
    if not 0 < y.sum() < world.rows:
        return None  # a report needs both classes
    # Conditional on the noisy score, the score is normally distributed.
    seen = score + NOISE * random.standard_normal(world.rows)
    models = {"other": _other(world.mean + KNOWN * (seen - world.mean)), "model": expit(world.sureness * score)}
    report = ProbabilityReport.from_predictions(
        y,
        models,
        metrics=NAMES,
        slices=np.arange(world.rows) % 2,
        thresholds=[_threshold(world)],
        n_resamples=300,
        random_state=seed,
    )
    own = report.models[1]
    differences = report.differences["model", "other"]
    part, at_threshold = own.slices[0].rows[0], own.thresholds[0]
    return Sample(
        {name: own.scores[name] for name in NAMES}
        | {name: own.flexible.errors[key] for name, key in FLEXIBLE.items()}
        | {f"difference: {name}": differences[name] for name in NAMES}
        | {name: getattr(part, key) for name, key in SLICE.items()}
        | {name: getattr(at_threshold, key) for name, key in THRESHOLD.items()},
        metrics.flexible_calibration_errors(expit(score), models["model"]).largest,
        any(finding.kind == "miscalibration" and finding.model == "model" for finding in report.findings),
        own.scores["calibration_error"].low > 0.02,  # the threshold in the example of docs/reports.md
    )


def _other(centre: Array) -> Array:
    """Return the probabilities of a calibrated, less informed model: means over normal scores around this centre."""
    points, weight = np.polynomial.hermite_e.hermegauss(41)
    spread = SPREAD * math.sqrt(1.0 - KNOWN)
    return np.asarray(expit(centre[:, None] + spread * points) @ (weight / weight.sum()))


def _coverage(drawn: dict[World, list[Sample]]) -> Iterator[Row]:
    for name in (*NAMES, *FLEXIBLE, *DIFFERENCES, *SLICE, *THRESHOLD):
        held, counts, widths = {}, {}, []
        for world, samples in drawn.items():
            truth = np.array([s.largest for s in samples]) if name == LARGEST else _truths(world)[name]
            estimates = np.array([sample.scores[name] for sample in samples])
            # A missing interval counts as a miss.
            held[world] = int(np.sum((estimates[:, 1] - 1e-9 <= truth) & (truth <= estimates[:, 2] + 1e-9)))
            counts[world] = len(samples)
            spread = float(np.subtract(*np.quantile(estimates[:, 0], [0.975, 0.025])))
            if spread > 0.0:
                widths.append(float(np.median(estimates[:, 2] - estimates[:, 1])) / spread)
        total, hits = sum(counts.values()), sum(held.values())
        low, high = (100.0 * bound for bound in _wilson(hits, total))
        yield Row(name, "% of intervals with the truth, all worlds", 100.0 * hits / total, low, high, bar=Bar(POOLED))
        worst = min(held, key=lambda world: held[world] / counts[world])
        low, high = (100.0 * bound for bound in _wilson(held[worst], counts[worst]))
        share = 100.0 * held[worst] / counts[worst]
        yield Row(f"{name}: {worst.name}", "the same, worst world", share, low, high, bar=Bar(WORST))
        if widths:
            width = float(np.median(widths))
            bar = Bar(WIDER, at_least=False)
            yield Row(f"{name}: width", "median width / central 95 % of estimates", width, bar=bar)


def _of_calibrated_models(drawn: dict[World, list[Sample]]) -> Iterator[Row]:
    calibrated = [sample for world, samples in drawn.items() if world.sureness == 1.0 for sample in samples]
    if not calibrated:
        return
    accused = {
        "finding: hides miscalibration": [sample.hides_miscalibration for sample in calibrated],
        "threshold: calibration error above 0.02 by its interval": [sample.breaks_example for sample in calibrated],
    }
    for name, hits in accused.items():
        yield _share(f"calibrated models, {name}", hits, ACCUSED)
    for name in ("calibration_error", "smooth_calibration_error", "miscalibration"):
        pairs = [sample.scores[f"difference: {name}"] for sample in calibrated]
        hits = [not pair.low <= 0.0 <= pair.high for pair in pairs]
        yield _share(f"two calibrated models, difference without 0: {name}", hits, PREFERRED)


def _share(name: str, hits: list[bool], most: float) -> Row:
    low, high = (100.0 * bound for bound in _wilson(sum(hits), len(hits)))
    return Row(name, "% of samples", 100.0 * float(np.mean(hits)), low, high, bar=Bar(most, at_least=False))


def _wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the confidence interval of a proportion (Wilson 1927)."""
    z, p = float(norm.ppf(0.5 + LEVEL / 2)), hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


@cache
def _scores(mean: float, spread: float = SPREAD) -> Array:
    """Return a fine grid of quantiles of the scores of a population."""
    return np.asarray(mean + spread * norm.ppf((np.arange(GRID) + 0.5) / GRID))


@cache
def _truths(world: World) -> dict[str, float]:
    """Return the true scores of a population, in which both labels of a row are weighted by their probabilities."""
    score = _scores(world.mean)
    other = _other(_scores(world.mean, SPREAD * math.sqrt(KNOWN)))
    found = {}
    for name in NAMES:
        options = {key: value for key, value in SCORES[name].defaults.items() if key != "debiased"}
        here, there = (
            _score(name, rate, proba, options)
            for rate, proba in ((expit(score), expit(world.sureness * score)), (other, other))
        )
        found[name], found[f"difference: {name}"] = here, here - there
    rate, proba = expit(score), expit(world.sureness * score)
    errors = metrics.flexible_calibration_errors(rate, proba)
    found |= {name: getattr(errors, key) for name, key in FLEXIBLE.items()}
    found |= {name: found[key] for name, key in SLICE.items() if key in found}
    found["half of the rows: observed"] = float(rate.mean())
    threshold = _threshold(world)
    flagged = proba >= threshold
    shares = {
        "flagged": flagged.mean(),
        "precision": rate[flagged].mean(),
        "recall": rate[flagged].sum() / rate.sum(),
        "specificity": (1.0 - rate)[~flagged].sum() / (1.0 - rate).sum(),
        "f1": 2.0 * rate[flagged].sum() / (flagged.sum() + rate.sum()),
        "net_benefit": (flagged * (rate - (1.0 - rate) * threshold / (1.0 - threshold))).mean(),
    }
    return found | {name: float(shares[key]) for name, key in THRESHOLD.items()}


@cache
def _threshold(world: World) -> float:
    """Return the mean predicted probability of the population, which is used as a threshold."""
    return float(expit(world.sureness * _scores(world.mean)).mean())


def _score(name: str, rate: Array, proba: Array, options: dict[str, float]) -> float:
    labels, weight = np.repeat([1.0, 0.0], len(rate)), np.concatenate([rate, 1.0 - rate])
    return float(getattr(metrics, name)(labels, np.tile(proba, 2), weight, **options))
