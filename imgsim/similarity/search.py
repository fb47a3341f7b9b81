"""Ranks stored images against one that is stored, or against any image file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg
from pgvector import HalfVector

from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.images import files
from imgsim.images.files import Found, Refused, path_text
from imgsim.networks import models
from imgsim.settings import NEIGHBOURS
from imgsim.wording import score_text

COLUMNS = """
    s.rank, s.similarity, s.normalised, s.name, i.publication_year, i.ecco_full_title, s.ecco_id,
    s.page_number, s.image_id, s.path
"""


@dataclass(frozen=True)
class Question:
    """What to rank, and how; `k` None means 10, or all that reach `min_similarity`."""

    image: str
    k: int | None = None
    min_similarity: float | None = None
    exact: bool = False
    other_documents_only: bool = False

    @property
    def asked(self) -> int | None:
        """Returns how many answers are wanted; None for all above the threshold."""
        return self.k or (NEIGHBOURS if self.min_similarity is None else None)


@dataclass(frozen=True)
class Query:
    """The picture a question is about: a stored image, or the pixels of a file."""

    image_id: int | None
    file: Found | None


def find_query(connection: Connection, image: str) -> Query:
    """Returns the picture meant by a stored name, path or id, or by the path of an image file.

    Raises:
        NotFoundError: it is none of these, or several images bear the name.
    """
    try:
        row = connection.execute("select imgsim.image_id(%s)", [image]).fetchone()
        return Query(row[0] if row else None, None)
    except psycopg.errors.NoDataFound as exc:
        if not os.path.isfile(image):
            stem = os.path.splitext(os.path.basename(image))[0]
            if stem and stem != image:
                return find_query(connection, stem)
            raise NotFoundError(
                f"no image is called {image!r}, and there is no such file",
                exc.diag.message_hint or "",
            ) from exc
    return _query_of_file(connection, os.path.realpath(image))


def _query_of_file(connection: Connection, path: str) -> Query:
    file = next(files.find([Path(path)]))
    sha256 = files.digest(file) if isinstance(file, Found) else file
    if isinstance(sha256, Refused) or not isinstance(file, Found):
        reason = sha256.reason if isinstance(sha256, Refused) else "not a file"
        raise ImgsimError(f"cannot read {path}: {reason}", "give another image")
    row = connection.execute(
        """
        select min(image_id) filter (where path = %s), min(image_id)
        from imgsim.image
        where sha256 = %s and frame = 1
        """,
        [path_text(path), sha256],
    ).fetchone()
    stored = (row[0] or row[1]) if row else None
    return Query(stored, None if stored else file)


def similar(connection: Connection, question: Question, query: Query, model: models.Model) -> Table:
    """Returns the stored images most like the query, ranked by `imgsim.similar`, with their books.

    Raises:
        ImgsimError: the file cannot be decoded, or the model's weights cannot be had.
    """
    values: dict[str, object] = {
        "model": model.name,
        "k": question.k,
        "min_similarity": question.min_similarity,
        "other_documents_only": question.other_documents_only,
        "exact": question.exact,
    }
    options = """
        model => %(model)s, k => %(k)s, min_similarity => %(min_similarity)s,
        other_documents_only => %(other_documents_only)s, exact => %(exact)s
    """
    if query.file is None:
        call = f"imgsim.similar(%(query)s::bigint, {options})"
        values["query"] = query.image_id
    else:
        call = f"imgsim.nearest(%(query)s, {options})"
        values["query"] = HalfVector(_embed(query.file, model))
    return table(
        connection,
        f"select {COLUMNS} from {call} s join imgsim.image_ecco i using (image_id) order by s.rank",  # noqa: S608
        values,
    )


def _embed(file: Found, model: models.Model) -> npt.NDArray[np.float32]:
    from imgsim.images import decoding
    from imgsim.images.preprocess import draft_size, prepare
    from imgsim.networks import embedding

    picture = next(
        decoding.decode(file, lambda w, h: draft_size([model.preprocess], w, h)),
    )
    if isinstance(picture, Refused):
        raise ImgsimError(f"cannot read {file.path}: {picture.reason}", "give another image")
    device = embedding.choose_device()
    network = models.network_of(model)
    embedder = embedding.Embedder({model.name: network}, device)
    pixels = prepare(model.preprocess, picture.image)
    (vector,) = embedder.embed([pixels], [model.name])[model.name]
    return np.asarray(vector)


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
    where = " in other documents" if question.other_documents_only else ""
    return (
        f"{question.asked} requested, {found} found: "
        f"there are no more images{where} with a vector of {model.name}"
    )
