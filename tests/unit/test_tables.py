"""Tables as they are met: every encoding, delimiter and damage that a file may come with."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim.errors import ImgsimError
from imgsim.formats.reading import MISSING, TableFile, open_table, unique_names
from imgsim.formats.tallies import Tally

Rows = list[tuple[str | None, ...]]
Write = Callable[..., Path]


def rows(file: TableFile) -> Rows:
    return [row.values for row in file.rows(Tally())]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: bytes | str, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


@pytest.mark.parametrize(
    ("delimiter", "kind"),
    [(",", "CSV"), (";", "CSV with ;"), ("\t", "TSV"), ("|", "CSV with |")],
)
def test_the_delimiter_is_found_out_though_titles_hold_the_others(
    write: Write, delimiter: str, kind: str
) -> None:
    lines = [["ecco_id", "title"], ["0001700104", "A, b; c | d"], ["0001700105", "E;\tf, g|h"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    file = open_table(write(text.getvalue()))
    assert file.kind == kind
    assert file.columns == ("ecco_id", "title")
    assert rows(file) == [tuple(line) for line in lines[1:]]


def test_a_single_column_needs_no_delimiter(write: Write) -> None:
    file = open_table(write("ecco_id\n0001700104\n\n0001700105\n"))
    assert rows(file) == [("0001700104",), ("0001700105",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_without_a_note(write: Write, encoding: str) -> None:
    file = open_table(write("name,place\nÆsop,Køln\n".encode(encoding)))
    assert file.columns == ("name", "place")
    assert rows(file) == [("Æsop", "Køln")]
    assert file.notes == ()


def test_what_is_not_utf8_is_read_as_windows_1252_and_says_where(write: Write) -> None:
    file = open_table(write("id,title\n1,plain\n2,\u2018Æsop\u2019 \u2014 café\n".encode("cp1252")))
    assert rows(file)[1] == ("2", "\u2018Æsop\u2019 \u2014 café")
    assert file.notes == ("line 3 is not UTF-8: the file is read as Windows-1252",)


def test_bytes_that_windows_1252_lacks_make_it_latin_1(write: Write) -> None:
    file = open_table(write(b"id,title\n1,caf\xe9\x81\n"))
    assert rows(file) == [("1", "café\x81")]
    assert "Latin-1" in file.notes[0]


def test_a_character_that_two_blocks_share_is_not_broken(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgsim.formats import dialect

    monkeypatch.setattr(dialect, "BLOCK", 3)
    file = open_table(write("id,t\n1,ééé漢\n"))
    assert file.notes == ()
    assert rows(file) == [("1", "ééé漢")]


def test_blank_and_na_are_missing_and_all_else_is_kept_as_it_is(write: Write) -> None:
    file = open_table(write('a,b,c\n"0017", NA ,""\n  x ,NAN,0.10\n'))
    assert rows(file) == [("0017", None, None), ("  x ", "NAN", "0.10")]


def test_quoted_cells_hold_delimiters_quotes_and_lines(write: Write) -> None:
    file = open_table(write('id,title\n"1","A ""fine"" plate,\nand another"\n2,b\n'))
    found = list(file.rows(Tally()))
    assert found[0].values == ("1", 'A "fine" plate,\nand another')
    assert [row.number for row in found] == [2, 4]


def test_rows_that_do_not_fit_the_columns_are_told_and_the_rest_goes_on(write: Write) -> None:
    ragged = Tally()
    file = open_table(write("a,b\n1,2\n3\n4,5,6\n7,8,,\n,\n9,10\n"))
    assert [row.values for row in file.rows(ragged)] == [("1", "2"), ("7", "8"), ("9", "10")]
    assert ragged.count == 2
    assert ragged.examples == ["line 3: 1 cells for 2 columns", "line 4: 3 cells for 2 columns"]


def test_a_header_that_fits_no_row_is_an_error(write: Write) -> None:
    file = open_table(write("a\tb\nr1\t1\t2\nr2\t3\t4\n", "r.tsv"))
    with pytest.raises(ImgsimError, match=r"no row of .* fits its 2 columns: line 2: 3 cells"):
        rows(file)


def test_an_unclosed_quote_in_a_csv_is_an_error_not_a_swallowed_file(write: Write) -> None:
    lines = "".join(f'{n},"title {n}"\n' for n in range(50))
    with pytest.raises(ImgsimError, match="a cell has no end"):
        open_table(write(f'id,title\n{lines}51,"open\n52,more\n'))


def test_quotation_marks_in_an_unquoted_tsv_stay_in_the_text(write: Write) -> None:
    file = open_table(write('id\ttitle\n1\t"A" treatise\n2\t"Open\n3\tc\n', "a.tsv"))
    assert rows(file) == [("1", '"A" treatise'), ("2", '"Open'), ("3", "c")]
    assert "taken as they stand" in file.notes[0]


def test_a_quotation_mark_not_written_twice_is_told(write: Write) -> None:
    file = open_table(write('id,title\n1,"A "fine" plate"\n2,b\n'))
    assert len(rows(file)) == 2
    assert "line 2" in file.notes[0]


def test_a_cell_without_measure_is_an_error(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgsim.formats import dialect

    monkeypatch.setattr(dialect, "LONGEST_CELL", 1000)
    file = write("id,title\n1,a\n2," + "x" * 2000 + "\n")
    try:
        with pytest.raises(ImgsimError, match="line 3: a cell of over 1,000 characters"):
            rows(open_table(file))
    finally:
        csv.field_size_limit(131_072)


def test_a_long_cell_is_read(write: Write) -> None:
    assert rows(open_table(write("id,ocr\n1," + "x" * 1_000_000 + "\n")))[0][1] == "x" * 1_000_000


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.csv", "is empty"),
        (b" \n\r\n", "a.csv", "is empty"),
        (b"\xef\xbb\xbf", "a.csv", "is empty"),
        (b"a,b\n1,2\n3,\x004\n", "a.csv", "line 3 holds a NUL byte"),
        (b"\xff\xfea\x00,\x00b\x00\n", "a.csv", "UTF-16"),
        (b"PK\x03\x04whatever", "a.xlsx", "an Excel workbook"),
        (b"\x1f\x8b\x08\x00", "a.csv.gz", "compressed with gzip"),
        (b"a,b\n1,2\n", "a.parquet", "is not Parquet"),
        (b"PAR1 and then nothing", "a.parquet", "cannot read"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(
    write: Write, content: bytes, name: str, reason: str
) -> None:
    with pytest.raises(ImgsimError, match=reason) as caught:
        open_table(write(content, name))
    assert name in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_there_or_a_folder_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ImgsimError, match="cannot read"):
            open_table(path)


def test_a_header_alone_has_columns_and_no_rows(write: Write) -> None:
    file = open_table(write("ecco_id,title"))
    assert file.columns == ("ecco_id", "title")
    assert rows(file) == []


def test_columns_are_made_unique_and_named_with_a_note() -> None:
    names, notes = unique_names(["id", "", " id ", "id_2", "", "id"])
    assert names == ("id", "column_2", "id_3", "id_2", "column_5", "id_4")
    assert len(notes) == 4


@given(st.lists(st.sampled_from(["", " ", "a", "b", "a_2", "column_1", "column_2", "A"])))
def test_column_names_are_always_unique_and_the_first_of_each_is_kept(
    given_names: list[str],
) -> None:
    names, _ = unique_names(given_names)
    assert len(set(names)) == len(names) == len(given_names)
    assert all(names)
    for name in {name.strip() for name in given_names} - {""}:
        assert names[[n.strip() for n in given_names].index(name)] == name


def test_columns_are_found_whatever_their_case(write: Write) -> None:
    file = open_table(write(" ECCO_ID ,Title\n1,2\n"))
    assert file.position("ecco_id") == 0
    with pytest.raises(ImgsimError, match="no column estc_id; it has: ECCO_ID, Title"):
        file.position("estc_id")


def test_parquet_values_become_the_text_a_csv_would_hold(tmp_path: Path) -> None:
    columns = {
        "text": ["0001700104", None, "NA"],
        "whole": [1700104, None, -3],
        "year": pa.array([1752.0, None, float("nan")]),
        "score": pa.array([0.94, 0.1, None], pa.float32()),
        "flag": [True, False, None],
        "class": pa.array(["x", None, "y"]).dictionary_encode(),
        "day": [datetime.date(1752, 9, 14), None, None],
        "list": [["a", "b"], None, []],
        "price": [Decimal("1.50"), None, None],
        "bytes": [b"plain", b"\xff\x00", None],
        "none": pa.nulls(3),
    }
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    file = open_table(path)
    assert file.kind == "Parquet"
    by_name = dict(zip(file.columns, zip(*rows(file), strict=True), strict=True))
    assert by_name["text"] == ("0001700104", None, "NA")
    assert by_name["whole"] == ("1700104", None, "-3")
    assert [y and float(y) for y in by_name["year"]] == [1752, None, None]
    assert by_name["score"] == ("0.94", "0.1", None)
    assert by_name["flag"] == ("true", "false", None)
    assert by_name["class"] == ("x", None, "y")
    assert by_name["day"] == ("1752-09-14", None, None)
    assert by_name["list"] == ('["a", "b"]', None, "[]")
    assert by_name["price"] == ("1.50", None, None)
    assert by_name["bytes"] == ("706c61696e", "ff00", None)
    assert by_name["none"] == (None, None, None)


def test_a_nul_in_parquet_is_refused_by_row(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": ["fine", "not\0fine"]}), path)
    with pytest.raises(ImgsimError, match="row 2 holds a NUL"):
        rows(open_table(path))


def test_parquet_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": ["x"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImgsimError, match="cannot read"):
        open_table(path)


cells = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda cell: cell.strip() not in MISSING)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8))
def test_any_text_goes_through_a_csv_unchanged(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("id", "b", "c"), *written])
    assert rows(open_table(path)) == written
