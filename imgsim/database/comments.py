"""Comments on the columns of views: from their file in sql/, or from the columns they come from.

A view's file says of a column what it holds where the column is selected:

    count(*) as images, -- how many pictures appeared again

A column that comes as it is from a table or another view of imgsim (`i.name`, `m.name as model`)
takes over the comment it has there, if the file says nothing; called `other_name`, it is the same
of the other of two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from imgsim.database.definitions import VIEW
from imgsim.errors import MigrationError

Connection = psycopg.Connection[tuple[Any, ...]]

SAID = re.compile(r"^ {4}(?:.*[\s.])?(\w+),? -- (.+)$", re.MULTILINE)
TAKEN = re.compile(r"^ {4}(\w+)\.(\w+)(?: as (\w+))?,?$", re.MULTILINE)
ALIAS = re.compile(r"(?:from|join) imgsim\.(\w+) (\w+)\b")
OTHER = "other_"
OF_THE_OTHER = "Of the other: "

COLUMNS = """
select a.attname, pg_catalog.col_description(a.attrelid, a.attnum)
from pg_catalog.pg_attribute a
where a.attrelid = pg_catalog.to_regclass(%s)
    and a.attnum > 0
    and not a.attisdropped
"""


def comment_columns(connection: Connection, texts: Iterable[str]) -> None:
    """Comments the columns of the views that files of sql/ define, each after those it reads.

    Raises:
        MigrationError: a file comments a column that its view does not have.
    """
    for text in texts:
        for view in VIEW.findall(text):
            _comment_view(connection, view, _last_select(text))


def _comment_view(connection: Connection, view: str, selected: str) -> None:
    said = dict(SAID.findall(selected))
    columns = _comments(connection, view)
    if unknown := said.keys() - columns.keys():
        raise MigrationError(
            f"sql/{view}.sql comments a column that it does not select: {', '.join(unknown)}"
        )
    relations = {alias: relation for relation, alias in ALIAS.findall(selected)}
    known = {name: _comments(connection, name) for name in set(relations.values())}
    for alias, source, name in TAKEN.findall(selected):
        comment = known.get(relations.get(alias, ""), {}).get(source)
        if comment:
            is_others = (name or source) == OTHER + source
            said.setdefault(
                name or source, OF_THE_OTHER + _continued(comment) if is_others else comment
            )
    for column, comment in said.items():
        connection.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier("imgsim", view, column),
                sql.Literal(comment[:1].upper() + comment[1:]),
            )
        )


def _comments(connection: Connection, relation: str) -> dict[str, str | None]:
    """The columns of a table or view, with their comments."""
    return dict(connection.execute(COLUMNS, [f"imgsim.{relation}"]).fetchall())


def _last_select(text: str) -> str:
    """The part of a file that names the columns of its view, after any `with`."""
    return re.split(r"^select\b", text, flags=re.MULTILINE)[-1]


def _continued(comment: str) -> str:
    """A comment as the second part of a sentence; names such as ECCO keep their capitals."""
    return comment if comment[1:2].isupper() else comment[:1].lower() + comment[1:]
