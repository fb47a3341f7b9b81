"""13,151 images of 4,755 books with the faults of real metadata: every count adds up."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest

from imgsim.__main__ import run
from imgsim.database import connection as database
from imgsim.database import embedded
from imgsim.database.connection import Connection
from imgsim.settings import ExternalServer, Settings
from tests.conftest import TEMPLATE, Answer
from tests.ecco import (
    DOCUMENTS,
    IMAGES,
    IN_LATIN_1,
    IN_METADATA,
    REPEATED_EQUAL,
    REPEATED_OTHERWISE,
    UNUSABLE,
    WITHOUT_IMAGES,
    Document,
    names,
    page_id,
    write_tables,
)
from tests.formats import read_csv
from tests.vectors import clustered, store

pytestmark = pytest.mark.slow

DIMENSION = 64
K = 10
LOADED = [Document(n) for n in (*range(IN_METADATA), *WITHOUT_IMAGES)]
WITHOUT_BOOK = sum(document.number >= IN_METADATA for _, document, _ in names())


@dataclass(frozen=True)
class Ecco:
    """The filled store, and what `metadata load` and `table load` said."""

    connection: Connection
    conninfo: str
    loaded: Answer
    captions: Answer

    def imgsim(self, *arguments: object) -> Answer:
        """Run a command line on it."""
        return _call(self.conninfo, *arguments)

    def value(self, query: str) -> int:
        """The only value of an answer."""
        row = self.connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def count(self, relation: str) -> int:
        """How many rows a table, view or function has."""
        return self.value(f"select count(*) from {relation}")


def _call(conninfo: str, *arguments: object) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["--database", conninfo, *map(str, arguments)])
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def ecco(server: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecco]:
    """A store with images, vectors of two models, bibliography, captions, lists and pairs."""
    folder = tmp_path_factory.mktemp("ecco")
    conninfo = server.conninfo("ecco_scale")
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database ecco_scale template {TEMPLATE}")
    with database.connect(Settings(ExternalServer(conninfo, "the tests"))) as connection:
        _add_images(connection)
        loaded = _call(conninfo, "metadata", "load", *write_tables(folder))
        captions = _call(
            conninfo,
            *("table", "load", _write_captions(folder), "--name", "captions"),
            *("--key", "illustration_id"),
        )
        assert _call(conninfo, "neighbours", "-k", K).code == 0
        assert _call(conninfo, "pairs", "--threshold", 0.9).code == 0
        yield Ecco(connection, conninfo, loaded, captions)
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute("drop database ecco_scale with (force)")


def _add_images(connection: Connection) -> None:
    vectors = clustered(IMAGES, DIMENSION)
    moved = vectors + np.random.default_rng(1).normal(scale=0.02, size=vectors.shape)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    store(connection, "resnet18", moved.astype(np.float32))
    store(connection, "resnet50", vectors)
    connection.execute(
        """
        update imgsim.image i
        set name = t.page_id || '_0', ecco_id = t.ecco_id, page_id = t.page_id, page_number = t.page
        from unnest(%s::bigint[], %s::text[], %s::text[], %s::integer[])
            as t (image_id, ecco_id, page_id, page)
        where i.image_id = t.image_id
        """,
        [
            list(column)
            for column in zip(
                *((n, book.ecco_id, page_id(book, page), page) for n, book, page in names()),
                strict=True,
            )
        ],
    )


def _write_captions(folder: Path) -> Path:
    file = folder / "captions.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["illustration_id", "caption", "estc_id"])
        for _, book, page in names():
            writer.writerow([page_id(book, page) + "_0", f"Fig. {page}", book.estc_id or "NA"])
    return file


def told(answer: Answer) -> list[str]:
    return [" ".join(line.split()) for line in answer.said.splitlines()]


def test_loading_counts_every_row(ecco: Ecco) -> None:
    said = told(ecco.loaded)
    assert ecco.loaded.code == 3
    in_first = len(LOADED) - len(IN_LATIN_1)
    repeated = [Document(n) for n in (*REPEATED_EQUAL, *REPEATED_OTHERWISE)]
    first = [book for book in LOADED if book.number not in IN_LATIN_1]
    padded = sum(book.lost_zeros for book in first)
    assert f"{in_first:,} books new" in said
    assert f"{len(IN_LATIN_1):,} books new" in said
    assert f"{len(repeated)} rows that repeat a book, merged with it" in said
    assert f"{padded:,} ECCO ids padded to ten digits (zeros were lost):" in said
    assert f"note: {len(REPEATED_OTHERWISE)} values ignored: an earlier row has another:" in said
    assert f"note: {len(UNUSABLE)} rows skipped: no usable ecco_id:" in said
    assert any("is not UTF-8" in line for line in said)
    assert not [line for line in said if "are no number" in line or "do not fit" in line]


def test_every_document_is_what_it_was_before_its_faults(ecco: Ecco) -> None:
    stored = ecco.connection.execute(
        """
        select ecco_id, estc_id, ecco_full_title, ecco_pages, publication_year,
            publication_decade, work_id, publication_place, extra ->> 'shelfmark'
        from imgsim.ecco_document
        order by ecco_id
        """
    ).fetchall()
    true = [
        (
            *(book.ecco_id, book.estc_id, book.title, (320, None)[book.number % 2], book.year),
            *(book.year and book.year // 10 * 10, f"W{book.number // 3}", book.place),
            f"{book.number:06}",
        )
        for book in LOADED
    ]
    assert stored == sorted(true)


def test_no_id_loses_a_zero(ecco: Ecco) -> None:
    images = ecco.connection.execute(
        "select image_id, ecco_id, page_id, name from imgsim.image_ecco order by image_id"
    ).fetchall()
    assert images == [
        (n, book.ecco_id, page_id(book, page), page_id(book, page) + "_0")
        for n, book, page in names()
    ]
    assert ecco.captions.code == 0
    captions = ecco.connection.execute(
        "select illustration_id from research.captions order by illustration_id"
    )
    assert [row[0] for row in captions] == sorted(row[3] for row in images)


def test_views_keep_the_rows_of_their_tables(ecco: Ecco) -> None:
    assert ecco.count("imgsim.image_ecco") == ecco.count("imgsim.image") == IMAGES
    assert ecco.count("imgsim.document_ecco") == ecco.count("imgsim.ecco_document") == len(LOADED)
    assert ecco.count("imgsim.neighbour_ecco") == ecco.count("imgsim.neighbour") == 2 * K * IMAGES
    assert ecco.count("imgsim.pair_ecco") == ecco.count("imgsim.pair") > 2 * IMAGES
    assert ecco.count("imgsim.image_without_document") == WITHOUT_BOOK
    joined = "imgsim.image_ecco i join research.captions c on c.illustration_id = i.name"
    assert ecco.count(joined) == IMAGES


def test_sharing_an_estc_id_multiplies_only_a_join_by_it(ecco: Ecco) -> None:
    shared = Counter(book.estc_id for book in LOADED if book.estc_id)
    assert max(shared.values()) == 2
    by_estc_id = "imgsim.document_ecco d join imgsim.document_ecco o using (estc_id)"
    assert ecco.count(by_estc_id) == sum(n * n for n in shared.values()) > len(LOADED)


def test_functions_keep_the_rows_of_what_they_read(ecco: Ecco) -> None:
    count, value = ecco.count, ecco.value
    assert count("imgsim.overlap_by_image(4)") == IMAGES
    assert count(f"imgsim.neighbours(k => {K})") == K * IMAGES
    pairs = count("imgsim.pair_ecco where model = 'resnet50' and similarity >= 0.94")
    assert count("imgsim.neighbours(min_similarity => 0.94)") == 2 * pairs
    across = count(
        "imgsim.pair_ecco where model = 'resnet50' and similarity >= 0.94"
        " and ecco_id <> other_ecco_id"
    )
    assert value("select sum(pairs) from imgsim.book_graph('resnet50', 0.94)") == across
    at_094 = ecco.connection.execute(
        "select pairs, pairs_across_documents, complete"
        " from imgsim.threshold_counts('resnet50', array[0.94])"
    ).fetchone()
    assert at_094 == (pairs, across, True)
    assert value("select min(images) from imgsim.agreement(4)") == IMAGES
    assert value("select max(images) from imgsim.agreement(4)") == IMAGES


def test_overlap_sums_to_all_images(ecco: Ecco) -> None:
    answer = ecco.imgsim("report", "overlap", "--format", "json")
    rows = json.loads(answer.out)
    assert [row["shared"] for row in rows] == [4, 3, 2, 1, 0]
    assert sum(row["images"] for row in rows) == IMAGES
    assert sum(row["images"] > 0 for row in rows) >= 3
    of_1750 = ecco.imgsim(
        *("report", "overlap", "--format", "json", "--where", "publication_decade=1750")
    )
    there = sum(
        document.number < IN_METADATA and (document.year or 0) // 10 == 175
        for _, document, _ in names()
    )
    assert sum(row["images"] for row in json.loads(of_1750.out)) == there


def test_documents_decades_and_coverage_sum_to_all_images(ecco: Ecco) -> None:
    documents = json.loads(ecco.imgsim("report", "documents", "--format", "json").out)
    decades = json.loads(ecco.imgsim("report", "decades", "--format", "json").out)
    assert len(documents) == len({row["ecco_id"] for row in documents}) == DOCUMENTS
    for column in ("illustrations", "reappearing"):
        assert sum(row[column] for row in documents) == sum(row[column] for row in decades) > 0
    assert sum(row["illustrations"] for row in decades) == IMAGES
    assert sum(row["documents"] for row in decades) == DOCUMENTS
    coverage = {
        row["what"]: row["count"]
        for row in json.loads(ecco.imgsim("report", "coverage", "--format", "json").out)
    }
    assert coverage == {
        "pictures with a book": IMAGES - WITHOUT_BOOK,
        "pictures without a book": WITHOUT_BOOK,
        "pictures that name no book": 0,
        "pictures whose book is not loaded": WITHOUT_BOOK,
        "books with pictures": IN_METADATA,
        "books without pictures": len(WITHOUT_IMAGES),
        "books not loaded that pictures name": DOCUMENTS - IN_METADATA,
    }


EXPORTS: dict[str, tuple[str, list[object]]] = {
    "images": ("imgsim.image", []),
    "documents": ("imgsim.ecco_document", []),
    "embeddings": ("imgsim.embedding_resnet50", []),
    "neighbours": (
        "imgsim.neighbour join imgsim.model using (model_id) where name = 'resnet50' and rank <= 4",
        ["-k", 4],
    ),
    "pairs": (
        "imgsim.pair_ecco where model = 'resnet50' and similarity >= 0.94",
        ["--threshold", 0.94],
    ),
    "groups-of-books": ("imgsim.book_graph('resnet50', 0.94)", ["--threshold", 0.94]),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_has_the_rows_of_its_table(ecco: Ecco, kind: str, tmp_path: Path) -> None:
    relation, options = EXPORTS[kind]
    rows = ecco.count(relation)
    answer = ecco.imgsim("export", kind, *options, "-o", tmp_path / f"{kind}.parquet")
    assert answer.code == 0, answer.err
    written = pq.read_table(tmp_path / f"{kind}.parquet")
    assert written.num_rows == rows > 0
    for name in set(written.column_names) & {"ecco_id", "other_ecco_id"}:
        ids = written.column(name).to_pylist()
        assert all(re.fullmatch("[0-9]{10}", ecco_id) for ecco_id in ids)
    joined = [line.split()[0] for line in told(answer) if " after looking up " in line]
    assert joined
    assert set(joined) == {f"{rows:,}"}
    if kind != "embeddings":
        (tmp_path / "csv").mkdir()
        file = tmp_path / "csv" / f"{kind}.csv"
        assert ecco.imgsim("export", kind, *options, "-o", file).code == 0
        assert len(read_csv(file)) == rows


def test_graphs_have_every_node_and_edge_once(ecco: Ecco, tmp_path: Path) -> None:
    for kind in ("pairs", "groups-of-books"):
        relation, options = EXPORTS[kind]
        for format_ in ("gephi", "gexf", "graphml"):
            folder = tmp_path / f"{kind}-{format_}"
            answer = ecco.imgsim("export", kind, *options, "--format", format_, "-o", folder)
            assert answer.code == 0, answer.err
        ids = [row["Id"] for row in read_csv(tmp_path / f"{kind}-gephi" / "nodes.csv")]
        edges = read_csv(tmp_path / f"{kind}-gephi" / "edges.csv")
        assert len(set(ids)) == len(ids)
        assert {edge[end] for edge in edges for end in ("Source", "Target")} == set(ids)
        assert len({(edge["Source"], edge["Target"]) for edge in edges}) == len(edges)
        assert len(edges) == ecco.count(relation)
        for format_ in ("gexf", "graphml"):
            text = (tmp_path / f"{kind}-{format_}" / f"{kind}.{format_}").read_text("utf-8")
            assert text.count("<node ") == len(ids)
            assert text.count("<edge ") == len(edges)
