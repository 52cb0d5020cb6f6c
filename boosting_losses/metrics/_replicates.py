"""Several sources of sums in the same replicates, and how many events these show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ._bootstrap import Bootstrap, Columns, Numbers, Totals, apart, observed, side_by_side
from ._row_losses import Labels
from ._statistics import Summed, independent_rows


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
