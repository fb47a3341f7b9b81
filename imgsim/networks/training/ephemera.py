"""What stands beside, on and behind printed pictures: lines of text, stamps, handwriting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy.random import Generator

LETTERS = "eeeeeeetttttaaaaooooiiiinnnnsssshhhhrrrrdddllluuucccmmwwffggyyppbbvk"
TEXTS, MARKS = 48, 64


def texts(side: int, rng: Generator, count: int = TEXTS) -> npt.NDArray[np.uint8]:
    """Pages of text of many sizes, uint8 (count, side, side): 255 for ink, 0 for paper."""
    return np.stack([_text(side, rng) for _ in range(count)])


def marks(side: int, rng: Generator, count: int = MARKS) -> npt.NDArray[np.uint8]:
    """Stamps and handwriting, each alone on a page, shaped as `texts` are."""
    return np.stack([(_stamp if rng.random() < 0.4 else _writing)(side, rng) for _ in range(count)])


def _text(side: int, rng: Generator) -> npt.NDArray[np.uint8]:
    page = Image.new("L", (2 * side, 2 * side))
    pen = ImageDraw.Draw(page)
    size = float(np.exp(rng.uniform(np.log(6), np.log(40))))
    face = ImageFont.load_default(size)
    leading = size * rng.uniform(1.05, 1.6)
    y = rng.uniform(-leading, leading)
    while y < page.height:
        if rng.random() < 0.9:
            x = rng.uniform(-30, 30 if rng.random() < 0.8 else side)
            pen.text((x, y), _line(rng, page.width / size), 255, face)
        y += leading
    return np.asarray(page.reduce(2))


def _line(rng: Generator, letters: float) -> str:
    words: list[str] = []
    while sum(map(len, words)) < 2 * letters:
        word = "".join(rng.choice(list(LETTERS), int(rng.integers(1, 10))))
        words.append(word.capitalize() if rng.random() < 0.15 else word)
    return " ".join(words)


def _stamp(side: int, rng: Generator) -> npt.NDArray[np.uint8]:
    page = Image.new("L", (2 * side, 2 * side))
    pen = ImageDraw.Draw(page)
    x, y = rng.uniform(0.5, 1.5, 2) * side
    a = rng.uniform(0.12, 0.4) * side
    b = a * rng.uniform(0.5, 1)
    ink = int(rng.integers(110, 256))
    shape = pen.ellipse if rng.random() < 0.7 else pen.rectangle
    for inset in (1, 0.88):
        shape((x - a * inset, y - b * inset, x + a * inset, y + b * inset), None, ink, 3)
    words = "\n".join(_line(rng, 2)[:9].upper() for _ in range(int(rng.integers(1, 4))))
    pen.text((x, y), words, ink, ImageFont.load_default(a / 3), "mm", 2, "center")
    return np.asarray(page.rotate(rng.uniform(-40, 40), center=(x, y)).reduce(2))


def _writing(side: int, rng: Generator) -> npt.NDArray[np.uint8]:
    """Loops of a pen along a line or two, or a stroke or a blot."""
    page = Image.new("L", (2 * side, 2 * side))
    pen = ImageDraw.Draw(page)
    ink, width = int(rng.integers(130, 256)), int(rng.integers(2, 7))
    for _ in range(int(rng.integers(1, 4))):
        t = np.linspace(0, rng.uniform(3, 16), 160)
        height, pace = rng.uniform(0.02, 0.1) * side, rng.uniform(0.04, 0.14) * side
        sway = np.interp(t, np.linspace(0, t[-1], 8), rng.uniform(0.4, 1.6, 8))
        angle = rng.uniform(-0.4, 0.4)
        line = pace * t + 1j * height * np.sin(2 * np.pi * t) * sway
        line = line + pace * 0.6 * np.cos(2 * np.pi * t) * sway
        start = complex(*(rng.uniform(0, 1.7, 2) * side))
        placed = start + line * np.exp(1j * angle)
        pen.line(np.stack([placed.real, placed.imag], 1).ravel().tolist(), ink, width)
    if rng.random() < 0.3:
        x, y = rng.uniform(0, 2, 2) * side
        r = rng.uniform(0.02, 0.15) * side
        pen.ellipse((x - r, y - r * rng.uniform(0.4, 1), x + r, y + r), int(rng.integers(60, 256)))
    return np.asarray(page.reduce(2))
