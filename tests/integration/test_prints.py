"""Real prints with their metadata: taken in, linked, reported, exported and drawn."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas
import psycopg
import pytest

from imgsim.__main__ import run
from imgsim.database import connection as database
from imgsim.database import embedded
from imgsim.settings import ExternalServer, Settings

pytestmark = pytest.mark.slow

BOOKS = ("wither_emblems_1635", "ship_of_fools")


@pytest.fixture(scope="module")
def bookshelf(server: embedded.Server, prints: Path) -> Iterator[list[str]]:
    """The prints of two books in a database, with the bibliography of all; the command's start."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute("create database bookshelf template imgsim_template")
    where = ["--database", server.conninfo("bookshelf")]
    folders = [str(prints / book) for book in BOOKS]
    assert run([*where, "ingest", *folders, "--weights", "untrained"]) == 0
    assert run([*where, "metadata", "load", str(prints / "metadata.csv")]) == 0
    yield where
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute("drop database bookshelf with (force)")


@pytest.fixture(scope="module")
def linked(bookshelf: list[str], prints: Path) -> list[str]:
    """The same, its pictures linked to their books by a table."""
    with (prints / "illustrations.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    file_column = next(c for c in header if c in ("file", "path", "filename"))
    arguments = ["--file-column", file_column, "--ecco-id-column", "ecco_id"]
    table = str(prints / "illustrations.csv")
    assert run([*bookshelf, "metadata", "link", table, *arguments]) == 0
    return bookshelf


@pytest.fixture(scope="module")
def truth(prints: Path) -> pandas.DataFrame:
    """`illustrations.csv`, of the two books, everything as text."""
    frame = pandas.read_csv(prints / "illustrations.csv", dtype=str)
    file = next(c for c in frame.columns if c in ("file", "path", "filename"))
    return frame[frame[file].str.contains("|".join(BOOKS))].rename(columns={file: "file"})


def answer(where: list[str], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run([*where, *arguments]) == 0
    return capsys.readouterr().out


def records(where: list[str], capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:  # type: ignore[type-arg]
    return list(json.loads(answer(where, capsys, *arguments, "--format", "json")))


def test_every_print_finds_its_book(
    linked: list[str], truth: pandas.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = {r["what"]: r["count"] for r in records(linked, capsys, "report", "coverage")}
    assert lines["pictures with a book"] == len(truth) == 487
    assert lines["pictures without a book"] == 0
    books = truth["ecco_id"].nunique()
    assert lines["books with pictures"] == books
    rows = records(linked, capsys, "report", "documents", "--threshold", "1")
    assert {r["ecco_id"]: r["illustrations"] for r in rows} == Counter(truth["ecco_id"])
    assert all(r["ecco_full_title"] for r in rows)


def test_overlap_counts_every_print(linked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    rows = records(linked, capsys, "report", "overlap")
    assert [r["shared"] for r in rows] == [4, 3, 2, 1, 0]
    assert sum(r["images"] for r in rows) == 487


def test_threshold_and_decades_and_agreement_count_the_same_prints(
    linked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for row in records(linked, capsys, "report", "threshold"):
        assert 0 <= row["images"] <= 487
        assert row["pairs_across_documents"] <= row["pairs"] <= 487 * 486 // 2
    decades = records(linked, capsys, "report", "decades", "--threshold", "0.9999")
    assert sum(r["illustrations"] for r in decades) == 487
    assert {r["images"] for r in records(linked, capsys, "report", "agreement")} == {487}


def test_exports_hold_what_is_stored(
    linked: list[str],
    truth: pandas.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "exports"
    for kind in (["images"], ["documents"], ["neighbours", "-k", "4"]):
        answer(linked, capsys, "export", *kind, "--output", str(out))
    images = pandas.read_csv(out / "images.csv", dtype=str)
    assert Counter(images["ecco_id"]) == Counter(truth["ecco_id"])
    neighbours = pandas.read_csv(out / "neighbours.csv", dtype=str)
    assert len(neighbours) == 4 * 487
    assert neighbours["ecco_id"].str.fullmatch(r"99\d{8}").all()
    package = json.loads((out / "datapackage.json").read_text("utf-8"))
    assert {resource["path"] for resource in package["resources"]} >= {
        "images.csv",
        "documents.csv",
        "neighbours.csv",
    }


def test_impressions_of_one_block_are_nearer_than_chance(
    linked: list[str], prints: Path, server: embedded.Server
) -> None:
    """Even untrained networks rank the same block above other initials more often than chance."""
    with (prints / "wither_emblems_1635" / "groups.csv").open(encoding="utf-8") as file:
        block = {Path(row["file"]).stem: row["block"] for row in csv.DictReader(file)}
    sizes = Counter(block.values())
    settings = Settings(ExternalServer(server.conninfo("bookshelf"), "the tests"))
    with database.connect(settings) as opened:
        rows = opened.execute(
            "select name, other_name from imgsim.neighbours('resnet18', k => 1)"
        ).fetchall()
    several = [(name, other) for name, other in rows if sizes[block.get(name, "")] > 1]
    assert len(several) >= 190
    right = sum(block[name] == block.get(other) for name, other in several)
    by_chance = sum((sizes[block[name]] - 1) / 486 for name, _ in several)
    assert right > 4 * by_chance
