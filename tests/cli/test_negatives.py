"""A negative is called one, of the picture it is a negative of; a dark ground alone is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.images import grounds
from tests.conftest import Answer

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")

FOUND = """
    select i.name, p.name
    from imgsim.negative n
    join imgsim.image i using (image_id)
    join imgsim.image p on p.image_id = n.positive_id
"""


def plate(seed: int, width: int = 300) -> Image.Image:
    return plates.draw(seed, (width, width * 7 // 5)).convert("L")


@pytest.fixture
def store(imgsim: Imgsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four plates, a negative of the first, and white lines on black that are nobody's negative."""
    monkeypatch.chdir(tmp_path)
    scans = tmp_path / "scans"
    scans.mkdir()
    for seed in range(1, 5):
        plate(seed).save(scans / f"plate {seed}.png")
    ImageOps.invert(plate(1, 250)).rotate(2, Image.Resampling.BICUBIC, fillcolor=10).save(
        scans / "film.png"
    )
    ImageOps.invert(plate(9)).save(scans / "vignette.png")
    assert imgsim("ingest", scans, *FAST).code == 0
    return scans


def test_a_negative_is_said_to_be_one_by_similar_and_by_verify(imgsim: Imgsim, store: Path) -> None:
    said = "looks like a negative of plate 1: with black and white exchanged"
    assert f"film {said}" in imgsim("similar", "film").err
    ImageOps.invert(plate(1)).convert("RGB").save("negative.jpg", quality=90)
    assert f"negative.jpg {said}" in imgsim("similar", "negative.jpg").err
    for pair in (("film", "plate 1"), ("plate 1", "film"), ("negative.jpg", "plate 1")):
        answer = imgsim("verify", *pair)
        assert answer.code == 0
        assert "looks like a negative; with its black and white exchanged: same block" in answer.err
    (store / "film.png").unlink()
    gone = imgsim("similar", "film")
    assert gone.code == 0
    assert "negative" not in gone.err


def test_verify_of_a_whole_store_finds_its_negatives_once_and_again_when_a_positive_comes(
    imgsim: Imgsim, store: Path, connection: Connection
) -> None:
    said = "film looks like a negative of plate 1: with black and white exchanged"
    (store / "plate 1.png").rename(store.parent / "plate 1.png")
    assert imgsim("remove", "--missing", "--yes").code == 0
    assert "negative" not in imgsim("verify").err
    ImageOps.invert(plate(9)).save(store / "another.png")
    (store.parent / "plate 1.png").rename(store / "plate 1.png")
    assert imgsim("ingest", store, *FAST).code == 0
    first = imgsim("verify")
    assert first.code == 0
    assert said in first.err
    assert first.err.count("looks like a negative") == 1
    assert "negative" not in imgsim("verify").err
    assert connection.execute(FOUND).fetchall() == [("film", "plate 1")]
    # With another content under the positive's path, what was found is no longer true.
    plate(12).save(store / "plate 1.png")
    assert imgsim("ingest", store, *FAST).code == 0
    assert connection.execute(FOUND).fetchall() == []
    assert "negative" not in imgsim("verify").err


@pytest.mark.usefixtures("store")
def test_white_lines_on_black_and_ordinary_pictures_are_not_called_negatives(
    imgsim: Imgsim,
) -> None:
    for name in ("vignette", "plate 1", "plate 2"):
        answer = imgsim("similar", name)
        assert answer.code == 0
        assert "negative" not in answer.err
    for other in ("plate 1", "film", "plate 4"):
        assert "negative" not in imgsim("verify", "vignette", other).err
    assert "negative" not in imgsim("verify", "plate 1", "plate 2").err


def test_a_ground_is_dark_if_more_than_half_of_the_picture_is() -> None:
    assert not grounds.has_dark_ground(plate(1))
    assert grounds.has_dark_ground(ImageOps.invert(plate(1)))
    half = np.zeros((100, 100), np.uint8)
    half[:, :40] = 255
    assert grounds.has_dark_ground(Image.fromarray(half))
    assert not grounds.has_dark_ground(Image.fromarray(255 - half))


def test_real_prints_turned_round_are_called_negatives_of_themselves(
    imgsim: Imgsim, prints: Path, tmp_path: Path
) -> None:
    folder = prints / "bewick_select_fables"
    chosen = sorted(folder.glob("part1-fable*.jpg"))[:6]
    assert imgsim("ingest", *chosen, *FAST).code == 0
    for file in chosen[:3]:
        with Image.open(file) as opened:
            ImageOps.invert(opened.convert("L")).save(tmp_path / "negative.png")
        answer = imgsim("similar", tmp_path / "negative.png")
        assert f"looks like a negative of {file.stem}:" in answer.err
        assert "negative" not in imgsim("similar", file).err
