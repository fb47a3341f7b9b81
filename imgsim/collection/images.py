"""The images of a store as rows: recognised by path and content, written, relocated, taken out."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from pgvector import HalfVector
from psycopg import sql

from imgsim.bibliography.identifiers import NameParts, parse_name
from imgsim.collection import failures
from imgsim.database.connection import Connection
from imgsim.images.decoding import Frame
from imgsim.images.files import Found, Refused, path_from_text, path_text
from imgsim.networks.models import Model
from imgsim.similarity import neighbours, pairs
from imgsim.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FILE_LOCKS = 730_581
CONTENT_LOCKS = 730_582


@dataclass(frozen=True)
class StoredFrame:
    """A row of `imgsim.image`, the machine it was taken in on, and which models lack its vector."""

    image_id: int
    path: str
    sha256: str
    bytes: int
    modified_ns: int
    host: str | None
    lacking: tuple[str, ...]
    frame: Frame


@dataclass(frozen=True)
class Record:
    """One picture to be written: what is known of it, and a vector for some models.

    With `twin_id` the vectors are those of that image, whose content is the same; `replaces` says
    that the path had another content before.
    """

    found: Found
    sha256: str
    frame: Frame
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    twin_id: int | None = None
    replaces: bool = False


class Catalogue:
    """Reads and writes the rows of one store for a set of models, for one thread at a time.

    Args:
        models: the models whose vectors every image shall have.
        pattern: how file names tell book, page and illustration.
    """

    def __init__(
        self, connection: Connection, models: Sequence[Model], pattern: re.Pattern[str]
    ) -> None:
        self._connection = connection
        self._models = {model.name: model for model in models}
        self._pattern = pattern
        self._host = socket.gethostname()
        self._run_id: int | None = None
        self._select = _select_frames(models)
        self._known = _select_known(models)
        # A transaction of one thread must not take in what another does meanwhile.
        self._turn = threading.RLock()

    def begin_run(self, arguments: Mapping[str, Any]) -> int:
        """Record that an ingest begins; its id."""
        row = self._connection.execute(
            """
            insert into imgsim.ingest_run (host, process_id, imgsim_version, arguments)
            values (%s, %s, %s, %s)
            returning run_id
            """,
            [self._host, os.getpid(), __version__, json.dumps(arguments)],
        ).fetchone()
        assert row is not None
        self._run_id = int(row[0])
        return self._run_id

    def end_run(
        self,
        status: str,
        counts: Mapping[str, int],
        timings: Mapping[str, Any],
        device_used: Mapping[str, str],
    ) -> None:
        """Record how the ingest ended, where its time went, and on which device and in which
        precision it embedded.
        """
        self._connection.execute(
            """
            update imgsim.ingest_run
            set finished_at = now(), status = %s, counts = %s, timings = %s,
                arguments = arguments || %s::jsonb
            where run_id = %s
            """,
            [
                *(status, json.dumps(counts), json.dumps(timings), json.dumps(device_used)),
                self._run_id,
            ],
        )

    def known(self, files: Sequence[Found]) -> set[int]:
        """The positions of files that are stored with this size and time, and lack no vector."""
        with self._turn:
            rows = self._connection.execute(
                self._known,
                [
                    [path_text(file.path) for file in files],
                    [file.size for file in files],
                    [file.modified_ns for file in files],
                ],
            ).fetchall()
        return {row[0] - 1 for row in rows}

    def by_path(self, paths: Iterable[str]) -> dict[str, list[StoredFrame]]:
        """The stored frames of files, by path (as Python has it)."""
        return self._frames(sql.SQL("i.path = any(%s)"), [path_text(path) for path in paths])

    def by_content(self, hashes: Iterable[str]) -> dict[str, list[StoredFrame]]:
        """The stored files with a content, grouped by path."""
        return self._frames(sql.SQL("i.sha256 = any(%s)"), list(hashes))

    def _frames(self, condition: sql.SQL, values: list[str]) -> dict[str, list[StoredFrame]]:
        query = sql.SQL("{} where {} order by i.image_id").format(
            self._select,
            condition,
        )
        grouped: dict[str, list[StoredFrame]] = defaultdict(list)
        with self._turn:
            rows = self._connection.execute(query, [values]).fetchall()
        for (
            image_id,
            path,
            sha256,
            size,
            modified_ns,
            host,
            lacking,
            *frame,
        ) in rows:
            stored = StoredFrame(
                image_id, path, sha256, size, modified_ns, host, tuple(lacking), Frame(*frame)
            )
            grouped[path_from_text(path)].append(stored)
        return grouped

    def was_moved(self, frames: Sequence[StoredFrame]) -> bool:
        """Whether a stored file was taken in on this machine and is not there any more."""
        return frames[0].host == self._host and not os.path.lexists(path_from_text(frames[0].path))

    def lock(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths that no other ingest works on; they are now locked to this one."""
        texts = {path_text(path): path for path in paths}
        return {texts[text] for text in self._lock(FILE_LOCKS, list(texts))}

    def unlock(self, paths: Iterable[str]) -> None:
        """Let other ingests have these paths."""
        self._unlock(FILE_LOCKS, [path_text(path) for path in paths])

    def lock_contents(self, hashes: Iterable[str]) -> set[str]:
        """Those of the contents that no other ingest is embedding; locked to this one, too."""
        return self._lock(CONTENT_LOCKS, list(hashes))

    def unlock_contents(self, hashes: Iterable[str]) -> None:
        """Let other ingests have these contents."""
        self._unlock(CONTENT_LOCKS, list(hashes))

    def _lock(self, kind: int, texts: list[str]) -> set[str]:
        with self._turn:
            rows = self._connection.execute(
                "select t from unnest(%s::text[]) as t where pg_try_advisory_lock(%s, hashtext(t))",
                [texts, kind],
            ).fetchall()
        return {row[0] for row in rows}

    def _unlock(self, kind: int, texts: list[str]) -> None:
        # A connection that broke has let go of its locks.
        if texts and not self._connection.closed:
            with self._turn:
                self._connection.execute(
                    "select pg_advisory_unlock(%s, hashtext(t)) from unnest(%s::text[]) as t",
                    [kind, texts],
                )

    def touch(self, found: Found) -> None:
        """Take note of a new modification time of unchanged content."""
        with self._turn:
            self._connection.execute(
                "update imgsim.image set modified_ns = %s where path = %s",
                [found.modified_ns, path_text(found.path)],
            )
            failures.forget(self._connection, [found.path])

    def move(self, frames: Sequence[StoredFrame], found: Found) -> bool:
        """Give stored frames the new path of their file; False if another has moved them."""
        with self._turn, self._connection.transaction():
            moved = 0
            for stored in frames:
                name, parts = self._name(found.path, stored.frame)
                moved += self._connection.execute(
                    """
                    update imgsim.image
                    set path = %s, name = %s, modified_ns = %s,
                        ecco_id = coalesce(case when linked then ecco_id end, %s, ecco_id),
                        page_id = coalesce(case when linked then page_id end, %s, page_id),
                        page_number = coalesce(case when linked then page_number end, %s,
                            page_number),
                        illustration = coalesce(case when linked then illustration end, %s,
                            illustration)
                    where image_id = %s and path = %s
                    """,
                    [
                        *(path_text(found.path), name, found.modified_ns),
                        *(parts.ecco_id, parts.page_id, parts.page_number, parts.illustration),
                        *(stored.image_id, stored.path),
                    ],
                ).rowcount
            failures.forget(self._connection, [found.path])
        return moved == len(frames)

    def write(self, records: Sequence[Record], refused: Sequence[Refused]) -> None:
        """Write pictures with their vectors, and failures, in one transaction."""
        with self._turn, self._connection.transaction():
            ids = self._upsert_images(records)
            replaced = [i for i, r in zip(ids, records, strict=True) if r.replaces]
            surplus = self._surplus_frames(records)
            if replaced:
                self._drop_vectors(replaced + surplus)
            for name, model in self._models.items():
                self._write_vectors(name, model, ids, records)
            if surplus:
                self._connection.execute(
                    "delete from imgsim.image where image_id = any(%s)", [surplus]
                )
            failures.forget(
                self._connection,
                [r.found.path for r in records],
                [r.frame.number for r in records],
            )
            failures.record(self._connection, refused, self._run_id)

    def judged_pages(self, records: Sequence[Record]) -> dict[str, str]:
        """Files whose later pages are gone though scholars have judged them, and why they wait.

        Whoever takes such a file in would take the verdicts out.
        """
        if not any(record.replaces for record in records):
            return {}
        with self._turn:
            rows = self._connection.execute(
                """
                select i.path, count(*)
                from imgsim.image i
                join imgsim.verdict v on i.image_id in (v.image_id, v.other_id)
                where i.image_id = any(%s)
                group by i.path
                """,
                [self._surplus_frames(records)],
            ).fetchall()
        judged: dict[str, int] = dict(rows)
        return {
            r.found.path: f"scholars have judged pages that it has no more "
            f"({judged[path_text(r.found.path)]:,} verdicts): imgsim remove --with-verdicts first"
            for r in records
            if path_text(r.found.path) in judged
        }

    def _upsert_images(self, records: Sequence[Record]) -> list[int]:
        if not records:
            return []
        cursor = self._connection.cursor()
        cursor.executemany(
            """
            insert into imgsim.image (
                name, path, frame, frames, sha256, bytes, modified_ns, width, height, mode, format,
                ecco_id, page_id, page_number, illustration, run_id
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (path, frame) do update
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
        name, parts = self._name(found.path, frame)
        return [
            *(name, path_text(found.path), frame.number, frame.count, record.sha256),
            *(found.size, found.modified_ns, frame.width, frame.height, frame.mode, frame.format),
            *(parts.ecco_id, parts.page_id, parts.page_number, parts.illustration, self._run_id),
        ]

    def _name(self, path: str, frame: Frame) -> tuple[str, NameParts]:
        stem = path_text(os.path.splitext(os.path.basename(path))[0])
        name = stem if frame.count == 1 else f"{stem}#{frame.number}"
        return name, parse_name(stem, self._pattern)

    def _drop_vectors(self, ids: list[int]) -> None:
        """Forget all that was computed from the earlier content of images."""
        tables = self._connection.execute("select embedding_table from imgsim.model").fetchall()
        for (table,) in tables:
            self._connection.execute(
                sql.SQL("delete from imgsim.{} where image_id = any(%s)").format(
                    sql.Identifier(table)
                ),
                [ids],
            )
        neighbours.forget_lists_of(self._connection, ids)
        pairs.forget_pairs_of(self._connection, ids)
        self._connection.execute(
            "delete from imgsim.verification where image_id = any(%s) or other_id = any(%s)",
            [ids, ids],
        )
        self._connection.execute(
            "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
        )

    def _write_vectors(
        self, name: str, model: Model, ids: list[int], records: Sequence[Record]
    ) -> None:
        with_twin = [(i, r.twin_id) for i, r in zip(ids, records, strict=True) if r.twin_id]
        own = [(i, r.vectors[name]) for i, r in zip(ids, records, strict=True) if name in r.vectors]
        if not with_twin and not own:
            return
        # The row of the model is written first: Citus wants reference tables before others.
        self._connection.execute(
            "update imgsim.model set revision = revision + 1 where model_id = %s", [model.model_id]
        )
        table = sql.Identifier(model.embedding_table)
        self._connection.execute(
            sql.SQL("delete from imgsim.{} where image_id = any(%s)").format(table),
            [[image_id for image_id, _ in [*with_twin, *own]]],
        )
        with (
            self._connection.cursor() as cursor,
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
            self._connection.execute(
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

    def _surplus_frames(self, records: Sequence[Record]) -> list[int]:
        """The images of pages that a file, now replaced, has no more."""
        counts = {path_text(r.found.path): r.frame.count for r in records if r.replaces}
        rows = self._connection.execute(
            """
            select i.image_id
            from imgsim.image i
            join unnest(%s::text[], %s::integer[]) as f (path, frames)
                on i.path = f.path and i.frame > f.frames
            """,
            [list(counts), list(counts.values())],
        )
        return [row[0] for row in rows]

    def read_names_again(self, roots: Sequence[str]) -> None:
        """Read book and page out of the names of stored images anew, with this run's pattern."""
        with (
            self._connection.transaction(),
            self._connection.cursor("names") as cursor,
            self._connection.cursor() as update,
        ):
            cursor.execute(
                """
                select i.image_id, regexp_replace(i.name, '#[0-9]+$', '')
                from imgsim.image i
                join unnest(%s::text[]) as root
                    on i.path = root or starts_with(i.path, rtrim(root, '/') || '/')
                where not i.linked
                """,
                [[path_text(root) for root in roots]],
            )
            while rows := cursor.fetchmany(5000):
                parsed = [(image_id, parse_name(stem, self._pattern)) for image_id, stem in rows]
                update.executemany(
                    """
                    update imgsim.image
                    set ecco_id = %s, page_id = %s, page_number = %s, illustration = %s
                    where image_id = %s
                        and (ecco_id, page_id, page_number, illustration)
                            is distinct from (%s, %s, %s, %s)
                    """,
                    [
                        [*astuple(parts), image_id, *astuple(parts)]
                        for image_id, parts in parsed
                        if parts != NameParts()
                    ],
                )


def _select_frames(models: Sequence[Model]) -> sql.Composed:
    lacking = [
        sql.SQL(
            "case when not exists (select from imgsim.{} e where e.image_id = i.image_id) "
            "then {} end"
        ).format(sql.Identifier(model.embedding_table), sql.Literal(model.name))
        for model in models
    ]
    return sql.SQL(
        """
        select i.image_id, i.path, i.sha256, i.bytes, i.modified_ns, r.host,
            array_remove(array[{}]::text[], null),
            i.frame, i.frames, i.width, i.height, i.mode, i.format
        from imgsim.image i
        left join imgsim.ingest_run r using (run_id)
        """
    ).format(sql.SQL(", ").join(lacking))


def _select_known(models: Sequence[Model]) -> sql.Composed:
    """Files whose every frame is stored as the file is now, with a vector of every model."""
    vectors = [
        sql.SQL("and exists (select from imgsim.{} e where e.image_id = i.image_id)").format(
            sql.Identifier(model.embedding_table)
        )
        for model in models
    ]
    return sql.SQL(
        """
        select f.position
        from unnest(%s::text[], %s::bigint[], %s::bigint[])
            with ordinality as f (path, bytes, modified_ns, position)
        join imgsim.image i on i.path = f.path
        group by f.position
        having count(*) = min(i.frames)
            and count(*) = count(*) filter (
                where i.bytes = f.bytes and i.modified_ns = f.modified_ns {})
        """
    ).format(sql.SQL(" ").join(vectors))
