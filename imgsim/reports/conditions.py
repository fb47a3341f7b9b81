"""Conditions on pictures and their books, as `--where` takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from imgsim.bibliography import identifiers
from imgsim.database.connection import Connection, table
from imgsim.errors import ImgsimError, NotFoundError

TEXT_COLUMNS = (
    *("name", "path", "ecco_id", "page_id", "estc_id", "ecco_full_title", "work_id"),
    *("publication_place", "publication_country", "document_type", "sub_category", "authors"),
)
NUMBER_COLUMNS = (
    *("image_id", "width", "height", "page_number", "illustration"),
    *("publication_year", "publication_decade"),
)
NORMAL_FORMS: dict[str, Callable[[str], str | None]] = {
    "ecco_id": identifiers.ecco_id,
    "estc_id": identifiers.estc_id,
}
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<>|!=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)


def image_ids(connection: Connection, where: Sequence[str]) -> list[int]:
    """Returns the ids of images that meet conditions: COLUMN OPERATOR VALUE of `image_ecco`.

    Raises:
        ImgsimError: a condition cannot be read, or its value is not a number where one is needed.
        NotFoundError: no image meets them.
    """
    clauses: list[str] = []
    values: dict[str, Any] = {}
    for number, condition in enumerate(where):
        column, operator, value = _parsed(condition)
        clauses.append(f"{column} {operator} %(v{number})s")
        values[f"v{number}"] = value
    answer = table(
        connection,
        f"select image_id from imgsim.image_ecco where {' and '.join(clauses)}",  # noqa: S608
        values,
    )
    if not answer.rows:
        raise NotFoundError(
            f"no image meets {' and '.join(where)}", "see what is loaded: imgsim report coverage"
        )
    return [row[0] for row in answer.rows]


def _parsed(condition: str) -> tuple[str, str, str | int]:
    # The column and the operator go into the statement as they are: only known ones get there.
    match = CONDITION.fullmatch(condition)
    columns = (*NUMBER_COLUMNS, *TEXT_COLUMNS)
    if match is None or match[1] not in columns:
        raise ImgsimError(
            f"cannot read the condition {condition!r}",
            f"write COLUMN=VALUE (or <, <=, >, >=, <>, ~) with one of: {', '.join(columns)}",
        )
    column, operator, text = match.groups()
    if column in TEXT_COLUMNS:
        return column, operator, NORMAL_FORMS.get(column, str)(text) or text
    if not re.fullmatch(r"-?\d{1,18}", text) or operator == "~":
        raise ImgsimError(
            f"cannot use the condition {condition!r}: {column} is a number",
            f"give one such as {column}>=1750",
        )
    return column, operator, int(text)
