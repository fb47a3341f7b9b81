"""Groups of re-use are built from evidence and verdicts, keep their ids, and tell their books."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from imgsim import reports
from imgsim.collection import derived
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.reuse import groups
from imgsim.settings import Settings
from tests.reuse import CHAIN, A, B, C, D, add_book, add_images, chain, judge, verify

Rows = list[tuple[Any, ...]]


def rows(connection: Connection, statement: str) -> Rows:
    return connection.execute(statement.encode()).fetchall()


def members(connection: Connection) -> dict[int, list[int]]:
    """The images of each group."""
    found = rows(
        connection,
        """
        select group_id, array_agg(image_id order by image_id)
        from imgsim.group_member
        group by group_id
        """,
    )
    return dict(found)


def partition(connection: Connection) -> list[list[int]]:
    return sorted(members(connection).values())


def everything(connection: Connection) -> list[Rows]:
    tables = ("group_state", "group_member", "group_link")
    return [
        rows(connection, f"select t.*, xmin::text from imgsim.{t} t order by t") for t in tables
    ]


def test_a_chain_is_one_group_that_admits_its_weakest_link(connection: Connection) -> None:
    chain(connection)
    built = groups.build(connection)
    assert (built.groups, built.images, built.books, built.links) == (1, 4, 4, 3)
    assert (built.largest_images, built.changed) == (4, True)
    (told,) = rows(
        connection,
        """
        select images, links, density, weakest, weakest_name, weakest_other_name, bridge_name,
            bridge_other_name
        from imgsim.reuse_group
        """,
    )
    assert told == (4, 3, 0.5, 0.95, "image 2", "image 3", "image 2", "image 3")
    stored = rows(connection, "select image_id, other_id, probability from imgsim.group_link")
    assert sorted(stored) == sorted(CHAIN)


def test_tightness_breaks_a_chain(connection: Connection) -> None:
    chain(connection)
    assert groups.build(connection, tightness=0.5).loose == 1
    assert partition(connection) == [[A, B], [C, D]]


@pytest.mark.parametrize("verdict", ["unrelated", "copy"])
def test_a_verdict_that_its_ends_are_not_of_one_block_breaks_a_chain(
    connection: Connection, verdict: str
) -> None:
    chain(connection)
    judge(connection, A, D, verdict)
    built = groups.build(connection)
    assert partition(connection) == [[A, B], [C, D]]
    assert (built.separated, built.separated_verdicts) == (1, 0)


@pytest.mark.parametrize("verdict", ["unrelated", "copy", "same subject"])
def test_a_verdict_wins_over_the_evidence_against_it(connection: Connection, verdict: str) -> None:
    chain(connection)
    judge(connection, B, C, verdict)
    groups.build(connection)
    assert partition(connection) == [[A, B], [C, D]]


def test_a_verdict_of_same_block_needs_no_evidence(connection: Connection) -> None:
    add_images(connection, None, None, None)
    judge(connection, 1, 3, "same block")
    verify(connection, 1, 2, 0.999, "unrelated")
    groups.build(connection)
    assert rows(
        connection, "select image_id, other_id, probability, source from imgsim.group_link"
    ) == [(1, 3, 1.0, "verdict")]


def test_only_the_latest_verdict_of_a_scholar_counts(connection: Connection) -> None:
    chain(connection)
    judge(connection, A, D, "unrelated")
    judge(connection, A, D, "same block")
    groups.build(connection)
    assert partition(connection) == [[A, B, C, D]]
    (told,) = rows(connection, "select links, weakest, bridge_name from imgsim.reuse_group")
    assert told == (4, 0.97, None)


def test_where_scholars_contradict_each_other_the_evidence_decides(connection: Connection) -> None:
    chain(connection)
    for pair in ((A, D), (B, C)):
        judge(connection, *pair, "unrelated", by="Mary Jones")
        judge(connection, *pair, "same block", by="John Smith")
    built = groups.build(connection)
    assert partition(connection) == [[A, B, C, D]]
    assert built.disputed == 2
    assert {source for *_, source in rows(connection, "select source from imgsim.group_link")} == {
        "evidence"
    }


def test_copy_to_one_and_unrelated_to_another_is_not_of_one_block(connection: Connection) -> None:
    chain(connection)
    judge(connection, A, D, "unrelated", by="Mary Jones")
    judge(connection, A, D, "copy", by="John Smith")
    built = groups.build(connection)
    assert (built.separated, built.disputed) == (1, 0)
    assert partition(connection) == [[A, B], [C, D]]


def test_evidence_links_from_the_least_probability_and_parts_only_when_asked(
    connection: Connection,
) -> None:
    add_images(connection, *[None] * 6)
    verify(connection, 1, 2, 0.9)
    verify(connection, 3, 4, 0.89)
    verify(connection, 5, 6, 0.99, "same block in part")
    verify(connection, 2, 3, 0.99, "copy")
    groups.build(connection)
    assert partition(connection) == [[1, 2]]
    groups.build(connection, parts=True)
    assert partition(connection) == [[1, 2], [5, 6]]
    groups.build(connection, least=0.8)
    assert partition(connection) == [[1, 2], [3, 4]]


def test_a_second_run_with_the_same_evidence_changes_no_row(connection: Connection) -> None:
    chain(connection)
    assert groups.build(connection).changed
    before = everything(connection)
    built = groups.build(connection)
    assert not built.changed
    assert (built.groups, built.images, built.links) == (1, 4, 3)
    assert everything(connection) == before


def test_ids_stay_where_most_members_stay_and_are_never_used_again(connection: Connection) -> None:
    add_images(connection, *[None] * 9)
    for image, other in ((1, 2), (2, 3), (3, 4), (4, 5), (7, 8)):
        verify(connection, image, other, 0.95)
    groups.build(connection)
    large, small = sorted(members(connection), key=lambda g: members(connection)[g])
    verify(connection, 2, 3, 0.1, "unrelated")
    verify(connection, 8, 9, 0.95)
    groups.build(connection)
    after = members(connection)
    assert after[large] == [3, 4, 5]
    assert after[small] == [7, 8, 9]
    (new,) = set(after) - {large, small}
    assert after[new] == [1, 2]
    verify(connection, 1, 2, 0.1, "unrelated")
    groups.build(connection)
    verify(connection, 1, 2, 0.95)
    groups.build(connection)
    (again,) = set(members(connection)) - {large, small}
    assert again > new > max(large, small)


def test_groups_go_when_nothing_holds_them_together_any_more(connection: Connection) -> None:
    chain(connection)
    groups.build(connection)
    built = groups.build(connection, least=1)
    assert (built.groups, built.largest, built.changed) == (0, None, True)
    assert rows(connection, "select * from imgsim.group_state") == []


def test_two_at_once_do_no_harm(connection: Connection, settings: Settings) -> None:
    chain(connection)
    faults: list[BaseException] = []

    def build() -> None:
        try:
            with database.connect(settings) as own:
                groups.build(own)
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert partition(connection) == [[A, B, C, D]]
    assert len(rows(connection, "select * from imgsim.group_run")) == 4


def test_without_evidence_or_with_options_out_of_range_it_says_what_to_do(
    connection: Connection,
) -> None:
    add_images(connection, None, None)
    with pytest.raises(ImgsimError, match="cannot build groups") as refused:
        groups.build(connection)
    assert "imgsim verify" in refused.value.hint
    with pytest.raises(ImgsimError, match=r"tightness is 1\.5"):
        groups.build(connection, tightness=1.5)
    with pytest.raises(ImgsimError, match="no groups have been built"):
        groups.status(connection)


def test_it_is_known_what_has_changed_since_the_groups_were_built(connection: Connection) -> None:
    chain(connection)
    groups.build(connection)
    assert groups.status(connection).is_current
    verify(connection, B, D, 0.99)
    judge(connection, A, C, "same block")
    connection.execute(
        """
        insert into imgsim.verdict (image_id, other_id, verdict, by, at)
        values (1, 3, 'same block', 'John Smith', '2001-01-01')
        """
    )
    status = groups.status(connection)
    assert (status.verified_since, status.judged_since, status.removed_since) == (1, 2, 0)
    groups.build(connection)
    assert groups.status(connection).is_current
    derived.remove(connection, [D])
    assert groups.status(connection).removed_since == 1
    assert rows(connection, "select images from imgsim.reuse_group") == [(3,)]


def test_a_group_of_which_one_image_is_left_is_shown_no_more(connection: Connection) -> None:
    add_images(connection, None, None)
    verify(connection, 1, 2, 0.99)
    groups.build(connection)
    derived.remove(connection, [2])
    assert rows(connection, "select * from imgsim.reuse_group") == []


@pytest.fixture
def shelf(connection: Connection) -> Connection:
    """One plate of six impressions in five books, of which one is undated and one not known; and
    another of two in one book.
    """
    add_book(connection, "0000000001", 1750, "London", "work 1", '{"printer": "Osborne"}')
    add_book(connection, "0000000002", 1766, "Dublin", "work 1")
    add_book(connection, "0000000003", 1732, "London", "work 2", '{"edition": "the second"}')
    add_book(connection, "0000000004", None, "Bath")
    books = ("1", "2", "3", "4", "2", None, "1", "1")
    add_images(connection, *(book and f"{book:0>10}" for book in books))
    for other in range(2, 7):
        verify(connection, 1, other, 0.95)
    verify(connection, 7, 8, 0.98)
    groups.build(connection)
    return connection


def test_events_are_in_the_order_of_their_years_with_the_unknown_last(shelf: Connection) -> None:
    events = rows(
        shelf,
        """
        select image_id, appearance, publication_year, gap, is_first, is_last, publication_place,
            printer, edition
        from imgsim.reuse_event
        where group_id = (select group_id from imgsim.group_member where image_id = 1)
        order by appearance
        """,
    )
    assert events == [
        (3, 1, 1732, None, True, False, "London", None, "the second"),
        (1, 2, 1750, 18, False, False, "London", "Osborne", None),
        (2, 3, 1766, 16, False, True, "Dublin", None, None),
        (5, 4, 1766, 16, False, True, "Dublin", None, None),
        (4, 5, None, None, False, False, "Bath", None, None),
        (6, 6, None, None, False, False, None, None, None),
    ]


def test_a_group_tells_its_books_and_its_first_and_last_appearance(shelf: Connection) -> None:
    told = reports.reuse_groups(shelf)
    first, second = (dict(zip(told.columns, row, strict=True)) for row in told.rows)
    assert {name: first[name] for name in ("images", "books", "works", "places", "undated")} == {
        "images": 6,
        "books": 4,
        "works": 2,
        "places": 3,
        "undated": 2,
    }
    assert (first["first_year"], first["last_year"], first["span"]) == (1732, 1766, 34)
    assert (first["first_title"], first["first_place"]) == ("Book 3", "London")
    assert (first["last_title"], first["last_ecco_id"]) == ("Book 2", "0000000002")
    assert (second["images"], second["books"], second["span"]) == (2, 1, 0)


def test_groups_are_sorted_and_chosen_as_asked(shelf: Connection) -> None:
    for image in (9, 10, 11):
        shelf.execute(
            """
            insert into imgsim.image
                (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format)
            values (%(n)s, 'more', %(n)s, %(n)s, 1, 1, 1, 1, 'L', 'PNG')
            """,
            {"n": image},
        )
    verify(shelf, 9, 10, 0.95)
    verify(shelf, 9, 11, 0.95)
    groups.build(shelf)

    def sizes(**options: Any) -> list[int]:
        return [row[1] for row in reports.reuse_groups(shelf, **options).rows]

    assert sizes() == [6, 2, 3]  # no year is known of the last
    assert sizes(by="images") == [6, 3, 2]
    assert sizes(by="books") == [6, 2, 3]
    assert sizes(least_books=1) == [6, 2]
    assert sizes(least_books=2) == [6]
    with pytest.raises(ImgsimError, match="cannot sort groups by name"):
        sizes(by="name")


def test_one_group_can_be_asked_for(shelf: Connection) -> None:
    (two,) = rows(shelf, "select group_id from imgsim.group_member where image_id = 7")
    assert [row[2] for row in reports.reuse(shelf, group=two[0]).rows] == ["image 7", "image 8"]
    assert len(reports.reuse(shelf).rows) == 8
    with pytest.raises(NotFoundError, match="no group 99"):
        reports.reuse(shelf, group=99)


def test_books_that_share_groups(shelf: Connection) -> None:
    shared = rows(
        shelf,
        """
        select ecco_id::int, other_ecco_id::int, shared_groups, images, other_images, years_apart
        from imgsim.reuse_document
        order by 1, 2
        """,
    )
    assert shared == [
        (1, 2, 1, 1, 2, 16),
        (1, 3, 1, 1, 1, 18),
        (1, 4, 1, 1, 1, None),
        (2, 3, 1, 2, 1, 34),
        (2, 4, 1, 2, 1, None),
        (3, 4, 1, 1, 1, None),
    ]


def test_the_flow_goes_from_the_first_place_to_later_ones(shelf: Connection) -> None:
    flow = rows(shelf, "select * from imgsim.reuse_flow order by decade")
    assert flow == [(1750, "London", "London", 1, 1, 1), (1760, "London", "Dublin", 1, 1, 2)]


def test_within_one_year_there_is_no_flow_and_no_single_place_of_origin(
    connection: Connection,
) -> None:
    add_book(connection, "0000000001", 1750, "London")
    add_book(connection, "0000000002", 1750, "Dublin")
    add_book(connection, "0000000003", 1760, "Bath")
    add_images(connection, "0000000001", "0000000002", "0000000003")
    judge(connection, 1, 2, "same block")
    groups.build(connection)
    assert rows(connection, "select * from imgsim.reuse_flow") == []
    assert rows(
        connection, "select is_first, is_last, gap from imgsim.reuse_event order by appearance"
    ) == [
        (True, True, None),
        (True, True, 0),
    ]
    judge(connection, 2, 3, "same block")
    groups.build(connection)
    assert rows(connection, "select * from imgsim.reuse_flow") == [(1760, None, "Bath", 1, 1, 1)]


@pytest.mark.usefixtures("shelf")
def test_without_bibliography_the_groups_are_there_all_the_same(connection: Connection) -> None:
    connection.execute("delete from imgsim.ecco_document")
    told = reports.reuse_groups(connection)
    assert [row[1:5] for row in told.rows] == [(6, 4, 0, 0), (2, 1, 0, 0)]
    assert all(row[told.columns.index("first_year")] is None for row in told.rows)
