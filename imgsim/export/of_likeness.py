"""What is exported of likeness: neighbours, pairs and books that share pictures, joined with the
bibliography on both sides, counted before and after each join.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.copying import copy_columns
from imgsim.export.joined import Joined, Query, Step, one_row
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.similarity.comparison.nearest import Lists, Nearest
from imgsim.similarity.stored_vectors import read_vectors


def neighbour_lists(
    connection: Connection,
    model: Model,
    k: int,
    threshold: float | None,
    other_documents_only: bool,
) -> Joined:
    """The k nearest of every image, with the books on both sides.

    In other documents only, they are found anew: lists that were cut off at k and filtered
    afterwards would be incomplete.
    """
    values: dict[str, object] = {"model_id": model.model_id, "k": k, "threshold": threshold}
    relation = "imgsim.neighbour"
    if other_documents_only:
        relation, listed = _other_documents(connection, model, k)
        values |= listed
    chosen = """
        n.model_id = %(model_id)s and n.rank <= %(k)s
        and (%(threshold)s::float8 is null or n.similarity >= %(threshold)s)
    """
    lists = f"select n.* from {relation} n where {chosen}"  # noqa: S608
    rows = NEIGHBOUR_ECCO.format(
        relation=relation,
        chosen=chosen,
        columns=_columns_of(connection, "neighbour_ecco").as_string(connection),
    )
    reaching = "" if threshold is None else f" of at least {threshold:g}"
    elsewhere = " in other documents" if other_documents_only else ""
    return Joined(
        f"the {k} nearest{elsewhere} of every image by {model.name}{reaching}",
        Query(rows, values),
        ("model", "image_id", "rank"),
        _count_sides(connection, f"{k} nearest{elsewhere}{reaching}", Query(lists, values)),
        _images_without_book(Query(lists, values)),
        _image_nodes(Query(lists, values)),
        Query(f"with lists as ({lists}) {MUTUAL_EDGES}", values),
    )


# The columns of sql/neighbour_ecco.sql, over lists that need not be stored. The background of an
# image is computed once here, and in the view for every neighbour.
NEIGHBOUR_ECCO = """
with known as materialized (
    select l.image_id, imgsim.background(l.similarities) as background
    from imgsim.neighbour_list l
    where l.model_id = %(model_id)s
), listed as (
    select n.model_id, n.image_id, n.rank, n.similarity, n.other_id,
        imgsim.normalised(n.similarity, b.background, ob.background) as normalised
    from {relation} n
    left join known b on b.image_id = n.image_id
    left join known ob on ob.image_id = n.other_id
    where {chosen}
)
select {columns}
from listed
join (select m.model_id, m.name as model from imgsim.model m) of_model using (model_id)
join imgsim.image_ecco using (image_id)
join imgsim.other_ecco using (other_id)
order by image_id, rank
"""


def _columns_of(connection: Connection, view: str) -> sql.Composed:
    """The columns of a view, as it has them."""
    described = connection.execute(
        sql.SQL("select * from imgsim.{} limit 0").format(sql.Identifier(view))
    ).description
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())


MUTUAL_EDGES = """
select least(l.image_id, l.other_id)::text as source,
    greatest(l.image_id, l.other_id)::text as target, max(l.similarity) as weight,
    count(*) = 2 as mutual
from lists l
group by least(l.image_id, l.other_id), greatest(l.image_id, l.other_id)
order by least(l.image_id, l.other_id), greatest(l.image_id, l.other_id)
"""


def like_pairs(
    connection: Connection, model: Model, threshold: float | None, other_documents_only: bool
) -> Joined:
    """Every pair of images at or above a threshold or the model's own, both with their books."""
    least = thresholds.of(model, threshold)
    values = {"model_id": model.model_id, "model": model.name, "threshold": least.value}
    joined = "from imgsim.pair_ecco where model = %(model)s and similarity >= %(threshold)s"
    lists = PAIR_LISTS
    elsewhere = ""
    if other_documents_only:
        # A book that is not known may be another one.
        joined += " and coalesce(ecco_id <> other_ecco_id, true)"
        lists = f"select image_id, other_id, similarity {joined}"
        elsewhere = " of different documents"
    edges = "select image_id::text as source, other_id::text as target, similarity as weight"
    what = f"pairs{elsewhere} of at least {least.value:g}"
    return Joined(
        f"all pairs{elsewhere} by {model.name}, of at least {least}",
        Query(f"select * {joined} order by image_id, other_id", values),
        ("model", "image_id", "other_id"),
        _count_sides(connection, what, Query(lists, values)),
        _images_without_book(Query(lists, values)),
        _image_nodes(Query(lists, values)),
        Query(f"{edges} from ({lists}) l order by image_id, other_id", values),
    )


PAIR_LISTS = """
select p.image_id, p.other_id, p.similarity
from imgsim.pair p
where p.model_id = %(model_id)s and p.similarity >= %(threshold)s
"""


def books_sharing(connection: Connection, model: Model, threshold: float | None) -> Joined:
    """Which books share pictures at or above a threshold or the model's own, and how many."""
    least = thresholds.of(model, threshold)
    values = {"model_id": model.model_id, "model": model.name, "threshold": least.value}
    counts = one_row(connection, Query(BOOK_COUNTS, values))
    steps = (
        f"pairs of at least {least.value:g}",
        "whose pictures both name a book",
        "of two different books",
        "pairs of books",
        "after looking up both books",
        "of these with both books in the bibliography",
    )
    return Joined(
        f"books that share pictures by {model.name}, of at least {least}",
        Query("select * from imgsim.book_graph(%(model)s, %(threshold)s)", values),
        ("ecco_id", "other_ecco_id"),
        tuple(Step(what, rows) for what, rows in zip(steps, counts, strict=True)),
        _images_without_book(Query(PAIR_LISTS, values)),
        Query(BOOK_NODES, values),
        Query(
            """
            select ecco_id as source, other_ecco_id as target, shared_pictures as weight,
                shared_pictures, pairs, max_similarity
            from imgsim.book_graph(%(model)s, %(threshold)s)
            """,
            values,
        ),
    )


BOOK_COUNTS = """
with pairs as (
    select i.ecco_id, o.ecco_id as other_ecco_id
    from imgsim.pair p
    join imgsim.image i on i.image_id = p.image_id
    join imgsim.image o on o.image_id = p.other_id
    where p.model_id = %(model_id)s and p.similarity >= %(threshold)s
), books as (
    select g.ecco_id, g.other_ecco_id from imgsim.book_graph(%(model)s, %(threshold)s) g
)
select
    (select count(*) from pairs),
    (select count(*) from pairs where ecco_id is not null and other_ecco_id is not null),
    (select count(*) from pairs where ecco_id <> other_ecco_id),
    (select count(distinct (ecco_id, other_ecco_id)) from books),
    (select count(*) from books),
    (
        select count(*)
        from books b
        join imgsim.ecco_document d on d.ecco_id = b.ecco_id
        join imgsim.ecco_document od on od.ecco_id = b.other_ecco_id
    )
"""

BOOK_NODES = """
with g as (select * from imgsim.book_graph(%(model)s, %(threshold)s)),
n as (select i.ecco_id, count(*) as images from imgsim.image i group by i.ecco_id)
select b.ecco_id as id,
    case
        when length(d.ecco_full_title) > 60 then left(d.ecco_full_title, 59) || '…'
        else coalesce(d.ecco_full_title, b.ecco_id)
    end || coalesce(' (' || d.publication_year || ')', '') as label,
    b.ecco_id, d.ecco_full_title, d.publication_year, d.publication_place, d.authors, d.estc_id,
    d.work_id, n.images
from (select ecco_id from g union select other_ecco_id from g) b
join n using (ecco_id)
left join imgsim.ecco_document d using (ecco_id)
order by b.ecco_id collate "C"
"""


def _count_sides(connection: Connection, what: str, lists: Query) -> tuple[Step, ...]:
    counts = one_row(
        connection,
        Query(
            f"""
            with lists as ({lists.statement})
            select
                (select count(*) from lists),
                (
                    select count(*) from lists l
                    join imgsim.image i using (image_id)
                    join imgsim.image o on o.image_id = l.other_id
                ),
                count(*), count(*) filter (where d.ecco_id is not null and od.ecco_id is not null)
            from lists l
            join imgsim.image i using (image_id)
            join imgsim.image o on o.image_id = l.other_id
            left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
            left join imgsim.ecco_document od on od.ecco_id = o.ecco_id
            """,  # noqa: S608
            lists.values,
        ),
    )
    steps = (
        what,
        "after looking up both pictures",
        "after looking up both books",
        "of these with a book on both sides",
    )
    return tuple(Step(step, rows) for step, rows in zip(steps, counts, strict=True))


def _images_without_book(lists: Query) -> Query:
    return Query(
        f"""
        with lists as ({lists.statement})
        select w.*
        from imgsim.image_without_document w
        where w.image_id in (select image_id from lists union select other_id from lists)
        order by w.image_id
        """,  # noqa: S608
        lists.values,
    )


def _image_nodes(lists: Query) -> Query:
    return Query(
        f"""
        with lists as ({lists.statement})
        select i.image_id::text as id, i.name as label, i.name, i.ecco_id, i.page_number,
            i.ecco_full_title, i.publication_year, i.publication_place, i.path, i.link
        from imgsim.image_ecco i
        where i.image_id in (select image_id from lists union select other_id from lists)
        order by i.image_id
        """,  # noqa: S608
        lists.values,
    )


# In the place of a table, where none can be made: a standby takes no temporary ones either.
GIVEN = """
(
    select %(model_id)s::smallint as model_id, g.*
    from unnest(%(images)s::bigint[], %(ranks)s::smallint[], %(others)s::bigint[],
        %(similarities)s::float8[]) as g (image_id, rank, other_id, similarity)
)
"""


def _other_documents(
    connection: Connection, model: Model, k: int
) -> tuple[str, dict[str, list[object]]]:
    """Finds the nearest of every image in other documents, exactly.

    Returns:
        What to select them from, with the values of its parameters.
    """
    vectors = read_vectors(connection, model)
    rows = connection.execute(
        """
        select i.image_id,
            case when i.ecco_id is null then -1 else dense_rank() over (order by i.ecco_id) end
        from imgsim.image i
        order by i.image_id
        """
    ).fetchall()
    known = np.array(rows, np.int64).reshape(-1, 2)
    documents = known[np.searchsorted(known[:, 0], vectors.ids), 1]
    found = Nearest(vectors, k, documents).lists(np.arange(len(vectors.ids)))
    row = connection.execute("show transaction_read_only").fetchone()
    if row == ("on",):
        return GIVEN, _as_values(found)
    connection.execute(
        "create temporary table exported_neighbour (like imgsim.neighbour) on commit drop"
    )
    for lists in found:
        copy_columns(
            connection,
            "exported_neighbour",
            {
                "model_id": (">i2", model.model_id),
                "image_id": (">i8", lists.image_ids),
                "rank": (">i2", lists.ranks),
                "other_id": (">i8", lists.other_ids),
                "similarity": (">f8", lists.similarity),
            },
        )
    connection.execute("analyze exported_neighbour")
    return "exported_neighbour", {}


def _as_values(found: Iterable[Lists]) -> dict[str, list[object]]:
    values: dict[str, list[object]] = {"images": [], "ranks": [], "others": [], "similarities": []}
    for lists in found:
        values["images"] += lists.image_ids.tolist()
        values["ranks"] += lists.ranks.tolist()
        values["others"] += lists.other_ids.tolist()
        values["similarities"] += lists.similarity.tolist()
    return values
