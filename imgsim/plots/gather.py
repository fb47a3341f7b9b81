"""Reads from the store what figures show: illustrations, rankings, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsim.database.connection import Connection, table
from imgsim.errors import ImgsimError
from imgsim.images.boxes import Box, box_of
from imgsim.images.files import path_text
from imgsim.images.stored import Content
from imgsim.networks.models import Model
from imgsim.similarity import search

LOWEST_PERCENT = 80
BELOW_OWN = 5
"""How many percent below a model's own threshold its counts begin, if not at the lowest above."""


@dataclass(frozen=True)
class Illustration:
    """An image and its book; `path` is as stored, `year` None where it is not known.

    `content` is that of the file when it was taken in; None of a file that is not stored. `box` is
    the region of the page that it is; None if it is all of it.
    """

    image_id: int | None
    name: str
    path: str
    frame: int = 1
    title: str | None = None
    year: int | None = None
    content: Content | None = None
    box: Box | None = None

    @property
    def book(self) -> str:
        """Returns year and title, for a caption."""
        year = "undated" if self.year is None else str(self.year)
        return f"{year}, {self.title}" if self.title else ("" if self.year is None else year)


@dataclass(frozen=True)
class Match:
    """An illustration and its similarity (cosine) to the one it was compared with."""

    illustration: Illustration
    similarity: float


@dataclass(frozen=True)
class Ranking:
    """An illustration and those most like it by one model; `shortfall` says why not more."""

    model: Model
    query: Illustration
    matches: tuple[Match, ...]
    shortfall: str = ""


@dataclass(frozen=True)
class Overlap:
    """How many images share how many of their k nearest, as rows of shared, images, percent."""

    k: int
    model_a: Model
    model_b: Model
    rows: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class ThresholdCount:
    """Counts at one threshold: images with a neighbour, and pairs (a minimum unless complete)."""

    threshold: float
    images: int
    percent: float
    pairs: int
    complete: bool


def illustrations(connection: Connection, image_ids: Sequence[int]) -> dict[int, Illustration]:
    """Returns stored images with their books, by id."""
    answer = table(
        connection,
        """
        select i.image_id, i.name, i.path, f.frame, i.ecco_full_title, i.publication_year,
            f.x, f.y, f.width, f.height, f.sha256, f.bytes, f.modified_ns
        from imgsim.image_ecco i
        join imgsim.image f using (image_id)
        where i.image_id = any(%(ids)s)
        """,
        {"ids": list(image_ids)},
    )
    return {
        image_id: Illustration(
            *(image_id, name, path, frame, title, year),
            *(Content(*row[4:]), box_of(*row[:4])),
        )
        for image_id, name, path, frame, title, year, *row in answer.rows
    }


def ranking(connection: Connection, question: search.Question, model: Model) -> Ranking:
    """Returns the images most like a stored image or an image file, as `imgsim.similar` ranks.

    Raises:
        NotFoundError: there is no such image.
        ImgsimError: the file cannot be read, or the model's weights cannot be had.
    """
    query = search.find_query(connection, question.image)
    answer = search.similar(connection, question, query, model)
    at_id, at_score = answer.columns.index("image_id"), answer.columns.index("similarity")
    ids = [row[at_id] for row in answer.rows]
    known = illustrations(connection, ids)
    matches = tuple(Match(known[row[at_id]], row[at_score]) for row in answer.rows)
    # Written into the figure: a page without its terminal must say why there are so few.
    why = search.explain_shortfall(connection, question, query, model, len(matches))
    return Ranking(model, illustration_of(connection, query), matches, why)


def illustration_of(connection: Connection, query: search.Query) -> Illustration:
    """Returns the stored image or the image file that a question is about."""
    if query.image_id is None:
        assert query.file is not None
        return Illustration(None, Path(query.file.path).stem, path_text(query.file.path))
    return illustrations(connection, [query.image_id])[query.image_id]


def overlap(connection: Connection, k: int, model_a: Model, model_b: Model) -> Overlap:
    """Returns the rows of `imgsim.overlap`; the neighbour lists must have been filled."""
    answer = table(
        connection,
        """
        select shared, images, percent
        from imgsim.overlap(k => %(k)s, model_a => %(a)s, model_b => %(b)s)
        order by shared desc
        """,
        {"k": k, "a": model_a.name, "b": model_b.name},
    )
    rows = tuple((shared, images, float(percent or 0)) for shared, images, percent in answer.rows)
    return Overlap(k, model_a, model_b, rows)


def _around_own(model: Model) -> list[float]:
    lowest = max(1, min(LOWEST_PERCENT, math.floor(100 * model.threshold) - BELOW_OWN))
    return sorted({model.threshold, *(percent / 100 for percent in range(lowest, 101))})


def threshold_counts(
    connection: Connection, model: Model, thresholds: Sequence[float] | None = None
) -> list[ThresholdCount]:
    """Returns the rows of `imgsim.threshold_counts`; neighbour lists must have been filled.

    Args:
        thresholds: by default 0.80 to 1, lower where the model's own is, and its own.
    """
    answer = table(
        connection,
        """
        select threshold, images, percent, pairs, complete
        from imgsim.threshold_counts(%(model)s, %(thresholds)s::double precision[])
        order by threshold
        """,
        {"model": model.name, "thresholds": list(thresholds or _around_own(model))},
    )
    return [
        ThresholdCount(threshold, images, float(percent or 0), pairs, complete)
        for threshold, images, percent, pairs, complete in answer.rows
    ]


def classes(connection: Connection, column: str) -> dict[int, str | int | None]:
    """Returns the value of a bibliographic column for every image that has a book, by image id.

    Raises:
        ImgsimError: images cannot be coloured by that column.
    """
    if column not in CLASS_COLUMNS:
        raise ImgsimError(
            f"cannot colour a map by {column!r}", f"give one of: {', '.join(CLASS_COLUMNS)}"
        )
    answer = table(
        connection,
        f"select image_id, {column} from imgsim.image_ecco where {column} is not null",  # noqa: S608
        {},
    )
    return {row[0]: row[1] for row in answer.rows}


CLASS_COLUMNS = ("publication_decade", "sub_category", "publication_place", "ecco_id")
