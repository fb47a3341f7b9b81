"""An ECCO-like bibliography, generated, and its tables with the faults that real ones have."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

IMAGES = 13_151
DOCUMENTS = 4_755
IN_METADATA = 4_750
IN_LATIN_1 = range(4_500, IN_METADATA)
WITHOUT_IMAGES = range(DOCUMENTS, DOCUMENTS + 40)
REPEATED_EQUAL = range(60)
REPEATED_OTHERWISE = range(100, 125)
UNUSABLE = ("NA", "", "abc")

COLUMNS = (
    *("ecco_id", "estc_id", "ecco_full_title", "ecco_pages", "publication_year"),
    *("publication_decade", "work_id", "publication_place", "shelfmark", "column 10"),
)
SMALLEST = (1_000_000, 20_000_000, 300_000_000, 1_200_000_000)


@dataclass(frozen=True)
class Document:
    """A book as it is in truth; `number` chooses the faults with which it is written."""

    number: int

    @property
    def ecco_id(self) -> str:
        """Ten digits, of which up to three are leading zeros."""
        return str(SMALLEST[self.number % 4] + 100 * self.number + 4).zfill(10)

    @property
    def estc_id(self) -> str | None:
        """Two documents share one; some have none."""
        return None if self.number % 11 == 0 else f"T{100 + self.number // 2}"

    @property
    def title(self) -> str:
        if self.number in IN_LATIN_1:
            return f"Flore françoise, n° {self.number}"
        return f'The "compleat" herbal;\nvol. {self.number}, § Æ'

    @property
    def year(self) -> int | None:
        return None if self.number % 13 == 0 else 1700 + self.number % 100

    @property
    def place(self) -> str | None:
        return (None, "London", "Dublin")[self.number % 3]

    @property
    def lost_zeros(self) -> bool:
        """Whether its id is written as the number that a spreadsheet makes of it."""
        return self.number % 5 < 2 and self.ecco_id.startswith("0")


def written(document: Document) -> list[str]:
    """A row of `COLUMNS`, with the faults."""
    number = document.number
    ecco_id = document.ecco_id
    if number % 5 < 2:
        ecco_id = str(int(ecco_id)) + ("", ".0")[number % 5]
    year, decade = "", ("NA", "")[number % 2]
    if document.year:
        year = f"{document.year}{('', '.0', '-00-00')[number % 3]}"
        decade = f"{document.year // 10 * 10}{('', '.0')[number % 2]}"
    return [
        *(ecco_id, _written_estc_id(document), document.title, ("320.0", "NA")[number % 2]),
        *(year, decade, f"W{number // 3}", document.place or "NA"),
        *(f"{number:06}", ("", "kept", "NA")[number % 3]),
    ]


def _written_estc_id(document: Document) -> str:
    if document.estc_id is None:
        return ""
    digits = document.estc_id[1:]
    forms = (f"T{digits}", f"T{digits:0>6}", f"(CU-RivES)T{digits}", f"T{digits:0>6}_2")
    return forms[document.number % 4]


def write_tables(folder: Path) -> list[Path]:
    """metadata.csv (UTF-8 with a byte order mark), and the rest in Latin-1 with semicolons."""
    first = (n for n in chain(range(IN_METADATA), WITHOUT_IMAGES) if n not in IN_LATIN_1)
    rows = [written(Document(number)) for number in first]
    rows += [[text, *written(Document(0))[1:]] for text in UNUSABLE]
    rows += [_repeated(Document(number)) for number in REPEATED_EQUAL]
    rows += [_repeated(Document(number), "Another title") for number in REPEATED_OTHERWISE]
    metadata, latin = folder / "metadata.csv", folder / "latin.csv"
    metadata.write_bytes(_text(rows, ",").encode("utf-8-sig"))
    rows = [written(Document(number)) for number in IN_LATIN_1]
    latin.write_bytes(_text(rows, ";").encode("latin-1"))
    return [metadata, latin]


def _repeated(document: Document, title: str | None = None) -> list[str]:
    """Its row again, with the zeros of its id."""
    row = written(document)
    return [document.ecco_id, row[1], title or row[2], *row[3:]]


def _text(rows: Iterable[list[str]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def names() -> Iterator[tuple[int, Document, int]]:
    """Every image: its id, its document and its page."""
    for image_id in range(1, IMAGES + 1):
        yield image_id, Document(image_id % DOCUMENTS), image_id // DOCUMENTS + 1


def page_id(document: Document, page: int) -> str:
    """The id of a page, with which the name of its illustrations begins."""
    return f"{document.ecco_id}{page:04}0"
