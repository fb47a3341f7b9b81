"""`imgsim verify`, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.demo import plates
from tests.conftest import Answer
from tests.pictures import add_picture

Imgsim = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _pictures(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plate, another impression of it, a detail, and a different plate; in the current folder."""
    monkeypatch.chdir(tmp_path)
    one = plates.draw(1, (300, 420))
    for name, image in {
        "one": one,
        "two": one.rotate(2, Image.Resampling.BICUBIC, fillcolor=245).resize((250, 350)),
        "detail": one.crop((30, 60, 250, 260)),
        "other": plates.draw(2, (300, 420)),
    }.items():
        image.save(tmp_path / f"{name}.png")
        add_picture(connection, tmp_path / f"{name}.png")


def test_two_pictures_are_said_to_be_of_one_block_and_how_sure_that_is(imgsim: Imgsim) -> None:
    answer = imgsim("verify", "one", "two")
    assert answer.code == 0
    assert answer.out.startswith("same block\nprobability of one block 0.9")
    assert "of the ink of the first agrees with the second" in answer.out
    assert answer.said == ""
    assert "plot overlay one two" in answer.err
    assert "unrelated" in imgsim("verify", "one", "other").out


def test_a_part_is_told_with_its_box_in_both(imgsim: Imgsim) -> None:
    out = imgsim("verify", "one", "detail").out
    assert out.startswith("same block in part")
    assert "the part in one: " in out
    assert "the part in detail: " in out


def test_files_that_are_not_stored_are_compared_too(imgsim: Imgsim, tmp_path: Path) -> None:
    plates.draw(1, (200, 280)).save(tmp_path / "new.jpg", quality=80)
    answer = imgsim("verify", "new.jpg", "one")
    assert answer.out.startswith("same block")
    assert "plot overlay" not in answer.err
    (tmp_path / "text.png").write_text("not a picture")
    broken = imgsim("verify", "one", "text.png")
    assert broken.code == 1
    assert "cannot read text.png: not an image" in broken.err


def test_pairs_of_a_file_are_verified_and_rows_that_cannot_be_used_are_told(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "pairs.csv").write_text(
        "\ufeffimage;other\none;two\ntwo;one\none;nothing\nother;other\n1;other\n", "utf-8"
    )
    answer = imgsim("verify", "--pairs", "pairs.csv")
    assert answer.code == 3
    assert "nothing" in answer.err
    assert "2 pairs verified" in answer.err
    rows = connection.execute(
        "select name, other_name, relation from imgsim.verification_ecco order by other_name desc"
    ).fetchall()
    assert rows == [("one", "two", "same block"), ("one", "other", "unrelated")]
    again = imgsim("verify", "--pairs", "pairs.csv")
    assert "0 pairs verified, 2 verified before" in again.err


def test_a_file_without_the_columns_is_refused_with_what_they_are(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\none,two\n")
    answer = imgsim("verify", "--pairs", "pairs.csv")
    assert answer.code == 1
    assert "image, other" in answer.err


def test_a_file_that_has_gone_is_named_and_its_pairs_stay_undecided(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    (tmp_path / "pairs.csv").write_text("image,other\none,two\none,other\n")
    (tmp_path / "two.png").unlink()
    answer = imgsim("verify", "--pairs", "pairs.csv")
    assert answer.code == 0
    assert "two cannot be read: there is no such file on this machine" in answer.err
    assert "undecided" in answer.out


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("one",), 2, "give two images, or --pairs FILE, or neither"),
        (("one", "two", "--pairs", "x.csv"), 2, "give two images, or --pairs FILE, or neither"),
        (("one", "nothing"), 1, "no image is called 'nothing'"),
        (("one", "one.png"), 1, "are the same stored picture"),
        ((), 0, "no pairs to verify: take pictures in first"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_next_step(
    imgsim: Imgsim, given: tuple[str, ...], code: int, message: str
) -> None:
    answer = imgsim("verify", *given)
    assert (answer.code, message in answer.err) == (code, True)
