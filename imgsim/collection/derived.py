"""All that is computed from an image and must go with it, and the one way to drop it.

Vectors, neighbour lists, pairs, local features, verifications, negatives and the groups' members
hang on an image's content. Whoever replaces or removes a content drops them here, in the order of
locks that `database/turns.py` states: turns, then the models' rows, then the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.turns import committed, hold_models
from imgsim.errors import ImgsimError
from imgsim.networks.models import stored
from imgsim.reuse import verdicts
from imgsim.similarity import neighbours, pairs, stored_lists
from imgsim.wording import counted


@dataclass(frozen=True)
class Astray:
    """How many entries name what is gone: a vector, a content or an image.

    `lists` are neighbour lists of or with an image without a vector; `pairs` have one on either
    side, or an image that has not been compared; `verifications` are of earlier contents; `groups`
    name an image that was removed.
    """

    lists: int
    pairs: int
    verifications: int
    groups: int

    @property
    def any(self) -> bool:
        return any(astuple(self))


def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Drops all that was computed from images, in a transaction that holds the models' rows.

    Nobody can add to it meanwhile: whoever does shares those rows first. The lists and pairs of
    all models are then out of date, and what is missing is computed again.
    """
    gone = list(ids)
    # The rows of models come before those of vectors: Citus wants reference tables first.
    connection.execute(
        "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
    )
    # Vectors of every model, also of those that the running ingest does not fill.
    tables = connection.execute(
        "select embedding_table from imgsim.model order by model_id"
    ).fetchall()
    for (table,) in tables:
        connection.execute(
            sql.SQL("delete from imgsim.{} where image_id = any(%s)").format(sql.Identifier(table)),
            [gone],
        )
    stored_lists.forget_lists_of(connection, gone)
    pairs.forget_pairs_of(connection, gone)
    connection.execute(
        "delete from imgsim.verification where image_id = any(%s) or other_id = any(%s)",
        [gone, gone],
    )
    connection.execute("delete from imgsim.local_feature where image_id = any(%s)", [gone])
    connection.execute(
        "delete from imgsim.negative where image_id = any(%s) or positive_id = any(%s)",
        [gone, gone],
    )
    # Without its member a group is told to be out of date, until `imgsim group` builds it anew.
    connection.execute(
        "delete from imgsim.group_link where image_id = any(%s) or other_id = any(%s)",
        [gone, gone],
    )
    connection.execute("delete from imgsim.group_member where image_id = any(%s)", [gone])


def remove(connection: Connection, image_ids: Sequence[int], *, with_verdicts: bool = False) -> int:
    """Deletes images with all that hangs on them, fills the lists they were in; returns how many.

    The images go in one transaction, in which no list that names them stays. The lists are filled
    after it: that takes a turn, for which nobody may wait who holds the models' rows. Meanwhile,
    and after a run that was killed, readers are warned that the lists are out of date.

    Args:
        with_verdicts: delete what scholars have said of them too.

    Raises:
        ImgsimError: scholars have judged them, and `with_verdicts` is not given.
    """
    ids = sorted(set(image_ids))
    before: dict[int, stored_lists.State] = {}

    def work() -> int:
        hold_models(connection)
        # Verdicts do not depend on a model: the images' own rows keep new ones from coming.
        connection.execute(
            "select from imgsim.image where image_id = any(%s) order by image_id for update", [ids]
        )
        if with_verdicts:
            verdicts.forget(connection, ids)
        else:
            refuse_judged(connection, ids)
        for model in stored(connection):
            before[model.model_id] = stored_lists.state_of(connection, model)
            # Pairs depend on their two images alone: the others stay as current as they were.
            pairs.stay_current(connection, model, ids)
        drop(connection, ids)
        _reject_regions(connection, ids)
        return connection.execute(
            "delete from imgsim.image where image_id = any(%s)", [ids]
        ).rowcount

    removed = committed(connection, work)
    # Only lists that were current before: who has let them grow old has not asked for new ones.
    for model in stored(connection):
        state = before.get(model.model_id)
        if state and state.k and state.of_revision == state.revision:
            neighbours.bring_up_to_date(connection, [model], state.k, method=state.method)
    return removed


def _reject_regions(connection: Connection, ids: Sequence[int]) -> None:
    """Rejects the regions that removed pictures are, so that no ingest takes them in again."""
    connection.execute(
        """
        update imgsim.region g
        set state = 'rejected', at = now()
        from imgsim.image i
        where i.image_id = any(%s) and g.path = i.path and g.frame = i.frame
            and (g.x, g.y, g.width, g.height) = (i.x, i.y, i.width, i.height)
        """,
        [ids],
    )


def refuse_judged(connection: Connection, image_ids: Sequence[int]) -> None:
    """Checks that no verdicts would be deleted with images.

    Raises:
        ImgsimError: there are verdicts on them.
    """
    if count := verdicts.count_on(connection, image_ids):
        raise ImgsimError(
            f"these images have {counted(count, 'verdict')} that would be deleted too; "
            "nothing was removed",
            "keep them with `imgsim export verdicts -o verdicts.csv`, then add --with-verdicts",
        )


def counted_astray(connection: Connection) -> Astray:
    """Returns how many entries name what is gone."""
    found = {LISTS: 0, PAIRS: 0}
    for model in stored(connection):
        for statement in found:
            query = sql.SQL("select count(*) {}").format(_of(statement, model.embedding_table))
            row = connection.execute(query, {"model_id": model.model_id}).fetchone()
            found[statement] += int(row[0]) if row else 0
    row = connection.execute(
        f"select (select count(*) {VERIFICATIONS}), (select count(*) {GROUPS})".encode()
    ).fetchone()
    assert row is not None
    return Astray(found[LISTS], found[PAIRS], *row)


def mend(connection: Connection) -> Astray:
    """Deletes the entries that name what is gone, and returns how many there were.

    Lists and pairs are out of date then: `imgsim neighbours` and `imgsim pairs` compute what is
    missing. Groups stay, because their members give the new ones their ids: `imgsim group`.
    """

    def work() -> Astray:
        hold_models(connection)
        found = counted_astray(connection)
        if found.lists or found.pairs:
            connection.execute(
                "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
            )
        for model in stored(connection):
            for statement in (LISTS, PAIRS):
                connection.execute(
                    sql.SQL("delete {}").format(_of(statement, model.embedding_table)),
                    {"model_id": model.model_id},
                )
        connection.execute(f"delete {VERIFICATIONS}".encode())
        return found

    return committed(connection, work)


def _of(statement: str, table: str) -> sql.Composed:
    return sql.SQL(statement).format(table=sql.Identifier("imgsim", table))


LISTS = """
from imgsim.neighbour_list l
where l.model_id = %(model_id)s and (
    not exists (select from {table} e where e.image_id = l.image_id)
    or exists (
        select
        from unnest(l.other_ids) as o (other_id)
        where not exists (select from {table} e where e.image_id = o.other_id)
    )
)
"""

PAIRS = """
from imgsim.pair p
where p.model_id = %(model_id)s and exists (
    select
    from (values (p.image_id), (p.other_id)) as i (image_id)
    where not exists (select from {table} e where e.image_id = i.image_id)
        or not exists (
            select
            from imgsim.pair_image c
            where c.model_id = p.model_id and c.image_id = i.image_id
        )
)
"""

VERIFICATIONS = """
from imgsim.verification v
where exists (
    select
    from imgsim.local_feature f
    join imgsim.image i using (image_id)
    where f.image_id in (v.image_id, v.other_id) and f.sha256 <> i.sha256
)
"""

GROUPS = """
from imgsim.group_state g
where exists (
    select
    from (values (g.weakest_id), (g.weakest_other_id), (g.bridge_id), (g.bridge_other_id))
        as n (image_id)
    where n.image_id is not null
        and not exists (select from imgsim.image i where i.image_id = n.image_id)
)
"""
