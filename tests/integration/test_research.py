"""Other research tables: what goes in as text comes out as text, with the right types and index."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgsim.bibliography import research
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.formats.reading import MISSING

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "captions.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return written


def types(connection: Connection, name: str) -> dict[str, str]:
    rows = connection.execute(
        """
        select column_name, data_type
        from information_schema.columns
        where table_schema = 'research' and table_name = %s
        order by ordinal_position
        """,
        [name],
    )
    return dict(rows.fetchall())


def index(connection: Connection, name: str) -> str:
    row = connection.execute(
        "select indexdef from pg_indexes where schemaname = 'research' and tablename = %s", [name]
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_types_are_conservative_and_ids_are_text(connection: Connection, write: Write) -> None:
    path = write(
        "illustration_id,page_id,ESTC ID,number_of_pages,score_clip,shelf,caption,mixed,big,"
        "empty,e\n"
        "000170010400180_0,1,2,12,0.9400,007,NA,1,3000000000,,1e400\n"
        "000170010400180_1,2,3,,1e-3,8,A rose,x,1,NA,1\n"
    )
    loaded = research.load(connection, path, "captions", "illustration_id")
    assert (loaded.rows, loaded.key_unique, loaded.without_key) == (2, True, 0)
    assert types(connection, "captions") == {
        "illustration_id": "text",
        "page_id": "text",
        "ESTC ID": "text",
        "number_of_pages": "integer",
        "score_clip": "double precision",
        "shelf": "text",
        "caption": "text",
        "mixed": "text",
        "big": "double precision",
        "empty": "text",
        "e": "text",
    }
    row = connection.execute("select * from research.captions order by 1").fetchone()
    assert row == (
        *("000170010400180_0", "1", "2", 12, 0.94, "007", None, "1", 3e9, None, "1e400"),
    )
    assert "UNIQUE" in index(connection, "captions")
    assert "(illustration_id)" in index(connection, "captions")


def test_a_key_of_digits_stays_text_whatever_it_is_called(
    connection: Connection, write: Write
) -> None:
    research.load(connection, write("number,n\n12,1\n13,2\n"), "t", "NUMBER")
    assert types(connection, "t") == {"number": "text", "n": "integer"}


def test_a_key_that_repeats_or_is_missing_is_indexed_and_told(
    connection: Connection, write: Write
) -> None:
    loaded = research.load(connection, write("k,v\na,1\na,2\n,3\n"), "t", "k")
    assert (loaded.key_unique, loaded.without_key) == (False, 1)
    assert "UNIQUE" not in index(connection, "t")


def test_a_table_joins_with_the_images_by_its_key_through_the_index(
    connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "many.tsv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["illustration_id", "caption_texts"])
        writer.writerows([f"{n:014}0_0", f"plate {n}"] for n in range(20_000))
    research.load(connection, path, "merged", "illustration_id")
    plan = connection.execute(
        "explain select * from research.merged where illustration_id = '000000000000070_0'"
    ).fetchall()
    assert any("Index Scan" in line for (line,) in plan)
    connection.execute(
        """
        insert into imgsim.image
            (name, path, sha256, bytes, modified_ns, width, height, mode, format)
        values ('000000000000070_0', '/s/x.png', 'x', 1, 1, 1, 1, 'L', 'PNG')
        """
    )
    joined = connection.execute(
        """
        select m.caption_texts
        from imgsim.image i
        join research.merged m on m.illustration_id = i.name
        """
    ).fetchall()
    assert joined == [("plate 7",)]


def test_columns_keep_their_names_and_impossible_ones_are_told(
    connection: Connection, write: Write
) -> None:
    long = "é" * 40
    path = write(f'"Key ""K""",a%s,,Key,xmin,{long}1,{long}2,select\n1,2,3,4,5,6,7,8\n')
    loaded = research.load(connection, path, "odd", 'Key "K"')
    names = list(types(connection, "odd"))
    assert names[:5] == ['Key "K"', "a%s", "column_3", "Key", "xmin_"]
    assert names[5:] == ["é" * 31, "é" * 30 + "_7", "select"]
    assert len(loaded.notes) == 4
    assert connection.execute('select "a%s" from research.odd').fetchone() == (2,)


@pytest.mark.parametrize("name", ["Captions", "a-b", "", "1a", "a" * 64, 'x"; drop', "é"])
def test_a_name_that_wants_quoting_is_refused_with_a_better_one(
    connection: Connection, write: Write, name: str
) -> None:
    with pytest.raises(ImgsimError, match="cannot be the name of a table") as caught:
        research.load(connection, write("k\na\n"), name, "k")
    assert research.NAME.fullmatch(caught.value.hint.rpartition(" ")[2])


def test_an_existing_table_is_replaced_only_when_asked(
    connection: Connection, write: Write
) -> None:
    research.load(connection, write("k,v\na,1\n", "one.csv"), "t", "k")
    two = write("k,w\nb,2\nc,3\n", "two.csv")
    with pytest.raises(ImgsimError, match=r"research\.t exists already: 1 row from .*one\.csv"):
        research.load(connection, two, "t", "k")
    research.load(connection, two, "t", "k", replace=True)
    assert connection.execute("select k, w from research.t order by k").fetchall() == [
        ("b", 2),
        ("c", 3),
    ]
    (row,) = research.listed(connection).rows
    assert row[:5] == ("t", "k", True, 2, 2)
    assert row[5].endswith("two.csv")


def test_a_replacement_that_fails_leaves_the_earlier_table(
    connection: Connection, write: Write
) -> None:
    research.load(connection, write("k\na\n"), "t", "k")
    with pytest.raises(ImgsimError, match="no row"):
        research.load(connection, write("k,v\na\n"), "t", "k", replace=True)
    assert connection.execute("select k from research.t").fetchall() == [("a",)]
    connection.execute("create view research.depends as select * from research.t")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        research.load(connection, write("k\nb\n"), "t", "k", replace=True)
    assert connection.execute("select k from research.depends").fetchall() == [("a",)]


def test_what_imgsim_did_not_load_is_never_replaced(connection: Connection, write: Write) -> None:
    connection.execute("create table research.mine (x integer)")
    with pytest.raises(ImgsimError, match="was not loaded by imgsim"):
        research.load(connection, write("k\na\n"), "mine", "k", replace=True)


def test_a_table_dropped_in_psql_is_not_listed_and_can_be_loaded_again(
    connection: Connection, write: Write
) -> None:
    path = write("k\na\n")
    research.load(connection, path, "t", "k")
    connection.execute("drop table research.t")
    assert research.listed(connection).rows == []
    research.load(connection, path, "t", "k")
    assert len(research.listed(connection).rows) == 1


def test_a_missing_key_column_names_those_found(connection: Connection, write: Write) -> None:
    with pytest.raises(ImgsimError, match="no column key; it has: k, v"):
        research.load(connection, write("k,v\n"), "t", "key")


def test_a_header_alone_makes_an_empty_table(connection: Connection, write: Write) -> None:
    loaded = research.load(connection, write("k,v\n"), "t", "k")
    assert loaded.rows == 0
    assert types(connection, "t") == {"k": "text", "v": "text"}


def test_parquet_ids_as_numbers_become_text(connection: Connection, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "image_id": [1, 2],
            "score": [0.1 + 0.2, None],
            "class": pd.Categorical(["flower", None]),
            "label": ["", "NA"],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    research.load(connection, tmp_path / "t.parquet", "t", "image_id")
    assert connection.execute("select * from research.t order by 1").fetchall() == [
        ("1", 0.1 + 0.2, "flower", ""),
        ("2", None, None, "NA"),
    ]


texts = st.one_of(
    st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,3})?", fullmatch=True),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5))
def test_any_text_comes_out_the_same_and_numbers_keep_their_value(
    connection: Connection, tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    connection.prepare_threshold = None  # the table changes its types under the same queries
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["page_id", "value", "key"])
        writer.writerows(rows)
    research.load(connection, path, "any_text", "key", replace=True)
    kept = [
        tuple(None if cell.strip() in MISSING else cell for cell in row)
        for row in rows
        if any(cell.strip() for cell in row)
    ]
    stored = connection.execute("select page_id, key from research.any_text").fetchall()
    assert stored == [(row[0], row[2]) for row in kept]
    values = connection.execute("select value from research.any_text").fetchall()
    for (value,), row in zip(values, kept, strict=True):
        written = row[1]
        if value is None or isinstance(value, str):
            assert value == written
        else:
            assert written is not None
            assert value == float(written)
            assert str(float(written)).lstrip("-")[0] == written.lstrip("-")[0]


def stored_picture(connection: Connection) -> None:
    connection.execute(
        """
        insert into imgsim.image
            (name, path, sha256, bytes, modified_ns, width, height, mode, format, page_id, ecco_id)
        values
            ('i_b_003-500', '/s/i_b_003-500.png', 'x', 1, 1, 1, 1, 'L', 'PNG',
            '000170010400180', '0001700104')
        """
    )
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, estc_id) values ('0001700104', 'T52')"
    )


@pytest.mark.parametrize(
    ("written", "form", "right"),
    [
        ("i_b_003-500.jpg", "name", "i_b_003-500"),
        ("plates/i_b_003-500.tif", "name", "i_b_003-500"),
        ("170010400180", "page", "000170010400180"),
        ('"1700104,0"', "book", "0001700104"),
        ("(X)T052", "estc", "T52"),
    ],
)
def test_a_key_that_joins_nothing_is_told_with_what_would_make_it_join(
    connection: Connection, tmp_path: Path, written: str, form: str, right: str
) -> None:
    stored_picture(connection)
    file = tmp_path / "t.csv"
    file.write_text(f"image,class\n{written},animal\n{written},animal\nother.gif,x\n")
    joins = research.load(connection, file, "t", "image").joins
    assert joins.keys == 2
    assert set(joins.as_they_are.values()) == {0}
    assert joins.better == {form: 1}
    mended = research.load(connection, file, "t", "image", replace=True, key_as=form)
    assert mended.joins.as_they_are[form] == 1
    assert mended.columns == ("image", "class", "image_original")
    rows = connection.execute("select image, image_original from research.t").fetchall()
    assert rows[0] == (right, written.strip('"'))


def test_numbers_with_a_spelling_of_missing_among_them_stay_numbers(
    connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("image,n\na,1\nb,NULL\nc,nan\nd,-\n")
    loaded = research.load(connection, tmp_path / "t.csv", "t", "image", missing=["-"])
    assert loaded.types == ("text", "integer")
    assert connection.execute("select n from research.t order by image").fetchall() == [
        (1,),
        (None,),
        (None,),
        (None,),
    ]
