"""One at a time: processes that would do the same work wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.pq import TransactionStatus

from imgsim.database.connection import Connection
from imgsim.database.session import require_session

ANSWERING = (TransactionStatus.IDLE, TransactionStatus.INTRANS)


@contextmanager
def turn(connection: Connection, what: str, number: int) -> Iterator[None]:
    """Wait until no other connection is at `what` with this number, and keep others from it.

    It goes beyond a transaction's end, so that work can be committed piece by piece.

    Raises:
        DatabaseError: a pooler changes the connection's process, which would keep the lock.
    """
    require_session(connection)
    values = [what, number]
    connection.execute("select pg_advisory_lock(hashtext(%s), %s)", values)
    try:
        yield
    finally:
        # A connection that broke has let go of its locks.
        if connection.info.transaction_status in ANSWERING:
            connection.execute("select pg_advisory_unlock(hashtext(%s), %s)", values)


class Shared:
    """One connection that several threads use, one of them at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Keeps other threads waiting: what they do must not get into this one's transaction."""
        with self._lock:
            yield self._connection
