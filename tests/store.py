"""What a store holds, in a form that two stores can be compared by."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.networks import models

FAST = models.Wanted("shufflenet_v2_x0_5", weights="untrained")
"""A small network, for tests in which the vectors do not matter."""


@dataclass(frozen=True)
class Contents:
    """Image rows and failures as values, and vectors by model, path and frame."""

    images: list[tuple[object, ...]]
    failures: list[tuple[object, ...]]
    vectors: dict[tuple[str, str, int], np.ndarray]


def contents(connection: Connection) -> Contents:
    """Everything in a store that does not depend on when and in which order it came in."""
    images = connection.execute(
        """
        select name, path, frame, frames, sha256, bytes, modified_ns, width, height, mode, format,
            ecco_id, page_id, page_number, illustration
        from imgsim.image
        order by path, frame
        """
    ).fetchall()
    failures = connection.execute(
        "select path, frame, stage, reason, bytes from imgsim.failure"
    ).fetchall()
    vectors = {}
    for model in models.stored(connection):
        rows = connection.execute(
            sql.SQL(
                "select i.path, i.frame, e.embedding from imgsim.{} e join imgsim.image i "
                "using (image_id)"
            ).format(sql.Identifier(model.embedding_table))
        ).fetchall()
        for path, frame, vector in rows:
            vectors[model.name, path, frame] = vector.to_numpy().astype(np.float64)
    return Contents(images, failures, vectors)


def assert_same(one: Contents, other: Contents, cosine: float = 0.9999) -> None:
    """The same rows, and for each of them the same vectors up to what batching moves."""
    assert one.images == other.images
    assert one.failures == other.failures
    assert one.vectors.keys() == other.vectors.keys()
    for key, vector in one.vectors.items():
        twin = other.vectors[key]
        product = vector @ twin / np.linalg.norm(vector) / np.linalg.norm(twin)
        assert product >= cosine, key


def names(connection: Connection) -> list[str]:
    """The file names of the stored images, in the order of their paths."""
    rows = connection.execute("select path from imgsim.image order by path, frame").fetchall()
    return [os.path.basename(row[0]) for row in rows]
