"""Records each ingest: when, where, with what arguments, and how it ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from imgsim.database.connection import Connection
from imgsim.version import __version__


def begin(connection: Connection, arguments: Mapping[str, Any]) -> int:
    """Records that an ingest begins, and returns the run's id."""
    row = connection.execute(
        """
        insert into imgsim.ingest_run (host, process_id, imgsim_version, arguments)
        values (%s, %s, %s, %s)
        returning run_id
        """,
        [socket.gethostname(), os.getpid(), __version__, json.dumps(arguments)],
    ).fetchone()
    assert row is not None
    return int(row[0])


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
