"""Several sources of sums in the same replicates, and how much wider few events make an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ._bootstrap import Bootstrap, Columns, Numbers, Totals, apart, observed, side_by_side
from ._statistics import Labels, Summed, independent_rows, normal_quantile

#: Student's t is not looked at with fewer degrees of freedom: its quantiles leave every range.
_LEAST_FREEDOM = 3.0


class Replicates:
    """The sums of each source, of the rows as they are and of Poisson replicates of them.

    Parameters
    ----------
    sources : sequence of Summed
    n_resamples, seed : int
    """

    def __init__(self, sources: Sequence[Summed], n_resamples: int, seed: int) -> None:
        self._n_values, self._n_cells = [s.n_values for s in sources], [s.n_cells for s in sources]
        self._bootstrap = Bootstrap(sum(self._n_values), sum(self._n_cells), n_resamples, seed)
        self._observed: Totals | None = None

    def add(self, parts: Sequence[Columns], weight: Numbers, follows: npt.NDArray[np.bool_] | None = None) -> None:
        """Add rows: the columns of each source, and the weights, which all share.

        ``follows`` says of each row whether it belongs to the group of the one before.
        """
        columns = side_by_side(parts, self._n_cells)
        self._bootstrap.add(weight, columns, follows)
        block = observed(weight, columns, sum(self._n_cells))
        before = self._observed
        self._observed = block if before is None else Totals(*(a + b for a, b in zip(before, block, strict=True)))

    def totals(self) -> list[tuple[Totals, Totals]]:
        """For each source the sums of the rows, and those of the replicates."""
        assert self._observed is not None
        seen, then = (apart(sums, self._n_values, self._n_cells) for sums in (self._observed, self._bootstrap.totals()))
        return list(zip(seen, then, strict=True))


def events(labels: tuple[Totals, Totals]) -> float:
    """How many independent rows the rarer outcome is worth."""
    seen, then = labels
    return min(independent_rows(float(share(seen)[0]), share(then)) for share in (Labels.events, Labels.others))


def expanded(level: float, n_events: float) -> float:
    """The level at which percentiles are read so that intervals from few events hold the truth as often as from many.

    Percentiles are as narrow as normal quantiles, and replicates vary less than samples by (n - 1) / n. So Student's t
    takes the normal quantile's place (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 4.4.2), here
    with the number of rare events as n: what they contribute to a score is most of its variance.
    """
    freedom = max(n_events - 1.0, _LEAST_FREEDOM)
    z = normal_quantile(level)
    quantile = student(z, freedom) * math.sqrt((freedom + 1.0) / freedom)
    return 2.0 * NormalDist().cdf(quantile) - 1.0


def student(z: float, freedom: float) -> float:
    """Student's quantile for the probability of the normal quantile z (Abramowitz and Stegun 1964, 26.7.5)."""
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
        (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0,
    )
    return z + sum(term / freedom ** (k + 1) for k, term in enumerate(terms))
