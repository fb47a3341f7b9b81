"""Tables out of spreadsheets, databases and scripts: each right value, or what the file is."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim.bibliography.headings import known_columns
from imgsim.errors import ImgsimError
from imgsim.formats.reading import open_table
from imgsim.formats.tallies import Tally

Rows = list[tuple[str | None, ...]]


def read(path: Path, **how: Any) -> Rows:
    return [row.values for row in open_table(path, **how).rows(Tally())]


def book(path: Path, *rows: Sequence[Any]) -> openpyxl.Workbook:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(list(row))  # type: ignore[union-attr]
    workbook.save(path)
    return workbook


@pytest.mark.parametrize(
    "spelling", ["NULL", "null", "NaN", "nan", "None", "\\N", "N/A", "n/a", "NA", "#N/A", "<NA>"]
)
def test_a_spelling_of_missing_is_missing_and_counted(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,estc_id\n1,{spelling}\n2, {spelling} \n3,T1\n")
    file = open_table(tmp_path / "t.csv")
    assert [row.values[1] for row in file.rows(Tally())] == [None, None, "T1"]
    assert file.missing == {spelling: 2}


def test_other_spellings_are_kept_unless_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,a\n1,-\n2,none\n3,Null\n")
    assert read(tmp_path / "t.csv") == [("1", "-"), ("2", "none"), ("3", "Null")]
    assert read(tmp_path / "t.csv", missing=["-", "none"])[:2] == [("1", None), ("2", None)]


def test_text_that_pandas_made_of_nothing_is_missing_in_parquet_and_na_is_not(
    tmp_path: Path,
) -> None:
    pq.write_table(pa.table({"a": ["nan", "None", "NA", None]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == [(None,), (None,), ("NA",), (None,)]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_line_of_excel_gives_the_delimiter(tmp_path: Path, first: str, end: str) -> None:
    (tmp_path / "t.csv").write_text(end.join([first, "a;b,c", "1;2", "x,y;z", ""]), newline="")
    file = open_table(tmp_path / "t.csv")
    assert file.columns == ("a", "b,c")
    assert [(row.number, row.values) for row in file.rows(Tally())] == [
        (3, ("1", "2")),
        (4, ("x,y", "z")),
    ]


def test_json_and_json_lines_are_read_as_tables(tmp_path: Path) -> None:
    records = [{"id": "0017", "year": 1752, "x": None}, {"id": "0018", "ok": True, "y": [1]}]
    right = [("0017", "1752", None, None, None), ("0018", None, None, "true", "[1]")]
    (tmp_path / "a.json").write_text(json.dumps(records, indent=1))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    (tmp_path / "c.txt").write_text("\ufeff" + json.dumps(records))
    for name, kind in (("a.json", "JSON"), ("b.jsonl", "JSON Lines"), ("c.txt", "JSON")):
        assert open_table(tmp_path / name).kind == kind
        assert open_table(tmp_path / name).columns == ("id", "year", "x", "ok", "y")
        assert read(tmp_path / name) == right


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_text_goes_through_json_lines_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("json") / "t.jsonl"
    lines = [json.dumps({"a": f"x{text}"}, ensure_ascii=False) for text in ["", *texts]]
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    assert read(path) == [(f"x{text}",) for text in ["", *texts]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"id": {"0": 1}}', "does not hold a list of objects"),
        ("[1, 2]", "does not hold a list of objects"),
        ('[{"id": 1}, {"id"', "damaged or cut off"),
        ('{"id": 1}\n[2]\n', "line 2 is not an object"),
    ],
)
def test_json_of_another_shape_is_named_for_what_it_is(
    tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(ImgsimError, match=f"it is JSON, but .*{reason}"):
        open_table(tmp_path / "t.json")


def test_a_workbook_is_read_with_ids_as_text_and_lost_zeros_told(tmp_path: Path) -> None:
    workbook = book(
        tmp_path / "t.xlsx",
        ["ecco_id", "title", "when", "ok", "page_id"],
        ["0001700104", " A ", datetime.datetime(1902, 5, 1), True, 12],  # noqa: DTZ001
        [None, None, None, None, None],
        ["0001700105", "NULL", None, None, 0.5],
    )
    workbook.active["E4"].number_format = "0000"  # type: ignore[index]
    file = open_table(tmp_path / "t.xlsx")
    assert file.kind == "Excel"
    assert [(row.number, row.values) for row in file.rows(Tally())] == [
        (2, ("0001700104", " A ", "1902-05-01", "true", "12")),
        (4, ("0001700105", None, None, None, "0.5")),
    ]
    assert file.notes == (
        "column page_id holds ids as numbers: a workbook keeps no zeros before them",
    )


def test_a_number_shown_with_zeros_keeps_them(tmp_path: Path) -> None:
    workbook = book(tmp_path / "t.xlsx", ["id"], [1700104])
    workbook.active["A2"].number_format = "0000000000"  # type: ignore[index]
    workbook.save(tmp_path / "t.xlsx")
    assert read(tmp_path / "t.xlsx") == [("0001700104",)]


def test_merged_cells_errors_and_formulas_never_calculated_are_told(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["id", "title", "n"], [1, "A", "=1+1"], [2, None, "#REF!"]]
    workbook = book(tmp_path / "t.xlsx", *rows)
    workbook.active.merge_cells("B2:B3")  # type: ignore[union-attr]
    workbook.save(tmp_path / "t.xlsx")
    file = open_table(tmp_path / "t.xlsx")
    assert [row.values for row in file.rows(Tally())] == [("1", "A", None), ("2", "A", None)]
    for words in ("1 merged cell:", "1 formula without", "1 cell with an error"):
        assert any(words in note for note in file.notes), file.notes


def test_of_several_sheets_one_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    workbook = book(tmp_path / "t.xlsx", ["a"], ["1"])
    workbook.create_sheet("Empty")
    other = workbook.create_sheet("Other")
    other.append(["b"])
    other.append(["2"])
    workbook.save(tmp_path / "t.xlsx")
    assert read(tmp_path / "t.xlsx") == [("1",)]
    assert "(Other) give --sheet" in open_table(tmp_path / "t.xlsx").notes[0]
    assert read(tmp_path / "t.xlsx", sheet="Other") == [("2",)]
    with pytest.raises(ImgsimError, match="has no sheet 'x'; it has: Sheet, Empty, Other"):
        open_table(tmp_path / "t.xlsx", sheet="x")
    with pytest.raises(ImgsimError, match="is empty"):
        open_table(tmp_path / "t.xlsx", sheet="Empty")


@given(st.floats(-1e300, 1e300))
def test_a_number_of_a_workbook_is_read_as_itself(
    tmp_path_factory: pytest.TempPathFactory, number: float
) -> None:
    path = tmp_path_factory.mktemp("xlsx") / "t.xlsx"
    book(path, ["n"], [number])
    ((text,),) = read(path)
    assert text is not None
    assert math.isclose(float(text), number, rel_tol=1e-14)


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        *(("title", "ecco_full_title"), ("year", "publication_year"), ("author", "authors")),
        *(("place", "publication_place"), ("Publication Year", "publication_year")),
        *(("publication-year", "publication_year"), ("publicationYear", "publication_year")),
        *(("ESTC No.", "estc_id"), ("Author(s)", "authors"), ("Language", "language_primary")),
    ],
)
def test_a_heading_of_plain_meaning_is_taken(heading: str, column: str) -> None:
    assert known_columns(["ECCO ID", "shelfmark", heading]) == {"ecco_id": 0, column: 2}


@pytest.mark.parametrize("heading", ["id", "type", "format", "name", "titles of parts", "years"])
def test_a_heading_that_could_mean_several_things_is_left_alone(heading: str) -> None:
    assert known_columns(["ecco_id", heading]) == {"ecco_id": 0}


def test_of_two_headings_that_mean_one_column_none_is_taken() -> None:
    assert known_columns(["ecco_id", "title", "full title"]) == {"ecco_id": 0}
    assert known_columns(["ecco_id", "title", "ecco_full_title"])["ecco_full_title"] == 2
