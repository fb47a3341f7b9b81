"""A picture in the middle, and those like it around it at their true distance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Circle
from PIL import Image

from imgsim.errors import ImgsimError
from imgsim.plots.gather import Match, Ranking
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import BLACK, DIM, GREY, LINE_MM, Drawing
from imgsim.wording import counted, score_text

THUMBNAILS = {"single": (13.0, 11.0, 9.0, 7.0, 5.5), "double": (24.0, 20.0, 17.0, 14.0, 11.0, 8.0)}
INNER = (0.42, 0.5, 0.58, 0.66, 0.74)
ANGLES = 144
CLEAR = 0.6
STEPS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST_RINGS = 5


@dataclass(frozen=True)
class Scale:
    """Where a distance (1 - cosine) is drawn: `inner` mm from the centre for 0, `outer` for `most`.

    `rings` are the distances that are drawn as circles.
    """

    inner: float
    outer: float
    most: float
    rings: tuple[float, ...]

    def radius(self, distance: float) -> float:
        """Returns millimetres from the centre, linear in the distance."""
        return self.inner + (self.outer - self.inner) * distance / self.most


@dataclass(frozen=True)
class Placed:
    """A match with its picture; `box` is the picture's, `whole` includes the caption below."""

    match: Match
    picture: Image.Image | str
    box: Box
    whole: Box
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A query and its placed matches, none of which overlap; the centre is (0, 0)."""

    query: Box
    scale: Scale
    placed: tuple[Placed, ...]
    keyed: bool


@style.styled
def draw_around(ranking: Ranking, width: str = "double") -> Drawing:
    """Draws the query in the middle and its matches at their distance (1 - cosine) from it.

    The radius is that of the distance, on the scale that the rings state; only the angle is chosen,
    so that no two pictures overlap. Below each stand rank, score and name; where there is no room,
    the names are in a key below.

    Raises:
        ImgsimError: there are no matches, or too many to be placed without overlap.
    """
    if not ranking.matches:
        raise ImgsimError(
            ranking.shortfall or f"no picture is like {ranking.query.name}",
            "ask for more with -k",
        )
    layout = arrange(ranking, width)
    page = Page(style.WIDTHS[width])
    ring = layout.scale.rings[1] - layout.scale.rings[0]
    y = page.heading(
        f"{counted(len(ranking.matches), 'picture')} around {ranking.query.name}, "
        f"by {ranking.model.name}",
        [
            _how_to_read(ranking, ring),
            ranking.shortfall,
        ],
        [ranking.model],
    )
    top, bottom = _extent(layout)
    centre = (page.width / 2, y - top)
    _draw(page, ranking, layout, centre)
    y = centre[1] + bottom + 2
    return page.finish(_key(page, layout, y) if layout.keyed else y)


def _how_to_read(ranking: Ranking, ring: float) -> str:
    return (
        f"Weights: {ranking.model.weights}. A picture's centre is at its distance from the query, "
        f"1 - cosine: 0 on the inner ring (cosine 1), {ring:g} more on each further ring"
    )


def arrange(ranking: Ranking, width: str) -> Layout:
    """Places the matches of a ranking, with pictures as large and names as near as fits.

    Raises:
        ImgsimError: they do not fit, however small.
    """
    half = style.WIDTHS[width] / 2 - MARGIN
    keyed_first = [True] if width == "single" else [False, True]
    # In the order in which a reader would give things up: names below, size, evenness.
    for keyed, size, inner, close in itertools.product(
        keyed_first, THUMBNAILS[width], INNER, (False, True)
    ):
        layout = _try(ranking, half, size, inner, keyed, close)
        if layout:
            return layout
    raise ImgsimError(
        f"cannot place {counted(len(ranking.matches), 'picture')} without overlap",
        "ask for fewer with -k" + (", or give --width double" if width == "single" else ""),
    )


def _try(
    ranking: Ranking, half: float, size: float, inner: float, keyed: bool, close: bool
) -> Layout | None:
    picture = thumbnails.read(ranking.query, size * 1.2)
    width, height = contained(picture, size * 1.2, size * 1.2)
    query = Box(-width / 2, -height / 2, width, height)
    shown = [_shown(rank, match, size, keyed) for rank, match in enumerate(ranking.matches, 1)]
    widest = max(whole.width for *_, whole in shown)
    outer = half - widest / 2
    if outer * inner < max(query.width, query.height) / 2 + 1:
        return None
    scale = _scale([1 - match.similarity for match in ranking.matches], outer * inner, outer)
    placed: list[Placed] = []
    taken = [query]
    for number, (match, item, box, lines, whole) in enumerate(shown):
        radius = scale.radius(max(0.0, 1 - match.similarity))
        angle = _best_angle(whole, radius, taken, half, 0 if close else number, close)
        if angle is None:
            return None
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        moved = _moved(whole, x, y)
        taken.append(moved)
        placed.append(Placed(match, item, _moved(box, x, y), moved, lines))
    return Layout(query, scale, tuple(placed), keyed)


def _shown(
    rank: int, match: Match, size: float, keyed: bool
) -> tuple[Match, Image.Image | str, Box, tuple[str, ...], Box]:
    """Returns a picture centred on (0, 0), its caption, and the box around both."""
    item = thumbnails.read(match.illustration, size)
    width, height = contained(item, size, size)
    room = max(size, lettering.NAME_MM)
    score = f"{rank}  {score_text(match.similarity, 3)}"
    lines = (score,) if keyed else (score, *lettering.wrapped(match.illustration.name, room, 2))
    written = max(
        [lettering.width(lines[0], bold=True), *(lettering.width(line) for line in lines[1:])]
    )
    across = max(width, written)
    box = Box(-width / 2, -height / 2, width, height)
    whole = Box(-across / 2, -height / 2, across, height + 0.7 + len(lines) * LINE_MM)
    return match, item, box, lines, whole


def _moved(box: Box, x: float, y: float) -> Box:
    return Box(box.x + x, box.y + y, box.width, box.height)


def _best_angle(
    whole: Box, radius: float, taken: Sequence[Box], half: float, number: int, close: bool
) -> float | None:
    """Returns the angle at which a box is farthest from those placed; None if it always overlaps.

    With `close` it is the first angle without overlap: less even, but more boxes find room.
    """
    best, clearest = None, CLEAR
    for step in range(ANGLES):
        # Each search begins a golden angle farther: neighbours in rank are spread all round.
        angle = -np.pi / 2 + 2 * np.pi * ((number * 0.381966 + step / ANGLES) % 1)
        moved = _moved(whole, radius * np.cos(angle), radius * np.sin(angle))
        if moved.x < -half or moved.x + moved.width > half:
            continue
        clear = min(moved.gap(other) for other in taken)
        if close and clear > CLEAR:
            return float(angle)
        # More than rounding, so that every machine chooses the same angle.
        if clear > clearest + 1e-9:
            best, clearest = float(angle), clear
    return best


def _scale(distances: Sequence[float], inner: float, outer: float) -> Scale:
    most = max(max(distances), STEPS[0])
    step = next((s for s in STEPS if most / s <= MOST_RINGS), 1.0)
    rings = tuple(step * n for n in range(int(np.ceil(most / step - 1e-9)) + 1))
    return Scale(inner, outer, rings[-1], rings)


def _extent(layout: Layout) -> tuple[float, float]:
    """Returns how far everything reaches above and below the centre, in millimetres."""
    outer = layout.scale.outer
    top = min(item.whole.y for item in layout.placed)
    bottom = max(item.whole.y + item.whole.height for item in layout.placed)
    return min(top, -outer) - 1, max(bottom, outer) + 1


def _draw(page: Page, ranking: Ranking, layout: Layout, centre: tuple[float, float]) -> None:
    x, y = centre
    for number, distance in enumerate(layout.scale.rings):
        ring = Circle(
            centre,
            layout.scale.radius(distance),
            fill=False,
            edgecolor=GREY if number else DIM,
            linewidth=0.5 if number else 0.9,
            linestyle=(0, (3, 3)) if number else "-",
            zorder=1,
        )
        ring.set_gid(f"ring {distance:g}")
        page.paper.add_patch(ring)
    query = _moved(layout.query, x, y)
    for item in layout.placed:
        box, whole = _moved(item.box, x, y), _moved(item.whole, x, y)
        page.paper.plot([x, box.centre[0]], [y, box.centre[1]], color=GREY, lw=0.5, zorder=1.5)
        page.picture(box, item.picture, item.match.illustration.name)
        below = box.y + box.height + 0.7
        page.backed(Box(whole.x, below, whole.width, len(item.lines) * LINE_MM))
        page.text(box.centre[0], below, item.lines[0], bold=True, align="center")
        page.lines(box.centre[0], below + LINE_MM, item.lines[1:], align="center")
    side = max(query.width, query.height)
    page.picture(query, thumbnails.read(ranking.query, side), ranking.query.name, BLACK)
    _label_rings(page, layout, centre)


def _label_rings(page: Page, layout: Layout, centre: tuple[float, float]) -> None:
    """Writes its cosine on each ring, where no picture is."""
    top, bottom = _extent(layout)
    taken = [item.whole for item in layout.placed]
    decimals = max(2, len(f"{layout.scale.rings[1]:.4f}".rstrip("0")) - 2)
    for distance in layout.scale.rings:
        text = f"{1 - distance:.{decimals}f}"
        wide = lettering.width(text) + 0.6
        for x, y in _on_ring(layout.scale.radius(distance)):
            box = Box(x - wide / 2, y - LINE_MM / 2, wide, LINE_MM)
            inside = abs(x) + wide / 2 < page.width / 2 and top < box.y < bottom - LINE_MM
            if inside and min(box.gap(other) for other in taken) > 0.3:
                taken.append(box)
                page.backed(_moved(box, *centre))
                page.text(centre[0] + x, centre[1] + box.y, text, colour=DIM, align="center")
                break


def _on_ring(radius: float) -> Iterator[tuple[float, float]]:
    for step in range(ANGLES):
        angle = np.pi / 4 + 2 * np.pi * step / ANGLES
        yield float(radius * np.cos(angle)), float(radius * np.sin(angle))


def _key(page: Page, layout: Layout, y: float) -> float:
    """Writes rank, score, name and book of each picture, one below the other."""
    for rank, item in enumerate(layout.placed, 1):
        found = item.match.illustration
        text = f"{rank}  {found.name}" + (f": {found.book}" if found.book else "")
        page.text(MARGIN, y, lettering.wrapped(text, page.width - 2 * MARGIN, 1)[0])
        y += LINE_MM
    return y + 1
