"""The public class of reports on probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _validation
from ._accumulator import Accumulator
from ._build import baselines, model_result
from ._estimates import Estimates
from ._findings import findings
from ._input import by_group, label_codes, models_by_name, refuse_other_lengths, slice_codes
from ._results import ModelResult, Results
from ._settings import Settings, as_options
from ._significance import holm
from ._views.data import as_dict

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

#: The number of rows in a block.
BLOCK = 2**17


@dataclass(frozen=True, repr=False)
class ProbabilityReport(Results):
    """Scores with intervals, diagrams and findings in words for one or several models on the same rows.

    :meth:`from_predictions` creates a report from arrays, :meth:`from_accumulator` from data in blocks. A report is
    displayed as tables in a terminal or a notebook; ``to_frame``, ``to_json``, ``to_html`` and ``plot`` export it.
    """

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        proba: Any,
        sample_weight: npt.ArrayLike | None = None,
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        groups: npt.ArrayLike | None = None,
        slices: Any = None,
        thresholds: Sequence[float] = (),
        reference: str | None = None,
        metrics: Any = None,
        normalize: bool = False,
        eps: float | None = None,
        level: float = 0.95,
        n_resamples: int = 500,
        random_state: int = 0,
    ) -> ProbabilityReport:
        """Evaluate predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels: 0 and 1, class codes 0..K-1, or any labels that ``classes`` names.
        proba : array-like, sequence of array-likes, or mapping of names to array-likes
            The probabilities of one model, or of several models as a list or a mapping of arrays. An array ``(n,)``
            contains P(y = 1). An array ``(n, K)`` has one column per class, as returned by ``predict_proba``; of two
            columns, the second is evaluated.
        sample_weight : array-like of shape (n,), optional
        names : sequence of str, optional
            The names of the models.
        classes : sequence, optional
            The labels in the order of the columns; by default, 0..K-1.
        groups : array-like of shape (n,), optional
            The group of each row (a customer, a day). The intervals allow for dependent rows within a group.
        slices : array-like of shape (n,), or mapping or data frame of such, optional
            Categories of the rows (a region, an age band). The report also shows the scores of each category.
        thresholds : sequence of float, optional
            Decision thresholds for two classes: the second class is predicted if its probability is at least the
            threshold. The report shows precision, recall, F1, specificity and net benefit at each threshold.
            :func:`boosting_losses.metrics.threshold_of_costs` returns the threshold that given costs imply.
        reference : str, optional
            The model with which the other models are compared; by default, the first.
        metrics : sequence of str, or mapping of str to mapping, optional
            Names of scores in :data:`boosting_losses.report.SCORES`, with or without options; by default, those in
            ``Settings().metrics``.
        normalize : bool
            Whether to divide each row of ``(n, K)`` by its sum. Probabilities that were rounded to a few digits need this.
        eps : float, optional
            Probabilities are clipped to [eps, 1 - eps] for the log loss; by default, eps is the machine epsilon of their
            dtype. The report contains the number of clipped rows.
        level : float
            The confidence level of the intervals.
        n_resamples, random_state : int
            The number and the seed of the bootstrap replicates.

        Raises
        ------
        TypeError, ValueError
            If the data have a wrong dtype or shape, or invalid values; the message names the model and the row.
        ImportError
            If scipy, which fits the isotonic regressions, is not installed.
        """
        models = models_by_name(proba, names)
        y, labels = label_codes(y_true, next(iter(models.values())), classes)
        settings = Settings(
            as_options(metrics), eps, level, n_resamples, random_state, tuple(thresholds), reference, normalize
        )
        order, codes = by_group(groups, len(y))
        weight = None if sample_weight is None else _validation.numeric("sample_weight", sample_weight)
        refuse_other_lengths(y, models, weight)
        categories, of_slice = slice_codes(slices, len(y))
        sample = slice(None, None, -(-len(y) // BLOCK))
        accumulator = Accumulator(list(models), settings, None if codes is None else int(codes.max()) + 1, categories)
        accumulator.prepare(
            y[sample], [values[sample] for values in models.values()], None if weight is None else weight[sample]
        )
        for start in range(0, len(y), BLOCK):
            rows = slice(start, start + BLOCK) if order is None else order[start : start + BLOCK]
            index = np.arange(start, min(start + BLOCK, len(y))) if order is None else order[start : start + BLOCK]
            accumulator.add(
                y[rows],
                [values[rows] for values in models.values()],
                None if weight is None else weight[rows],
                index=index,
                groups=None if codes is None else codes[index],
                slices={name: values[rows] for name, values in of_slice.items()},
            )
        return cls.from_accumulator(accumulator, labels)

    @classmethod
    def from_accumulator(cls, accumulator: Accumulator, classes: Sequence[str] | None = None) -> ProbabilityReport:
        """Create a report from the sums of an accumulator.

        Parameters
        ----------
        accumulator : Accumulator
        classes : sequence of str, optional
            The names of the classes in the order of their codes; by default, 0..K-1.

        Returns
        -------
        ProbabilityReport

        Raises
        ------
        ValueError
            If no rows have been added, all weights are 0, or all labels are of one class.
        """
        if not accumulator.rows:
            raise ValueError("the accumulator must contain at least one row, got none")
        first = accumulator.models[0]
        labels = [str(k) for k in range(first.classes)] if classes is None else [str(label) for label in classes]
        if not first.weight > 0.0:
            raise ValueError(f"sample_weight must have a sum > 0, got {accumulator.rows} weights that are all 0")
        if np.count_nonzero(first.class_weight) < 2:
            only = labels[int(np.argmax(first.shares))]
            raise ValueError(f"y_true must contain more than one class, got class {only} only")
        estimates, level = Estimates(accumulator), accumulator.settings.level
        scores, values = estimates.scores, estimates.values
        errors, tables = estimates.flexible_errors(), estimates.tables()
        models = (
            model_result(name, sums, scores[m], values[m], errors[m], tables[m], level)
            for m, (name, sums) in enumerate(zip(accumulator.names, accumulator.models, strict=True))
        )
        differences = estimates.differences()
        return cls(
            rows=accumulator.rows,
            weight=first.weight / accumulator.scale,
            classes=tuple(labels),
            base_rates=first.shares,
            level=level,
            eps=accumulator.settings.eps,
            models=tuple(models),
            baselines=baselines(first.shares, accumulator.settings),
            events=estimates.events,
            primary=accumulator.settings.primary,
            reference=accumulator.names[accumulator.reference],
            differences=differences,
            p_values=holm(differences, level),
            findings=tuple(findings(accumulator, estimates, labels)),
            is_exact=all(sums.is_exact for sums in accumulator.models),
        )

    # ---- forms ------------------------------------------------------------------------------------------------------

    def to_frame(self, backend: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """Return the scores as a data frame: one row per model and score, then the baselines and the differences.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}

        Returns
        -------
        A data frame of that library with the columns ``model``, ``score``, ``value``, ``low``, ``high``.
        """
        from ._views.data import as_frame  # noqa: PLC0415

        return as_frame(self, backend)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as nested dictionaries and lists of strings and numbers; missing values are None.

        ``schema.json`` in this package is the schema of the dictionary; docs/report_json.md describes its fields.
        """
        return as_dict(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON, and write it to ``path`` if a path is given."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        return _written(text, path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return a self-contained HTML page, and write it to ``path`` if given; requires matplotlib and Jinja2."""
        from ._views.page import page  # noqa: PLC0415

        return _written(page(self), path)

    def plot(self, path: str | Path | IO[bytes] | None = None, *, format: str | None = None) -> Figure:
        """Draw reliability diagrams, histograms of the probabilities, and the log loss by tenths of the rows.

        This method requires matplotlib.

        Parameters
        ----------
        path : str, Path or binary file, optional
            The file to which the figure is written.
        format : str, optional
            The format of the file: "png", "svg" or "pdf"; by default, the extension of the path determines it.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ._views.figures import overview, save  # noqa: PLC0415

        figure = overview(self)
        if path is not None:
            save(figure, path, format=format, dpi=150)
        return figure

    def __rich__(self) -> RenderableType:
        from ._views.text import tables  # noqa: PLC0415

        return tables(self)

    def __repr__(self) -> str:
        try:
            from ._views.text import as_text  # noqa: PLC0415
        except ImportError:  # without rich
            losses = ", ".join(f"{model.name}: {_first(model)}" for model in self.models)
            return f"ProbabilityReport({self.rows} rows; {losses})"
        return as_text(self)

    def _repr_html_(self) -> str:
        from ._views.page import fragment  # noqa: PLC0415

        return fragment(self)


def _first(model: ModelResult) -> str:
    name, estimate = next(iter(model.scores.items()))
    return f"{name} {estimate.value:.4f}"


def _written(text: str, path: str | Path | None) -> str:
    """Return the text, and write it to ``path`` atomically if a path is given."""
    if path is not None:
        target = Path(path)
        scratch = target.with_name(target.name + ".part")
        try:
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
    return text
