"""Re-use over the decades, and from place to place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from imgsim.database.connection import Connection, table
from imgsim.errors import ImgsimError
from imgsim.plots.layout import lettering, style
from imgsim.plots.layout.page import MARGIN, Box, Page
from imgsim.plots.layout.style import BLACK, BLUE, LINE_MM, PALE, SKY, Drawing
from imgsim.reuse import groups
from imgsim.wording import counted

PLACES = {"single": 4, "double": 9}
LEFT_MM = 13.0
BARS_MM = {"single": 34.0, "double": 42.0}
TICKS = {"single": 5, "double": 10}
CELL_MM = {"single": 8.6, "double": 12.5}
ROW_MM = 5.4
LABEL_MM = {"single": 19.0, "double": 26.0}
SLANTED_MM, ASIDE_MM = 16.0, 11.0
"""How long a slanted name may be, and how far it reaches aside."""

NARROWEST_MM = 6.0
OTHER, UNKNOWN = "other", "not known"
COLOURS = LinearSegmentedColormap.from_list("pictures", ["white", "#CFE3F1", BLUE])
HOW_TO_READ = (
    "Left: where a picture first appeared.",
    "Above: where it appeared again; framed: in the same place.",
)
DARK = 0.8
"""From this share of the scale on, numbers are white."""


@dataclass(frozen=True)
class Decade:
    """How many pictures appeared again in a decade, and how many groups they belong to."""

    decade: int
    groups: int
    images: int


@dataclass(frozen=True)
class Route:
    """How many pictures first seen in one place appeared again in another, or in the same.

    A place is None where it is not known.
    """

    from_place: str | None
    to_place: str | None
    images: int


@dataclass(frozen=True)
class Reuse:
    """All pictures that appeared again, by decade, and by places of first and later appearance."""

    decades: tuple[Decade, ...]
    routes: tuple[Route, ...]

    @property
    def images(self) -> int:
        """Returns how many pictures appeared again."""
        return sum(each.images for each in self.decades)

    @property
    def has_places(self) -> bool:
        """Returns whether the place of any of them is known."""
        return any(each.from_place or each.to_place for each in self.routes)


def gather_reuse(connection: Connection) -> Reuse:
    """Returns what appeared again in a later year (`imgsim.reuse_decade`, `imgsim.reuse_flow`).

    Raises:
        ImgsimError: no groups have been built, or nothing in them is known to have come later.
    """
    groups.status(connection)
    decades = table(
        connection, "select decade, groups, images from imgsim.reuse_decade order by decade"
    )
    if not decades.rows:
        raise _nothing_later(connection)
    routes = table(
        connection,
        """
        select from_place, to_place, sum(images)::bigint
        from imgsim.reuse_flow
        group by from_place, to_place
        order by from_place, to_place
        """,
    )
    return Reuse(
        tuple(Decade(*row) for row in decades.rows), tuple(Route(*row) for row in routes.rows)
    )


def _nothing_later(connection: Connection) -> ImgsimError:
    ((count, dated),) = table(
        connection, "select count(*), count(first_year) from imgsim.reuse_group"
    ).rows
    if not count:
        return ImgsimError(
            "there are no groups of re-use: no two pictures are linked",
            "verify pairs and build groups: imgsim verify, then imgsim group",
        )
    if not dated:
        return ImgsimError(
            f"the year is not known of any picture in the {counted(count, 'group')}, "
            "so re-use cannot be dated",
            "load the books: imgsim metadata load FILE",
        )
    return ImgsimError(
        f"no picture in the {counted(count, 'group')} is known to appear again in a later year",
        "see what there is: imgsim report groups --by books",
    )


@dataclass(frozen=True)
class _Counted:
    """Numbers of pictures by place of first (rows) and of later appearance (columns)."""

    rows: list[str]
    columns: list[str]
    counts: npt.NDArray[np.int64]


@style.styled
def draw_reuse(drawn: Reuse, width: str = "double", places: int | None = None) -> Drawing:
    """Draws pictures that appear again by decade, and between places as a coloured table.

    Args:
        places: how many places are named, those with most pictures; the rest are put together.
            None means 9, in a single column 4.
    """
    page = Page(style.WIDTHS[width])
    first, last = drawn.decades[0].decade, drawn.decades[-1].decade
    when = f"{first}s" if first == last else f"{first}s to {last}s"
    notes = [f"In a later year than the first of their group, {when}"]
    if not drawn.has_places:
        notes.append("Places are not shown: the place of publication is not known of any of them")
    count = drawn.images
    title = f"Re-use: {counted(count, 'picture appears', 'pictures appear')} again"
    y = _legend(page, page.heading(title, notes, []))
    bars = Box(LEFT_MM, y, page.width - LEFT_MM - 3, BARS_MM[width])
    below = y + bars.height + 8
    if not drawn.has_places:
        figure = page.finish(below)
        _bars(page.axes(bars, "decades"), drawn, TICKS[width])
        return figure
    left = LABEL_MM[width]
    room = page.width - left - ASIDE_MM
    # Two columns stay for `other` and `not known`.
    asked = PLACES[width] if places is None else places
    routes = _counted(drawn.routes, min(asked, int(room / NARROWEST_MM) - 2))
    how = [line for text in HOW_TO_READ for line in lettering.wrapped(text, page.width - 2, 2)]
    below = page.lines(MARGIN, below, how) + SLANTED_MM * 0.75 + 1
    cell = min(CELL_MM[width], room / len(routes.columns))
    inside = Box(left, below, cell * len(routes.columns), ROW_MM * len(routes.rows))
    figure = page.finish(below + inside.height + 2)
    _bars(page.axes(bars, "decades"), drawn, TICKS[width])
    _draw_places(page.axes(inside, "places"), routes, left - 2)
    return figure


def named_places(routes: Iterable[Route], most: int) -> list[str]:
    """Returns the places that most pictures come from or appear again in, the commonest first."""
    seen: Counter[str] = Counter()
    for route in routes:
        # A set: what stays in one place is counted once for it.
        for place in {route.from_place, route.to_place} - {None}:
            seen[str(place)] += route.images
    # By name where two are equal: a figure of the same store is the same file.
    return sorted(seen, key=lambda place: (-seen[place], place))[:most]


def _legend(page: Page, y: float) -> float:
    """Draws what the wide and narrow bars count, and returns where the drawing begins (y)."""
    x = MARGIN + 1
    for colour, text in ((SKY, "pictures"), (BLUE, "groups they belong to")):
        page.swatch(Box(x, y + 0.3, 2.4, 2.2), colour)
        page.text(x + 3.4, y, text)
        x += 3.4 + lettering.width(text) + 5
    return y + LINE_MM + 2.5


def _bars(axes: Axes, drawn: Reuse, ticks: int) -> None:
    """Draws for each decade a wide bar of its pictures, in it a narrow one of its groups."""
    decades = [each.decade for each in drawn.decades]
    for of, wide, colour in (("images", 7.6, SKY), ("groups", 3.4, BLUE)):
        heights = [getattr(each, of) for each in drawn.decades]
        axes.bar(decades, heights, width=wide, color=colour, label=of)
    axes.set_xlim(decades[0] - 6, decades[-1] + 6)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}s" if value % 10 == 0 else "")
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _counted(routes: Sequence[Route], most: int) -> _Counted:
    """Returns the counts between the named places, and all others put together."""
    named = named_places(routes, most)
    order = [*named, OTHER, UNKNOWN]
    counts = np.zeros((len(order), len(order)), np.int64)
    for route in routes:
        from_, to = (_called(place, named) for place in (route.from_place, route.to_place))
        counts[order.index(from_), order.index(to)] += route.images
    # A place that only sent has no column, one that only received no row.
    rows, columns = np.flatnonzero(counts.any(axis=1)), np.flatnonzero(counts.any(axis=0))
    return _Counted(
        *([order[row] for row in rows], [order[column] for column in columns]),
        counts[np.ix_(rows, columns)],
    )


def _called(place: str | None, named: Sequence[str]) -> str:
    if place is None:
        return UNKNOWN
    return place if place in named else OTHER


def _draw_places(axes: Axes, routes: _Counted, label_mm: float) -> None:
    """Draws a row for each place of first appearance, and a column for each later one."""
    # By the square root, or London alone would leave every other pair of places white.
    norm = PowerNorm(0.5, 0, routes.counts.max())
    axes.pcolormesh(routes.counts, cmap=COLOURS, norm=norm, edgecolor=PALE, linewidth=0.4)
    axes.invert_yaxis()
    for (row, column), count in np.ndenumerate(routes.counts):
        at = column + 0.5, row + 0.5
        if count:
            colour = "white" if float(norm(int(count))) > DARK else BLACK
            axes.text(*at, f"{count:,}", color=colour, ha="center", va="center_baseline")
        if routes.rows[row] == routes.columns[column] not in (OTHER, UNKNOWN):
            axes.add_patch(
                Rectangle((column, row), 1, 1, fill=False, edgecolor=BLACK, lw=0.8, zorder=3)
            )
    _name_lines(axes.yaxis, routes.rows, label_mm)
    _name_lines(axes.xaxis, routes.columns, SLANTED_MM)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    for label in axes.get_xticklabels():
        label.set(rotation=45, ha="left", rotation_mode="anchor")
    axes.spines[:].set_visible(False)


def _name_lines(axis: Axis, names: Sequence[str], room: float) -> None:
    axis.set_ticks(
        np.arange(len(names)) + 0.5, [lettering.wrapped(name, room, 1)[0] for name in names]
    )
