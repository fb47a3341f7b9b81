"""Files that could not be taken in: recorded with the reason, forgotten when that is over."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from imgsim.database.connection import Connection
from imgsim.images.files import LONGEST_PATH, Refused, path_from_text, path_text

KEPT = 1000
"""Bytes at each end of a path that is too long to be recorded whole."""


def record(connection: Connection, refused: Sequence[Refused], run_id: int | None) -> None:
    """Records files, or frames of them, that a run could not take in."""
    if not refused:
        return
    connection.cursor().executemany(
        """
        insert into imgsim.ingest_failure (path, frame, stage, reason, bytes, run_id)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (path, frame) do update
        set stage = excluded.stage, reason = excluded.reason, bytes = excluded.bytes,
            run_id = excluded.run_id, failed_at = now()
        """,
        [[_recorded(r.path), r.frame, r.stage, _plain(r.reason), r.size, run_id] for r in refused],
    )


def forget(
    connection: Connection, paths: Sequence[str], frames: Sequence[int | None] | None = None
) -> None:
    """Forgets the failures of files that went in after all, or of those frames of them."""
    if not paths:
        return
    connection.execute(
        """
        delete from imgsim.ingest_failure f
        using unnest(%s::text[], %s::integer[]) as r (path, frame)
        where f.path = r.path and f.frame = coalesce(r.frame, f.frame)
        """,
        [[_recorded(path) for path in paths], list(frames or [None] * len(paths))],
    )


def forget_before_run(connection: Connection, run_id: int, roots: Sequence[str]) -> None:
    """Forgets failures under files or folders that a run went through and did not meet again."""
    connection.execute(
        """
        delete from imgsim.ingest_failure f
        using imgsim.ingest_run r, unnest(%s::text[]) as root
        where r.run_id = %s
            and f.failed_at < r.started_at
            and (f.path = root or starts_with(f.path, rtrim(root, '/') || '/'))
        """,
        [[path_text(root) for root in roots], run_id],
    )


def forget_under(connection: Connection, paths: Sequence[str] | None = None) -> int:
    """Forgets the failures under files or folders; without paths, of all files that are gone.

    Returns:
        How many were forgotten.
    """
    rows = connection.execute(
        """
        select f.failure_id, f.path
        from imgsim.ingest_failure f
        where %(paths)s::text[] is null or exists (
            select from unnest(%(paths)s::text[]) as p
            where f.path = p or starts_with(f.path, rtrim(p, '/') || '/'))
        """,
        {"paths": None if paths is None else [path_text(path) for path in paths]},
    ).fetchall()
    gone = [
        number
        for number, path in rows
        if paths is not None or not os.path.lexists(path_from_text(path))
    ]
    return connection.execute(
        "delete from imgsim.ingest_failure where failure_id = any(%s)", [gone]
    ).rowcount


def _recorded(path: str) -> str:
    """Returns a path as text; of one that no index holds, both ends and a checksum."""
    text = path_text(path)
    data = text.encode()
    if len(data) <= LONGEST_PATH:
        return text
    first, last = data[:KEPT].decode(errors="ignore"), data[-KEPT:].decode(errors="ignore")
    return f"{first} … {hashlib.sha256(data).hexdigest()[:8]} … {last}"


def _plain(text: str) -> str:
    # PostgreSQL's text holds no NUL and no half of a surrogate pair.
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
