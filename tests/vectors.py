"""Stores filled with vectors made here, for tests in which no picture is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pgvector import HalfVector
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.networks import models

Vectors = npt.NDArray[np.float32]


def clustered(count: int, dimension: int, seed: int = 0) -> Vectors:
    """Unit vectors in groups, as pictures of re-used plates are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(2, count // 20), dimension))
    vectors = centres[rng.integers(len(centres), size=count)]
    vectors = vectors + rng.normal(scale=0.3, size=(count, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def store(connection: Connection, name: str, vectors: Vectors, books: int = 7) -> models.Model:
    """Put images with given vectors into the store; `image_id` counts from 1.

    Image n is called `image n` and belongs to the ECCO document n modulo `books`.
    """
    connection.execute(
        "select imgsim.add_model(%s, 'none', %s, 'synthetic', 'none', 'fit')",
        [name, vectors.shape[1]],
    )
    model = models.named(connection, name)
    put(connection, model, range(1, len(vectors) + 1), vectors, books)
    return model


def put(
    connection: Connection,
    model: models.Model,
    ids: Sequence[int],
    vectors: Vectors,
    books: int = 7,
) -> None:
    """Add images with vectors of a stored model; images that are there get vectors only."""
    connection.execute(
        """
        insert into imgsim.image
            (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format, ecco_id)
        select n, 'image ' || n, '/scans/' || n, md5(n::text), 1, 1, 1, 1, 'L', 'PNG',
            lpad((n %% %s)::text, 10, '0')
        from unnest(%s::bigint[]) n
        on conflict do nothing
        """,
        [books, list(ids)],
    )
    with connection.cursor().copy(
        sql.SQL("copy imgsim.{} (image_id, embedding) from stdin (format binary)").format(
            sql.Identifier(model.embedding_table)
        )
    ) as copy:
        copy.set_types(["int8", "halfvec"])
        for image_id, vector in zip(ids, vectors, strict=True):
            copy.write_row((image_id, HalfVector(vector)))
    connection.execute("update imgsim.model set revision = revision + 1")


def brute_force(connection: Connection, model: models.Model, k: int) -> dict[int, list[int]]:
    """The k nearest of every image in double precision, ties by id."""
    rows = connection.execute(
        sql.SQL("select image_id, embedding from imgsim.{} order by image_id").format(
            sql.Identifier(model.embedding_table)
        )
    ).fetchall()
    ids = np.array([row[0] for row in rows])
    vectors = np.array([row[1].to_numpy() for row in rows], dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = np.round(vectors @ vectors.T, 7)
    np.fill_diagonal(similarity, -2)
    order = np.lexsort((np.broadcast_to(ids, similarity.shape), -similarity))[:, :k]
    return {int(i): ids[row].tolist() for i, row in zip(ids, order, strict=True)}
