"""Remarks on the data: how columns were read, misleading columns, and splits by time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..study.columns import warnings_of
from ..study.splits import in_words
from ..study.tables import features_of, how_read, load
from .data import INNER, OPENML_LABEL, Source


@dataclass(frozen=True)
class Remarks:
    """Sentences on how the tables were read, on misleading columns, and on splits by time."""

    read: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    #: Whether any data set is split at random.
    random: bool = True


def remarks_of(sources: Iterable[Source]) -> Remarks:
    """Read each table among the sources once and return the remarks on it."""
    sources = list(sources)
    read: list[str] = []
    warnings: list[str] = []
    for source in sources:
        if source.path is None:
            continue
        table = source.table
        frame = load(table)
        features = features_of(table, frame)
        is_mine = source.label != OPENML_LABEL
        if is_mine:
            read.append(how_read(table, features))
        options = () if is_mine else ("--data", str(table.path), "--label", table.label)
        warnings += warnings_of(table, frame, features, options)
    by_time = [source for source in sources if source.time is not None]
    return Remarks(
        tuple(read),
        tuple(warnings),
        tuple(in_words(source.name, str(source.time), source.periods or 1, INNER) for source in by_time),
        random=len(by_time) < len(sources),
    )
