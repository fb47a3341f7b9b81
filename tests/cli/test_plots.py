"""`imgsim plot …` writes what it draws, and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.reuse import groups
from tests.conftest import Answer
from tests.reuse import add_book, judge
from tests.vectors import clustered, store

Run = Callable[..., Answer]

EACH = (
    ("grid", "image 1", "-k", "2"),
    ("ladder", "--model", "m"),
    ("map", "image 1"),
    ("map", "--colour-by", "ecco_id"),
    ("around", "image 1", "-k", "3", "--model", "n"),
    ("overlap", "--model", "m", "n"),
    ("threshold", "--mark", "0.9"),
    ("timeline", "image 1", "--threshold", "0.5"),
)


@pytest.fixture(autouse=True)
def _filled(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(connection, "m", clustered(12, 16))
    store(connection, "n", clustered(12, 24))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", EACH, ids=lambda command: " ".join(command))
def test_each_figure_is_written_in_each_width(
    imgsim: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    for width, millimetres in (("single", 84), ("double", 174)):
        path = tmp_path / f"{width}.svg"
        answer = imgsim("plot", *command, "--width", width, "--output", path)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == f"{path}\n"
        text = path.read_text(encoding="utf-8")
        assert f'width="{millimetres / 25.4 * 72:.6f}'[:12] in text
        assert "(synthetic)" in text or "synthetic" in text
        assert ("image 1" in text) == (command[1:2] == ("image 1",) or command[0] == "ladder")


def test_without_output_the_file_is_named_for_what_it_shows(imgsim: Run, tmp_path: Path) -> None:
    assert imgsim("plot", "grid", "image 1").out == "grid-image_1.png\n"
    assert (tmp_path / "grid-image_1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/such/folder.png", "there is no folder no/such"),
        ("figure.bmp", "figure.bmp has the ending .bmp"),
        ("figure", "figure has no ending"),
        ("old.svg", "old.svg already exists"),
        (".", "cannot write .: it is a folder"),
    ],
)
def test_a_place_where_no_figure_can_go_is_one_clear_message(
    imgsim: Run, tmp_path: Path, output: str, message: str
) -> None:
    (tmp_path / "old.svg").write_text("precious")
    answer = imgsim("plot", "ladder", "--output", output)
    assert answer.code == 1
    assert message in answer.err
    assert "next: " in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["old.svg"]
    assert (tmp_path / "old.svg").read_text() == "precious"


def test_an_old_figure_is_replaced_only_when_asked(imgsim: Run, tmp_path: Path) -> None:
    (tmp_path / "old.svg").write_text("precious")
    assert imgsim("plot", "ladder", "--output", "old.svg", "--force").code == 0
    assert "What a similarity looks like" in (tmp_path / "old.svg").read_text()


def test_a_picture_or_model_that_is_not_stored_is_one_clear_message(imgsim: Run) -> None:
    assert "no image is called 'nobody'" in imgsim("plot", "around", "nobody").err
    assert "no model is called 'vgg'" in imgsim("plot", "ladder", "--model", "vgg").err


def test_untrained_networks_are_named_in_figure_and_message(
    imgsim: Run, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("update imgsim.model set weights = 'untrained' where name = 'm'")
    answer = imgsim("plot", "grid", "image 1", "--model", "m", "-o", "grid.svg")
    assert "m is untrained: its similarities are meaningless" in answer.err
    assert "UNTRAINED: the scores of m are meaningless" in (tmp_path / "grid.svg").read_text()


def test_umap_without_its_package_says_how_to_get_it(
    imgsim: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    answer = imgsim("plot", "map", "--method", "umap")
    assert "umap-learn is not installed" in answer.err
    assert "[umap]" in answer.err


@pytest.fixture
def grouped(connection: Connection) -> None:
    """Images 1 and 2, of the books 1 and 2, are of one block."""
    add_book(connection, "0000000001", 1750, "London")
    add_book(connection, "0000000002", 1790, "Dublin")
    judge(connection, 1, 2, "same block")
    groups.build(connection)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("group", "1"), "Group 1: 2 pictures from 2 books, 1750 to 1790"),
        (("group", "1", "--at-most", "1"), "The earliest 1 of 2 are shown"),
        (("reuse",), "Re-use: 1 picture appears again"),
        (("reuse", "--places", "3"), "Above: where it appeared again"),
    ],
)
def test_figures_of_groups_are_written(
    imgsim: Run, grouped: None, tmp_path: Path, command: tuple[str, ...], says: str
) -> None:
    for width in ("single", "double"):
        answer = imgsim("plot", *command, "--width", width, "--output", f"{width}.svg")
        assert (answer.code, answer.out, answer.err) == (0, f"{width}.svg\n", "")
        assert says in (tmp_path / f"{width}.svg").read_text("utf-8")


def test_figures_of_groups_say_when_the_groups_are_old(
    imgsim: Run, connection: Connection, grouped: None
) -> None:
    judge(connection, 3, 4, "same block")
    for command in (("group", "1"), ("reuse",)):
        answer = imgsim("plot", *command)
        assert answer.code == 0
        assert "the groups do not include 1 verdict" in answer.err


def test_an_overlay_is_of_any_two_image_files(
    imgsim: Run, draw: Callable[..., Image.Image], tmp_path: Path
) -> None:
    for number in (1, 2):
        draw(number).save(tmp_path / f"{number}.png")
    answer = imgsim("plot", "overlay", "1.png", "2.png", "--turned")
    assert (answer.code, answer.out, answer.err) == (0, "overlay-1-2.png\n", "")
    assert (tmp_path / "overlay-1-2.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_of_what_is_not_there_names_the_next_step(imgsim: Run, grouped: None) -> None:
    assert "next: list the groups: imgsim report groups" in imgsim("plot", "group", "9").err
    assert "no image is called 'nobody'" in imgsim("plot", "overlay", "image 1", "nobody").err
