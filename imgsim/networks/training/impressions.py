"""Simulated impressions: what presses, paper, time, libraries and cameras do to a picture.

All of it is arithmetic on batches of ink, from 0 for paper to 1 for the blackest, on whatever
device; each fate meets a picture by lot. Lots come from one generator on the CPU, so that a seed
gives the same impressions on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imgsim.networks.training import ephemera

ON_PAGE = 0.18
"""The share of impressions that show a good part of the page around the picture."""

UNTOUCHED = 0.06
"""The share of impressions that only the frame changes: clean ones are met with as well."""


@dataclass(frozen=True)
class Surroundings:
    """Texts and marks that pictures are shown beside and under: uint8 (n, 1, side, side)."""

    texts: Tensor
    marks: Tensor

    @classmethod
    def drawn(cls, side: int, seed: int, device: torch.device) -> Surroundings:
        """The same for the same seed."""
        rng = np.random.default_rng([seed, 1])
        made = (ephemera.texts(side, rng), ephemera.marks(side, rng))
        texts, marks = (torch.from_numpy(pages)[:, None].to(device) for pages in made)
        return cls(texts, marks)


class Press:
    """Prints simulated impressions of pictures.

    Args:
        mirror: whether half of the impressions are reversed, so that a copy cut from a print is
            taken for the same picture.
    """

    def __init__(self, surroundings: Surroundings, mirror: bool = False) -> None:
        self._around = surroundings
        self._mirror = mirror

    def impressions(
        self, ink: Tensor, sizes: Tensor, shape: tuple[int, int], lots: torch.Generator
    ) -> Tensor:
        """One impression of each picture.

        Args:
            ink: uint8 (n, side, side), each picture in the middle of its square.
            sizes: (n, 2), its height and width there.
            shape: height and width of the impressions in pixels.

        Returns:
            float32 (n, 1, height, width), 0 for white paper and 1 for black ink.
        """
        draw = _Draw(lots, ink.device, len(ink))
        source = ink[:, None].float() / 255
        framed = self._framed(draw, source, sizes.to(ink.device), shape)
        touched = draw.some(draw.all(1 - UNTOUCHED))
        framed[touched] = self._lived(draw.of(len(touched)), framed[touched])
        return framed

    def _framed(self, draw: _Draw, source: Tensor, sizes: Tensor, shape: tuple[int, int]) -> Tensor:
        """Pictures cropped or with some of their page, (n, 1, *shape)."""
        extent = sizes / source.shape[-1]
        on_page = draw.chance(ON_PAGE)
        margins = _margins(draw, on_page)
        grid = self._grid(draw, extent, margins, shape)
        framed = functional.grid_sample(source, grid, align_corners=False)
        inside = _within(grid, extent, margins)
        framed = framed * inside
        beside = draw.some(torch.where(on_page, 0.75, 0.25))
        if len(beside):
            drawn = draw.of(len(beside))
            text = self._page(drawn, self._around.texts, shape)
            framed[beside] += text * ~inside[beside] * (0.4 + 0.6 * drawn.one(0, 1))
        return framed

    def _grid(self, draw: _Draw, extent: Tensor, margins: Tensor, shape: tuple[int, int]) -> Tensor:
        """Where each pixel of the impressions lies in its source, whose sides run from -1 to 1.

        The cropped or widened picture fits the impression roughly, a little turned, sheared,
        stretched and warped: (n, *shape, 2).
        """
        n = draw.n
        top, bottom, left, right = margins.unbind(1)
        height, width = extent.unbind(1)
        box_height, box_width = height * (1 + top + bottom), width * (1 + left + right)
        middle_y, middle_x = height * (bottom - top) / 2, width * (right - left) / 2
        pixels = torch.minimum(shape[0] / box_height, shape[1] / box_width)
        looser = draw.between(0.88, 1.06, (n,))
        stretch = torch.exp(draw.between(-0.09, 0.09, (n,)))
        span_y = shape[0] / (pixels * looser * stretch)
        span_x = shape[1] / (pixels * looser / stretch)
        free_y, free_x = (span_y - box_height).abs() / 2, (span_x - box_width).abs() / 2
        centre_y = 2 * (middle_y + free_y * draw.between(-1, 1, (n,)))
        centre_x = 2 * (middle_x + free_x * draw.between(-1, 1, (n,)))
        turned = draw.normal((n,))
        angle = torch.deg2rad(turned * torch.where(draw.chance(0.12), 6.0, 1.8))
        shear = 0.02 * draw.normal((n,))
        if self._mirror:
            span_x = span_x * torch.where(draw.chance(0.5), -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        row_x = torch.stack([span_x * cos, span_y * (shear - sin), centre_x], 1)
        row_y = torch.stack([span_x * sin, span_y * cos, centre_y], 1)
        grid = functional.affine_grid(
            torch.stack([row_x, row_y], 1), [n, 1, *shape], align_corners=False
        )
        warp = draw.field(shape, 4, 2) * (0.02 * draw.one(0, 1) ** 2)
        return grid + warp.permute(0, 2, 3, 1)

    def _lived(self, draw: _Draw, ink: Tensor) -> Tensor:
        """Printed well or badly, kept for centuries, and photographed."""
        misfortune = draw.between(0.15, 1, (draw.n,))
        for share, fate in (
            (0.6, _spread),
            (0.7, _toned),
            (0.4, _coloured),
            (0.4, _unevenly_inked),
            (0.4, _worn),
            (0.3, _broken),
            (0.3, self._shown_through),
            (0.25, self._marked),
            (0.35, _lit_unevenly),
            (0.3, _blurred),
            (0.55, _thresholded),
            (0.3, _specked),
            (0.2, _covered),
            (0.15, _edged),
            (0.5, _grained),
            (0.4, _papered),
            (0.4, _blurred),
        ):
            met = draw.some(share * misfortune)
            if len(met):
                ink[met] = fate(draw.of(len(met)), ink[met]).clamp(0, 1)
        return ink

    def _page(self, draw: _Draw, pages: Tensor, shape: tuple[int, int]) -> Tensor:
        """Pages by lot, moved, turned and scaled by lot: float32 (n, 1, *shape)."""
        chosen = pages[draw.whole(len(pages))].float() / 255
        scale = torch.exp(draw.between(-0.7, 0.5, (draw.n,)))
        angle = torch.deg2rad(draw.normal((draw.n,)) * 3)
        shift = draw.between(-0.3, 0.3, (draw.n, 2))
        cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
        matrix = torch.stack(
            [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
        )
        grid = functional.affine_grid(matrix, [draw.n, 1, *shape], align_corners=False)
        return functional.grid_sample(chosen, grid, padding_mode="reflection", align_corners=False)

    def _shown_through(self, draw: _Draw, ink: Tensor) -> Tensor:
        """The other side of the leaf: another picture or a text, reversed, faint and blurred."""
        text = self._page(draw, self._around.texts, _shape(ink))
        other = torch.where(draw.lot(0.5), text, ink.roll(1, 0))
        return ink + _blur(other.flip(-1), 2) * draw.one(0.08, 0.4)

    def _marked(self, draw: _Draw, ink: Tensor) -> Tensor:
        """A library's stamp, or somebody's pen."""
        marks = self._page(draw, self._around.marks, _shape(ink))
        return torch.maximum(ink, marks * draw.one(0.4, 1))


class _Draw:
    """Lots for a batch of n pictures, drawn on the CPU."""

    def __init__(self, lots: torch.Generator, device: torch.device, n: int) -> None:
        self._lots = lots
        self._device = device
        self.n = n

    def of(self, n: int) -> _Draw:
        """The same generator for a batch of another length."""
        return _Draw(self._lots, self._device, n)

    def between(self, low: float, high: float, shape: tuple[int, ...]) -> Tensor:
        return torch.empty(shape).uniform_(low, high, generator=self._lots).to(self._device)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self._lots).to(self._device)

    def chance(self, share: float) -> Tensor:
        """bool (n), true for about that share."""
        return self.between(0, 1, (self.n,)) < share

    def lot(self, share: float) -> Tensor:
        """bool (n, 1, 1, 1), true for about that share."""
        return self.chance(share)[:, None, None, None]

    def one(self, low: float, high: float) -> Tensor:
        """One number for each picture, (n, 1, 1, 1)."""
        return self.between(low, high, (self.n, 1, 1, 1))

    def all(self, value: float) -> Tensor:
        """The same number for each picture, (n)."""
        return torch.full((self.n,), value, device=self._device)

    def some(self, chances: Tensor) -> Tensor:
        """The numbers of the pictures that the lot falls on; each has a chance (n) of its own."""
        return (self.between(0, 1, (self.n,)) < chances).nonzero()[:, 0]

    def number(self, low: int, below: int) -> int:
        """One whole number for all pictures."""
        return int(torch.randint(low, below, (1,), generator=self._lots))

    def whole(self, below: int) -> Tensor:
        """A whole number for each picture, (n)."""
        return torch.randint(below, (self.n,), generator=self._lots).to(self._device)

    def field(self, shape: tuple[int, int], knots: int, channels: int = 1) -> Tensor:
        """Smooth random fields of deviation about 1: (n, channels, *shape)."""
        coarse = self.normal((self.n, channels, knots, knots))
        return functional.interpolate(coarse, shape, mode="bicubic", align_corners=True)

    def noise(self, shape: tuple[int, int]) -> Tensor:
        """Independent noise, (n, 1, *shape), uniform between -1 and 1."""
        return self.between(-1, 1, (self.n, 1, *shape))


def _margins(draw: _Draw, on_page: Tensor) -> Tensor:
    """Shares of the picture's height and width to show beyond it, or if negative to crop it by.

    At top, bottom, left and right, (n, 4).
    """
    inner = draw.between(-0.09, 0.09, (draw.n, 4)) * draw.between(0.2, 1, (draw.n, 1))
    page = draw.between(0, 0.75, (draw.n, 4)) ** 1.5
    return torch.where(on_page[:, None], page, inner)


def _within(grid: Tensor, extent: Tensor, margins: Tensor) -> Tensor:
    """Whether a pixel shows the picture, or what is beyond its edge or cropped off it."""
    top, bottom, left, right = (1 + 2 * margins.clamp(max=0)).unbind(1)
    height, width = extent.unbind(1)
    lowest = torch.stack([-width * left, -height * top], 1)[:, None, None]
    highest = torch.stack([width * right, height * bottom], 1)[:, None, None]
    return ((grid > lowest) & (grid < highest)).all(-1)[:, None]


def _shape(ink: Tensor) -> tuple[int, int]:
    return int(ink.shape[-2]), int(ink.shape[-1])


def _blur(ink: Tensor, passes: int = 1) -> Tensor:
    """Weights 1 2 1 in both directions, repeatedly."""
    for _ in range(passes):
        padded = functional.pad(ink, (1, 1, 1, 1), mode="replicate")
        ink = (padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]) / 4
        ink = (ink[..., :-2] + 2 * ink[..., 1:-1] + ink[..., 2:]) / 4
    return ink


def _spread(draw: _Draw, ink: Tensor) -> Tensor:
    """Ink that runs beyond its line, or does not fill it."""
    fat = functional.max_pool2d(ink, 3, 1, 1)
    lean = -functional.max_pool2d(-ink, 3, 1, 1)
    to = torch.where(draw.lot(0.6), fat, lean)
    return ink + (to - ink) * draw.one(0.1, 0.8)


def _toned(draw: _Draw, ink: Tensor) -> Tensor:
    """Heavier or lighter, harder or softer."""
    gamma = torch.exp(0.5 * draw.normal((draw.n, 1, 1, 1)))
    return ink.clamp(1e-4, 1) ** gamma * draw.one(0.5, 1.5)


def _coloured(draw: _Draw, ink: Tensor) -> Tensor:
    """Washes of colour, which a grey scan shows as tone; each copy was coloured by itself."""
    shape = _shape(ink)
    follows = 3 * _blur(ink, 3)
    wash = (draw.field(shape, 6) - 0.3).clamp(0, 1.2) * follows.clamp(0, 1)
    return ink + wash * draw.one(0.1, 0.6)


def _unevenly_inked(draw: _Draw, ink: Tensor) -> Tensor:
    return ink * (1 + draw.field(_shape(ink), 5) * draw.one(0.1, 0.6)).clamp(0, 2)


def _worn(draw: _Draw, ink: Tensor) -> Tensor:
    """The faintest lines gone first, and more in some places."""
    bite = draw.one(0, 0.35) + 0.15 * draw.field(_shape(ink), 4)
    return (ink - bite.clamp(0, 0.6)).clamp(min=0) * draw.one(1, 1.6)


def _broken(draw: _Draw, ink: Tensor) -> Tensor:
    """Gaps in lines: the ink missing where grain of a random fineness says so."""
    shape = _shape(ink)
    knots = draw.number(12, 48)
    gaps = (draw.field(shape, knots) - draw.one(0.6, 1.6)).clamp(0, 0.25) * 4
    return ink * (1 - gaps)


def _lit_unevenly(draw: _Draw, ink: Tensor) -> Tensor:
    """The gutter of a thick book, a lamp at one side."""
    return 1 - (1 - ink) * (1 - draw.field(_shape(ink), 3).clamp(-0.3, 2) * draw.one(0.1, 0.4))


def _blurred(draw: _Draw, ink: Tensor) -> Tensor:
    soft = _blur(ink, draw.number(1, 4))
    return ink + (soft - ink) * draw.one(0.2, 1)


def _thresholded(draw: _Draw, ink: Tensor) -> Tensor:
    """Made 1-bit, at one level or at the mean of the neighbourhood, as microfilm scanners do.

    Softly: what is 1-bit in a large scan has tones when it is reduced.
    """
    shape = _shape(ink)
    reach = draw.number(3, 14)
    padded = functional.pad(ink, (reach,) * 4, mode="replicate")
    around = functional.avg_pool2d(padded, 2 * reach + 1, 1)
    adaptive = around + draw.one(0.03, 0.2)
    level = torch.where(draw.lot(0.55), adaptive, draw.one(0.15, 0.6).expand(-1, -1, *shape))
    softness = torch.exp(draw.one(math.log(0.015), math.log(0.2)))
    grain = draw.noise(shape) * draw.one(0, 0.15)
    return torch.sigmoid((ink + grain - level) / softness)


def _specked(draw: _Draw, ink: Tensor) -> Tensor:
    """Dust and holes, of a pixel or some."""
    lot = draw.noise(_shape(ink)).abs()
    share = draw.one(0.001, 0.03)
    dark, light = (lot < share).float(), (lot > 1 - share).float()
    large = draw.lot(0.3)
    dark = torch.where(large, functional.max_pool2d(dark, 3, 1, 1), dark)
    return torch.maximum(ink, dark) * (1 - light)


def _covered(draw: _Draw, ink: Tensor) -> Tensor:
    """A piece lost, or something laid over it: a box of one tone."""
    height, width = _shape(ink)
    y = torch.arange(height, device=ink.device).view(1, 1, -1, 1) / height
    x = torch.arange(width, device=ink.device).view(1, 1, 1, -1) / width
    half = draw.between(0.04, 0.22, (draw.n, 2, 1, 1, 1))
    middle = draw.between(0, 1, (draw.n, 2, 1, 1, 1))
    box = ((y - middle[:, 0]).abs() < half[:, 0]) & ((x - middle[:, 1]).abs() < half[:, 1])
    tone = torch.where(draw.lot(0.6), 0.0, draw.one(0, 1))
    return torch.where(box, tone, ink)


def _edged(draw: _Draw, ink: Tensor) -> Tensor:
    """A dark band at a side: the edge of the page against the camera's table."""
    height, width = _shape(ink)
    y = torch.arange(height, device=ink.device).view(1, 1, -1, 1) / height
    x = torch.arange(width, device=ink.device).view(1, 1, 1, -1) / width
    slant = draw.one(-0.05, 0.05)
    along = torch.where(draw.lot(0.5), x + slant * y, 1 - x + slant * y)
    across = torch.where(draw.lot(0.5), y + slant * x, 1 - y + slant * x)
    distance = torch.where(draw.lot(0.7), along, across)
    return torch.where(distance < draw.one(0.01, 0.1), draw.one(0.4, 1), ink)


def _grained(draw: _Draw, ink: Tensor) -> Tensor:
    """Noise of the camera or the film, fine or coarse."""
    noise = draw.noise(_shape(ink))
    noise = torch.where(draw.lot(0.4), 2.5 * _blur(noise), noise)
    return ink + noise * draw.one(0.02, 0.22)


def _papered(draw: _Draw, ink: Tensor) -> Tensor:
    """Brown paper, grey ink."""
    paper = draw.one(0, 0.35) + 0.05 * draw.field(_shape(ink), 8)
    return paper.clamp(min=0) + ink * (draw.one(0.6, 1) - paper).clamp(min=0.2)
