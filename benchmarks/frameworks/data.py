"""The data of the comparison: scikit-learn's data sets, synthetic ones with known probabilities, files, and OpenML."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.datasets import fetch_openml

from boosting_losses._types import Array

from ..study import TableError, data_sets, splits
from ..study.data_sets import DataSet, Maker, drawn
from ..study.splits import Parts
from ..study.tables import LEAST_OF_A_CLASS, Table, read

#: The share of rows for testing, and the share of the remaining rows for early stopping and calibration.
TEST, INNER = 0.3, 0.25
#: The label column in stored data sets from OpenML.
OPENML_LABEL = "label of the set"


@dataclass(frozen=True)
class Source:
    """The source of the rows: a name in ``data_sets.real()`` or ``made()``, or a file."""

    name: str
    rows: int | None = None
    path: str | None = None
    label: str | None = None
    weight: str | None = None
    drop: tuple[str, ...] = ()
    digest: str | None = None
    time: str | None = None
    periods: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether the rows are drawn anew for every seed, with known probabilities."""
        return self.rows is not None

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that distinguish this source from others; for a file the content, not the path."""
        return {name: value for name, value in vars(self).items() if name != "path" and value}

    def load(self, seed: int) -> DataSet:
        """Return all rows."""
        if self.path is not None:
            digest = _digest(Path(self.path))
            if digest != self.digest:
                raise TableError(f"{self.path} must not change during the comparison, got different content")
            return _read(self.table, digest)
        return (data_sets.real()[self.name] if self.rows is None else made(self.rows)[self.name])(seed)

    @property
    def table(self) -> Table:
        """The file and the roles of its columns."""
        return Table(Path(str(self.path)), str(self.label), self.weight, tuple(self.drop), time=self.time)

    def parts(self, seed: int) -> Parts:
        """Return all rows in three parts, split at random or by time."""
        return split(self.load(seed), seed, self.periods)


def from_file(
    path: Path,
    label: str,
    weight: str | None = None,
    drop: tuple[str, ...] = (),
    name: str | None = None,
    *,
    time: str | None = None,
    periods: int = 1,
) -> Source:
    """Check a user's file and return it as a source; ``periods`` is the number of test periods if ``time`` is given."""
    try:
        digest = _digest(path)
    except OSError as error:
        raise TableError(f"{path} must be a CSV or Parquet file, got {error}") from None
    source = Source(name or path.stem, None, str(path.resolve()), label, weight, drop, digest)
    if time is not None:
        source = replace(source, time=time, periods=periods)
    try:
        for seed in range(source.periods or 1):  # for random splits, one seed suffices
            source.parts(seed)
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{path} cannot be split into three parts: {error}") from None
    return source


@functools.lru_cache(maxsize=1)
def _read(table: Table, digest: str) -> DataSet:
    """Read a file once for all trainings of a process; the digest invalidates the cache if the file changes."""
    del digest
    return read(table)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def split(data: DataSet, seed: int, periods: int | None = None) -> Parts:
    """Return the three parts for all libraries and losses, stratified by class, or split by time into periods."""
    classes, codes = np.unique(data.y, return_inverse=True)
    counts = np.bincount(codes)
    if counts.min() < LEAST_OF_A_CLASS:
        rarest = classes[counts.argmin()].item()
        raise TableError(f"every class must have at least {LEAST_OF_A_CLASS} rows, got {counts.min()} of {rarest!r}")
    if data.time is not None and periods is not None:
        rows = splits.by_time(data.time, seed, periods, INNER)
        splits.check_classes(codes, rows, classes, seed)
    else:
        rows = splits.three_parts(codes, TEST, INNER, seed)
    coded = replace(data, y=codes)
    parts = Parts(*(coded.take(some) for some in rows))
    for part in parts:
        if part.weight is not None and not np.bincount(part.y, part.weight).all():
            empty = classes[np.bincount(part.y, part.weight).argmin()].item()
            raise TableError(f"every class must have rows with weight > 0 in every part, got none of {empty!r}")
    return parts


# ---- synthetic sets ----------------------------------------------------------------------------------------------------


def made(rows: int) -> Mapping[str, Maker]:
    """Return sets with known probabilities, drawn anew for every seed.

    Sets with rare classes have more rows, so that every part contains some rows of these classes.
    """
    return {
        "made: 2 classes": partial(_with_rate, rows, 0.4),
        "made: 2 classes, nearly certain": partial(_with_rate, rows, 0.4, steep=4.0),
        "made: 10 % positive": partial(_with_rate, rows, 0.1),
        "made: 1 % positive": partial(_with_rate, 4 * rows, 0.01),
        "made: 0.1 % positive": partial(_with_rate, max(12 * rows, 30_000), 0.001),
        "made: 20 % of labels random": partial(_with_rate, rows, 0.3, noise=0.2),
        "made: negatives sampled, weighted": partial(_negatives_sampled, rows),
        "made: categories": partial(_categories, rows),
        "made: 4 classes": partial(data_sets.waves, rows, 4),
        "made: 20 classes": partial(data_sets.waves, rows, 20),
    }


def _with_rate(rows: int, rate: float, seed: int, *, steep: float = 1.0, noise: float = 0.0) -> DataSet:
    """Draw two classes; the second has the given share before some labels are replaced by random ones."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    odds = data_sets.scores_of(X, 2, random, steep)[:, 1]
    return drawn(X, (1.0 - noise) * _shifted(odds, rate) + noise / 2.0, random)


def _negatives_sampled(rows: int, seed: int) -> DataSet:
    """Draw 2 % positives, and keep all of them and a tenth of the negatives with weight 10, as in advertising."""
    whole = _with_rate(8 * rows, 0.02, seed)
    kept = (whole.y == 1) | (np.random.default_rng([seed, 1]).random(8 * rows) < 0.1)
    part = whole.take(np.flatnonzero(kept))
    return replace(part, weight=np.where(part.y == 1, 1.0, 10.0))


def _categories(rows: int, seed: int) -> DataSet:
    """Draw five numerical features and three categorical ones with 5, 20 and 100 levels; each level has an effect."""
    random = np.random.default_rng(seed)
    numbers = random.standard_normal((rows, 5))
    frame = pd.DataFrame({f"number{i}": numbers[:, i] for i in range(5)})
    odds = numbers[:, 0] + np.sin(2.0 * numbers[:, 1])
    for levels in (5, 20, 100):
        codes = random.integers(levels, size=rows)
        odds += random.normal(size=levels)[codes] * (1.0 + (numbers[:, 2] > 0.0))
        frame[f"of{levels}"] = pd.Categorical.from_codes(codes, [f"level {k}" for k in range(levels)])
    return drawn(frame, _shifted(odds, 0.3), random)


def _shifted(odds: Array, rate: float) -> Array:
    """Return probabilities with the given mean, from log odds shifted by a constant."""
    shift = brentq(lambda c: float(expit(odds + c).mean()) - rate, -50.0, 50.0)
    proba: Array = expit(odds + shift)
    return proba


# ---- OpenML ------------------------------------------------------------------------------------------------------------


def from_openml(name: str, folder: Path, fetch: Callable[..., Any] = fetch_openml) -> Source:
    """Fetch a data set from OpenML by name or number once, and store it as a Parquet file."""
    path = folder / f"{_file_name(name)}.parquet"
    if not path.exists():
        which = {"data_id": int(name)} if name.isdigit() else {"name": name, "version": "active"}
        try:
            bunch = fetch(**which, as_frame=True, parser="liac-arff")
        except OSError as error:  # includes URLError, HTTPError and timeouts
            raise TableError(
                f"OpenML's set {name!r} could not be fetched ({error}); connect once, or use --data with a file"
            ) from None
        except ValueError as error:
            raise TableError(f"OpenML's set {name!r} cannot be used: {error}") from None
        if bunch.target is None:
            raise TableError(f"OpenML's set {name!r} must have one label column, got none; use --data with a file")
        frame = bunch.data.assign(**{OPENML_LABEL: bunch.target})
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        frame.to_parquet(unfinished)
        unfinished.replace(path)
    return from_file(path, OPENML_LABEL, name=name)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
