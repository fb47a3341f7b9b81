"""What is written in any format is read back by others unchanged."""

from __future__ import annotations

import datetime
import io
import os
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim.errors import ImgsimError
from imgsim.formats import arrays, graphs, writing
from imgsim.formats.columns import Column
from imgsim.formats.graphs import Graph
from imgsim.formats.unfinished import PREFIX, refuse_existing, unfinished
from imgsim.formats.writing import ForSpreadsheets
from tests.formats import assert_valid_xml, query, read_csv

# What PostgreSQL's text can hold: no NUL, no half of a surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
XML_TEXT = TEXT.filter(lambda text: not graphs.ILLEGAL.search(text))
HARD = [
    "0001700104",
    "007",
    '"',
    "a,b;\tc",
    "line\nbreak\r\nand\rmore",
    "æøå 書 \U0001d51b",
    "<&>'",
    " x ",
]

COLUMNS = [
    Column("ecco_id", "string"),
    Column("year", "integer"),
    Column("similarity", "number"),
    Column("known", "boolean"),
    Column("when", "datetime"),
    Column("extra", "object"),
]
MOMENT = datetime.datetime(2026, 11, 22, 10, 0, 30, tzinfo=datetime.UTC)
ROWS: list[tuple[object, ...]] = [
    ("0001700104", 1752, 0.94, True, MOMENT, {"a": "ø", "b": [1]}),
    ("0000000000", None, 1 / 3, False, None, {}),
    (None, 1, None, None, None, None),
]


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_csv_is_rfc_4180_with_missing_values_empty(tmp_path: Path) -> None:
    writing.write_delimited(tmp_path / "t.csv", COLUMNS, ROWS)
    assert (tmp_path / "t.csv").read_bytes().decode() == (
        "ecco_id,year,similarity,known,when,extra\r\n"
        '0001700104,1752,0.94,true,2026-11-22T10:00:30+00:00,"{""a"": ""ø"", ""b"": [1]}"\r\n'
        "0000000000,,0.3333333333333333,false,,{}\r\n"
        ",1,,,,\r\n"
    )


def test_tsv_and_the_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "t.tsv"
    writing.write_delimited(file, COLUMNS[:2], [("a\tb", 1)], "\t", ForSpreadsheets(bom=True))
    assert file.read_bytes() == b'\xef\xbb\xbfecco_id\tyear\r\n"a\tb"\t1\r\n'


def test_parquet_opens_in_pandas_and_duckdb_with_the_same_values(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    writing.write_parquet(file, COLUMNS, ROWS)
    frame = pd.read_parquet(file)
    assert frame["ecco_id"].dtype == "string"
    assert frame["year"].dtype == "Int64"
    assert frame["known"].dtype == "boolean"
    assert frame["ecco_id"][0] == "0001700104"
    assert frame["year"].tolist() == [1752, pd.NA, 1]
    assert frame["when"][0] == pd.Timestamp(MOMENT)
    types, rows = query(f"select ecco_id, year, similarity, known, extra from '{file}'")
    assert types == ["VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR"]
    assert rows == [
        ("0001700104", 1752, 0.94, True, '{"a": "ø", "b": [1]}'),
        ("0000000000", None, 1 / 3, False, "{}"),
        (None, 1, None, None, None),
    ]


def test_parquet_of_more_rows_than_a_group_and_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROWS_AT_ONCE", 10)
    for count in (0, 10, 25):
        file = tmp_path / f"{count}.parquet"
        writing.write_parquet(file, COLUMNS[:2], ((str(n), n) for n in range(count)))
        assert pq.ParquetFile(file).num_row_groups == -(-count // 10)
        assert pd.read_parquet(file)["year"].tolist() == list(range(count))


def test_vectors_in_parquet_are_lists_of_fixed_size(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    file = tmp_path / "v.parquet"
    rows = ((f"{n:03}", vector) for n, vector in enumerate(vectors))
    writing.write_parquet(file, [Column("name", "string")], rows, "embedding", 8)
    read = pq.read_table(file)
    assert str(read.schema.field("embedding").type) == "fixed_size_list<element: float>[8]"
    assert np.array_equal(np.array(read["embedding"].to_pylist(), np.float32), vectors)
    assert np.array_equal(np.stack(pd.read_parquet(file)["embedding"].to_list()), vectors)
    _, answer = query(f"select embedding[8] from '{file}'")
    assert [row[0] for row in answer] == vectors[:, 7].tolist()


def test_npy_streams_into_an_array_of_the_counted_size(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float16)
    arrays.write_npy(tmp_path / "v.npy", iter(vectors), 7, 5)
    read = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert read.dtype == np.float32
    assert np.array_equal(read, vectors.astype(np.float32))
    with pytest.raises(ValueError, match="6 vectors"):
        arrays.write_npy(tmp_path / "w.npy", iter(vectors[:6]), 7, 5)


@given(st.lists(TEXT, min_size=1, unique=True))
@settings(max_examples=60, deadline=None)
def test_ids_survive_csv_tsv_and_parquet(scratch: Path, ids: list[str]) -> None:
    ids = [*ids, *HARD]
    rows = [(text,) for text in ids]
    column = [Column("id", "string")]
    for name, delimiter in (("t.csv", ","), ("t.tsv", "\t")):
        writing.write_delimited(scratch / name, column, rows, delimiter)
        assert [row["id"] for row in read_csv(scratch / name, delimiter)] == ids
    writing.write_parquet(scratch / "t.parquet", column, rows)
    assert pd.read_parquet(scratch / "t.parquet")["id"].tolist() == ids
    assert pq.read_table(scratch / "t.parquet")["id"].to_pylist() == ids


def chain_of(ids: list[str]) -> Graph:
    """A graph with a node for every id and an edge from each to the next."""
    return Graph(
        [Column("ecco_id", "string"), Column("year", "integer")],
        [(text, text, text, 1750 + n if n else None) for n, text in enumerate(ids)],
        [Column("mutual", "boolean"), Column("pairs", "integer")],
        [(a, b, 0.94 + n / 1e6, n % 2 == 0, n) for n, (a, b) in enumerate(pairwise(ids))],
    )


def write(folder: Path, graph: Graph, format_: str) -> Path:
    file = folder / f"g.{format_}"
    if format_ == "gexf":
        graphs.write_gexf(file, graph, "a <title> & more", "imgsim", "2026-11-22")
    else:
        graphs.write_graphml(file, graph, "a <title> & more")
    return file


@given(st.lists(XML_TEXT, max_size=8))
@settings(max_examples=60, deadline=None)
def test_ids_survive_gexf(scratch: Path, ids: list[str]) -> None:
    ids = list(dict.fromkeys([*ids, *HARD]))
    file = write(scratch, chain_of(ids), "gexf")
    assert_valid_xml(file)
    read = nx.read_gexf(file)
    plain = [text for text in ids if not graphs.ESCAPED.search(text)]
    assert set(plain) <= set(read.nodes)
    assert [data["ecco_id"] for _, data in read.nodes(data=True)] == ids
    assert [data["label"] for _, data in read.nodes(data=True)] == ids
    assert read.number_of_edges() == len(ids) - 1


@given(st.lists(XML_TEXT, max_size=8))
@settings(max_examples=60, deadline=None)
def test_ids_survive_graphml(scratch: Path, ids: list[str]) -> None:
    ids = list(dict.fromkeys([*ids, *HARD]))
    file = write(scratch, chain_of(ids), "graphml")
    assert_valid_xml(file)
    read = nx.read_graphml(file)
    assert [data["ecco_id"] for _, data in read.nodes(data=True)] == ids
    assert read.number_of_nodes() == len(ids)
    assert read.number_of_edges() == len(ids) - 1
    assert {"0001700104", "007"} <= set(read.nodes)


@given(st.lists(st.text(max_size=5), unique=True))
@settings(deadline=None)
def test_different_ids_stay_different_tokens(ids: list[str]) -> None:
    assert len({graphs.token(text) for text in ids}) == len(ids)
    assert len({graphs.xml_id(text) for text in ids}) == len(ids)
    assert all(not graphs.NOT_IN_TOKEN.search(graphs.token(text)) for text in ids)


def test_ids_that_look_escaped_already_stay_apart() -> None:
    ids = ["plate 1", "plate_x20_1", "plate_x5F_x20_1", "", "_x_", "\x01", "_x1_"]
    assert len({graphs.token(text) for text in ids}) == len(ids)
    assert len({graphs.xml_id(text) for text in ids}) == len(ids)


@pytest.mark.parametrize("format_", ["gexf", "graphml"])
def test_characters_that_xml_cannot_hold_are_replaced(tmp_path: Path, format_: str) -> None:
    ids = ["a\x01", "a\x02", "a\ufffe", "a"]
    file = write(tmp_path, chain_of(ids), format_)
    assert_valid_xml(file)
    read = nx.read_gexf(file) if format_ == "gexf" else nx.read_graphml(file)
    assert list(read.nodes) == ["a_x1_", "a_x2_", "a_xFFFE_", "a"]
    assert [data["ecco_id"] for _, data in read.nodes(data=True)] == ["a\ufffd"] * 3 + ["a"]


@pytest.mark.parametrize("format_", ["gexf", "graphml"])
def test_graphs_carry_attributes_with_their_types(tmp_path: Path, format_: str) -> None:
    file = write(tmp_path, chain_of(["01", "02", "03"]), format_)
    read = nx.read_gexf(file) if format_ == "gexf" else nx.read_graphml(file)
    assert not read.is_directed()
    assert read.nodes["02"] == {"label": "02", "ecco_id": "02", "year": 1751}
    assert "year" not in read.nodes["01"]
    edge = read.edges["02", "03"]
    assert (edge["weight"], edge["mutual"], edge["pairs"]) == (0.940001, False, 1)


def test_a_graph_without_nodes_is_valid(tmp_path: Path) -> None:
    for format_ in ("gexf", "graphml"):
        assert_valid_xml(write(tmp_path, chain_of([]), format_))


def test_gephi_has_its_columns(tmp_path: Path) -> None:
    graphs.write_gephi(tmp_path / "nodes.csv", tmp_path / "edges.csv", chain_of(["01", "02"]))
    assert read_csv(tmp_path / "nodes.csv") == [
        {"Id": "01", "Label": "01", "ecco_id": "01", "year": ""},
        {"Id": "02", "Label": "02", "ecco_id": "02", "year": "1751"},
    ]
    assert read_csv(tmp_path / "edges.csv") == [
        {
            "Source": "01",
            "Target": "02",
            "Type": "Undirected",
            "Weight": "0.94",
            "mutual": "true",
            "pairs": "0",
        }
    ]


def test_files_appear_together_and_only_when_finished(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with unfinished(folder) as scratch:
        (scratch / "a").write_text("1")
        (scratch / "b").write_text("2")
        assert [path for path in folder.iterdir() if not path.name.startswith(PREFIX)] == []
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, raised: type[BaseException]) -> None:
    folder = tmp_path / "new"

    def fail() -> None:
        with unfinished(folder) as scratch:
            (scratch / "a").write_text("1")
            raise raised

    with pytest.raises(raised):
        fail()
    assert not folder.exists()


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    import socket

    dead = tmp_path / f"{PREFIX}{socket.gethostname()}-999999999-x"
    alive = tmp_path / f"{PREFIX}{socket.gethostname()}-{os.getppid()}-x"
    for left in (dead, alive):
        left.mkdir()
    with unfinished(tmp_path):
        pass
    assert not dead.exists()
    assert alive.exists()


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, reason in (
        (tmp_path / "no" / "such", "does not exist"),
        (tmp_path / "file", "is not a folder"),
        (tmp_path / "file" / "x", "is not a folder"),
    ):
        with pytest.raises(ImgsimError, match=reason):
            refuse_existing(folder, ["a.csv"], force=False)
    with pytest.raises(ImgsimError, match="already exists"):
        refuse_existing(tmp_path, ["a.csv", "file"], force=False)
    refuse_existing(tmp_path, ["file"], force=True)


def test_reading_csv_with_pandas_as_text_keeps_ids(tmp_path: Path) -> None:
    writing.write_delimited(tmp_path / "t.csv", [Column("id", "string")], [(t,) for t in HARD])
    text = (tmp_path / "t.csv").read_text("utf-8")
    assert "0001700104" in text
    frame = pd.read_csv(io.BytesIO((tmp_path / "t.csv").read_bytes()), dtype=str)
    assert frame["id"].tolist()[:2] == ["0001700104", "007"]
