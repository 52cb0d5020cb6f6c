"""A durable log of the calls of a monitor, in SQLite or PostgreSQL.

Each call is one row, whose content is a binary payload. A call is acknowledged after its row has been committed. The state
of a monitor is a function of the log alone, so any process that reads the log has the same state.
"""

from __future__ import annotations

import io
import json
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

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
    url : str
        A path of an SQLite file, or an SQLAlchemy URL such as ``"postgresql+psycopg://user@host/database"``.
    synchronous : bool, default False
        Whether a call waits until SQLite has flushed it to the disk. Without it, acknowledged calls survive the death of the
        process, but not necessarily a power cut. PostgreSQL follows its own ``synchronous_commit``.

    Raises
    ------
    ValueError
        If the database has a newer schema than this version of the package.
    """

    def __init__(self, url: str, *, synchronous: bool = False) -> None:
        self._engine = sa.create_engine(url if "://" in url else f"sqlite:///{url}")
        weakref.finalize(self, self._engine.dispose)
        if self._engine.dialect.name == "sqlite":
            _configure_sqlite(self._engine, synchronous=synchronous)
        with self._writing() as connection:
            _TABLES.create_all(connection)
            _migrate(connection)

    def append(self, kind: str, payload: Payload) -> int:
        """Commit a call and return its number."""
        statement = sa.insert(_CALLS).values(kind=kind, payload=_packed(payload)).returning(_CALLS.c.number)
        with self._writing() as connection:
            return int(connection.execute(statement).scalar_one())

    def append_first(self, kind: str, payload: Payload) -> None:
        """Commit a call if the log is empty."""
        with self._writing() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(_CALLS)).scalar_one() == 0:
                connection.execute(sa.insert(_CALLS).values(kind=kind, payload=_packed(payload)))

    def read(self, after: int = 0) -> Iterator[Call]:
        """Yield the calls with larger numbers, in order."""
        statement = sa.select(_CALLS).order_by(_CALLS.c.number).limit(_ROWS_PER_READ)
        while True:
            with self._engine.connect() as connection:
                rows = connection.execute(statement.where(_CALLS.c.number > after)).all()
            for row in rows:
                yield Call(row.number, row.kind, _unpacked(row.payload))
            if len(rows) < _ROWS_PER_READ:
                return
            after = rows[-1].number

    def replace(self, number: int, kind: str, payload: Payload) -> None:
        """Replace all calls up to a number by one call, unless others have been added since."""
        with self._writing() as connection:
            last = connection.execute(sa.select(sa.func.max(_CALLS.c.number))).scalar_one()
            if last != number:
                return
            connection.execute(sa.delete(_CALLS))
            connection.execute(sa.insert(_CALLS).values(number=number, kind=kind, payload=_packed(payload)))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Begin the transaction of the only writer at a time, and commit it at the end."""
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            if self._engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            yield connection


def _configure_sqlite(engine: sa.Engine, *, synchronous: bool) -> None:
    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin in the listener below
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if synchronous else 'NORMAL'}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later could not wait for another writer.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


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
    connection.execute(sa.update(_VERSION).values(version=SCHEMA_VERSION))


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
