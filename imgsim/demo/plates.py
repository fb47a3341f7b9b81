"""Draws botanical plates in the manner of 18th-century engravings, and impressions of them.

A plant is a list of marks in the order in which the burin cut them, on the complex plane with y
upward. It consists of blades (an axis, a half width, a texture of hatching) that shoots bear along
an axis and fans spread from a point. Finished figures are fitted into boxes of the page.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Concatenate, NamedTuple, ParamSpec

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

P = ParamSpec("P")
Line = NDArray[np.complex128]
Reals = NDArray[np.float64]
Pair = tuple[float, float]
Leans = Sequence[float]  # degrees to the left and right of a heading
Texture = tuple[tuple[float, Pair, Pair, Pair, float, bool], ...]  # see FEATHERED
Mark = tuple[Line, float, int]  # strokes (n, points), their width or 0 for filled outlines, tone
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the page
Organ = Callable[["Spot"], None]

PAPER, INK = 245, 25
BILINEAR = Image.Resampling.BILINEAR
FINE, HAIR = 2, 0.5  # supersampling, width of a hatching stroke
BORDERS = ((), ((0.045, INK, 2),), ((0.042, INK, 4), (0.05, INK, 1)))  # (inset, tone, width)
HAND = (-104, 104, -68, 68, -34, 34, 0)
PAIRED, ALTERNATE, SPIRAL = ((-58, 58),), ((-55,), (55,)), ((-62,), (62,), (12,))
NUMERALS = "I II III IV VI VII VIII IX XI XII XIV XVII XXI XXXIV XLV LVI LXXII CXIV"


# Cuts side by side over a blade, which runs 0..1 along and -1 (lit)..1 across: px from cut to cut,
# places of the first and last, their start and utmost end, shares of that, drift, lengthwise.
FEATHERED: Texture = (
    (999, (-0.03, 0.03), (0, 0.95), (1, 1), 0, True),
    (20, (0.06, 0.8), (0, 0.94), (1, 1), 0.14, False),
    (20, (0.06, 0.8), (0, -0.94), (1, 1), 0.14, False),
    (2.4, (0.03, 0.86), (0, 0.98), (0.55, 1), 0.13, False),
    (2.4, (0.03, 0.86), (0, -0.5), (0.2, 1), 0.05, False),
)
FANNED: Texture = (
    (7, (-0.85, 0.9), (0.05, 1), (0.2, 0.55), 0, True),
    (14, (0, 0.9), (0.96, 0), (0.1, 0.4), 0, True),
)
ROUNDED: Texture = ((2.3, (0.04, 0.94), (1, 0), (0.4, 1.4), -0.02, False),)
RIBBED: Texture = ((80, (-0.6, 0.85), (0.02, 1), (0.75, 0.95), 0, True),)
DROOP = {FEATHERED: 25, RIBBED: 50}  # degrees that leaves hang by; petals and fruit do not


@dataclass
class Figure:
    """One drawing, with the random generator of its small irregularities."""

    rng: Generator
    marks: list[Mark] = field(default_factory=list)

    def cut(self, axis: Line, half: Reals, texture: Texture, line: float = 0.9) -> None:
        """Cuts a blade over what lies behind it; its edge away from the light is heavier."""
        along = np.gradient(axis)
        across = 1j * half * along / np.abs(along)
        across *= 1 if (across.sum() * (1 + 0.6j)).real > 0 else -1
        lit, shadow = axis - across, axis + across
        self.marks.append((np.append(lit, shadow[::-1])[None], 0, PAPER))
        s = np.linspace(0, 1, 5)
        for pitch, places, (start, end), ragged, drift, lengthwise in texture:
            place = np.linspace(*places, 4 + int(np.abs(along).sum() / pitch))[:, None]
            t = place + drift * s**1.4
            u = start + (end - start) * self.rng.uniform(*ragged, place.shape) * s
            t, u = (u, t) if lengthwise else (t, u)
            step = np.clip(t, 0, 0.999) * (len(axis) - 1)
            i, part = step.astype(int), step % 1
            spine, reach = (z[i] + part * (z[i + 1] - z[i]) for z in (axis, across))
            self.marks.append((spine + u * reach, HAIR, INK))
        self.marks += [(lit[None], line, INK), (shadow[None], 1.7 * line, INK)]


class Spot(NamedTuple):
    """The place of an organ: its base, its heading (degrees, 90 is up the page) and its length."""

    figure: Figure
    base: complex
    heading: float
    length: float

    def turned(self, lean: float, share: float = 1) -> "Spot":
        return self._replace(heading=self.heading + lean, length=self.length * share)

    def axis(self, bend: float = 0, sway: float = 0, n: int = 14) -> Line:
        """Returns n points along a line that turns by `bend` degrees and swings by `sway`."""
        t = np.linspace(0, 1, n - 1)
        turned = 1j * np.radians(self.heading + bend * t + sway * np.sin(9 * t))
        steps = np.exp(turned, dtype=np.complex128) * self.length / (n - 1)
        return np.cumsum(np.append(self.base, steps))


def organ(grow: Callable[Concatenate[Spot, P], None]) -> Callable[P, Organ]:
    """Returns the function without its spot: called with the rest, it makes an organ."""
    return lambda *args, **kwargs: lambda spot: grow(spot, *args, **kwargs)


@organ
def blade(
    spot: Spot, wide: float, shape: Pair, texture: Texture = FEATHERED, cut: Pair = (0, 0)
) -> None:
    """Grows a blade: `shape` has an exponent for each end, `cut` the lobes' number and depth."""
    n = 14 + 4 * int(cut[0])
    t = np.linspace(0, 1, n)
    half = t ** shape[0] * (1 - t) ** shape[1] * (1 - cut[1] * np.abs(np.cos(math.pi * cut[0] * t)))
    rng, line = spot.figure.rng, min(0.9, 0.3 + spot.length / 60)
    half *= wide * spot.length * rng.uniform(0.88, 1.12) / half.max()
    bend = rng.normal(-DROOP.get(texture, 0) * math.cos(math.radians(spot.heading)), 8)
    spot.figure.cut(spot.axis(bend, 0, n), half, texture if spot.length > 15 else (), line)


@organ
def fan(spot: Spot, bears: Organ, leans: Leans, wane: float = 0, slant: float = 1) -> None:
    """Grows organs from one point, in the order given, shorter as they lean or face the reader."""
    for lean in leans if spot.length > 5 else ():  # smaller would print as a blot
        x, y = math.sin(math.radians(lean)), slant * math.cos(math.radians(lean))
        share = math.hypot(x, y) * (1 - wane * abs(lean) / 180)
        bears(spot.turned(math.degrees(math.atan2(x, y)), share * spot.figure.rng.uniform(0.92, 1)))


@organ
def shoot(
    spot: Spot,
    bears: Organ,
    top: Organ,
    nodes: int,
    leans: Sequence[Leans] = PAIRED,
    size: Pair = (0.4, 0.2),
    sway: float = 0,
) -> None:
    """Grows an axis with organs at its nodes, of `size` at the first and last, and one on top."""
    axis = spot.axis(spot.figure.rng.normal(0, 12), sway, 30)
    headings = np.degrees(np.angle(np.gradient(axis))).tolist()
    for i, t in enumerate(np.linspace(4, 28, nodes).astype(int)):
        share = size[0] + (size[1] - size[0]) * i / nodes
        for lean in leans[i % len(leans)]:
            bears(Spot(spot.figure, axis[t], headings[t] + lean, spot.length * share))
    half = (0.6 + spot.length / 180) * np.linspace(1, 0.6, 30)
    spot.figure.cut(axis, half, ROUNDED if half[0] > 1.8 else (), 0.8)
    top(Spot(spot.figure, axis[-1], headings[-1], spot.length * 0.28))


@organ
def together(spot: Spot, *parts: tuple[Organ, float, float]) -> None:
    """Grows organs at one spot, each with its lean and its share of the length."""
    for part, lean, share in parts:
        part(spot.turned(lean, share))


@organ
def nodding(spot: Spot, bears: Organ) -> None:
    """Grows an organ that hangs from the end of a bent stalk."""
    fall = math.cos(math.radians(spot.heading))
    stalk = spot.turned(0, 0.4).axis(-90 * fall)
    spot.figure.cut(stalk, np.full(len(stalk), 1.2), (), 0.8)
    bears(Spot(spot.figure, stalk[-1], -90 + 25 * fall, 0.6 * spot.length))


def tuft(rng: Generator, count: int, spread: float) -> list[float]:
    """Returns uneven leans to both sides, the outermost first."""
    even = np.linspace(-spread, spread, count) + rng.normal(0, 0.2 * spread / count, count)
    return sorted(even.tolist(), key=lambda lean: -abs(lean))


def flower(petals: int, wide: float, tip: float = 0.4, rings: int = 1, eye: float = 0.12) -> Organ:
    """Returns a flower facing the reader: rings of petals, far ones first, stamens and an eye."""
    round_about = sorted((360 * (i + 0.3) / petals - 180 for i in range(petals)), key=abs)
    petal = fan(blade(wide, (0.9, tip), FANNED), round_about, slant=0.7)
    whorls = [(petal, 0, 0.6 * 0.7**i) for i in range(rings)]
    stamens = fan(STAMEN, range(-170, 171, 34), slant=0.7)
    return together(*whorls, (stamens, 0, 0.24), (fan(BERRY, range(0, 360, 51), slant=0.7), 0, eye))


BARE = together()
STAMEN = blade(0.09, (6, 0.4), ())
BERRY = blade(0.5, (0.5, 0.5), ROUNDED)
BUD = blade(0.28, (0.5, 0.8), FANNED)
FIG = blade(0.35, (0.7, 0.4), ROUNDED)
PODS = fan(blade(0.08, (0.3, 0.5), ROUNDED), (-38, 34, 0))
BUNCH = nodding(shoot(BERRY, BARE, 14, SPIRAL, (0.3, 0.2)))
CHERRIES = fan(shoot(BERRY, BERRY, 0), (-70, 62, -32, 28, -5))


def pick(rng: Generator, *organs: Organ) -> Organ:
    return organs[rng.integers(len(organs))]


def leaf_of(rng: Generator) -> Organ:
    wide, n = rng.uniform(0.75, 1.3), int(rng.integers(3, 9))
    ovate, lance = blade(0.25 * wide, (0.6, 0.9)), blade(0.11 * wide, (0.8, 1.1))
    spoon, toothed = blade(0.22 * wide, (1.1, 0.5)), blade(0.35 * wide, (0.35, 1), cut=(2 * n, 0.1))
    lobed, broad = (blade(0.26 * wide, (0.7, 0.7), cut=(n, depth)) for depth in (0.5, 0.12))
    palmate, vine, trefoil = fan(lance, HAND, 0.8), fan(broad, HAND, 0.8), fan(broad, (-75, 75, 0))
    pinnate, ferny = shoot(ovate, ovate, n), shoot(lance, BARE, 2 * n, PAIRED, (0.35, 0.12))
    return pick(rng, ovate, lance, spoon, toothed, lobed, palmate, vine, trefoil, pinnate, ferny)


def bloom_of(rng: Generator) -> Organ:
    wide, crowd = rng.uniform(0.8, 1.2), int(rng.integers(8, 20))
    simple, lily = flower(int(rng.integers(4, 7)), 0.4 * wide), flower(6, 0.2 * wide, tip=0.8)
    daisy, double = flower(crowd, 1.9 / crowd, eye=0.3), flower(8, 0.3 * wide, rings=3)
    cup = fan(blade(0.25 * wide, (0.6, 0.6), FANNED), (-38, 38, -20, 20, 0), wane=0.5)
    umbel = fan(shoot(BUD, simple, 0), tuft(rng, crowd + 3, 80))
    spike = shoot(BUD, BARE, 2 * crowd, SPIRAL, (0.25, 0.06))
    raceme = shoot(pick(rng, simple, nodding(cup)), BARE, crowd, SPIRAL, (0.4, 0.12))
    return pick(rng, simple, lily, daisy, double, cup, nodding(cup), umbel, spike, raceme)


def plant_of(rng: Generator, leaf: Organ, bloom: Organ, fruit: Organ) -> Organ:
    """Returns a plant of one of nine habits."""
    top = bloom if rng.random() < 0.75 else fruit
    leans, nodes = (PAIRED, SPIRAL, ALTERNATE)[rng.integers(3)], int(rng.integers(4, 8))
    girth = rng.uniform(0.12, 0.26)
    roots = fan(blade(girth / 10, (0.3, 1), RIBBED), tuft(rng, 2 * nodes, 70)), 180, 0.25
    herb = shoot(leaf, top, nodes, leans, (0.32, 0.14))
    twig = shoot(leaf, top, nodes - 1, leans, (0.45, 0.3))
    climbing = together((leaf, 0, 1), (fruit, -70, 0.5))
    pinna = blade(rng.uniform(0.1, 0.25), (0.5, 0.9), cut=(nodes, rng.uniform(0, 0.6)))
    frond = shoot(pinna, pinna, 3 * nodes, PAIRED, (rng.uniform(0.15, 0.45), 0.06))
    fronds = fan(frond, tuft(rng, int(rng.integers(1, 6)), rng.uniform(20, 70)))
    straps = fan(blade(girth / 6, (0.2, 1), RIBBED), tuft(rng, 2 * nodes - 5, rng.uniform(15, 60)))
    scapes = fan(shoot(leaf, top, 2, ALTERNATE, (0.12, 0.08)), tuft(rng, nodes - 3, 6 * nodes - 20))
    rosette = fan(leaf, tuft(rng, nodes, 85), wane=0.3)
    taproot, bulb = blade(girth, (0.35, 1.3), ROUNDED), blade(2 * girth, (0.6, 0.6), RIBBED)
    shrub = shoot(twig, twig, 4, ALTERNATE, (0.55, 0.35))
    vine = shoot(climbing, BARE, nodes, ALTERNATE, (0.28, 0.16), rng.uniform(30, 60))
    bulbous = together((straps, 0, 0.8), (scapes, 0, 1), roots, (bulb, 180, 0.2))
    grass = together((straps, 0, 0.8), (scapes, 0, 1), roots)
    turnip = together((scapes, 0, 0.9), (rosette, 0, 0.4), (taproot, 180, 0.5))
    primrose = together((scapes, 0, 1), (rosette, 0, 0.45), roots)
    fern, rooted = together(roots, (fronds, 0, 1)), together(roots, (herb, 0, 1))
    return pick(rng, herb, rooted, shrub, vine, fern, bulbous, grass, turnip, primrose)


def engrave(page: Image.Image, figure: Figure, box: Box) -> None:
    """Fits a figure into a box of the page and prints its marks in order."""
    every = np.concatenate([strokes.ravel() for strokes, _, _ in figure.marks])
    low, high = (complex(edge(every.real), edge(every.imag)) for edge in (np.min, np.max))
    left, top, right, bottom = np.multiply(box, (*page.size, *page.size))
    scale = min((right - left) / (high - low).real, (bottom - top) / (high - low).imag)
    weight = FINE * min(page.width, page.height / 1.5) / 1200
    sparse = max(1, round(1.6 * weight / scale))  # full hatching would clog a small figure
    pen, middle = ImageDraw.Draw(page), complex(left + right, top + bottom) / 2
    for strokes, width, tone in figure.marks:
        placed = ((strokes - (low + high) / 2) * scale).conj() + middle
        for stroke in placed[:: sparse if width == HAIR else 1].view(np.float64).tolist():
            if width:
                pen.line(stroke, tone, max(1, round(width * weight)))
            else:
                pen.polygon(stroke, tone)


def letter(page: Image.Image, rng: Generator) -> None:
    """Draws the plate-mark, the border and the plate's number."""
    pen, (w, h) = ImageDraw.Draw(page), page.size
    for inset, tone, width in ((0.022, 215, 3), *BORDERS[rng.integers(len(BORDERS))]):
        pen.rectangle((inset * w, inset * w, w - inset * w, h - inset * w), None, tone, width)
    x, y, anchor = ((0.5, 0.055, "mt"), (0.9, 0.055, "rt"), (0.5, 0.945, "mb"))[rng.integers(3)]
    face = ImageFont.load_default(w / 42)
    pen.text((x * w, y * h), f"Tab. {rng.choice(NUMERALS.split())}.", INK, face, anchor)


def draw(seed: int, size: tuple[int, int] = (600, 900)) -> Image.Image:
    """Returns a plate: an "L" image of size (width, height) in pixels, dark ink on light paper."""
    rng = default_rng(seed)
    page = Image.new("L", (size[0] * FINE, size[1] * FINE), PAPER)
    letter(page, rng)
    details = int(rng.integers(2, 5)) if rng.random() < 0.5 else 0
    beds = ((0.08, 0.5), (0.52, 0.92)) if rng.random() < 0.15 else ((0.09, 0.91),)
    for left, right in beds:
        plant, leaf, bloom = Figure(rng), leaf_of(rng), bloom_of(rng)
        fruit = pick(rng, FIG, PODS, BUNCH, CHERRIES)
        plant_of(rng, leaf, bloom, fruit)(Spot(plant, 0j, rng.uniform(84, 96), 600))
        engrave(page, plant, (left, 0.1, right, 0.77 if details else 0.91))
    petal, stamens = blade(rng.uniform(0.2, 0.5), (0.9, 0.4), FANNED), tuft(rng, 3 + details, 50)
    pistil = together((fan(STAMEN, stamens), 0, 1), (BUD, 0, rng.uniform(0.3, 0.8)))
    kernel = together((BERRY, 0, 1), (blade(rng.uniform(0.2, 0.5), (0.5, 0.5)), 0, 0.8))
    for i, part in enumerate(rng.permutation(6)[:details]):
        detail, middle = Figure(rng), (i + 1) / (details + 1)
        (leaf, bloom, fruit, petal, pistil, kernel)[part](Spot(detail, 0j, 90, 80))
        engrave(page, detail, (middle - 0.07, 0.8, middle + 0.07, 0.9))
    grain = rng.standard_normal((size[1], size[0]), np.float32) * 1.5
    return Image.fromarray((np.asarray(page.reduce(FINE)) + grain).clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class Impression:
    """How one impression differs from its plate."""

    rotation: float  # degrees anticlockwise
    scale: float
    inking: float  # -1 worn and dry .. 1 heavy
    crop: Box  # shares lost at left, top, right, bottom
    stamped: bool
    bilevel: bool
    noise: float  # standard deviation in grey levels

    @classmethod
    def drawn(cls, rng: Generator) -> "Impression":
        """Returns the circumstances of one impression, drawn at random."""
        left, top, right, bottom = rng.uniform(0, 0.06, 4).tolist()
        rotation, scale, inking, noise = rng.uniform((-3, 0.8, -1, 0), (3, 1.25, 1, 6)).tolist()
        stamped, bilevel = (rng.random(2) < 0.3).tolist()
        return cls(rotation, scale, inking, (left, top, right, bottom), stamped, bilevel, noise)


def inked(sheet: Image.Image, inking: float, rng: Generator) -> Image.Image:
    """Spreads or starves the ink of an "L" sheet, unevenly as a hand-wiped plate does."""
    patches = rng.normal(1 + 0.35 * inking, 0.12, (5, 4)).astype(np.float32)
    gain = np.asarray(Image.fromarray(patches).resize(sheet.size, BILINEAR))
    spread = sheet.filter(ImageFilter.GaussianBlur(0.4 + 0.7 * max(inking, 0)))
    bite = 22 * max(-inking, 0)  # a worn plate loses its finest lines first
    ink = ((PAPER - np.asarray(spread, np.float32)) - bite).clip(0) * gain * (1 + max(inking, 0))
    return Image.fromarray((PAPER - ink).clip(15, PAPER).astype(np.uint8))


def stamp(sheet: Image.Image, rng: Generator) -> Image.Image:
    """Presses an oval library stamp somewhere on an "L" sheet."""
    w, ink = sheet.width / 8, 90
    x, y = rng.uniform((w, w), (sheet.width - w, sheet.height - w)).tolist()
    pressed = Image.new("L", sheet.size, 255)
    pen = ImageDraw.Draw(pressed)
    for rx, ry in ((w, 0.65 * w), (0.93 * w, 0.58 * w)):
        pen.ellipse((x - rx, y - ry, x + rx, y + ry), None, ink, 2)
    pen.text((x, y), "BIBLIOTHECA\nREGIA", ink, ImageFont.load_default(w / 5), "mm", 3, "center")
    aslant = pressed.rotate(rng.uniform(-25, 25), BILINEAR, center=(x, y), fillcolor=255)
    return ImageChops.multiply(sheet, aslant)


def impression(plate: Image.Image, seed: int) -> Image.Image:
    """Returns a later impression of an "L" plate, in mode "L" or "1", that differs by the seed."""
    rng = default_rng(seed)
    how = Impression.drawn(rng)
    size = round(plate.width * how.scale), round(plate.height * how.scale)
    sheet = plate.resize(size, BILINEAR).rotate(how.rotation, BILINEAR, fillcolor=PAPER)
    left, top, right, bottom = np.multiply(how.crop, (*size, *size)).round().astype(int).tolist()
    sheet = inked(sheet.crop((left, top, size[0] - right, size[1] - bottom)), how.inking, rng)
    if how.stamped:
        sheet = stamp(sheet, rng)
    grain = how.noise * rng.standard_normal((sheet.height, sheet.width), np.float32)
    sheet = Image.fromarray((np.asarray(sheet) + grain).clip(0, 255).astype(np.uint8))
    return sheet.point(lambda grey: 255 * (grey > 175), "1") if how.bilevel else sheet
