"""`imgsim export` and `imgsim pairs` as typed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from imgsim.database.connection import Connection
from imgsim.formats.unfinished import PREFIX
from imgsim.settings import ExternalServer, Settings
from tests.conftest import Answer
from tests.formats import assert_valid_xml, checked_package, read_csv
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]


@pytest.fixture
def filled(connection: Connection) -> Connection:
    store(connection, "resnet50", clustered(60, 32))
    connection.execute(
        """
        insert into imgsim.ecco_document (ecco_id, ecco_full_title, publication_year)
        select lpad(n::text, 10, '0'), 'Book ' || n, 1750 + n from generate_series(0, 5) n
        """
    )
    return connection


def test_every_kind_in_every_format(imgsim: Imgsim, filled: Connection, tmp_path: Path) -> None:
    tables, graphs = ("csv", "tsv", "parquet"), ("gephi", "gexf", "graphml")
    kinds = {
        "neighbours": tables + graphs,
        "pairs": tables + graphs,
        "groups-of-books": tables + graphs,
        "images": tables,
        "documents": tables,
        "embeddings": ("parquet", "npy"),
    }
    for kind, formats in kinds.items():
        for format_ in formats:
            folder = tmp_path / f"{kind}-{format_}"
            threshold = ["--threshold", 0.9] if kind in ("pairs", "groups-of-books") else []
            answer = imgsim("export", kind, "--format", format_, "-o", folder, *threshold)
            assert answer.code == 0, answer.err
            files = [Path(line) for line in answer.out.splitlines()]
            assert sorted(files) == sorted(folder.iterdir())
            checked_package(folder)
            for file in files:
                if file.suffix in (".gexf", ".graphml"):
                    assert_valid_xml(file)
    assert len(read_csv(tmp_path / "neighbours-csv" / "neighbours.csv")) == 600
    assert np.load(tmp_path / "embeddings-npy" / "embeddings.npy").shape == (60, 32)
    assert len(nx.read_gexf(tmp_path / "neighbours-gexf" / "neighbours.gexf")) == 60


def test_counts_and_ids_without_a_partner_are_printed(
    imgsim: Imgsim, filled: Connection, tmp_path: Path
) -> None:
    answer = imgsim("export", "images", "-o", tmp_path)
    lines = [" ".join(line.split()) for line in answer.err.splitlines()]
    assert lines == [
        "every image, with its book",
        "60 pictures",
        "60 after looking up books",
        "52 of these with a book in the bibliography",
        "60 rows written, images.csv",
        (
            "note: 8 found no partner: image 6, image 13, image 20, image 27, image 34, …"
            " (images_without_partner.csv)"
        ),
    ]


def test_the_ending_of_the_file_says_the_format(
    imgsim: Imgsim, filled: Connection, tmp_path: Path
) -> None:
    answer = imgsim("export", "images", "-o", tmp_path / "mine.parquet")
    assert answer.code == 0
    assert pd.read_parquet(tmp_path / "mine.parquet")["ecco_id"][0] == "0000000001"
    assert (tmp_path / "datapackage.json").exists()
    answer = imgsim("export", "images", "--format", "csv", "-o", tmp_path / "other.parquet")
    assert answer.code == 1
    assert "its ending says parquet" in answer.err
    answer = imgsim("export", "images", "-o", tmp_path / "other.gexf")
    assert "gexf cannot hold this export" in answer.err


def test_files_that_are_there_are_kept_without_force(
    imgsim: Imgsim, filled: Connection, tmp_path: Path
) -> None:
    assert imgsim("export", "images", "-o", tmp_path / "new").code == 0
    again = imgsim("export", "images", "-o", tmp_path / "new")
    assert again.code == 1
    assert "images.csv already exists" in again.err
    filled.execute(
        """
        insert into imgsim.ecco_document (ecco_id) values ('0000000006');
        """
    )
    assert imgsim("export", "images", "-o", tmp_path / "new", "--force", "--bom").code == 0
    assert (tmp_path / "new" / "images.csv").read_bytes().startswith(b"\xef\xbb\xbfimage_id,")
    assert not (tmp_path / "new" / "images_without_partner.csv").exists()
    assert set(checked_package(tmp_path / "new")) == {"images.csv"}


def test_a_place_that_is_not_there_is_said_before_any_work(
    imgsim: Imgsim, filled: Connection, tmp_path: Path
) -> None:
    answer = imgsim("export", "neighbours", "-o", tmp_path / "no" / "such")
    assert answer.code == 1
    assert "does not exist" in answer.err
    assert filled.execute("select count(*) from imgsim.neighbour").fetchone() == (0,)


def test_neighbours_of_other_documents_and_above_a_threshold(
    imgsim: Imgsim, filled: Connection, tmp_path: Path
) -> None:
    options = ["-k", 3, "--other-documents-only", "--threshold", 0.5]
    assert imgsim("export", "neighbours", *options, "-o", tmp_path).code == 0
    read = read_csv(tmp_path / "neighbours.csv")
    assert read
    assert all(row["ecco_id"] != row["other_ecco_id"] for row in read)
    about = checked_package(tmp_path)["neighbours.csv"]["imgsim"]
    assert (about["k"], about["other_documents_only"], about["threshold"]) == (3, True, 0.5)


def test_pairs_are_stored_once(imgsim: Imgsim, filled: Connection, tmp_path: Path) -> None:
    first = imgsim("pairs", "--threshold", 0.9)
    assert first.code == 0
    assert " found" in first.err
    assert "already up to date" in imgsim("pairs", "--threshold", 0.95).err
    assert "more than 5 pairs" in imgsim("pairs", "--threshold", 0.1, "--at-most", 5).err
    assert imgsim("export", "pairs", "--threshold", 0.95, "-o", tmp_path).code == 0


def test_unknown_models_are_named(imgsim: Imgsim, filled: Connection, tmp_path: Path) -> None:
    answer = imgsim("export", "pairs", "--model", "vgg", "-o", tmp_path / "x")
    assert answer.code == 1
    assert "no model is called 'vgg'" in answer.err
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_no_half_file_has_a_name(
    settings: Settings, filled: Connection, tmp_path: Path, how: signal.Signals
) -> None:
    filled.execute(
        """
        insert into imgsim.image
            (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format)
        select 1000 + n, 'more ' || n, '/more/' || n, '', 1, 1, 1, 1, 'L', 'PNG'
        from generate_series(1, 600000) n
        """
    )
    assert isinstance(settings.target, ExternalServer)
    out = tmp_path / "out"
    where = ["--database", settings.target.conninfo]
    call = [sys.executable, "-m", "imgsim", *where, "export", "images", "-o", str(out)]
    process = subprocess.Popen(call, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not list(out.glob(f"{PREFIX}*/images.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, how)
    process.communicate()
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert not out.exists()
    else:
        assert [path.name.startswith(PREFIX) for path in out.iterdir()] == [True]
