"""Books into the bibliography, pictures linked to them, and how far the one covers the other."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim.bibliography import linking, metadata
from imgsim.bibliography.identifiers import DOCUMENT_COLUMNS
from imgsim.bibliography.link_columns import LinkColumns
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.formats.reading import MISSING
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from tests.store import FAST

Write = Callable[..., Path]
BY_FILE = LinkColumns("file", "ecco_id", "page_number")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "metadata.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding=encoding, newline="")
        return path

    return written


def add_stored(connection: Connection, path: str) -> None:
    connection.execute(
        """
        insert into imgsim.image
            (name, path, sha256, bytes, modified_ns, width, height, mode, format)
        values (%s, %s, 'x', 1, 1, 1, 1, 'L', 'PNG')
        """,
        [Path(path).stem, path],
    )


def documents(connection: Connection, columns: str = "*") -> list[tuple[object, ...]]:
    query = f"select {columns} from imgsim.ecco_document order by ecco_id"
    return connection.execute(query.encode()).fetchall()


def add_images(connection: Connection, paths: Sequence[str], frames: int = 1) -> None:
    connection.cursor().executemany(
        """
        insert into imgsim.image (name, path, frame, frames, sha256, bytes, modified_ns, width,
            height, mode, format)
        values (%s, %s, %s, %s, 'x', 1, 1, 1, 1, 'L', 'PNG')
        """,
        [
            (
                Path(path).stem + (f"#{frame}" if frames > 1 else ""),
                *(path, frame, frames),
            )
            for path in paths
            for frame in range(1, frames + 1)
        ],
    )


def images(connection: Connection) -> dict[str, tuple[object, ...]]:
    rows = connection.execute(
        "select name, ecco_id, page_number, illustration from imgsim.image order by image_id"
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def coverage(connection: Connection) -> dict[str, tuple[int, str | None]]:
    return {row[0]: (row[1], row[2]) for row in metadata.coverage(connection).rows}


def test_the_faults_of_a_spreadsheet_are_mended_and_counted(
    connection: Connection, write: Write
) -> None:
    loaded = metadata.load(
        connection,
        write(
            "ECCO_ID;estc_id; Publication_Year;ecco_pages;authors;shelfmark\n"
            "1700104;T000123;1752.0;320.0;Müller;A 1\n"
            '"0001700105";(CU-RivES)N30954;1732-00-00;NA;NA;\n'
            "201700106.0;T132339_2;17--;;“Æsop”;C 3\n"
            "9900000100;;;;;\n",
            encoding="cp1252",
        ),
    )
    found = loaded.findings
    assert (loaded.new, loaded.updated, loaded.merged, loaded.refused) == (4, 0, 0, 0)
    assert (found.padded.count, found.shortened.count) == (2, 3)
    assert found.padded.examples == ["1700104 is 0001700104", "201700106.0 is 0201700106"]
    assert found.unread.examples == ["line 4: publication_year 17--"]
    columns = "ecco_id, estc_id, publication_year, ecco_pages, authors, extra"
    assert documents(connection, columns) == [
        (
            *("0001700104", "T123", 1752, 320, "Müller"),
            {"shelfmark": "A 1", "estc_id_original": "T000123"},
        ),
        (
            *("0001700105", "N30954", 1732, None, None),
            {"estc_id_original": "(CU-RivES)N30954"},
        ),
        (
            *("0201700106", "T132339", None, None, "“Æsop”"),
            {
                "shelfmark": "C 3",
                "estc_id_original": "T132339_2",
                "publication_year_original": "17--",
            },
        ),
        ("9900000100", None, None, None, None, {}),
    ]


def test_equal_duplicates_are_merged_and_contradictions_told_the_first_kept(
    connection: Connection, write: Write
) -> None:
    loaded = metadata.load(
        connection,
        write(
            "ecco_id,estc_id,publication_year,publication_place,note\n"
            "0000000001,T1,1752,London,a\n"
            "0000000001,T000001,1752.0,London,a\n"
            "1000002,T2,,London,\n"
            "0001000002,T2,1760,Dublin,b\n"
            "0001000002,T2,1760,Cork,c\n"
        ),
    )
    assert (loaded.new, loaded.merged) == (2, 3)
    assert loaded.conflicts.examples == [
        "0001000002 note: b kept, not c",
        "0001000002 publication_place: London kept, not Cork, Dublin",
    ]
    rows = documents(connection, "ecco_id, publication_year, publication_place, extra ->> 'note'")
    assert rows == [("0000000001", 1752, "London", "a"), ("0001000002", 1760, "London", "b")]


def test_rows_without_a_usable_id_are_told_and_not_loaded(
    connection: Connection, write: Write
) -> None:
    loaded = metadata.load(
        connection,
        write("ecco_id,authors\nT132339,a\nNA,b\n,c\n123,d\n0000000001,e\n0000000002\n"),
    )
    assert loaded.findings.unusable.count == 4
    assert loaded.findings.unusable.examples[0] == "line 2: T132339"
    assert loaded.findings.ragged.examples == ["line 7: 1 cells for 2 columns"]
    assert loaded.refused == 5
    assert documents(connection, "ecco_id, authors") == [("0000000001", "e")]


def test_loading_again_updates_what_the_file_tells_and_leaves_the_rest(
    connection: Connection, write: Write
) -> None:
    metadata.load(
        connection,
        write("ecco_id,estc_id,authors,old,both\n1000001,T001,A,o,b\n1000002,T002,B,o,b\n"),
    )
    loaded = metadata.load(
        connection, write("ecco_id,estc_id,both\n1000001,T9,c\n1000002,,\n1000003,T3,\n")
    )
    assert (loaded.new, loaded.updated) == (1, 2)
    assert documents(connection, "ecco_id, estc_id, authors, extra") == [
        ("0001000001", "T9", "A", {"old": "o", "both": "c"}),
        ("0001000002", None, "B", {"old": "o"}),
        ("0001000003", "T3", None, {}),
    ]


def test_loading_the_same_file_twice_changes_nothing(connection: Connection, write: Write) -> None:
    path = write("ecco_id,estc_id,publication_year,x\n1000001,T001,1752-00-00,y\n1000002,,17??,\n")
    metadata.load(connection, path)
    before = documents(connection)
    metadata.load(connection, path)
    assert documents(connection) == before


def test_a_missing_key_column_is_one_error_that_names_those_found(
    connection: Connection, write: Write
) -> None:
    with pytest.raises(ImgsimError, match="has no column ecco_id; it has: id, title") as caught:
        metadata.load(connection, write("id,title\n1,2\n"))
    assert "rename" in caught.value.hint


def test_a_header_alone_loads_nothing(connection: Connection, write: Write) -> None:
    loaded = metadata.load(connection, write("ecco_id,title\n"))
    assert (loaded.new, loaded.updated, loaded.refused) == (0, 0, 0)


def test_years_in_any_form_are_read_and_the_original_kept(
    connection: Connection, write: Write
) -> None:
    forms = ["1752,0", "1752-01-01 00:00:00", "1752?", "[1752]", "[1752?]", "1752/3", "c1752"]
    lines = "".join(f'{1000001 + at},"{form}"\n' for at, form in enumerate(forms))
    loaded = metadata.load(connection, write("ecco_id,publication_year\n" + lines))
    assert documents(connection, "publication_year, extra->>'publication_year_original'") == [
        (1752, form) for form in forms
    ]
    assert loaded.findings.inexact.count == len(forms)


def test_a_moment_in_parquet_is_its_year(connection: Connection, tmp_path: Path) -> None:
    when = pd.Series(["1752-01-01", "1753-07-04"]).astype("datetime64[us]")
    frame = pd.DataFrame({"ecco_id": ["0000000001", "0000000002"], "year": when})
    frame.to_parquet(tmp_path / "m.parquet")
    metadata.load(connection, tmp_path / "m.parquet")
    assert documents(connection, "publication_year") == [(1752,), (1753,)]


def test_an_unreadable_value_never_replaces_a_readable_one(
    connection: Connection, write: Write
) -> None:
    good = "ecco_id,estc_id,publication_year,ecco_pages\n1000001,T1,[1752],8\n1000002,T2,1753,9\n"
    metadata.load(connection, write(good))
    worse = (
        "ecco_id,estc_id,publication_year,ecco_pages\n1000001,see T1,17--,8 p.\n1000002,T9,1754,7\n"
    )
    loaded = metadata.load(connection, write(worse))
    assert documents(connection, "estc_id, publication_year, ecco_pages, extra") == [
        (
            *("T1", 1752, 8),
            {
                "publication_year_original": "[1752]",
                "publication_year_unread": "17--",
                "ecco_pages_unread": "8 p.",
                "estc_id_unread": "see T1",
            },
        ),
        ("T9", 1754, 7, {}),
    ]
    assert loaded.spared.count == 3
    assert "line 2: 0001000001 publication_year: 1752 kept, not 17--" in loaded.spared.examples
    metadata.load(connection, write(good))
    assert documents(connection, "extra")[0] == ({"publication_year_original": "[1752]"},)


def test_stored_values_that_a_blank_replaces_are_counted(
    connection: Connection, write: Write
) -> None:
    metadata.load(connection, write("ecco_id,authors,place\n1000001,Gay,London\n"))
    loaded = metadata.load(connection, write("ecco_id,authors\n1000001,NULL\n"))
    assert documents(connection, "authors, publication_place") == [(None, "London")]
    assert loaded.blanked.examples == ["0001000001 authors: Gay"]


def test_two_books_never_share_a_spelling_of_missing_as_their_estc_id(
    connection: Connection, write: Write
) -> None:
    loaded = metadata.load(
        connection, write("ecco_id,estc_id,x\n1000001,NULL,nan\n1000002,NULL,1\n")
    )
    assert documents(connection, "estc_id, extra") == [(None, {}), (None, {"x": "1"})]
    assert loaded.file.missing == {"NULL": 2, "nan": 1}


def test_columns_are_taken_by_their_meaning_and_leave_extra_when_they_were_there(
    connection: Connection, write: Write
) -> None:
    connection.execute(
        """
        insert into imgsim.ecco_document (ecco_id, extra)
        values ('0001000001', '{"title": "old", "x": "y"}')
        """
    )
    table = "ecco_id,title,year,place,author,shelf\n1000001,Fables,1752,London,Gay,A\n"
    loaded = metadata.load(connection, write(table))
    columns = "ecco_full_title, publication_year, publication_place, authors, extra"
    assert documents(connection, columns) == [
        ("Fables", 1752, "London", "Gay", {"x": "y", "shelf": "A"})
    ]
    assert list(loaded.columns.further) == ["shelf"]
    assert "estc_id" in loaded.columns.lacking


def test_a_file_goes_in_whole_or_not_at_all(
    connection: Connection, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "CONFLICTS", "select 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        metadata.load(connection, write("ecco_id\n0000000001\n"))
    assert documents(connection) == []


def test_a_parquet_written_by_pandas_with_ids_as_numbers_gets_its_zeros_back(
    connection: Connection, tmp_path: Path
) -> None:
    frame = pd.DataFrame(
        {
            "ecco_id": [1700104.0, 1700105.0, None],
            "publication_year": [1752.0, None, None],
            "estc_id": ["NA", "T000001", "T2"],
            "caption": ["NA", None, "x"],
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    loaded = metadata.load(connection, tmp_path / "m.parquet")
    assert loaded.findings.padded.count == 2
    assert loaded.findings.unusable.examples == ["line 3: blank"]
    assert documents(connection, "ecco_id, estc_id, publication_year, extra") == [
        ("0001700104", None, 1752, {}),
        ("0001700105", "T1", None, {"estc_id_original": "T000001"}),
    ]


words = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda text: text.strip() == text and text not in MISSING)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    books=st.dictionaries(
        st.from_regex(r"[0-9]{10}", fullmatch=True),
        st.tuples(words, words, words),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_goes_in_as_text_comes_out_the_same(
    connection: Connection, tmp_path: Path, books: dict[str, tuple[str, str, str]]
) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["ecco_id", "ecco_full_title", "work_id", 'further % "column"'])
        writer.writerows([ecco_id, *values] for ecco_id, values in books.items())
    metadata.load(connection, path)
    for ecco_id, values in books.items():
        row = connection.execute(
            """
            select ecco_full_title, work_id, extra ->> 'further %% "column"'
            from imgsim.ecco_document
            where ecco_id = %s
            """,
            [ecco_id],
        ).fetchone()
        assert row == values


def test_many_rows_are_loaded_in_seconds(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*DOCUMENT_COLUMNS, "further"])
        for number in range(20_000):
            book = number % 19_000
            row = [str(book + 1_000_000), f"T{book:07}", f"Title {book}", 300, "English", "8vo"]
            row += [
                "1752.0",
                1750,
                f"work {book}",
                "London",
                "England",
                "Book",
                "Science",
                "NA",
                book,
            ]
            writer.writerow(row)
    loaded = metadata.load(connection, path)
    assert (loaded.new, loaded.merged, loaded.conflicts.count) == (19_000, 1000, 0)
    assert loaded.findings.padded.count == 20_000
    kept = connection.execute(
        "select count(*), min(ecco_id), max(extra ->> 'further') from imgsim.ecco_document"
    ).fetchone()
    assert kept == (19_000, "0001000000", "9999")


def test_files_are_linked_by_path_end_of_path_name_and_stem(
    connection: Connection, write: Write
) -> None:
    add_images(
        connection,
        ["/s/a/one.jpg", "/s/b/one.jpg", "/s/b/two.tif", "/s/c/three.png", "/s/d/four.x.png"],
    )
    linked = linking.link(
        connection,
        write(
            "file,ecco_id,page_number\n"
            "/s/a/one.jpg,1000001,1\n"
            "./b/one.jpg,0001000002,2.0\n"
            "two,0001000003,\n"
            "three.png,0001000004,0004\n"
            "d\\four.x,0001000005,5\n"
        ),
        BY_FILE,
    )
    assert (linked.rows, linked.changed, linked.refused, linked.padded.count) == (5, 5, 0, 1)
    rows = connection.execute("select ecco_id, page_number from imgsim.image order by image_id")
    assert rows.fetchall() == [
        ("0001000001", 1),
        ("0001000002", 2),
        ("0001000003", None),
        ("0001000004", 4),
        ("0001000005", 5),
    ]


def test_what_is_not_clear_is_told_and_never_guessed(connection: Connection, write: Write) -> None:
    add_images(
        connection, ["/s/a/one.jpg", "/s/b/one.jpg", "/s/c/two.png", "/s/c/two.jpg", "/s/x/y.png"]
    )
    linked = linking.link(
        connection,
        write(
            "file,ecco_id,page_number\n"
            "one.jpg,0001000001,1\n"
            "two,0001000001,1\n"
            "e.jpg,0001000001,1\n"
            "wo.png,0001000001,1\n"
            "y.png,0001000001,1\n"
            "x/y.png,0001000002,1\n"
            "two.jpg,T1,1\n"
            ",0001000001,1\n"
        ),
        BY_FILE,
    )
    assert linked.ambiguous.examples == ["line 2: one.jpg fits 2 files", "line 3: two fits 2 files"]
    assert linked.unmatched.examples == ["line 4: e.jpg", "line 5: wo.png"]
    assert linked.conflicts.examples == ["y: 0001000001/0001000002"]
    assert linked.unusable.examples == ["line 8: ecco_id T1", "line 9: no file"]
    assert linked.changed == 0
    assert {told[0] for told in images(connection).values()} == {None}


def test_a_whole_path_goes_before_the_end_of_another(connection: Connection, write: Write) -> None:
    add_images(connection, ["one.jpg", "/s/one.jpg", "/s/one.jpg.png"])
    linking.link(
        connection, write("file,ecco_id\none.jpg,0001000001\n"), LinkColumns("file", "ecco_id")
    )
    rows = connection.execute("select ecco_id from imgsim.image order by image_id").fetchall()
    assert rows == [("0001000001",), (None,), (None,)]


def test_the_pages_of_one_file_are_linked_together_or_each_by_its_name(
    connection: Connection, write: Write
) -> None:
    add_images(connection, ["/s/book.tif"], frames=3)
    linking.link(connection, write("f,e,p\nbook#2,0001000001,7\n"), LinkColumns("f", "e", page="p"))
    assert images(connection) == {
        "book#1": (None, None, None),
        "book#2": ("0001000001", 7, None),
        "book#3": (None, None, None),
    }
    linking.link(connection, write("f,e\nbook.tif,0001000001\n"), LinkColumns("f", "e"))
    assert images(connection)["book#2"] == ("0001000001", 7, None)
    assert images(connection)["book#3"] == ("0001000001", None, None)


def test_linking_again_changes_nothing_and_says_so(connection: Connection, write: Write) -> None:
    add_images(connection, ["/s/one.jpg"])
    path = write("file,ecco_id,page_number,n\none.jpg,0001000001,3,2\n")
    columns = LinkColumns("FILE", "Ecco_ID", "page_number", "n")
    assert linking.link(connection, path, columns).changed == 1
    again = linking.link(connection, path, columns)
    assert (again.changed, again.unchanged) == (0, 1)
    assert images(connection) == {"one": ("0001000001", 3, 2)}


def test_links_survive_a_later_ingest_of_the_same_and_of_changed_files(
    connection: Connection, tmp_path: Path, write: Write, draw: Callable[..., Image.Image]
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(2):
        draw(number).save(scans / f"plate{number}.png")
    ingest(connection, [scans], Options(wanted=(FAST,)))
    path = write("file,ecco_id,page_number\nplate0,0001000001,3\nplate1,0001000002,4\n")
    linking.link(connection, path, BY_FILE)
    linked = images(connection)
    assert linked["plate1"] == ("0001000002", 4, None)
    draw(7).save(scans / "plate1.png")
    summary = ingest(connection, [scans], Options(wanted=(FAST,)))
    assert (summary.unchanged, summary.changed) == (1, 1)
    assert images(connection) == linked


def test_a_link_column_that_is_not_there_is_an_error(connection: Connection, write: Write) -> None:
    with pytest.raises(ImgsimError, match="no column file; it has: name, ecco_id"):
        linking.link(connection, write("name,ecco_id\n"), LinkColumns("file", "ecco_id"))


def test_link_columns_are_found_by_their_headings(connection: Connection, write: Write) -> None:
    add_images(connection, ["/s/one.png"])
    table = write("Image,Path,ECCO no.,Page number\nx,one.png,0001000001,7\n")
    linked = linking.link(connection, table)
    assert linked.columns == LinkColumns("Path", "ECCO no.", "Page number")
    assert images(connection)["one"] == ("0001000001", 7, None)
    # Where all that is needed is named, nothing else is taken.
    given = LinkColumns("Path", "ECCO no.")
    assert linking.link(connection, table, given).columns == given
    with pytest.raises(ImgsimError, match=r"cannot tell which column of .* has the book's ECCO id"):
        linking.link(connection, write("file,shelfmark\none.png,a\n"))


def test_coverage_counts_both_sides_with_an_example_of_each(
    connection: Connection, write: Write
) -> None:
    assert {what: count for what, (count, _) in coverage(connection).items()} == dict.fromkeys(
        coverage(connection), 0
    )
    add_images(connection, ["/s/a.jpg", "/s/b.jpg", "/s/c.jpg", "/s/d.jpg", "/s/e.jpg"])
    linking.link(
        connection,
        write("f,e\na,0001000001\nb,0001000001\nc,0001000003\nd,0001000003\n"),
        LinkColumns("f", "e"),
    )
    metadata.load(connection, write("ecco_id\n0001000001\n0001000002\n"))
    assert coverage(connection) == {
        "pictures with a book": (2, "a"),
        "pictures without a book": (3, "c"),
        "pictures that name no book": (1, "e"),
        "pictures whose book is not loaded": (2, "c"),
        "books with pictures": (1, "0001000001"),
        "books without pictures": (1, "0001000002"),
        "books not loaded that pictures name": (1, "0001000003"),
    }


def test_the_prints_are_loaded_and_linked_to_their_books(
    connection: Connection, prints: Path
) -> None:
    with (prints / "illustrations.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    add_images(connection, [f"/scans/prints/{row['file']}" for row in listed])
    assert metadata.load(connection, prints / "metadata.csv").new == 17
    linked = linking.link(connection, prints / "illustrations.csv", BY_FILE)
    assert (linked.rows, linked.changed, linked.refused) == (2299, 2299, 0)
    rows = connection.execute(
        "select path, ecco_id, page_number from imgsim.image order by image_id"
    ).fetchall()
    expected = [
        ("/scans/prints/" + row["file"], row["ecco_id"], int(row["page_number"] or 0) or None)
        for row in listed
    ]
    assert rows == expected
    found = coverage(connection)
    assert found["pictures with a book"][0] == 2299
    assert found["books with pictures"][0] == 17
    years = connection.execute(
        "select count(*) from imgsim.image_ecco where publication_year is not null"
    ).fetchone()
    with (prints / "metadata.csv").open(encoding="utf-8", newline="") as file:
        dated = {row["ecco_id"] for row in csv.DictReader(file) if row["publication_year"]}
    assert years == (sum(row["ecco_id"] in dated for row in listed),)
    assert json.dumps(documents(connection, "extra")) == json.dumps([({},)] * 17)


@pytest.mark.parametrize("seed", range(3))
def test_names_that_repeat_in_folders_fit_as_the_ends_of_their_paths_do(
    connection: Connection, write: Write, seed: int
) -> None:
    """Compared with the definition itself: the end of the path, else that without the ending."""
    random = Random(seed)
    folders = ["/s", "/s/a", "/s/b/a", "rel", "a"]
    paths = sorted(
        {
            f"{random.choice(folders)}/{random.choice('123')}{random.choice(['.png', '.tif', ''])}"
            for _ in range(20)
        }
    )
    for path in paths:
        add_stored(connection, path)
    values = [*paths, *(path[1:] for path in paths), "1.png", "1", "a/1.tif", "a/2", "x/1", "/1"]
    lines = "".join(f"{value},{1000000 + at}\n" for at, value in enumerate(values))
    linked = linking.link(
        connection, write("file,ecco_id\n" + lines), LinkColumns("file", "ecco_id")
    )

    def fits(value: str) -> int:
        def bare(path: str) -> str:
            head, slash, tail = path.rpartition("/")
            return head + slash + re.sub(r"\.[^.]*$", "", tail)

        levels = (
            [p for p in paths if p == value],
            [p for p in paths if p.endswith("/" + value)],
            [
                p
                for p in paths
                if bare(p) == value or bare(p).endswith("/" + value) or Path(p).stem == value
            ],
        )
        return len(next((level for level in levels if level), []))

    told = [fits(value) for value in values]
    assert linked.unmatched.count == sum(number == 0 for number in told)
    assert linked.ambiguous.count == sum(number > 1 for number in told)


def test_a_table_that_names_no_stored_picture_is_told_what_they_are_called(
    connection: Connection, write: Write
) -> None:
    for name in ("plate_001", "plate_002", "tailpiece"):
        add_stored(connection, f"/s/{name}.png")
    table = write("file,ecco_id\nplate-002.jpg,1000001\nzzz,1000002\n")
    linked = linking.link(connection, table, LinkColumns("file", "ecco_id"))
    assert linked.joins_nothing
    called = linking.called(connection, linked)
    assert called.examples == ("/s/plate_001.png", "/s/plate_002.png", "/s/tailpiece.png")
    assert called.nearest == (("plate-002.jpg", "/s/plate_002.png"),)
