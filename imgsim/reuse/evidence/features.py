"""What is kept of a picture to compare it with others: details, its ink in small, its cells.

SIFT (Lowe 2004), its descriptors as RootSIFT (Arandjelović and Zisserman 2012) in 4 bits a number.
All coordinates are pixels of the picture, from its upper left corner.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from imgsim.images.preprocess import levelled
from imgsim.reuse.evidence import cells, legibility
from imgsim.reuse.evidence.cells import Cells

if TYPE_CHECKING:
    import numpy.typing as npt

VERSION = 2
"""Of how features are found and packed; others are found anew."""

MOST = 450
LONGEST, SHORTEST = 700, 320
"""Between these the longer side lies where features are looked for: smaller scans are enlarged."""

LEAST_SIDE = 24
CONTRAST = 0.02
LEVELS = 15
STEP = 1 / 32
"""Of what is kept of a RootSIFT descriptor: numbers from 0 to 15 steps."""

INK_SIDE = 320
INK_QUALITY = 50
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("size", "<f2"), ("angle", "<f2")])

# SIFT's numbers are 4 rows x 4 columns x 8 directions, in the frame of the feature: in a mirrored
# picture the rows change places and the directions turn the other way round.
_REVERSED = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8)].reshape(-1)


@dataclass(frozen=True)
class LocalFeatures:
    """What is kept of a picture to compare it with others, line by line.

    Attributes:
        width, height: of the picture, in pixels.
        points: float32 (n, 4): x, y, diameter in pixels, direction in radians.
        descriptors: uint8 (n, 128), RootSIFT in steps of 1/32.
        ink: uint8, the picture in small: 0 for paper, 255 for ink.
        cells: what the network's middle layer sees in it.
    """

    width: int
    height: int
    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]
    ink: npt.NDArray[np.uint8]
    cells: Cells

    @cached_property
    def unit(self) -> npt.NDArray[np.float32]:
        """The descriptors as vectors of length 1, float32 (n, 128)."""
        vectors = self.descriptors.astype(np.float32)
        lengths: npt.NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(lengths, 1e-6)
        return vectors

    @cached_property
    def clearness(self) -> float:
        """How clearly single lines stand out, 0 to 1."""
        return legibility.clearness(self.ink, self.resolved)

    @cached_property
    def resolved(self) -> int:
        """The side, in pixels, at which the finest lines that it shows are a pixel or two wide."""
        return legibility.resolved(self.ink, self.longest)

    @cached_property
    def repeats(self) -> list[tuple[float, float]]:
        """The shifts by which it is most like itself, in shares of width and height."""
        return legibility.repeats(self.ink)

    @property
    def longest(self) -> int:
        """The longer side in pixels."""
        return max(self.width, self.height)

    def mirrored(self) -> LocalFeatures:
        """The features of the same picture, left and right exchanged."""
        points = self.points.copy()
        points[:, 0] = self.width - points[:, 0]
        points[:, 3] = np.pi - points[:, 3]
        return LocalFeatures(
            *(self.width, self.height, points),
            self.descriptors[:, _REVERSED],
            np.ascontiguousarray(self.ink[:, ::-1]),
            self.cells.reversed(self.ink.shape[1]),
        )


def find(image: Image.Image, size: tuple[int, int] | None = None) -> LocalFeatures:
    """The features of a picture in mode L or RGB, the strongest of them; perhaps none.

    Args:
        size: the picture's width and height, where the image is a reduced one.

    Raises:
        WeightsError: the network's weights are missing or damaged.
    """
    from imgsim.reuse.evidence import middle_layer  # imports torch

    width, height = size or image.size
    grey = levelled(image, LONGEST)
    scale = min(1.0, LONGEST / max(grey.size)) * max(1.0, SHORTEST / max(grey.size))
    sized = _resized(grey, scale)
    detector = cv2.SIFT_create(MOST, contrastThreshold=CONTRAST)  # type: ignore[attr-defined]
    keypoints, found = detector.detectAndCompute(np.asarray(sized), None)
    strongest = sorted(range(len(keypoints)), key=lambda i: -keypoints[i].response)[:MOST]
    keypoints = [keypoints[i] for i in strongest]
    across, down = width / sized.width, height / sized.height
    points = np.array(
        [
            ((k.pt[0] + 0.5) * across, (k.pt[1] + 0.5) * down, k.size * across, np.deg2rad(k.angle))
            for k in keypoints
        ],
        np.float32,
    ).reshape(-1, 4)
    descriptors = np.zeros((0, 128), np.float32) if found is None else found[strongest]
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    steps = np.clip(np.round(root / STEP), 0, LEVELS).astype(np.uint8)
    ink = 255 - np.asarray(_resized(grey, INK_SIDE / max(grey.size)))
    return LocalFeatures(width, height, points, steps, ink, middle_layer.find(ink))


def draft_size(width: int, height: int) -> tuple[int, int]:
    """The size down to which a JPEG may be decoded without losing features."""
    share = min(1.0, 2 * LONGEST / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def pack(features: LocalFeatures) -> tuple[bytes, bytes, bytes]:
    """What is kept of points and descriptors, of the ink, and of the cells."""
    points = np.zeros(len(features.points), POINT)
    for name, column in zip(POINT.names or (), features.points.T, strict=True):
        points[name] = column
    # By number, not by feature: the like stand together, and deflate to two thirds.
    columns = np.ascontiguousarray(features.descriptors.T)
    ink = io.BytesIO()
    Image.fromarray(features.ink).save(ink, "WEBP", quality=INK_QUALITY, method=2)
    details = zlib.compress(points.tobytes() + columns.tobytes(), 6)
    return details, ink.getvalue(), features.cells.pack()


def unpack(
    width: int, height: int, packed: bytes, ink: bytes, packed_cells: bytes
) -> LocalFeatures:
    """The features that were packed."""
    content = zlib.decompress(packed)
    count = len(content) // (POINT.itemsize + 128)
    points = np.frombuffer(content, POINT, count)
    numbers = np.frombuffer(content, np.uint8, offset=count * POINT.itemsize)
    return LocalFeatures(
        width,
        height,
        np.stack([points[name].astype(np.float32) for name in POINT.names or ()], axis=1),
        np.ascontiguousarray(numbers.reshape(128, count).T),
        np.asarray(Image.open(io.BytesIO(ink)).convert("L")),
        cells.unpack(packed_cells),
    )


def _resized(grey: Image.Image, scale: float) -> Image.Image:
    size = (max(LEAST_SIDE, round(grey.width * scale)), max(LEAST_SIDE, round(grey.height * scale)))
    return grey.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)
