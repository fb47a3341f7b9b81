"""Text files of rows and cells: their encoding, delimiter and quotation marks found out."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgsim.errors import ImgsimError

DELIMITERS = ",;\t|"
LONGEST_CELL = 16 * 2**20
BLOCK = 2**20
SAMPLE = 2**16
EXCEL_LINE = re.compile(r'"?sep=(.)"?[;,\t|]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
NOT_WINDOWS = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")


@dataclass(frozen=True)
class Dialect:
    """How a file is written; `notes` tell what is out of the ordinary.

    `skipped` lines stand before the header: Excel's own first line, such as `sep=;`.
    """

    encoding: str
    delimiter: str
    quoting: int
    notes: tuple[str, ...]
    skipped: int = 0


def examine(path: Path) -> Dialect:
    """Finds out how a file is written, reading it once.

    Raises:
        ImgsimError: it has no text, holds NUL bytes, or a cell has no end.
    """
    encoding, encoding_note = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(SAMPLE)
        whole = not file.read(1)
    if not sample.strip():
        raise ImgsimError(f"{path} is empty", "see that it was written to its end")
    skipped = 0
    if declared := EXCEL_LINE.match(sample):
        skipped, delimiter, sample = 1, declared[1], sample[declared.end() :]
        if not sample.strip():
            raise ImgsimError(f"{path} is empty", "see that it was written to its end")
    else:
        delimiter = _sniff(sample, whole)
    quoting, quoting_note = _quoting(path, encoding, delimiter, sample.startswith('"'), skipped)
    notes = tuple(note for note in (encoding_note, quoting_note) if note)
    return Dialect(encoding, delimiter, quoting, notes, skipped)


def records(path: Path, dialect: Dialect) -> Iterator[tuple[int, int, list[str]]]:
    """Yields the records that are not blank, each with its first and last line.

    Raises:
        ImgsimError: a cell is too long to be one.
    """
    with path.open(encoding=dialect.encoding, newline="") as file:
        skipped = sum(bool(file.readline()) for _ in range(dialect.skipped))
        reader = _reader(file, dialect.delimiter, quoting=dialect.quoting)
        first = 1 + skipped
        try:
            for cells in reader:
                last = reader.line_num + skipped
                if any(cell.strip() for cell in cells):
                    yield first, last, cells
                first = last + 1
        except csv.Error as exc:
            raise ImgsimError(
                f"{path}, line {first}: a cell of over {LONGEST_CELL:,} characters",
                "check that every quotation mark that is opened there is closed",
            ) from exc


def no_text(path: Path, reason: str) -> ImgsimError:
    """Returns the error for a file, or a text in it, that PostgreSQL cannot hold as text."""
    return ImgsimError(f"{path} is not a text file: {reason}", "give a CSV, TSV or Parquet file")


def _encoding(path: Path) -> tuple[str, str]:
    """Returns the encoding of the bytes, and a note if it is not Unicode.

    Raises:
        ImgsimError: it holds a NUL byte, or is broken UTF-16.
    """
    with path.open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8")()
        line, bad_line, windows = 1, 0, True
        while block := file.read(BLOCK):
            if not wide and b"\0" in block:
                where = line + block.count(b"\n", 0, block.index(b"\0"))
                raise no_text(path, f"line {where} holds a NUL byte")
            windows = windows and not any(byte in block for byte in NOT_WINDOWS)
            if not bad_line:
                try:
                    decoder.decode(block, final=len(block) < BLOCK)
                except UnicodeDecodeError as exc:
                    bad_line = line + exc.object.count(b"\n", 0, exc.start)
            line += block.count(b"\n")
    if wide:
        if bad_line:
            raise no_text(path, "it begins like UTF-16 and is not")
        return "utf-16", ""
    if not bad_line:
        return "utf-8-sig", ""
    # Latin-1 reads any byte, so it is the last resort: what Windows-1252 lacks is rare in texts.
    encoding, meant = ("cp1252", "Windows-1252") if windows else ("latin-1", "Latin-1")
    return encoding, f"line {bad_line} is not UTF-8: the file is read as {meant}"


def _sniff(sample: str, whole: bool) -> str:
    """Returns the delimiter by which most rows have as many cells as the header, and over one."""

    def score(delimiter: str) -> tuple[bool, float, int]:
        try:
            records = [r for r in _reader(io.StringIO(sample, newline=""), delimiter) if any(r)]
        except csv.Error:
            return False, 0, 0
        # The sample ends somewhere in its last record.
        if not whole and len(records) > 1:
            records.pop()
        width = len(records[0]) if records else 0
        agreeing = sum(len(record) == width for record in records)
        return width > 1, agreeing / max(1, len(records)), width

    return max(DELIMITERS, key=score)


def _quoting(
    path: Path, encoding: str, delimiter: str, quoted: bool, skipped: int
) -> tuple[int, str]:
    """Returns whether quotation marks enclose cells or belong to them, and a note if unclear.

    Raises:
        ImgsimError: a quotation mark is never closed.
    """
    with path.open(encoding=encoding, newline="") as file:
        for _ in range(skipped):
            file.readline()
        reader = _reader(file, delimiter, strict=True)
        try:
            for _ in reader:
                pass
        except csv.Error as exc:
            where = f"{path}, line {reader.line_num + skipped}"
            if delimiter in "\t|" and not quoted:
                note = f"{where}: quotation marks that enclose no cell are taken as they stand"
                return csv.QUOTE_NONE, note
            if "field larger" in str(exc):
                return csv.QUOTE_MINIMAL, ""
            if "unexpected end" in str(exc):
                raise ImgsimError(
                    f"{path}: a cell has no end: a quotation mark is opened and never closed",
                    "close it; one that belongs to the text is written twice",
                ) from exc
            note = f"{where}: a quotation mark inside a quoted cell is not written twice"
            return csv.QUOTE_MINIMAL, note
    return csv.QUOTE_MINIMAL, ""


def _reader(file: Iterable[str], delimiter: str, **how: Any) -> Any:
    # Of the process, and by default too short for the full text of a page.
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(file, delimiter=delimiter, **how)
