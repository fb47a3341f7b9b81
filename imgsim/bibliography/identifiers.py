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

# Decimals of a number that a spreadsheet or pandas wrote for a whole one, with either mark. Three
# zeros after one mark are refused: `1.000` is one thousand in half of Europe.
_DECIMALS = r"(?:[.,]0{0,2}|\.0{4,})?"
_ECCO_ID = re.compile(rf"([0-9]{{7,10}}){_DECIMALS}")
_ECCO_ID_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){2,3}")
_ECCO_ID_POWER = re.compile(r"([0-9])\.([0-9]+)[eE]\+?0*([0-9])")
# `="0001700104"` and `'0001700104` are how people make Excel keep the zeros.
_EXCEL_TEXT = re.compile(r"""='?"(.*)"|'(.*)""")
# An agency in brackets, one letter, digits, and whatever follows an underscore.
_ESTC_ID = re.compile(r"(?:\([^()]*\))?\s*([A-Za-z])\s*0*([1-9][0-9]*)(?:_.*)?")
_WHOLE_NUMBER = re.compile(rf"([0-9]{{1,9}}){_DECIMALS}")
_GROUPED_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,2}")

_MONTH_DAY = r"(?:0[0-9]|1[0-2])(?:-?(?:[0-2][0-9]|3[01]))?"
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_YEARS = tuple(
    re.compile(expression)
    for expression in (
        rf"([0-9]{{4}})(?:{_DECIMALS}|s)",
        rf"([0-9]{{4}})-{_MONTH_DAY}{_TIME}",
        r"([0-9]{4})(?:0[0-9]|1[0-2])(?:[0-2][0-9]|3[01])",
        r"[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4})",
        r"([0-9],[0-9]{3})",
    )
)
# A winter counted by the old style and the new: `1752/3`, `1752/53`.
_WINTER = re.compile(r"([0-9]{4}) ?[-/\u2013] ?([0-9]{1,2}|[0-9]{4})")
_AROUND = re.compile(r"(?:c|ca|circa)\.? ?(?=[0-9])", re.IGNORECASE)
_ROMAN = re.compile(r"M(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
FIRST_PRINTED = 1400


def ecco_id(text: str) -> str | None:
    """Returns the ten digits of an ECCO document's id; None if it is not one.

    A spreadsheet drops the zeros before a number: seven to nine digits get them back. A power of
    ten counts only where it shows every digit, because Excel rounds what it shows so.

    >>> ecco_id("1700104.0"), ecco_id("1700104,0"), ecco_id("1.700104E6"), ecco_id("T132339")
    ('0001700104', '0001700104', '0001700104', None)
    >>> ecco_id("1.7E6") is None
    True
    """
    digits = _ecco_digits(text)
    return digits.zfill(10) if digits else None


def _ecco_digits(text: str) -> str | None:
    text = text.strip()
    if quoted := _EXCEL_TEXT.fullmatch(text):
        text = (quoted[1] or quoted[2] or "").strip()
    if match := _ECCO_ID.fullmatch(text):
        return match[1]
    if _ECCO_ID_GROUPED.fullmatch(text):
        return text.replace(",", "")
    match = _ECCO_ID_POWER.fullmatch(text)
    # As many digits as the power has: with fewer, Excel has rounded the last ones away.
    if match and len(match[2]) == int(match[3]) >= 6:
        return match[1] + match[2]
    return None


def lost_zeros(text: str) -> bool:
    """Returns whether an ECCO id is written with fewer than its ten digits."""
    digits = _ecco_digits(text)
    return digits is not None and len(digits) < 10


def estc_id(text: str) -> str | None:
    """Returns the short form of an ESTC id, such as `T132339`; None if it is not one.

    >>> estc_id("(CU-RivES)N30954"), estc_id("T000123"), estc_id("T132339_2")
    ('N30954', 'T123', 'T132339')
    """
    match = _ESTC_ID.fullmatch(text.strip())
    return match[1].upper() + match[2] if match else None


def whole_number(text: str) -> int | None:
    """Returns a count as tables write it (`320`, `320.0`, `320,0`, `1,024`); None if it is not one.

    >>> whole_number("320,0"), whole_number("1,024"), whole_number("1.024")
    (320, 1024, None)
    """
    text = text.strip()
    if _GROUPED_NUMBER.fullmatch(text):
        return int(text.replace(",", ""))
    match = _WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None


def year(text: str) -> int | None:
    """Returns a year as catalogues write it; None if it is not one, or not known.

    Of a winter in two years, as `1752/3`, the first; a longer run of years is not one year. A Roman
    numeral is read only in its regular form and from 1400 on.

    >>> year("1752.0"), year("1732-00-00"), year("1750s"), year("0000-00-00")
    (1752, 1732, 1750, None)
    >>> year("[1752?]"), year("c1752"), year("1752/3"), year("MDCCLII"), year("175-?")
    (1752, 1752, 1752, 1752, None)
    """
    bare = _bare_year(text)
    for form in _YEARS:
        if match := form.fullmatch(bare):
            return int(match[1].replace(",", "")) or None
    if winter := _WINTER.fullmatch(bare):
        first, second = winter.groups()
        # Only of following years is it one year in two styles; 1752-60 is a run of them.
        return int(first) if int(first[: -len(second)] + second) == int(first) + 1 else None
    return _roman(bare)


def is_plain_year(text: str) -> bool:
    """Returns whether a year is written as its number only, so that the text says no more.

    >>> is_plain_year("1752"), is_plain_year("1752.0"), is_plain_year("1752?")
    (True, True, False)
    """
    return re.fullmatch(r"[0-9]{4}(?:\.0*|-00(?:-00)?)?", text.strip()) is not None


def _bare_year(text: str) -> str:
    """Returns the text without what marks a year as supplied, doubtful or approximate."""
    text = text.strip().rstrip(".").strip()
    for opening, closing in ("[]", "()"):
        # Several pairs enclose parts of the text: what stands between is no longer one year.
        if text.count(opening) <= 1 and text.count(closing) <= 1:
            text = text.removeprefix(opening).replace(f"{closing}", "").strip()
    text = text.removesuffix("?").strip()
    return _AROUND.sub("", text, count=1) if _AROUND.match(text) else text


def _roman(text: str) -> int | None:
    letters = re.sub(r"[. ]", "", text)
    if not _ROMAN.fullmatch(letters):
        return None
    digits = [_ROMAN_DIGITS[letter] for letter in letters]
    number = sum(
        -digit if digit < following else digit
        for digit, following in zip(digits, [*digits[1:], 0], strict=True)
    )
    # Before it, letters such as MIX are words.
    return number if number >= FIRST_PRINTED else None
