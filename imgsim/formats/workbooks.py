"""Excel workbooks (.xlsx) as rows of text, with what a workbook hides said in notes."""

from __future__ import annotations

import datetime
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgsim.errors import ImgsimError
from imgsim.wording import counted

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

Cells = tuple[str | None, ...]
WORKBOOK = "xl/workbook.xml"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument.spreadsheet"
EXACT_WHOLE = 2**53
_ZEROS = re.compile(r"0{2,}")


@dataclass(frozen=True)
class Sheet:
    """The rows of one sheet that are not blank, each with its number; the first is the header."""

    rows: tuple[tuple[int, Cells], ...]
    numeric: frozenset[int]
    notes: tuple[str, ...]


def what_zip_is(path: Path) -> str:
    """Returns what a ZIP archive holds: `xlsx`, or words for a reader."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if WORKBOOK in names:
                return "xlsx"
            if "mimetype" in names and archive.read("mimetype").decode() == OPEN_DOCUMENT:
                return "an OpenDocument spreadsheet"
            if any(name.startswith("xl/") for name in names):
                return "an Excel workbook in its binary form (.xlsb)"
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError, RuntimeError):
        return "a ZIP archive that is damaged or cut off, perhaps an Excel workbook"
    return "a ZIP archive"


def read_sheet(path: Path, wanted: str | None) -> Sheet:
    """Returns the sheet called `wanted`, or the first that is not blank.

    Raises:
        ImgsimError: the workbook is damaged, has no such sheet, or only blank ones.
    """
    import openpyxl

    try:
        # A formula's result is what was last shown; the formulas themselves are read beside it,
        # because one that was never calculated looks like a blank cell otherwise.
        shown = openpyxl.load_workbook(path, data_only=True)
        formulas = openpyxl.load_workbook(path)
    except (KeyError, ValueError, OSError, TypeError, zipfile.BadZipFile, SyntaxError) as exc:
        raise ImgsimError(
            f"cannot read {path}: the Excel workbook is damaged ({exc})",
            "open it in a spreadsheet and save it anew, or save it as CSV (UTF-8)",
        ) from exc
    filled = [sheet for sheet in shown.worksheets if _is_filled(sheet)]
    names = ", ".join(shown.sheetnames)
    if wanted is not None and wanted not in shown.sheetnames:
        raise ImgsimError(f"{path} has no sheet {wanted!r}; it has: {names}", "give one as --sheet")
    if wanted is None and not filled:
        raise ImgsimError(f"{path} is empty: no cell of its sheets is filled", "give another file")
    sheet = filled[0] if wanted is None else shown[wanted]
    notes = []
    if wanted is None and len(filled) > 1:
        others = ", ".join(other.title for other in filled[1:])
        notes.append(f"read the sheet {sheet.title}; for others ({others}) give --sheet")
    if sheet.sheet_state != "visible":
        notes.append(f"the sheet {sheet.title} is hidden in the workbook")
    rows, numeric, found = _rows(sheet, formulas[sheet.title])
    return Sheet(rows, numeric, (*notes, *found))


def _is_filled(sheet: Worksheet) -> bool:
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _rows(
    sheet: Worksheet, formulas: Worksheet
) -> tuple[tuple[tuple[int, Cells], ...], frozenset[int], list[str]]:
    above = _merged(sheet)
    rows: list[tuple[int, Cells]] = []
    numeric: set[int] = set()
    uncalculated = errors = merged = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells: list[str | None] = []
        for at, cell in enumerate(row):
            text = None if cell.data_type == "e" else _text(cell)
            errors += cell.data_type == "e"
            # Numbers in the header name columns; in the data they have no zeros before them.
            if rows and cell.data_type == "n" and cell.value is not None:
                numeric.add(at)
            uncalculated += text is None and formulas.cell(number, at + 1).data_type == "f"
            if text is None and rows and (number, at + 1) in above:
                merged, text = merged + 1, _text(sheet.cell(*above[number, at + 1]))
            cells.append(text)
        if any(text is not None and text.strip() for text in cells):
            rows.append((number, tuple(cells)))
    return tuple(rows), frozenset(numeric), _notes(merged, uncalculated, errors)


def _notes(merged: int, uncalculated: int, errors: int) -> list[str]:
    notes = []
    if merged:
        notes.append(f"{counted(merged, 'merged cell')}: each has the value of the topmost")
    if uncalculated:
        notes.append(
            f"{counted(uncalculated, 'formula')} without a result, read as blank: "
            "open the workbook in a spreadsheet and save it"
        )
    if errors:
        notes.append(f"{counted(errors, 'cell')} with an error such as #REF!, read as blank")
    return notes


def _merged(sheet: Worksheet) -> dict[tuple[int, int], tuple[int, int]]:
    """For each cell under the top of a merged range, that top. Cells beside it stay blank."""
    return {
        (row, merged.min_col): (merged.min_row, merged.min_col)
        for merged in sheet.merged_cells.ranges
        for row in range(merged.min_row + 1, merged.max_row + 1)
    }


def _text(cell: Any) -> str | None:
    """A cell's value as it would stand in a CSV file."""
    value = cell.value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_WHOLE:
        value = int(value)
    if isinstance(value, int):
        # A number shown as 0001700104 has the format 0000000000.
        zeros = _ZEROS.fullmatch(cell.number_format or "")
        return str(value).zfill(len(zeros[0])) if zeros else str(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)
