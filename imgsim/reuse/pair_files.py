"""Files with two images in each row: which stored images are meant, and which rows are unusable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsim.database.connection import Connection
from imgsim.formats.reading import TableFile, open_table
from imgsim.formats.tallies import Tally, tally, total

ENDS = ("image", "other")
SEVERAL = 9


@dataclass(frozen=True)
class NamedPair:
    """Two stored images, the lesser id first, as a line of a file names them.

    `values` are those of the further columns requested, None where blank or absent.
    """

    line: int
    image_id: int
    other_id: int
    values: tuple[str | None, ...]

    @property
    def ids(self) -> tuple[int, int]:
        """Returns both ids, the same whichever way round the pair is named."""
        return self.image_id, self.other_id


@dataclass
class PairFile:
    """The rows of a file that name two stored images, and tallies of those that do not."""

    file: TableFile
    rows: int = 0
    pairs: list[NamedPair] = field(default_factory=list)
    unknown: Tally = tally("row", "skipped: image not in the store")
    ambiguous: Tally = tally("row", "skipped: its name fits several images")
    one_image: Tally = tally("row", "skipped: both images are the same")
    ragged: Tally = field(default_factory=Tally)

    @property
    def refused(self) -> int:
        """Returns how many rows do not name two stored images."""
        return total(self.tallies)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Returns what is wrong with rows."""
        return self.unknown, self.ambiguous, self.one_image, self.ragged


def read(
    connection: Connection, path: Path, needed: Sequence[str] = (), optional: Sequence[str] = ()
) -> PairFile:
    """Reads a CSV, TSV or Parquet file with the columns `image` and `other`.

    They hold names, paths or ids, as `imgsim.images_called` finds them.

    Args:
        needed: further columns, whose values come first in `NamedPair.values`.
        optional: further columns that may be lacking.

    Raises:
        ImgsimError: the file cannot be read, or lacks a column.
    """
    read = PairFile(open_table(path))
    hint = f"the first line must name {', '.join((*ENDS, *needed))}"
    ends = [read.file.position(column, hint) for column in ENDS]
    others = [read.file.position(column, hint) for column in needed]
    columns = [*others, *map(read.file.find, optional)]
    rows = []
    for row in read.file.rows(read.ragged):
        values = tuple(None if at is None else _stripped(row.values[at]) for at in columns)
        one, other = (_stripped(row.values[at]) or "" for at in ends)
        rows.append((row.number, one, other, values))
    read.rows = len(rows) + read.ragged.count
    # In one question for the whole file: a round trip for each name takes minutes on a far server.
    known = images_called(connection, {text for _, *both, _ in rows for text in both})
    for line, one, other, values in rows:
        if pair := _ids(read, line, (one, other), known):
            # The lesser id first, as the tables of pairs have them.
            read.pairs.append(NamedPair(line, min(pair), max(pair), values))
    return read


def images_called(connection: Connection, texts: Collection[str]) -> dict[str, list[int]]:
    """Returns for each name, path or id the ids of the images that it fits."""
    rows = connection.execute(
        "select called, image_ids from imgsim.images_called(%s::text[])", [list(texts)]
    )
    return dict(rows.fetchall())


def several(ids: Sequence[int]) -> str:
    """Returns the ids of several images that one text fits, or the first of them, for a message."""
    return ", ".join(map(str, ids[:SEVERAL])) + (", …" if len(ids) > SEVERAL else "")


def _ids(
    read: PairFile, line: int, called: tuple[str, str], known: dict[str, list[int]]
) -> tuple[int, int] | None:
    """Returns the two images of a row; None, with the reason in a tally, if one is unclear."""
    unknown = [text or "blank" for text in called if not known[text]]
    if unknown:
        read.unknown.add(f"line {line}: {', '.join(unknown)}")
        return None
    if unclear := [text for text in called if len(known[text]) > 1]:
        text = unclear[0]
        read.ambiguous.add(f"line {line}: {text} fits the ids {several(known[text])}")
        return None
    one, other = (known[text][0] for text in called)
    if one == other:
        read.one_image.add(f"line {line}: {called[0]}")
        return None
    return one, other


def _stripped(value: str | None) -> str | None:
    return (value or "").strip() or None
