"""Images in books, and what evidence and scholars say of them, for tests of groups."""

from __future__ import annotations

from imgsim.database.connection import Connection

A, B, C, D = 1, 2, 3, 4
CHAIN = ((A, B, 0.99), (B, C, 0.95), (C, D, 0.97))


def add_book(
    connection: Connection,
    ecco_id: str,
    year: int | None = None,
    place: str | None = None,
    work: str | None = None,
    extra: str = "{}",
) -> None:
    """A book of the bibliography, called by its number."""
    connection.execute(
        """
        insert into imgsim.ecco_document
            (ecco_id, ecco_full_title, publication_year, publication_place, work_id, extra)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [ecco_id, f"Book {int(ecco_id)}", year, place, work, extra],
    )


def add_images(connection: Connection, *ecco_ids: str | None) -> None:
    """Images 1, 2, … called `image 1` …, each in a book; of None, no book is known."""
    connection.execute(
        """
        insert into imgsim.image
            (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format,
                ecco_id, page_number)
        select n, 'image ' || n, '/scans/' || n, md5(n::text), 1, 1, 1, 1, 'L', 'PNG', book, n
        from unnest(%s::text[]) with ordinality as b (book, n)
        """,
        [list(ecco_ids)],
    )


def verify(
    connection: Connection,
    image: int,
    other: int,
    probability: float,
    relation: str = "same block",
) -> None:
    """What `imgsim verify` would store of two images."""
    connection.execute(
        """
        insert into imgsim.verification
            (image_id, other_id, relation, probability, mirrored, inliers, coverage,
                other_coverage, correlation, parameters, version)
        values (%s, %s, %s, %s, false, 99, 0.9, 0.9, 0.9, '{}', 1)
        on conflict (image_id, other_id) do update
        set relation = excluded.relation, probability = excluded.probability,
            verified_at = excluded.verified_at
        """,
        [image, other, relation, probability],
    )


def judge(
    connection: Connection, image: int, other: int, verdict: str, by: str = "Mary Jones"
) -> None:
    """What `imgsim verdict` would store of two images."""
    connection.execute(
        """
        insert into imgsim.verdict (image_id, other_id, verdict, by)
        values (%s, %s, %s, %s)
        """,
        [image, other, verdict, by],
    )


def chain(connection: Connection) -> None:
    """Four images in four books, of which only neighbours have been found of one block."""
    add_images(connection, *(f"{n:010}" for n in (A, B, C, D)))
    for image, other, probability in CHAIN:
        verify(connection, image, other, probability)
    verify(connection, A, D, 0.02, "unrelated")
