"""Identifiers of ECCO and ESTC, and what a file's name says of the picture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
    except (re.error, OverflowError, RecursionError) as exc:
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
    groups = {group: text for group, text in match.groupdict().items() if text}
    ecco_id, page_id, page = groups.get("ecco_id"), groups.get("page_id"), _number(groups, "page")
    if page_id is None and ecco_id and page is not None:
        page_id = f"{ecco_id}{page:04}0"
    return NameParts(ecco_id, page_id, page, _number(groups, "illustration"))


def _number(groups: Mapping[str, str], group: str) -> int | None:
    text = groups.get(group, "")
    return int(text) if text.isdecimal() and len(text) <= 9 else None


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
YEAR_COLUMNS = frozenset({"publication_year", "publication_decade"})
NUMBER_COLUMNS = YEAR_COLUMNS | {"ecco_pages"}

_ECCO_ID = re.compile(r"([0-9]{7,10})(?:\.0*)?")
# An agency in brackets, one letter, digits, and whatever follows an underscore.
_ESTC_ID = re.compile(r"(?:\([^()]*\))?\s*([A-Za-z])\s*0*([1-9][0-9]*)(?:_.*)?")
_WHOLE_NUMBER = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_YEAR = re.compile(r"([0-9]{4})(?:\.0*|-[0-9]{2}(?:-[0-9]{2})?|s)?")


def ecco_id(text: str) -> str | None:
    """The ten digits of an ECCO document's id; None if it is none.

    A spreadsheet eats the zeros before a number: seven to nine digits get them back.

    >>> ecco_id("1700104.0"), ecco_id("0001700104"), ecco_id("T132339")
    ('0001700104', '0001700104', None)
    """
    match = _ECCO_ID.fullmatch(text.strip())
    return match[1].zfill(10) if match else None


def lost_zeros(text: str) -> bool:
    """Whether an ECCO id is written with fewer digits than its ten."""
    match = _ECCO_ID.fullmatch(text.strip())
    return match is not None and len(match[1]) < 10


def estc_id(text: str) -> str | None:
    """The short form of an ESTC id, such as `T132339`; None if it is not written like one.

    >>> estc_id("(CU-RivES)N30954"), estc_id("T000123"), estc_id("T132339_2")
    ('N30954', 'T123', 'T132339')
    """
    match = _ESTC_ID.fullmatch(text.strip())
    return match[1].upper() + match[2] if match else None


def whole_number(text: str) -> int | None:
    """A count as it is written in a table (`320`, `320.0`); None if it is none."""
    match = _WHOLE_NUMBER.fullmatch(text.strip())
    return int(match[1]) if match else None


def year(text: str) -> int | None:
    """A year as catalogues write it; None if it is none, or not known.

    >>> year("1752.0"), year("1732-00-00"), year("1750s"), year("0000-00-00")
    (1752, 1732, 1750, None)
    """
    match = _YEAR.fullmatch(text.strip())
    return int(match[1]) or None if match else None
