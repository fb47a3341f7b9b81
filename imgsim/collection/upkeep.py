"""Images that have gone or moved: taken out with their neighbours mended, or followed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.images.files import path_from_text, path_text
from imgsim.networks.models import stored
from imgsim.reuse import verdicts
from imgsim.similarity import neighbours, pairs


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


def remove(connection: Connection, image_ids: Sequence[int], *, with_verdicts: bool = False) -> int:
    """Delete images with all that hangs on them, and mend the lists they were in; how many.

    One transaction: a reader sees the lists with the images, or right without them.

    Args:
        with_verdicts: delete what scholars have said of them too.

    Raises:
        ImgsimError: scholars have judged them, and `with_verdicts` is not given.
    """
    ids = list(image_ids)
    if not with_verdicts:
        refuse_judged(connection, ids)
    with connection.transaction():
        if with_verdicts:
            verdicts.forget(connection, ids)
        before = {model: neighbours.state_of(connection, model) for model in stored(connection)}
        neighbours.forget_lists_of(connection, ids)
        removed = connection.execute(
            "delete from imgsim.image where image_id = any(%s)", [ids]
        ).rowcount
        for model in before:
            pairs.stay_current(connection, model)
        connection.execute(
            "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
        )
        for model, state in before.items():
            if state.k and state.of_revision == state.revision:
                neighbours.bring_up_to_date(connection, [model], state.k, method=state.method)
    return removed


def refuse_judged(connection: Connection, image_ids: Sequence[int]) -> None:
    """See that no scholar's work goes with images.

    Raises:
        ImgsimError: there are verdicts on them.
    """
    if count := verdicts.count_on(connection, image_ids):
        raise ImgsimError(
            f"{count:,} verdicts are on these images, and would be lost; nothing was removed",
            "keep them with `imgsim export verdicts -o verdicts.csv`, then add --with-verdicts",
        )


def relocate(connection: Connection, old: str, new: str) -> int:
    """Rewrite the paths of images whose folder has moved; how many.

    Raises:
        ImgsimError: no image is under `old`, or one is stored under the new path already.
    """
    old_text, new_text = path_text(old), path_text(new)
    under = "(path = %(old)s or starts_with(path, %(old)s || '/'))"
    values = {"old": old_text, "new": new_text}
    with connection.transaction():
        taken = connection.execute(
            f"""
            select i.path
            from imgsim.image i
            where i.path in (
                select %(new)s || substr(path, length(%(old)s) + 1) from imgsim.image where {under}
            )
            and not (i.path = %(old)s or starts_with(i.path, %(old)s || '/'))
            limit 1
            """,  # noqa: S608
            values,
        ).fetchone()
        if taken:
            raise ImgsimError(
                f"{taken[0]} is stored already",
                f"take one of the two out first: imgsim remove {new}",
            )
        moved = 0
        for table in ("ingest_failure", "image"):
            moved = connection.execute(
                f"""
                update imgsim.{table}
                set path = %(new)s || substr(path, length(%(old)s) + 1)
                where {under}
                """.encode(),  # noqa: S608
                values,
            ).rowcount
    if moved == 0:
        raise ImgsimError(f"no image is stored under {old}", "imgsim doctor shows what is stored")
    return moved
