"""Records each ingest: when, where, with what arguments, and how it ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from imgsim.database.connection import Connection
from imgsim.version import __version__

RUNS = 730_583
"""The kind of advisory lock that a connection holds for its run, whatever host it is on."""


def begin(connection: Connection, arguments: Mapping[str, Any]) -> int:
    """Records that an ingest begins, and that killed ones have ended; returns the run's id."""
    settle(connection)
    # In one transaction: a run that others see is locked, and so known to go on.
    with connection.transaction():
        row = connection.execute(
            """
            insert into imgsim.ingest_run (host, process_id, imgsim_version, arguments)
            values (%s, %s, %s, %s)
            returning run_id
            """,
            [socket.gethostname(), os.getpid(), __version__, json.dumps(arguments)],
        ).fetchone()
        assert row is not None
        connection.execute("select pg_advisory_lock(%s, %s)", [RUNS, _number(row[0])])
    return int(row[0])


def go_on_here(connection: Connection, run_ids: Sequence[int]) -> dict[int, int]:
    """Records a run of this machine for each of those that were of another one.

    Whether the file of an image is gone can only be seen on the machine of its run. The new run has
    the arguments of the earlier one, which say how names are read, and `goes_on` names that one.

    Returns:
        The ids of the new runs, by those of the earlier ones.
    """
    rows = connection.execute(
        """
        insert into imgsim.ingest_run
            (host, process_id, imgsim_version, arguments, status, finished_at)
        select %(host)s, %(process)s, %(version)s,
            r.arguments || jsonb_build_object('goes_on', r.run_id), 'finished', now()
        from imgsim.ingest_run r
        where r.run_id = any(%(runs)s) and r.host <> %(host)s
        order by r.run_id
        returning (arguments ->> 'goes_on')::bigint, run_id
        """,
        {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "version": __version__,
            "runs": list(run_ids),
        },
    )
    return dict(rows.fetchall())


def settle(connection: Connection) -> int:
    """Marks runs that were killed as interrupted, and returns how many.

    The server lets go of a run's lock when its connection ends, however that was.
    """
    return connection.execute(
        """
        update imgsim.ingest_run r
        set status = 'interrupted', finished_at = now()
        where r.status = 'running'
            and not exists (
                select
                from pg_catalog.pg_locks l
                where l.locktype = 'advisory'
                    and l.database = (
                        select d.oid from pg_catalog.pg_database d
                        where d.datname = current_database())
                    and (l.classid, l.objid, l.objsubid) = (%s::oid, (r.run_id %% %s)::oid, 2)
            )
        """,
        [RUNS, LOCKABLE],
    ).rowcount


LOCKABLE = 2**31
"""An advisory lock with a kind has 32 bits for the rest, one of them the sign."""


def _number(run_id: int) -> int:
    return run_id % LOCKABLE


def end(
    connection: Connection,
    run_id: int,
    status: str,
    *,
    counts: Mapping[str, int],
    timings: Mapping[str, Any],
    device_used: Mapping[str, str],
) -> None:
    """Records how an ingest ended, where its time went, and on which device and in which
    precision it embedded.
    """
    connection.execute(
        """
        update imgsim.ingest_run
        set finished_at = now(), status = %s, counts = %s, timings = %s,
            arguments = arguments || %s::jsonb
        where run_id = %s
        """,
        [status, json.dumps(counts), json.dumps(timings), json.dumps(device_used), run_id],
    )
    connection.execute("select pg_advisory_unlock(%s, %s)", [RUNS, _number(run_id)])
