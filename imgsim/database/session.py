"""What a connection can do: its settings, whether it stays with one server process, may it write.

PgBouncer in transaction mode gives every transaction whatever server process is free. Statements
prepared in one are missing in the next, and a lock of the session stays on a process that others
are given. So no statements are prepared behind a pooler, and commands that need such locks refuse.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from imgsim.database import addresses
from imgsim.errors import DatabaseError

logger = logging.getLogger("imgsim")

Connection = psycopg.Connection[tuple[Any, ...]]

SETTINGS = {
    "search_path": "pg_catalog, pg_temp",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "client_min_messages": "notice",
    "join_collapse_limit": "8",
    "from_collapse_limit": "8",
}
"""What imgsim's own statements were written for.

PGOPTIONS, PGDATESTYLE, a role or a database may set these otherwise: then text has other dates and
fewer digits, names are somebody else's, warnings go unseen, and joins are made as written.
"""

TRIES = 3
PROBE_SECONDS = 15


def without_prepared_statements(connection: Connection) -> None:
    """Turns prepared statements off if a pooler is between this process and the server."""
    if _backend(connection) != connection.info.backend_pid:
        connection.prepare_threshold = None


def settle(connection: Connection) -> None:
    """Sets what imgsim's statements rely on, whatever the environment or the role sets.

    Not behind a pooler: there a setting stays on a connection that others are given, and each
    statement is a transaction of its own, which `set local` does not outlast. What is set otherwise
    there is said.
    """
    if connection.prepare_threshold is None:
        _tell_of_others(connection)
        return
    calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(SETTINGS))
    values = [part for setting in SETTINGS.items() for part in setting]
    connection.execute(f"select {calls}".encode(), values, prepare=False)


def _tell_of_others(connection: Connection) -> None:
    """Says which settings are not those that imgsim's statements were written for."""
    # Nobody's path is pg_catalog alone. Who may create on it is what `imgsim doctor` looks at.
    wanted = {name: value for name, value in SETTINGS.items() if name != "search_path"}
    calls = ", ".join(["pg_catalog.current_setting(%s)"] * len(wanted))
    found = connection.execute(f"select {calls}".encode(), list(wanted)).fetchone() or ()
    rows = [
        (name, each, value)
        for (name, value), each in zip(wanted.items(), found, strict=True)
        if each != value
    ]
    if rows:
        others = ", ".join(f"{name} is {each!r}, not {value!r}" for name, each, value in rows)
        steps = "; ".join(f"alter role {connection.info.user} reset {name}" for name, _, _ in rows)
        logger.warning(
            "through this connection pooler imgsim cannot make its own settings, and these may "
            "change what is answered: %s; next: %s, or connect to the server itself",
            others,
            steps,
        )


class CallersPath:
    """Where the caller's own statements look names up, who may change it by one of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute(
            "select s.reset_val from pg_catalog.pg_settings s where s.name = 'search_path'"
        ).fetchone()
        self._path = row[0] if row else ""

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Looks names up there; not behind a pooler, where nothing was set (`settle`)."""
        if self._connection.prepare_threshold is None:
            yield
            return
        self._set(self._path)
        try:
            yield
            row = self._connection.execute(
                "select pg_catalog.current_setting('search_path')"
            ).fetchone()
            self._path = row[0] if row else self._path
        finally:
            # A transaction that failed takes the path back by itself.
            if self._connection.info.transaction_status != TransactionStatus.INERROR:
                self._set(SETTINGS["search_path"])

    def _set(self, path: str) -> None:
        if not self._connection.closed:
            self._connection.execute(
                "select pg_catalog.set_config('search_path', %s, false)", [path]
            )


def require_session(connection: Connection) -> None:
    """Checks that locks of this session stay its own.

    Raises:
        DatabaseError: a pooler gives the connection another server process for every transaction.
    """
    if changes_process(connection):
        raise DatabaseError(
            "cannot do this through a connection pooler in transaction mode: "
            "locks would stay behind on connections that others are given",
            "connect to the server itself, or through a pool in session mode (docs/server.md)",
        )


def changes_process(connection: Connection) -> bool:
    """Returns whether a pooler gives this connection another process for every transaction.

    A pooler shows its clients process ids of its own. In session mode the process behind it stays
    with the client. In transaction mode it goes back to the pool and to the next client, so that a
    second connection of ours is given it, or this one is given another.
    """
    before = _backend(connection)
    if before == connection.info.backend_pid or not connection.autocommit:
        return False
    parameters: dict[str, Any] = {
        **addresses.of_connection(connection),
        "connect_timeout": PROBE_SECONDS,
    }
    for _ in range(TRIES):
        with psycopg.connect("", prepare_threshold=None, **parameters) as other:
            if _backend(other) == before:
                return True
            now = _backend(connection)
        if now != before:
            return True
    return False


def only_reads(connection: Connection) -> bool:
    """Returns whether this is a standby or a reader, which cannot renew lists and pairs."""
    row = connection.execute(
        """
        select pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool
            or not pg_catalog.has_table_privilege('imgsim.neighbour_list', 'insert')
            or not pg_catalog.has_table_privilege('imgsim.pair', 'insert')
        """
    ).fetchone()
    return bool(row and row[0])


def _backend(connection: Connection) -> int:
    row = connection.execute("select pg_catalog.pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
