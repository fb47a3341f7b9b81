"""Images whose files have gone or moved: found, or followed to their new place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imgsim.bibliography.identifiers import ECCO_NAME, name_pattern
from imgsim.collection import runs
from imgsim.collection.images import named, rename
from imgsim.database.connection import Connection
from imgsim.database.turns import committed, hold_models
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.images import kinds
from imgsim.images.boxes import box_of
from imgsim.images.decoding import Frame
from imgsim.images.files import LONGEST_PATH, path_from_text, path_text
from imgsim.images.spelling import Folders

FEW = 3
"""How many paths are named that nothing is stored of."""


def places(connection: Connection, paths: Sequence[Path]) -> list[str]:
    """Returns files and folders as they are stored: absolute, spelt as they were on disk.

    Raises:
        NotFoundError: nothing is stored of one of them; all such are named.
    """
    folders = Folders()
    meant = {str(path): folders.on_disk(str(path)) or os.path.realpath(path) for path in paths}
    rows = connection.execute(
        """
        select i.path from imgsim.image i where i.path = any(%(places)s)
        union
        select f.path from imgsim.ingest_failure f where f.path = any(%(places)s)
        """,
        {"places": [path_text(place) for place in meant.values()]},
    )
    files = {path_from_text(row[0]) for row in rows}
    found, unknown = [], []
    for path, place in meant.items():
        # Files are known by the index; only for a folder are all paths read.
        spelt = [place] if place in files else _as_stored(connection, place)
        found.extend(spelt)
        if not spelt:
            unknown.append(path)
    if unknown:
        named = ", ".join(unknown[:FEW]) + (
            f" and {len(unknown) - FEW:,} more" * (len(unknown) > FEW)
        )
        raise NotFoundError(
            f"cannot find {named} in the store: no image and no failure is recorded there",
            "a picture is named by its file here, or by the path in imgsim report failures",
        )
    return found


def _as_stored(connection: Connection, place: str) -> list[str]:
    """Returns a file or folder as it is stored, in another spelling if only that is there.

    Empty if nothing is stored of it.
    """
    text = path_text(place).rstrip("/")
    exact = _beginning_with(connection, text, "s.path", "%(place)s")
    if exact or text.isascii():
        return exact
    return _beginning_with(
        connection, text, "imgsim.composed(s.path)", "imgsim.composed(%(place)s)"
    )


def _beginning_with(connection: Connection, text: str, path: str, place: str) -> list[str]:
    """Returns the beginnings of stored paths that fit `text`, as long as it is."""
    rows = connection.execute(
        f"""
        select distinct array_to_string(
            (string_to_array(s.path, '/'))[:cardinality(string_to_array(%(place)s, '/'))], '/')
        from (
            select i.path from imgsim.image i
            union all
            select f.path from imgsim.ingest_failure f
        ) s
        where {path} = {place} or starts_with({path}, {place} || '/')
        """.encode(),  # noqa: S608
        {"place": text},
    ).fetchall()
    return [path_from_text(row[0]) or "/" for row in rows]


def under_paths(connection: Connection, paths: Sequence[str]) -> list[int]:
    """Returns the ids of the images stored under files or folders."""
    rows = connection.execute(
        """
        select distinct i.image_id
        from imgsim.image i
        join unnest(%s::text[]) as p (path)
            on i.path = p.path or starts_with(i.path, rtrim(p.path, '/') || '/')
        order by i.image_id
        """,
        [[path_text(path) for path in paths]],
    )
    return [row[0] for row in rows]


def in_skipped_folders(connection: Connection, roots: Sequence[str]) -> dict[str, int]:
    """Returns how many images are stored of folders that an ingest of these roots skips, by folder.

    They were named by themselves, or taken in by a version that skipped none.
    """
    found: Counter[str] = Counter()
    for root in roots:
        below = path_text(root).rstrip("/") + "/"
        rows = connection.execute(
            "select i.path from imgsim.image i where starts_with(i.path, %s)", [below]
        )
        for (path,) in rows:
            parts = path.removeprefix(below).split("/")[:-1]
            aside = next((n for n, part in enumerate(parts) if kinds.is_set_aside(part)), None)
            if aside is not None:
                found[below + "/".join(parts[: aside + 1])] += 1
    return dict(found)


def missing(connection: Connection) -> list[int]:
    """Returns the ids of the images whose files are no longer there."""
    with connection.transaction(), connection.cursor("paths") as cursor:
        cursor.execute("select image_id, path from imgsim.image order by image_id")
        return [row[0] for row in cursor if not os.path.lexists(path_from_text(row[1]))]


def relocate(connection: Connection, old: str, new: str) -> int:
    """Rewrites the paths of images whose file or folder has moved, and returns how many.

    A file that was renamed gets the name of its images, and the ids that it holds, from its new
    name, read by the pattern that the images were taken in with. Failures recorded under both
    paths are kept as recorded under the new one. The files are those of this machine from then on.

    Raises:
        ImgsimError: no image is under `old`, or one is stored under the new path already.
    """
    stored = _as_stored(connection, old)
    if len(stored) > 1:
        raise ImgsimError(
            f"cannot relocate {old}: {len(stored)} stored folders are called so, and differ only "
            "in how accents are written",
            "give one as it is stored, or ingest the new folder: files are known by their content",
        )
    values = {"old": path_text(stored[0] if stored else old), "new": path_text(new)}
    moved = committed(connection, lambda: _relocate(connection, values))
    if moved == 0:
        raise ImgsimError(f"no image is stored under {old}", "imgsim doctor shows what is stored")
    return moved


UNDER = "(path = %(old)s or starts_with(path, %(old)s || '/'))"
MOVED = "%(new)s || substr(path, length(%(old)s) + 1)"


def _relocate(connection: Connection, values: dict[str, str]) -> int:
    # An ingest that writes under one of the paths has ended, or begins when this has.
    hold_models(connection)
    taken = connection.execute(
        f"""
        select i.path
        from (
            select path from imgsim.image
            union all
            select path from imgsim.region
        ) i
        where i.path in (select {MOVED} from imgsim.image where {UNDER})
            and not (i.path = %(old)s or starts_with(i.path, %(old)s || '/'))
        limit 1
        """,  # noqa: S608
        values,
    ).fetchone()
    if taken:
        raise ImgsimError(
            f"cannot relocate {values['old']}: {taken[0]} is already stored",
            f"remove one of the two first: imgsim remove {values['new']}",
        )
    _refuse_too_long(connection, values)
    if values["old"] != values["new"]:
        connection.execute(
            f"""
            delete from imgsim.ingest_failure f
            using (select {MOVED} as path, frame from imgsim.ingest_failure where {UNDER}) m
            where f.path <> %(old)s and not starts_with(f.path, %(old)s || '/')
                and f.path = m.path and f.frame = m.frame
            """.encode(),  # noqa: S608
            values,
        )
    _record_machine(connection, values)
    moved = 0
    for table in ("ingest_failure", "region", "image"):
        moved = connection.execute(
            f"update imgsim.{table} set path = {MOVED} where {UNDER}".encode(),  # noqa: S608
            values,
        ).rowcount
    _read_name(connection, values["new"])
    return moved


def _refuse_too_long(connection: Connection, values: dict[str, str]) -> None:
    row = connection.execute(
        f"""
        select max(octet_length(m.path))
        from (
            select {MOVED} as path from imgsim.image where {UNDER}
            union all
            select {MOVED} from imgsim.ingest_failure where {UNDER}
        ) m
        """,  # noqa: S608
        values,
    ).fetchone()
    if row and row[0] and row[0] > LONGEST_PATH:
        raise ImgsimError(
            f"cannot relocate {values['old']}: a path would have {row[0]:,} bytes, and the store "
            f"holds {LONGEST_PATH:,}",
            "give the new folders shorter names",
        )


def _record_machine(connection: Connection, values: dict[str, str]) -> None:
    """Records that files which were taken in on another machine are on this one now."""
    rows = connection.execute(
        f"select distinct run_id from imgsim.image where {UNDER} and run_id is not null",  # noqa: S608
        values,
    )
    renewed = runs.go_on_here(connection, [row[0] for row in rows])
    connection.execute(
        f"""
        update imgsim.image i
        set run_id = r.here
        from unnest(%(theirs)s::bigint[], %(ours)s::bigint[]) as r (there, here)
        where i.run_id = r.there and {UNDER}
        """,  # noqa: S608
        {**values, "theirs": list(renewed), "ours": list(renewed.values())},
    )


def _read_name(connection: Connection, path: str) -> None:
    """Reads name and ids of the images of one file from its path; of a folder there are none."""
    rows = connection.execute(
        """
        select i.image_id, r.arguments ->> 'name_pattern', i.x, i.y, g.number,
            i.frame, i.frames, i.width, i.height, i.mode, i.format
        from imgsim.image i
        left join imgsim.ingest_run r using (run_id)
        left join imgsim.region g on g.path = i.path and g.frame = i.frame
            and (g.x, g.y, g.width, g.height) = (i.x, i.y, i.width, i.height)
        where i.path = %s
        """,
        [path],
    ).fetchall()
    for image_id, pattern, x, y, region, *page in rows:
        frame = Frame(*page)
        frame = replace(frame, box=box_of(x, y, frame.width, frame.height), region=region)
        name, parts = named(path_from_text(path), frame, name_pattern(pattern or ECCO_NAME))
        rename(connection, image_id, name, parts)
