"""The data of the comparison: sets that scikit-learn ships, made ones with known probabilities, the caller's, OpenML's."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, softmax
from sklearn.datasets import fetch_openml
from sklearn.model_selection import train_test_split

from .. import data_sets
from ..data_sets import Array, DataSet, Maker
from ..tables import LEAST_OF_A_CLASS, Table, TableError, read
from . import periods as in_time

#: Shares of the rows to test on, and of the others to stop early and to calibrate on.
TEST, INNER = 0.3, 0.25
#: Where the labels of OpenML's sets are kept.
OPENML_LABEL = "label of the set"


@dataclass(frozen=True)
class Source:
    """Where the rows come from: a name of ``REAL`` or ``made()``, or a file."""

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
        """Drawn anew for every seed, with known probabilities."""
        return self.rows is not None

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from others: of a file the content, wherever it lies."""
        return {name: value for name, value in vars(self).items() if name != "path" and value}

    def load(self, seed: int) -> DataSet:
        """All rows."""
        if self.path is not None:
            digest = _digest(Path(self.path))
            if digest != self.digest:
                raise TableError(f"{self.path} must stay as it was when the comparison began, got another content")
            return _read(self.table, digest)
        return (data_sets.real()[self.name] if self.rows is None else made(self.rows)[self.name])(seed)

    @property
    def table(self) -> Table:
        """The file, and what its columns are."""
        return Table(Path(str(self.path)), str(self.label), self.weight, tuple(self.drop), time=self.time)

    def parts(self, seed: int) -> Parts:
        """All rows in three parts, at random or by time."""
        return split(self.load(seed), seed, self.periods)


class Parts(NamedTuple):
    """Rows to train on, to stop early and calibrate on, and to test on; labels are class codes."""

    train: DataSet
    inner: DataSet
    test: DataSet


def from_file(
    path: Path,
    label: str,
    weight: str | None,
    drop: tuple[str, ...],
    name: str | None = None,
    *,
    time: str | None = None,
    periods: int = 1,
) -> Source:
    """A file of the caller's, read once to see that it is right, with a column of times in so many periods of tests."""
    try:
        digest = _digest(path)
    except OSError as error:
        raise TableError(f"{path} must be a CSV or Parquet file, got {error}") from None
    source = Source(name or path.stem, None, str(path.resolve()), label, weight, drop, digest)
    if time is not None:
        source = replace(source, time=time, periods=periods)
    try:
        for seed in range(source.periods or 1):  # random splits are all alike
            source.parts(seed)
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{path} cannot be split in three parts: {error}") from None
    return source


@functools.lru_cache(maxsize=1)
def _read(table: Table, digest: str) -> DataSet:
    """Once for all trainings of a process: the digest says that the file is still the same."""
    del digest
    return read(table)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def split(data: DataSet, seed: int, periods: int | None = None) -> Parts:
    """The same three parts for every library and loss, stratified by class, or by time in so many periods of tests."""
    classes, codes = np.unique(data.y, return_inverse=True)
    counts = np.bincount(codes)
    if counts.min() < LEAST_OF_A_CLASS:
        rarest = classes[counts.argmin()].item()
        raise TableError(f"every class must have at least {LEAST_OF_A_CLASS} rows, got {counts.min()} of {rarest!r}")
    coded = DataSet(data.X, codes, data.proba, data.weight, data.time)
    if data.time is not None and periods is not None:
        rows = in_time.by_time(data.time, seed, periods, INNER)
        in_time.check(codes, rows, classes, seed)
    else:
        rest, test = train_test_split(np.arange(len(codes)), test_size=TEST, stratify=codes, random_state=seed)
        rows = (*train_test_split(rest, test_size=INNER, stratify=codes[rest], random_state=seed), test)
    parts = Parts(*(coded.take(some) for some in rows))
    for part in parts:
        if part.weight is not None and not np.bincount(part.y, part.weight).all():
            empty = classes[np.bincount(part.y, part.weight).argmin()].item()
            raise TableError(f"every class must have rows of a weight > 0 in every part, got none of {empty!r}")
    return parts


# ---- made sets ---------------------------------------------------------------------------------------------------------


def made(rows: int) -> Mapping[str, Maker]:
    """Families of data whose probabilities are known, each drawn anew for every seed.

    Rare classes get more rows, so that some are there in every part.
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
        "made: 4 classes": partial(_classes, rows, 4),
        "made: 20 classes": partial(_classes, rows, 20),
    }


def _with_rate(rows: int, rate: float, seed: int, *, steep: float = 1.0, noise: float = 0.0) -> DataSet:
    """Two classes, of which the second has the given share before some labels are exchanged for random ones."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    odds = data_sets.waves(X, 2, random, steep)[:, 1]
    return _drawn(X, (1.0 - noise) * _shifted(odds, rate) + noise / 2.0, random)


def _negatives_sampled(rows: int, seed: int) -> DataSet:
    """As advertisers keep their data: all positives, 2 % of them, and a tenth of the negatives with ten times the weight."""
    whole = _with_rate(8 * rows, 0.02, seed)
    kept = (whole.y == 1) | (np.random.default_rng([seed, 1]).random(8 * rows) < 0.1)
    part = whole.take(np.flatnonzero(kept))
    return DataSet(part.X, part.y, part.proba, np.where(part.y == 1, 1.0, 10.0))


def _categories(rows: int, seed: int) -> DataSet:
    """Five numbers and three columns of 5, 20 and 100 categories, each with an effect of its own."""
    random = np.random.default_rng(seed)
    numbers = random.standard_normal((rows, 5))
    frame = pd.DataFrame({f"number{i}": numbers[:, i] for i in range(5)})
    odds = numbers[:, 0] + np.sin(2.0 * numbers[:, 1])
    for levels in (5, 20, 100):
        codes = random.integers(levels, size=rows)
        odds += random.normal(size=levels)[codes] * (1.0 + (numbers[:, 2] > 0.0))
        frame[f"of{levels}"] = pd.Categorical.from_codes(codes, [f"level {k}" for k in range(levels)])
    return _drawn(frame, _shifted(odds, 0.3), random)


def _classes(rows: int, classes: int, seed: int) -> DataSet:
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    proba = softmax(data_sets.waves(X, classes, random), axis=1)
    return DataSet(X, data_sets.drawn(proba, random), proba)


def _shifted(odds: Array, rate: float) -> Array:
    """Probabilities with the given mean."""
    shift = brentq(lambda c: float(expit(odds + c).mean()) - rate, -50.0, 50.0)
    proba: Array = expit(odds + shift)
    return proba


def _drawn(X: Any, positive: Array, random: np.random.Generator) -> DataSet:
    proba = np.column_stack([1.0 - positive, positive])
    return DataSet(X, data_sets.drawn(proba, random), proba)


# ---- OpenML ------------------------------------------------------------------------------------------------------------


def from_openml(name: str, folder: Path, fetch: Callable[..., Any] = fetch_openml) -> Source:
    """A set of OpenML's by its name or number, kept as a Parquet file, so that it is fetched only once."""
    path = folder / f"{_file_name(name)}.parquet"
    if not path.exists():
        which = {"data_id": int(name)} if name.isdigit() else {"name": name, "version": "active"}
        try:
            bunch = fetch(**which, as_frame=True, parser="liac-arff")
        except OSError as error:  # URLError, HTTPError and timeouts are of this kind
            raise TableError(
                f"OpenML's set {name!r} could not be fetched ({error}); it takes a connection once, or --data with a file"
            ) from None
        except ValueError as error:
            raise TableError(f"OpenML has no set {name!r} to use: {error}") from None
        if bunch.target is None:
            raise TableError(f"OpenML's set {name!r} must have one column of labels, got none; use --data with a file")
        frame = bunch.data.assign(**{OPENML_LABEL: bunch.target})
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        frame.to_parquet(unfinished)
        unfinished.replace(path)
    return from_file(path, OPENML_LABEL, None, (), name)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
