"""Reports that compare models with each other, and the index with the truth."""

from __future__ import annotations

from collections.abc import Sequence

from imgsim.database.connection import Connection, Table, table
from imgsim.networks import models
from imgsim.reports.conditions import image_ids
from imgsim.settings import NEIGHBOURS, SHARED
from imgsim.similarity import neighbours
from imgsim.work import Progress, silent


def overlap(
    connection: Connection,
    *,
    k: int = SHARED,
    model_names: Sequence[str] = (),
    where: Sequence[str] = (),
    by_image: bool = False,
    on_progress: Progress = silent,
) -> Table:
    """Returns how many images share k, k - 1, … 0 of their k nearest between two models.

    Args:
        where: conditions such as `publication_decade=1750`; only images that meet all are counted.
        by_image: list the shared neighbours, image by image, instead.
    """
    a, b = _two(connection, model_names, k, on_progress)
    function = "overlap_by_image" if by_image else "overlap"
    return table(
        connection,
        f"select * from imgsim.{function}(%(k)s, %(a)s, %(b)s, %(only)s::bigint[])",  # noqa: S608
        {"k": k, "a": a, "b": b, "only": image_ids(connection, where) if where else None},
    )


def agreement(
    connection: Connection,
    *,
    k: int = SHARED,
    model_names: Sequence[str] = (),
    on_progress: Progress = silent,
) -> Table:
    """Returns, rank by rank, how often two models agree, and which images to look at."""
    a, b = _two(connection, model_names, k, on_progress)
    return table(
        connection,
        "select * from imgsim.agreement(%(k)s, %(a)s, %(b)s)",
        {"k": k, "a": a, "b": b},
    )


def recall(
    connection: Connection,
    *,
    model_names: Sequence[str] = (),
    k: int = NEIGHBOURS,
    sample: int = 200,
) -> Table:
    """Returns how many of the true k nearest the HNSW index finds, and how long it takes."""
    chosen = models.chosen(connection, model_names) if model_names else models.stored(connection)
    return table(
        connection,
        """
        select m.name as model, r.*
        from unnest(%(names)s::text[]) with ordinality as m (name, place)
        cross join lateral imgsim.recall(m.name, %(k)s, %(sample)s) r
        order by m.place, r.ef_search
        """,
        {"names": [model.name for model in chosen], "k": k, "sample": sample},
    )


def _two(
    connection: Connection, names: Sequence[str], k: int, on_progress: Progress
) -> tuple[str, str]:
    chosen = models.chosen_pair(connection, names)
    # Here and not in SQL: a function that is asked for an answer should not compute for minutes.
    neighbours.bring_up_to_date(connection, chosen, k, on_progress)
    return chosen[0].name, chosen[1].name
