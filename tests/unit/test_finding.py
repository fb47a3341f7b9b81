"""Pictures on pages are found by their ink, whatever the size and shade of the scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from benchmarks.cutting import judged, overlap, read_truth
from imgsim.images.boxes import Box
from imgsim.pages import finding

WORDS = "Here follows the true history of the merry plowman and his wife, as it was told in"
CUT = Box(250, 500, 500, 400)


def page(cut: Box | None = CUT, paper: int = 225, letter: int = 22) -> Image.Image:
    """A page of 1,000 x 1,600 pixels with lines of type, which a cut may interrupt."""
    sheet = Image.new("L", (1000, 1600), paper)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(letter)
    for y in range(120, 1480, round(1.6 * letter)):
        if cut is None or not cut.y - 2 * letter < y < cut.y + cut.height + letter:
            pen.text((90, y), WORDS, 30, font)
    pen.rectangle((910, 0, 1000, 1600), paper)
    if cut is not None:
        sheet.paste(woodcut(cut.width, cut.height), (cut.x, cut.y))
    return sheet


def woodcut(width: int, height: int) -> Image.Image:
    """A block of dense strokes in a frame."""
    noise = np.random.default_rng(3).integers(0, 256, (height // 5, width // 12), dtype=np.uint8)
    strokes = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    cut = strokes.point([40 if level < 150 else 215 for level in range(256)])
    ImageDraw.Draw(cut).rectangle((0, 0, width - 1, height - 1), outline=30, width=5)
    return cut


def found(sheet: Image.Image) -> list[Box]:
    return [each.box for each in finding.find(np.asarray(sheet.convert("L")))]


@pytest.mark.parametrize("scale", [0.5, 1, 2])
@pytest.mark.parametrize("paper", [130, 225])
def test_a_cut_among_lines_of_type_is_found_where_it_is(scale: float, paper: int) -> None:
    sheet = page(paper=paper)
    sheet = sheet.resize((round(1000 * scale), round(1600 * scale)), Image.Resampling.LANCZOS)
    (box,) = found(sheet)
    wanted = Box(*(round(scale * side) for side in (CUT.x, CUT.y, CUT.width, CUT.height)))
    assert overlap(box, wanted) > 0.75


def test_a_bilevel_scan_and_a_margin_beside_the_page_change_nothing() -> None:
    (box,) = found(page().convert("1"))
    assert overlap(box, CUT) > 0.75
    wide = Image.new("L", (1200, 1600), 255)
    wide.paste(page(paper=150), (0, 0))
    (box,) = found(wide)
    assert overlap(box, CUT) > 0.75


@pytest.mark.parametrize(
    "sheet",
    [
        page(cut=None),
        page(cut=None, letter=34),
        Image.new("L", (1000, 1600), 0),
        Image.new("L", (1000, 1600), 255),
        Image.new("L", (1, 1), 128),
        Image.new("L", (3000, 40), 128),
    ],
    ids=["type", "large type", "black", "white", "one pixel", "a strip"],
)
def test_a_page_without_a_picture_gets_no_box(sheet: Image.Image) -> None:
    assert found(sheet) == []


def test_boxes_lie_on_their_page_and_scores_are_shares() -> None:
    rng = np.random.default_rng(4)
    for size in ((200, 300), (777, 1311), (64, 64)):
        noise = rng.integers(0, 256, size[::-1], dtype=np.uint8)
        for each in finding.find(noise):
            assert each.box.lies_within(*size)
            assert 0 <= each.score <= 1


def test_on_real_pages_most_pictures_are_found(prints_hard: Path) -> None:
    folder = prints_hard / "pages"
    truth = read_truth(folder)
    names = sorted(name for name in truth if name.endswith(".3.jpg"))[:24]
    assert names
    counts = [judged(found(Image.open(folder / "scans" / name)), truth[name]) for name in names]
    pictures = sum(count["pictures"] for count in counts)
    assert sum(count["found"] for count in counts) >= 0.85 * pictures
    assert sum(count["false"] for count in counts) <= 0.4 * len(names)
