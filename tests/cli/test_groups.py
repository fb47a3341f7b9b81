"""`imgsim group`, its reports and its exports as typed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest

from imgsim.database.connection import Connection
from tests.conftest import Answer
from tests.formats import assert_valid_xml, checked_package, query, read_csv
from tests.reuse import A, B, C, D, add_book, add_images, chain, judge, verify
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]


def lines(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return answer.said.splitlines()


def test_it_tells_what_it_built_and_what_stood_against_it(
    imgsim: Imgsim, connection: Connection
) -> None:
    chain(connection)
    assert lines(imgsim("group")) == [
        "1 group of 4 pictures from 4 books, held together by 3 links",
        "the largest is group 1, with 4 pictures",
    ]
    assert lines(imgsim("group"))[-1] == "the groups have not changed"
    assert lines(imgsim("group", "--tightness", 0.5)) == [
        "2 groups of 4 pictures from 4 books, held together by 2 links",
        "the largest is group 1, with 2 pictures",
        "skipped 1 link between groups that are too loosely linked",
    ]
    judge(connection, A, D, "unrelated")
    judge(connection, B, C, "same block")
    judge(connection, C, D, "same block")
    judge(connection, A, B, "same block")
    judge(connection, A, C, "copy", by="Mary Jones")
    judge(connection, A, C, "same block", by="John Smith")
    assert lines(imgsim("group"))[-2:] == [
        "skipped 1 link that verdicts rule out (1 verdict of same block among them)",
        ("scholars disagree on 1 pair: the evidence decides (imgsim report verdicts --disputed)"),
    ]
    assert lines(imgsim("group", "--least", 1))[0].startswith("1 group of 3 pictures")


def test_it_says_what_to_do_first_and_when_nothing_is_linked(
    imgsim: Imgsim, connection: Connection
) -> None:
    for command in (["group"], ["report", "groups"], ["report", "reuse"]):
        answer = imgsim(*command)
        assert answer.code == 1
        assert "next: " in answer.err
    add_images(connection, None, None)
    verify(connection, 1, 2, 0.5)
    assert lines(imgsim("group"))[0] == (
        "no groups: no two pictures are linked with a probability of at least 0.9"
    )
    assert "nothing to report" in imgsim("report", "groups").err
    assert imgsim("group", "--tightness", "nan").code == 2


def test_reports_say_when_the_groups_are_older_than_what_is_known(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    chain(connection)
    imgsim("group")
    assert "older" not in imgsim("report", "groups").err
    verify(connection, A, C, 0.99)
    judge(connection, A, C, "same block")
    older = "the groups do not include 1 verification, 1 verdict; build them again"
    assert older in imgsim("report", "groups").err
    assert older in imgsim("report", "reuse").err
    assert older in imgsim("export", "groups", "-o", tmp_path).err
    imgsim("group")
    assert "older" not in imgsim("report", "reuse").err


def test_groups_are_sorted_and_one_of_them_is_shown(imgsim: Imgsim, connection: Connection) -> None:
    chain(connection)
    add_book(connection, "0000000001", 1700, "London")
    add_book(connection, "0000000002", 1710, "London")
    add_book(connection, "0000000003", 1720, "Bath")
    add_book(connection, "0000000004", 1790, "London")
    imgsim("group", "--tightness", 1)

    def firsts(*options: object) -> list[str]:
        answer = imgsim("report", "groups", "--format", "csv", *options)
        return [row["first_year"] for row in csv.DictReader(io.StringIO(answer.out))]

    assert firsts() == ["1720", "1700"]
    assert firsts("--by", "images") == ["1700", "1720"]
    assert firsts("--least-books", 3) == []
    shown = imgsim("report", "reuse", "--group", 2)
    assert "image 3" in shown.out
    assert "image 1" not in shown.out
    missing = imgsim("report", "reuse", "--group", 9)
    assert missing.code == 1
    assert "there is no group 9" in missing.err


@pytest.fixture
def two_groups(imgsim: Imgsim, connection: Connection) -> Connection:
    """Pictures of three books in two groups; one book is not in the bibliography, and one picture
    is of no known book.
    """
    add_book(connection, "0000000001", 1750, "London")
    add_book(connection, "0000000002", 1766, "Dublin")
    books = ("0000000001", "0000000002", "0000000003", "0000000001", "0000000002", None, None)
    add_images(connection, *books)
    for image, other in ((1, 2), (2, 3), (4, 5), (5, 6)):
        verify(connection, image, other, round(0.9 + image / 100, 2))
    judge(connection, 1, 3, "same block")
    assert imgsim("group").code == 0
    return connection


@pytest.mark.parametrize("kind", ["groups", "group-members", "group-books"])
def test_exports_are_whole_in_every_format(
    imgsim: Imgsim, two_groups: Connection, tmp_path: Path, kind: str
) -> None:
    for format_ in ("csv", "tsv", "parquet", "gephi", "gexf", "graphml"):
        folder = tmp_path / format_
        answer = imgsim("export", kind, "--format", format_, "-o", folder)
        assert answer.code == 0, answer.err
        files = [Path(line) for line in answer.out.splitlines()]
        assert sorted(files) == sorted(folder.iterdir())
        about = next(iter(checked_package(folder).values()))["imgsim"]
        assert (about["least"], about["tightness"], about["parts"]) == (0.9, 0, False)
        assert about["grouped_at"]
    view = {
        "groups": "select * from imgsim.reuse_group order by group_id",
        "group-members": "select * from imgsim.reuse_event order by group_id, appearance",
        "group-books": "select * from imgsim.reuse_document order by ecco_id, other_ecco_id",
    }[kind]
    answered = two_groups.execute(view.encode())
    expected = [tuple(round(v, 7) if isinstance(v, float) else v for v in row) for row in answered]
    assert query(f"select * from '{tmp_path}/parquet/{kind}.parquet'")[1] == expected
    read = read_csv(tmp_path / "csv" / f"{kind}.csv")
    assert list(read[0]) == [column.name for column in answered.description or []]
    assert len(read) == len(expected) > 1


@pytest.mark.parametrize("kind", ["groups", "group-members"])
def test_the_graph_of_groups_links_their_pictures_by_probability(
    imgsim: Imgsim, two_groups: Connection, tmp_path: Path, kind: str
) -> None:
    assert imgsim("export", kind, "-o", tmp_path / "x.gexf").code == 0
    assert imgsim("export", kind, "-o", tmp_path / "y.graphml").code == 0
    assert_valid_xml(tmp_path / "x.gexf")
    for graph in (nx.read_gexf(tmp_path / "x.gexf"), nx.read_graphml(tmp_path / "y.graphml")):
        edges = {frozenset((a, b)): w for a, b, w in graph.edges(data="weight")}
        expected = {"12": 0.91, "23": 0.92, "13": 1.0, "45": 0.94, "56": 0.95}
        assert edges == {frozenset(ends): weight for ends, weight in expected.items()}
        assert graph.nodes["1"]["name"] == "image 1"
        assert graph.nodes["1"]["publication_year"] == 1750
        assert graph.edges["1", "3"]["decided_by"] == "verdict"
        assert graph.nodes["4"]["group_id"] == graph.nodes["6"]["group_id"]
        assert "7" not in graph


def test_the_graph_of_books_weighs_shared_groups(
    imgsim: Imgsim, two_groups: Connection, tmp_path: Path
) -> None:
    assert imgsim("export", "group-books", "-o", tmp_path / "x.gexf").code == 0
    graph = nx.read_gexf(tmp_path / "x.gexf")
    one, two, three = (f"{n:010}" for n in (1, 2, 3))
    assert {frozenset((a, b)): w for a, b, w in graph.edges(data="weight")} == {
        frozenset((one, two)): 2,
        frozenset((one, three)): 1,
        frozenset((two, three)): 1,
    }
    assert graph.nodes[one]["label"] == "Book 1 (1750)"
    assert (graph.nodes[two]["groups"], graph.nodes[two]["images"]) == (2, 2)


def test_exports_count_their_rows_and_list_pictures_without_a_book(
    imgsim: Imgsim, two_groups: Connection, tmp_path: Path
) -> None:
    answer = imgsim("export", "groups", "-o", tmp_path)
    assert [" ".join(line.split()) for line in answer.err.splitlines()] == [
        "groups of re-use",
        "6 pictures in groups",
        "6 after looking up pictures and books",
        "4 of these with a book in the bibliography",
        "2 groups of two pictures and more",
        "2 rows written, groups.csv",
        "note: 2 found no partner: image 3, image 6 (groups_without_partner.csv)",
    ]
    books = imgsim("export", "group-books", "-o", tmp_path)
    assert [" ".join(line.split()) for line in books.err.splitlines()][1:6] == [
        "2 groups of re-use",
        "2 of these with pictures from two books",
        "3 pairs of books",
        "3 after looking up both books",
        "1 of these with both books in the bibliography",
    ]
    assert {row["reason"] for row in read_csv(tmp_path / "groups_without_partner.csv")} == {
        "the bibliography has no such ecco_id",
        "the image has no ecco_id",
    }


def test_what_rests_on_half_of_the_evidence_says_so(imgsim: Imgsim, connection: Connection) -> None:
    store(connection, "resnet50", clustered(20, 16))
    assert imgsim("neighbours").code == 0
    pairs = connection.execute("select * from imgsim.candidates()").fetchall()
    verify(connection, pairs[0][0], pairs[0][1], 0.95)
    half = f"note: only 1 of {len(pairs)} pairs of like pictures are verified; go on with: imgsim"
    asked = (("group",), ("report", "groups"), ("report", "reuse"), ("report", "evidence"))
    for words in asked:
        assert half in imgsim(*words).err
    for one, other in pairs[1:]:
        verify(connection, one, other, 0.95)
    for words in asked:
        assert "only " not in imgsim(*words).err


def test_status_says_how_far_the_work_is_and_what_comes_next(
    imgsim: Imgsim, connection: Connection
) -> None:
    def told() -> tuple[dict[str, str], str]:
        answer = imgsim("status")
        assert answer.code == 0
        lines = (line.split(maxsplit=1) for line in answer.out.splitlines())
        return dict(lines), " ".join(answer.err.split()) + " "

    assert told()[1].startswith("no pictures yet next: imgsim --database URL ingest FOLDER ")
    store(connection, "resnet50", clustered(20, 16))
    assert imgsim("neighbours").code == 0
    lines, following = told()
    pairs = connection.execute("select * from imgsim.candidates()").fetchall()
    assert lines["pictures"] == "20"
    assert lines["network"] == "resnet50"
    assert lines["verified"] == f"0 of {len(pairs)} pairs of like pictures"
    assert "database URL verify " in following
    for one, other in pairs:
        verify(connection, one, other, 0.95)
    lines, following = told()
    assert lines["verified"] == f"all {len(pairs)} pairs of like pictures"
    assert "database URL group " in following
    assert imgsim("group").code == 0
    lines, following = told()
    assert lines["groups"] == "1"
    assert "metadata load FILE" in following
    add_book(connection, "0000000001")
    lines, following = told()
    assert ", 1 of them described" in lines["books"]
    assert "report groups" in following
