"""The members of a group of re-use in the order of their years, aligned to one of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgsim.database.connection import Connection, table
from imgsim.errors import NotFoundError
from imgsim.plots import gather, laying
from imgsim.plots.gather import Illustration
from imgsim.plots.laying import Matrix, Size
from imgsim.plots.layout import lettering, style, thumbnails
from imgsim.plots.layout.page import MARGIN, Box, Page, contained
from imgsim.plots.layout.style import BLACK, DIM, LINE_MM, Drawing
from imgsim.reuse import groups
from imgsim.wording import counted, score_text

COLUMNS = {"single": 3, "double": 6}
GAPS = {"single": 1.2, "double": 2.0}
TALLEST = {"single": 1.2, "double": 1.4}
FINER = 2
"""How many times finer a picture is read than it is printed: only a part of it may be shown."""

TITLE_LINES, NAME_LINES = 3, 2
LEAST_SHOWN = 0.05
"""A picture that fills less of the frame than this has another part of the block."""


@dataclass(frozen=True)
class Member:
    """A picture of a group; `transform` maps its pixels to those of the reference.

    It is None where no chain of alignments leads to the reference.
    """

    illustration: Illustration
    place: str | None
    transform: Matrix | None


@dataclass(frozen=True)
class Group:
    """A group of re-use: the members shown, by year, and how many there are in all (`images`).

    Attributes:
        reference: the image to which the others are aligned.
        size: the reference's width and height in pixels.
        weakest: the probability of the group's weakest link.
    """

    group_id: int
    members: tuple[Member, ...]
    reference: int
    size: Size
    images: int
    books: int
    first_year: int | None
    last_year: int | None
    weakest: float


@dataclass(frozen=True)
class _Cell:
    member: Member
    picture: Image.Image | str
    size: tuple[float, float]
    remark: str


def gather_group(connection: Connection, group_id: int, at_most: int) -> Group:
    """Returns the first members of a group by year, and how each lies on the reference.

    The reference is the earliest of those members to which most can be aligned; the
    alignments are those stored as evidence for the group's links, one after the other.

    Raises:
        NotFoundError: there is no such group.
        ImgsimError: no groups have been built yet.
    """
    groups.status(connection)
    told = table(
        connection,
        """
        select images, books, first_year, last_year, weakest
        from imgsim.reuse_group
        where group_id = %s
        """,
        [group_id],
    )
    if not told.rows:
        raise NotFoundError(
            f"there is no group {group_id}", "list the groups: imgsim report groups"
        )
    events = table(
        connection,
        """
        select e.image_id, e.publication_place, i.width, i.height
        from imgsim.reuse_event e
        join imgsim.image i using (image_id)
        where e.group_id = %s
        order by e.appearance
        limit %s
        """,
        [group_id, at_most],
    )
    order = [row[0] for row in events.rows]
    reference, transforms = aligned(order, _alignments(connection, group_id))
    known = gather.illustrations(connection, order)
    members = tuple(
        Member(known[image_id], place, transforms.get(image_id))
        for image_id, place, _, _ in events.rows
    )
    (size,) = (row[2:] for row in events.rows if row[0] == reference)
    return Group(group_id, members, reference, size, *told.rows[0])


def _alignments(connection: Connection, group_id: int) -> dict[tuple[int, int], Matrix]:
    """Returns the alignments of a group's links, each from one image to the other, surest first."""
    links = table(
        connection,
        """
        select l.image_id, l.other_id, v.transform
        from imgsim.group_link l
        join imgsim.verification v using (image_id, other_id)
        where l.group_id = %s and v.transform is not null
        order by v.probability desc, l.image_id, l.other_id
        """,
        [group_id],
    )
    # The dict keeps this order, and with it the choice between ways that are equally short.
    return {
        (image_id, other_id): np.reshape(transform, (3, 3))
        for image_id, other_id, transform in links.rows
    }


def aligned(
    shown: Sequence[int], alignments: Mapping[tuple[int, int], Matrix]
) -> tuple[int, dict[int, Matrix]]:
    """Returns the first image to which most of those shown can be aligned, and the transforms.

    Args:
        shown: ids of images, in order.
        alignments: 3 x 3, from pixels of the one image to pixels of the other.

    Returns:
        The reference's id, and for each image that can be aligned the transform to it that takes
        the fewest alignments (ties: the order given); images that are not shown may be included.
    """
    neighbours: dict[int, dict[int, Matrix]] = {}
    for (one, other), transform in alignments.items():
        neighbours.setdefault(other, {})[one] = transform
        neighbours.setdefault(one, {})[other] = np.linalg.inv(transform)
    reached: dict[int, int] = {}
    best: tuple[int, dict[int, Matrix]] = (shown[0], {})
    for image_id in shown:
        if image_id not in reached:
            found = dict(_outwards(image_id, neighbours))
            reached.update(dict.fromkeys(found, image_id))
            if len(found.keys() & set(shown)) > len(best[1].keys() & set(shown)):
                best = image_id, found
    return best


def _outwards(
    start: int, neighbours: Mapping[int, Mapping[int, Matrix]]
) -> Iterator[tuple[int, Matrix]]:
    """Yields images at more and more steps from one, and how each lies on it."""
    known: dict[int, Matrix] = {start: np.eye(3)}
    # Breadth first: the errors of alignments add up, so the way with the fewest is taken.
    waiting = deque([start])
    while waiting:
        image_id = waiting.popleft()
        yield image_id, known[image_id] / known[image_id][2, 2]
        for other, transform in neighbours.get(image_id, {}).items():
            if other not in known:
                known[other] = known[image_id] @ transform
                waiting.append(other)


@style.styled
def draw_group(drawn: Group, width: str = "double") -> Drawing:
    """Draws the members in the order of their years, each as it lies on the reference.

    Members that cannot be aligned are shown as they are, with a note.
    """
    page = Page(style.WIDTHS[width])
    columns, gap = COLUMNS[width], GAPS[width]
    room = (page.width - 2 * MARGIN - (columns - 1) * gap) / columns
    cells = _cells(drawn, room, TALLEST[width] * room)
    y = page.heading(_title(drawn), _notes(drawn, cells), [])
    for start in range(0, len(cells), columns):
        y = _row(page, drawn, cells[start : start + columns], y, (room, gap))
    return page.finish(y)


def _title(drawn: Group) -> str:
    books = f" from {counted(drawn.books, 'book')}" if drawn.books else ""
    years = "" if drawn.first_year is None else f", {drawn.first_year}"
    if drawn.last_year != drawn.first_year:
        years += f" to {drawn.last_year}"
    return f"Group {drawn.group_id}: {counted(drawn.images, 'picture')}{books}{years}"


def _notes(drawn: Group, cells: Sequence[_Cell]) -> list[str]:
    asis = sum(cell.remark in (NOT_ALIGNED, ANOTHER_PART) for cell in cells)
    aligned_to = "In the order of their years, aligned to the picture in the black frame"
    notes = [f"{aligned_to}; the weakest link has a probability of {score_text(drawn.weakest, 2)}"]
    if asis:
        shown = "and is shown as it is" if asis == 1 else "and are shown as they are"
        notes.append(f"{counted(asis, 'picture')} cannot be aligned {shown}")
    if len(drawn.members) < drawn.images:
        notes.append(f"The earliest {len(drawn.members):,} of {drawn.images:,} are shown")
    return notes


NOT_ALIGNED = "not aligned"
ANOTHER_PART = "not aligned: another part"
MIRRORED = "mirrored"


def _cells(drawn: Group, room: float, tallest: float) -> list[_Cell]:
    width, height = drawn.size
    share = min(room / width, tallest / height)
    frame = _Frame(drawn.size, (width * share, height * share))
    return [_cell(member, frame, room, tallest) for member in drawn.members]


@dataclass(frozen=True)
class _Frame:
    """The reference: its size in its file in pixels, and on the page in millimetres."""

    size: Size
    extent: tuple[float, float]

    @property
    def pixels(self) -> Size:
        """Returns the reference's size in pixels of the page."""
        across, down = (round(each / style.MM_PER_INCH * style.DPI) for each in self.extent)
        return max(1, across), max(1, down)


def _cell(member: Member, frame: _Frame, room: float, tallest: float) -> _Cell:
    picture = thumbnails.read_sized(member.illustration, FINER * max(room, tallest))
    if isinstance(picture, str):
        return _Cell(member, picture, contained(picture, room, tallest), "")
    image = picture.image
    asis = contained(image, room, tallest)
    if member.transform is None:
        return _Cell(member, image, asis, NOT_ALIGNED)
    size = picture.frame.width, picture.frame.height
    onto = (
        laying.scaling(frame.size, frame.pixels)
        @ member.transform
        @ laying.scaling(image.size, size)
    )
    # Its alignment may be right and show nothing: it is of another part of the block.
    if laying.covered(image.size, onto, frame.pixels).mean() < LEAST_SHOWN:
        return _Cell(member, image, asis, ANOTHER_PART)
    remark = MIRRORED if laying.is_mirrored(member.transform) else ""
    return _Cell(member, laying.warped(image, onto, frame.pixels), frame.extent, remark)


def _row(
    page: Page, drawn: Group, cells: Sequence[_Cell], y: float, across: tuple[float, float]
) -> float:
    """Draws one row of pictures standing on a line, and returns where the next begins (y)."""
    room, gap = across
    floor = y + max(cell.size[1] for cell in cells)
    end = floor
    for number, cell in enumerate(cells):
        x = MARGIN + number * (room + gap)
        item = cell.member.illustration
        frame = BLACK if item.image_id == drawn.reference else ""
        box = Box(x, floor - cell.size[1], *cell.size)
        page.picture(box, cell.picture, item.name, frame)
        head = "undated" if item.year is None else str(item.year)
        page.text(x, floor + 1, head, bold=True)
        at = x + lettering.width(f"{head} ", bold=True) + 0.6
        page.text(at, floor + 1, lettering.shortened(cell.member.place or "", x + room - at))
        below = floor + 1 + LINE_MM
        for line in lettering.wrapped(cell.remark, room, 2):
            page.text(x, below, line, colour=DIM)
            below += LINE_MM
        lines = lettering.wrapped(item.title or "", room, TITLE_LINES)
        lines += lettering.wrapped(item.name, room, NAME_LINES)
        end = max(end, page.lines(x, below, lines))
    return end + 2
