"""All that is computed from an image and must go with it, and the one way to drop it.

Vectors, neighbour lists, pairs, local features, verifications and the groups' members hang on an
image's content. Whoever replaces or removes a content drops them here, in one order of locks that
everybody keeps: turns, then the rows of `imgsim.model` in order of `model_id`, then the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.similarity import neighbours, pairs


def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Forgets all that was computed from the earlier content of images."""
    gone = list(ids)
    tables = connection.execute("select embedding_table from imgsim.model").fetchall()
    for (table,) in tables:
        connection.execute(
            sql.SQL("delete from imgsim.{} where image_id = any(%s)").format(sql.Identifier(table)),
            [gone],
        )
    neighbours.forget_lists_of(connection, gone)
    pairs.forget_pairs_of(connection, gone)
    connection.execute(
        "delete from imgsim.verification where image_id = any(%s) or other_id = any(%s)",
        [gone, gone],
    )
    connection.execute(
        "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
    )
