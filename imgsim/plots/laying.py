"""Lays pictures on each other: warps them, prints their ink in two colours, finds differences.

A transform is 3 x 3 and maps pixels of one picture to pixels of another. Both are counted from the
upper left corner of the whole picture, so that the middle of a pixel is at a half.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsim.images.preprocess import levelled
from imgsim.reuse.evidence import sheets
from imgsim.reuse.evidence.ink import REGIONS
from imgsim.reuse.evidence.matching import moved

Matrix = npt.NDArray[np.floating[Any]]
Plane = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]

RED_INK, CYAN_INK = (0.84, 0.16, 0.08), (0.0, 0.64, 0.78)
"""What they print on white, as shares of red, green and blue; over each other they are all but
black, and the one is darker than the other to those who see no difference of colour."""

LOOKED_AT = 320
"""How many pixels the longer side has where lines are compared, as in the evidence."""

SMOOTH = 3.0
"""The blur (standard deviation, in these pixels) of where lines differ."""

# OpenCV's pixels have their middle where the numbers are whole, ours where they are halved.
_TO_OPENCV = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
_FROM_OPENCV = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


def scaling(from_: Size, to: Size) -> Matrix:
    """Returns the transform from a picture to itself in another size (width, height)."""
    return np.diag([to[0] / from_[0], to[1] / from_[1], 1.0])


def is_mirrored(transform: Matrix) -> bool:
    """Returns whether a transform exchanges left and right."""
    return bool(np.linalg.det(transform / transform[2, 2]) < 0)


def warped(image: Image.Image, transform: Matrix, size: Size) -> Image.Image:
    """Returns a picture as it lies on a sheet, which is white where the picture does not reach.

    Args:
        transform: from pixels of the image to pixels of the sheet.
        size: width and height of the sheet in pixels.
    """
    scale = _scale(transform, image.size)
    # warpPerspective takes single pixels, so what is made smaller is averaged first.
    if scale < 1:
        smaller = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        transform = transform @ scaling(smaller, image.size)
        image = image.resize(smaller, Image.Resampling.BOX)
    laid = cv2.warpPerspective(
        np.asarray(image),
        _TO_OPENCV @ transform @ _FROM_OPENCV,
        size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )
    return Image.fromarray(laid)


def covered(from_: Size, transform: Matrix, size: Size) -> npt.NDArray[np.bool_]:
    """Returns which pixels (height, width) of a sheet a picture of some size covers."""
    laid = cv2.warpPerspective(
        np.ones(from_[::-1], np.float32), _TO_OPENCV @ transform @ _FROM_OPENCV, size
    )
    # A pixel at the border is covered in part: paper mixed into it would look like a difference.
    return np.asarray(laid > 0.99)


def levelled_grey(image: Image.Image) -> Image.Image:
    """Returns the picture in grey, its paper made white and its ink black."""
    return levelled(image, max(image.size))


def ink_of(grey: Image.Image) -> Plane:
    """Returns how much ink there is at each pixel (height, width): 0 for paper, 1 for black."""
    return np.asarray(1 - np.asarray(grey, np.float32) / 255, np.float32)


def two_colours(one: Plane, other: Plane) -> Image.Image:
    """Returns the ink of one in red and of the other in cyan, printed over each other on white."""
    light = np.ones((*one.shape, 3), np.float32)
    for plane, colour in ((one, RED_INK), (other, CYAN_INK)):
        light *= 1 - plane[..., None] * (1 - np.array(colour, np.float32))
    return Image.fromarray((light * 255).round().astype(np.uint8))


def disagreement(one: Plane, other: Plane, overlap: npt.NDArray[np.bool_]) -> Plane:
    """Returns where the lines of two pictures that lie on each other differ, from 0 to 1.

    That is 1 minus the local correlation of their ink, weighted by how much ink there is to
    compare, at the resolution that the evidence uses. Outside the overlap it is 0.
    """
    height, width = one.shape
    share = min(1.0, LOOKED_AT / max(one.shape))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    within = _resized(overlap.astype(np.float32), size) > 0.99
    upper, lower = (_resized(plane, size) for plane in (one, other))
    correlation, inked = sheets.correlation(upper, lower, within, *REGIONS)
    weight = np.clip(inked / max(float(np.percentile(inked, 75)), 1e-6), 0, 1)
    differ = cv2.GaussianBlur(np.clip(1 - correlation, 0, 1) * weight, (0, 0), SMOOTH) * within
    return np.asarray(cv2.resize(differ, (width, height)), np.float32)


def _scale(transform: Matrix, size: Size) -> float:
    """Returns how many pixels of the sheet a pixel in the middle of the picture is long."""
    x, y = size[0] / 2, size[1] / 2
    at = moved(transform, np.array([(x, y), (x + 1, y), (x, y + 1)]))
    return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))


def _resized(plane: Plane, size: Size) -> Plane:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
