"""Exports hold exactly what the store holds, joined and counted, and leave no half file."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from imgsim import export
from imgsim.collection import derived
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.export import Target, joined, of_likeness
from imgsim.formats import TABLES
from imgsim.networks.models import Model
from imgsim.settings import Settings
from imgsim.similarity.stored_vectors import read_vectors
from tests.exporting import TITLE, likeness, stored_model, written
from tests.formats import checked_package, query, read_csv
from tests.vectors import brute_force


@pytest.fixture
def model(connection: Connection) -> Model:
    return stored_model(connection)


def with_figures(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, their numbers with seven decimals."""
    return [tuple(round(v, 7) if isinstance(v, float) else v for v in row) for row in rows]


def test_neighbours_are_the_view_in_every_table_format(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    with likeness(connection, model):
        view = connection.execute("select * from imgsim.neighbour_ecco order by image_id, rank")
        columns, expected = [c.name for c in view.description or []], view.fetchall()
        rows = of_likeness.neighbour_lists(connection, model, 5, None, False)
        for format_ in TABLES:
            written(connection, rows, tmp_path / format_, format_)
    expected = with_figures(expected)
    as_text = [tuple("" if v is None else str(v) for v in row) for row in expected]
    for format_, delimiter in (("csv", ","), ("tsv", "\t")):
        read = read_csv(tmp_path / format_ / f"x.{format_}", delimiter)
        assert list(read[0]) == columns
        assert [tuple(row.values()) for row in read] == as_text
    parquet = tmp_path / "parquet" / "x.parquet"
    assert query(f"select * from '{parquet}'")[1] == expected
    frame = pd.read_parquet(parquet)
    assert frame["publication_year"].dtype == "Int64"
    assert frame["other_ecco_id"].dtype == "string"
    assert [tuple(None if v is pd.NA else v for v in row) for row in frame.to_numpy(object)] == (
        expected
    )


def test_counts_before_and_after_the_joins_and_who_has_no_partner(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, None, False)
        outcome = written(connection, rows, tmp_path, "csv")
    read = read_csv(tmp_path / "x.csv")
    titled = [row for row in read if row["ecco_full_title"] and row["other_ecco_full_title"]]
    assert [step.rows for step in outcome.steps] == [600, 600, 600, len(titled)]
    assert 0 < len(titled) < 600
    assert [step.rows for step in outcome.written] == [600]
    without = read_csv(tmp_path / "x_without_partner.csv")
    lacking = {row["name"] for row in read if not row["ecco_full_title"]}
    assert {row["name"] for row in without} == lacking
    assert outcome.without_partner == len(without) == len(lacking)
    assert outcome.examples == ["image 1", "image 2", "image 3", "image 6", "image 7"]
    assert {(row["ecco_id"], row["reason"]) for row in without} == {
        ("", "the image has no ecco_id"),
        ("0000000006", "the bibliography has no such ecco_id"),
        ("0000000000", "the bibliography has no such ecco_id"),
    }


def test_an_export_is_of_one_moment_though_images_are_removed_meanwhile(
    settings: Settings, connection: Connection, model: Model, tmp_path: Path
) -> None:
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, None, False)
        with database.connect(settings) as other:
            assert derived.remove(other, [1, 2, 3]) == 3
        outcome = written(connection, rows, tmp_path, "csv")
    assert [step.rows for step in outcome.steps[:3]] == [600, 600, 600]
    assert len(read_csv(tmp_path / "x.csv")) == 600


def test_k_and_threshold_choose_among_the_stored(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 3, 0.9, False)
        written(connection, rows, tmp_path, "csv")
    read = read_csv(tmp_path / "x.csv")
    assert read
    assert max(int(row["rank"]) for row in read) == 3
    assert min(float(row["similarity"]) for row in read) >= 0.9


def test_neighbours_in_other_documents_are_complete(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    whole = brute_force(connection, model, 119)
    book: dict[int, str | None] = dict(
        connection.execute("select image_id, ecco_id from imgsim.image").fetchall()
    )
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, None, True)
        written(connection, rows, tmp_path, "csv")
        stored = of_likeness.neighbour_lists(connection, model, 5, None, False)
        written(connection, stored, tmp_path / "stored", "csv")
    read = read_csv(tmp_path / "x.csv")
    assert list(read[0]) == list(read_csv(tmp_path / "stored" / "x.csv")[0])
    found: dict[int, list[int]] = {}
    for row in read:
        found.setdefault(int(row["image_id"]), []).append(int(row["other_id"]))
    expected = {
        image: [o for o in others if book[image] is None or book[o] != book[image]][:5]
        for image, others in whole.items()
    }
    assert found == expected


def test_pairs_are_the_view(connection: Connection, model: Model, tmp_path: Path) -> None:
    with likeness(connection, model):
        rows = of_likeness.like_pairs(connection, model, 0.92, False)
        outcome = written(connection, rows, tmp_path / "all", "parquet")
        elsewhere = of_likeness.like_pairs(connection, model, 0.92, True)
        other = written(connection, elsewhere, tmp_path / "other", "parquet")
        expected = connection.execute(
            "select * from imgsim.pair_ecco where similarity >= 0.92 order by image_id, other_id"
        ).fetchall()
    read = query(f"select * from '{tmp_path}/all/x.parquet'")[1]
    assert read == with_figures(expected)
    assert len(read) > 20
    assert outcome.steps[0].rows == outcome.steps[2].rows == len(read)
    apart = [row for row in expected if row[6] is None or row[14] is None or row[6] != row[14]]
    assert query(f"select * from '{tmp_path}/other/x.parquet'")[1] == with_figures(apart)
    assert other.steps[0].rows == len(apart) < len(read)


def test_images_and_documents(connection: Connection, model: Model, tmp_path: Path) -> None:
    with export.one_moment(connection):
        images = written(connection, joined.all_images(connection), tmp_path / "i", "csv")
        documents = written(connection, joined.all_documents(connection), tmp_path / "d", "csv")
    assert [step.rows for step in images.steps] == [120, 120, 83]
    assert len(read_csv(tmp_path / "i" / "x.csv")) == 120
    assert images.without_partner == 37
    assert [step.rows for step in documents.steps] == [7, 7, 5]
    read = {row["ecco_id"]: row for row in read_csv(tmp_path / "d" / "x.csv")}
    assert read["0000000001"]["images"] == "17"
    assert read["0000000001"]["ecco_full_title"] == TITLE
    assert json.loads(read["0000000001"]["extra"]) == {"shelf": "é"}
    without = read_csv(tmp_path / "d" / "x_without_partner.csv")
    assert [row["ecco_id"] for row in without if not row["image_id"]] == [
        "0000000007",
        "0000000008",
    ]


def test_embeddings_are_the_stored_vectors(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    connection.execute("delete from imgsim.embedding_resnet50 where image_id = 9")
    with export.one_moment(connection):
        rows = joined.all_embeddings(connection, model)
        outcome = written(connection, rows, tmp_path, "npy", model)
        written(connection, rows, tmp_path, "parquet", model)
    vectors = read_vectors(connection, model)
    array = np.load(tmp_path / "x.npy")
    assert np.array_equal(array, vectors.values)
    ids = read_csv(tmp_path / "x_ids.csv")
    assert [int(row["image_id"]) for row in ids] == vectors.ids.tolist()
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert np.array_equal(np.stack(frame["embedding"].to_list()), array)
    assert frame["name"].tolist() == [row["name"] for row in ids]
    assert [step.rows for step in outcome.steps] == [119, 119]
    assert (outcome.without_partner, outcome.examples) == (1, ["image 9"])


def test_the_package_gathers_the_exports_of_a_folder(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, 0.5, False)
        export.write(connection, rows, Target(tmp_path, "near", "csv"), model)
        export.write(connection, joined.all_images(connection), Target(tmp_path, "all", "tsv"))
        books = of_likeness.books_sharing(connection, model, 0.9)
        export.write(connection, books, Target(tmp_path, "books", "gephi"), model)
        export.write(connection, books, Target(tmp_path, "books", "gexf"), model)
    resources = checked_package(tmp_path)
    assert set(resources) == {
        *("near.csv", "near_without_partner.csv", "all.tsv", "all_without_partner.csv"),
        *("nodes.csv", "edges.csv", "books.gexf", "books_without_partner.csv"),
    }
    assert resources["books.gexf"]["imgsim"]["nodes"] == resources["nodes.csv"]["rows"]
    assert "rows" not in resources["books.gexf"]


def test_a_resource_tells_types_and_provenance(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    connection.execute(
        """
        insert into imgsim.ingest_run (run_id, host, process_id, imgsim_version, status)
        values (4, 'h', 1, '0.0.9', 'finished'), (5, 'h', 1, '0.1', 'finished')
        """
    )
    connection.execute("update imgsim.image set run_id = 4")
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, 0.5, False)
        options = {"k": 5, "threshold": 0.5, "none": None}
        export.write(connection, rows, Target(tmp_path, "near", "csv"), model, options)
    near = checked_package(tmp_path)["near.csv"]
    assert near["schema"]["primaryKey"] == ["model", "image_id", "rank"]
    types = {field["name"]: field["type"] for field in near["schema"]["fields"]}
    assert types["ecco_id"] == types["other_ecco_id"] == types["work_id"] == "string"
    assert (types["publication_year"], types["similarity"]) == ("integer", "number")
    about = near["imgsim"]
    assert (about["k"], about["threshold"]) == (5, 0.5)
    assert "none" not in about
    assert about["model"] == {
        "name": "resnet50",
        "architecture": "none",
        "dimension": 32,
        "weights": "synthetic",
        "weights_sha256": "none",
        "preprocess": "fit",
    }
    assert [(run["run_id"], run["imgsim_version"]) for run in about["ingest_runs"]] == [
        (4, "0.0.9")
    ]
    assert about["joins"][0]["rows"] == near["rows"]


def test_a_package_that_is_not_ours_is_not_lost(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "datapackage.json").write_text('{"name": "mine", "resources": []}')
    with (
        export.one_moment(connection),
        pytest.raises(ImgsimError, match="imgsim did not write it"),
    ):
        written(connection, joined.all_images(connection), tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["datapackage.json"]


@pytest.mark.parametrize("format_", ["csv", "parquet", "gephi", "gexf", "graphml"])
def test_a_full_disk_leaves_nothing(
    connection: Connection, model: Model, tmp_path: Path, format_: str
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with likeness(connection, model):
        rows = of_likeness.neighbour_lists(connection, model, 5, None, False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(ImgsimError, match="nothing was left there"):
                written(connection, rows, tmp_path / "out", format_)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_the_server_breaks_off_leaves_nothing(
    connection: Connection, model: Model, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text("the old one")
    late = joined.Query("select 1 / (9000 - n) from generate_series(1, 20000) n")
    broken = joined.Joined("broken", late, (), (), late)
    with (
        pytest.raises(psycopg.errors.DivisionByZero),
        export.one_moment(connection),
    ):
        written(connection, broken, tmp_path, "csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_an_empty_store_exports_headers(connection: Connection, tmp_path: Path) -> None:
    with export.one_moment(connection):
        for number, format_ in enumerate(TABLES):
            rows = joined.all_images(connection)
            outcome = written(connection, rows, tmp_path / str(number), format_)
            assert outcome.without_partner == 0
    assert len(pd.read_parquet(tmp_path / "2" / "x.parquet")) == 0
    checked_package(tmp_path / "0")
