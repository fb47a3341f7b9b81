"""Draws the plates, initials and ornaments that the bundled networks were trained with.

python training/draw.py FOLDER
"""

from __future__ import annotations

import string
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from imgsim.demo import plates

PLATES, INITIALS, ORNAMENTS = 500, 1000, 400
FACES = Path(matplotlib.get_data_path(), "fonts", "ttf")
FONTS = [
    *(FACES / f"DejaVuSerif{style}.ttf" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(FACES / f"STIXGeneral{style}.ttf" for style in ("", "Bol", "BolIta", "Italic")),
]
SIDE = 320


def main(folder: Path) -> None:
    """Draw all of them into a folder; what is there is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    work = [(kind, n, folder) for kind, of in KINDS.items() for n in range(of)]
    with ProcessPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(draw_one, work, chunksize=16), start=1):
            if done % 500 == 0:
                print(f"{done:,} of {len(work):,}", flush=True)


KINDS = {"plate": PLATES, "initial": INITIALS, "ornament": ORNAMENTS}


def draw_one(work: tuple[str, int, Path]) -> None:
    kind, number, folder = work
    path = folder / f"{kind}_{number:04}.png"
    if not path.exists():
        DRAWN[kind](number).save(path)


def plate(number: int) -> Image.Image:
    """A botanical plate of another seed than any of the demonstration's."""
    return plates.draw(10_000 + number, (300, 450))


def initial(number: int) -> Image.Image:
    """A letter before, or cut out of, a ground of foliage, hatching or stars, in a frame."""
    rng = default_rng([1, number])
    page = ground(rng, (SIDE, SIDE))
    face = ImageFont.truetype(str(FONTS[rng.integers(len(FONTS))]), rng.uniform(0.6, 0.95) * SIDE)
    glyph = Image.new("L", (SIDE, SIDE))
    character = string.ascii_uppercase[number % 26]
    middle = tuple((SIDE / 2 + rng.uniform(-0.05, 0.05, 2) * SIDE).tolist())
    ImageDraw.Draw(glyph).text(middle, character, 255, face, "mm")
    halo = glyph.filter(ImageFilter.MaxFilter(2 * int(rng.integers(1, 7)) + 1))
    dark = rng.random() < 0.5
    page.paste(255 if dark else 0, mask=halo)
    page.paste(0 if dark else 255, mask=glyph)
    if rng.random() < 0.3:
        page.paste(
            255 if dark else 0, mask=ImageChops.multiply(glyph, strokes(rng, glyph.size, 12))
        )
    return framed(page, rng)


def ornament(number: int) -> Image.Image:
    """A head- or tailpiece: a strip or a triangle of foliage, alike on both sides."""
    rng = default_rng([2, number])
    height = int(SIDE * rng.uniform(0.3, 1.2))
    half = ground(rng, (SIDE, height), kind=int(rng.integers(2)))
    page = Image.new("L", (2 * SIDE, height))
    page.paste(half)
    page.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (SIDE, 0))
    if rng.random() < 0.5:
        tip, edge = rng.uniform(0.6, 1), rng.uniform(0, 0.3)
        corners = [(0, edge * height), (2 * SIDE, edge * height), (SIDE, tip * height * 1.4)]
        mask = Image.new("L", page.size)
        ImageDraw.Draw(mask).polygon(corners, 255)
        page = Image.composite(page, Image.new("L", page.size, 255), mask)
    elif rng.random() < 0.6:
        page = framed(page, rng)
    return page


def ground(rng: Generator, size: tuple[int, int], kind: int | None = None) -> Image.Image:
    """Foliage, in white on black or black on white; hatching; stars, rings and flowers."""
    kind = int(rng.integers(4)) if kind is None else kind
    if kind < 2:
        page = foliage(rng, size)
        return ImageChops.invert(page) if rng.random() < 0.5 else page
    page = Image.new("L", size, 255)
    page.paste(0, mask=strokes(rng, size, int(rng.integers(40, 200))))
    if kind == 3:
        pen = ImageDraw.Draw(page)
        for _ in range(int(rng.integers(4, 26))):
            x, y = rng.uniform((0, 0), size)
            r = rng.uniform(0.02, 0.12) * SIDE
            outline = rose(x, y, r, int(rng.integers(2, 9)), rng.uniform(0.1, 0.9))
            pen.polygon(outline, fill=int(255 * (rng.random() < 0.6)), outline=0)
    return page


def rose(x: float, y: float, r: float, petals: int, depth: float) -> list[tuple[float, float]]:
    angle = np.linspace(0, 2 * np.pi, 80)
    reach = r * (1 - depth * np.cos(petals * angle) ** 2)
    return [
        (float(x + r * np.cos(a)), float(y + r * np.sin(a)))
        for r, a in zip(reach, angle, strict=True)
    ]


def strokes(rng: Generator, size: tuple[int, int], count: int) -> Image.Image:
    """Parallel lines, straight or waved: 255 where ink is."""
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    reach = 1.5 * max(size)
    t = np.linspace(-reach, reach, 60)
    turn = np.exp(1j * rng.uniform(0, np.pi))
    wave, length = rng.uniform(0, 0.03) * SIDE, rng.uniform(0.1, 0.6) * SIDE
    for across in np.linspace(-reach, reach, count):
        line = (t + 1j * (across + wave * np.sin(t / length * 2 * np.pi))) * turn
        points = np.stack([line.real + size[0] / 2, line.imag + size[1] / 2], 1).ravel().tolist()
        pen.line(points, 255, int(rng.integers(1, 5)))
    return mask


def foliage(rng: Generator, size: tuple[int, int]) -> Image.Image:
    """Vines that curl, branch and bear leaves and flowers, black on white."""
    page = Image.new("L", size, 255)
    pen = ImageDraw.Draw(page)
    leaf = (int(rng.integers(1, 7)), rng.uniform(0.1, 0.8), rng.uniform(0.03, 0.09) * SIDE)
    for _ in range(int(rng.integers(4, 10))):
        start = complex(*rng.uniform((0, 0), size))
        vine(pen, rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.3) * SIDE, leaf, 2)
    return page


def vine(
    pen: ImageDraw.ImageDraw,
    rng: Generator,
    start: complex,
    heading: float,
    length: float,
    leaf: tuple[int, float, float],
    branches: int,
) -> None:
    n = 60
    bend = rng.uniform(-1, 1) * 7 * np.linspace(0, 1, n) ** rng.uniform(0.5, 2.5)
    line = start + np.cumsum(np.exp(1j * (heading + bend))) * length / n
    pen.line(np.stack([line.real, line.imag], 1).ravel().tolist(), 0, int(rng.integers(2, 8)))
    for i in range(6, n, int(rng.integers(5, 14))):
        side = 1 if (i // 5) % 2 else -1
        middle = line[i] + side * leaf[2] * 1j * np.exp(1j * (heading + bend[i]))
        outline = rose(middle.real, middle.imag, leaf[2] * rng.uniform(0.6, 1.2), leaf[0], leaf[1])
        pen.polygon(outline, fill=int(255 * (rng.random() < 0.3)), outline=0, width=2)
    for _ in range(branches):
        i = int(rng.integers(10, n - 5))
        turn = heading + bend[i] + rng.choice([-1, 1]) * rng.uniform(0.5, 1.4)
        vine(pen, rng, complex(line[i]), turn, 0.55 * length, leaf, branches - 1)


def framed(page: Image.Image, rng: Generator) -> Image.Image:
    pen = ImageDraw.Draw(page)
    inset = 0
    for _ in range(int(rng.integers(0, 4))):
        width = int(rng.integers(1, 9))
        box = (inset, inset, page.width - 1 - inset, page.height - 1 - inset)
        pen.rectangle(box, None, 0 if rng.random() < 0.75 else 255, width)
        inset += width + int(rng.integers(2, 9))
    return page


Pixels = NDArray[np.uint8]
DRAWN = {"plate": plate, "initial": initial, "ornament": ornament}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
