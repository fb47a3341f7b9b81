"""Verifies the candidates of a store: features found once, pairs judged once, all resumable.

What is to be done is found by looking at what is there, so that an interrupted run goes on and a
run after an ingest costs only what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from psycopg.types.json import Jsonb

from imgsim.database.connection import Connection
from imgsim.database.turns import committed, share_models, turn
from imgsim.errors import NotFoundError
from imgsim.images.stored import CHANGED
from imgsim.reuse.evidence import features, judgement, stored_features
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.work import Progress, in_parallel, silent

PAIRS_COMMITTED = 256
UNREADABLE = "cannot be read: "

KEEP = """
    insert into imgsim.verification (
        image_id, other_id, relation, probability, copy_probability, unrelated_probability,
        mirrored, inliers, coverage, other_coverage, correlation, transform, box, other_box, reason,
        parameters, version, verified_at)
    select v.image_id, v.other_id, v.relation, v.probability, v.copy_probability,
        v.unrelated_probability, v.mirrored, v.inliers, v.coverage, v.other_coverage,
        v.correlation, v.transform, v.box, v.other_box, v.reason, v.parameters, v.version,
        clock_timestamp()
    from (values (
        %s::bigint, %s::bigint, %s, %s::float8, %s::float8, %s::float8, %s::boolean, %s::integer,
        %s::float8, %s::float8, %s::float8, %s::float8[], %s::integer[], %s::integer[], %s,
        %s::jsonb, %s::smallint, %s, %s)) as v (
        image_id, other_id, relation, probability, copy_probability, unrelated_probability,
        mirrored, inliers, coverage, other_coverage, correlation, transform, box, other_box, reason,
        parameters, version, sha256, other_sha256)
    join imgsim.image i on i.image_id = v.image_id and i.sha256 = v.sha256
    join imgsim.image o on o.image_id = v.other_id and o.sha256 = v.other_sha256
    on conflict (image_id, other_id) do update
    set relation = excluded.relation, probability = excluded.probability,
        copy_probability = excluded.copy_probability,
        unrelated_probability = excluded.unrelated_probability, mirrored = excluded.mirrored,
        inliers = excluded.inliers, coverage = excluded.coverage,
        other_coverage = excluded.other_coverage, correlation = excluded.correlation,
        transform = excluded.transform, box = excluded.box, other_box = excluded.other_box,
        reason = excluded.reason, parameters = excluded.parameters, version = excluded.version,
        verified_at = excluded.verified_at
    """


class Pair(NamedTuple):
    """Two stored images, the lesser id first."""

    image_id: int
    other_id: int


@dataclass
class Verified:
    """What a run has come to.

    Attributes:
        pairs: how many were asked for.
        done: how many of them were judged already.
        relations: of those judged now, how many are what.
        unreadable: images that could not be read, and why; their pairs are undecided until they
            can be.
    """

    pairs: int = 0
    done: int = 0
    relations: Counter[str] = field(default_factory=Counter)
    mirrored: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def verify(
    connection: Connection,
    pairs: Sequence[Pair],
    turned: bool = False,
    again: bool = False,
    on_progress: Progress = silent,
    takes_turn: bool = True,
) -> Verified:
    """Judges pairs of stored images, and keeps what comes of it in `imgsim.verification`.

    Args:
        turned: accept any rotation on as little evidence as none.
        again: judge also what has been judged.
        on_progress: told of features, then of pairs.
        takes_turn: wait for other runs, which may be at the same pairs. Without it a pair may be
            judged twice, to the same end.
    """
    wanted = sorted({Pair(*sorted(pair)) for pair in pairs if pair[0] != pair[1]})
    with turn(connection, "imgsim.verification", 0) if takes_turn else nullcontext():
        committed(connection, partial(_forget_outdated, connection))
        left = wanted if again else not_judged(connection, wanted, turned)
        told = Verified(len(wanted), len(wanted) - len(left))
        unreadable = _find_features(connection, left, told, on_progress)
        for start in range(0, len(left), PAIRS_COMMITTED):
            block = left[start : start + PAIRS_COMMITTED]
            contents = _contents(connection, block)
            judged = list(_judge(connection, block, unreadable, turned))
            _keep(connection, judged, contents, {"turned": turned})
            told.relations.update(each.relation for _, each in judged)
            told.mirrored += sum(
                each.mirrored for _, each in judged if each.relation.startswith("same block")
            )
            on_progress("pairs", start + len(block), len(left))
    return told


def candidates(connection: Connection, k: int) -> list[Pair]:
    """The pairs worth looking at: k nearest of every image by every model, and all stored pairs."""
    rows = connection.execute("select image_id, other_id from imgsim.candidates(%s)", [k])
    return [Pair(*row) for row in rows]


def share(connection: Connection, k: int) -> tuple[int, int]:
    """Returns how many of the candidates are verified, and how many candidates there are."""
    row = connection.execute(
        "select verified, candidates from imgsim.verification_status(%s)", [k]
    ).fetchone()
    assert row
    return row


def kept(connection: Connection, pair: Pair) -> Judgement:
    """What is stored of a pair that was verified, without the inliers themselves.

    Raises:
        NotFoundError: one of the two was removed meanwhile.
    """
    row = connection.execute(
        """
        select relation, probability, copy_probability, mirrored, inliers, coverage,
            other_coverage, correlation, transform, box, other_box, reason
        from imgsim.verification
        where image_id = %s and other_id = %s
        """,
        pair,
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"cannot tell what images {pair.image_id} and {pair.other_id} are to each other: "
            "one was removed or changed meanwhile",
            "run the same command again, with two that are stored",
        )
    relation, probability, copy_probability, mirrored, inliers = row[:5]
    coverage, other_coverage, correlation, transform, box, other_box, reason = row[5:]
    return Judgement(
        *(relation, probability, copy_probability, mirrored, inliers),
        *(coverage, other_coverage, correlation),
        None if transform is None else np.reshape(transform, (3, 3)),
        None if box is None else tuple(box),
        None if other_box is None else tuple(other_box),
        reason,
    )


def _forget_outdated(connection: Connection) -> None:
    """Drops what was found in files as they are no more, or by another version of ours."""
    share_models(connection)
    rows = connection.execute(
        """
        delete from imgsim.local_feature f
        using imgsim.image i
        where i.image_id = f.image_id and (i.sha256 <> f.sha256 or f.version <> %s)
        returning f.image_id
        """,
        [features.VERSION],
    ).fetchall()
    ids = [row[0] for row in rows]
    connection.execute(
        "delete from imgsim.verification where image_id = any(%s) or other_id = any(%s)",
        [ids, ids],
    )


def not_judged(connection: Connection, wanted: Sequence[Pair], turned: bool) -> list[Pair]:
    """Those that have not been judged as closely, or whose pictures could not be read then."""
    rows = connection.execute(
        """
        select v.image_id, v.other_id
        from imgsim.verification v
        join unnest(%s::bigint[], %s::bigint[]) as w (image_id, other_id)
            on w.image_id = v.image_id and w.other_id = v.other_id
        where v.version = %s
            and (v.parameters @> '{"turned": true}' or not %s)
            and v.reason not like %s is not false
        """,
        [
            *([pair.image_id for pair in wanted], [pair.other_id for pair in wanted]),
            *(judgement.VERSION, turned, f"%{UNREADABLE}%"),
        ],
    )
    done = set(rows.fetchall())
    return [pair for pair in wanted if tuple(pair) not in done]


def _find_features(
    connection: Connection, pairs: Sequence[Pair], told: Verified, on_progress: Progress
) -> dict[int, str]:
    unreadable = stored_features.find(
        connection, sorted({i for pair in pairs for i in pair}), on_progress
    )
    if unreadable:
        names = connection.execute(
            "select image_id, name from imgsim.image where image_id = any(%s)", [list(unreadable)]
        )
        told.unreadable = {name: unreadable[image_id] for image_id, name in names}
    return unreadable


@dataclass(frozen=True)
class _Task:
    pair: Pair
    one: LocalFeatures
    other: LocalFeatures
    turned: bool


def _judge(
    connection: Connection, block: Sequence[Pair], unreadable: dict[int, str], turned: bool
) -> Iterator[tuple[Pair, Judgement]]:
    known = stored_features.known(connection, sorted({i for pair in block for i in pair}))
    equal = _equal(connection, block)
    tasks = []
    for pair in block:
        changed = [i for i in pair if unreadable.get(i) == CHANGED]
        missing = changed or [i for i in pair if i not in known]
        if pair in equal and not changed:
            yield pair, equal[pair]
        elif missing:
            why = unreadable.get(missing[0], "it was removed meanwhile")
            yield pair, judgement.undecided(f"image {missing[0]} {UNREADABLE}{why}")
        else:
            tasks.append(_Task(pair, known[pair.image_id], known[pair.other_id], turned))
    yield from in_parallel(_judged, tasks)


def _judged(task: _Task) -> tuple[Pair, Judgement]:
    return task.pair, judgement.judge(task.one, task.other, task.turned)


def _equal(connection: Connection, block: Sequence[Pair]) -> dict[Pair, Judgement]:
    """Pairs whose files are equal byte for byte."""
    rows = connection.execute(
        """
        select w.image_id, w.other_id, i.width, i.height
        from unnest(%s::bigint[], %s::bigint[]) as w (image_id, other_id)
        join imgsim.image i on i.image_id = w.image_id
        join imgsim.image o on o.image_id = w.other_id
        where i.sha256 = o.sha256 and i.frame = o.frame
            and (i.x, i.y, i.width, i.height) is not distinct from (o.x, o.y, o.width, o.height)
        """,
        [[pair.image_id for pair in block], [pair.other_id for pair in block]],
    )
    return {Pair(one, other): judgement.equal(width, height) for one, other, width, height in rows}


def _contents(connection: Connection, block: Sequence[Pair]) -> dict[int, str]:
    """The checksums of the images that are about to be judged, read before their features."""
    rows = connection.execute(
        "select image_id, sha256 from imgsim.image where image_id = any(%s)",
        [sorted({i for pair in block for i in pair})],
    )
    return dict(rows.fetchall())


def _keep(
    connection: Connection,
    judged: Sequence[tuple[Pair, Judgement]],
    contents: dict[int, str],
    parameters: dict[str, bool],
) -> None:
    """Keeps what was judged of images whose contents are still the same."""
    rows = [
        (
            *(pair.image_id, pair.other_id, each.relation, each.probability),
            *(each.copy_probability, each.unrelated_probability, each.mirrored, each.inliers),
            *(each.coverage, each.other_coverage, each.correlation),
            None if each.transform is None else each.transform.ravel().tolist(),
            None if each.box is None else list(each.box),
            None if each.other_box is None else list(each.other_box),
            *(each.reason, Jsonb(parameters), judgement.VERSION),
            *(contents.get(pair.image_id), contents.get(pair.other_id)),
        )
        for pair, each in judged
    ]

    def work() -> None:
        share_models(connection)
        connection.cursor().executemany(KEEP, rows)

    committed(connection, work)
