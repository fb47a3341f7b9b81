"""Plates are deterministic, varied and well inked, and impressions stay recognisable."""

from itertools import combinations

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image

from imgsim.demo import plates

SEEDS = range(30)
Thumb = NDArray[np.float64]


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    return [plates.draw(seed) for seed in SEEDS]


def thumbnail(picture: Image.Image, size: tuple[int, int] = (40, 60)) -> Thumb:
    """Ink density of the inside of a page (its border left out) on a coarse grid."""
    grey = picture.convert("L")
    w, h = grey.size
    inside = grey.crop((round(0.07 * w), round(0.09 * h), round(0.93 * w), round(0.91 * h)))
    return 255 - np.asarray(inside.resize(size, Image.Resampling.BOX), float)


def likeness(one: Thumb, other: Thumb) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def aligned_likeness(print_: Image.Image, plate: Image.Image) -> float:
    """The best likeness over a few coarse rotations and shifts of the impression."""
    target = thumbnail(plate)
    page = print_.convert("L").resize(plate.size)
    return max(
        likeness(np.roll(thumbnail(turned), (dy, dx), (0, 1)), target)
        for angle in (-2, 0, 2)
        for turned in [page.rotate(angle, fillcolor=plates.PAPER)]
        for dy in range(-3, 4)
        for dx in range(-2, 3)
    )


def test_same_seed_gives_identical_bytes(drawn: list[Image.Image]) -> None:
    assert all(plates.draw(seed).tobytes() == drawn[seed].tobytes() for seed in (0, 7, 29))
    once, again = (plates.impression(drawn[3], 5) for _ in range(2))
    assert (once.mode, once.size, once.tobytes()) == (again.mode, again.size, again.tobytes())


def test_mode_and_size(drawn: list[Image.Image]) -> None:
    assert {(plate.mode, plate.size) for plate in drawn} == {("L", (600, 900))}
    for size in ((300, 450), (500, 400), (401, 777)):
        assert plates.draw(1, size).size == size


def test_different_seeds_give_different_pictures(drawn: list[Image.Image]) -> None:
    thumbs = [thumbnail(plate) for plate in drawn]
    likenesses = [likeness(one, other) for one, other in combinations(thumbs, 2)]
    assert max(likenesses) < 0.7
    assert np.median(likenesses) < 0.3


def test_plates_are_neither_blank_nor_black(drawn: list[Image.Image]) -> None:
    for seed, plate in enumerate(drawn):
        grey = np.asarray(plate)
        inside = grey[90:810, 50:550] < 128
        assert 240 < np.median(grey) < 250, seed
        assert 0.008 < inside.mean() < 0.35, seed


def test_nothing_is_drawn_in_the_margin(drawn: list[Image.Image]) -> None:
    for seed, plate in enumerate(drawn):
        grey = np.asarray(plate)
        margins = (grey[:10], grey[-10:], grey[:, :10], grey[:, -10:])
        assert min(margin.min() for margin in margins) > 230, seed


def test_impression_is_most_like_its_own_plate(drawn: list[Image.Image]) -> None:
    candidates = drawn[:8]
    for own in range(8):
        later = plates.impression(candidates[own], 100 + own)
        scores = [aligned_likeness(later, plate) for plate in candidates]
        assert int(np.argmax(scores)) == own, (own, scores)
        assert scores[own] > 0.5, (own, scores)


def test_impressions_vary(drawn: list[Image.Image]) -> None:
    prints = [plates.impression(drawn[0], seed) for seed in range(20)]
    hows = [plates.Impression.drawn(default_rng(seed)) for seed in range(20)]
    assert {picture.mode for picture in prints} == {"L", "1"}
    assert [picture.mode == "1" for picture in prints] == [how.bilevel for how in hows]
    assert 1 <= sum(how.stamped for how in hows) < 20
    assert len({picture.size for picture in prints}) > 10
    assert all(abs(how.rotation) <= 3 and 0.8 <= how.scale <= 1.25 for how in hows)
    assert all(0 <= share <= 0.06 for how in hows for share in how.crop)


def test_stamp_adds_ink_only(drawn: list[Image.Image]) -> None:
    before = np.asarray(drawn[0])
    after = np.asarray(plates.stamp(drawn[0], default_rng(0)))
    assert (after <= before).all()
    assert (after < before - 40).sum() > 300
