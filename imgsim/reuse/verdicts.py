"""What scholars say of two pictures: several side by side, and all of it kept.

A verdict is never changed or taken back: whoever thinks again gives another, and the latest of each
scholar counts (`imgsim.verdict_current`, `imgsim.verdict_pair`).
"""

from __future__ import annotations

import datetime
import getpass
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imgsim import configuration
from imgsim.database.connection import Connection
from imgsim.database.turns import share_models, turn
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.similarity import search

SAME_BLOCK = "same block"
VERDICTS = (SAME_BLOCK, "copy", "same subject", "unrelated")
OTHER_WORDS = {"block": SAME_BLOCK, "plate": SAME_BLOCK, "same plate": SAME_BLOCK}


@dataclass(frozen=True)
class Given:
    """One verdict: on which two images, what, why, by whom, and when (None: now).

    `line` is that of the file it stands in.
    """

    image_id: int
    other_id: int
    verdict: str
    note: str | None
    by: str
    at: datetime.datetime | None = None
    line: int = 0


@dataclass(frozen=True)
class Recorded:
    """What came of one verdict: the two images' names, and what was said of them before.

    `added` is False where its scholar says so already; `before` is what that scholar said until
    now; `against` tells who says otherwise, and what.
    """

    name: str
    other_name: str
    given: Given
    added: bool
    before: str | None
    against: tuple[tuple[str, str], ...]


def scholar(environ: Mapping[str, str] = os.environ) -> str:
    """Returns whose verdicts these are if nobody is named.

    That is `IMGSIM_SCHOLAR`, the scholar of the configuration file, or the account's name.

    Raises:
        ImgsimError: there is none of these.
    """
    if given := environ.get("IMGSIM_SCHOLAR", "").strip():
        return given
    if settled := configuration.read(environ).scholar:
        return settled
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as exc:
        raise ImgsimError(
            "cannot tell whose verdict this is", "give --by NAME, or set IMGSIM_SCHOLAR"
        ) from exc


def verdict_meant(text: str) -> str | None:
    """Returns the verdict that a text names, or None.

    >>> verdict_meant("Same-Block"), verdict_meant(" plate "), verdict_meant("perhaps")
    ('same block', 'same block', None)
    """
    plain = " ".join(text.replace("-", " ").replace("_", " ").casefold().split())
    said = OTHER_WORDS.get(plain, plain)
    return said if said in VERDICTS else None


def record(
    connection: Connection,
    image: str,
    other: str,
    verdict: str,
    *,
    note: str | None = None,
    by: str | None = None,
) -> Recorded:
    """Adds one verdict on two stored images, named by name, path or id, in either order.

    Raises:
        ImgsimError: it is not a verdict, nobody is named, or both are the same image.
        NotFoundError: an image is not stored, or its name fits several.
    """
    said = verdict_meant(verdict)
    if said is None:
        raise ImgsimError(f"{verdict!r} is not a verdict", f"give one of: {', '.join(VERDICTS)}")
    who = scholar() if by is None else by.strip()
    if not who:
        raise ImgsimError("the name of the scholar is empty", "give --by NAME")
    # The order in which every table of pairs has its two: a pair is one row, however it is named.
    least, greatest = sorted(search.stored_image(connection, text) for text in (image, other))
    if least == greatest:
        raise ImgsimError(f"{image} and {other} are the same image", "give two different ones")
    given = Given(least, greatest, said, (note or "").strip() or None, who)
    with turn(connection, "imgsim.verdict", 0), connection.transaction():
        share_models(connection)  # before the images' rows: who removes images comes the same way
        names = _names(connection, (least, greatest))
        before = _current(connection, given)
        mine = before.pop(who, None)
        # Said twice it would be two rows that look like two opinions.
        added = mine is None or mine[0] != said or given.note not in (None, mine[1])
        if added:
            insert(connection, [given])
    against = tuple((name, word) for name, (word, _) in before.items() if word != said)
    return Recorded(*names, given, added, mine[0] if mine else None, against)


def count_on(connection: Connection, image_ids: Sequence[int]) -> int:
    """Returns how many verdicts there are on these images."""
    row = connection.execute(
        """
        select count(*)
        from imgsim.verdict
        where image_id = any(%(ids)s) or other_id = any(%(ids)s)
        """,
        {"ids": list(image_ids)},
    ).fetchone()
    return int(row[0]) if row else 0


def forget(connection: Connection, image_ids: Sequence[int]) -> int:
    """Deletes the verdicts on these images, with their history; returns how many."""
    return connection.execute(
        "delete from imgsim.verdict where image_id = any(%(ids)s) or other_id = any(%(ids)s)",
        {"ids": list(image_ids)},
    ).rowcount


def _current(connection: Connection, given: Given) -> dict[str, tuple[str, str | None]]:
    """Returns what each scholar says of the pair, with the note."""
    rows = connection.execute(
        """
        select c.by, c.verdict, c.note
        from imgsim.verdict_current c
        where c.image_id = %s and c.other_id = %s
        order by c.by collate "C"
        """,
        [given.image_id, given.other_id],
    )
    return {by: (verdict, note) for by, verdict, note in rows}


def _names(connection: Connection, image_ids: tuple[int, int]) -> tuple[str, str]:
    rows = connection.execute(
        "select image_id, name from imgsim.image where image_id = any(%s)", [list(image_ids)]
    )
    names: dict[int, str] = dict(rows.fetchall())
    one, other = image_ids
    if len(names) < len(image_ids):
        raise NotFoundError(
            "cannot record a verdict: one of the two images was removed meanwhile",
            "give two that are stored",
        )
    return names[one], names[other]


GIVEN = """
from unnest(
    %(image_ids)s::bigint[], %(other_ids)s::bigint[], %(verdicts)s::text[], %(notes)s::text[],
    %(bys)s::text[], %(ats)s::timestamptz[], %(lines)s::integer[]
) as g (image_id, other_id, verdict, note, by, at, line)
"""


def columns_of(verdicts: Sequence[Given]) -> dict[str, list[object]]:
    """Returns the values of `GIVEN`, a list for each of its columns."""
    return {
        "image_ids": [given.image_id for given in verdicts],
        "other_ids": [given.other_id for given in verdicts],
        "verdicts": [given.verdict for given in verdicts],
        "notes": [given.note for given in verdicts],
        "bys": [given.by for given in verdicts],
        "ats": [given.at for given in verdicts],
        "lines": [given.line for given in verdicts],
    }


def insert(connection: Connection, verdicts: Sequence[Given]) -> int:
    """Adds verdicts in their order, from a file only those not yet stored; returns how many.

    To be called with the models' rows shared, so that no image is removed before the commit.
    """
    return connection.execute(
        f"""
        insert into imgsim.verdict (image_id, other_id, verdict, note, by, at)
        select g.image_id, g.other_id, g.verdict, g.note, g.by, coalesce(g.at, now())
        {GIVEN}
        where g.line = 0 or not exists (
            select
            from imgsim.verdict v
            where v.image_id = g.image_id
                and v.other_id = g.other_id
                and v.by = g.by
                and v.verdict = g.verdict
                and v.note is not distinct from g.note
                and (g.at is null or v.at = g.at)
        )
        -- Of two of one moment the later row counts, by its id.
        order by g.line
        """,  # noqa: S608
        columns_of(verdicts),
    ).rowcount
