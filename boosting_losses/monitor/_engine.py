"""Connections to the database of a store, and its errors in words."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

#: How many seconds a call waits for others that use an SQLite file, and for a server of PostgreSQL to accept a connection.
PATIENCE, _CONNECT_PATIENCE = 30, 10
_DIALECTS = ("sqlite", "postgresql")
_WANTED = (
    "store must be the path of an SQLite file, or a URL of SQLite or PostgreSQL such as"
    " postgresql+psycopg://user@host/database"
)
#: Names of errors of SQLite, and codes of PostgreSQL.
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100")
_FORBIDDEN = ("SQLITE_PERM", "SQLITE_AUTH", "25006", "42501")
_TOO_LARGE = ("SQLITE_TOOBIG", "54000")


def engine_of(store: str, *, synchronous: bool) -> sa.Engine:
    """Return the engine of a store.

    Parameters
    ----------
    store : str
        The path of an SQLite file, or a URL.
    synchronous : bool
        Whether a commit waits until SQLite has flushed it to the disk.

    Raises
    ------
    ValueError
        If it is no URL of SQLite or PostgreSQL, or an SQLite database in memory.
    ImportError
        If the driver is not installed.
    OSError
        If the path is a folder, or lies in a folder that does not exist.
    """
    url = _url(store)
    if url.get_backend_name() not in _DIALECTS:
        raise ValueError(f"{_WANTED}, got the scheme {url.drivername!r}")
    is_sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = sa.create_engine(url, hide_parameters=True) if is_sqlite else _postgresql(url)
    except sa.exc.NoSuchModuleError:
        raise ValueError(f"{_WANTED}, got the scheme {url.drivername!r}") from None
    except ImportError as error:
        raise ImportError(f"the driver of {url.drivername}:// must be installed, got: {error}") from error
    if engine.dialect.is_async:
        raise ValueError(f"store must have a synchronous driver, got the scheme {url.drivername!r}")
    if is_sqlite:
        _check_file(url)
        _configure_sqlite(engine, synchronous=synchronous)
    return engine


@contextmanager
def in_words(engine: sa.Engine) -> Iterator[None]:
    """Replace the errors of a driver by Python's own, with a message that says what to do."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _described(error, _name(engine.url)) from error.orig


def _url(store: str) -> sa.URL:
    if "://" not in store:
        return sa.URL.create("sqlite", database=store)  # a path may hold the special characters of URLs
    try:
        return sa.make_url(store)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(f"{_WANTED}, got another text that starts with {store.partition('://')[0]!r}") from None


def _name(url: sa.URL) -> str:
    """Return what messages call a store: a path, or a URL without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _postgresql(url: sa.URL) -> sa.Engine:
    waits = {"connect_timeout": _CONNECT_PATIENCE} if url.get_driver_name() in ("psycopg", "psycopg2") else {}
    return sa.create_engine(
        url,
        hide_parameters=True,
        connect_args={name: value for name, value in waits.items() if name not in url.query},
        isolation_level="READ COMMITTED",  # a statement sees what was committed while it waited for its lock
        pool_pre_ping=True,  # connections do not survive a restart of the server
    )


def _check_file(url: sa.URL) -> None:
    if url.database in (None, "", ":memory:"):
        raise ValueError("store must be a file, got an SQLite database in memory; omit store to keep all in memory")
    path = Path(str(url.database).removeprefix("file:"))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "store must be a file, got a folder", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "store must be in a folder that exists", str(path))


def _configure_sqlite(engine: sa.Engine, *, synchronous: bool) -> None:
    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin in the listener below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {1000 * PATIENCE}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if synchronous else 'NORMAL'}")
        # Deleted content is overwritten within pages; whole pages go at the next VACUUM. To overwrite these too would need
        # as much room on a full disk as they have.
        cursor.execute("PRAGMA secure_delete = FAST")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        statement = connection.get_execution_options().get("begin", "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)


def _described(error: sa.exc.DBAPIError, name: str) -> Exception:
    cause: Any = error.orig
    code = str(
        getattr(cause, "sqlite_errorname", None)
        or getattr(cause, "sqlstate", None)
        or getattr(cause, "pgcode", None)
        or ""
    )
    said = " ".join(str(cause).split())
    found: Exception
    if code in _FULL:
        found = OSError(errno.ENOSPC, "the disk of the store is full; free space and repeat the call", name)
    elif code == "SQLITE_NOTADB":
        found = ValueError(f"store must be an SQLite database, got another file: {name}")
    elif code in _TOO_LARGE:
        found = ValueError(f"a call, and the state after forget or delete, must need less than 1 GB, got: {said}")
    elif code.startswith("SQLITE_READONLY") or code in _FORBIDDEN:
        found = PermissionError(errno.EACCES, f"store must be writable, got: {said}", name)
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        found = TimeoutError(errno.ETIMEDOUT, f"store must be free within {PATIENCE} s, got a locked one", name)
    elif not isinstance(cause, sqlite3.Error) and (not code or error.connection_invalidated):
        found = ConnectionError(f"the server of the store must answer, got: {said} ({name})")
    else:
        found = OSError(errno.EIO, f"store must be a database that can be read and written, got: {said}", name)
    return found
