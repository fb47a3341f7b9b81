"""What is exported: rows joined with their partners, counted before and after each join.

Here images, books and vectors; likeness is in `imgsim.export.of_likeness`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.formats.columns import Column, Row, Type
from imgsim.networks.models import Model
from imgsim.wording import figure

ROWS_AT_ONCE = 5000
# PostgreSQL's type numbers, as `select oid, typname from pg_type` gives them; all else is text.
TYPES: Mapping[int, Type] = {
    16: "boolean",
    **dict.fromkeys((20, 21, 23), "integer"),
    **dict.fromkeys((700, 701), "number"),
    1184: "datetime",
    **dict.fromkeys((114, 3802), "object"),
}


@dataclass(frozen=True)
class Query:
    """A statement and the values of its parameters."""

    statement: str | sql.Composed
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """How many rows there were before or after a join."""

    what: str
    rows: int


@dataclass(frozen=True)
class Joined:
    """An export's rows, the columns that identify one, and what the joins did.

    `without` asks for whatever found no partner: image_id, name, ecco_id, reason, path, link.
    `nodes` and `edges` ask for the rows of a `formats.graphs.Graph`, where there is one.
    """

    title: str
    rows: Query
    key: tuple[str, ...]
    steps: tuple[Step, ...]
    without: Query
    nodes: Query | None = None
    edges: Query | None = None


@contextmanager
def streamed(connection: Connection, query: Query) -> Iterator[tuple[list[Column], Iterator[Row]]]:
    """A query's columns and rows, fetched a few thousand at a time; inside a transaction only."""
    number = id(query)
    with connection.cursor(f"export_{number}", binary=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        statement = query.statement
        cursor.execute(
            statement.encode() if isinstance(statement, str) else statement, query.values
        )
        described = cursor.description or []
        columns = [Column(c.name, TYPES.get(c.type_code, "string")) for c in described]
        yield columns, _with_figures(columns, cursor)


def _with_figures(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, their numbers as every file has them (`wording.figure`)."""
    numbers = [index for index, column in enumerate(columns) if column.type == "number"]
    for row in rows:
        written = list(row)
        for index in numbers:
            value = row[index]
            if isinstance(value, float):
                written[index] = figure(value)
        yield written


def all_images(connection: Connection) -> Joined:
    """Every image with its book."""
    counts = one_row(
        connection,
        Query(
            """
            select (select count(*) from imgsim.image), count(*), count(d.ecco_id)
            from imgsim.image_ecco i
            left join imgsim.ecco_document d using (ecco_id)
            """
        ),
    )
    return Joined(
        "every image, with its book",
        # Where on its page a picture is: with the path, or a library's address, that shows it.
        Query(
            """
            select e.*, i.frame, i.x, i.y
            from imgsim.image_ecco e
            join imgsim.image i using (image_id)
            order by e.image_id
            """
        ),
        ("image_id",),
        (
            Step("pictures", counts[0]),
            Step("after looking up books", counts[1]),
            Step("of these with a book in the bibliography", counts[2]),
        ),
        Query("select * from imgsim.image_without_document order by image_id"),
    )


def all_documents(connection: Connection) -> Joined:
    """Every book with the number of its images; without a partner on both sides of the join."""
    counts = one_row(
        connection,
        Query(
            """
            select (select count(*) from imgsim.ecco_document), count(*),
                count(*) filter (where images > 0)
            from imgsim.document_ecco
            """
        ),
    )
    return Joined(
        "every book of the bibliography, with the number of its images",
        Query('select * from imgsim.document_ecco order by ecco_id collate "C"'),
        ("ecco_id",),
        (
            Step("books in the bibliography", counts[0]),
            Step("after looking up their pictures", counts[1]),
            Step("of these with a picture", counts[2]),
        ),
        Query(
            """
            select w.image_id, w.name, w.ecco_id, w.reason, w.path, w.link
            from imgsim.image_without_document w
            union all
            select null, null, d.ecco_id, 'no image is of this book', null, null
            from imgsim.document_ecco d
            where d.images = 0
            """
        ),
    )


def all_embeddings(connection: Connection, model: Model) -> Joined:
    """Every vector of a model, with its image."""
    table = sql.Identifier(model.embedding_table)
    lacking = sql.Literal(f"no vector of {model.name}")
    counts = one_row(
        connection,
        Query(
            sql.SQL(
                """
                select (select count(*) from imgsim.{0}), count(*)
                from imgsim.{0} e
                join imgsim.image i using (image_id)
                """
            ).format(table)
        ),
    )
    return Joined(
        f"the vectors of {model.name}",
        Query(
            sql.SQL(
                """
                select e.image_id, i.name, i.path, imgsim.file_link(i.path) as link, e.embedding
                from imgsim.{} e
                join imgsim.image i using (image_id)
                order by e.image_id
                """
            ).format(table)
        ),
        ("image_id",),
        (
            Step(f"vectors of {model.name}", counts[0]),
            Step("after looking up pictures", counts[1]),
        ),
        Query(
            sql.SQL(
                """
                select i.image_id, i.name, i.ecco_id, {} as reason, i.path,
                    imgsim.file_link(i.path) as link
                from imgsim.image i
                where not exists (select from imgsim.{} e where e.image_id = i.image_id)
                order by i.image_id
                """
            ).format(lacking, table)
        ),
    )


def one_row(connection: Connection, query: Query) -> tuple[Any, ...]:
    """The only row of an answer, such as counts."""
    statement = query.statement
    row = connection.execute(
        statement.encode() if isinstance(statement, str) else statement, query.values
    ).fetchone()
    assert row is not None
    return row
