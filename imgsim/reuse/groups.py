"""The groups of re-use of a store: built from evidence and verdicts, and kept by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imgsim.database.connection import Connection
from imgsim.database.turns import committed, hold_models, turn
from imgsim.errors import ImgsimError
from imgsim.reuse.grouping import Group, Grouping, Links, grouped, kept_ids

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST = 0.9
"""From this probability on, evidence links two images."""

LINK = (
    *(("image_ids", np.int64), ("other_ids", np.int64)),
    *(("probability", np.float64), ("by_verdict", np.bool_)),
)
"""The fields of `grouping.Links`."""

STATE = (
    *("group_id", "images", "links", "density", "weakest", "weakest_id", "weakest_other_id"),
    *("bridge_id", "bridge_other_id"),
)


@dataclass(frozen=True)
class Built:
    """The result of building groups.

    `separated` counts the links skipped because verdicts keep their images apart,
    `separated_verdicts` those of them that are verdicts themselves; `loose` the links between
    groups that were not tight enough; `disputed` the pairs on which scholars contradict each other.
    `largest` and `largest_images` are the largest group's id and size, None without any group.
    """

    groups: int
    images: int
    books: int
    links: int
    largest: int | None
    largest_images: int | None
    separated: int
    separated_verdicts: int
    loose: int
    disputed: int
    changed: bool


@dataclass(frozen=True)
class Status:
    """How groups were built, and how much has been added since."""

    least: float
    tightness: float
    parts: bool
    at: str
    verified_since: int
    judged_since: int
    removed_since: int

    @property
    def is_current(self) -> bool:
        """Returns whether nothing has changed since."""
        return not (self.verified_since or self.judged_since or self.removed_since)


class _Stored(NamedTuple):
    """All rows of the groups, in the order of their keys."""

    states: list[tuple[Any, ...]]
    members: list[tuple[int, int]]
    links: list[tuple[int, int, int, float, str]]


def build(
    connection: Connection, *, least: float = LEAST, tightness: float = 0.0, parts: bool = False
) -> Built:
    """Builds the groups of re-use anew, in one transaction; ids stay where most members stay.

    Args:
        least: the least probability at which evidence links two images.
        tightness: see `grouping.grouped`.
        parts: also link images of which only a part is of one block.

    Raises:
        ImgsimError: an option is out of range, or there are no verifications and no verdicts.
    """
    for name, value in (("least probability", least), ("tightness", tightness)):
        if not 0 <= value <= 1:
            raise ImgsimError(f"the {name} is {value}", "give one from 0 to 1")
    options = (least, tightness, parts)
    with turn(connection, "imgsim.group_run", 0):
        return committed(connection, partial(_build, connection, options))


def _build(connection: Connection, options: tuple[float, float, bool]) -> Built:
    least, tightness, parts = options
    # Until the groups are written, none of their images goes and no verification comes. One that
    # waits here is dated after these groups, and so counted as news.
    hold_models(connection)
    _require_evidence(connection)  # or all groups would go, for want of what they were built from
    last_verdict = _last_verdict(connection)
    found = grouped(_links(connection, least, parts), _apart(connection), tightness)
    before = _stored(connection)
    after = _rows(found, _ids(connection, found.groups, before))
    # Unchanged rows are left alone: a citation or an export sees the same group of the same date.
    if after != before:
        _write(connection, after)
    _record(connection, options, last_verdict, after)
    return _summary(connection, found, after, changed=after != before)


def status(connection: Connection) -> Status:
    """Returns how the groups were built, and whether anything has changed since.

    Raises:
        ImgsimError: they have not been built yet.
    """
    row = connection.execute(
        """
        select least, tightness, parts, at::text, verified_since, judged_since, removed_since
        from imgsim.group_status
        """
    ).fetchone()
    if row is None:
        raise ImgsimError("no groups have been built yet", "build them: imgsim group")
    return Status(*row)


def _require_evidence(connection: Connection) -> None:
    row = connection.execute(
        "select exists (select from imgsim.verification) or exists (select from imgsim.verdict)"
    ).fetchone()
    if row == (False,):
        raise ImgsimError(
            "cannot build groups: no pair has been verified or judged yet",
            "verify pairs first: imgsim verify",
        )


def _links(connection: Connection, least: float, parts: bool) -> Links:
    rows = connection.execute(
        """
        select image_id, other_id, probability, source = 'verdict'
        from imgsim.accepted_link(%s, %s)
        """,
        [least, parts],
    ).fetchall()
    found = np.array(rows, list(LINK))
    return Links(*(found[name] for name, _ in LINK))


def _apart(connection: Connection) -> npt.NDArray[np.int64]:
    rows = connection.execute(
        """
        select image_id, other_id
        from imgsim.verdict_pair
        where not one_block
        """
    ).fetchall()
    return np.array(rows, np.int64).reshape(-1, 2)


def _stored(connection: Connection) -> _Stored:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        return connection.execute(statement.encode()).fetchall()

    return _Stored(
        rows(f"select {', '.join(STATE)} from imgsim.group_state order by group_id"),  # noqa: S608
        rows("select image_id, group_id from imgsim.group_member order by image_id"),
        rows(
            """
            select image_id, other_id, group_id, probability, source
            from imgsim.group_link
            order by image_id, other_id
            """
        ),
    )


def _ids(connection: Connection, groups: tuple[Group, ...], before: _Stored) -> list[int]:
    """Returns an id for each group: the one it had, or the next that was never used."""
    kept = kept_ids(groups, dict(before.members))
    new = connection.execute(
        "select nextval('imgsim.group_id') from generate_series(1, %s)", [kept.count(None)]
    )
    return [next(new)[0] if group_id is None else group_id for group_id in kept]


def _rows(found: Grouping, ids: list[int]) -> _Stored:
    states = [
        (group_id, len(g.members), g.links, g.density, g.weakest, *g.weakest_pair)
        + (g.bridge or (None, None))
        for group_id, g in zip(ids, found.groups, strict=True)
    ]
    members = [
        (image, group_id)
        for group_id, group in zip(ids, found.groups, strict=True)
        for image in group.members
    ]
    inside = found.inside
    links = zip(
        *(inside.image_ids.tolist(), inside.other_ids.tolist()),
        *([ids[number] for number in found.group_of.tolist()], inside.probability.tolist()),
        ["verdict" if by_verdict else "evidence" for by_verdict in inside.by_verdict.tolist()],
        strict=True,
    )
    return _Stored(sorted(states), sorted(members), sorted(links))


def _write(connection: Connection, rows: _Stored) -> None:
    connection.execute("delete from imgsim.group_state")  # members and links go with it
    _copy(connection, f"imgsim.group_state ({', '.join(STATE)})", rows.states)
    _copy(connection, "imgsim.group_member (image_id, group_id)", rows.members)
    _copy(
        connection,
        "imgsim.group_link (image_id, other_id, group_id, probability, source)",
        rows.links,
    )


def _copy(connection: Connection, target: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {target} from stdin".encode()) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _last_verdict(connection: Connection) -> int:
    row = connection.execute("select coalesce(max(verdict_id), 0) from imgsim.verdict").fetchone()
    assert row is not None
    return int(row[0])


def _record(
    connection: Connection,
    options: tuple[float, float, bool],
    last_verdict: int,
    rows: _Stored,
) -> None:
    counts = [len(rows.links), len(rows.states), len(rows.members)]
    connection.execute(
        """
        insert into imgsim.group_run
            (least, tightness, parts, links, groups, images, last_verdict_id, at)
        -- Not now(), when the transaction began: what was verified while it waited is in here.
        values (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())
        """,
        [*options, *counts, last_verdict],
    )


def _summary(connection: Connection, found: Grouping, rows: _Stored, changed: bool) -> Built:
    row = connection.execute(
        """
        select
            (
                select count(distinct i.ecco_id)
                from imgsim.group_member m
                join imgsim.image i using (image_id)
            ),
            (select count(*) from imgsim.verdict_pair where one_block is null)
        """
    ).fetchone()
    assert row is not None
    largest = min(rows.states, key=lambda state: (-state[1], state[0]), default=(None, None))
    return Built(
        *(len(rows.states), len(rows.members), row[0], len(rows.links)),
        *(largest[0], largest[1]),
        *(found.separated, found.separated_verdicts, found.loose),
        disputed=row[1],
        changed=changed,
    )
