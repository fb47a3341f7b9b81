"""Links images to their documents by a table that names files, where file names do not say it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imgsim.bibliography import identifiers
from imgsim.bibliography.link_columns import LinkColumns
from imgsim.database.connection import Connection
from imgsim.database.turns import hold_models
from imgsim.formats.reading import Row, TableFile, open_table
from imgsim.formats.tallies import Tally, tally, total
from imgsim.images.files import path_text
from imgsim.images.spelling import composed

BATCH = 10_000
FEW = 3
ALIKE = 0.6
# How many stored paths are looked through for the nearest spelling: a second's work.
COMPARED = 20_000


@dataclass
class Linked:
    """What came of a table of links.

    `changed` and `unchanged` count images; the tallies count rows, `conflicts` images that several
    rows link differently. Of the rows in tallies only those in `padded` and `unread` were linked.
    """

    file: TableFile
    columns: LinkColumns
    rows: int = 0
    changed: int = 0
    unchanged: int = 0
    padded: Tally = tally("ECCO id", "padded to ten digits (zeros were lost)")
    unread: Tally = tally("value", "ignored: not a number")
    unmatched: Tally = tally("row", "skipped: image not in the store")
    ambiguous: Tally = tally("row", "skipped: its name fits several files")
    conflicts: Tally = tally("image", "skipped: several rows link it differently")
    unusable: Tally = tally("row", "skipped: no usable id or no file")
    ragged: Tally = field(default_factory=Tally)

    @property
    def joins_nothing(self) -> bool:
        """Returns whether no row of the table names a stored image."""
        return not self.changed + self.unchanged + self.conflicts.count + self.ambiguous.count

    @property
    def refused(self) -> int:
        """Returns how many rows or images were not linked although the table names them."""
        return total((self.ambiguous, self.conflicts, self.unusable, self.ragged))


def link(
    connection: Connection,
    path: Path,
    columns: LinkColumns | None = None,
    *,
    missing: Sequence[str] = (),
    sheet: str | None = None,
) -> Linked:
    """Sets document, page and illustration number of the images that a table names.

    A file is matched by its whole path, else by the end of its path (`folder/name.jpg`,
    `name.jpg`), else by that without the ending. A value that fits several files links none. One
    transaction: the whole table, or nothing of it.

    Raises:
        ImgsimError: the table cannot be read, or lacks a column.
    """
    file = open_table(path, missing, sheet)
    linked = Linked(file, (columns or LinkColumns()).found_in(file))
    with connection.transaction():
        connection.execute(STAGING)
        _stage(connection, linked)
        connection.execute("analyze pg_temp.link_row")
        # Before the images' paths are read: whoever moves or replaces images comes the same way.
        # After the file was: others need not wait while it is read.
        hold_models(connection)
        connection.execute(SPELLED)
        connection.execute("analyze pg_temp.link_spelled")
        connection.execute(MATCH)
        _count_rows(connection, linked)
        _update(connection, linked)
        connection.execute("drop table pg_temp.link_row, pg_temp.link_spelled, pg_temp.link_match")
    return linked


@dataclass(frozen=True)
class Called:
    """What stored pictures are called, and the stored path most like each value of a table."""

    examples: tuple[str, ...]
    nearest: tuple[tuple[str, str], ...]


def called(connection: Connection, linked: Linked) -> Called:
    """Returns what stored pictures are called, for a reader whose table names none of them."""
    paths = [
        row[0]
        for row in connection.execute(
            "select distinct i.path from imgsim.image i order by i.path limit %s", [COMPARED]
        )
    ]
    # Reversed, so that of several files of one name the first is shown.
    by_stem = {PurePosixPath(path).stem: path for path in reversed(paths)}
    nearest = []
    for example in linked.unmatched.examples[:FEW]:
        value = example.partition(": ")[2]
        stem = PurePosixPath(value.replace("\\", "/")).stem
        if found := difflib.get_close_matches(stem, by_stem, 1, ALIKE):
            nearest.append((value, by_stem[found[0]]))
    return Called(tuple(paths[:FEW]), tuple(nearest))


# A row of the table stands here once for each way its file may be written in the store.
STAGING = """
create temporary table link_row (
    line bigint not null,
    value text not null,
    ecco_id text not null,
    page_number integer,
    illustration integer
)
"""

# Each file is spelled once for every depth of path that the table uses, and joined by equality:
# where names repeat in many folders, comparing ends of paths compares every row with every file.
SPELLED = r"""
create temporary table link_spelled as
with value as materialized (
    select distinct r.value
    from pg_temp.link_row r
), depth as (
    select distinct cardinality(string_to_array(v.value, '/')) as segments
    from value v
), file as materialized (
    select
        i.image_id,
        i.path,
        i.name,
        string_to_array(c.path, '/') as parts,
        string_to_array(regexp_replace(c.path, '\.[^./]*$', ''), '/') as bare_parts
    from imgsim.image i
    cross join lateral (select imgsim.composed(i.path) as path) c
), spelled as (
    select
        f.image_id,
        f.path,
        array_to_string(f.parts[cardinality(f.parts) - d.segments + 1 :], '/') as value,
        case when d.segments = cardinality(f.parts) then 1 else 2 end as level
    from file f
    join depth d on d.segments <= cardinality(f.parts)
    union all
    select
        f.image_id,
        f.path,
        array_to_string(f.bare_parts[cardinality(f.parts) - d.segments + 1 :], '/'),
        3
    from file f
    join depth d on d.segments <= cardinality(f.parts)
    union all
    -- One page of several in a file.
    select f.image_id, f.path, f.name, 3
    from file f
)
select
    s.value,
    s.level,
    count(distinct s.path) as files,
    min(s.path) as path,
    array_agg(distinct s.image_id) as image_ids
from spelled s
join value v using (value)
group by s.value, s.level
"""

# The images of a value that fits several files are of no use: only their number is told.
MATCH = """
create temporary table link_match as
with candidate as (
    select
        r.line,
        s.level,
        s.files,
        s.path,
        case when s.files = 1 then s.image_ids end as image_ids,
        min(s.level) over (partition by r.line) as best_level
    from pg_temp.link_row r
    join pg_temp.link_spelled s using (value)
), best as (
    select c.line, greatest(count(distinct c.path), max(c.files)) as files
    from candidate c
    where c.level = c.best_level
    group by c.line
)
select b.line, b.files, array_agg(distinct t.image_id) as image_ids
from best b
join candidate c on c.line = b.line and c.level = c.best_level
left join lateral unnest(c.image_ids) as t (image_id) on true
group by b.line, b.files
"""

OUTCOME = """
select r.line, min(r.value), coalesce(min(m.files), 0)
from pg_temp.link_row r
left join pg_temp.link_match m using (line)
where m.files is distinct from 1
group by r.line
order by r.line
"""

# The rows that name one image, if they agree; an image is once in the answer.
AGREED = """
select
    t.image_id,
    i.name,
    array_agg(distinct r.ecco_id),
    array_agg(distinct r.page_number) filter (where r.page_number is not null),
    array_agg(distinct r.illustration) filter (where r.illustration is not null)
from pg_temp.link_match m
cross join lateral unnest(m.image_ids) as t (image_id)
join pg_temp.link_row r using (line)
join imgsim.image i using (image_id)
where m.files = 1
group by t.image_id, i.name
order by t.image_id
"""

UPDATE = """
update imgsim.image i
set linked = true,
    ecco_id = l.ecco_id,
    page_number = coalesce(l.page_number, i.page_number),
    illustration = coalesce(l.illustration, i.illustration)
from unnest(%s::bigint[], %s::text[], %s::integer[], %s::integer[])
    as l (image_id, ecco_id, page_number, illustration)
where i.image_id = l.image_id
    and (i.linked, i.ecco_id, i.page_number, i.illustration) is distinct from (
        true,
        l.ecco_id,
        coalesce(l.page_number, i.page_number),
        coalesce(l.illustration, i.illustration)
    )
"""


def _stage(connection: Connection, linked: Linked) -> None:
    file, columns = linked.file, linked.columns
    assert columns.file
    assert columns.ecco_id
    at_file, at_id = file.position(columns.file), file.position(columns.ecco_id)
    numbers = [file.position(c) if c else None for c in (columns.page, columns.illustration)]
    with connection.cursor().copy("copy pg_temp.link_row from stdin") as copy:
        for row in file.rows(linked.ragged):
            linked.rows += 1
            value, text = (row.values[at_file] or "").strip(), (row.values[at_id] or "").strip()
            ecco_id = identifiers.ecco_id(text)
            if ecco_id is None or not value:
                which = f"{columns.ecco_id} {text or 'blank'}" if value else f"no {columns.file}"
                linked.unusable.add(f"line {row.number}: {which}")
                continue
            if identifiers.lost_zeros(text):
                linked.padded.add(f"{text} is {ecco_id}")
            known = [_number(row, at, linked) for at in numbers]
            for form in _forms(value):
                copy.write_row([row.number, form, ecco_id, *known])


def _number(row: Row, at: int | None, linked: Linked) -> int | None:
    text = ((row.values[at] if at is not None else None) or "").strip()
    number = identifiers.whole_number(text) if text else None
    if text and number is None:
        linked.unread.add(f"line {row.number}: {text}")
    return number


def _forms(value: str) -> set[str]:
    """Returns how a path may be stored: as it is, escaped, or with Windows' separators turned.

    Accents are composed on both sides: a table is typed, a Mac's file names are not.
    """
    value = composed(value)
    return {form.removeprefix("./") for form in (value, path_text(value), value.replace("\\", "/"))}


def _count_rows(connection: Connection, linked: Linked) -> None:
    for line, value, files in connection.execute(OUTCOME):
        if files:
            linked.ambiguous.add(f"line {line}: {value} fits {files:,} files")
        else:
            linked.unmatched.add(f"line {line}: {value}")


def _update(connection: Connection, linked: Linked) -> None:
    agreed = list(_agreed(connection, linked))
    # In parts, because an array of all rows would be held by the server as one value.
    for start in range(0, len(agreed), BATCH):
        batch = agreed[start : start + BATCH]
        columns = [list(column) for column in zip(*batch, strict=True)]
        linked.changed += connection.execute(UPDATE, columns).rowcount
    linked.unchanged = len(agreed) - linked.changed


def _agreed(connection: Connection, linked: Linked) -> Iterator[tuple[object, ...]]:
    """Yields image, document, page, illustration, where the rows that name an image agree."""
    for image_id, name, *told in connection.execute(AGREED):
        if any(values and len(values) > 1 for values in told):
            several = ["/".join(map(str, values)) for values in told if values and len(values) > 1]
            linked.conflicts.add(f"{name}: {', '.join(several)}")
        else:
            yield (image_id, *(values[0] if values else None for values in told))
