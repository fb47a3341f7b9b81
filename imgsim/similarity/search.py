"""Ranks stored images against one that is stored, or against any image file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg
from pgvector import HalfVector
from PIL.Image import Image

from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.images import files
from imgsim.images.files import Found, Refused, path_text
from imgsim.images.spelling import on_disk
from imgsim.images.stored import Content, refused_if_changed
from imgsim.networks import models
from imgsim.settings import NEIGHBOURS
from imgsim.wording import score_text

COLUMNS = """
    s.rank, s.similarity, s.normalised, s.name, i.publication_year, i.ecco_full_title, s.ecco_id,
    s.page_number, s.image_id, s.path
"""

CHANGED_SINCE = "changed since it was taken in (imgsim ingest takes it in again)"

CALLED_BY = "an image is called by its name (the file's without its ending), its path or its id"


@dataclass(frozen=True)
class Question:
    """What to rank, and how; `k` None means 10, or all that reach `min_similarity`.

    Raises:
        ImgsimError: `k` or `min_similarity` is out of range.
    """

    image: str
    k: int | None = None
    min_similarity: float | None = None
    exact: bool = False
    other_documents_only: bool = False

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise ImgsimError(f"k is {self.k}, and must be at least 1", "give a k such as 10")
        least = self.min_similarity
        if least is not None and not -1 <= least <= 1:
            hint = f"for {least:g} percent give {least / 100:g}" if 1 < least <= 100 else ""
            raise ImgsimError(
                f"the threshold is {least:g}, and must be from -1 to 1",
                hint or "give one such as 0.94",
            )

    @property
    def asked(self) -> int | None:
        """Returns how many answers are wanted; None for all above the threshold."""
        return self.k or (NEIGHBOURS if self.min_similarity is None else None)


@dataclass(frozen=True)
class Query:
    """The picture a question is about: a stored image, or the pixels of a file.

    `note` says what the reader must know of it.
    """

    image_id: int | None
    file: Found | None
    note: str = ""


def find_query(connection: Connection, image: str) -> Query:
    """Returns the picture meant by a stored name, path or id, or by the path of an image file.

    A text with a folder is a path, and is never taken for the name at its end: with `0001.png` in
    every folder, that would be another book's picture. A stored file that was edited since is
    compared as it is now.

    Raises:
        NotFoundError: it is none of these, several images bear the name, or the file has several
            pages.
    """
    is_path = os.sep in image
    there = on_disk(image)
    is_file = there is not None and os.path.isfile(there)
    if is_path and there and is_file:
        return _query_of_file(connection, there)
    # A stored name goes before a file of the current folder: there `1000` may be anything.
    for called in _as_stored(image) if is_path else [image]:
        if (image_id := _stored(connection, called)) is not None:
            return Query(image_id, None)
    if there and is_file:
        return _query_of_file(connection, there)
    raise _not_found(connection, image)


def stored_image(connection: Connection, image: str) -> int:
    """Returns the id of the stored image meant by a name, path or id.

    Raises:
        NotFoundError: there is none.
        DatabaseError: several bear the name.
    """
    query = find_query(connection, image)
    if query.image_id is None:
        raise NotFoundError(
            f"{image} is not in the store" + (f": it {query.note}" if query.note else ""),
            f"add it first: imgsim ingest {image}",
        )
    return query.image_id


def _as_stored(path: str) -> list[str]:
    """Returns how the path of a file that is not there may be stored: as in a report, or typed."""
    typed = path_text(os.path.realpath(path))
    return [path, typed] if os.path.isabs(path) else [typed]


def _stored(connection: Connection, called: str) -> int | None:
    """Returns the image of that name, path or id; None if there is none."""
    try:
        row = connection.execute("select imgsim.image_id(%s)", [called]).fetchone()
    except psycopg.errors.NoDataFound:
        return None
    except psycopg.errors.CardinalityViolation as exc:
        raise NotFoundError(exc.diag.message_primary or "", exc.diag.message_hint or "") from exc
    return row[0] if row else None


def _not_found(connection: Connection, image: str) -> NotFoundError:
    if os.sep in image:
        what = f"there is no file {image}, and no image is stored under that path"
    else:
        what = f"no image is called {image!r}, and there is no such file"
    stem = os.path.splitext(os.path.basename(image))[0]
    rows = connection.execute(
        "select i.path from imgsim.image i where i.name = imgsim.composed(%s) limit 2", [stem]
    ).fetchall()
    if stem == image or not rows:
        return NotFoundError(what, CALLED_BY)
    stored = f"the stored image {rows[0][0]}" if len(rows) == 1 else "one of several stored images"
    return NotFoundError(what, f"if you mean {stored}, give its path, or the bare name {stem}")


def _query_of_file(connection: Connection, path: str) -> Query:
    """Returns a file as it is now: its image, one of the same content, or its pixels."""
    file = files.look_at(path)
    if isinstance(file, Refused):
        raise ImgsimError(f"cannot read {path}: {file.reason}", "give another image")
    rows = connection.execute(
        # Whoever names a page means all of it, though only regions of it may be stored.
        """
        select image_id, sha256, bytes, modified_ns
        from imgsim.image
        where path = %s and x is null
        """,
        [path_text(path)],
    ).fetchall()
    changed = [bool(refused_if_changed(path, Content(*content))) for _, *content in rows]
    if rows and not any(changed):
        return Query(_stored(connection, path_text(path)), None)
    sha256 = files.digest(file)
    if isinstance(sha256, Refused):
        raise ImgsimError(f"cannot read {path}: {sha256.reason}", "give another image")
    # Of several files of the same content the first answers for all: their vectors are equal.
    row = connection.execute(
        """
        select min(image_id)
        from imgsim.image
        where sha256 = %s and frame = 1 and x is null
        """,
        [sha256],
    ).fetchone()
    stored = row[0] if row else None
    note = CHANGED_SINCE if rows else ""
    return Query(stored, None if stored else file, note)


def similar(connection: Connection, question: Question, query: Query, model: models.Model) -> Table:
    """Returns the stored images most like the query, ranked by `imgsim.similar`, with their books.

    Raises:
        ImgsimError: the file cannot be decoded, or the model's weights cannot be had.
    """
    if query.file is not None:
        return nearest(connection, question, _embed(query.file, model), model)
    return _ranked(connection, question, model, "imgsim.similar(%(query)s::bigint", query.image_id)


def nearest(
    connection: Connection,
    question: Question,
    vector: npt.NDArray[np.float32],
    model: models.Model,
) -> Table:
    """Returns the stored images nearest to a vector, as `similar` does."""
    return _ranked(connection, question, model, "imgsim.nearest(%(query)s", HalfVector(vector))


def _ranked(
    connection: Connection, question: Question, model: models.Model, call: str, query: object
) -> Table:
    values: dict[str, object] = {
        "query": query,
        "model": model.name,
        "k": question.k,
        "min_similarity": question.min_similarity,
        "other_documents_only": question.other_documents_only,
        "exact": question.exact,
    }
    options = """
        model => %(model)s, k => %(k)s, min_similarity => %(min_similarity)s,
        other_documents_only => %(other_documents_only)s, exact => %(exact)s)
    """
    return table(
        connection,
        f"select {COLUMNS} from {call}, {options} s "  # noqa: S608
        "join imgsim.image_ecco i using (image_id) order by s.rank",
        values,
    )


def _embed(file: Found, model: models.Model) -> npt.NDArray[np.float32]:
    from imgsim.images import decoding
    from imgsim.images.preprocess import draft_size

    picture = next(
        decoding.decode(file, lambda w, h: draft_size([model.preprocess], w, h)),
    )
    if isinstance(picture, Refused):
        raise ImgsimError(f"cannot read {file.path}: {picture.reason}", "give another image")
    return embed(picture.image, model)


def embed(image: Image, model: models.Model) -> npt.NDArray[np.float32]:
    """Returns the vector of a picture in mode L or RGB.

    Raises:
        WeightsError: the model's weights cannot be had.
    """
    return embedder_of(model)(image)


def embedder_of(model: models.Model) -> Callable[[Image], npt.NDArray[np.float32]]:
    """Returns what makes the vector of a picture in mode L or RGB; the network is loaded once.

    Raises:
        WeightsError: the model's weights cannot be had.
    """
    from imgsim.images.preprocess import prepare
    from imgsim.networks import embedding

    network = models.network_of(model)
    embedder = embedding.Embedder({model.name: network}, embedding.choose_device())

    def vector(image: Image) -> npt.NDArray[np.float32]:
        pixels = prepare(model.preprocess, image)
        (one,) = embedder.embed([pixels], [model.name])[model.name]
        return np.asarray(one)

    return vector


def explain_shortfall(
    connection: Connection, question: Question, query: Query, model: models.Model, found: int
) -> str:
    """Returns why there are fewer answers than requested; empty if there are enough."""
    if question.asked is not None and found >= question.asked:
        return ""
    if question.min_similarity is not None:
        if found:
            reached = f"{found} reach {question.min_similarity:g}"
            return f"{question.asked} requested, but only {reached}" if question.asked else ""
        best = similar(connection, Question(question.image, k=1, exact=True), query, model).rows
        nearest = f"; the nearest is {best[0][3]} with {score_text(best[0][1])}" if best else ""
        return f"no image reaches {question.min_similarity:g}{nearest}"
    where = " of other books" if question.other_documents_only else ""
    return (
        f"{question.asked} requested, {found} found: "
        f"{model.name} has looked at no more pictures{where}"
    )
