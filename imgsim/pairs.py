"""Every pair of like images: all that reach a threshold, exactly, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.models import Model
from imgsim.neighbours import (
    DECIMALS,
    Progress,
    Vectors,
    alone,
    copy_columns,
    cosines,
    read_vectors,
    silent,
)

if TYPE_CHECKING:
    import numpy.typing as npt

THRESHOLD = 0.94
"""At this cosine the original study found ResNet-18 and ResNet-50 relatively consistent."""

MOST_PAIRS = 20_000_000
ROW_BLOCK = 512
COLUMN_BLOCK = 8192


class TooManyPairsError(ImgsimError):
    """So many pairs reach the threshold that they are not worth storing."""


@dataclass(frozen=True)
class Pairs:
    """Some pairs: flat columns, `image_ids` < `other_ids` in every row.

    `similarity` is the cosine of the stored vectors, computed in double precision and rounded to
    seven decimals, as in neighbour lists.
    """

    image_ids: npt.NDArray[np.int64]
    other_ids: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]


def at_or_above(vectors: Vectors, threshold: float) -> Iterator[tuple[int, Pairs]]:
    """Every pair whose similarity is at least `threshold`, tile by tile.

    A product in single precision proposes whatever reaches the threshold less what it can be off
    by (see `imgsim.neighbours.nearest`) and what rounding to seven decimals may add; double
    precision decides. Pairs come with how many images have been compared with all after them.
    """
    columns = vectors.unit(slice(None), np.float32)
    margin = (vectors.halves.shape[1] + 4) * 2.0**-24 + 10.0**-DECIMALS
    count = len(vectors.ids)
    for start in range(0, count, ROW_BLOCK):
        end = min(count, start + ROW_BLOCK)
        for left in range(start, count, COLUMN_BLOCK):
            right = min(count, left + COLUMN_BLOCK)
            proposed = columns[start:end] @ columns[left:right].T >= np.float32(threshold - margin)
            after = np.arange(left, right)[None, :] > np.arange(start, end)[:, None]
            row, column = np.nonzero(proposed & after)
            if len(row):
                yield end, _decided(vectors, threshold, row + start, column + left)
    yield count, _decided(vectors, threshold, np.empty(0, np.intp), np.empty(0, np.intp))


def _decided(
    vectors: Vectors, threshold: float, row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> Pairs:
    similarity = np.round(cosines(vectors, row, column), DECIMALS)
    kept = similarity >= threshold
    return Pairs(vectors.ids[row[kept]], vectors.ids[column[kept]], similarity[kept])


def bring_up_to_date(
    connection: Connection,
    models: Sequence[Model],
    threshold: float = THRESHOLD,
    on_progress: Progress = silent,
    at_most: int = MOST_PAIRS,
) -> dict[str, int]:
    """Fill `imgsim.pair` for models whose pairs are missing, too few, or older than their images.

    Args:
        on_progress: called with the model's name, how many images are compared, and of how many.
        at_most: stop, with nothing changed, where a model has more pairs than this.

    Returns:
        For each model whose pairs were computed, how many it has.

    Raises:
        ImgsimError: the threshold is out of range.
        TooManyPairsError: a model has more than `at_most`.
    """
    if not 0 < threshold <= 1:
        raise ImgsimError(f"the threshold is {threshold}", "give one above 0, up to 1")
    filled: dict[str, int] = {}
    for model in models:
        with alone(connection, "imgsim.pair", model):
            if not _is_current(connection, model, threshold):
                filled[model.name] = _fill(connection, model, threshold, on_progress, at_most)
    return filled


def stay_current(connection: Connection, model: Model) -> None:
    """Before images' removal raises a model's revision: its pairs stay as current as they were.

    The pairs of removed images go with them, and no other pair depends on those.
    """
    connection.execute(
        sql.SQL(
            """
            update imgsim.pair_state s
            set revision = m.revision + 1, images = (select count(*) from imgsim.{})
            from imgsim.model m
            where m.model_id = s.model_id and m.revision = s.revision and m.model_id = %s
            """
        ).format(sql.Identifier(model.embedding_table)),
        [model.model_id],
    )


def _is_current(connection: Connection, model: Model, threshold: float) -> bool:
    row = connection.execute(
        """
        select 1
        from imgsim.pair_state s
        join imgsim.model m on m.model_id = s.model_id and m.revision = s.revision
        where s.model_id = %s and s.threshold <= %s
        """,
        [model.model_id, threshold],
    ).fetchone()
    return row is not None


def _fill(
    connection: Connection, model: Model, threshold: float, on_progress: Progress, at_most: int
) -> int:
    row = connection.execute(
        "select revision from imgsim.model where model_id = %s", [model.model_id]
    ).fetchone()
    assert row is not None
    vectors = read_vectors(connection, model)
    connection.execute("delete from imgsim.pair where model_id = %s", [model.model_id])
    stored = 0
    for done, pairs in at_or_above(vectors, threshold):
        stored += len(pairs.image_ids)
        if stored > at_most:
            raise TooManyPairsError(
                f"more than {at_most:,} pairs of {model.name} reach {threshold:g} "
                f"(weights: {model.weights}); nothing was changed",
                "raise --threshold, or --at-most if there is room for so many",
            )
        _copy(connection, model, pairs)
        on_progress(model.name, done, len(vectors.ids))
    _set_state(connection, model, threshold, len(vectors.ids), row[0])
    return stored


def _copy(connection: Connection, model: Model, pairs: Pairs) -> None:
    if not len(pairs.image_ids):
        return
    copy_columns(
        connection,
        "imgsim.pair",
        {
            "model_id": (">i2", model.model_id),
            "image_id": (">i8", pairs.image_ids),
            "other_id": (">i8", pairs.other_ids),
            "similarity": (">f8", pairs.similarity),
        },
    )


def _set_state(
    connection: Connection, model: Model, threshold: float, images: int, revision: int
) -> None:
    connection.execute(
        """
        insert into imgsim.pair_state (model_id, threshold, images, revision)
        values (%s, %s, %s, %s)
        on conflict (model_id) do update
        set threshold = excluded.threshold, images = excluded.images,
            revision = excluded.revision, computed_at = now()
        """,
        [model.model_id, threshold, images, revision],
    )
