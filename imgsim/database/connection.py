"""The one place that connects to PostgreSQL, and that translates the driver's errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from pgvector.psycopg.halfvec import register_halfvec_info
from pgvector.psycopg.vector import register_vector_info
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types import TypeInfo

from imgsim.database import (
    addresses,
    binaries,
    definitions,
    embedded,
    migrations,
    session,
)
from imgsim.database.translation import not_connected, translate
from imgsim.errors import DatabaseError
from imgsim.settings import EmbeddedStore, ExternalServer, Settings
from imgsim.version import __version__

if TYPE_CHECKING:
    import pandas

Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = [
    "Connection",
    "Table",
    "beside",
    "connect",
    "driver_error",
    "for_programs",
    "on_warning",
    "open_connection",
    "table",
    "translate",
]

CONNECT_SECONDS = 15


def connect(settings: Settings, *, migrate: bool = True) -> Connection:
    """Returns a connection in autocommit mode, with the schema up to date and pgvector's types.

    Starts the embedded server if that is the target and it does not run.

    Raises:
        DatabaseError: the server does not exist, refuses, or lacks pgvector.
        MigrationError: the schema and this version of imgsim do not agree.
    """
    connection = open_connection(settings)
    try:
        session.settle(connection)
        if migrate:
            migrations.apply(connection)
            _register_vectors(connection)
    except psycopg.Error as exc:
        connection.close()
        raise translate(exc) from exc
    except BaseException:
        connection.close()
        raise
    return connection


def open_connection(settings: Settings) -> Connection:
    """Returns a connection in autocommit mode to the database as it is, without upgrading it.

    Raises:
        DatabaseError: there is no server, or it refuses.
    """
    target = settings.target
    if isinstance(target, ExternalServer):
        try:
            opened = _open(target.conninfo, psycopg.connect)
        except psycopg.Error as exc:
            raise not_connected(exc, target) from exc
        session.without_prepared_statements(opened)
        return opened
    try:
        return _open_embedded(target, settings.idle_minutes)
    except psycopg.Error as exc:
        raise translate(exc) from exc


def beside(connection: Connection) -> Connection:
    """Returns another connection to the same database and role, to watch what the first does."""
    # No variable and no service's file is asked again: it may say something else by now.
    opened = _open(make_conninfo("", **addresses.of_connection(connection)))
    session.settle(opened)
    return opened


def on_warning(connection: Connection, tell: Callable[[str], None]) -> None:
    """Passes the server's warnings on, each once, with its hint."""
    told: set[str] = set()

    def notice(said: psycopg.errors.Diagnostic) -> None:
        text = "; ".join(part for part in (said.message_primary, said.message_hint) if part)
        if said.severity_nonlocalized == "WARNING" and text not in told:
            told.add(text)
            tell(text)

    connection.add_notice_handler(notice)


def for_programs(settings: Settings) -> tuple[str, dict[str, str]]:
    """Returns what to run psql or pg_dump with: a libpq string of a running server, an environment.

    A password goes into the environment, because everybody can read the arguments of a process.
    """
    target = settings.target
    if isinstance(target, EmbeddedStore):
        server = embedded.ensure_running(target.folder, settings.idle_minutes)
        return server.conninfo(), binaries.environment_without_libpq()
    parts = conninfo_to_dict(target.conninfo)
    password = parts.pop("password", None)
    secret = {"PGPASSWORD": str(password)} if password else {}
    return make_conninfo("", **parts), {**os.environ, **secret}


@dataclass(frozen=True)
class Table:
    """The answer to a query: column names, and rows of plain Python values.

    `note` is what a reader must know of all of them, such as the threshold that was taken.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""

    def frame(self) -> pandas.DataFrame:
        """Returns the same as a DataFrame: text as strings, whole numbers as nullable integers."""
        import pandas

        frame = pandas.DataFrame(self.rows, columns=list(self.columns), dtype=object)
        for column in frame:
            values = [value for value in frame[column] if value is not None]
            kind = _pandas_type({type(value) for value in values})
            if kind:
                frame[column] = frame[column].astype(kind)  # type: ignore[call-overload]
        if self.note:
            frame.attrs["note"] = self.note
        return frame


def _pandas_type(kinds: set[type]) -> str | None:
    names = {bool: "boolean", int: "Int64", float: "Float64", Decimal: "Float64", str: "string"}
    found = {names.get(kind) for kind in kinds}
    return found.pop() if len(found) == 1 else None


def table(
    connection: Connection,
    statement: str,
    values: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Table:
    """Returns the answer to one query; its parameters are written `%(name)s` or `%s`."""
    cursor = connection.execute(statement.encode(), values)
    columns = tuple(column.name for column in cursor.description or ())
    return Table(columns, cursor.fetchall() if cursor.description else [])


def _open_embedded(target: EmbeddedStore, idle_minutes: float) -> Connection:
    server = embedded.running(target.folder)
    if server:
        try:
            return _open(server.conninfo())
        except psycopg.OperationalError:
            pass  # it was killed, or is stopping just now: the supervisor sorts that out
    return _open(embedded.ensure_running(target.folder, idle_minutes).conninfo())


def _open(conninfo: str, connecting: Callable[..., Connection] = addresses.connect) -> Connection:
    """Returns a connection; waits for a server that is starting or recovering."""
    told = {
        "connect_timeout": CONNECT_SECONDS,
        # Titles have letters that other encodings lack, whatever PGCLIENTENCODING says.
        "client_encoding": "UTF8",
        "application_name": f"imgsim {__version__}",
    }
    return addresses.connect_when_ready(conninfo, connecting, autocommit=True, **told)


def _register_vectors(connection: Connection) -> None:
    # By their schema's name: it may not be on the search path, where pgvector's own function looks.
    schema = definitions.extension_schema(connection) or "public"
    vector = TypeInfo.fetch(connection, sql.Identifier(schema, "vector"))
    half = TypeInfo.fetch(connection, sql.Identifier(schema, "halfvec"))
    if vector is None or half is None:
        raise DatabaseError(
            "the server's pgvector is too old: it has no half-precision vectors",
            "upgrade it to 0.8 or later, then run in this database: alter extension vector update",
        )
    register_vector_info(connection, vector)
    register_halfvec_info(connection, half)


def driver_error(exc: Exception) -> DatabaseError | None:
    """Returns the translation of an exception, if it is the driver's."""
    return translate(exc) if isinstance(exc, psycopg.Error) else None
