"""A sheet of paper measured in millimetres from its upper left corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle
from PIL import Image

from imgsim.networks.models import Model
from imgsim.plots.layout import lettering, style
from imgsim.plots.layout.style import BLACK, DIM, GREY, LARGE, LINE_MM, PALE, RED, SMALL

MARGIN = 1.0


@dataclass(frozen=True)
class Box:
    """A rectangle on the page: its upper left corner, width and height, in millimetres."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Returns the middle of the rectangle (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    def gap(self, other: Box) -> float:
        """Returns how far apart two boxes are in millimetres, negative where they overlap."""
        across = max(other.x - self.x - self.width, self.x - other.x - other.width)
        down = max(other.y - self.y - self.height, self.y - other.y - other.height)
        if across > 0 and down > 0:
            return float(np.hypot(across, down))
        return max(across, down)


class Page:
    """A sheet that is drawn on from the top downwards; `finish` cuts it to its height."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.figure = style.drawing(width, width)
        self.paper = self.figure.add_axes((0.0, 0.0, 1.0, 1.0), label="paper")
        self.paper.set_axis_off()
        # Or matplotlib would fit the axes to what is drawn, and millimetres would be none.
        self.paper.set_autoscale_on(False)
        self.height = width
        self._measure()

    def _measure(self) -> None:
        self.paper.set_xlim(0, self.width)
        self.paper.set_ylim(self.height, 0)

    def finish(self, height: float) -> style.Drawing:
        """Returns the figure, cut to a height."""
        self.height = height
        # forward=False: there is no window to resize.
        self.figure.set_size_inches(
            self.width / style.MM_PER_INCH, height / style.MM_PER_INCH, forward=False
        )
        self._measure()
        return self.figure

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = SMALL,
        bold: bool = False,
        colour: str = BLACK,
        align: str = "left",
    ) -> None:
        """Writes a line whose top is at y; draws nothing if it is empty."""
        if text:
            weight = "bold" if bold else "normal"
            self.paper.text(
                *(x, y, text), fontsize=size, weight=weight, color=colour, ha=align, va="top"
            )

    def lines(self, x: float, y: float, lines: Sequence[str], *, align: str = "left") -> float:
        """Writes lines below each other, and returns where the next would begin (y)."""
        for number, line in enumerate(lines):
            self.text(x, y + number * LINE_MM, line, align=align)
        return y + len(lines) * LINE_MM

    def heading(self, title: str, notes: Sequence[str], models: Sequence[Model]) -> float:
        """Writes title, notes, and a caveat of untrained models; returns where they end (y)."""
        y = MARGIN
        room = self.width - 2 * MARGIN
        for line in lettering.wrapped(title, room, 3, LARGE, bold=True):
            self.text(MARGIN, y, line, size=LARGE, bold=True)
            y += LINE_MM * 1.2
        for note in notes:
            for line in lettering.wrapped(note, room, 4):
                self.text(MARGIN, y, line, colour=DIM)
                y += LINE_MM
        for line in lettering.wrapped(style.caveat(models), room, 3, bold=True):
            self.text(MARGIN, y, line, bold=True, colour=RED)
            y += LINE_MM
        return y + 1.5

    def axes(self, box: Box, label: str) -> Axes:
        """Returns axes whose inside is a box; to be called once the page has its height."""
        return self.figure.add_axes(
            (
                box.x / self.width,
                1 - (box.y + box.height) / self.height,
                box.width / self.width,
                box.height / self.height,
            ),
            label=label,
        )

    def picture(self, box: Box, picture: Image.Image | str, name: str, frame: str = "") -> None:
        """Draws a picture that fills a box, or an empty frame that says why there is none.

        Args:
            frame: the colour of a thick line around it; none if empty.
        """
        if isinstance(picture, str):
            self._empty_frame(box, picture, name)
        else:
            drawn = self.paper.imshow(
                np.asarray(picture),
                extent=(box.x, box.x + box.width, box.y + box.height, box.y),
                aspect="auto",
                zorder=3,
            )
            drawn.set_gid(f"picture {lettering.clean(name)}")
        self._measure()  # imshow sets the limits of the axes to those of its image
        self.paper.add_patch(
            Rectangle(
                (box.x, box.y),
                *(box.width, box.height),
                fill=False,
                edgecolor=frame or PALE,
                linewidth=1.4 if frame else 0.4,
                zorder=4,
            )
        )

    def backed(self, box: Box) -> None:
        """Paints a box white, below what will be written there."""
        self.paper.add_patch(
            Rectangle((box.x, box.y), box.width, box.height, color="white", lw=0, zorder=1.8)
        )

    def swatch(self, box: Box, colour: Any) -> None:
        """Draws a box of one colour, for a legend."""
        self.paper.add_patch(
            Rectangle((box.x, box.y), box.width, box.height, facecolor=colour, lw=0)
        )

    def gradient(self, box: Box, colour_map: str | Colormap) -> None:
        """Draws a box that runs through a scale of colours, for a legend."""
        self.paper.imshow(
            np.linspace(0, 1, 256)[None],
            cmap=colour_map,
            extent=(box.x, box.x + box.width, box.y + box.height, box.y),
            aspect="auto",
        ).set_gid("scale of colours")
        self._measure()

    def _empty_frame(self, box: Box, reason: str, name: str) -> None:
        patch = Rectangle(
            (box.x, box.y),
            *(box.width, box.height),
            facecolor="#F5F5F5",
            edgecolor=GREY,
            linestyle=":",
            linewidth=0.6,
            zorder=3,
        )
        patch.set_gid(f"empty frame {lettering.clean(name)}")
        self.paper.add_patch(patch)
        most = max(1, int((box.height - 1) / LINE_MM))
        lines = lettering.wrapped(reason, box.width - 1, most)
        x, y = box.centre
        for number, line in enumerate(lines):
            self.paper.text(
                *(x, y + (number - (len(lines) - 1) / 2) * LINE_MM, line),
                ha="center",
                va="center",
                color=DIM,
                fontsize=SMALL,
                zorder=5,
            )


def contained(picture: Image.Image | str, width: float, height: float) -> tuple[float, float]:
    """Returns the size of a picture within width and height (mm), its aspect ratio kept."""
    if isinstance(picture, str):
        return width, min(height, width)
    share = min(width / picture.width, height / picture.height)
    return picture.width * share, picture.height * share
