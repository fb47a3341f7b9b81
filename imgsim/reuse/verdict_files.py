"""Verdicts from files: which rows can be used, and what is wrong with the others."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsim.database.connection import Connection
from imgsim.database.turns import share_models, turn
from imgsim.formats.tallies import Tally, tally, total
from imgsim.reuse import pair_files
from imgsim.reuse.pair_files import NamedPair, PairFile
from imgsim.reuse.verdicts import GIVEN, VERDICTS, Given, columns_of, insert, scholar, verdict_meant

# A day: a date alone is midnight UTC, and it is tomorrow elsewhere.
CLOCKS_DIFFER = datetime.timedelta(days=1)


@dataclass
class Loaded:
    """What came of a file of verdicts; `already` counts rows that were stored before.

    Of the rows in tallies only those in `repeated` and `outdated` were used.
    """

    pairs: PairFile
    added: int = 0
    already: int = 0
    disputed: int = 0
    repeated: Tally = tally("row", "repeated, used once")
    outdated: Tally = tally("row", "ignored: its scholar has given another verdict since")
    no_verdict: Tally = tally("row", f"skipped: the verdict is none of {', '.join(VERDICTS)}")
    unread_dates: Tally = tally("row", "skipped: the date cannot be read")
    contradictions: Tally = tally("row", "skipped: another row of the same scholar contradicts it")
    removed: Tally = tally("row", "skipped: an image was removed meanwhile")

    @property
    def refused(self) -> int:
        """Returns how many rows could not be used."""
        return total((*self.pairs.tallies, *self.tallies))

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Returns what is wrong with rows that name two images."""
        return self.no_verdict, self.unread_dates, self.contradictions, self.removed


def load(connection: Connection, path: Path, by: str | None = None) -> Loaded:
    """Adds the verdicts of a file with the columns image, other, verdict; and note, by, at.

    Rows that can be used are added in one transaction, except those that are stored already. A row
    without a date counts as stored if its scholar has ever said so, even if that scholar has said
    otherwise since: `outdated` counts these.

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
        verdicts = _without_removed(connection, loaded, verdicts)
        loaded.added = insert(connection, verdicts)
        loaded.already = len(verdicts) - loaded.added
        _tell_outdated(connection, loaded, verdicts)
        row = connection.execute("select count(*) from imgsim.verdict_pair where disputed")
        loaded.disputed = int((row.fetchone() or (0,))[0])
    return loaded


def _read(loaded: Loaded, pair: NamedPair, by: str) -> Given | None:
    """Returns the verdict of a row; None, with the reason in a tally, if it gives none."""
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
    """Returns a date, or a date and time (UTC by default); None if unreadable or in the future."""
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    # In the future it would count before everything its scholar says until then.
    moment = read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
    return moment if moment <= datetime.datetime.now(datetime.UTC) + CLOCKS_DIFFER else None


def _without_contradictions(loaded: Loaded, read: Sequence[Given]) -> list[Given]:
    """Returns each verdict once, and none where a scholar says two things of a pair at one time."""
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
    """Returns one of equal verdicts for each note."""
    notes: dict[str | None, Given] = {}
    for given in same:
        if given.note in notes:
            loaded.repeated.add(f"line {given.line}: as line {notes[given.note].line}")
        else:
            notes[given.note] = given
    return list(notes.values())


def _without_removed(
    connection: Connection, loaded: Loaded, verdicts: Sequence[Given]
) -> list[Given]:
    """Returns the verdicts on images that are still stored; the file was read before the lock."""
    ids = sorted({image for given in verdicts for image in (given.image_id, given.other_id)})
    rows = connection.execute("select image_id from imgsim.image where image_id = any(%s)", [ids])
    stored = {row[0] for row in rows}
    kept: list[Given] = []
    for given in verdicts:
        gone = {given.image_id, given.other_id} - stored
        if gone:
            loaded.removed.add(f"line {given.line}: id {', '.join(map(str, sorted(gone)))}")
        else:
            kept.append(given)
    return kept


def _tell_outdated(connection: Connection, loaded: Loaded, verdicts: Sequence[Given]) -> None:
    """Counts rows without a date whose scholar has said otherwise since they were stored."""
    rows = connection.execute(
        f"""
        select g.line, c.by, c.verdict
        {GIVEN}
        join imgsim.verdict_current c using (image_id, other_id, by)
        where g.at is null and c.verdict <> g.verdict
        order by g.line
        """,
        columns_of(verdicts),
    )
    for line, by, verdict in rows:
        loaded.outdated.add(f"line {line}: {by} has since said {verdict}")
