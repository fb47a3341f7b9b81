"""Identifiers of ECCO and ESTC, and the bibliography of the books the images come from."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError

# <ecco_id, 10 digits><page, 4 digits>0_<illustration>
ECCO_NAME = r"(?P<ecco_id>\d{10})(?P<page>\d{4})0_(?P<illustration>\d+)"
PATTERN_GROUPS = ("ecco_id", "page", "illustration", "page_id")


@dataclass(frozen=True)
class NameParts:
    """What a file's name says of the picture; each None where it says nothing."""

    ecco_id: str | None = None
    page_id: str | None = None
    page_number: int | None = None
    illustration: int | None = None


def name_pattern(expression: str = ECCO_NAME) -> re.Pattern[str]:
    """Compile a pattern for file names, with named groups out of `PATTERN_GROUPS`.

    Raises:
        ImgsimError: it is no regular expression, or has none of those groups.
    """
    try:
        pattern = re.compile(expression)
    except re.error as exc:
        raise ImgsimError(
            f"the name pattern {expression!r} is not a regular expression: {exc}",
            r"for example: --name-pattern '(?P<ecco_id>\d{10})_p(?P<page>\d+)'",
        ) from exc
    if not set(pattern.groupindex) & set(PATTERN_GROUPS):
        raise ImgsimError(
            f"the name pattern {expression!r} has no group that is known",
            f"name one or more of {', '.join(f'(?P<{g}>…)' for g in PATTERN_GROUPS)}",
        )
    return pattern


def parse_name(name: str, pattern: re.Pattern[str]) -> NameParts:
    """Read the identifiers out of a file's name (without its ending).

    >>> parse_name("000170010400180_0", name_pattern())
    NameParts(ecco_id='0001700104', page_id='000170010400180', page_number=18, illustration=0)
    """
    match = pattern.fullmatch(name)
    if match is None:
        return NameParts()
    groups = match.groupdict()
    ecco_id, page = groups.get("ecco_id"), groups.get("page")
    page_id = groups.get("page_id")
    if page_id is None and ecco_id and page:
        page_id = f"{ecco_id}{int(page):04}0" if page.isdigit() else None
    return NameParts(ecco_id, page_id, _number(page), _number(groups.get("illustration")))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) <= 9 else None


DOCUMENT_COLUMNS = (
    "ecco_id",
    "estc_id",
    "ecco_full_title",
    "ecco_pages",
    "language_primary",
    "gatherings",
    "publication_year",
    "publication_decade",
    "work_id",
    "publication_place",
    "publication_country",
    "document_type",
    "sub_category",
    "authors",
)
NUMBER_COLUMNS = frozenset({"ecco_pages", "publication_year", "publication_decade"})


def load_documents(connection: Connection, file: Path) -> int:
    """Read a CSV in the ECCO columns into `imgsim.ecco_document`; how many books it holds.

    Books that are there already are updated.

    Raises:
        ImgsimError: there is no column `ecco_id`.
    """
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        columns = reader.fieldnames or []
        if "ecco_id" not in columns:
            raise ImgsimError(
                f"{file} has no column ecco_id; it has: {', '.join(columns) or 'none'}",
                "rename the column that holds the ECCO document's id",
            )
        rows = [_document(row) for row in reader]
    assignments = ", ".join(f"{c} = excluded.{c}" for c in (*DOCUMENT_COLUMNS[1:], "extra"))
    connection.cursor().executemany(
        f"""
        insert into imgsim.ecco_document ({", ".join(DOCUMENT_COLUMNS)}, extra)
        values ({", ".join(["%s"] * (len(DOCUMENT_COLUMNS) + 1))})
        on conflict (ecco_id) do update set {assignments}
        """.encode(),  # noqa: S608
        rows,
    )
    return len(rows)


def _document(row: dict[str, str]) -> list[object]:
    values: list[object] = []
    for column in DOCUMENT_COLUMNS:
        text = (row.get(column) or "").strip()
        if text in ("", "NA"):
            values.append(None)
        else:
            values.append(int(float(text)) if column in NUMBER_COLUMNS else text)
    extra = {key: value for key, value in row.items() if key not in DOCUMENT_COLUMNS and value}
    return [*values, json.dumps(extra, ensure_ascii=False)]
