"""All images in two dimensions, a panel for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.plots.classes import Classes, classes_of
from imgsim.plots.gather import Ranking, classes
from imgsim.plots.layout import lettering, style
from imgsim.plots.layout.page import MARGIN, Box, Page
from imgsim.plots.layout.style import BLACK, BLUE, DIM, LARGE, LINE_MM, PALE, RED, Drawing
from imgsim.plots.projection import Projection, principal_components, umap
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.wording import counted

DENSE = 4000
CELLS = {"single": 56, "double": 64}
# A single image is seen on white paper.
DENSITY = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.18, 1, 256)), "density")
COLOUR_BY = {
    "publication_decade": "decade",
    "sub_category": "category",
    "publication_place": "place of publication",
    "ecco_id": "book",
}


@dataclass(frozen=True)
class Panel:
    """One model's map; `ranking` holds what is marked: the query and its matches."""

    model: Model
    projection: Projection
    ranking: Ranking | None = None


@dataclass(frozen=True)
class ImageMap:
    """The panels of a map; `values` holds what its images are coloured by, by their ids.

    `threshold` is None where each panel marks what reaches its model's own.
    """

    panels: tuple[Panel, ...]
    threshold: float | None
    colour_by: str = ""
    values: Mapping[int, str | int | None] = field(default_factory=dict)


def gather_map(
    connection: Connection,
    models: Sequence[Model],
    rankings: Mapping[str, Ranking],
    threshold: float | None,
    colour_by: str = "",
    method: str = "pca",
) -> ImageMap:
    """Returns all images of each model in two dimensions.

    Args:
        rankings: by model name, the query and its matches at or above the threshold; may be empty.
        colour_by: a column of `COLOUR_BY`, or empty.
        method: `pca` or `umap`.

    Raises:
        ImgsimError: a model has no vectors, or UMAP is requested but not installed.
    """
    panels = []
    for model in models:
        vectors = read_vectors(connection, model)
        if not len(vectors.ids):
            raise ImgsimError(
                f"{model.name} has looked at no picture",
                f"imgsim ingest --model {model.name} FOLDER",
            )
        place = umap if method == "umap" else principal_components
        panels.append(Panel(model, place(vectors), rankings.get(model.name)))
    values = classes(connection, colour_by) if colour_by else {}
    return ImageMap(tuple(panels), threshold, colour_by, values)


@style.styled
def draw_map(drawn: ImageMap, width: str = "double") -> Drawing:
    """Draws a panel for each model: single images, or above 4,000 what lies in each cell.

    The query is a black star, images at or above the threshold are red diamonds.
    """
    page = Page(style.WIDTHS[width])
    known = classes_of(drawn.values, drawn.colour_by) if drawn.colour_by else None
    models = [panel.model for panel in drawn.panels]
    y = page.heading(_title(drawn), _notes(drawn, known), models)
    y = _legend(page, drawn, known, y)
    columns = 1 if width == "single" or len(drawn.panels) == 1 else 2
    gap = 9.0
    side = (page.width - 7.0 - MARGIN - 2 - (columns - 1) * gap) / columns
    tall = min(side, 100.0)
    head, foot = LINE_MM + 1.5, 8.0
    rows = -(-len(drawn.panels) // columns)
    figure = page.finish(y + rows * (head + tall + foot))
    for number, panel in enumerate(drawn.panels):
        x = 7.0 + number % columns * (side + gap)
        top = y + number // columns * (head + tall + foot) + head
        axes = page.axes(Box(x, top, side, tall), panel.model.name)
        _draw(axes, panel, drawn, known, CELLS[width])
        text = f"{style.label(panel.model)}: {_marked_count(panel)}"
        room = side + gap / 2
        page.text(x, top - head, lettering.shortened(text, room, bold=True), bold=True)
    return figure


def _title(drawn: ImageMap) -> str:
    counts = {len(panel.projection.ids) for panel in drawn.panels}
    title = counted(max(counts), "image") if len(counts) == 1 else "All images"
    ranking = next((panel.ranking for panel in drawn.panels if panel.ranking), None)
    by = f" by {COLOUR_BY[drawn.colour_by]}" if drawn.colour_by else ""
    return f"{title}{by}" + (f", and those like {ranking.query.name}" if ranking else "")


def _notes(drawn: ImageMap, known: Classes | None) -> list[str]:
    dense = any(len(panel.projection.ids) > DENSE for panel in drawn.panels)
    notes = ["Vectors in two dimensions; images that lie together are similar"]
    if any(panel.ranking for panel in drawn.panels):
        models = [panel.model for panel in drawn.panels if panel.ranking]
        least = dict.fromkeys(str(thresholds.of(model, drawn.threshold)) for model in models)
        notes.append(
            "Black star: the query; red: images with a similarity (cosine) to it of at least "
            + "; ".join(least)
        )
    if known and dense:
        what = COLOUR_BY[drawn.colour_by]
        notes.append(f"Each cell is coloured by {known.cell_rule} {what} of its images")
    return notes


def _marked_count(panel: Panel) -> str:
    total = counted(len(panel.projection.ids), "image")
    return f"{total}, {len(panel.ranking.matches):,} red" if panel.ranking else total


def _legend(page: Page, drawn: ImageMap, known: Classes | None, y: float) -> float:
    """Draws what the colours mean, and returns where the panels begin (y)."""
    if known:
        return known.legend(page, y) + 2
    if not any(_is_dense(panel) for panel in drawn.panels):
        return y
    told = "Images in a cell (logarithmic): one"
    page.text(MARGIN, y, told, colour=DIM)
    x = MARGIN + lettering.width(told) + 1.5
    page.gradient(Box(x, y + 0.2, 18, 2.2), DENSITY)
    page.text(x + 19.5, y, "the most in the panel", colour=DIM)
    return y + LINE_MM + 2


def _is_dense(panel: Panel) -> bool:
    return len(panel.projection.ids) > DENSE


def _draw(axes: Axes, panel: Panel, drawn: ImageMap, known: Classes | None, cells: int) -> None:
    points = panel.projection.points
    colours = known.numbers(panel.projection.ids) if known else None
    if _is_dense(panel):
        _draw_cells(axes, points, known, colours, cells)
    elif known and colours is not None:
        size = _size(len(points))
        for shown, colour in known.layers(colours):
            axes.scatter(
                points[shown, 0],
                points[shown, 1],
                s=size,
                color=colour,
                linewidths=0,
                alpha=0.85,
                rasterized=True,
            )
    else:
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=_size(len(points)),
            color=BLUE,
            alpha=0.55,
            linewidths=0,
            rasterized=True,
        )
    _mark(axes, panel)
    axes.set_xlabel(panel.projection.axes[0])
    axes.set_ylabel(panel.projection.axes[1], labelpad=1)
    axes.set_xticks([])
    axes.set_yticks([])
    _frame(axes, points)


def _draw_cells(
    axes: Axes,
    points: npt.NDArray[np.float64],
    known: Classes | None,
    colours: npt.NDArray[np.float64] | None,
    cells: int,
) -> None:
    if known is None or colours is None:
        drawn = axes.hexbin(
            points[:, 0],
            points[:, 1],
            gridsize=cells,
            norm=LogNorm(),
            cmap=DENSITY,
            mincnt=1,
            linewidths=0.1,
        )
    else:
        drawn = axes.hexbin(
            points[:, 0],
            points[:, 1],
            C=colours,
            gridsize=cells,
            reduce_C_function=known.of_cell,
            cmap=known.colour_map,
            norm=known.norm,
            linewidths=0.1,
        )
    # Thousands of shapes drawn as vectors make a PDF large and slow to show.
    drawn.set_rasterized(True)


def _size(count: int) -> float:
    """Returns the area of a point: large enough to be seen, small enough not to cover others."""
    return float(np.clip(3000 / max(count, 1), 2.5, 24))


def _frame(axes: Axes, points: npt.NDArray[np.float64]) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    # Equal vectors lie on one point, and axes need a length.
    spare = np.maximum((high - low) * 0.04, 1e-6)
    axes.set_xlim(low[0] - spare[0], high[0] + spare[0])
    axes.set_ylim(low[1] - spare[1], high[1] + spare[1])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(PALE)


def _mark(axes: Axes, panel: Panel) -> None:
    if panel.ranking is None:
        return
    place = {int(image_id): row for row, image_id in enumerate(panel.projection.ids)}
    ids = [match.illustration.image_id for match in panel.ranking.matches]
    # A match may have been stored after the vectors were read.
    rows = [place[image_id] for image_id in ids if image_id in place]
    points = panel.projection.points
    axes.scatter(
        points[rows, 0],
        points[rows, 1],
        s=16 if len(rows) < 200 else 7,
        marker="D",
        color=RED,
        edgecolors="white",
        linewidths=0.4,
        zorder=4,
        gid="matches",
    )
    query = panel.ranking.query.image_id
    if query in place:
        axes.scatter(
            points[[place[query]], 0],
            points[[place[query]], 1],
            s=8 * LARGE,
            marker="*",
            color=BLACK,
            edgecolors="white",
            linewidths=0.6,
            zorder=5,
            gid="query",
        )
