"""Counts over all images: how far two models agree, and what choosing a threshold means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from imgsim.errors import ImgsimError
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.plots.gather import Overlap, ThresholdCount
from imgsim.plots.layout import lettering, style
from imgsim.plots.layout.page import MARGIN, Box, Page
from imgsim.plots.layout.style import BLUE, DIM, LINE_MM, SERIES, Drawing
from imgsim.wording import counted

PANEL_MM = 48.0
BAR_MM = 6.0


@style.styled
def draw_overlap(table: Overlap, width: str = "single") -> Drawing:
    """Draws a bar for each number of shared neighbours, labelled with images and percent.

    Raises:
        ImgsimError: there are no images.
    """
    total = sum(images for _, images, _ in table.rows)
    if not total:
        raise ImgsimError(
            "no image has neighbour lists of both models", "compute them: imgsim neighbours"
        )
    page = Page(style.WIDTHS[width])
    y = page.heading(
        f"How many of their {table.k} nearest do two models share?",
        [
            f"{style.label(table.model_a)} and {style.label(table.model_b)}",
            f"{counted(total, 'image')}, exact neighbour lists",
        ],
        [table.model_a, table.model_b],
    )
    height = BAR_MM * len(table.rows)
    figure = page.finish(y + height + 10)
    axes = page.axes(Box(11, y, page.width - 11 - 30, height), "overlap")
    shares = [100 * images / total for _, images, _ in table.rows]
    places = range(len(table.rows))
    axes.barh(places, shares, height=0.72, color=BLUE)
    axes.set_yticks(places, [str(shared) for shared, _, _ in table.rows])
    axes.invert_yaxis()
    axes.set_ylabel("shared")
    axes.set_xlabel("images (%)")
    axes.set_xlim(0, max(shares))
    axes.tick_params(axis="y", length=0)
    for place, (_, images, percent), share in zip(places, table.rows, shares, strict=True):
        axes.annotate(
            f"{images:,}  ({percent:.1f} %)",
            *((share, place), (2, 0)),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    return figure


@style.styled
def draw_threshold(
    counts: Mapping[Model, Sequence[ThresholdCount]],
    width: str = "double",
    marked: float | None = None,
) -> Drawing:
    """Draws images with a neighbour, and pairs, at or above each threshold: a line per model.

    The line is dotted where the stored lists do not hold all pairs: there are at least that many.

    Args:
        marked: the threshold to mark; by default each model's own, in its colour.

    Raises:
        ImgsimError: there is nothing to count.
    """
    if not any(counts.values()):
        raise ImgsimError("the store has no model", "add pictures first: imgsim ingest FOLDER")
    page = Page(style.WIDTHS[width])
    models = list(counts)
    y = page.heading("What choosing a threshold means", _threshold_notes(counts, marked), models)
    left, right, figure = _two_panels(page, _legend(page, models, y), width)
    images, pairs = page.axes(left, "images"), page.axes(right, "pairs")
    for (model, rows), (colour, marker, line) in zip(counts.items(), _series(models), strict=True):
        values = [row.threshold for row in rows]
        look: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "markersize": 3,
            "linestyle": line,
        }
        images.plot(values, [row.percent for row in rows], label=style.label(model), **look)
        _pairs(pairs, rows, look)
    images.set_ylim(0, 104)
    images.set_title("Images with a neighbour (%)", loc="left")
    # Not plain logarithms: a threshold that no pair reaches has its point at 0.
    pairs.set_yscale("symlog", linthresh=1)
    pairs.set_ylim(bottom=0)
    pairs.set_title("Pairs (logarithmic)", loc="left")
    pairs.yaxis.set_major_formatter(FuncFormatter(_short_number))
    for axes in (images, pairs):
        _label(axes)
        for threshold, colour in _marks(models, marked).items():
            _mark(axes, threshold, colour)
    return figure


def _two_panels(page: Page, y: float, width: str) -> tuple[Box, Box, Drawing]:
    """Returns axes in two boxes, side by side or one below the other; cuts the page to them."""
    left, right, gap, foot = 10.0, 3.0, 15.0, 11.0
    y += LINE_MM + 1
    across = page.width - left - right
    if width == "single":
        below = y + PANEL_MM + gap
        boxes = Box(left, y, across, PANEL_MM), Box(left, below, across, PANEL_MM)
        return *boxes, page.finish(below + PANEL_MM + foot)
    half = (across - left - right) / 2
    boxes = Box(left, y, half, PANEL_MM), Box(page.width - right - half, y, half, PANEL_MM)
    return *boxes, page.finish(y + PANEL_MM + foot)


def _short_number(value: float, _: int) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value:,.0f}"


def _threshold_notes(
    counts: Mapping[Model, Sequence[ThresholdCount]], marked: float | None
) -> list[str]:
    what = ["Images with a neighbour, and pairs of images, at or above each similarity (cosine)"]
    if marked is None:
        what.append("Marked: " + "; ".join(str(thresholds.of(model)) for model in counts))
    if all(row.complete for rows in counts.values() for row in rows):
        return what
    lowest = min(row.threshold for rows in counts.values() for row in rows)
    partial = "Dotted, hollow: a minimum, because not all pairs are stored"
    return [*what, f"{partial} (imgsim pairs --threshold {lowest:g})"]


def _series(models: Sequence[Model]) -> list[tuple[str, str, str]]:
    return [SERIES[number % len(SERIES)] for number in range(len(models))]


def _legend(page: Page, models: Sequence[Model], y: float) -> float:
    """Draws the models in their colours, and returns where the drawing begins (y)."""
    x = MARGIN + 1
    for model, (colour, marker, line) in zip(models, _series(models), strict=True):
        text = lettering.shortened(style.label(model), page.width - 2 * MARGIN - 10)
        needed = 8 + lettering.width(text) + 4
        if x + needed > page.width - MARGIN and x > MARGIN + 1:
            x, y = MARGIN + 1, y + LINE_MM * 1.2
        middle = y + LINE_MM / 2 - 0.2
        page.paper.plot([x, x + 6.5], [middle] * 2, color=colour, linestyle=line)
        page.paper.plot([x + 3.25], [middle], color=colour, marker=marker, markersize=3)
        page.text(x + 8, y, text)
        x += needed
    return y + LINE_MM + 2


def _pairs(axes: Axes, rows: Sequence[ThresholdCount], look: dict[str, Any]) -> None:
    """Draws complete counts as a solid line, the others dotted up to the first complete one."""
    whole = [row for row in rows if row.complete]
    partial = [row for row in rows if not row.complete]
    if partial:
        shown = [*partial, *whole[:1]]  # to the first complete one, so that the line has no gap
        dotted = {**look, "linestyle": ":", "markerfacecolor": "white"}
        axes.plot(
            [row.threshold for row in shown],
            [row.pairs for row in shown],
            **dotted,
        )
    if whole:
        axes.plot([row.threshold for row in whole], [row.pairs for row in whole], **look)


def _marks(models: Sequence[Model], marked: float | None) -> dict[float, str]:
    """Returns the thresholds to mark and their colours, that of the model whose own it is."""
    if marked is not None:
        return {marked: DIM}
    colours: dict[float, str] = {}
    for model, (colour, _, _) in zip(models, _series(models), strict=True):
        colours[model.threshold] = DIM if model.threshold in colours else colour
    return colours


def _label(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MultipleLocator(0.05))
    axes.xaxis.set_major_formatter("{x:.2f}")
    axes.set_xlabel("threshold (cosine)")


def _mark(axes: Axes, threshold: float, colour: str) -> None:
    axes.axvline(threshold, color=colour, linewidth=0.8, zorder=0)
    axes.annotate(
        f"{threshold:g}",
        *((threshold, 0), (2, 2)),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="bottom",
        color=colour,
    )
