"""Takes images out of the store, keeping the neighbour lists that named them right."""

from __future__ import annotations

import os
from collections.abc import Sequence

from imgsim.neighbours import lists_naming, mend
from imgsim.database.connection import Connection
from imgsim.images import path_from_text, path_text
from imgsim.models import stored


def under_paths(connection: Connection, paths: Sequence[str]) -> list[int]:
    """The ids of the images stored under files or folders."""
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
    """The ids of the images whose files are no longer there."""
    with connection.transaction(), connection.cursor("paths") as cursor:
        cursor.execute("select image_id, path from imgsim.image order by image_id")
        return [row[0] for row in cursor if not os.path.lexists(path_from_text(row[1]))]


def remove(connection: Connection, image_ids: Sequence[int]) -> int:
    """Delete images with all that hangs on them, and mend the lists they were in; how many.

    One transaction: a reader sees the lists with the images, or right without them.
    """
    ids = list(image_ids)
    with connection.transaction():
        models = stored(connection)
        affected = {model.name: lists_naming(connection, model, ids) for model in models}
        removed = connection.execute(
            "delete from imgsim.image where image_id = any(%s)", [ids]
        ).rowcount
        for model in models:
            mend(connection, model, affected[model.name])
    return removed
