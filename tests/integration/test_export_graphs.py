"""Graphs of images and of books hold the pairs of the store, in every format."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from imgsim.database.connection import Connection
from imgsim.export import of_likeness
from imgsim.export.joined import Joined
from imgsim.formats import GRAPHS
from imgsim.networks.models import Model
from imgsim.similarity import pairs
from tests.exporting import TITLE, likeness, stored_model, written
from tests.formats import assert_valid_xml, read_csv
from tests.vectors import clustered, store


@pytest.fixture
def model(connection: Connection) -> Model:
    return stored_model(connection)


def graph_of(connection: Connection, rows: Joined, folder: Path, format_: str) -> nx.Graph:
    written(connection, rows, folder / format_, format_)
    file = folder / format_ / f"x.{format_}"
    if format_ == "gephi":
        graph = nx.Graph()
        for node in read_csv(folder / format_ / "nodes.csv"):
            graph.add_node(node.pop("Id"), **node)
        for edge in read_csv(folder / format_ / "edges.csv"):
            assert edge["Type"] == "Undirected"
            graph.add_edge(edge["Source"], edge["Target"], weight=float(edge["Weight"]))
        return graph
    assert_valid_xml(file)
    return nx.read_gexf(file) if format_ == "gexf" else nx.read_graphml(file)


@pytest.mark.parametrize("format_", GRAPHS)
def test_graphs_of_images_weigh_similarity(
    connection: Connection, model: Model, tmp_path: Path, format_: str
) -> None:
    with likeness(connection, model):
        rows = of_likeness.like_pairs(connection, model, 0.9, False)
        graph = graph_of(connection, rows, tmp_path, format_)
        lists = of_likeness.neighbour_lists(connection, model, 5, None, False)
        nearest = graph_of(connection, lists, tmp_path / format_, format_)
        stored = connection.execute(
            "select image_id::text, other_id::text, similarity from imgsim.pair"
        ).fetchall()
        undirected = connection.execute(
            """
            select distinct least(image_id, other_id)::text, greatest(image_id, other_id)::text
            from imgsim.neighbour
            """
        ).fetchall()
    assert {frozenset(edge) for edge in graph.edges} == {frozenset(row[:2]) for row in stored}
    for source, end, similarity in stored:
        assert graph.edges[source, end]["weight"] == similarity
    assert {frozenset(edge) for edge in nearest.edges} == {frozenset(row) for row in undirected}
    assert len(nearest) == 120
    node = nearest.nodes["8"]
    assert (node["name"], node["ecco_id"]) == ("image 8", "0000000001")
    assert node["ecco_full_title"] == TITLE
    assert str(node["publication_year"]) == "1751"


def shared_by_hand(connection: Connection, threshold: float) -> dict[frozenset[str], int]:
    rows = connection.execute(
        """
        select i.ecco_id, o.ecco_id, p.image_id, p.other_id
        from imgsim.pair p
        join imgsim.image i on i.image_id = p.image_id
        join imgsim.image o on o.image_id = p.other_id
        where similarity >= %s
        """,
        [threshold],
    ).fetchall()
    images: dict[frozenset[str], dict[str, set[int]]] = {}
    for book, other_book, image, other in rows:
        if book and other_book and book != other_book:
            sides = images.setdefault(frozenset((book, other_book)), {})
            sides.setdefault(book, set()).add(image)
            sides.setdefault(other_book, set()).add(other)
    return {ends: min(map(len, sides.values())) for ends, sides in images.items()}


@pytest.mark.parametrize("format_", GRAPHS)
def test_the_graph_of_books_weighs_shared_pictures(
    connection: Connection, model: Model, tmp_path: Path, format_: str
) -> None:
    with likeness(connection, model):
        rows = of_likeness.books_sharing(connection, model, 0.9)
        graph = graph_of(connection, rows, tmp_path, format_)
        expected = shared_by_hand(connection, 0.9)
    assert {frozenset((a, b)): weight for a, b, weight in graph.edges(data="weight")} == expected
    assert len(set(expected.values())) > 1
    node = graph.nodes["0000000001"]
    assert node["ecco_full_title"] == TITLE
    assert (str(node["publication_year"]), node["publication_place"]) == ("1751", "London")
    assert graph.nodes["0000000006"].get("ecco_full_title") in (None, "")
    assert "publication_year" not in graph.nodes["0000000002"] or format_ == "gephi"


def test_books_as_a_table_with_counts(connection: Connection, model: Model, tmp_path: Path) -> None:
    with likeness(connection, model):
        rows = of_likeness.books_sharing(connection, model, 0.9)
        outcome = written(connection, rows, tmp_path, "csv")
        total = connection.execute("select count(*) from imgsim.pair").fetchone()
    read = read_csv(tmp_path / "x.csv")
    all_pairs, with_ids, apart, books, after, known = (step.rows for step in outcome.steps)
    assert (all_pairs,) == total
    assert all_pairs > with_ids > apart == sum(int(row["pairs"]) for row in read)
    assert books == after == len(read)
    assert known == sum(
        bool(row["ecco_full_title"] and row["other_ecco_full_title"]) for row in read
    )
    assert all(row["ecco_id"] < row["other_ecco_id"] for row in read)


def test_three_impressions_facing_three_share_three(connection: Connection) -> None:
    vectors = np.tile(clustered(1, 16), (6, 1))
    model = store(connection, "m", vectors, books=2)
    pairs.bring_up_to_date(connection, [model], 0.94)
    row = connection.execute(
        "select shared_pictures, pairs, images, other_images from imgsim.book_graph('m', 0.94)"
    ).fetchone()
    assert row == (3, 9, 3, 3)
