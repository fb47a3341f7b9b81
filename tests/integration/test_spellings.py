"""Accents composed or decomposed: one picture is found by either, and two are told apart."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.images import spelling
from imgsim.similarity import search
from tests.conftest import Answer
from tests.pictures import add_picture

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")
Form = Literal["NFC", "NFD"]
FORMS: tuple[Form, Form] = ("NFC", "NFD")


def spelt(form: Form, text: str = "émblème ü 각") -> str:
    return unicodedata.normalize(form, text)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    """How the names on disk have their accents."""
    chosen: Form = request.param
    return chosen


@pytest.fixture
def drawn(tmp_path: Path, draw: Callable[..., Image.Image], form: Form) -> Path:
    """A folder and a picture in it whose names have accents; and another picture."""
    folder = tmp_path / spelt(form, "Büchér")
    folder.mkdir()
    for number, name in enumerate([f"{spelt(form)}.png", "plain.png"]):
        # Light, so that nothing looks for the positive of a negative.
        draw(number).point(lambda level: 255 - level * level // 255).save(folder / name)
    return folder


@pytest.fixture
def scans(drawn: Path, connection: Connection) -> Path:
    """The folder, its pictures stored without vectors."""
    for path in sorted(drawn.iterdir()):
        add_picture(connection, path)
    return drawn


def other(form: Form) -> Form:
    return "NFD" if form == "NFC" else "NFC"


def test_a_picture_is_found_by_its_name_or_path_in_either_spelling(
    imgsim: Imgsim, connection: Connection, scans: Path
) -> None:
    for given in FORMS:
        folder = scans.parent / spelt(given, "Büchér")
        path = str(folder / f"{spelt(given)}.png")
        for called in (spelt(given), path):
            assert imgsim("verdict", called, "plain", "copy", "--by", "Ann").code == 0
            row = connection.execute("select imgsim.image_id(%s)", [called]).fetchone()
            assert row == (search.find_query(connection, called).image_id,)
        tails = [spelt(given), path, "/".join(Path(path).parts[-2:]), f"{spelt(given)}.tif"]
        called_in_table = connection.execute(
            "select count(*) from imgsim.images_called(%s) where cardinality(image_ids) = 1",
            [tails],
        ).fetchone()
        assert called_in_table == (4,)
    assert connection.execute("select count(*) from imgsim.verdict").fetchone() == (1,)


def test_a_file_typed_in_the_other_spelling_is_not_taken_in_twice(
    imgsim: Imgsim, connection: Connection, drawn: Path, form: Form
) -> None:
    assert imgsim("ingest", drawn, *FAST).code == 0
    stored = "select name, path from imgsim.image where name <> 'plain'"
    assert connection.execute(stored.encode()).fetchall() == [
        (spelt("NFC"), str(drawn / f"{spelt(form)}.png"))
    ]
    folder = drawn.parent / spelt(other(form), "Büchér")
    again = imgsim("ingest", folder / f"{spelt(other(form))}.png", folder)
    assert (again.code, again.said.splitlines()[1:]) == (0, ["        2 unchanged"])
    answers = {
        imgsim("similar", folder / f"{spelt(given)}.png", "--format", "csv").out for given in FORMS
    }
    assert len(answers) == 1
    (drawn / f"{spelt(form)}.png").rename(drawn / f"{spelt(other(form))}.png")
    moved = imgsim("ingest", drawn)
    assert moved.said.splitlines()[1:] == [
        "        1 moved, recognised by their content",
        "        1 unchanged",
    ]
    assert connection.execute("select count(*) from imgsim.image").fetchone() == (2,)


def test_remove_and_relocate_know_either_spelling(
    imgsim: Imgsim, connection: Connection, scans: Path, form: Form
) -> None:
    new = scans.with_name("new")
    scans.rename(new)
    moved = imgsim("relocate", scans.parent / spelt(other(form), "Büchér"), new)
    assert (moved.code, moved.err) == (0, f"2 images moved to {new}\n")
    removed = imgsim("remove", new / f"{spelt(other(form))}.png", "--yes")
    assert removed.err == "1 image removed\n"
    assert connection.execute("select name from imgsim.image").fetchall() == [("plain",)]


def test_a_table_links_a_book_in_either_spelling(
    imgsim: Imgsim, connection: Connection, scans: Path, form: Form, tmp_path: Path
) -> None:
    for given in FORMS:
        with (tmp_path / "links.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("file", "ecco_id"), (f"{spelt(given)}.png", "0001700104")])
        columns = ("--file-column", "file", "--ecco-id-column", "ecco_id")
        assert imgsim("metadata", "link", tmp_path / "links.csv", *columns).code == 0
        row = connection.execute("select count(*) from imgsim.image where linked").fetchone()
        assert row == (1,)
        connection.execute("update imgsim.image set linked = false, ecco_id = null")


def test_two_files_whose_names_differ_only_so_are_both_taken_in_and_said(
    imgsim: Imgsim,
    connection: Connection,
    tmp_path: Path,
    draw: Callable[..., Image.Image],
) -> None:
    paths = [tmp_path / f"{spelt(given)}.png" for given in FORMS]
    for seed, path in enumerate(paths):
        draw(seed).save(path)
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system takes both spellings for one name")
    answer = imgsim("ingest", tmp_path, *FAST)
    assert answer.code == 0
    assert "2 new" in answer.err
    assert "differ only in how accents are written" in answer.err
    assert "\\xe9" in answer.err
    assert "e\\u0301" in answer.err
    ids = []
    for path in paths:
        ids.append(search.find_query(connection, str(path)).image_id)
        assert imgsim("similar", path).code == 0
    assert len(set(ids)) == 2
    ambiguous = imgsim("similar", spelt("NFC"))
    assert ambiguous.code == 1
    assert "2 images are called" in ambiguous.err
    assert imgsim("remove", paths[0], "--yes").err == "1 image removed\n"
    assert "2 unchanged" not in imgsim("ingest", paths[1]).err


def test_names_of_an_earlier_version_are_composed_when_it_is_upgraded(
    connection: Connection, scans: Path
) -> None:
    migration = Path(__file__).parents[2] / "migrations" / "0008_compose_names.sql"
    connection.execute("update imgsim.image set name = normalize(name, nfd) where name <> 'plain'")
    connection.execute(migration.read_bytes())
    names = connection.execute("select name from imgsim.image").fetchall()
    assert set(names) == {(spelt("NFC"),), ("plain",)}


def test_a_path_that_is_not_there_in_any_spelling_is_none(tmp_path: Path) -> None:
    assert spelling.on_disk(str(tmp_path / spelt("NFC"))) is None
    assert spelling.on_disk(str(tmp_path / "plain")) is None
    (tmp_path / spelt("NFD")).touch()
    assert spelling.on_disk(str(tmp_path / spelt("NFC"))) == str(tmp_path / spelt("NFD"))
    assert spelling.is_listed(str(tmp_path / spelt("NFD")))
    assert not spelling.is_listed(str(tmp_path / spelt("NFC")))
