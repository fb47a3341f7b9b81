"""What a network sees: the right size for each preprocessing, nothing lost, nothing invented."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from imgsim.images import preprocess
from imgsim.images.preprocess import NAMES, draft_size, prepare, target_size
from tests.pictures import scene

SIDES = st.integers(1, 30_000)
torchvision_crop = Compose([Resize(256), CenterCrop(224)])


def aspect(width: int, height: int) -> float:
    return max(width, height) / min(width, height)


@settings(deadline=None)
@given(SIDES, SIDES)
def test_fit_gives_sides_in_steps_of_32_up_to_1024(width: int, height: int) -> None:
    for side in target_size("fit", width, height):
        assert side % 32 == 0
        assert 32 <= side <= 1024


@settings(deadline=None)
@given(SIDES, SIDES)
def test_fit_gives_pictures_of_usual_shape_the_same_area(width: int, height: int) -> None:
    new_width, new_height = target_size("fit", width, height)
    if aspect(width, height) <= 4:
        assert new_width * new_height == pytest.approx(256 * 256, rel=0.2)


@settings(deadline=None)
@given(SIDES, SIDES)
def test_fit_keeps_each_side_within_half_a_step_of_the_true_shape(width: int, height: int) -> None:
    scale = 256 / math.sqrt(width * height)
    for new, old in zip(target_size("fit", width, height), (width, height), strict=True):
        if 32 <= old * scale <= 1024:
            assert abs(new - old * scale) <= 16


@settings(deadline=None)
@given(SIDES, SIDES)
def test_square_is_256_by_256(width: int, height: int) -> None:
    assert target_size("square", width, height) == (256, 256)


@settings(deadline=None)
@given(SIDES, SIDES)
def test_original_changes_only_what_is_over_1024_or_under_32(width: int, height: int) -> None:
    new_width, new_height = target_size("original", width, height)
    assert max(new_width, new_height) <= 1024
    assert min(new_width, new_height) >= 32
    if min(width, height) >= 32 and max(width, height) <= 1024:
        assert (new_width, new_height) == (width, height)
    elif max(width, height) > 1024 and aspect(width, height) <= 32:
        assert max(new_width, new_height) == 1024
        assert new_width * height == pytest.approx(new_height * width, rel=0.02)


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from(NAMES))
def test_turning_a_picture_turns_its_target(width: int, height: int, name: str) -> None:
    assert target_size(name, width, height) == target_size(name, height, width)[::-1]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(["L", "RGB"]))
@example(49, 49, "L")
@example(49, 98, "RGB")
@example(147, 49, "L")
@example(255, 257, "L")
def test_crop_is_torchvisions_pixel_for_pixel(width: int, height: int, mode: str) -> None:
    if aspect(width, height) > preprocess.CROP_ASPECT:
        width = height
    image = scene(size=(width, height)).convert(mode)
    assert np.array_equal(prepare("crop", image), np.asarray(torchvision_crop(image)))


@pytest.mark.parametrize("size", [(1, 400_000), (400_000, 1), (3, 90_001)])
def test_crop_of_a_very_long_picture_is_its_middle_and_fits_into_memory(
    size: tuple[int, int],
) -> None:
    image = Image.new("L", size, 200)
    middle = (size[0] // 2, size[1] // 2)
    image.putpixel(middle, 0)
    pixels = prepare("crop", image)
    assert pixels.shape == (224, 224)
    assert pixels.min() < 20
    assert pixels.max() > 180


@pytest.mark.parametrize("size", [(90, 2000), (2000, 90)])
def test_crop_takes_the_middle_of_what_pillow_would_not_crop(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = scene(size=size)
    expected = prepare("crop", image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 55_000)
    assert size[0] * size[1] * 16 * 90 / 2000 > 2 * 55_000
    assert np.array_equal(prepare("crop", image), expected)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(["L", "RGB"]),
    st.integers(1, 1500),
    st.integers(1, 1500),
)
def test_prepared_pixels_have_the_target_size(
    name: str, mode: str, width: int, height: int
) -> None:
    pixels = prepare(name, Image.new(mode, (width, height), "white"))
    columns, rows = (224, 224) if name == "crop" else target_size(name, width, height)
    assert pixels.dtype == np.uint8
    grey = mode == "L" or name == "print"
    assert pixels.shape == ((rows, columns) if grey else (rows, columns, 3))
    assert pixels.min() == 255


@settings(deadline=None)
@given(SIDES, SIDES)
def test_print_gives_sides_in_steps_of_16_and_the_same_area(width: int, height: int) -> None:
    new_width, new_height = target_size("print", width, height)
    assert new_width % 16 == new_height % 16 == 0
    if aspect(width, height) <= 4:
        assert new_width * new_height == pytest.approx(160 * 160, rel=0.2)


def engraved(paper: int = 255, ink: int = 0) -> Image.Image:
    """A hatched square of 300 pixels."""
    hatched = np.full((300, 300), paper, np.uint8)
    hatched[::3] = ink
    hatched[:, :4] = hatched[:, -4:] = ink
    return Image.fromarray(hatched)


@pytest.mark.parametrize("margin", [0, 40, 300])
@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (200, 90), (140, 20)])
def test_print_sees_the_same_whatever_the_paper_the_ink_and_the_margins(
    paper: int, ink: int, margin: int
) -> None:
    page = Image.new("L", (300 + 2 * margin, 300 + margin), paper)
    page.paste(engraved(paper, ink), (margin, margin // 2))
    pixels = prepare("print", page).astype(float)
    expected = prepare("print", engraved()).astype(float)
    assert pixels.shape == expected.shape
    assert abs(pixels.mean() - expected.mean()) < 14


def test_print_does_not_make_ink_of_the_grain_of_empty_paper() -> None:
    grain = np.random.default_rng(0).normal(220, 3, (200, 200)).clip(0, 255).astype(np.uint8)
    assert prepare("print", Image.fromarray(grain)).min() > 160


def test_print_keeps_all_of_a_picture_that_reaches_its_edges_and_of_a_lone_speck() -> None:
    scenery = scene(size=(300, 200))
    assert preprocess.trimmed(scenery.convert("L")).size == scenery.size
    specked = Image.new("L", (400, 400), 255)
    specked.putpixel((7, 9), 0)
    assert preprocess.trimmed(specked).size == specked.size


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    image = scene(size=(256, 256))
    for name in ("fit", "square", "original"):
        assert np.array_equal(prepare(name, image), np.asarray(image))


@settings(deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1), SIDES, SIDES)
def test_a_draft_is_never_smaller_than_any_target(
    names: list[str], width: int, height: int
) -> None:
    draft_width, draft_height = draft_size(names, width, height)
    for name in names:
        target_width, target_height = target_size(name, width, height)
        assert draft_width >= target_width
        assert draft_height >= target_height


def test_an_unknown_preprocessing_is_an_error_that_names_the_others() -> None:
    with pytest.raises(ValueError, match="no preprocessing 'fitt'; there are fit, square"):
        target_size("fitt", 10, 10)
    with pytest.raises(ValueError, match="fitt"):
        prepare("fitt", Image.new("L", (10, 10)))
