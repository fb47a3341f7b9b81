"""What is exported of groups of re-use: they, their members, and books that share them, joined with
the bibliography and counted before and after each join.
"""

from __future__ import annotations

from imgsim.database.connection import Connection
from imgsim.export.joined import Joined, Query, Step, one_row


def reuse_groups(connection: Connection) -> Joined:
    """Every group with its years, books and places; as a graph, its images and their links."""
    return Joined(
        "groups of re-use",
        Query("select * from imgsim.reuse_group order by group_id"),
        ("group_id",),
        (
            *_count_members(connection),
            Step("groups of two pictures and more", _count(connection, "imgsim.reuse_group")),
        ),
        WITHOUT_BOOK,
        MEMBER_NODES,
        LINK_EDGES,
    )


def reuse_events(connection: Connection) -> Joined:
    """Every image of a group with its book, in the order of their years; or as a graph."""
    return Joined(
        "the pictures of the groups of re-use, with their books",
        Query("select * from imgsim.reuse_event order by group_id, appearance"),
        ("image_id",),
        _count_members(connection),
        WITHOUT_BOOK,
        MEMBER_NODES,
        LINK_EDGES,
    )


def books_of_groups(connection: Connection) -> Joined:
    """Which books share re-used pictures, and how many."""
    counts = one_row(connection, BOOK_COUNTS)
    steps = (
        "groups of re-use",
        "of these with pictures from two books",
        "pairs of books",
        "after looking up both books",
        "of these with both books in the bibliography",
    )
    return Joined(
        "books that share re-used pictures",
        Query(
            """
            select *
            from imgsim.reuse_document
            order by ecco_id collate "C", other_ecco_id collate "C"
            """
        ),
        ("ecco_id", "other_ecco_id"),
        tuple(Step(what, rows) for what, rows in zip(steps, counts, strict=True)),
        WITHOUT_BOOK,
        BOOK_NODES,
        Query(
            """
            select ecco_id as source, other_ecco_id as target, shared_groups as weight,
                shared_groups, images, other_images, years_apart
            from imgsim.reuse_document
            order by ecco_id collate "C", other_ecco_id collate "C"
            """
        ),
    )


WITHOUT_BOOK = Query(
    """
    select w.*
    from imgsim.image_without_document w
    where w.image_id in (select image_id from imgsim.group_member)
    order by w.image_id
    """
)

MEMBER_NODES = Query(
    """
    select image_id::text as id, name as label, name, group_id, appearance, ecco_id, page_number,
        ecco_full_title, publication_year, publication_place, path, link
    from imgsim.reuse_event
    order by image_id
    """
)

LINK_EDGES = Query(
    """
    select image_id::text as source, other_id::text as target, probability as weight, probability,
        source as decided_by, group_id
    from imgsim.group_link
    order by image_id, other_id
    """
)

BOOK_NODES = Query(
    """
    with books as (
        select ecco_id from imgsim.reuse_document
        union
        select other_ecco_id from imgsim.reuse_document
    ), held as (
        select ecco_id, count(distinct group_id) as groups, count(*) as images
        from imgsim.reuse_event
        group by ecco_id
    )
    select b.ecco_id as id,
        case
            when length(d.ecco_full_title) > 60 then left(d.ecco_full_title, 59) || '…'
            else coalesce(d.ecco_full_title, b.ecco_id)
        end || coalesce(' (' || d.publication_year || ')', '') as label,
        b.ecco_id, d.ecco_full_title, d.publication_year, d.publication_place, d.authors,
        d.estc_id, d.work_id, h.groups, h.images
    from books b
    join held h using (ecco_id)
    left join imgsim.ecco_document d using (ecco_id)
    order by b.ecco_id collate "C"
    """
)

BOOK_COUNTS = Query(
    """
    with held as (
        select distinct m.group_id, i.ecco_id
        from imgsim.group_member m
        join imgsim.image i using (image_id)
    )
    select
        (select count(*) from imgsim.reuse_group),
        (select count(*) from imgsim.reuse_group where books > 1),
        (
            select count(distinct (h.ecco_id, o.ecco_id))
            from held h
            join held o on o.group_id = h.group_id and o.ecco_id collate "C" > h.ecco_id collate "C"
        ),
        (select count(*) from imgsim.reuse_document),
        (
            select count(*)
            from imgsim.reuse_document r
            join imgsim.ecco_document d on d.ecco_id = r.ecco_id
            join imgsim.ecco_document od on od.ecco_id = r.other_ecco_id
        )
    """
)


def _count_members(connection: Connection) -> tuple[Step, ...]:
    counts = one_row(
        connection,
        Query(
            """
            select (select count(*) from imgsim.group_member), count(*), count(d.ecco_id)
            from imgsim.reuse_event e
            left join imgsim.ecco_document d using (ecco_id)
            """
        ),
    )
    steps = (
        "pictures in groups",
        "after looking up pictures and books",
        "of these with a book in the bibliography",
    )
    return tuple(Step(what, rows) for what, rows in zip(steps, counts, strict=True))


def _count(connection: Connection, relation: str) -> int:
    return int(one_row(connection, Query(f"select count(*) from {relation}"))[0])  # noqa: S608
