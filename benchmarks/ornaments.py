"""Rows and borders set from cast ornaments: pictures that repeat themselves, and are no block.

Each sort is cast many times over; two printers who own it set rows that agree line by line, though
not one piece of metal is the same. So nothing may be called the same block of them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PAPER = 240


def sort(seed: int, side: int = 48) -> Image.Image:
    """A cast ornament: strokes and dots, the same on the left and the right."""
    rng = np.random.default_rng(seed)
    large = 4 * side
    image = Image.new("L", (large, large), 255)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(4, 8))):
        x, y = rng.uniform(0.08, 0.5), rng.uniform(0.08, 0.92)
        to = x + rng.uniform(-0.2, 0.2), y + rng.uniform(-0.3, 0.3)
        width = int(large * rng.uniform(0.02, 0.06))
        size = rng.uniform(0.04, 0.14)
        for flip in (False, True):
            ends = [(1 - px if flip else px, py) for px, py in ((x, y), to)]
            draw.line([(large * px, large * py) for px, py in ends], 0, width)
            px, py = ends[0]
            box = [large * v for v in (px - size, py - size, px + size, py + size)]
            draw.ellipse(box, 0 if rng.random() < 0.4 else None, 0, width)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def row(seed: int, setting: int, along: int = 12, rows: int = 1) -> Image.Image:
    """A row of one sort, or several rows, as one printer set and inked it."""
    rng = np.random.default_rng([seed, setting])
    piece = sort(seed)
    side = piece.width
    image = Image.new("L", (side * along + 40, side * rows + 40), 255)
    for down in range(rows):
        for across in range(along):
            off = rng.normal(0, 0.7, 2)
            place = (round(20 + side * across + off[0]), round(20 + side * down + off[1]))
            image.paste(piece, place)
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.1)))
    grain = rng.normal(0, 14, (image.height, image.width))
    inked = np.asarray(blurred, np.float32) * rng.uniform(0.8, 1.0) + grain
    return Image.fromarray(inked.clip(0, PAPER).astype(np.uint8))


def border(seed: int, setting: int, across: int = 9, down: int = 12) -> Image.Image:
    """A frame of one sort around an empty page."""
    whole = row(seed, setting, across, down)
    side = sort(seed).width
    inside = (20 + side, 20 + side, whole.width - 20 - side, whole.height - 20 - side)
    page = whole.copy()
    page.paste(PAPER, inside)
    return page


def settings(count: int) -> list[tuple[Image.Image, Image.Image]]:
    """Pairs of two settings of one sort: rows, two rows, borders, and rows of other lengths."""
    pairs = []
    for seed in range(count):
        kind = seed % 4
        if kind == 0:
            pairs.append((row(seed, 1), row(seed, 2)))
        elif kind == 1:
            pairs.append((row(seed, 1, 10, 2), row(seed, 2, 10, 2)))
        elif kind == 2:
            pairs.append((border(seed, 1), border(seed, 2)))
        else:
            pairs.append((row(seed, 1, 12), row(seed, 2, 9)))
    return pairs
