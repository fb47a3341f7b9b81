"""How pictures are named on a command line: a path is a path, and what is not there is an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import imgsim as package
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.settings import ExternalServer, Settings
from tests.conftest import Answer
from tests.pictures import add_picture

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")
NAMED_BY_ONE = (
    ("similar", "{}"),
    ("verify", "{}", "2000"),
    ("verify", "2000", "{}"),
    ("verdict", "{}", "2000", "copy"),
    ("verdict", "2000", "{}", "copy"),
    ("remove", "{}", "--yes"),
    ("plot", "grid", "{}"),
    ("plot", "around", "{}"),
    ("plot", "timeline", "{}"),
    ("plot", "map", "{}"),
    ("plot", "overlay", "{}", "2000"),
)
FITTING = (
    *("1000", "1000.png", "1000.tif", "book/1000.png", "book/1000.tif", "book/1000"),
    *("book\\1000.png", "./book/1000.png"),
)
NOT_FITTING = (
    *("other/1000.png", "other/1000", "/elsewhere/book/1000.png", "C:\\book\\1000.png"),
    *("k/1000.png", "book/100.png", "book/1000/1.png"),
)
MISSING = (
    *("/nowhere/1000.png", "nowhere/1000.png", "./1000.png", "book/1000.png", "/nowhere/1000"),
    *("1000.png", "1000.jpg"),
)


@pytest.fixture
def book(
    imgsim: Imgsim,
    tmp_path: Path,
    draw: Callable[..., Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with the pictures 1000 and 2000, taken in; another folder is the current one."""
    folder = tmp_path.resolve() / "book"
    folder.mkdir()
    for number in (1, 2):
        # Light, so that nothing looks for the positive of a negative.
        light = draw(number).point(lambda level: 255 - level * level // 255)
        light.save(folder / f"{number}000.png")
    assert imgsim("ingest", folder, *FAST).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


def counts(connection: Connection) -> tuple[object, ...] | None:
    return connection.execute(
        "select (select count(*) from imgsim.image), (select count(*) from imgsim.verdict)"
    ).fetchone()


def test_a_path_that_is_not_there_is_an_error_that_names_it_and_no_other_picture(
    imgsim: Imgsim, connection: Connection, book: Path
) -> None:
    assert book.is_dir()
    before = counts(connection)
    for command in NAMED_BY_ONE:
        for missing in MISSING:
            answer = imgsim(*(missing if word == "{}" else word for word in command))
            what = (command, missing, answer)
            assert answer.code == 1, what
            assert answer.out == "", what
            assert str(Path(missing)) in answer.err, what
            assert "  next: " in answer.err, what
    assert counts(connection) == before
    assert list(Path.cwd().iterdir()) == []


def test_who_types_a_name_with_its_ending_is_told_the_name(imgsim: Imgsim, book: Path) -> None:
    answer = imgsim("similar", "1000.png")
    assert f"if you mean the stored image {book}/1000.png" in answer.err
    assert answer.err.endswith("the bare name 1000\n")


def test_a_stored_picture_is_known_by_its_name_its_path_or_its_id(
    imgsim: Imgsim, connection: Connection, book: Path
) -> None:
    (image_id,) = connection.execute(
        "select image_id from imgsim.image where name = '1000'"
    ).fetchone() or (0,)
    for called in ("1000", book / "1000.png", "../book/1000.png", image_id):
        answer = imgsim("similar", called, "--format", "csv")
        assert answer.code == 0, answer
        assert "2000" in answer.out
        assert imgsim("verdict", called, "2000", "copy", "--by", "Ann").code == 0


def test_the_path_of_a_file_that_is_gone_still_names_its_picture(
    imgsim: Imgsim, book: Path
) -> None:
    (book / "1000.png").unlink()
    link = book.with_name("link")
    link.symlink_to(book)
    for folder in (book, link, Path("../book")):
        answer = imgsim("similar", folder / "1000.png", "--format", "csv")
        assert answer.code == 0
        assert "2000" in answer.out


def test_a_stored_file_that_was_edited_is_compared_as_it_is_now_and_that_is_said(
    imgsim: Imgsim, book: Path, draw: Callable[..., Image.Image]
) -> None:
    with Image.open(book / "2000.png") as other:
        other.convert("RGB").save(book / "1000.png")
    answer = imgsim("similar", book / "1000.png", "--format", "csv")
    assert answer.code == 0
    assert "changed since it was taken in" in answer.err
    first = answer.out.splitlines()[1].split(",")
    assert first[4] == "2000"
    assert float(first[2]) > 0.999
    refused = imgsim("verdict", book / "1000.png", "2000", "copy", "--by", "Ann")
    assert refused.code == 1
    assert "changed since it was taken in" in refused.err


def test_a_stored_file_that_was_only_touched_is_still_its_picture(
    imgsim: Imgsim, book: Path
) -> None:
    os.utime(book / "1000.png", (1, 1))
    answer = imgsim("similar", book / "1000.png", "--format", "csv")
    assert answer.code == 0
    assert "changed" not in answer.err
    assert len(answer.out.splitlines()) == 2


def test_the_api_names_pictures_as_the_command_line_does(settings: Settings, book: Path) -> None:
    assert isinstance(settings.target, ExternalServer)
    with package.connect(database=settings.target.conninfo) as store:
        assert list(store.similar(book / "1000.png").name) == ["2000"]
        for missing in (Path("/nowhere/1000.png"), "nowhere/1000.png", Path("1000.png")):
            with pytest.raises(ImgsimError, match=r"1000\.png"):
                store.similar(missing)
            with pytest.raises(ImgsimError, match=r"1000\.png"):
                store.plot("grid", missing)
            with pytest.raises(ImgsimError, match=r"1000\.png"):
                store.verdict(str(missing), "2000", "copy", by="Ann")


def test_remove_with_one_path_that_is_not_stored_removes_nothing(
    imgsim: Imgsim, connection: Connection, book: Path
) -> None:
    answer = imgsim("remove", book / "1000.png", "/nowhere/1000.png", "--yes")
    assert answer.code == 1
    assert "cannot find /nowhere/1000.png in the store" in answer.err
    assert counts(connection) == (2, 0)
    assert imgsim("remove", book / "1000.png", "--yes").err == "1 image removed\n"


def test_a_folder_that_a_table_writes_is_not_passed_over(
    connection: Connection, tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    path = tmp_path / "book" / "1000.png"
    path.parent.mkdir()
    draw().save(path)
    add_picture(connection, path)
    rows = connection.execute(
        "select called, cardinality(image_ids) from imgsim.images_called(%s)",
        [[*FITTING, *NOT_FITTING]],
    ).fetchall()
    assert dict(rows) == dict.fromkeys(FITTING, 1) | dict.fromkeys(NOT_FITTING, 0)
