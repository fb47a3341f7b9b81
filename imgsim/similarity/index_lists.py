"""Neighbour lists filled through the index: fast, with the share of true neighbours measured."""

from __future__ import annotations

from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.turns import committed
from imgsim.networks.models import Model
from imgsim.similarity.stored_lists import State, forget_all, set_state
from imgsim.work import Progress

RECALL_SAMPLE = 200


def fill(connection: Connection, model: Model, k: int, state: State, on_progress: Progress) -> int:
    """Replaces all lists by what `imgsim.similar` answers, in one transaction; returns how many.

    Raises:
        ChangedMeanwhileError: vectors were replaced or removed since `state` was read.
    """
    ids = [
        row[0]
        for row in connection.execute(
            sql.SQL("select image_id from imgsim.{} order by image_id").format(
                sql.Identifier(model.embedding_table)
            )
        )
    ]

    def replace_all() -> None:
        forget_all(connection, model, state)
        # In portions only so that progress can be told between two statements.
        for start in range(0, len(ids), RECALL_SAMPLE):
            some = ids[start : start + RECALL_SAMPLE]
            connection.execute(
                """
                insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
                select %(model_id)s, q.image_id, array_agg(s.image_id order by s.rank),
                    array_agg(s.similarity order by s.rank)
                from unnest(%(ids)s::bigint[]) as q (image_id)
                cross join lateral imgsim.similar(q.image_id, %(model)s, k => %(k)s) s
                group by q.image_id
                """,
                {"model_id": model.model_id, "model": model.name, "ids": some, "k": k},
            )
            on_progress(model.name, start + len(some), len(ids))
        recall = connection.execute(
            "select recall from imgsim.recall(%s, %s, %s, array[]::integer[]) where used",
            [model.name, k, RECALL_SAMPLE],
        ).fetchone()
        set_state(connection, model, k, state.revision, recall[0] if recall else None)

    committed(connection, replace_all)
    return len(ids)
