"""Two pictures laid on each other: one red, one cyan, their matches, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.plots import gather, laying
from imgsim.plots.gather import Illustration
from imgsim.plots.laying import Matrix, Size
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import BLACK, BLUE, DIM, LINE_MM, ORANGE, Drawing
from imgsim.reuse.evidence import features, judgement
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.similarity import search
from imgsim.wording import counted, score_text

COLUMNS = {"single": 2, "double": 3}
GAP = 2.0
TALLEST = 1.4
MOST_MATCHES = 60
PIXELS = 1400
"""The longer side that is kept of a picture: as fine as a panel is printed, and some more."""

SHEET = 700
NAME_LINES, BOOK_LINES = 2, 3
PALER, FAINT = 0.45, 0.3
DIFFERENCE = LinearSegmentedColormap.from_list("difference", ["white", ORANGE, "#7A2300"])
"""From lines that agree to lines that do not."""


@dataclass(frozen=True)
class Side:
    """One of two pictures, read at print size, with its size in its file in pixels."""

    illustration: Illustration
    image: Image.Image
    size: Size


@dataclass(frozen=True)
class Overlay:
    """Two pictures and their relation."""

    one: Side
    other: Side
    judgement: Judgement


@dataclass(frozen=True)
class _Panel:
    """A picture with a heading, which may have a colour, and lines below it."""

    name: str
    picture: Image.Image
    size: tuple[float, float]
    head: str
    lines: tuple[str, ...] = ()
    swatch: tuple[float, float, float] | None = None


class _Laid:
    """The ink of both pictures on the sheet of the second."""

    def __init__(self, drawn: Overlay, transform: Matrix) -> None:
        one, other = drawn.one, drawn.other
        size = _sheet(other.image.size)
        onto = (
            laying.scaling(other.size, size) @ transform @ laying.scaling(one.image.size, one.size)
        )
        self.overlap = laying.covered(one.image.size, onto, size)
        self.one = laying.ink_of(laying.warped(laying.levelled_grey(one.image), onto, size))
        grey = laying.levelled_grey(other.image)
        self.other = laying.ink_of(grey.resize(size, Image.Resampling.BICUBIC))

    @cached_property
    def colours(self) -> Image.Image:
        """Returns the first in red and the second in cyan."""
        return laying.two_colours(self.one, self.other)

    @cached_property
    def difference(self) -> Image.Image:
        """Returns where their lines differ, over the lines of the second."""
        differ = laying.disagreement(self.one, self.other, self.overlap)
        shown = DIFFERENCE(differ)[..., :3] * (1 - FAINT * self.other[..., None])
        return Image.fromarray((shown * 255).round().astype(np.uint8))


def _sheet(size: Size) -> Size:
    """Returns the size in pixels at which pictures are laid on each other: as fine as in print."""
    share = max(1.0, SHEET / max(size))
    return round(size[0] * share), round(size[1] * share)


def gather_overlay(
    connection: Connection, image: str, other: str, *, turned: bool = False
) -> Overlay:
    """Returns two pictures and their relation, judged anew; nothing is stored.

    Args:
        image, other: stored pictures, by name, path or id, or any image files.
        turned: accept any rotation with as little evidence as no rotation.

    Raises:
        ImgsimError: one cannot be found or read, or both are one picture.
    """
    queries = [search.find_query(connection, text) for text in (image, other)]
    if queries[0].image_id is not None and queries[0].image_id == queries[1].image_id:
        raise ImgsimError(
            f"{image} and {other} are the same stored picture", "give two different ones"
        )
    sides, found = [], []
    for query, called in zip(queries, (image, other), strict=True):
        side, its_features = _side(gather.illustration_of(connection, query), called)
        sides.append(side)
        found.append(its_features)
    return Overlay(sides[0], sides[1], judgement.judge(found[0], found[1], turned))


@style.styled
def draw_overlay(drawn: Overlay, width: str = "double") -> Drawing:
    """Draws both pictures, one laid on the other, their matches, and where their lines differ.

    Where no alignment was found, it draws only the two pictures, and a note.
    """
    page = Page(style.WIDTHS[width])
    one, other, judged = drawn.one, drawn.other, drawn.judgement
    title = f"A: {one.illustration.name}, laid over B: {other.illustration.name}"
    if judged.transform is None:
        title = f"A: {one.illustration.name}, B: {other.illustration.name}"
    y = page.heading(title, _notes(judged), [])
    columns = 2 if judged.transform is None else COLUMNS[width]
    room = (page.width - 2 * MARGIN - (columns - 1) * GAP) / columns
    pair = [
        _panel(one, "A", room, laying.RED_INK),
        _panel(other, "B", room, laying.CYAN_INK),
    ]
    if judged.transform is None:
        _, end = _row(page, [replace(panel, swatch=None) for panel in pair], y, room)
        return page.finish(end)
    laid = _Laid(drawn, judged.transform)
    upon = _Panel(
        *("A over B", laid.colours, pair[1].size, "A laid over B"),
        ("black: ink of both; red: only of A; cyan: only of B",),
    )
    differing = _Panel(
        *("difference", laid.difference, pair[1].size, "Where their lines differ"),
    )
    matched = [
        _paler(panel, head) for panel, head in zip(pair, (_matches(judged), ""), strict=True)
    ]
    rows = [[*pair, upon], [*matched, differing]]
    if width == "single":
        rows = [pair, matched, [upon, differing]]
    for panels in rows:
        boxes, y = _row(page, panels, y, room)
        for panel, box in zip(panels, boxes, strict=True):
            _mark(page, panel, box, drawn)
        if panels[:2] == matched:
            _draw_matches(page, drawn, boxes[0], boxes[1])
    return page.finish(y)


def _side(illustration: Illustration, called: str) -> tuple[Side, LocalFeatures]:
    picture = thumbnails.read_whole(illustration)
    if isinstance(picture, str):
        hint = "give another image"
        if illustration.image_id is not None:
            hint = f"see that the file is where it was: {illustration.path}"
        raise ImgsimError(f"cannot read {called}: {picture}", hint)
    found = features.find(picture.image)
    # Rounded as stored features are, so that the figure shows what `imgsim verify` decided on.
    found = features.unpack(found.width, found.height, *features.pack(found))
    image = picture.image.convert("RGB")
    # Only after the features were found: they are found at the size that the picture has.
    image.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
    return Side(illustration, image, picture.image.size), found


def _notes(judged: Judgement) -> list[str]:
    """Returns the judgement and what it rests on, for below the title."""
    what = "the shared part is" if judged.relation == "same block in part" else "both are"
    sure, by = judged.probability, f"that {what} from one block"
    if judged.relation == "copy":
        sure, by = judged.copy_probability, "that one was cut after the other or its model"
    mirrored = "; A is mirrored" if judged.mirrored else ""
    turned = f"; A is turned by {judged.turned_by:.0f}°" if judged.turned_by else ""
    told = (
        f"{judged.relation.capitalize()}{mirrored}{turned}; probability {score_text(sure, 2)} {by}"
    )
    if judged.transform is None:
        why = judged.reason or "too few of their features match"
        return [told, f"They cannot be aligned: {why}"]
    counts = (
        f"{counted(judged.inliers, 'matching feature')} in line with the alignment; "
        f"{100 * judged.coverage:.0f} % of the ink of A agrees with B, and "
        f"{100 * judged.other_coverage:.0f} % of the ink of B with A; "
        f"correlation of the lines {judged.correlation:.2f}"
    )
    chance = "The alignment of unrelated pictures may be chance"
    undecided = [f"Undecided: {judged.reason}"] if judged.relation == "undecided" else []
    return [told, counts, *undecided, *([chance] if judged.relation == "unrelated" else [])]


def _matches(judged: Judgement) -> str:
    shown = min(judged.inliers, MOST_MATCHES)
    if shown < judged.inliers:
        return f"{shown} of {judged.inliers:,} matches"
    return counted(shown, "match", "matches")


def _panel(
    side: Side, head: str, room: float, swatch: tuple[float, float, float] | None = None
) -> _Panel:
    illustration = side.illustration
    lines = lettering.wrapped(illustration.name, room, NAME_LINES)
    lines += lettering.wrapped(illustration.book, room, BOOK_LINES)
    size = contained(side.image, room, TALLEST * room)
    return _Panel(illustration.name, side.image, size, head, tuple(lines), swatch)


def _paler(panel: _Panel, head: str) -> _Panel:
    """Returns a picture paled until lines can be seen on it."""
    white = Image.new("RGB", panel.picture.size, "white")
    pale = Image.blend(white, panel.picture, PALER)
    return _Panel(f"{panel.name} with matches", pale, panel.size, head)


def _row(page: Page, panels: Sequence[_Panel], y: float, room: float) -> tuple[list[Box], float]:
    """Draws pictures standing on a line, and returns where the next row begins (y)."""
    floor = y + max(panel.size[1] for panel in panels)
    end, boxes = floor, []
    for number, panel in enumerate(panels):
        x = MARGIN + number * (room + GAP)
        box = Box(x, floor - panel.size[1], *panel.size)
        page.picture(box, panel.picture, panel.name)
        boxes.append(box)
        at = x
        if panel.swatch:
            page.swatch(Box(x, floor + 1.4, 2.0, 2.0), panel.swatch)
            at += 3.0
        page.text(at, floor + 1, panel.head, bold=True)
        lines = [line for text in panel.lines for line in lettering.wrapped(text, room, 4)]
        end = max(end, page.lines(x, floor + 1 + LINE_MM, lines))
    return boxes, end + 2.5


def _mark(page: Page, panel: _Panel, box: Box, drawn: Overlay) -> None:
    """Outlines the shared part, and draws what the colours of the difference mean."""
    judged = drawn.judgement
    parts = {
        drawn.one.illustration.name: (judged.box, drawn.one.size),
        drawn.other.illustration.name: (judged.other_box, drawn.other.size),
        "A over B": (judged.other_box, drawn.other.size),
    }
    shared, size = parts.get(panel.name, (None, (1, 1)))
    if judged.relation == "same block in part" and shared is not None:
        corners = _placed(np.reshape(shared, (2, 2)), size, box)
        (left, top), (right, bottom) = corners
        patch = Rectangle((left, top), right - left, bottom - top, fill=False, zorder=5)
        patch.set(edgecolor=BLUE, linewidth=1.2, gid=f"shared part {panel.name}")
        page.paper.add_patch(patch)
    if panel.name == "difference":
        y = box.y + box.height + 1 + LINE_MM
        start = box.x + lettering.width("agree") + 1.5
        page.text(box.x, y, "agree", colour=DIM)
        page.gradient(Box(start, y + 0.5, 14, 1.8), DIFFERENCE)
        page.text(start + 15.5, y, "differ", colour=DIM)


def _draw_matches(page: Page, drawn: Overlay, one: Box, other: Box) -> None:
    """Draws thin lines from some features of the first to their places in the second."""
    registration = drawn.judgement.registration
    assert registration is not None
    # All of some hundred lines would cover both pictures.
    chosen = spread(registration.one, MOST_MATCHES)
    from_ = _placed(registration.one[chosen], drawn.one.size, one)
    to = _placed(registration.other[chosen], drawn.other.size, other)
    for start, end in zip(from_, to, strict=True):
        (line,) = page.paper.plot([start[0], end[0]], [start[1], end[1]])
        line.set(color=BLUE, linewidth=0.35, alpha=0.8, zorder=6, gid="match")
    for places in (from_, to):
        page.paper.scatter(places[:, 0], places[:, 1], s=2.0, color=BLACK, linewidths=0, zorder=7)


def spread(places: Matrix, most: int) -> list[int]:
    """Returns the numbers of at most so many places, each as far as possible from those before."""
    chosen = [0] if len(places) else []
    far = np.full(len(places), np.inf)
    while chosen and len(chosen) < min(most, len(places)):
        far = np.minimum(far, np.linalg.norm(places - places[chosen[-1]], axis=1))
        far[chosen] = -1  # two matches may begin at one place: it is not chosen twice
        chosen.append(int(far.argmax()))
    return chosen


def _placed(points: Matrix, size: Size, box: Box) -> Matrix:
    """Returns points of a picture, given in pixels of its file, in millimetres of the page."""
    corner = np.array([box.x, box.y])
    return np.asarray(corner + points / np.array(size) * [box.width, box.height])
