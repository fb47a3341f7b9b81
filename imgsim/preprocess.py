"""How a picture becomes the pixels that a network sees; part of a model's identity.

fit       aspect ratio kept, about 256 x 256 pixels of area, sides multiples of 32 (the default)
square    256 x 256, as the work this began from
original  no resizing, but no side over 1,024 pixels
crop      torchvision's own: shorter side to 256, the middle 224 x 224
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

NAMES = ("fit", "square", "original", "crop")
SIDE = 256
STEP = 32
LONGEST_FIT = 1024
LONGEST_ORIGINAL = 1024
CROP_SIDE = 224
CROP_ASPECT = 16


def target_size(name: str, width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels to which a picture of this size is resized.

    >>> target_size("fit", 1000, 1600)
    (192, 320)
    """
    if name == "fit":
        scale = SIDE / math.sqrt(width * height)
        return _multiple(width * scale), _multiple(height * scale)
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
    """The picture's pixels, uint8, shaped (height, width) if grey or (height, width, 3) if RGB."""
    if name == "crop" and max(image.size) > CROP_ASPECT * min(image.size):
        image = _without_far_ends(image)
    size = target_size(name, *image.size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    if name == "crop":
        left = round((image.width - CROP_SIDE) / 2)
        top = round((image.height - CROP_SIDE) / 2)
        image = image.crop((left, top, left + CROP_SIDE, top + CROP_SIDE))
    return np.asarray(image)


def _without_far_ends(image: Image.Image) -> Image.Image:
    """The middle of a very long picture: resized as a whole it could fill the memory."""
    longest = CROP_ASPECT * min(image.size)
    left, top = max(0, image.width - longest) // 2, max(0, image.height - longest) // 2
    return image.crop((left, top, image.width - left, image.height - top))


def draft_size(names: Iterable[str], width: int, height: int) -> tuple[int, int]:
    """The size down to which a JPEG may be decoded without these preprocessings losing detail."""
    sizes = [target_size(name, width, height) for name in names]
    return 2 * max(size[0] for size in sizes), 2 * max(size[1] for size in sizes)


def _multiple(side: float) -> int:
    return min(LONGEST_FIT, max(STEP, round(side / STEP) * STEP))
