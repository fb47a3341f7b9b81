"""A picture and those most like it, in rows: one or more rows for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from imgsim.errors import ImgsimError
from imgsim.plots.gather import Illustration, Ranking
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import BLACK, DIM, LINE_MM, RED, Drawing
from imgsim.wording import score_text

COLUMNS = {"single": 3, "double": 6}
GAPS = {"single": 0.8, "double": 2.0}
TALLEST = {"single": 1.1, "double": 1.3}
BOOK_LINES = 3


@dataclass(frozen=True)
class _Cell:
    picture: Image.Image | str
    size: tuple[float, float]
    illustration: Illustration
    head: str
    is_query: bool

    def caption(self, room: float) -> list[str]:
        name = lettering.wrapped(self.illustration.name, room, 2)
        return name + lettering.wrapped(self.illustration.book, room, BOOK_LINES)


@style.styled
def draw_grid(rankings: Sequence[Ranking], width: str = "double") -> Drawing:
    """Draws the query and its nearest, with rank, score, name, year and book, model by model.

    Args:
        rankings: of one query, one for each model.
        width: `single` or `double` column.
    """
    if not rankings:
        raise ImgsimError("cannot draw without a model", "name at least one model")
    page = Page(style.WIDTHS[width])
    models = [ranking.model for ranking in rankings]
    y = page.heading(
        f"The pictures most like {rankings[0].query.name}",
        ["Rank and cosine similarity; the query has a black frame"],
        models,
    )
    for ranking in rankings:
        y = _rows(page, ranking, y, width)
    return page.finish(y)


def _rows(page: Page, ranking: Ranking, y: float, width: str) -> float:
    columns, gap = COLUMNS[width], GAPS[width]
    untrained = style.is_untrained(ranking.model)
    page.text(MARGIN, y, style.label(ranking.model), bold=True, colour=RED if untrained else BLACK)
    y += LINE_MM + 0.8
    room = page.width - 2 * MARGIN
    for line in lettering.wrapped(ranking.shortfall, room, 2):
        page.text(MARGIN, y, line, colour=DIM)
        y += LINE_MM
    cell_width = (room - (columns - 1) * gap) / columns
    cells = _cells(ranking, cell_width, TALLEST[width] * cell_width)
    for start in range(0, len(cells), columns):
        y = _row(page, cells[start : start + columns], y, cell_width, gap)
    return y + 1.5


def _cells(ranking: Ranking, width: float, tallest: float) -> list[_Cell]:
    shown = [(ranking.query, "query", True)]
    shown += [
        (match.illustration, f"{rank}   {score_text(match.similarity, 3)}", False)
        for rank, match in enumerate(ranking.matches, 1)
    ]
    cells = []
    for illustration, head, is_query in shown:
        picture = thumbnails.read(illustration, max(width, tallest))
        size = contained(picture, width, tallest)
        cells.append(_Cell(picture, size, illustration, head, is_query))
    return cells


def _row(page: Page, cells: Sequence[_Cell], y: float, width: float, gap: float) -> float:
    """Draws one row of pictures standing on a line, and returns where the next begins (y)."""
    floor = y + max(cell.size[1] for cell in cells)
    end = floor
    for number, cell in enumerate(cells):
        x = MARGIN + number * (width + gap)
        box = Box(x, floor - cell.size[1], *cell.size)
        frame = BLACK if cell.is_query else ""
        page.picture(box, cell.picture, cell.illustration.name, frame)
        page.text(x, floor + 1, cell.head, bold=True)
        end = max(end, page.lines(x, floor + 1 + LINE_MM, cell.caption(width)))
    return end + 2
