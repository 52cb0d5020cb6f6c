"""What a score is: a function, the words of a report, and how the score is computed from sums over rows."""

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
    """How a score follows from sums over rows. Each part may be left out.

    Parameters
    ----------
    statistic : callable, optional
        Returns the score as a function of sums, from which intervals are made, or None where these data have no such
        function. ``sample`` shows where the probabilities lie. Without it a report shows no interval.
    value : callable, optional
        Returns the score of all rows from what a report keeps of them. By default the function of the score is called on the
        binned rows, or, for K classes, on an even sample of the rows.
    constant : callable, optional
        Returns the score of a constant forecast ``(K,)`` where the classes have these shares ``(K,)``. Without it the
        baselines of a report have no value.
    mean_of : {"log_loss", "brier"}, optional
        The loss whose mean over rows the score is: its interval then needs no replicates.
    """

    statistic: Callable[[Sample, Options], Statistic | None] | None = None
    value: Callable[[ModelSums, Options], float] | None = None
    constant: Callable[[Numbers, Numbers, Options], float] | None = None
    mean_of: ProperScore | None = None


@dataclass(frozen=True)
class Score:
    """A score of probabilities. One entry serves intervals, reports and the command line.

    Parameters
    ----------
    function : callable
        ``function(y_true, proba, sample_weight, **options)``, a function of this package. Its name is that of the score.
    title : str
        The name in a report.
    better : {"lower", "higher", "nearest to 0", "nearest to 1", "neither"}
        Which values are better.
    meaning : str
        What the score says, in a phrase.
    topic : str
        With which scores a report shows it.
    computation : Computation
    two_classes_only : bool
        Whether more classes are refused.
    defaults : mapping
        Options that have other defaults in a report than in the function.
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
        """Which values are better, as a sign."""
        return {"lower": "↓", "higher": "↑", "nearest to 0": "→ 0", "nearest to 1": "→ 1", "neither": ""}[self.better]

    @property
    def options(self) -> frozenset[str]:
        """What the function takes beside data."""
        return self._parameters - {"y_true", "proba", "sample_weight", "raw", "eps"}

    def with_defaults(self, options: Options) -> Options:
        """Return the options, and the defaults of those that are not given."""
        if options.get("norm") == "max":  # of which no debiased estimate is known
            return dict(options)
        return {**self.defaults, **options}

    def refuse(self, options: Options) -> None:
        """Raise ValueError for options that the function does not have or refuses."""
        unknown = sorted(set(options) - self.options)
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise ValueError(f"options of {self.name} must be among {known}, got {unknown[0]!r}")
        if options:
            self.function([0, 1], [0.5, 0.5], **options)

    def statistic(self, sample: Sample, options: Options) -> Statistic | None:
        """Return the score as a function of sums, where it is one for these data."""
        make = self.computation.statistic
        return None if make is None or (self.two_classes_only and not sample.data.is_binary) else make(sample, options)

    def value(self, sums: ModelSums, options: Options) -> float:
        """Return the score of all rows that have been added up."""
        if self.computation.value is not None:
            return self.computation.value(sums, options)
        eps = {"eps": sums.eps} if "eps" in self._parameters else {}
        rows = sums.rows()
        return float(self.function(rows.y, rows.proba, rows.weight, **options, **eps))

    def constant(self, forecast: Numbers, shares: Numbers, options: Options) -> float | None:
        """Return the score of a constant forecast, where it tells something."""
        make = self.computation.constant
        return None if make is None else make(forecast, shares, options)

    @property
    def _parameters(self) -> frozenset[str]:
        return frozenset(signature(self.function).parameters)
