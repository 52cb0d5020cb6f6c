"""What there is to say of the caller's tables beside the scores: columns that mislead, and splits by time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..columns import warnings_of
from ..tables import features_of, how_read, load
from .data import INNER, OPENML_LABEL, Source
from .periods import in_words


@dataclass(frozen=True)
class Remarks:
    """Sentences: what became of the columns, what misleads, how sets are split that are not split at random."""

    read: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    #: Whether some set is split at random.
    random: bool = True


def remarks_of(sources: Iterable[Source]) -> Remarks:
    """Of the tables among the sources, each read once."""
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
