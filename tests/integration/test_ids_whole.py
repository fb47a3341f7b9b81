"""Whatever goes in as an identifier comes out the same, by every way in and every way out."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from imgsim import export
from imgsim.bibliography import metadata, research
from imgsim.bibliography.identifiers import estc_id
from imgsim.database.connection import Connection
from imgsim.export import Target, joined, of_likeness
from imgsim.export.joined import Joined
from imgsim.formats.reading import MISSING, NULLS
from imgsim.networks import models
from tests.formats import assert_valid_xml, read_csv

few = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

HARD = (
    *("NA", "nan", "NULL", "None", "true", "0001700104", "007", "1e5", "-0", "1.0", "1752.0"),
    *(" a ", "\u00a0b", "a\nb", "a\r\nb", "\r", "a\tb", 'say "x"', "it's", "a,b;c|d", "=1+1"),
    *("\\N", "\\", "\ufeffx", "é", "e\u0301", "書", "\U0001d538", "\u2028", "<&>", "]]>", "&#65;"),
    *("plate 1", "plate_x20_1", "_x20 ", " x20_", "_x_", "\x01", "_x41_", "_x41\x01", "%s", "{}"),
)
texts = st.one_of(
    st.sampled_from(HARD),
    st.text("01", min_size=1, max_size=16),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
    ),
)
ids = st.lists(texts, min_size=2, max_size=6, unique=True)
ecco_ids = st.lists(
    st.integers(10**6, 10**10 - 1).map(lambda number: str(number).zfill(10)),
    min_size=1,
    max_size=5,
    unique=True,
)
numbers = itertools.count()


def new_folder(parent: Path) -> Path:
    folder = parent / str(next(numbers))
    folder.mkdir()
    return folder


def tables(folder: Path, columns: dict[str, list[str]]) -> list[Path]:
    """The same table as CSV, as TSV, and as Parquet."""
    files = []
    for name, delimiter in (("x.csv", ","), ("x.tsv", "\t")):
        files.append(folder / name)
        with files[-1].open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    files.append(folder / "x.parquet")
    pq.write_table(pa.table(columns), files[-1])
    return files


def missing(text: str) -> bool:
    """Whether a CSV file says by this that there is nothing."""
    return text.strip() in MISSING


@few
@given(keys=ids)
@example(keys=list(HARD))
def test_research_tables_hold_the_ids_of_their_files(
    connection: Connection, tmp_path: Path, keys: list[str]
) -> None:
    numbered = {"illustration_id": keys, "n": [str(n) for n in range(len(keys))]}
    for file in tables(new_folder(tmp_path), numbered):
        research.load(connection, file, "whole", "illustration_id", replace=True)
        rows = connection.execute("select illustration_id from research.whole order by n")
        parquet = file.suffix == ".parquet"
        assert [row[0] for row in rows] == [
            None if key.strip() in (NULLS if parquet else MISSING) else key for key in keys
        ]


@few
@given(books=ecco_ids, data=st.data())
def test_books_keep_their_ids_through_metadata_and_export(
    connection: Connection, tmp_path: Path, books: list[str], data: st.DataObject
) -> None:
    estc_ids = [data.draw(texts) for _ in books]
    shelfmarks = [data.draw(texts) for _ in books]
    written = [data.draw(st.sampled_from([book, book.lstrip("0")])) for book in books]
    columns = {"ecco_id": written, "estc_id": estc_ids, "shelfmark": shelfmarks}
    for file in tables(new_folder(tmp_path), columns):
        connection.execute("delete from imgsim.ecco_document")
        assert metadata.load(connection, file).refused == 0
        _assert_books(connection, books, estc_ids, shelfmarks)
        stored = [row[0] for row in connection.execute("select ecco_id from imgsim.document_ecco")]
        for exported in write_tables(connection, joined.all_documents, new_folder(tmp_path)):
            assert sorted(column(exported, "ecco_id")) == sorted(stored) == sorted(books)
            again = metadata.load(connection, exported)
            assert (again.new, again.updated, again.findings.padded.count) == (0, len(books), 0)
            _assert_books(connection, books, estc_ids)


def _assert_books(
    connection: Connection,
    books: list[str],
    estc_ids: list[str],
    shelfmarks: list[str] | None = None,
) -> None:
    rows = connection.execute("select ecco_id, estc_id, extra from imgsim.ecco_document").fetchall()
    stored = {row[0]: (row[1], row[2]) for row in rows}
    assert sorted(stored) == sorted(books)
    for book, written in zip(books, estc_ids, strict=True):
        kept, extra = stored[book]
        text = written.strip()
        assert kept == (None if missing(text) else estc_id(text) or text)
        if shelfmarks and kept not in (None, text):
            assert extra["estc_id_original"] == text
    for book, shelfmark in zip(books, shelfmarks or books, strict=True):
        if shelfmarks:
            kept = stored[book][1].get("shelfmark")
            assert kept == (None if missing(shelfmark) else shelfmark)


@few
@given(images=ids, documents=ids)
@example(images=list(HARD), documents=list(HARD))
def test_images_keep_their_names_and_documents_in_every_export(
    connection: Connection, tmp_path: Path, images: list[str], documents: list[str]
) -> None:
    add(connection, images, documents)
    known = {
        row[0]: (row[1], row[2])
        for row in connection.execute("select image_id::text, name, ecco_id from imgsim.image_ecco")
    }
    pairs = zip(images, itertools.cycle(documents), strict=False)
    assert sorted(known.values()) == sorted(pairs)
    for file in write_tables(connection, joined.all_images, new_folder(tmp_path)):
        assert list(zip(column(file, "name"), column(file, "ecco_id"), strict=True)) == [
            known[number] for number in column(file, "image_id")
        ]
    nodes, ends = graphs(connection, tmp_path, "pairs")
    assert {node["id"]: (node["name"], node["ecco_id"]) for node in nodes["gephi"]} == known
    for format_ in ("gexf", "graphml"):
        shown = {node["id"]: (node["name"], node["ecco_id"]) for node in nodes[format_]}
        assert shown == {key: tuple(map(legal, value)) for key, value in known.items()}
        assert ends[format_] == ends["gephi"]


@few
@given(documents=ids)
@example(documents=list(HARD))
def test_books_keep_their_ids_in_graphs(
    connection: Connection, tmp_path: Path, documents: list[str]
) -> None:
    add(connection, [f"image {n}" for n in range(len(documents))], documents)
    nodes, ends = graphs(connection, tmp_path, "books")
    assert sorted(node["id"] for node in nodes["gephi"]) == sorted(documents)
    for format_ in ("gexf", "graphml"):
        assert sorted(unescaped(node["id"]) for node in nodes[format_]) == sorted(documents)
        read = [(unescaped(one), unescaped(other)) for one, other in ends[format_]]
        assert sorted(read) == sorted(ends["gephi"])


def add(connection: Connection, images: list[str], documents: list[str]) -> None:
    """Store images of these names, of the documents in turn, and every one like every other."""
    connection.execute("delete from imgsim.image")
    connection.execute("select imgsim.add_model('resnet50', 'none', 4, 'none', 'none', 'fit')")
    connection.cursor().executemany(
        """
        insert into imgsim.image
            (name, path, sha256, bytes, modified_ns, width, height, mode, format, ecco_id)
        values (%s, %s, 'x', 1, 1, 1, 1, 'L', 'PNG', %s)
        """,
        [
            (name, f"/scans/{name}", document)
            for name, document in zip(images, itertools.cycle(documents), strict=False)
        ],
    )
    connection.execute(
        """
        insert into imgsim.pair (model_id, image_id, other_id, similarity)
        select m.model_id, i.image_id, o.image_id, 1
        from imgsim.model m, imgsim.image i
        join imgsim.image o on i.image_id < o.image_id
        """
    )
    connection.execute(
        """
        insert into imgsim.pair_state (model_id, threshold, images, revision)
        select m.model_id, 0.5, 0, m.revision
        from imgsim.model m
        on conflict do nothing
        """
    )


def write_tables(connection: Connection, rows: Any, folder: Path) -> list[Path]:
    """An export as CSV, TSV and Parquet."""
    with export.one_moment(connection):
        for format_ in ("csv", "tsv", "parquet"):
            export.write(connection, rows(connection), Target(folder, "x", format_))
    return [folder / "x.csv", folder / "x.tsv", folder / "x.parquet"]


def column(file: Path, name: str) -> list[str]:
    """A column as text."""
    if file.suffix == ".parquet":
        return [str(value) for value in pq.read_table(file).column(name).to_pylist()]
    return [row[name] for row in read_csv(file, "\t" if file.suffix == ".tsv" else ",")]


Nodes = dict[str, list[dict[str, str]]]
Ends = dict[str, list[tuple[str, str]]]


def graphs(connection: Connection, tmp_path: Path, kind: str) -> tuple[Nodes, Ends]:
    """The nodes and the ends of the edges, by format, of an export in all graph formats."""
    folder = new_folder(tmp_path)
    model = models.named(connection, "resnet50")
    with export.one_moment(connection):
        rows: Joined
        if kind == "pairs":
            rows = of_likeness.like_pairs(connection, model, 0.9, False)
        else:
            rows = of_likeness.books_sharing(connection, model, 0.9)
        for format_ in ("gephi", "gexf", "graphml"):
            export.write(connection, rows, Target(folder, "x", format_), model)
    nodes = {"gephi": [{"id": row["Id"], **row} for row in read_csv(folder / "nodes.csv")]}
    edges = read_csv(folder / "edges.csv")
    ends = {"gephi": [(edge["Source"], edge["Target"]) for edge in edges]}
    for format_ in ("gexf", "graphml"):
        file = folder / f"x.{format_}"
        assert_valid_xml(file)
        nodes[format_], ends[format_] = read_xml(file)
    return nodes, ends


def read_xml(file: Path) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """The nodes with their attributes by name, and the ends of the edges."""
    root = etree.parse(file).getroot()
    if file.suffix == ".gexf":
        titles = {
            a.get("id"): a.get("title")
            for a in root.iterfind(".//{*}attributes[@class='node']/{*}attribute")
        }
        values = "{*}attvalues/{*}attvalue"
    else:
        titles = {key.get("id"): key.get("attr.name") for key in root.iterfind("{*}key")}
        values = "{*}data"
    nodes = []
    for node in root.iterfind(".//{*}node"):
        read = {"id": node.get("id")}
        for value in node.iterfind(values):
            title = titles[value.get("for") or value.get("key")]
            read[title] = value.get("value") or value.text or ""
        nodes.append(read)
    edges = root.iterfind(".//{*}edge")
    return nodes, [(edge.get("source"), edge.get("target")) for edge in edges]


def legal(text: str) -> str:
    """A text as XML can hold it: a character that it cannot becomes U+FFFD."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def unescaped(node_id: str) -> str:
    """The text of which a node's id was made: `_x20_` stands for a blank."""
    return re.sub("_x([0-9A-F]*)_", lambda m: chr(int(m[1], 16)) if m[1] else "", node_id)
