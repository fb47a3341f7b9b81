"""What the stored pictures are called: an example, names that begin with some letters, no book."""

from __future__ import annotations

from imgsim.database.connection import Connection


def example(connection: Connection) -> str | None:
    """Returns the name of the picture that was taken in last and that no other is called by."""
    row = connection.execute(
        """
        select i.name
        from imgsim.image i
        where not exists (
            select from imgsim.image other
            where other.name = i.name and other.image_id <> i.image_id)
        order by i.image_id desc
        limit 1
        """
    ).fetchone()
    return row[0] if row else None


def without_book(connection: Connection) -> int | None:
    """Returns how many pictures do not say from which book they are; None if none is stored."""
    row = connection.execute(
        "select count(*), count(*) filter (where ecco_id is null) from imgsim.image"
    ).fetchone()
    assert row
    images, unnamed = row
    return int(unnamed) if images else None


def beginning(connection: Connection, letters: str, at_most: int) -> list[str]:
    """Returns the first names, in their order, that begin with these letters."""
    rows = connection.execute(
        """
        select distinct i.name
        from imgsim.image i
        where starts_with(i.name, imgsim.composed(%s))
        order by i.name
        limit %s
        """,
        [letters, at_most],
    ).fetchall()
    return [row[0] for row in rows]
