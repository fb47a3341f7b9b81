"""Stops the embedded server once nobody has used it for a while.

The rule: when no client is connected, and none has connected for the given number of minutes,
the server stops. The next command starts it again in about half a second.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import psycopg

from imgsim.database import embedded

OTHER_CLIENTS = """
    select count(*)::int
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
SESSIONS_SO_FAR = "select coalesce(sum(sessions), 0)::int from pg_stat_database"


def watch(store: Path, minutes: float) -> None:
    """Look every so often; return when the server has stopped, by this rule or otherwise."""
    server = embedded.running(store)
    if server is None:
        return
    # Not to the database imgsim: at a first start that is not there yet.
    with psycopg.connect(
        server.conninfo("postgres"),
        autocommit=True,
        application_name="imgsim idle watch",
    ) as connection:
        sessions = -1
        since = time.monotonic()
        while True:
            # Waiting on the connection, and not just sleeping, it ends as soon as the server does.
            for _ in connection.notifies(timeout=min(30.0, minutes * 60 / 4)):
                pass
            seen = _number(connection, SESSIONS_SO_FAR)
            if seen != sessions or _number(connection, OTHER_CLIENTS):
                sessions, since = seen, time.monotonic()
            elif time.monotonic() - since >= minutes * 60 and embedded.stop_if(
                store, connection, OTHER_CLIENTS
            ):
                return


def _number(connection: psycopg.Connection[tuple[int]], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else 0


def main() -> None:
    """Watch the store and the minutes named on the command line, until the server ends."""
    # When somebody else stops the server, the watch ends with it.
    with contextlib.suppress(psycopg.OperationalError):
        watch(Path(sys.argv[1]), float(sys.argv[2]))
