"""What scholars say of two pictures: one by one or from a file, several side by side, all kept.

A verdict is never changed or taken back: whoever thinks again gives another, and the latest of each
scholar counts (`imgsim.verdict_current`, `imgsim.verdict_pair`).
"""

from __future__ import annotations

import datetime
import getpass
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsim.database.connection import Connection
from imgsim.database.turns import share_models, turn
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.formats.reading import Tally
from imgsim.reuse import pair_files
from imgsim.reuse.pair_files import NamedPair, PairFile
from imgsim.similarity import search

SAME_BLOCK = "same block"
VERDICTS = (SAME_BLOCK, "copy", "same subject", "unrelated")
OTHER_WORDS = {"block": SAME_BLOCK, "plate": SAME_BLOCK, "same plate": SAME_BLOCK}
CLOCKS_DIFFER = datetime.timedelta(days=1)


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


@dataclass
class Loaded:
    """What came of a file of verdicts. Nothing in a tally but `repeated` and `outdated` was used.

    `already` counts rows that were stored before.
    """

    pairs: PairFile
    added: int = 0
    already: int = 0
    disputed: int = 0
    repeated: Tally = field(default_factory=Tally)
    outdated: Tally = field(default_factory=Tally)
    no_verdict: Tally = field(default_factory=Tally)
    unread_dates: Tally = field(default_factory=Tally)
    contradictions: Tally = field(default_factory=Tally)

    @property
    def refused(self) -> int:
        """Returns how many rows could not be used."""
        return self.pairs.refused + sum(tally.count for _, tally in self.tallies)

    @property
    def tallies(self) -> tuple[tuple[str, Tally], ...]:
        """Returns what is wrong with rows that name two images, in words, with examples."""
        words = ", ".join(VERDICTS)
        return (
            (f"rows skipped: the verdict is none of {words}", self.no_verdict),
            ("rows skipped: the date cannot be read", self.unread_dates),
            ("rows skipped: they contradict another row of the same scholar", self.contradictions),
        )


def scholar(environ: Mapping[str, str] = os.environ) -> str:
    """Whose verdicts these are where nobody is named: `IMGSIM_SCHOLAR`, or the account's name.

    Raises:
        ImgsimError: there is neither.
    """
    if given := environ.get("IMGSIM_SCHOLAR", "").strip():
        return given
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
        ImgsimError: it is no verdict, nobody is named, or both are the same image.
        NotFoundError: an image is not stored, or its name fits several.
    """
    said = verdict_meant(verdict)
    if said is None:
        raise ImgsimError(f"{verdict!r} is not a verdict", f"give one of: {', '.join(VERDICTS)}")
    who = scholar() if by is None else by.strip()
    if not who:
        raise ImgsimError("the name of the scholar is empty", "give --by NAME")
    least, greatest = sorted(search.stored_image(connection, text) for text in (image, other))
    if least == greatest:
        raise ImgsimError(f"{image} and {other} are the same image", "give two different ones")
    given = Given(least, greatest, said, (note or "").strip() or None, who)
    with turn(connection, "imgsim.verdict", 0), connection.transaction():
        share_models(connection)  # before the images' rows: who removes images comes the same way
        names = _names(connection, (least, greatest))
        before = _current(connection, given)
        mine = before.pop(who, None)
        added = mine is None or mine[0] != said or given.note not in (None, mine[1])
        if added:
            _insert(connection, [given])
    against = tuple((name, word) for name, (word, _) in before.items() if word != said)
    return Recorded(*names, given, added, mine[0] if mine else None, against)


def load(connection: Connection, path: Path, by: str | None = None) -> Loaded:
    """Add the verdicts of a file with the columns image, other, verdict; and note, by, at.

    Rows that can be used are added in one transaction, all but those that are stored already. A row
    without a date that its scholar has once said is stored already, also where that scholar has
    said otherwise since: `outdated` tells of these.

    Args:
        by: whose verdicts those are that name nobody.

    Raises:
        ImgsimError: the file cannot be read, or lacks a column.
    """
    pairs = pair_files.read(connection, path, ["verdict"], ["note", "by", "at"])
    loaded = Loaded(pairs)
    otherwise = (by or "").strip() or scholar()
    read = [given for pair in pairs.pairs if (given := _read(loaded, pair, otherwise))]
    verdicts = _without_contradictions(loaded, read)
    with turn(connection, "imgsim.verdict", 0), connection.transaction():
        share_models(connection)  # before the images' rows: who removes images comes the same way
        loaded.added = _insert(connection, verdicts)
        loaded.already = len(verdicts) - loaded.added
        _tell_outdated(connection, loaded, verdicts)
        row = connection.execute("select count(*) from imgsim.verdict_pair where disputed")
        loaded.disputed = int((row.fetchone() or (0,))[0])
    return loaded


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
    """What each scholar says of the pair, with the note."""
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


def _read(loaded: Loaded, pair: NamedPair, by: str) -> Given | None:
    """The verdict of a row, unless it says none; the tallies say why."""
    text, note, named, date = pair.values
    verdict = verdict_meant(text or "")
    if verdict is None:
        loaded.no_verdict.add(f"line {pair.line}: {text or 'blank'}")
        return None
    at = _moment(date) if date else None
    if date and at is None:
        loaded.unread_dates.add(f"line {pair.line}: {date}")
        return None
    return Given(pair.image_id, pair.other_id, verdict, note, named or by, at, pair.line)


def _moment(text: str) -> datetime.datetime | None:
    """A date, or a date and time; in UTC if it says nothing else. None if unread or yet to come."""
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
    return moment if moment <= datetime.datetime.now(datetime.UTC) + CLOCKS_DIFFER else None


def _without_contradictions(loaded: Loaded, read: Sequence[Given]) -> list[Given]:
    """Each verdict once, and none where one scholar says two things of a pair at one time."""
    said: dict[object, list[Given]] = defaultdict(list)
    for given in read:
        said[given.image_id, given.other_id, given.by, given.at].append(given)
    kept: list[Given] = []
    for same in said.values():
        first = same[0]
        if any(given.verdict != first.verdict for given in same):
            lines = ", ".join(f"{given.line} ({given.verdict})" for given in same)
            for given in same:
                loaded.contradictions.add(f"line {given.line}: {given.by} in lines {lines}")
            continue
        kept += _each_once(loaded, same)
    return sorted(kept, key=lambda given: given.line)


def _each_once(loaded: Loaded, same: Sequence[Given]) -> list[Given]:
    """Of equal verdicts one for each note."""
    notes: dict[str | None, Given] = {}
    for given in same:
        if given.note in notes:
            loaded.repeated.add(f"line {given.line}: as line {notes[given.note].line}")
        else:
            notes[given.note] = given
    return list(notes.values())


GIVEN = """
from unnest(
    %(image_ids)s::bigint[], %(other_ids)s::bigint[], %(verdicts)s::text[], %(notes)s::text[],
    %(bys)s::text[], %(ats)s::timestamptz[], %(lines)s::integer[]
) as g (image_id, other_id, verdict, note, by, at, line)
"""


def _columns(verdicts: Sequence[Given]) -> dict[str, list[object]]:
    return {
        "image_ids": [given.image_id for given in verdicts],
        "other_ids": [given.other_id for given in verdicts],
        "verdicts": [given.verdict for given in verdicts],
        "notes": [given.note for given in verdicts],
        "bys": [given.by for given in verdicts],
        "ats": [given.at for given in verdicts],
        "lines": [given.line for given in verdicts],
    }


def _insert(connection: Connection, verdicts: Sequence[Given]) -> int:
    """Add verdicts in their order, from a file only those that are not stored; how many."""
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
        order by g.line
        """,  # noqa: S608
        _columns(verdicts),
    ).rowcount


def _tell_outdated(connection: Connection, loaded: Loaded, verdicts: Sequence[Given]) -> None:
    """Tell of rows without a date whose scholar has said otherwise since they were stored."""
    rows = connection.execute(
        f"""
        select g.line, c.by, c.verdict
        {GIVEN}
        join imgsim.verdict_current c using (image_id, other_id, by)
        where g.at is null and c.verdict <> g.verdict
        order by g.line
        """,
        _columns(verdicts),
    )
    for line, by, verdict in rows:
        loaded.outdated.add(f"line {line}: {by} has since said {verdict}")
