"""The one place that connects to PostgreSQL, and that translates the driver's errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors as pg

from imgsim import __version__
from imgsim.database import embedded, migrations
from imgsim.errors import DatabaseError
from imgsim.settings import EmbeddedStore, Settings

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_SECONDS = 15
NAMES_WANT_IMAGES = (
    "see what is stored with: imgsim psql -c 'select name from imgsim.image limit 9'"
)


def connect(settings: Settings, *, migrate: bool = True) -> Connection:
    """A connection in autocommit mode, its schema up to date and pgvector's types registered.

    Starts the embedded server if that is the target and it does not run.

    Raises:
        DatabaseError: there is no server, it refuses, or it lacks pgvector.
        MigrationError: the schema and this version of imgsim do not agree.
    """
    connection = open_connection(settings)
    try:
        if migrate:
            migrations.apply(connection)
            register_vector(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_connection(settings: Settings) -> Connection:
    """A connection in autocommit mode to whatever database is there, nothing done to it."""
    try:
        if isinstance(settings.target, EmbeddedStore):
            return _open_embedded(settings.target, settings.idle_minutes)
        return _open(settings.target.conninfo)
    except psycopg.Error as exc:
        raise translate(exc) from exc


def conninfo(settings: Settings) -> str:
    """What to give psql: a libpq string for the target, its embedded server running."""
    if isinstance(settings.target, EmbeddedStore):
        store = settings.target.folder
        return embedded.ensure_running(store, settings.idle_minutes).conninfo()
    return settings.target.conninfo


@dataclass(frozen=True)
class Table:
    """The answer to a query: column names, and rows of plain Python values."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def table(connection: Connection, statement: str, values: Mapping[str, Any]) -> Table:
    """Ask one query; its parameters are written `%(name)s`."""
    cursor = connection.execute(statement.encode(), values)
    columns = tuple(column.name for column in cursor.description or ())
    return Table(columns, cursor.fetchall())


def _open_embedded(target: EmbeddedStore, idle_minutes: float) -> Connection:
    server = embedded.running(target.folder)
    if server:
        try:
            return _open(server.conninfo())
        except psycopg.OperationalError:
            pass  # it was killed, or is stopping just now: the supervisor sorts that out
    return _open(embedded.ensure_running(target.folder, idle_minutes).conninfo())


def _open(conninfo: str) -> Connection:
    return psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name=f"imgsim {__version__}",
    )


def driver_error(exc: Exception) -> DatabaseError | None:
    """The translation of an exception, if it is the driver's."""
    return translate(exc) if isinstance(exc, psycopg.Error) else None


def translate(exc: psycopg.Error) -> DatabaseError:
    """The driver's error as one that names the thing, the reason and the next step."""
    text = str(exc).strip()
    first_line = text.splitlines()[0] if text else type(exc).__name__
    for kind, hint in HINTS:
        if isinstance(exc, kind):
            return DatabaseError(first_line, exc.diag.message_hint or hint)
    if isinstance(exc, pg.RaiseException) or exc.diag.message_hint:
        return DatabaseError(exc.diag.message_primary or first_line, exc.diag.message_hint or "")
    if isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None:
        hint = "see that the server runs and the address is right: imgsim doctor"
        return DatabaseError(f"cannot reach the database: {first_line}", hint)
    return DatabaseError(f"the database refused: {first_line}", "imgsim doctor may tell why")


HINTS: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (pg.InsufficientPrivilege, "connect as the owner of the schema imgsim, or ask for the right"),
    (pg.DiskFull, "make room where the database is kept, then run the same command again"),
    (
        (pg.FeatureNotSupported, pg.UndefinedFile),
        "the server needs the extension pgvector 0.8 or later (on Debian: postgresql-18-pgvector)",
    ),
    (pg.UndefinedTable, "run `imgsim db migrate` with this version of imgsim"),
    (pg.NoDataFound, NAMES_WANT_IMAGES),
    (pg.AdminShutdown, "the server was stopped meanwhile; run the same command again"),
    (pg.TooManyConnections, "close other connections, or raise max_connections"),
    (pg.InvalidPassword, "give the password in the URL, in PGPASSWORD or in ~/.pgpass"),
)
