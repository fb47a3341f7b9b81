"""Cells of the network's middle layer: of one design, of textures, mirrored, packed."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from imgsim.demo import plates
from imgsim.errors import WeightsError
from imgsim.reuse.evidence import cells, features, middle_layer
from imgsim.reuse.evidence.cells import Cells


@functools.cache
def of_plate(seed: int) -> Cells:
    return features.find(plates.draw(seed, (300, 420)).convert("L")).cells


def test_a_picture_is_more_like_itself_than_like_another() -> None:
    itself = cells.compare(of_plate(1).upright, of_plate(1).upright)
    other = cells.compare(of_plate(1).upright, of_plate(2).upright)
    assert itself.excess > 0.2
    assert other.excess < itself.excess - 0.1


def test_the_transform_takes_cells_to_where_they_are() -> None:
    transform = cells.compare(of_plate(1).upright, of_plate(1).upright).transform
    assert transform is not None
    assert np.allclose(transform, np.eye(3), atol=0.2)


def test_which_comes_first_does_not_matter() -> None:
    here = cells.compare(of_plate(1).upright, of_plate(2).upright).excess
    there = cells.compare(of_plate(2).upright, of_plate(1).upright).excess
    assert here == pytest.approx(there, abs=0.06)


def test_mirrored_cells_are_those_of_the_mirrored_picture() -> None:
    image = plates.draw(3, (300, 420)).convert("L")
    mirror = features.find(ImageOps.mirror(image)).cells
    turned = features.find(image).cells.reversed(round(320 * 300 / 420))
    assert np.allclose(turned.box, mirror.box, atol=2)
    assert cells.compare(turned.upright, mirror.upright).excess > 0.2
    assert cells.compare(turned.mirrored, mirror.mirrored).excess > 0.2


def test_textures_of_one_kind_are_not_of_one_design() -> None:
    one, other = (
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (400, 400), np.uint8))
        for seed in (1, 2)
    )
    found = cells.compare(*(features.find(image).cells.upright for image in (one, other)))
    assert found.excess < 0


@pytest.mark.parametrize("size", [(1, 1), (3, 4000), (4000, 3), (300, 300)])
def test_a_picture_without_ink_has_cells_too(size: tuple[int, int]) -> None:
    found = features.find(Image.new("L", size, 240)).cells
    grid = found.upright
    assert grid.vectors.shape == (grid.rows * grid.columns, cells.VECTOR)
    assert cells.compare(grid, of_plate(1).upright).excess < 0.05


def test_margins_do_not_count() -> None:
    plate = plates.draw(1, (300, 420)).convert("L")
    page = Image.new("L", (700, 900), 245)
    page.paste(plate, (150, 300))
    ImageDraw.Draw(page).point((20, 20), 0)
    left, top, right, bottom = features.find(page).cells.box
    scale = 320 / 900
    assert left > 100 * scale
    assert top > 250 * scale
    assert right < 500 * scale
    assert bottom < 780 * scale


def test_cells_are_the_same_whoever_else_is_at_work() -> None:
    ink = 255 - np.asarray(plates.draw(5, (240, 320)).convert("L"))
    first, second = middle_layer.find(ink), middle_layer.find(ink)
    assert first.pack() == second.pack()


def test_a_bank_made_from_cells_whitens_them_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    maps = np.abs(np.random.default_rng(0).normal(0, 1, (500, 256))) * np.linspace(1, 9, 256)
    made = middle_layer.made_from(maps, 100)
    whitened = made.whitened(maps.astype(np.float32))
    assert np.allclose(np.linalg.norm(whitened, axis=1), 1, atol=1e-5)
    assert np.abs(np.cov(whitened.T) - np.eye(cells.VECTOR) / cells.VECTOR).max() < 0.05
    file = tmp_path / "bank.npz"
    middle_layer.write(made, file)
    with np.load(file) as kept:
        assert np.abs(kept["cells"] / cells.LEVELS - made.cells).max() < 0.005


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip"])
def test_a_bank_that_is_missing_or_damaged_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "resnet18-print-cells.npz"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(middle_layer, "BANK", file)
    middle_layer._bank.cache_clear()
    try:
        with pytest.raises(WeightsError, match="comes with imgsim"):
            middle_layer.bank()
    finally:
        middle_layer._bank.cache_clear()
