"""Pairs of pictures at rising similarity, to teach the eye what a score means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.plots import gather
from imgsim.plots.gather import Illustration
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import DIM, LINE_MM, Drawing
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.wording import counted, score_text

RUNGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SAMPLE = 1000
NEAR = 0.01
BLOCK = 64
KEPT = 64
PAIRS = {"single": 1, "double": 2}
TALLEST = 17.0
GAP = 2.0
SCORE_MM = 11.0


@dataclass(frozen=True)
class Pair:
    """Two illustrations and their similarity (cosine)."""

    first: Illustration
    second: Illustration
    similarity: float


@dataclass(frozen=True)
class Rung:
    """The pairs nearest to a score; where no pair is near it, `nearest` is the closest score."""

    score: float
    pairs: tuple[Pair, ...]
    nearest: float | None = None


@dataclass(frozen=True)
class Ladder:
    """The rungs of one model; `compared` of its `images` images were compared with all."""

    model: Model
    rungs: tuple[Rung, ...]
    images: int
    compared: int


def gather_ladder(
    connection: Connection,
    model: Model,
    pairs: int = 1,
    rungs: Sequence[float] = (),
    seed: int = 1,
) -> Ladder:
    """Returns the pairs nearest to each score, from the stored vectors.

    Up to 1,000 images, drawn by `seed`, are compared with all; a pair is near a score within 0.01,
    and no image is shown twice on a rung. Without `rungs` the scores are 0.5, 0.6, … 1.0 and the
    model's own threshold.

    Raises:
        ImgsimError: the model has fewer than two vectors.
    """
    rungs = rungs or sorted({*RUNGS, model.threshold})
    vectors = read_vectors(connection, model)
    total = len(vectors.ids)
    if total < 2:
        raise ImgsimError(
            f"cannot pair images of {model.name}: it has vectors of {counted(total, 'image')}",
            f"add pictures first: imgsim ingest --model {model.name} FOLDER",
        )
    # Of 100,000 images all pairs would be five thousand million; a sample shows as much.
    rows = np.sort(np.random.default_rng(seed).permutation(total)[:SAMPLE])
    found = [_apart(near, pairs) for near in _nearest_to(vectors, rows, rungs)]
    ids = {index for near in found for i, j, _ in near for index in (i, j)}
    known = gather.illustrations(connection, [int(vectors.ids[index]) for index in ids])
    drawn = []
    for score, near in zip(rungs, found, strict=True):
        close = [
            Pair(known[int(vectors.ids[i])], known[int(vectors.ids[j])], similarity)
            for i, j, similarity in near
            if abs(similarity - score) <= NEAR
        ]
        drawn.append(Rung(score, tuple(close), near[0][2] if near else None))
    return Ladder(model, tuple(drawn), total, len(rows))


def _nearest_to(
    vectors: Vectors, rows: npt.NDArray[np.intp], rungs: Sequence[float]
) -> list[list[tuple[int, int, float]]]:
    """Returns for each rung some pairs (i < j, similarity) nearest to it, the nearest first."""
    columns = vectors.unit(slice(None), np.float32)
    best: list[dict[tuple[int, int], float]] = [{} for _ in rungs]
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        products = columns[block] @ columns.T
        # Not a number sorts last: no image is paired with itself, whatever the score.
        products[np.arange(len(block)), block] = np.nan
        for kept, score in zip(best, rungs, strict=True):
            off = np.abs(products - score).ravel()
            count = min(KEPT, off.size)
            for flat in np.argpartition(off, count - 1)[:count].tolist():
                i, j = int(block[flat // len(vectors.ids)]), flat % len(vectors.ids)
                if i != j:
                    kept[min(i, j), max(i, j)] = float(products.flat[flat])
    return [
        [
            (i, j, similarity)
            for (i, j), similarity in sorted(
                # Rounded: products differ in the last digits from machine to machine.
                kept.items(),
                key=lambda item: (round(abs(item[1] - score), 6), item[0]),
            )
        ]
        for kept, score in zip(best, rungs, strict=True)
    ]


def _apart(near: list[tuple[int, int, float]], count: int) -> list[tuple[int, int, float]]:
    """Returns the first pairs that have no image in common."""
    chosen: list[tuple[int, int, float]] = []
    used: set[int] = set()
    for i, j, similarity in near:
        if len(chosen) < count and not {i, j} & used:
            chosen.append((i, j, similarity))
            used |= {i, j}
    return chosen


@style.styled
def draw_ladder(rungs: Ladder, width: str = "double") -> Drawing:
    """Draws a row for each score: the pairs nearest to it, with names, years and books.

    Args:
        width: `single` (one pair in a row) or `double` column (two).
    """
    page = Page(style.WIDTHS[width])
    among = (
        f"{counted(rungs.images, 'image')}, each compared with all"
        if rungs.compared == rungs.images
        else f"{rungs.images:,} images, of which {rungs.compared:,} were compared with all"
    )
    y = page.heading(
        "What a similarity looks like",
        [
            f"The pairs nearest to each score, by {style.label(rungs.model)}; {among}",
            f"The threshold: {thresholds.of(rungs.model)}",
        ],
        [rungs.model],
    )
    for rung in rungs.rungs:
        y = _rung(page, rung, y, PAIRS[width])
    return page.finish(y)


def _rung(page: Page, rung: Rung, y: float, columns: int) -> float:
    page.paper.plot([MARGIN, page.width - MARGIN], [y, y], color=style.PALE, linewidth=0.5)
    page.text(MARGIN, y + 1, f"{rung.score:.2f}", size=style.LARGE, bold=True)
    x = MARGIN + SCORE_MM
    if not rung.pairs:
        nearest = "" if rung.nearest is None else f"; the nearest has {score_text(rung.nearest, 3)}"
        reason = f"No pair is within {NEAR:g} of this score{nearest}"
        lines = lettering.wrapped(reason, page.width - x - MARGIN, 2)
        for number, line in enumerate(lines):
            page.text(x, y + 1.2 + number * LINE_MM, line, colour=DIM)
        return y + 2.4 + len(lines) * LINE_MM
    room = (page.width - x - MARGIN - (columns - 1) * 2 * GAP) / columns
    ends = []
    for number, pair in enumerate(rung.pairs[:columns]):
        ends.append(_pair(page, pair, x + number * (room + 2 * GAP), y + 1, room))
    return max(ends) + 1


def _pair(page: Page, pair: Pair, x: float, y: float, room: float) -> float:
    """Draws two pictures side by side on a line, and returns where their captions end (y)."""
    half = (room - GAP) / 2
    shown = [(item, thumbnails.read(item, TALLEST)) for item in (pair.first, pair.second)]
    sizes = [contained(picture, half, TALLEST) for _, picture in shown]
    floor = y + max(height for _, height in sizes)
    ends = []
    for number, ((item, picture), size) in enumerate(zip(shown, sizes, strict=True)):
        left = x + number * (half + GAP)
        page.picture(Box(left, floor - size[1], *size), picture, item.name)
        lines = lettering.wrapped(item.name, half, 2) + lettering.wrapped(item.book, half, 2)
        ends.append(page.lines(left, floor + 1 + LINE_MM, lines))
    page.text(x, floor + 1, score_text(pair.similarity), bold=True)
    return max(ends)
