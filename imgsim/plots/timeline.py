"""The matches of a picture, by the year of their books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator
from PIL import Image

from imgsim.networks import thresholds
from imgsim.plots.gather import Illustration, Ranking
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import BLACK, DIM, GREY, LINE_MM, RED, Drawing
from imgsim.wording import counted, score_text

THUMBNAIL = {"single": 15.0, "double": 20.0}
MOST_SHOWN = {"single": 14, "double": 30}
GAP = 1.2
STEM = 5.0
ASIDE = 2.0
ASIDE_COST = 0.25
NAME_LINES = 2


@dataclass(frozen=True)
class Appearance:
    """A picture in the timeline: the query (similarity None), or a match with its rank."""

    illustration: Illustration
    rank: int
    similarity: float | None

    @property
    def head(self) -> str:
        """Returns year and score, for a caption."""
        year = self.illustration.year
        told = "query" if self.similarity is None else score_text(self.similarity, 3)
        return told if year is None else f"{year}  {told}"


@dataclass(frozen=True)
class Placed:
    """An appearance on the page: its picture, the picture's box, and the box with its caption."""

    appearance: Appearance
    picture: Image.Image | str
    box: Box
    whole: Box
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """The place of a year on the page, linear from `left` mm (`first`) to `right` mm (`last`)."""

    first: int
    last: int
    left: float
    right: float

    def x(self, year: float) -> float:
        """Returns millimetres from the left edge of the page."""
        return self.left + (year - self.first) / (self.last - self.first) * (self.right - self.left)


@style.styled
def draw_timeline(ranking: Ranking, threshold: float | None, width: str = "double") -> Drawing:
    """Draws the query and its matches above their years, the earliest at the left.

    The pictures stand at or near their year and do not overlap. The nearest 30 (14 in a single
    column) are shown, all others as a dot at their year. Those without a year stand apart.
    """
    page = Page(style.WIDTHS[width])
    everything = [Appearance(ranking.query, 0, None)]
    everything += [
        Appearance(match.illustration, rank, match.similarity)
        for rank, match in enumerate(ranking.matches, 1)
    ]
    dated = [item for item in everything if item.illustration.year is not None]
    undated = [item for item in everything if item.illustration.year is None]
    y = _heading(page, ranking, threshold, everything, width)
    shown = [item for item in everything[: MOST_SHOWN[width]] if item in dated]
    if dated:
        y = _draw_dated(page, dated, shown, y, width)
    if undated:
        y = _draw_undated(page, undated, y, width)
    return page.finish(y)


def _heading(
    page: Page,
    ranking: Ranking,
    threshold: float | None,
    everything: Sequence[Appearance],
    width: str,
) -> float:
    years = [item.illustration.year for item in everything if item.illustration.year is not None]
    span = f", {min(years)} to {max(years)}" if years and min(years) != max(years) else ""
    count = len(ranking.matches)
    what = f"{counted(count, 'picture')} like {ranking.query.name}{span}"
    least = thresholds.of(ranking.model, threshold)
    left_out = len(everything) - MOST_SHOWN[width]
    notes = [
        f"Similarity (cosine) by {style.label(ranking.model)} of at least {least}",
        f"The nearest {MOST_SHOWN[width]} are shown, {left_out:,} more as dots at their years"
        if left_out > 0
        else "",
        ranking.shortfall,
    ]
    return page.heading(what, notes, [ranking.model])


def arrange(shown: Sequence[Appearance], axis: Axis, width: str) -> tuple[list[Placed], float]:
    """Places pictures above their years without overlap; y is negative, up from the axis.

    A picture is moved aside where that saves height: its caption says the year, and in the
    lowest row a stem leads to it.

    Returns:
        The pictures in order of year, and how high they reach in millimetres.
    """
    size = THUMBNAIL[width]
    placed: list[Placed] = []
    # From the left: what is placed later has its free side to the right, and is moved there.
    order = sorted(shown, key=lambda item: (item.illustration.year or 0, item.rank))
    for item in order:
        picture = thumbnails.read(item.illustration, size)
        across, down = contained(picture, size, size)
        lines = tuple(lettering.wrapped(item.illustration.name, lettering.NAME_MM, NAME_LINES))
        written = max([lettering.width(item.head, bold=True), *map(lettering.width, lines)])
        tall = down + 0.7 + (1 + len(lines)) * LINE_MM
        taken = [other.whole for other in placed]
        middle = axis.x(item.illustration.year or axis.first)
        whole = _free_place(max(across, written), tall, middle, taken, style.WIDTHS[width])
        box = Box(whole.x + (whole.width - across) / 2, whole.y, across, down)
        placed.append(Placed(item, picture, box, whole, lines))
    return placed, max((-item.whole.y for item in placed), default=0.0)


def _free_place(wide: float, tall: float, middle: float, taken: Sequence[Box], page: float) -> Box:
    """Returns the lowest free place for a box near its year: a little higher or a little aside."""
    best, least = None, float("inf")
    most = page - MARGIN - wide
    for step in range(round(page / ASIDE)):
        aside = (step + 1) // 2 * ASIDE * (1 if step % 2 else -1)
        x = min(max(middle - wide / 2 + aside, MARGIN), most)
        # From here on every place costs more than the best: the way aside alone does.
        if ASIDE_COST * abs(aside) >= least:
            break
        box = Box(x, -STEM - tall, wide, tall)
        while blocking := [other.y for other in taken if box.gap(other) < GAP - 1e-6]:
            box = Box(x, min(blocking) - GAP - tall, wide, tall)
        cost = -box.y + ASIDE_COST * abs(aside)
        if cost < least - 1e-6:
            best, least = box, cost
    assert best is not None
    return best


def _draw_dated(
    page: Page, dated: Sequence[Appearance], shown: Sequence[Appearance], y: float, width: str
) -> float:
    axis = _axis([item.illustration.year or 0 for item in dated], page.width)
    placed, height = arrange(shown, axis, width)
    floor = y + height + 1
    page.paper.plot([axis.left, axis.right], [floor, floor], color=BLACK, linewidth=0.8)
    for item in placed:
        _draw_one(page, item, axis, floor)
    _draw_dots(page, Counter(item.illustration.year or 0 for item in dated), axis, floor)
    for tick in MaxNLocator(
        6 if width == "single" else 10, integer=True, steps=[1, 2, 5, 10]
    ).tick_values(axis.first, axis.last):
        if axis.first <= tick <= axis.last:
            x = axis.x(tick)
            page.paper.plot([x, x], [floor, floor + 1], color=BLACK, linewidth=0.6)
            page.text(x, floor + 1.6, f"{tick:.0f}", align="center")
    return floor + 1.6 + LINE_MM + 1


def _axis(years: Sequence[int], width: float) -> Axis:
    first, last = min(years), max(years)
    # At least two years: of one year alone the axis would have no length.
    spare = max(2, round((last - first) * 0.03))
    return Axis(first - spare, last + spare, MARGIN + 4, width - MARGIN - 4)


def _draw_one(page: Page, item: Placed, axis: Axis, floor: float) -> None:
    box = Box(item.box.x, floor + item.box.y, item.box.width, item.box.height)
    query = item.appearance.similarity is None
    year = axis.x(item.appearance.illustration.year or 0)
    stem = min(max(year, item.whole.x), item.whole.x + item.whole.width)
    foot = item.whole.y + item.whole.height
    if foot > -STEM - 1:  # of a higher one only pieces could be seen
        page.paper.plot([stem, year], [floor + foot, floor], color=GREY, lw=0.5, zorder=1)
    # Stems of higher pictures pass behind this one's caption.
    page.backed(Box(item.whole.x, floor + item.whole.y, item.whole.width, item.whole.height))
    page.picture(box, item.picture, item.appearance.illustration.name, BLACK if query else "")
    middle = item.whole.x + item.whole.width / 2
    below = box.y + box.height + 0.7
    page.text(middle, below, item.appearance.head, bold=True, align="center")
    page.lines(middle, below + LINE_MM, item.lines, align="center")


def _draw_dots(page: Page, years: Counter[int], axis: Axis, floor: float) -> None:
    """Draws a dot at every year of an appearance, larger where there are more."""
    for year, count in sorted(years.items()):
        page.paper.scatter([axis.x(year)], [floor], s=6 + 3 * min(count, 20), color=RED, zorder=5)


def _draw_undated(page: Page, undated: Sequence[Appearance], y: float, width: str) -> float:
    """Draws pictures without a year in rows, and names those that are not shown."""
    page.text(MARGIN, y, f"Without a year: {len(undated):,}", bold=True)
    y += LINE_MM + 1
    size = THUMBNAIL[width]
    step = lettering.NAME_MM + 0.4
    columns = int((page.width - 2 * MARGIN + 0.5) // step)
    shown = undated[: MOST_SHOWN[width] // 2]
    for start in range(0, len(shown), columns):
        row = [(item, thumbnails.read(item.illustration, size)) for item in shown[start:][:columns]]
        sizes = [contained(picture, size, size) for _, picture in row]
        floor = y + max(height for _, height in sizes)
        end = floor
        for number, ((item, picture), extent) in enumerate(zip(row, sizes, strict=True)):
            x = MARGIN + number * step
            frame = BLACK if item.similarity is None else ""
            page.picture(Box(x, floor - extent[1], *extent), picture, item.illustration.name, frame)
            page.text(x, floor + 0.7, item.head, bold=True)
            lines = lettering.wrapped(item.illustration.name, lettering.NAME_MM, NAME_LINES)
            end = max(end, page.lines(x, floor + 0.7 + LINE_MM, lines))
        y = end + 1.5
    if len(undated) > len(shown):
        page.text(MARGIN, y, f"and {len(undated) - len(shown):,} more", colour=DIM)
        y += LINE_MM
    return y + 1
