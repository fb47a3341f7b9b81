"""Rows of a table of books as rows of `imgsim.ecco_document`, and what was met in reading them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from imgsim.bibliography import identifiers
from imgsim.bibliography.headings import known_columns
from imgsim.bibliography.identifiers import DOCUMENT_COLUMNS, NUMBER_COLUMNS, YEAR_COLUMNS
from imgsim.formats.reading import MISSING, Row, TableFile
from imgsim.formats.tallies import Tally, tally

KEY = "ecco_id"
ORIGINAL = "_original"
UNREAD = "_unread"


@dataclass
class Findings:
    """What was met in reading the rows of a file; each tally with its first examples."""

    padded: Tally = tally("ECCO id", "padded to ten digits (zeros were lost)")
    shortened: Tally = tally("ESTC id", "shortened; the original is in extra")
    unusable: Tally = tally("row", "skipped: no usable ecco_id")
    ragged: Tally = field(default_factory=Tally)
    unknown_estc: Tally = tally("ESTC id", "of an unknown form, kept unchanged")
    unread: Tally = tally("value", "kept in extra: not a number")
    inexact: Tally = tally("year", "read from another form; the original is in extra")


class Columns:
    """The columns of a file: which are ECCO's, and which are further ones."""

    def __init__(self, file: TableFile) -> None:
        self.known = known_columns(file.columns)
        taken = set(self.known.values())
        self.further = {name: at for at, name in enumerate(file.columns) if at not in taken}
        self.renamed = {
            file.columns[at]: column
            for column, at in self.known.items()
            if file.columns[at] != column
        }
        self.lacking = [column for column in DOCUMENT_COLUMNS if column not in self.known]

    def document(self, row: Row, findings: Findings) -> list[object] | None:
        """Returns a row as a document's columns; None, and noted, if it has no usable id."""
        given = {column: (row.values[at] or "").strip() for column, at in self.known.items()}
        ecco_id = identifiers.ecco_id(given[KEY])
        if ecco_id is None:
            findings.unusable.add(f"line {row.number}: {given[KEY] or 'blank'}")
            return None
        if identifiers.lost_zeros(given[KEY]):
            findings.padded.add(f"{given[KEY]} is {ecco_id}")
        extra = {name: row.values[at] for name, at in self.further.items()}
        extra = {name: text for name, text in extra.items() if not _is_missing(text)}
        values: dict[str, object] = {KEY: ecco_id}
        for column in DOCUMENT_COLUMNS[1:]:
            text = "" if _is_missing(given.get(column)) else given[column]
            value = _value(column, text, f"line {row.number}", findings)
            if text and value != text and _tells_more(column, text, value):
                extra[column + ORIGINAL] = text
                if column in YEAR_COLUMNS and value is not None:
                    findings.inexact.add(f"line {row.number}: {text} is {value}")
            values[column] = value
        return [row.number, *values.values(), json.dumps(extra, ensure_ascii=False)]


def _tells_more(column: str, text: str, value: str | int | None) -> bool:
    """Returns whether the text says more than the value, and must be kept."""
    if column in YEAR_COLUMNS and value is not None:
        return not identifiers.is_plain_year(text)
    return column == "estc_id" or value is None


def _is_missing(text: str | None) -> bool:
    # Parquet has nulls of its own, so only here is its `NA` taken for one.
    return text is None or text.strip() in MISSING


def _value(column: str, text: str, where: str, findings: Findings) -> str | int | None:
    """Returns a cell as its column holds it; what cannot be read is noted."""
    if not text:
        return None
    if column == "estc_id":
        short = identifiers.estc_id(text)
        if short is None:
            findings.unknown_estc.add(f"{where}: {text}")
        elif short != text:
            findings.shortened.add(f"{text} is {short}")
        return short or text
    if column not in NUMBER_COLUMNS:
        return text
    reading = identifiers.year if column in YEAR_COLUMNS else identifiers.whole_number
    number = reading(text)
    if number is None:
        findings.unread.add(f"{where}: {column} {text}")
    return number
