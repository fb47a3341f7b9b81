"""A store worth exporting, and the shortest way to export it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgsim import export
from imgsim.database.connection import Connection
from imgsim.export import Outcome, Target
from imgsim.export.joined import Joined
from imgsim.networks.models import Model
from imgsim.similarity import neighbours, pairs
from tests.vectors import clustered, store

TITLE = 'A "curious" herbal,\nvol. 1; § 書'


def stored_model(connection: Connection) -> Model:
    """120 images in groups over seven books: one without bibliography; three images without id."""
    stored = store(connection, "resnet50", clustered(120, 32), books=7)
    connection.execute(
        """
        insert into imgsim.ecco_document
            (ecco_id, ecco_full_title, publication_year, publication_place, extra)
        select lpad(n::text, 10, '0'), case n when 1 then %s else 'Book ' || n end,
            case n when 2 then null else 1750 + n end, 'London', '{"shelf": "é"}'
        from generate_series(1, 8) n
        where n <> 6
        """,
        [TITLE],
    )
    connection.execute("update imgsim.image set ecco_id = null where image_id <= 3")
    return stored


def written(
    connection: Connection, rows: Joined, folder: Path, format_: str, model: Model | None = None
) -> Outcome:
    """Write an export whose files are called x."""
    return export.write(connection, rows, Target(folder, "x", format_), model)


@contextmanager
def likeness(connection: Connection, model: Model, threshold: float = 0.9) -> Iterator[None]:
    """Lists and pairs up to date, seen at one moment."""
    neighbours.bring_up_to_date(connection, [model], 5)
    pairs.bring_up_to_date(connection, [model], threshold)
    with export.one_moment(connection):
        yield
