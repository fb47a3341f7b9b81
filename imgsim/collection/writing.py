"""Writes pictures with their vectors; whatever hung on an earlier content goes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgvector import HalfVector
from psycopg import sql

from imgsim.collection import derived, failures
from imgsim.collection.images import named
from imgsim.database.connection import Connection
from imgsim.database.turns import Shared, committed, hold_models
from imgsim.images.boxes import Cut
from imgsim.images.decoding import Frame
from imgsim.images.files import Found, Refused, path_from_text, path_text
from imgsim.networks.models import Model
from imgsim.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Record:
    """One picture to be written: what is known of it, and a vector for some models.

    `cuts` are all the regions of its file that are pictures. With `twin_id` the vectors are those
    of that image, whose content is the same.
    """

    found: Found
    sha256: str
    frame: Frame
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    twin_id: int | None = None
    cuts: tuple[Cut, ...] = ()


class Writer:
    """Writes what a run takes in.

    Args:
        models: the models whose vectors every image shall have.
        pattern: how file names give the ids of book, page and illustration.
        run_id: the run that images and failures are recorded under.
    """

    def __init__(
        self,
        shared: Shared,
        models: Sequence[Model],
        pattern: re.Pattern[str],
        run_id: int,
    ) -> None:
        self._shared = shared
        self._models = {model.name: model for model in models}
        self._pattern = pattern
        self._run_id = run_id

    def write(self, records: Sequence[Record], refused: Sequence[Refused]) -> dict[str, str]:
        """Writes pictures with their vectors, and failures, in one transaction.

        Returns:
            Files that must not be written as they are, and why; if any, nothing was written.
        """
        with self._shared.alone() as connection:
            return committed(connection, lambda: self._write(connection, records, refused))

    def _write(
        self, connection: Connection, records: Sequence[Record], refused: Sequence[Refused]
    ) -> dict[str, str]:
        if records:
            # First of all: what is computed from these images' earlier content is then either
            # committed, and dropped below, or not yet begun.
            hold_models(connection)
        surplus = self._surplus_frames(connection, records)
        held_back = self._judged_pages(connection, surplus) | self._lost_twins(connection, records)
        if held_back:
            return held_back
        replaced = self._replaced(connection, records)
        self._raise_revisions(connection, records)
        ids = self._upsert_images(connection, records)
        if replaced or surplus:
            derived.drop(connection, replaced + surplus)
            connection.execute("delete from imgsim.image where image_id = any(%s)", [surplus])
        for name, model in self._models.items():
            self._write_vectors(connection, name, model, ids, records)
        failures.forget(
            connection,
            [r.found.path for r in records],
            [r.frame.number for r in records],
        )
        failures.record(connection, refused, self._run_id)
        return {}

    def _replaced(self, connection: Connection, records: Sequence[Record]) -> list[int]:
        """The images whose content becomes another.

        By what is stored now, not by what was planned: a path may have been moved here since.
        """
        rows = connection.execute(
            """
            select i.image_id
            from imgsim.image i
            join unnest(
                %s::text[], %s::integer[], %s::text[],
                %s::integer[], %s::integer[], %s::integer[], %s::integer[]
            ) as r (path, frame, sha256, x, y, width, height)
                on i.path = r.path and i.frame = r.frame and i.sha256 <> r.sha256
                and coalesce(i.x, -1) = coalesce(r.x, -1) and coalesce(i.y, -1) = coalesce(r.y, -1)
                and (i.x is null or (i.width, i.height) = (r.width, r.height))
            """,
            [
                [path_text(r.found.path) for r in records],
                [r.frame.number for r in records],
                [r.sha256 for r in records],
                *([at[side] for at in map(_corner, records)] for side in (0, 1)),
                [r.frame.width for r in records],
                [r.frame.height for r in records],
            ],
        )
        return [row[0] for row in rows]

    def _judged_pages(self, connection: Connection, surplus: list[int]) -> dict[str, str]:
        """Files whose later pages are gone though scholars have judged them, and why they wait.

        Whoever takes such a file in would delete the verdicts.
        """
        if not surplus:
            return {}
        # Until these rows go, or the transaction ends, nobody can give a verdict on them.
        connection.execute(
            "select from imgsim.image where image_id = any(%s) order by image_id for update",
            [surplus],
        )
        rows = connection.execute(
            """
            select i.path, count(*)
            from imgsim.image i
            join imgsim.verdict v on i.image_id in (v.image_id, v.other_id)
            where i.image_id = any(%s)
            group by i.path
            """,
            [surplus],
        ).fetchall()
        return {
            path_from_text(path): "scholars have judged pictures that it no longer has "
            f"({counted(count, 'verdict')}): imgsim remove --with-verdicts first"
            for path, count in rows
        }

    def _lost_twins(self, connection: Connection, records: Sequence[Record]) -> dict[str, str]:
        """Copies of images that have another content by now, or none: their vectors are not theirs.

        In the same block too: the twin's vectors are dropped before these are copied.
        """
        copies = [r for r in records if r.twin_id]
        if not copies:
            return {}
        rows = connection.execute(
            "select image_id, sha256 from imgsim.image where image_id = any(%s)",
            [[r.twin_id for r in copies]],
        )
        contents: dict[int | None, str] = dict(rows.fetchall())
        for image_id in self._replaced(connection, records):
            contents.pop(image_id, None)
        return {
            r.found.path: "the stored image that it is a copy of changed meanwhile: "
            "run imgsim ingest again"
            for r in copies
            if contents.get(r.twin_id) != r.sha256
        }

    def _raise_revisions(self, connection: Connection, records: Sequence[Record]) -> None:
        # Before any vector is written: Citus wants reference tables before others.
        copied = any(r.twin_id for r in records)
        connection.execute(
            "update imgsim.model set revision = revision + 1 where model_id = any(%s)",
            [
                [
                    model.model_id
                    for name, model in self._models.items()
                    if copied or any(name in r.vectors for r in records)
                ]
            ],
        )

    def _upsert_images(self, connection: Connection, records: Sequence[Record]) -> list[int]:
        if not records:
            return []
        cursor = connection.cursor()
        cursor.executemany(
            """
            insert into imgsim.image (
                name, path, frame, frames, sha256, bytes, modified_ns, width, height, mode, format,
                x, y, ecco_id, page_id, page_number, illustration, run_id
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (
                path, frame,
                coalesce(hashtextextended(
                    x::text || ',' || y::text || ',' || width::text || ',' || height::text, 0), 0)
            ) do update
            set frames = excluded.frames, sha256 = excluded.sha256, bytes = excluded.bytes,
                modified_ns = excluded.modified_ns, width = excluded.width,
                height = excluded.height, mode = excluded.mode, format = excluded.format,
                ecco_id = coalesce(case when image.linked then image.ecco_id end,
                    excluded.ecco_id, image.ecco_id),
                page_id = coalesce(case when image.linked then image.page_id end,
                    excluded.page_id, image.page_id),
                page_number = coalesce(case when image.linked then image.page_number end,
                    excluded.page_number, image.page_number),
                illustration = coalesce(case when image.linked then image.illustration end,
                    excluded.illustration, image.illustration),
                run_id = case
                    when image.sha256 = excluded.sha256 then image.run_id else excluded.run_id
                end,
                changed_at = case
                    when image.sha256 = excluded.sha256 then image.changed_at else now()
                end
            returning image_id
            """,
            [self._image_row(record) for record in records],
            returning=True,
        )
        return [row[0] for result in cursor.results() for row in result]

    def _image_row(self, record: Record) -> list[object]:
        found = record.found
        frame = record.frame
        name, parts = named(found.path, frame, self._pattern)
        return [
            *(name, path_text(found.path), frame.number, frame.count, record.sha256),
            *(found.size, found.modified_ns, frame.width, frame.height, frame.mode, frame.format),
            *_corner(record),
            *(parts.ecco_id, parts.page_id, parts.page_number, parts.illustration, self._run_id),
        ]

    def _write_vectors(
        self,
        connection: Connection,
        name: str,
        model: Model,
        ids: list[int],
        records: Sequence[Record],
    ) -> None:
        table = sql.Identifier(model.embedding_table)
        rows = connection.execute(
            sql.SQL("select image_id from imgsim.{} where image_id = any(%s)").format(table), [ids]
        )
        # What hangs on a vector stays true only while the vector stays: that of a content that
        # did not change is left as it is.
        there = {row[0] for row in rows}
        lacking = [(i, r) for i, r in zip(ids, records, strict=True) if i not in there]
        with_twin = [(i, r.twin_id) for i, r in lacking if r.twin_id]
        own = [(i, r.vectors[name]) for i, r in lacking if name in r.vectors]
        if not with_twin and not own:
            return
        with (
            connection.cursor() as cursor,
            cursor.copy(
                sql.SQL("copy imgsim.{} (image_id, embedding) from stdin (format binary)").format(
                    table
                )
            ) as copy,
        ):
            copy.set_types(["int8", "halfvec"])
            for image_id, vector in own:
                copy.write_row((image_id, HalfVector(vector)))
        if with_twin:
            connection.execute(
                sql.SQL(
                    """
                    insert into imgsim.{table} (image_id, embedding)
                    select t.image_id, e.embedding
                    from unnest(%s::bigint[], %s::bigint[]) as t (image_id, twin_id)
                    join imgsim.{table} e on e.image_id = t.twin_id
                    """
                ).format(table=table),
                [[image_id for image_id, _ in with_twin], [twin for _, twin in with_twin]],
            )

    def _surplus_frames(self, connection: Connection, records: Sequence[Record]) -> list[int]:
        """The images of pages and regions that a file no longer has."""
        files = {path_text(r.found.path): r for r in records}
        pages = [r.frame.pages or r.frame.count for r in files.values()]
        cuts = [(path, cut) for path, record in files.items() for cut in record.cuts]
        boxes = [cut.box for _, cut in cuts]
        rows = connection.execute(
            """
            with cut as (
                select c.*
                from unnest(
                    %s::text[], %s::integer[], %s::integer[], %s::integer[], %s::integer[],
                    %s::integer[]
                ) as c (path, frame, x, y, width, height)
            )
            select i.image_id
            from imgsim.image i
            join unnest(%s::text[], %s::integer[]) as f (path, pages) on i.path = f.path
            where i.frame > f.pages
                or i.x is null and exists (
                    select from cut c where c.path = i.path and c.frame = i.frame)
                or i.x is not null and not exists (
                    select
                    from cut c
                    where c.path = i.path and c.frame = i.frame
                        and (c.x, c.y, c.width, c.height) = (i.x, i.y, i.width, i.height))
            """,
            [
                [path for path, _ in cuts],
                [cut.frame for _, cut in cuts],
                *([box.x for box in boxes], [box.y for box in boxes]),
                *([box.width for box in boxes], [box.height for box in boxes]),
                *(list(files), pages),
            ],
        )
        return [row[0] for row in rows]


def _corner(record: Record) -> tuple[int | None, int | None]:
    """Returns x and y of a region; of a whole page there are none."""
    box = record.frame.box
    return (box.x, box.y) if box else (None, None)
