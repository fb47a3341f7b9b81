"""Finds pictures on pages by their ink alone: no network, no weights.

A page's letters tell its scale. Closed by half of their height, lines of type stay thin bands,
while a cut becomes a solid patch; what survives an opening higher than a line is picture, or type
so large that only a person tells it from one. Boxes are proposals, each with a score.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imgsim.images.boxes import Box

VERSION = 1
LONGEST = 1100
"""Of the page that is looked at, in pixels: letters have 8 to 20 of them then."""

LEAST_PAGE = 64
"""Pixels on a page's shorter side below which it shows neither letters nor pictures."""

LEAST_SIDE, LEAST_SHARE = 3.6, 0.004
"""Of a picture: its sides in heights of a letter, and its share of the page."""

CLOSED = 0.55
OPENED = 1.6, 1.9
"""Of the patches, in heights of a letter: gaps that are closed; width and height that stay."""

PAPER = 65
"""The percentile of a page's middle that is the shade of its paper."""

PATCH, LARGE = 3.0, 4.0
"""How long a patch is, and how large connected ink is, that counts, in heights of a letter."""

NEAR = 1.0
"""What is no further apart, in heights of a letter, is one picture."""

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """A box that may be a picture; `score` from 0 to 1, the surer the higher."""

    box: Box
    score: float


@dataclass(frozen=True)
class _Sheet:
    """A page in small: its ink (0 or 255), and how high its letters are, in pixels."""

    ink: Mask
    letter: float


def find(page: npt.NDArray[np.uint8]) -> list[Found]:
    """Returns the boxes of what looks like a picture, from top to bottom.

    Args:
        page: uint8 (height, width), 0 black.
    """
    height, width = page.shape
    if min(height, width) < LEAST_PAGE:
        return []
    scale = min(1.0, LONGEST / max(height, width))
    small = page
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA), np.uint8)
    ink = _without_edges(_ink(small))
    sheet = _Sheet(ink, _letter_height(ink))
    boxes = [box for box in _merged(_seeds(sheet), sheet.letter) if _is_large(box, sheet)]
    found = []
    for box in boxes:
        score = _score(box, sheet)
        if score >= LEAST_SCORE:
            found.append(Found(_scaled(box, scale, width, height), round(score, 3)))
    return sorted(found, key=lambda each: (each.box.y, each.box.x))


LEAST_SCORE = 0.3


def _ink(grey: npt.NDArray[np.uint8]) -> Mask:
    """Returns the ink of a page, whatever the paper's shade is at each place."""
    coarse = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    # What lies beside the page is often whiter: taken for paper, it would make ink of the margin.
    height, width = coarse.shape
    middle = coarse[height // 5 : height - height // 5, width // 5 : width - width // 5]
    coarse = np.minimum(coarse, np.uint8(np.percentile(middle, PAPER)))
    # The lightest around is paper, as long as it reaches over the widest black of a cut.
    paper = cv2.GaussianBlur(cv2.dilate(coarse, np.ones((25, 25), np.uint8)), (0, 0), 9)
    paper = cv2.resize(paper, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    even = np.clip(grey.astype(np.float32) * 255 / np.maximum(paper, 40), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(even, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    # An empty page has no second peak: Otsu then splits the paper.
    _, ink = cv2.threshold(even, min(max(level, 90), 190), 255, cv2.THRESH_BINARY_INV)
    return np.asarray(ink, np.uint8)


def _without_edges(ink: Mask) -> Mask:
    """Returns the ink without what hangs on the edges of the scan: shadows, fingers, the cover."""
    height, width = ink.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    rim = max(2, round(0.006 * max(height, width)))
    gone = np.zeros(count, bool)
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        touches = x <= rim or y <= rim or x + w >= width - rim or y + h >= height - rim
        slim = min(w, h) < 0.08 * max(height, width) or area > 0.75 * w * h
        gone[label] = touches and slim and max(w, h) > 0.02 * max(height, width)
    return np.where(gone[labels], 0, ink).astype(np.uint8)


def _letter_height(ink: Mask) -> float:
    longest_side = int(max(ink.shape))
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    w, h, area = (stats[1:, at].astype(float) for at in (2, 3, 4))
    shortest, longest = 4.0, 0.04 * max(ink.shape)
    letters = (
        (h >= shortest) & (h <= longest) & (w >= 0.25 * h) & (w <= 3 * h) & (area > 0.15 * w * h)
    )
    if np.count_nonzero(letters) < 25:
        return 0.010 * longest_side
    return min(max(float(np.median(h[letters])), 5.0), 0.02 * longest_side)


def _block(width: float, height: float) -> Mask:
    return np.ones((max(1, round(height)), max(1, round(width))), np.uint8)


def _patches(ink: Mask, letter: float) -> Mask:
    """Returns what is solid once gaps within a letter are closed: no line of type is so high."""
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, _block(CLOSED * letter, CLOSED * letter))
    return np.asarray(
        cv2.morphologyEx(closed, cv2.MORPH_OPEN, _block(OPENED[0] * letter, OPENED[1] * letter)),
        np.uint8,
    )


def _seeds(sheet: _Sheet) -> list[tuple[int, int, int, int]]:
    """Returns boxes (left, top, right, bottom) of dense patches and of large connected ink."""
    letter = sheet.letter
    solid = _patches(sheet.ink, letter)
    count, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    boxes = []
    for x, y, w, h, area in stats[1:count].tolist():
        if max(w, h) > PATCH * letter and area > 2 * letter**2:
            boxes.append((x, y, x + w, y + h))
    # Outlines that enclose white, and hatching too open to close, are large in themselves.
    count, labels, stats, _ = cv2.connectedComponentsWithStats(sheet.ink, connectivity=8)
    dense = np.bincount(labels[solid > 0], minlength=count)
    for label in range(1, count):
        x, y, w, h, area = stats[label].tolist()
        line = min(w, h) < 1.2 * letter or area < 0.03 * w * h
        large = min(w, h) > LARGE * letter or (
            min(w, h) > 2 * letter and dense[label] > 0.25 * area and max(w, h) > 4 * letter
        )
        if large and not line:
            boxes.append((x, y, x + w, y + h))
    return boxes


def _merged(
    boxes: list[tuple[int, int, int, int]], letter: float
) -> list[tuple[int, int, int, int]]:
    """Returns boxes with those that overlap or nearly touch made one."""
    near = round(NEAR * letter)
    left = list(boxes)
    merged = True
    while merged:
        merged = False
        for i, one in enumerate(left):
            for j in range(i + 1, len(left)):
                other = left[j]
                apart = (
                    max(one[0], other[0]) - min(one[2], other[2]) > near
                    or max(one[1], other[1]) - min(one[3], other[3]) > near
                )
                if not apart:
                    left[i] = (
                        *(min(one[0], other[0]), min(one[1], other[1])),
                        *(max(one[2], other[2]), max(one[3], other[3])),
                    )
                    del left[j]
                    merged = True
                    break
            if merged:
                break
    return left


def _is_large(box: tuple[int, int, int, int], sheet: _Sheet) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    page = sheet.ink.shape[0] * sheet.ink.shape[1]
    least = LEAST_SIDE * sheet.letter
    return min(width, height) >= least and width * height >= LEAST_SHARE * page


def _score(box: tuple[int, int, int, int], sheet: _Sheet) -> float:
    """Returns how much of a box is patches and not lines of type, from 0 to 1."""
    part = sheet.ink[box[1] : box[3], box[0] : box[2]]
    letter = sheet.letter
    closed = cv2.morphologyEx(part, cv2.MORPH_CLOSE, _block(CLOSED * letter, CLOSED * letter))
    solid = _patches(part, letter)
    patches = int(np.count_nonzero(solid)) / max(1, int(np.count_nonzero(closed)))
    # Rows of type leave white between them all across; a picture seldom does.
    gaps = float(np.mean(np.mean(closed > 0, axis=1) < 0.02))
    extent = min(1.0, min(box[2] - box[0], box[3] - box[1]) / (9 * letter))
    return float(min(1.0, patches * (1 - gaps) * (0.55 + 0.45 * extent)))


def _scaled(box: tuple[int, int, int, int], scale: float, width: int, height: int) -> Box:
    x, y = round(box[0] / scale), round(box[1] / scale)
    right, bottom = min(width, round(box[2] / scale)), min(height, round(box[3] / scale))
    return Box(x, y, right - x, bottom - y)
