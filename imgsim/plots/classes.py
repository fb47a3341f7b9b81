"""The classes and colours of a map's images: decades on a scale, anything else by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.colors import Colormap, ListedColormap, Normalize

from imgsim.plots.layout import lettering
from imgsim.plots.layout.page import MARGIN, Box, Page
from imgsim.plots.layout.style import CATEGORIES, DIM, GREY, LINE_MM, PALE

Values = npt.NDArray[Any] | list[float]

OTHER = "other"
UNKNOWN = "unknown"
SCALE = "viridis"


@dataclass(frozen=True)
class Classes:
    """A number for each image of which something is known, and its colour.

    `labels` name the numbers 0, 1, …; without labels, the numbers are drawn on a scale.
    """

    by_id: Mapping[int, float]
    labels: tuple[str, ...]
    colour_map: Colormap
    norm: Normalize

    @property
    def cell_rule(self) -> str:
        """Returns how a cell with several images is coloured, in words."""
        # A mean of categories is no category, and that of decades no decade.
        return "the commonest" if self.labels else "the median"

    @property
    def of_cell(self) -> Callable[[Values], float]:
        """Returns the number of a cell from those of its images; -1 if nothing is known of any."""
        return _commonest if self.labels else _middle

    def numbers(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Returns the numbers of some images, -1 where nothing is known."""
        return np.array([self.by_id.get(int(image_id), -1.0) for image_id in ids])

    def layers(
        self, numbers: npt.NDArray[np.float64]
    ) -> Iterator[tuple[npt.NDArray[np.bool_], object]]:
        """Yields which images to draw in which colours, those of which nothing is known first."""
        unknown = numbers < 0
        yield unknown, PALE  # first, so that they do not cover what is known
        yield ~unknown, self.colour_map(self.norm(numbers[~unknown]))

    def legend(self, page: Page, y: float) -> float:
        """Draws what the colours mean, and returns where that ends (y, in millimetres)."""
        if self.labels:
            shown = [*zip(self.labels, self._colours(), strict=True), (UNKNOWN, PALE)]
            return _swatches(page, shown, y)
        first, last = self.norm.vmin or 0, self.norm.vmax or 0
        page.text(MARGIN, y, f"{first:.0f}s", colour=DIM)
        x = MARGIN + lettering.width(f"{first:.0f}s") + 1.5
        page.gradient(Box(x, y + 0.2, 24, 2.2), SCALE)
        page.text(x + 25.5, y, f"{last:.0f}s", colour=DIM)
        x += 25.5 + lettering.width(f"{last:.0f}s") + 5
        page.swatch(Box(x, y + 0.2, 2.2, 2.2), PALE)
        page.text(x + 3.2, y, UNKNOWN, colour=DIM)
        return y + LINE_MM

    def _colours(self) -> list[object]:
        return [self.colour_map(self.norm(number)) for number in range(len(self.labels))]


def classes_of(values: Mapping[int, str | int | None], column: str) -> Classes:
    """Returns decades on a scale; of other columns the six commonest values, all others grey."""
    known = {image_id: value for image_id, value in values.items() if value is not None}
    if column == "publication_decade":
        decades = {image_id: float(value) for image_id, value in known.items()}
        low, high = min(decades.values(), default=0.0), max(decades.values(), default=0.0)
        scale = mpl.colormaps[SCALE].with_extremes(under=PALE, bad=PALE)
        return Classes(decades, (), scale, Normalize(low, max(high, low + 10)))
    counted = Counter(str(value) for value in known.values())
    common = [name for name, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
    names = common[: len(CATEGORIES)]
    # Each has its own number, so that the rare ones together do not win a cell; all are grey.
    number = {name: float(index) for index, name in enumerate(common)}
    by_id = {image_id: number[str(value)] for image_id, value in known.items()}
    colours = list(CATEGORIES[: len(names)]) or [GREY]
    colour_map = ListedColormap(colours).with_extremes(under=PALE, bad=PALE, over=GREY)
    if len(common) > len(names):
        names.append(f"{OTHER} ({len(common) - len(names):,})")
    return Classes(by_id, tuple(names), colour_map, Normalize(-0.5, len(colours) - 0.5))


def _commonest(numbers: Values) -> float:
    values, counts = np.unique(_known(numbers), return_counts=True)
    return float(values[counts.argmax()]) if len(values) else -1.0


def _middle(numbers: Values) -> float:
    known = _known(numbers)
    return float(np.median(known)) if len(known) else -1.0


def _known(numbers: Values) -> npt.NDArray[np.float64]:
    values = np.asarray(numbers, np.float64)
    return values[values >= 0]


def _swatches(page: Page, shown: list[tuple[str, object]], y: float) -> float:
    x = MARGIN
    for name, colour in shown:
        text = lettering.wrapped(name, 60, 1)[0]
        needed = 3.2 + lettering.width(text)
        if x + needed > page.width - MARGIN and x > MARGIN:
            x, y = MARGIN, y + LINE_MM * 1.1
        page.swatch(Box(x, y + 0.2, 2.2, 2.2), colour)
        page.text(x + 3.2, y, text)
        x += needed + 4
    return y + LINE_MM
