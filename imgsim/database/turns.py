"""The order in which everybody takes locks, so that two commands at once end well.

1. Turns: one process at a time at a kind of work, from before its first transaction to its end.
2. The rows of `imgsim.model`, in order of `model_id`: `hold_models` for who replaces or removes
   what others compute from or links it to books, `share_models` for who computes from it.
3. Everything else.

A transaction takes the second before it reads what it relies on or deletes anything: a lock that
comes after a delete does not keep others from committing rows which that delete did not see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

from imgsim.database.connection import Connection, beside
from imgsim.database.session import require_session

Result = TypeVar("Result")

ANSWERING = (TransactionStatus.IDLE, TransactionStatus.INTRANS)
BROKEN_OFF = (pg.DeadlockDetected, pg.SerializationFailure)
TOLD_AFTER_SECONDS = 2.0

logger = logging.getLogger("imgsim")


@contextmanager
def turn(connection: Connection, what: str, number: int) -> Iterator[None]:
    """Waits until no other connection is at `what` with this number, and keeps others from it.

    It lasts beyond a transaction's end, so that work can be committed piece by piece. Within a
    transaction it lasts until that transaction ends, however it ends.

    Raises:
        DatabaseError: a pooler changes the connection's process, which would keep the lock.
    """
    require_session(connection)
    inside = connection.info.transaction_status != TransactionStatus.IDLE
    values = [what, number]
    with told(connection):
        if inside:
            # A failed transaction answers nothing, not even an unlock: it lets go by itself.
            connection.execute("select pg_advisory_xact_lock(hashtext(%s), %s)", values)
        else:
            connection.execute("select pg_advisory_lock(hashtext(%s), %s)", values)
    try:
        yield
    finally:
        if not inside:
            _end_turn(connection, values)


def _end_turn(connection: Connection, values: list[object]) -> None:
    if connection.info.transaction_status == TransactionStatus.INERROR:
        connection.rollback()  # begun after the turn: it would answer nothing
    # A connection that broke has let go of its locks.
    if connection.info.transaction_status in ANSWERING:
        connection.execute("select pg_advisory_unlock(hashtext(%s), %s)", values)


def hold_models(connection: Connection) -> None:
    """Keeps everybody from computing from vectors, images or evidence until the transaction ends.

    To be called before the transaction touches any other row.
    """
    with told(connection):
        connection.execute("select model_id from imgsim.model order by model_id for update")


def share_models(connection: Connection) -> None:
    """Keeps vectors, images and their contents as they are until the transaction ends.

    To be called before the transaction reads what it relies on.
    """
    with told(connection):
        connection.execute("select model_id from imgsim.model order by model_id for share")


def committed(connection: Connection, work: Callable[[], Result]) -> Result:
    """Returns what `work` returns, done in one transaction.

    PostgreSQL breaks a transaction off to end a deadlock. The other one has then gone on, so that
    a second try mostly succeeds; there is no third.
    """
    try:
        with connection.transaction():
            return work()
    except BROKEN_OFF:
        with connection.transaction():
            return work()


@contextmanager
def told(connection: Connection) -> Iterator[None]:
    """Tells whom a statement waits for, when it has waited for two seconds."""
    timer = threading.Timer(TOLD_AFTER_SECONDS, _tell, [connection, connection.info.backend_pid])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(connection: Connection, waiting: int) -> None:
    """Without a second connection nothing is told; the wait does not depend on it."""
    try:
        with beside(connection) as looking:
            rows = looking.execute(
                """
                select a.application_name, a.usename,
                    coalesce(a.client_hostname, host(a.client_addr), 'this machine'), a.pid,
                    to_char(coalesce(a.xact_start, a.backend_start), 'YYYY-MM-DD HH24:MI:SS')
                from pg_catalog.pg_stat_activity a
                where a.pid = any(pg_catalog.pg_blocking_pids(%s))
                order by a.backend_start
                """,
                [waiting],
            ).fetchall()
    except psycopg.Error:
        return
    for program, user, host, pid, since in rows:
        logger.warning(
            "waiting for %s of %s from %s (server process %s), at work since %s",
            *(program or "another program", user, host, pid, since),
        )


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
