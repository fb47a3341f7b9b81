"""Keys of research tables: what of the store they name, and what would make them name it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg import sql

from imgsim.bibliography import identifiers
from imgsim.database.connection import Connection
from imgsim.images.spelling import composed

Values = tuple[str | None, ...]
Rewrite = Callable[[Values], Values]
FORMS = ("name", "page", "book", "estc")
PAGE_DIGITS = 15
MEANINGS = {
    "name": "a picture's name",
    "page": "a page (page_id)",
    "book": "a book (ecco_id)",
    "estc": "an ESTC id",
}
CHANGES = {
    "name": "without the folder and the ending",
    "page": f"with zeros to {PAGE_DIGITS} digits",
    "book": "with zeros to ten digits",
    "estc": "in the short form",
}
_ENDING = re.compile(r"\.(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{2,5}$")
_PAGE = re.compile(r"([0-9]{12,15})(?:\.0*)?")


@dataclass(frozen=True)
class Joins:
    """Of `keys` different keys, how many name something stored: as they are, and rewritten.

    Both by the names in `FORMS`.
    """

    keys: int = 0
    as_they_are: dict[str, int] = field(default_factory=dict)
    rewritten: dict[str, int] = field(default_factory=dict)

    @property
    def better(self) -> dict[str, int]:
        """Returns the forms in which more keys would name something than do now."""
        return {
            form: count for form, count in self.rewritten.items() if count > self.as_they_are[form]
        }


def written_as(text: str, form: str) -> str:
    """Returns a key as `form` is written in the store; unchanged if it cannot be one.

    >>> written_as("plates/i_b_003-500.jpg", "name"), written_as("1700104", "book")
    ('i_b_003-500', '0001700104')
    >>> written_as("170010400180", "page"), written_as("(CU-RivES)N30954", "estc")
    ('000170010400180', 'N30954')
    """
    text = text.strip()
    if form == "name":
        return composed(_ENDING.sub("", text.replace("\\", "/").rpartition("/")[2]))
    if form == "page":
        match = _PAGE.fullmatch(text)
        return match[1].zfill(PAGE_DIGITS) if match else text
    read = identifiers.ecco_id if form == "book" else identifiers.estc_id
    return read(text) or text


def rewriting(at: int, form: str) -> Rewrite:
    """Returns a function that rewrites the value at `at` and puts the original last."""

    def rewrite(values: Values) -> Values:
        text = values[at]
        key = None if text is None else written_as(text, form)
        return (*values[:at], key, *values[at + 1 :], text)

    return rewrite


# Stored ids, by form. Few beside the keys or many, they are joined by hashing.
STORED = """
select 'name' as form, i.name as id from imgsim.image i
union
select 'page', i.page_id from imgsim.image i where i.page_id is not null
union
select 'book', i.ecco_id from imgsim.image i where i.ecco_id is not null
union
select 'book', d.ecco_id from imgsim.ecco_document d
union
select 'estc', d.estc_id from imgsim.ecco_document d where d.estc_id is not null
"""


def joins_of(connection: Connection, table: sql.Identifier, key: str) -> Joins:
    """Returns how many keys of a loaded table name a picture, a page, a book or an ESTC id."""
    column = sql.Identifier(key)
    connection.execute(
        "create temporary table key_form (form text not null, key text not null, id text not null)"
    )
    keys = [
        row[0]
        for row in connection.execute(
            sql.SQL("select distinct {0} from {1} where {0} is not null").format(column, table)
        )
    ]
    # Written by Python, and joined by the database: one place knows how ids are written.
    with connection.cursor().copy("copy pg_temp.key_form from stdin") as copy:
        for text in keys:
            for form in FORMS:
                copy.write_row((form, text, written_as(text, form)))
    connection.execute("analyze pg_temp.key_form")
    counted = connection.execute(
        sql.SQL(
            """
            with stored as ({stored})
            select k.form, count(s.id), count(r.id)
            from pg_temp.key_form k
            left join stored s on s.form = k.form and s.id = k.key
            left join stored r on r.form = k.form and r.id = k.id
            group by k.form
            """
        ).format(stored=sql.SQL(STORED))
    ).fetchall()
    connection.execute("drop table pg_temp.key_form")
    return Joins(
        len(keys),
        dict.fromkeys(FORMS, 0) | {form: plain for form, plain, _ in counted},
        dict.fromkeys(FORMS, 0) | {form: changed for form, _, changed in counted},
    )
