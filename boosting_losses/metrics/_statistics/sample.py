"""A sample of the predictions of one model, and the sources that its statistics share."""

from __future__ import annotations

from functools import cached_property

from .._base_rate import ProperScore
from .._predictions import Predictions
from .cells import Cells, EachClass
from .distribution import Predicted
from .isotonic import Recalibrated
from .means import Losses
from .residuals import FlexibleGaps, Residuals
from .temperature import Tempered


class Sample:
    """A sample that shows the distribution of the probabilities.

    Parameters
    ----------
    data : Predictions
    eps : float, optional
        The bound of the probabilities in the log loss.
    """

    def __init__(self, data: Predictions, eps: float | None = None) -> None:
        self.data, self.eps = data, eps
        self._losses: dict[ProperScore, Losses] = {}
        self._recalibrated: dict[ProperScore, Recalibrated] = {}

    def losses(self, score: ProperScore) -> Losses:
        """Return the source of losses and labels."""
        return self._losses.setdefault(score, Losses(score, self.data.classes, self.eps))

    def recalibrated(self, score: ProperScore) -> Recalibrated:
        """Return the isotonic regression by cells."""
        if score not in self._recalibrated:
            self._recalibrated[score] = Recalibrated(self.cells, score)
        return self._recalibrated[score]

    @cached_property
    def cells(self) -> Cells:
        """Narrow bins of the predicted probability, or of the largest predicted probability for K classes."""
        return Cells(self.data, self.eps)

    @cached_property
    def cells_of_classes(self) -> EachClass:
        """Narrow cells of the probability of each of K classes."""
        return EachClass(self.data)

    @cached_property
    def predicted(self) -> Predicted:
        """Labels and probabilities."""
        return Predicted(self.data.classes)

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals by cell."""
        return Residuals(self.cells)

    @cached_property
    def flexible(self) -> FlexibleGaps:
        """Gaps between the flexible curve and the diagonal."""
        return FlexibleGaps(self.residuals)

    @cached_property
    def tempered(self) -> Tempered:
        """Log losses of K classes at the best temperature."""
        return Tempered(self.data)
