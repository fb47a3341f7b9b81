"""Images whose files have gone or moved: found, or followed to their new place."""

from __future__ import annotations

import os
from collections.abc import Sequence

from imgsim.bibliography.identifiers import ECCO_NAME, name_pattern
from imgsim.collection.images import named, rename
from imgsim.database.connection import Connection
from imgsim.database.turns import committed, hold_models
from imgsim.errors import ImgsimError
from imgsim.images.files import path_from_text, path_text


def under_paths(connection: Connection, paths: Sequence[str]) -> list[int]:
    """Returns the ids of the images stored under files or folders."""
    rows = connection.execute(
        """
        select distinct i.image_id
        from imgsim.image i
        join unnest(%s::text[]) as p (path)
            on i.path = p.path or starts_with(i.path, p.path || '/')
        order by i.image_id
        """,
        [[path_text(path) for path in paths]],
    )
    return [row[0] for row in rows]


def missing(connection: Connection) -> list[int]:
    """Returns the ids of the images whose files are no longer there."""
    with connection.transaction(), connection.cursor("paths") as cursor:
        cursor.execute("select image_id, path from imgsim.image order by image_id")
        return [row[0] for row in cursor if not os.path.lexists(path_from_text(row[1]))]


def relocate(connection: Connection, old: str, new: str) -> int:
    """Rewrites the paths of images whose file or folder has moved; how many.

    A file that was renamed gets the name of its images, and the ids that it holds, from its new
    name, read by the pattern that the images were taken in with. Failures recorded under both
    paths are kept as recorded under the new one.

    Raises:
        ImgsimError: no image is under `old`, or one is stored under the new path already.
    """
    values = {"old": path_text(old), "new": path_text(new)}
    moved = committed(connection, lambda: _relocate(connection, values))
    if moved == 0:
        raise ImgsimError(f"no image is stored under {old}", "imgsim doctor shows what is stored")
    return moved


UNDER = "(path = %(old)s or starts_with(path, %(old)s || '/'))"
MOVED = "%(new)s || substr(path, length(%(old)s) + 1)"


def _relocate(connection: Connection, values: dict[str, str]) -> int:
    # An ingest that writes under one of the paths has ended, or begins when this has.
    hold_models(connection)
    taken = connection.execute(
        f"""
        select i.path
        from imgsim.image i
        where i.path in (select {MOVED} from imgsim.image where {UNDER})
            and not (i.path = %(old)s or starts_with(i.path, %(old)s || '/'))
        limit 1
        """,  # noqa: S608
        values,
    ).fetchone()
    if taken:
        raise ImgsimError(
            f"cannot relocate {values['old']}: {taken[0]} is already stored",
            f"remove one of the two first: imgsim remove {values['new']}",
        )
    if values["old"] != values["new"]:
        connection.execute(
            f"""
            delete from imgsim.ingest_failure f
            using (select {MOVED} as path, frame from imgsim.ingest_failure where {UNDER}) m
            where f.path <> %(old)s and not starts_with(f.path, %(old)s || '/')
                and f.path = m.path and f.frame = m.frame
            """.encode(),  # noqa: S608
            values,
        )
    moved = 0
    for table in ("ingest_failure", "image"):
        moved = connection.execute(
            f"update imgsim.{table} set path = {MOVED} where {UNDER}".encode(),  # noqa: S608
            values,
        ).rowcount
    _read_name(connection, values["new"])
    return moved


def _read_name(connection: Connection, path: str) -> None:
    """Reads name and ids of the images of one file from its path; of a folder there are none."""
    rows = connection.execute(
        """
        select i.image_id, i.frame, i.frames, r.arguments ->> 'name_pattern'
        from imgsim.image i
        left join imgsim.ingest_run r using (run_id)
        where i.path = %s
        """,
        [path],
    ).fetchall()
    for image_id, frame, frames, pattern in rows:
        name, parts = named(path_from_text(path), frame, frames, name_pattern(pattern or ECCO_NAME))
        rename(connection, image_id, name, parts)
