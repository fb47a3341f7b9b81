"""The regions of a store: loaded, accepted and rejected."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from imgsim.database.connection import Connection, Table, table
from imgsim.database.turns import committed
from imgsim.errors import NotFoundError
from imgsim.formats.tallies import Tally, tally
from imgsim.images import files, kinds
from imgsim.images.boxes import Box
from imgsim.images.files import Refused, path_text
from imgsim.images.sizes import page_sizes
from imgsim.images.spelling import Folders
from imgsim.pages import region_files
from imgsim.pages.rows import Row, Unusable

ASPECT = 0.01
"""How far the proportions of a page may be from those that a file of regions gives it."""

COMMITTED = 1000
NAME = r"""
    regexp_replace(regexp_replace(imgsim.composed(g.path), '^.*/', ''), '(.)\.[^.]*$', '\1')
        || '_' || g.number
"""
"""How the picture of a region is called: `imgsim.collection.images.named` in SQL."""

DECIDE = f"""
    update imgsim.region g
    set state = %(state)s, by = %(by)s, at = now()
    where (
            g.state = 'proposed' and exists (
                select
                from unnest(%(paths)s::text[]) as p (path)
                where g.path = p.path or starts_with(g.path, rtrim(p.path, '/') || '/'))
            or g.state <> %(state)s and {NAME} = any(%(names)s::text[])
        )
        and (%(above)s::float8 is null or g.score >= %(above)s)
        and (%(kind)s::text is null or g.kind = %(kind)s)
""".encode()  # noqa: S608

SLACK = 1.0
"""Pixels by which a box may jut out: programs round outwards, or count from 1."""


@dataclass
class Loaded:
    """What came of a file of regions.

    Attributes:
        kind: its format.
        new, known: regions that were stored now, and those that were stored before.
        states: how many of these regions are in which state now.
        scaled: measured on a page of another size than the file has, and the boxes scaled.
        elsewhere, outside, unusable: rows that were not taken.
    """

    kind: str
    new: int = 0
    known: int = 0
    states: Counter[str] = field(default_factory=Counter)
    scaled: Tally = tally("region", "scaled: measured on the page in another size")
    elsewhere: Tally = tally("row", "skipped: no such page")
    outside: Tally = tally("row", "refused: the box is not all on the page")
    unusable: Tally = tally("row", "skipped: cannot be read")

    @property
    def is_blank(self) -> bool:
        """Returns whether the file held no region at all."""
        return not (self.new or self.known or self.refused)

    @property
    def refused(self) -> int:
        """Returns how many rows were not taken."""
        return self.elsewhere.count + self.outside.count + self.unusable.count


@dataclass(frozen=True)
class Page:
    """The file of pages: its path, its checksum, and width and height of each page."""

    path: str
    sha256: str
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Region:
    """A region that is to be stored: its page, what is said of it, and its box in pixels."""

    page: Page
    row: Row
    box: Box


def load(
    connection: Connection, file: Path, folder: Path | None, by: str, *, accept: bool = False
) -> Loaded:
    """Reads regions that were found elsewhere, each tied to its page as it is now.

    A region that is stored already gets a new state only from who accepts it here, or from a state
    in the file: a look that was taken at it is worth more than a second proposal.

    Args:
        folder: where the pages are; beside the file otherwise.
        by: who loads them.
        accept: take those without a state in the file for accepted.

    Raises:
        ImgsimError: the file cannot be read, or holds no regions.
    """
    read = region_files.read(file)
    loaded = Loaded(read.kind)
    pages = _Pages(folder or file.absolute().parent)
    found = list(_placed(read.rows, pages, loaded))
    for start in range(0, len(found), COMMITTED):
        block = found[start : start + COMMITTED]
        for state, is_new in store(connection, block, read.kind, by, accept=accept):
            loaded.states[state] += 1
            loaded.new += is_new
            loaded.known += not is_new
    return loaded


def _placed(rows: Sequence[Row | Unusable], pages: _Pages, loaded: Loaded) -> Iterator[Region]:
    for row in rows:
        if isinstance(row, Unusable):
            loaded.unusable.add(f"{row.where}: {row.reason}")
            continue
        page = pages.named(row.page)
        if isinstance(page, str):
            loaded.elsewhere.add(f"{row.where}: {row.page}: {page}")
        elif row.frame > len(page.sizes) or row.frame < 1:
            loaded.elsewhere.add(f"{row.where}: {row.page} has no page {row.frame}")
        elif box := _box(row, page.sizes[row.frame - 1], loaded):
            yield Region(page, row, box)


def _box(row: Row, size: tuple[int, int], loaded: Loaded) -> Box | None:
    """Returns the box in pixels of the file; None, and told, if it is not all on the page."""
    width, height = size
    across = down = 1.0
    if row.percent:
        across, down = width / 100, height / 100
    elif row.page_size and min(row.page_size) > 0 and row.page_size != size:
        across, down = width / row.page_size[0], height / row.page_size[1]
        if abs(across / down - 1) > ASPECT:
            loaded.outside.add(
                f"{row.where}: {row.page} is said to have {row.page_size[0]:g} x "
                f"{row.page_size[1]:g} pixels, and has {width} x {height}"
            )
            return None
        loaded.scaled.add(f"{row.where}: {row.page}")
    sides = (row.x * across, row.y * down, row.width * across, row.height * down)
    left, top = sides[0], sides[1]
    right, bottom = left + sides[2], top + sides[3]
    juts = max(-left, -top, right - width, bottom - height)
    x, y = max(0, round(left)), max(0, round(top))
    box = Box(x, y, min(width, round(right)) - x, min(height, round(bottom)) - y)
    if juts > SLACK * max(across, down, 1.0) or not box.lies_within(width, height):
        shown = ",".join(f"{side:g}" for side in sides)
        loaded.outside.add(f"{row.where}: {shown} on {row.page} of {width} x {height} pixels")
        return None
    return box


class _Pages:
    """The files of pages, found by how a file of regions calls them, and each looked at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folders = Folders()
        self._seen: dict[str, Page | str] = {}
        self._by_stem: dict[str, list[str]] | None = None

    def named(self, name: str) -> Page | str:
        """Returns the page of that name, or why there is none."""
        if name not in self._seen:
            path, why_not = self._find(name.replace("\\", "/"))
            self._seen[name] = self._looked_at(path) if path else why_not
        return self._seen[name]

    def _find(self, name: str) -> tuple[str, str]:
        """Returns the path of a page's file; if it is empty, why there is none."""
        for tried in (self._folder / name, self._folder / os.path.basename(name)):
            there = self._folders.on_disk(str(tried))
            if there and os.path.isfile(there):
                return there, ""
        # Annotations name a canvas, and recognised text a scan that has had another ending.
        if self._by_stem is None:
            self._by_stem = defaultdict(list)
            for root, below, names in os.walk(self._folder):
                below[:] = [each for each in below if not kinds.is_set_aside(each)]
                for each in filter(kinds.is_named_as_image, names):
                    self._by_stem[each].append(os.path.join(root, each))
                    self._by_stem[os.path.splitext(each)[0]].append(os.path.join(root, each))
        base = os.path.basename(name)
        alike = self._by_stem.get(base) or self._by_stem.get(os.path.splitext(base)[0]) or []
        if len(alike) == 1 and (there := self._folders.on_disk(alike[0])):
            return there, ""
        if alike:
            return "", f"{len(alike)} files of {self._folder} are called so"
        return "", f"not in {self._folder}"

    def _looked_at(self, path: str) -> Page | str:
        found = files.look_at(path)
        if isinstance(found, Refused):
            return found.reason
        sizes, sha256 = page_sizes(found), files.digest(found)
        if isinstance(sizes, Refused):
            return sizes.reason
        return sha256.reason if isinstance(sha256, Refused) else Page(path, sha256, tuple(sizes))


def store(
    connection: Connection,
    regions: Sequence[Region],
    method: str,
    by: str,
    *,
    accept: bool = False,
    version: str | None = None,
) -> list[tuple[str, bool]]:
    """Stores regions in one transaction; returns the state of each, and whether it is new."""
    return committed(connection, partial(_store, connection, regions, method, version, by, accept))


def _store(
    connection: Connection,
    regions: Sequence[Region],
    method: str,
    version: str | None,
    by: str,
    accept: bool,
) -> list[tuple[str, bool]]:
    stored = []
    # One at a time: two loads would give two regions of a page the same number.
    connection.execute("select pg_advisory_xact_lock(hashtext('imgsim.region'), 0)")
    for region in regions:
        state = region.row.state or ("accepted" if accept else None)
        row = connection.execute(
            """
            insert into imgsim.region as g (
                path, frame, x, y, width, height, number, sha256, score, kind, state, by, method,
                version
            )
            select %(path)s, %(frame)s, %(x)s, %(y)s, %(width)s, %(height)s,
                coalesce((select max(number) + 1 from imgsim.region where path = %(path)s), 0),
                %(sha256)s, %(score)s, %(kind)s, coalesce(%(state)s, 'proposed'), %(by)s,
                %(method)s, %(version)s
            on conflict (
                path, frame,
                hashtextextended(
                    x::text || ',' || y::text || ',' || width::text || ',' || height::text, 0)
            ) do update
            set sha256 = excluded.sha256, score = excluded.score, kind = excluded.kind,
                state = coalesce(%(state)s, g.state),
                by = case when %(state)s is null then g.by else excluded.by end,
                at = case when %(state)s is null then g.at else excluded.at end
            returning state, xmax = 0
            """,
            {
                "path": path_text(region.page.path),
                "frame": region.row.frame,
                **vars(region.box),
                "sha256": region.page.sha256,
                "score": region.row.score,
                "kind": region.row.kind,
                "state": state,
                "by": by,
                "method": method,
                "version": version,
            },
        ).fetchone()
        assert row
        stored.append((row[0], row[1]))
    return stored


def decide(
    connection: Connection,
    called: Sequence[str],
    state: str,
    by: str,
    above: float | None = None,
    kind: str | None = None,
) -> int:
    """Accepts or rejects regions, and returns how many.

    Args:
        called: files or folders, of which those that are proposed are meant; or single regions by
            the names of their pictures, whatever was decided about them before.
        above: only those with at least this score.
        kind: only those of this kind.

    Raises:
        NotFoundError: there is no such file, folder or region.
    """
    folders = Folders()
    there = {each: folders.on_disk(each) for each in called}
    names = [each for each, path in there.items() if not path]
    values = {
        "state": state,
        "by": by,
        "paths": [path_text(path) for path in there.values() if path],
        "names": names,
        "above": above,
        "kind": kind,
    }
    if unknown := set(names) - _named(connection, names):
        raise NotFoundError(
            f"cannot find {', '.join(sorted(unknown))}: no file, folder or region is called so",
            "imgsim region list shows the regions",
        )
    return committed(connection, lambda: connection.execute(DECIDE, values).rowcount)


def _named(connection: Connection, names: Sequence[str]) -> set[str]:
    """Returns which names are those of regions."""
    rows = connection.execute(
        f"select {NAME} from imgsim.region g where {NAME} = any(%s)".encode(),  # noqa: S608
        [list(names)],
    )
    return {row[0] for row in rows}


def listed(connection: Connection) -> Table:
    """Returns every region with its page and the picture that it became."""
    return table(
        connection,
        """
        select g.path, g.frame, g.x, g.y, g.width, g.height, g.score, g.kind, g.state, g.by,
            g.method, i.name as picture
        from imgsim.region g
        left join imgsim.image i on i.path = g.path and i.frame = g.frame
            and (i.x, i.y, i.width, i.height) = (g.x, g.y, g.width, g.height)
        order by g.path, g.frame, g.number
        """,
        {},
    )
