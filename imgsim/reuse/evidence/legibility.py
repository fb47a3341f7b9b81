"""What a scan shows of a print: how fine and clear its lines are, and whether it repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[Any]

FINEST, COARSER = (0.7, 1.0), 1.6
"""The finest lines are what is left between the first two blurs; the next lie up to the third."""

LEAST_FINE = 0.5
"""How much there is of the finest, of the next; in 98 of 100 scans of prints over 0.56."""

SHARES = (1.0, 0.75, 0.5, 0.375, 0.25)
LEAST_SIDE = 48

DARKEST, LIGHTEST = 2, 98
LEAST_CONTRAST = 0.05
AROUND = 9
"""The side of the window in which lines are told from paper, in pixels of the ink."""

REPEAT_SIDE = 128
NEAREST_REPEAT, FARTHEST_REPEAT = 0.06, 0.6
"""Shifted by less than that of the longer side a picture is like itself anyhow; by more than that
of its area, too little is left."""

LEAST_REPEATED = 0.3
"""How like itself a pattern is, shifted, of how like itself it is as it lies: drawn rows of cast
ornaments are by 0.54 and more, 95 of 100 prints by less than 0.3."""


def resolved(ink: Plane, longest: int) -> int:
    """Returns how many pixels long a picture may be shown before nothing finer is to be seen.

    A scan that is blurred, or was enlarged by others, has hardly any lines between the blurs
    `FINEST`; shown smaller, it has.

    Args:
        ink: uint8 (h, w), 0 for paper, 255 for ink.
        longest: the longer side of the picture, in pixels.
    """
    whole = int(min(longest, max(ink.shape)))
    for share in SHARES:
        side = max(LEAST_SIDE, round(share * whole))
        planes = [cv2.GaussianBlur(_shown(ink, side), (0, 0), blur) for blur in (*FINEST, COARSER)]
        finest, coarser = (float(np.std(planes[i] - planes[i + 1])) for i in (0, 1))
        if finest >= LEAST_FINE * coarser:
            return side
    return LEAST_SIDE


def clearness(ink: Plane, side: int) -> float:
    """Returns how clearly single lines stand out, from 0 for grey to 1 for black on white.

    The share of what could vary that does vary within a few pixels: a half-tone, a reduced
    facsimile or a scan too coarse for its lines is grey there, whatever its masses are like.

    Args:
        ink: uint8 (h, w), 0 for paper, 255 for ink.
        side: how many pixels long it is looked at: no longer than it is `resolved`.
    """
    plane = _shown(ink, side)
    low, high = np.percentile(plane, (DARKEST, LIGHTEST))
    plane = ((plane - low) / max(float(high - low), LEAST_CONTRAST)).clip(0, 1)
    mean = cv2.boxFilter(plane, -1, (AROUND, AROUND))
    variance = np.maximum(cv2.boxFilter(plane * plane, -1, (AROUND, AROUND)) - mean * mean, 0)
    # The variance of what is black or white only: nothing of that mean varies more.
    possible = np.maximum(mean * (1 - mean), 0)
    total = float(possible.sum())
    return float(np.sqrt(variance * possible).sum()) / total if total > 0 else 0.0


def repeats(ink: Plane) -> list[tuple[float, float]]:
    """Returns the shifts, in shares of width and height, by which a picture is most like itself.

    One that leads more across and one that leads more down: a border repeats itself along its
    sides otherwise than along its head. None where it is too little like itself to be a pattern;
    how like it truly is, its lines tell (`repeating`).

    Args:
        ink: uint8 (h, w), 0 for paper, 255 for ink.
    """
    scale = REPEAT_SIDE / max(ink.shape)
    height, width = (max(8, round(scale * side)) for side in ink.shape)
    small = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # By lines alone: masses are like themselves wherever a picture is dark in the middle.
    small -= cv2.GaussianBlur(small, (0, 0), 2.0)
    spectrum = np.fft.rfft2(small, (2 * height, 2 * width))
    alike = np.fft.irfft2(np.abs(spectrum) ** 2, (2 * height, 2 * width))
    down, across = np.meshgrid(
        *(np.fft.fftfreq(2 * side, 1 / (2 * side)) for side in (height, width)), indexing="ij"
    )
    shared = (1 - np.abs(down) / height).clip(0, 1) * (1 - np.abs(across) / width).clip(0, 1)
    alike /= np.maximum(shared, 1e-6)
    far = np.hypot(down, across) > NEAREST_REPEAT * REPEAT_SIDE
    usable = far & (shared > 1 - FARTHEST_REPEAT)
    found = []
    for leads in (np.abs(across) >= np.abs(down), np.abs(across) < np.abs(down)):
        there = np.where(usable & leads, alike, -np.inf)
        row, column = np.unravel_index(there.argmax(), alike.shape)
        if there[row, column] > LEAST_REPEATED * alike[0, 0]:
            found.append((float(across[row, column] / width), float(down[row, column] / height)))
    return found


def _shown(ink: Plane, side: int) -> Plane:
    """The ink so many pixels long at most, float32 from 0 to 1."""
    plane: Plane = ink.astype(np.float32) / 255
    share = side / max(ink.shape)
    if share >= 1:
        return plane
    height, width = (max(AROUND, round(share * length)) for length in ink.shape)
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
