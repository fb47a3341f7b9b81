"""`imgsim metadata` and `imgsim table`: what they print, and their exit codes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsim.database.connection import Connection
from tests.conftest import Answer

Imgsim = Callable[..., Answer]


def add_image(connection: Connection, path: str) -> None:
    connection.execute(
        """
        insert into imgsim.image
            (name, path, sha256, bytes, modified_ns, width, height, mode, format)
        values (%s, %s, 'x', 1, 1, 1, 1, 'L', 'PNG')
        """,
        [Path(path).stem, path],
    )


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_load_tells_what_it_did_and_ends_with_the_coverage(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    add_image(connection, "/s/a.png")
    (tmp_path / "m.csv").write_text("ecco_id;estc_id\n1700104;T001\n0001700105;T2\n")
    (tmp_path / "n.tsv").write_text("ecco_id\tauthors\n0001700105\tMiller\n")
    answer = imgsim("metadata", "load", tmp_path / "m.csv", tmp_path / "n.tsv")
    assert answer.code == 0
    told = squeezed(answer.err)
    assert f"{tmp_path / 'm.csv'} (CSV with ;)" in told
    assert "2 books new" in told
    assert "1 ECCO id padded to ten digits (zeros were lost):" in told
    assert "1700104 is 0001700104" in told
    assert "1 book updated" in told
    assert "pictures without a book 1 a" in squeezed(answer.out)
    assert "books without pictures 2 0001700104" in squeezed(answer.out)


def test_load_ends_with_3_when_rows_could_not_be_used(imgsim: Imgsim, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("ecco_id,year\nabc,1\n0001700105,2\n0001700105,3\n1,2,3\n")
    answer = imgsim("metadata", "load", tmp_path / "m.csv")
    assert answer.code == 3
    assert "note: 1 row skipped: no usable ecco_id:" in answer.err
    assert "line 2: abc" in answer.err
    assert "0001700105 year: 2 kept, not 3" in answer.err
    assert "line 5: 3 cells for 2 columns" in answer.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"id,title\n1,2\n", "has no column ecco_id; it has: id, title"),
        (b"ecco_id\n\x00\n", "line 2 holds a NUL byte"),
        (b'ecco_id,title\n0001700104,"open\n', "a cell has no end"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
        (b"ecco_id,title\n0001700104\n", "no row of"),
        (None, "cannot read"),
    ],
)
@pytest.mark.parametrize("command", ["metadata", "table"])
def test_bad_files_are_one_clear_error_and_change_nothing(
    imgsim: Imgsim,
    connection: Connection,
    tmp_path: Path,
    content: bytes | None,
    message: str,
    command: str,
) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    options = ["--name", "t", "--key", "ecco_id"] if command == "table" else []
    answer = imgsim(command, "load", path, *options)
    assert answer.code == 1
    assert answer.err.startswith("error: ")
    assert str(path) in answer.err
    assert message in answer.err
    assert "next: " in answer.err
    assert "Traceback" not in answer.err
    for table in ("ecco_document", "research_table"):
        assert connection.execute(f"select count(*) from imgsim.{table}").fetchone() == (0,)


def test_link_sets_the_books_of_the_prints(
    imgsim: Imgsim, connection: Connection, prints: Path
) -> None:
    for name in ("v01_img001.jpg", "v01_img002.jpg", "thumbs/v01_img001-tb.jpg"):
        add_image(connection, f"/scans/curtis_botanical_magazine/{name}")
    add_image(connection, "/scans/elsewhere.png")
    assert imgsim("metadata", "load", prints / "metadata.csv").code == 0
    columns = (
        "--file-column",
        "file",
        "--ecco-id-column",
        "ecco_id",
        "--page-column",
        "page_number",
    )
    answer = imgsim("metadata", "link", prints / "illustrations.csv", *columns)
    assert answer.code == 0
    assert "3 images linked" in squeezed(answer.err)
    assert "note: 2,296 rows skipped: image not in the store:" in answer.err
    assert "pictures with a book 3 v01_img001" in squeezed(answer.out)
    assert "pictures without a book 1 elsewhere" in squeezed(answer.out)
    again = imgsim("metadata", "link", prints / "illustrations.csv", *columns)
    assert "3 images linked so already" in squeezed(again.err)


def test_link_ends_with_3_when_a_row_fits_several_images(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    add_image(connection, "/s/a/one.png")
    add_image(connection, "/s/b/one.png")
    (tmp_path / "l.csv").write_text("f,e\none,0000000001\n")
    answer = imgsim(
        *("metadata", "link", tmp_path / "l.csv", "--file-column", "f", "--ecco-id-column", "e")
    )
    assert answer.code == 3
    assert "line 2: one fits 2 files" in answer.err
    missing = imgsim(
        *("metadata", "link", tmp_path / "l.csv", "--file-column", "file", "--ecco-id-column", "e")
    )
    assert missing.code == 1
    assert "has no column file; it has: f, e" in missing.err


def test_a_research_table_is_loaded_listed_and_replaced(
    imgsim: Imgsim, connection: Connection, prints: Path
) -> None:
    assert "no research tables yet" in imgsim("table", "list").err
    load = ("table", "load", prints / "illustrations.csv", "--name", "places", "--key")
    answer = imgsim(*load, "file")
    assert answer.code == 0
    assert "research.places: 2,299 rows, key file (no two rows share one)" in answer.err
    assert "ecco_id text" in squeezed(answer.out)
    assert "page_number integer" in squeezed(answer.out)
    again = imgsim(*load, "ecco_id")
    assert again.code == 1
    assert "research.places exists already" in again.err
    replaced = imgsim(*load, "ecco_id", "--replace")
    assert replaced.code == 0
    assert "note: a join by ecco_id multiplies rows" in replaced.err
    (listed,) = json.loads(imgsim("table", "list", "--format", "json").out)
    assert (listed["name"], listed["key"], listed["rows"]) == ("places", "ecco_id", 2299)
    with (prints / "illustrations.csv").open(newline="") as file:
        ids = sorted(row["ecco_id"] for row in csv.DictReader(file))
    stored = connection.execute('select ecco_id from research.places order by ecco_id collate "C"')
    assert [row[0] for row in stored] == ids


def test_load_tells_columns_missing_values_and_a_header_without_rows(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    (tmp_path / "m.csv").write_text("ecco_id,title,shelf\n1000001,NULL,-\n")
    told = squeezed(imgsim("metadata", "load", tmp_path / "m.csv", "--missing", "-").err)
    assert "columns taken: title as ecco_full_title" in told
    assert "columns kept in extra: shelf" in told
    assert "2 cells read as missing: -, NULL" in told
    assert any(line.startswith("the file has no column for: estc_id, ecco_pages") for line in told)
    (tmp_path / "n.csv").write_text("ecco_id,title\n")
    answer = imgsim("metadata", "load", tmp_path / "n.csv")
    assert answer.code == 3
    assert "has a header and no rows" in " ".join(squeezed(answer.err))


def test_link_ends_with_3_and_the_names_of_pictures_when_it_links_nothing(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    add_image(connection, "/s/plate_002.png")
    (tmp_path / "l.csv").write_text("f,e\nplate-002.jpg,1000001\n")
    answer = imgsim(
        *("metadata", "link", tmp_path / "l.csv", "--file-column", "f", "--ecco-id-column", "e")
    )
    assert answer.code == 3
    told = squeezed(answer.err)
    assert "/s/plate_002.png" in told
    assert "nearest to plate-002.jpg: /s/plate_002.png" in told


def test_table_load_says_what_the_key_names_and_how_it_would_name_more(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    add_image(connection, "/s/i_b_003-500.png")
    (tmp_path / "t.csv").write_text("image,class\ni_b_003-500.jpg,animal\n")
    load = ("table", "load", tmp_path / "t.csv", "--name", "t", "--key", "image")
    told = " ".join(squeezed(imgsim(*load).err))
    assert (
        "keys that name something stored, of 1 in the table: 0 a picture's name, 0 a page" in told
    )
    assert "load with --replace --key-as name" in told
    told = " ".join(squeezed(imgsim(*load, "--replace", "--key-as", "name").err))
    assert "in the table: 1 a picture's name, 0 a page (page_id), 0 a book" in told
