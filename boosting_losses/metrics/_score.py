"""The definition of a score: its function, its texts in reports, and its computation from sums over rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from ._base_rate import ProperScore
from ._predictions import Numbers
from ._statistics.base import Statistic
from ._statistics.sample import Sample

if TYPE_CHECKING:
    from ._model_sums import ModelSums

Options = Mapping[str, Any]
Topic = Literal["losses", "ranking", "calibration", "direction of miscalibration", "others"]


@dataclass(frozen=True)
class Computation:
    """How a score is computed from sums over rows. Every part is optional.

    Parameters
    ----------
    statistic : callable, optional
        Returns the score as a function of sums, from which intervals are computed, or None if there is no such function
        for the data. ``sample`` shows the distribution of the probabilities. Without ``statistic``, reports show no
        interval.
    value : callable, optional
        Returns the score of all rows from the sums that a report stores. By default, the function of the score is
        called on the binned rows or, for K classes, on an even sample of the rows.
    constant : callable, optional
        Returns the score of a constant forecast ``(K,)``, given the class shares ``(K,)``. Without it, reports show no
        value for the baselines.
    mean_of : {"log_loss", "brier"}, optional
        The loss whose mean over rows is the score, if any. The interval then needs no replicates.
    """

    statistic: Callable[[Sample, Options], Statistic | None] | None = None
    value: Callable[[ModelSums, Options], float] | None = None
    constant: Callable[[Numbers, Numbers, Options], float] | None = None
    mean_of: ProperScore | None = None


@dataclass(frozen=True)
class Score:
    """A score of probabilities, as used by intervals, reports and the command line.

    Parameters
    ----------
    function : callable
        ``function(y_true, proba, sample_weight, **options)``, a function of this package. Its name is the name of the
        score.
    title : str
        The name in reports.
    better : {"lower", "higher", "nearest to 0", "nearest to 1", "neither"}
        Which values are better.
    meaning : str
        A phrase that says what the score measures.
    topic : str
        The group of scores in which reports show the score.
    computation : Computation
    two_classes_only : bool
        Whether the score is restricted to two classes.
    defaults : mapping
        Options whose defaults in reports differ from those of the function.
    """

    function: Callable[..., float]
    title: str
    better: Literal["lower", "higher", "nearest to 0", "nearest to 1", "neither"]
    meaning: str
    topic: Topic = "others"
    computation: Computation = field(default_factory=Computation)
    two_classes_only: bool = False
    defaults: Options = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    @property
    def mark(self) -> str:
        """A symbol that shows which values are better."""
        return {"lower": "↓", "higher": "↑", "nearest to 0": "→ 0", "nearest to 1": "→ 1", "neither": ""}[self.better]

    @property
    def options(self) -> frozenset[str]:
        """The names of the options of the function, without the data and ``eps``."""
        return self._parameters - {"y_true", "proba", "sample_weight", "raw", "eps"}

    def with_defaults(self, options: Options) -> Options:
        """Return the options, completed with the defaults of reports."""
        if options.get("norm") == "max":  # no debiased estimate is known for this norm
            return dict(options)
        return {**self.defaults, **options}

    def refuse(self, options: Options) -> None:
        """Raise ValueError for options that the function does not have or rejects."""
        unknown = sorted(set(options) - self.options)
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise ValueError(f"options of {self.name} must be among {known}, got {unknown[0]!r}")
        if options:
            self.function([0, 1], [0.5, 0.5], **options)

    def statistic(self, sample: Sample, options: Options) -> Statistic | None:
        """Return the score as a function of sums, or None if there is no such function for the data."""
        make = self.computation.statistic
        return None if make is None or (self.two_classes_only and not sample.data.is_binary) else make(sample, options)

    def value(self, sums: ModelSums, options: Options) -> float:
        """Return the score of all summed rows."""
        if self.computation.value is not None:
            return self.computation.value(sums, options)
        eps = {"eps": sums.eps} if "eps" in self._parameters else {}
        rows = sums.rows()
        return float(self.function(rows.y, rows.proba, rows.weight, **options, **eps))

    def constant(self, forecast: Numbers, shares: Numbers, options: Options) -> float | None:
        """Return the score of a constant forecast, or None if it is not informative."""
        make = self.computation.constant
        return None if make is None else make(forecast, shares, options)

    @property
    def _parameters(self) -> frozenset[str]:
        return frozenset(signature(self.function).parameters)
