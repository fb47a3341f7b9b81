"""Which columns of an answer are shown: those named on the line, else those of the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from imgsim import configuration
from imgsim.cli.output import HEADINGS
from imgsim.errors import ImgsimError

if TYPE_CHECKING:
    from imgsim.database.connection import Table

# What answers the report's question comes first: columns from the end give way to a narrow screen.
BY_WORTH: Mapping[str, tuple[str, ...]] = {
    "neighbours": (
        *("name", "rank", "similarity", "other_name", "publication_year"),
        *("other_publication_year", "ecco_full_title", "other_ecco_full_title"),
    ),
    "documents": (
        *("ecco_id", "publication_year", "ecco_full_title", "illustrations", "reappearing"),
        *("first_elsewhere", "last_elsewhere", "publication_place"),
    ),
    "evidence": (
        *("name", "other_name", "relation", "probability", "publication_year"),
        *("other_publication_year", "mirrored", "ecco_full_title", "other_ecco_full_title"),
    ),
    "groups": (
        *("group_id", "images", "first_year", "last_year", "first_place", "first_title"),
        *("books", "places", "last_place", "last_title"),
    ),
    "reuse": ("group_id", "name", "publication_year", "publication_place", "ecco_full_title"),
    "verdicts": ("name", "other_name", "verdict", "said", "notes", "relation", "probability"),
}


def chosen(name: str, answer: Table, given: str | None, *, is_read: bool) -> Table:
    """Returns an answer with the columns that the reader wants of it.

    The settings are about the screen: a file or a pipe has all columns unless some are named.

    Args:
        name: of the report, for the settings and for messages.
        given: what `--columns` says, if anything.
        is_read: whether the answer is printed as a table for reading.

    Raises:
        ImgsimError: the answer has no such column.
    """
    if given is not None:
        return _of(name, answer, given.split(","), "")
    if not is_read:
        return answer
    settled = configuration.read()
    if name not in settled.columns:
        first = [column for column in BY_WORTH.get(name, ()) if column in answer.columns]
        rest = [column for column in answer.columns if column not in first]
        return _of(name, answer, first + rest, "")
    where = f"cannot use {settled.place_of(f'columns.{name}')}: "
    return _of(name, answer, settled.columns[name], where)


def _of(name: str, answer: Table, wanted: Sequence[str], where: str) -> Table:
    """Returns some columns of an answer, named as in SQL or as they are headed on the screen."""
    headed = {column: HEADINGS.get(column, column) for column in answer.columns}
    known = {heading.replace(" ", "_"): column for column, heading in headed.items()}
    at: list[int] = []
    for one in wanted:
        called = "_".join(one.split()).lower()
        column = called if called in answer.columns else known.get(called, called)
        if column not in answer.columns:
            has = ", ".join(answer.columns)
            raise ImgsimError(
                f"{where}the report {name} has no column {one.strip()!r}", f"it has: {has}"
            )
        at.append(answer.columns.index(column))
    return replace(
        answer,
        columns=tuple(answer.columns[i] for i in at),
        rows=[tuple(row[i] for i in at) for row in answer.rows],
    )
