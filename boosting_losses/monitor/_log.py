"""A durable log of the calls of a monitor, in SQLite or PostgreSQL.

Each call is one row, whose content is a binary payload. A call is acknowledged after its row has been committed. The state
of a monitor is a function of the log alone, so any process that reads the log has the same state.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from ._engine import PATIENCE, engine_of, in_words

#: The version of the tables. A newer version needs a migration in ``_MIGRATIONS``.
SCHEMA_VERSION = 1
#: Statements that lead from each version to the next.
_MIGRATIONS: dict[int, tuple[str, ...]] = {}
#: Writers of PostgreSQL take this advisory lock, so that rows become visible in the order of their numbers.
_WRITERS = 7_305_211_902
_ROWS_PER_READ = 256
#: The key of a reference to an array.
_ARRAY = "__array__"

_TABLES = sa.MetaData()
_VERSION = sa.Table("monitor_version", _TABLES, sa.Column("version", sa.Integer, nullable=False))
_CALLS = sa.Table(
    "monitor_calls",
    _TABLES,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)


@sa.event.listens_for(_CALLS, "after_create")
def _keep_no_samples(_: sa.Table, connection: sa.Connection, **__: Any) -> None:
    """Prevent the statistics of PostgreSQL's planner from keeping samples of rows that are deleted later."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"ALTER TABLE {_CALLS.name} ALTER COLUMN payload SET STATISTICS 0"))


Payload = Mapping[str, Any]


class Call(NamedTuple):
    """A row of the log."""

    number: int
    kind: str
    payload: dict[str, Any]


class Log:
    """Append-only log in a database.

    Parameters
    ----------
    store : str
        A path of an SQLite file, or an SQLAlchemy URL such as ``"postgresql+psycopg://user@host/database"``.
    synchronous : bool, default False
        Whether a call waits until SQLite has flushed it to the disk. Without it, acknowledged calls survive the death of the
        process, but not necessarily a power cut. PostgreSQL follows its own ``synchronous_commit``.

    Raises
    ------
    ValueError, ImportError, OSError
        If there is no such database, or it cannot be written, or it has a newer schema than this version of the package.
    """

    def __init__(self, store: str, *, synchronous: bool = False) -> None:
        self._engine = engine_of(store, synchronous=synchronous)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        weakref.finalize(self, self._engine.dispose)
        with self.writing() as connection:
            _TABLES.create_all(connection)
            _migrate(connection)
        with contextlib.suppress(OSError):  # opening again completes it
            self._complete_deletion()

    def append(self, kind: str, payload: Payload) -> int:
        """Commit a call and return its number."""
        packed = _packed(payload)
        with self.writing() as connection:
            return _insert(connection, kind, packed)

    def append_first(self, kind: str, payload: Payload) -> None:
        """Commit a call if the log is empty."""
        with self.writing() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(_CALLS)).scalar_one() == 0:
                _insert(connection, kind, _packed(payload))

    def read(self, after: int = 0, connection: sa.Connection | None = None) -> Iterator[Call]:
        """Yield the calls with larger numbers, in order; with a connection, within its transaction."""
        statement = sa.select(_CALLS).order_by(_CALLS.c.number).limit(_ROWS_PER_READ)
        while True:
            with (
                in_words(self._engine),
                self._engine.connect() if connection is None else nullcontext(connection) as one,
            ):
                rows = one.execute(statement.where(_CALLS.c.number > after)).all()
            for row in rows:
                yield Call(row.number, row.kind, _unpacked(row.payload))
            if len(rows) < _ROWS_PER_READ:
                return
            after = rows[-1].number

    def replace(self, connection: sa.Connection, kind: str, payload: Payload) -> int:
        """Replace all calls by one, within the transaction of the only writer, and return its number."""
        packed = _packed(payload)
        # Deleted rows of PostgreSQL stay in its files until they are vacuumed; truncated files do not.
        connection.execute(sa.delete(_CALLS) if self._is_sqlite else sa.text(f"TRUNCATE {_CALLS.name}"))
        return _insert(connection, kind, packed)

    def erase(self) -> None:
        """Erase from the files of SQLite what replaced calls have left in them."""
        if not self._is_sqlite:
            return
        self._truncate_wal()  # makes room on a full disk
        with in_words(self._engine), self._engine.connect().execution_options(begin=None) as connection:
            connection.exec_driver_sql("VACUUM")
        self._truncate_wal()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Begin the transaction of the only writer at a time, and commit it at the end."""
        # A transaction of SQLite that reads first and writes later could not wait for another writer.
        options = {"begin": "BEGIN IMMEDIATE"}
        with (
            in_words(self._engine),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            if not self._is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            yield connection

    def _complete_deletion(self) -> None:
        """Erase what a process has left that died after it had replaced calls."""
        if not self._is_sqlite:
            return
        with in_words(self._engine), self._engine.connect() as connection:
            unused = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        if unused:  # a log that only grows has no unused pages
            self.erase()
        else:
            self._truncate_wal(patience=1)

    def _truncate_wal(self, patience: int = PATIENCE) -> None:
        until = time.monotonic() + patience
        with in_words(self._engine), self._engine.connect().execution_options(begin=None) as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * patience}")
            try:
                # SQLite itself waits for readers, but not for another process that does the same.
                while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
                    if time.monotonic() > until:
                        raise TimeoutError(
                            errno.ETIMEDOUT,
                            f"store must be free within {patience} s to erase deleted rows; repeat the call",
                            self._engine.url.database,
                        )
                    time.sleep(0.02)
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * PATIENCE}")


def _insert(connection: sa.Connection, kind: str, packed: bytes) -> int:
    statement = sa.insert(_CALLS).values(kind=kind, payload=packed).returning(_CALLS.c.number)
    return int(connection.execute(statement).scalar_one())


def _migrate(connection: sa.Connection) -> None:
    version = connection.execute(sa.select(_VERSION.c.version)).scalar()
    if version is None:
        connection.execute(sa.insert(_VERSION).values(version=SCHEMA_VERSION))
        return
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"the log must have schema version {SCHEMA_VERSION} or older, got {version}; update the package"
        )
    for older in range(version, SCHEMA_VERSION):
        for statement in _MIGRATIONS[older]:
            connection.exec_driver_sql(statement)
        connection.execute(sa.update(_VERSION).values(version=older + 1))


def _packed(payload: Payload) -> bytes:
    """Return JSON with references to arrays, followed by the arrays in NumPy's format."""
    arrays: list[npt.NDArray[Any]] = []

    def reference(array: npt.NDArray[Any]) -> dict[str, int]:
        arrays.append(array)
        return {_ARRAY: len(arrays) - 1}

    header = json.dumps(payload, separators=(",", ":"), default=reference).encode()
    buffer = io.BytesIO()
    buffer.write(len(header).to_bytes(8, "little"))
    buffer.write(header)
    for array in arrays:
        np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[str, Any]:
    buffer = io.BytesIO(content)
    header = buffer.read(int.from_bytes(buffer.read(8), "little"))
    arrays: list[npt.NDArray[Any]] = []
    while buffer.tell() < len(content):
        arrays.append(np.lib.format.read_array(buffer, allow_pickle=False))

    def restored(value: dict[str, Any]) -> Any:
        return arrays[value[_ARRAY]] if _ARRAY in value else value

    found: dict[str, Any] = json.loads(header, object_hook=restored)
    return found
