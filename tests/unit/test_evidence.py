"""Two pictures compared line by line: of one block, in part, mirrored, or only alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from benchmarks import ornaments
from imgsim.demo import plates
from imgsim.reuse.evidence import features, judgement, matching
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement

SIZE = (400, 560)
SAME, PART = "same block", "same block in part"


def plate(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    return plates.draw(seed, size)


def reprinted(image: Image.Image, angle: float = 2.0, scale: float = 0.8) -> Image.Image:
    """Turned, scaled, on browner paper, and made 1-bit."""
    turned = image.convert("L").rotate(angle, Image.Resampling.BICUBIC, True, fillcolor=245)
    size = (round(turned.width * scale), round(turned.height * scale))
    return (
        turned.resize(size, Image.Resampling.BICUBIC).point(lambda v: 255 * (v > 150)).convert("1")
    )


def found(image: Image.Image) -> LocalFeatures:
    return features.find(image.convert("L"))


def judged(one: Image.Image, other: Image.Image, turned: bool = False) -> Judgement:
    return judgement.judge(found(one), found(other), turned)


def test_an_impression_turned_scaled_and_made_1_bit_is_of_the_same_block() -> None:
    judgement_ = judged(plate(1), reprinted(plate(1)))
    assert judgement_.relation == SAME
    assert judgement_.probability > 0.9
    assert not judgement_.mirrored
    assert judgement_.coverage > 0.8


def test_the_transform_takes_pixels_to_where_they_are() -> None:
    one = plate(2)
    other = one.resize((200, 280), Image.Resampling.LANCZOS)
    transform = judged(one, other).transform
    assert transform is not None
    points = np.array([(0, 0), (400, 560), (200, 100)], float)
    assert np.abs(matching.moved(transform, points) - points / 2).max() < 1.5


def test_different_plates_are_unrelated() -> None:
    for seed in range(3):
        judgement_ = judged(plate(seed), plate(seed + 10))
        assert judgement_.relation == "unrelated"
        assert judgement_.probability < 0.1


def test_which_picture_comes_first_does_not_matter() -> None:
    one, other = plate(3), reprinted(plate(3))
    here, there = judged(one, other), judged(other, one)
    assert (here.relation, there.relation) == (SAME, SAME)
    assert here.transform is not None
    assert there.transform is not None
    assert np.allclose(
        matching.moved(there.transform, matching.moved(here.transform, np.array([[200.0, 280.0]]))),
        [[200, 280]],
        atol=2,
    )


def test_the_same_two_pictures_give_the_same_answer_again() -> None:
    one, other = plate(4), reprinted(plate(4), 5, 1.2)
    first, second = judged(one, other), judged(one, other)
    assert first.probability == second.probability
    assert first.transform is not None
    assert second.transform is not None
    assert (first.transform == second.transform).all()


def framed(inside: Image.Image) -> Image.Image:
    """A picture inside a broad frame of leaves, always the same."""
    frame = plate(99, (520, 680)).convert("L")
    leaves = plate(98, (340, 340)).convert("L")
    for x, y in ((0, 0), (260, 0), (0, 340), (260, 340)):
        frame.paste(leaves.resize((260, 340)), (x, y))
    frame.paste(inside.resize((300, 440)), (110, 120))
    return frame


def test_different_pictures_in_one_frame_are_of_one_block_in_part_only() -> None:
    judgement_ = judged(framed(plate(5)), framed(plate(6)))
    assert judgement_.inliers > 20
    assert judgement_.relation == PART
    assert judgement_.coverage < 0.9
    assert judged(framed(plate(5)), reprinted(framed(plate(5)))).relation == SAME


def test_a_mirrored_picture_is_found_and_called_mirrored() -> None:
    one = plate(7)
    judgement_ = judged(one, reprinted(ImageOps.mirror(one.convert("L"))))
    assert (judgement_.relation, judgement_.mirrored) == (SAME, True)
    assert judgement_.transform is not None
    assert np.linalg.det(judgement_.transform[:2, :2]) < 0
    registration = judgement_.registration
    assert registration is not None
    off = matching.moved(judgement_.transform, registration.one) - registration.other
    assert np.median(np.linalg.norm(off, axis=1)) < 3


def test_mirrored_features_are_those_of_the_mirrored_picture() -> None:
    one = plate(8)
    registration = matching.register(found(one).mirrored(), found(ImageOps.mirror(one)))
    assert registration.transform is not None
    assert registration.inliers > 200
    assert np.allclose(registration.transform, np.eye(3), atol=1)


def test_a_detail_is_a_part_with_its_box_in_both_pictures() -> None:
    one = plate(9, (600, 800))
    detail = one.crop((100, 300, 400, 600))
    judgement_ = judged(one, detail)
    assert judgement_.relation == PART
    assert judgement_.box is not None
    assert judgement_.other_box is not None
    assert np.allclose(judgement_.box, (100, 300, 400, 600), atol=25)
    assert np.allclose(judgement_.other_box, (0, 0, 300, 300), atol=25)


def test_a_figure_on_two_sheets_is_a_part_of_both() -> None:
    figure = plate(10, (300, 400)).convert("L")
    sheets = []
    for neighbour, at in ((11, 0), (12, 320)):
        sheet = Image.new("L", (620, 400), 245)
        sheet.paste(figure, (at, 0))
        sheet.paste(plate(neighbour, (300, 400)).convert("L"), (320 - at, 0))
        sheets.append(sheet)
    judgement_ = judged(sheets[0], sheets[1])
    assert judgement_.relation == PART
    assert judgement_.box is not None
    assert judgement_.other_box is not None
    assert np.allclose(judgement_.box, (0, 0, 300, 400), atol=30)
    assert np.allclose(judgement_.other_box, (320, 0, 620, 400), atol=30)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_picture_turned_by_quarters_is_found(angle: int) -> None:
    one = plate(13)
    assert judged(one, one.rotate(angle, expand=True)).relation == SAME
    assert judged(one, one.rotate(angle, expand=True), turned=True).relation == SAME


def test_turned_pictures_with_little_to_compare_need_to_be_asked_for() -> None:
    small = plate(14, (60, 84)).resize((30, 42), Image.Resampling.LANCZOS)
    turned = small.rotate(180)
    assert judged(small, turned, turned=True).inliers >= judged(small, turned).inliers


def blank() -> Image.Image:
    return Image.new("L", (300, 300), 240)


def line() -> Image.Image:
    image = blank()
    ImageDraw.Draw(image).line((20, 150, 280, 150), 20, 3)
    return image


@pytest.mark.parametrize(
    "poor", [blank(), line(), Image.new("L", (1, 1), 9), blank().resize((4000, 3))]
)
def test_a_picture_with_nothing_to_compare_is_undecided_or_unrelated(poor: Image.Image) -> None:
    for one, other in ((poor, plate(1)), (plate(1), poor), (poor, poor)):
        judgement_ = judged(one, other)
        assert judgement_.relation in ("undecided", "unrelated")
        reason = judgement_.reason or "no features"
        assert "no features" in reason or "repeats itself" in reason


def test_two_textures_of_one_kind_are_not_of_one_block() -> None:
    one, other = (
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (400, 400), np.uint8))
        for seed in (1, 2)
    )
    assert judged(one, other).relation == "unrelated"
    assert judged(one, one).relation == SAME


def test_a_very_small_picture_is_compared_enlarged() -> None:
    one = plate(15, (300, 420)).resize((60, 84), Image.Resampling.LANCZOS)
    other = ImageOps.autocontrast(one.resize((66, 92), Image.Resampling.BICUBIC), 5)
    assert judged(one, other).relation == SAME


def test_a_very_large_picture_is_compared_reduced() -> None:
    one = plate(16, (600, 800))
    assert judged(one, one.resize((6000, 8000))).relation == SAME


def test_packed_features_are_those_that_were_found_within_rounding() -> None:
    before = found(plate(17))
    packed = features.pack(before)
    after = features.unpack(before.width, before.height, *packed)
    assert np.allclose(after.points, before.points, rtol=1e-3, atol=1e-3)
    assert (after.descriptors == before.descriptors).all()
    assert after.ink.shape == before.ink.shape
    assert np.abs(after.ink.astype(int) - before.ink).mean() < 12
    assert after.cells.box == before.cells.box
    for grid, kept in (
        (before.cells.upright, after.cells.upright),
        (before.cells.mirrored, after.cells.mirrored),
    ):
        assert (kept.rows, kept.columns) == (grid.rows, grid.columns)
        assert (kept.vectors == grid.vectors).all()
        assert (kept.common == grid.common).all()
    assert sum(map(len, packed)) < 60_000


def test_no_features_are_packed_and_unpacked_too() -> None:
    before = found(blank())
    after = features.unpack(300, 300, *features.pack(before))
    assert len(after.points) == 0
    assert after.descriptors.shape == (0, 128)


def recut(image: Image.Image) -> Image.Image:
    """Cut again after it: all lines a little beside where they were, and other hatching."""
    grey = np.asarray(image.convert("L"), np.float32)
    rng = np.random.default_rng(3)
    height, width = grey.shape
    off = []
    for _ in range(2):
        coarse = Image.fromarray(rng.normal(0, 1, (height // 14, width // 14)).astype(np.float32))
        off.append(4 * np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)))
    y, x = np.mgrid[:height, :width]
    rows = np.clip(y + off[0], 0, height - 1).astype(int)
    columns = np.clip(x + off[1], 0, width - 1).astype(int)
    moved = grey[rows, columns]
    return Image.fromarray(np.where(rng.random(grey.shape) < 0.2, 245, moved).astype(np.uint8))


def test_a_copy_with_all_lines_elsewhere_is_a_copy_and_found_mirrored_too() -> None:
    one = plate(18)
    copy = judged(one, recut(one))
    assert (copy.relation, copy.mirrored) == ("copy", False)
    reversed_ = judged(one, ImageOps.mirror(recut(one)))
    assert (reversed_.relation, reversed_.mirrored) == ("copy", True)
    assert max(copy.probability, reversed_.probability) < 0.5


def test_the_three_probabilities_sum_to_one() -> None:
    for one, other in ((plate(1), reprinted(plate(1))), (plate(18), recut(plate(18)))):
        told = judged(one, other)
        each = (told.probability, told.copy_probability, told.unrelated_probability)
        assert sum(each) == pytest.approx(1)
        assert all(0 <= p <= 1 for p in each)
    told = judged(plate(1), plate(11))
    assert told.unrelated_probability > 0.9
    assert judged(plate(18), recut(plate(18))).copy_probability > 0.5


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_the_angle_and_the_scale_are_told_mirrored_too(angle: int) -> None:
    one = plate(13)
    other = one.rotate(-angle, expand=True).resize(
        (one.width // 2, one.height // 2) if angle % 180 == 0 else (one.height // 2, one.width // 2)
    )
    for image, mirrored in ((one, False), (ImageOps.mirror(one.convert("L")), True)):
        told = judged(image, other, turned=True)
        assert (told.relation, told.mirrored) == (SAME, mirrored)
        assert told.angle is not None
        assert told.scale is not None
        assert abs((told.angle - angle + 180) % 360 - 180) < 2
        assert told.scale == pytest.approx(0.5, rel=0.02)


def worn(image: Image.Image, seed: int) -> Image.Image:
    """A bad impression on rough paper: ink missing in spots, and grain everywhere."""
    rng = np.random.default_rng(seed)
    grey = np.asarray(image.convert("L"), np.float32)
    height, width = grey.shape
    spots = Image.fromarray(rng.normal(0, 1, (height // 6, width // 6)).astype(np.float32))
    starved = np.asarray(spots.resize((width, height), Image.Resampling.BICUBIC)) > 0.7
    grain = rng.normal(0, 45, grey.shape)
    return Image.fromarray((np.where(starved, 235, grey) + grain).clip(0, 255).astype(np.uint8))


def test_a_worn_impression_upside_down_is_of_the_same_block() -> None:
    told = judged(worn(plate(21), 1), worn(plate(21), 2).rotate(180))
    assert told.relation == SAME
    assert told.angle is not None
    assert abs(told.angle) == pytest.approx(180, abs=3)


def test_nothing_that_is_unrelated_is_called_mirrored() -> None:
    every = [judged(plate(seed), plate(seed + 40)) for seed in range(8)]
    unrelated = [told for told in every if told.relation == "unrelated"]
    assert len(unrelated) > 4
    assert not any(told.mirrored for told in unrelated)


def test_where_the_scans_show_no_lines_nobody_tells_a_block_from_a_skilled_copy() -> None:
    def coarse(image: Image.Image) -> Image.Image:
        small = image.convert("L").filter(ImageFilter.GaussianBlur(4))
        return Image.fromarray((np.asarray(small, np.float32) * 0.5 + 110).astype(np.uint8))

    told = judged(coarse(plate(18)), coarse(recut(plate(18))))
    assert told.relation != SAME
    assert told.probability < 0.5


@pytest.mark.parametrize("number", range(8))
def test_two_settings_of_one_cast_ornament_are_not_called_one_block(number: int) -> None:
    one, other = ornaments.settings(8)[number]
    told = judged(one, other)
    assert told.relation == "undecided"
    assert "repeats itself" in (told.reason or "")


def in_borders(cut: Image.Image, sort: int, setting: int, rows: int) -> Image.Image:
    """A cut between two strips of one cast ornament, as one printer set them."""
    strip = ornaments.row(sort, setting, 9, rows)
    page = Image.new("L", (strip.width, cut.height + 2 * strip.height), ornaments.PAPER)
    page.paste(strip, (0, 0))
    page.paste(cut.convert("L"), ((page.width - cut.width) // 2, strip.height))
    page.paste(strip, (0, strip.height + cut.height))
    return page


@pytest.mark.parametrize("sort", [0, 2])
def test_between_rows_of_ornaments_the_cut_decides(sort: int) -> None:
    one, again = (in_borders(plate(30), sort, setting, 1) for setting in (1, 2))
    told = judged(one, again)
    assert told.relation == SAME
    other = judged(one, in_borders(plate(31), sort, 2, 1))
    assert other.relation not in (SAME, "copy")


def test_a_small_cut_in_much_ornament_does_not_decide() -> None:
    small = plate(30).resize((150, 210), Image.Resampling.LANCZOS)
    told = judged(in_borders(small, 3, 1, 6), in_borders(small, 3, 2, 6))
    assert told.relation == "undecided"
    assert "repeats itself" in (told.reason or "")


def test_a_picture_at_200_and_at_4000_pixels_is_of_one_block() -> None:
    one = plate(22, (600, 800))
    told = judged(one.resize((150, 200), Image.Resampling.LANCZOS), one.resize((3000, 4000)))
    assert told.relation == SAME


def test_a_jpeg_of_bad_quality_is_of_the_same_block(tmp_path: Path) -> None:
    one = plate(23)
    one.convert("L").save(tmp_path / "bad.jpg", quality=20)
    with Image.open(tmp_path / "bad.jpg") as bad:
        assert judged(one, bad).relation == SAME
