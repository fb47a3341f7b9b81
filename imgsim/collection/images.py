"""The images of a store as rows: recognised by path and content, touched, moved, named."""

from __future__ import annotations

import os
import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace

from psycopg import sql

from imgsim.bibliography.identifiers import NameParts, parse_name
from imgsim.collection import failures
from imgsim.database.connection import Connection
from imgsim.database.turns import Shared, committed, hold_models
from imgsim.images.boxes import Box, Cut, box_of
from imgsim.images.decoding import Frame
from imgsim.images.files import Found, path_from_text, path_text
from imgsim.images.spelling import composed, is_listed
from imgsim.networks.models import Model


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


class Images:
    """The rows of a store's images, as an ingest with some models looks at them.

    Args:
        models: the models whose vectors every image shall have.
        pattern: how file names give the ids of book, page and illustration.
    """

    def __init__(self, shared: Shared, models: Sequence[Model], pattern: re.Pattern[str]) -> None:
        self._shared = shared
        self._pattern = pattern
        self._host = socket.gethostname()
        self._select = _select_frames(models)
        self._known = _select_known(models)

    def known(self, files: Sequence[Found]) -> set[int]:
        """Returns the positions of files stored with this size and time that lack no vector."""
        with self._shared.alone() as connection:
            rows = connection.execute(
                self._known,
                [
                    [path_text(file.path) for file in files],
                    [file.size for file in files],
                    [file.modified_ns for file in files],
                ],
            ).fetchall()
        return {row[0] - 1 for row in rows}

    def by_path(self, paths: Iterable[str]) -> dict[str, list[StoredFrame]]:
        """Returns the stored frames of files, by path (as Python has it)."""
        return self._frames(sql.SQL("i.path = any(%s)"), [path_text(path) for path in paths])

    def cuts(self, paths: Iterable[str]) -> dict[str, tuple[Cut, ...]]:
        """Returns the accepted regions of files, by path (as Python has it); none of most files."""
        with self._shared.alone() as connection:
            rows = connection.execute(
                """
                select path, frame, x, y, width, height, number, sha256
                from imgsim.region
                where path = any(%s) and state = 'accepted'
                order by path, number
                """,
                [[path_text(path) for path in paths]],
            ).fetchall()
        found: dict[str, tuple[Cut, ...]] = {}
        for path, frame, x, y, width, height, number, sha256 in rows:
            cut = Cut(frame, Box(x, y, width, height), number, sha256)
            found[path_from_text(path)] = (*found.get(path_from_text(path), ()), cut)
        return found

    def cut_files(self) -> set[str]:
        """Returns the paths (as Python has them) of all files with an accepted region."""
        with self._shared.alone() as connection:
            rows = connection.execute(
                "select distinct path from imgsim.region where state = 'accepted'"
            ).fetchall()
        return {path_from_text(row[0]) for row in rows}

    def by_content(self, hashes: Iterable[str]) -> dict[str, list[StoredFrame]]:
        """Returns the stored files with a content, grouped by path."""
        return self._frames(sql.SQL("i.sha256 = any(%s)"), list(hashes))

    def _frames(self, condition: sql.SQL, values: list[str]) -> dict[str, list[StoredFrame]]:
        query = sql.SQL("{} where {} order by i.image_id").format(
            self._select,
            condition,
        )
        grouped: dict[str, list[StoredFrame]] = defaultdict(list)
        with self._shared.alone() as connection:
            rows = connection.execute(query, [values]).fetchall()
        for (
            image_id,
            path,
            sha256,
            size,
            modified_ns,
            host,
            lacking,
            x,
            y,
            region,
            *frame,
        ) in rows:
            whole = Frame(*frame)
            box = box_of(x, y, whole.width, whole.height)
            stored = StoredFrame(
                *(image_id, path, sha256, size, modified_ns, host, tuple(lacking)),
                replace(whole, box=box, region=region),
            )
            grouped[path_from_text(path)].append(stored)
        return grouped

    def was_moved(self, frames: Sequence[StoredFrame]) -> bool:
        """Returns whether a file stored from this machine is no longer there.

        Of other machines' files nothing is known here: there they may be where they were.
        """
        return frames[0].host == self._host and not is_listed(path_from_text(frames[0].path))

    def was_changed(self, frames: Sequence[StoredFrame]) -> bool:
        """Returns whether a file stored from this machine is there with another size or time."""
        if frames[0].host != self._host:
            return False
        try:
            there = os.stat(path_from_text(frames[0].path))
        except (OSError, ValueError):
            return False
        return (there.st_size, there.st_mtime_ns) != (frames[0].bytes, frames[0].modified_ns)

    def touch(self, found: Found) -> None:
        """Records the new modification time of a file whose content is as it was."""
        with self._shared.alone() as connection:
            connection.execute(
                "update imgsim.image set modified_ns = %s where path = %s",
                [found.modified_ns, path_text(found.path)],
            )
            failures.forget(connection, [found.path])

    def move(self, frames: Sequence[StoredFrame], found: Found) -> bool:
        """Gives stored frames the new path of their file; False if another has moved them."""
        with self._shared.alone() as connection:
            return committed(connection, lambda: self._move(connection, frames, found))

    def _move(self, connection: Connection, frames: Sequence[StoredFrame], found: Found) -> bool:
        # Before the rows: whoever computes from these images has committed, or begins after this.
        hold_models(connection)
        moved = 0
        for stored in frames:
            was_there = connection.execute(
                """
                update imgsim.image
                set path = %s, modified_ns = %s
                where image_id = %s and path = %s
                """,
                [path_text(found.path), found.modified_ns, stored.image_id, stored.path],
            ).rowcount
            if was_there:
                name, parts = named(found.path, stored.frame, self._pattern)
                rename(connection, stored.image_id, name, parts)
            moved += was_there
        move_regions(connection, frames[0].path, path_text(found.path))
        failures.forget(connection, [found.path])
        return moved == len(frames)


def rename(connection: Connection, image_id: int, name: str, parts: NameParts) -> None:
    """Gives an image the name of its file and the ids in it, but where metadata gave it others."""
    connection.execute(
        """
        update imgsim.image
        set name = %s,
            ecco_id = coalesce(case when linked then ecco_id end, %s, ecco_id),
            page_id = coalesce(case when linked then page_id end, %s, page_id),
            page_number = coalesce(case when linked then page_number end, %s, page_number),
            illustration = coalesce(case when linked then illustration end, %s, illustration)
        where image_id = %s
        """,
        [name, *astuple(parts), image_id],
    )


def move_regions(connection: Connection, old: str, new: str) -> None:
    """Gives the regions of a file its new path; those that are known there already stay."""
    connection.execute(
        """
        update imgsim.region
        set path = %(new)s
        where path = %(old)s
            and not exists (select from imgsim.region r where r.path = %(new)s)
        """,
        {"old": old, "new": new},
    )


def named(path: str, frame: Frame, pattern: re.Pattern[str]) -> tuple[str, NameParts]:
    """Returns the name of a page of a file or of a region, and the ids that the name holds.

    A region is called `<file>_<n>`, as ECCO calls the illustrations of a page. Accents are composed
    in it, as `imgsim.composed` does, however the file's name has them.
    """
    stem = composed(path_text(os.path.splitext(os.path.basename(path))[0]))
    if frame.box is not None:
        stem = f"{stem}_{frame.box if frame.region is None else frame.region}"
    elif frame.count > 1:
        return f"{stem}#{frame.number}", parse_name(stem, pattern)
    return stem, parse_name(stem, pattern)


def read_names_again(
    connection: Connection, roots: Sequence[str], pattern: re.Pattern[str]
) -> None:
    """Reads book and page from the names of stored images anew, by this run's pattern."""
    with (
        connection.transaction(),
        connection.cursor("names") as cursor,
        connection.cursor() as update,
    ):
        hold_models(connection)
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
            parsed = [(image_id, parse_name(stem, pattern)) for image_id, stem in rows]
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
            array_remove(array[{}]::text[], null), i.x, i.y, g.number,
            i.frame, i.frames, i.width, i.height, i.mode, i.format
        from imgsim.image i
        left join imgsim.ingest_run r using (run_id)
        left join imgsim.region g on g.path = i.path and g.frame = i.frame
            and (g.x, g.y, g.width, g.height) = (i.x, i.y, i.width, i.height)
        """
    ).format(sql.SQL(", ").join(lacking))


def _select_known(models: Sequence[Model]) -> sql.Composed:
    """Files whose every picture is stored as the file is now, with a vector of every model.

    Their regions are those that are accepted now.
    """
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
        left join imgsim.region g on g.path = i.path and g.frame = i.frame and g.state = 'accepted'
            and (g.x, g.y, g.width, g.height) = (i.x, i.y, i.width, i.height)
        group by f.position, f.path
        having count(*) = min(i.frames)
            and count(*) = count(*) filter (
                where i.bytes = f.bytes and i.modified_ns = f.modified_ns
                    and (i.x is null or g.sha256 = i.sha256) {})
            and count(i.x) = (
                select count(*)
                from imgsim.region a
                where a.path = f.path and a.state = 'accepted')
        """
    ).format(sql.SQL(" ").join(vectors))
