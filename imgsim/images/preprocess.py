"""How a picture becomes the pixels that a network sees; part of a model's identity.

fit       aspect ratio kept, about 256 x 256 pixels of area, sides multiples of 32 (the default)
square    256 x 256, as the work this began from
original  no resizing, but no side over 1,024 pixels
crop      torchvision's own: shorter side to 256, the middle 224 x 224
print     grey, the paper white and the ink black, blank margins trimmed, aspect ratio kept, about
          160 x 160 pixels of area, sides multiples of 16: for networks trained on prints
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

NAMES = ("fit", "square", "original", "crop", "print")
SIDE = 256
STEP = 32
LONGEST_FIT = 1024
LONGEST_ORIGINAL = 1024
PRINT_SIDE = 160
PRINT_STEP = 16
CROP_SIDE = 224
CROP_ASPECT = 16

FINER = 4
DARKEST, PAPER = 1, 90
"""Percentiles of the grey levels that count as the blackest ink and as the paper."""

LEAST_CONTRAST = 64
INKED, SPECKS, MARGIN = 160, 0.01, 0.02
LEAST_KEPT = 0.02


def target_size(name: str, width: int, height: int) -> tuple[int, int]:
    """Returns width and height in pixels to which a picture of this size is resized.

    >>> target_size("fit", 1000, 1600)
    (192, 320)
    """
    if name == "fit":
        scale = SIDE / math.sqrt(width * height)
        return _multiple(width * scale, STEP), _multiple(height * scale, STEP)
    if name == "print":
        scale = PRINT_SIDE / math.sqrt(width * height)
        return _multiple(width * scale, PRINT_STEP), _multiple(height * scale, PRINT_STEP)
    if name == "square":
        return SIDE, SIDE
    if name == "original":
        scale = min(1.0, LONGEST_ORIGINAL / max(width, height))
    elif name == "crop":
        longer = int(SIDE * max(width, height) / min(width, height))  # as torchvision rounds it
        return (SIDE, longer) if width <= height else (longer, SIDE)
    else:
        raise ValueError(f"there is no preprocessing {name!r}; there are {', '.join(NAMES)}")
    return max(STEP, round(width * scale)), max(STEP, round(height * scale))


def prepare(name: str, image: Image.Image) -> npt.NDArray[np.uint8]:
    """Returns a picture's pixels: uint8, (height, width) if grey or (height, width, 3) if RGB."""
    if name == "print":
        image = trimmed(levelled(image, max(target_size(name, *image.size))))
    box = _without_far_ends(image) if name == "crop" else (0, 0, *image.size)
    size = target_size(name, box[2] - box[0], box[3] - box[1])
    if size != image.size:
        # Not cut out first: Pillow refuses to crop what is larger than its limit of 179 megapixels.
        image = image.resize(size, Image.Resampling.BILINEAR, box)
    if name == "crop":
        left = round((image.width - CROP_SIDE) / 2)
        top = round((image.height - CROP_SIDE) / 2)
        image = image.crop((left, top, left + CROP_SIDE, top + CROP_SIDE))
    return np.asarray(image)


def _without_far_ends(image: Image.Image) -> tuple[int, int, int, int]:
    """The middle of a very long picture: resized as a whole it could fill the memory."""
    longest = CROP_ASPECT * min(image.size)
    left, top = max(0, image.width - longest) // 2, max(0, image.height - longest) // 2
    return left, top, image.width - left, image.height - top


def draft_size(names: Iterable[str], width: int, height: int) -> tuple[int, int]:
    """Returns the size down to which a JPEG may be decoded and no preprocessing loses detail."""
    sizes = []
    for name in names:
        finer = FINER if name == "print" else 2  # what is left of it when it is trimmed
        sizes.append([finer * side for side in target_size(name, width, height)])
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def levelled(image: Image.Image, side: int) -> Image.Image:
    """Returns a picture in grey, its paper white and its ink black, at least `side` pixels long.

    It is reduced by a whole factor where it is more than four times as long. A picture of hardly
    any contrast keeps most of its levels, so that noise does not look like ink.
    """
    grey = image if image.mode == "L" else image.convert("L")
    factor = max(image.size) // (FINER * side)
    if factor > 1:
        grey = grey.reduce(factor)
    black, white = np.percentile(np.asarray(grey), (DARKEST, PAPER))
    spread = max(float(white - black), LEAST_CONTRAST)
    levels = (np.arange(256) - (white - spread)) * (255 / spread)
    return grey.point(levels.clip(0, 255).round().astype(int).tolist())


def trimmed(image: Image.Image) -> Image.Image:
    """Returns a grey picture without its blank margins, but for a narrow one."""
    return image.crop(inked_box(np.asarray(image)))


def inked_box(grey: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Returns left, top, right and bottom of what is printed, with a narrow margin.

    A row or a column is blank if hardly any of it is ink: specks of dirt do not count. The box is
    the whole picture where next to nothing would be left.

    Args:
        grey: uint8 (h, w), 0 for ink.
    """
    inked = grey < INKED
    height, width = inked.shape
    edges = []
    for axis in (1, 0):
        share = inked.mean(axis=axis)
        held = np.flatnonzero(share > SPECKS)
        if not len(held):
            return 0, 0, width, height
        first, last = int(held[0]), int(held[-1]) + 1
        around = max(1, round(MARGIN * (last - first)))
        edges.append((max(0, first - around), min(len(share), last + around)))
    (top, bottom), (left, right) = edges
    if (bottom - top) * (right - left) < LEAST_KEPT * width * height:
        return 0, 0, width, height
    return left, top, right, bottom


def _multiple(side: float, step: int) -> int:
    return min(LONGEST_FIT, max(step, round(side / step) * step))
