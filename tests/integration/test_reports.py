"""Reports in SQL say what counting by hand says."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.similarity import neighbours, pairs
from tests.vectors import brute_force, clustered, store

BOOKS = 7
YEARS = {"0000000000": None, **{f"000000000{n}": 1740 + 7 * n for n in range(1, 6)}}


@pytest.fixture
def two(connection: Connection) -> list[models.Model]:
    """Two models over 400 images in seven books, six of them described, two of one work."""
    vectors = clustered(400, 64)
    other = vectors + np.random.default_rng(4).normal(scale=0.05, size=vectors.shape)
    both = [
        store(connection, "resnet18", vectors, BOOKS),
        store(connection, "resnet50", other.astype(np.float32), BOOKS),
    ]
    for ecco_id, year in YEARS.items():
        connection.execute(
            "insert into imgsim.ecco_document (ecco_id, publication_year, work_id) "
            "values (%s, %s, %s)",
            [ecco_id, year, f"work {int(ecco_id) // 2}"],
        )
    return both


def book(image: int) -> str:
    return f"{image % BOOKS:010}"


def work(image: int) -> str | None:
    return f"work {image % BOOKS // 2}" if book(image) in YEARS else None


def year(image: int) -> int | None:
    return YEARS.get(book(image))


def exact_matrix(connection: Connection) -> np.ndarray:
    rows = connection.execute("select embedding from imgsim.embedding_resnet50 order by image_id")
    vectors = np.array([row[0].to_numpy() for row in rows], dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.round(vectors @ vectors.T, 7))


def allowed(image: int, other: int, *, documents: bool, works: bool, earlier: bool) -> bool:
    if image == other or ((documents or works) and book(image) == book(other)):
        return False
    if works and work(image) is not None and work(image) == work(other):
        return False
    before, own = year(other), year(image)
    return not earlier or (before is not None and own is not None and before < own)


FILTERS = [
    {"documents": True, "works": False, "earlier": False},
    {"documents": False, "works": True, "earlier": False},
    {"documents": False, "works": False, "earlier": True},
    {"documents": True, "works": True, "earlier": True},
]


def report(connection: Connection, call: str, given: dict[str, bool]) -> dict[int, list[int]]:
    query = f"""
        select image_id, array_agg(other_id order by rank)
        from imgsim.neighbours('resnet50', {call},
            other_documents_only => %(documents)s, other_works_only => %(works)s,
            earlier_only => %(earlier)s)
        group by image_id
    """
    return dict(connection.execute(query.encode(), given).fetchall())


@pytest.mark.parametrize("given", FILTERS)
@pytest.mark.usefixtures("two")
def test_filters_are_applied_inside_the_search_not_to_a_cut_off_list(
    connection: Connection, given: dict[str, bool]
) -> None:
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    matrix = exact_matrix(connection)
    expected = {}
    for image in range(1, 401):
        others = [o for o in range(1, 401) if allowed(image, o, **given)]
        ranked = sorted(others, key=lambda o: (-matrix[image - 1, o - 1], o))[:3]
        if ranked:
            expected[image] = ranked
    assert report(connection, "k => 3, exact => true", given) == expected
    by_index = report(connection, "k => 3", given)
    hits = sum(len(set(by_index[image]) & set(ranked)) for image, ranked in expected.items())
    assert hits / sum(len(ranked) for ranked in expected.values()) >= 0.99


@pytest.mark.parametrize("given", [dict.fromkeys(FILTERS[0], False), *FILTERS])
def test_a_threshold_gives_every_neighbour_that_reaches_it(
    connection: Connection, two: list[models.Model], given: dict[str, bool]
) -> None:
    pairs.bring_up_to_date(connection, two, 0.8)
    matrix = exact_matrix(connection)
    expected = defaultdict(list)
    for image in range(1, 401):
        for other in range(1, 401):
            if matrix[image - 1, other - 1] >= 0.8 and allowed(image, other, **given):
                expected[image].append(other)
        expected[image].sort(key=lambda o: (-matrix[image - 1, o - 1], o))
    whole = {image: others for image, others in expected.items() if others}
    assert report(connection, "min_similarity => 0.8", given) == whole
    first = {image: others[:2] for image, others in whole.items()}
    assert report(connection, "min_similarity => 0.8, k => 2", given) == first


def test_without_filters_the_stored_lists_are_shown(
    connection: Connection, two: list[models.Model]
) -> None:
    neighbours.bring_up_to_date(connection, two, 5)
    none = dict.fromkeys(FILTERS[0], False)
    assert report(connection, "k => 4", none) == brute_force(connection, two[1], 4)


def test_agreement_counts_rank_by_rank(connection: Connection, two: list[models.Model]) -> None:
    neighbours.bring_up_to_date(connection, two, 4)
    one, other = (brute_force(connection, model, 4) for model in two)
    rows = connection.execute("select * from imgsim.agreement(k => 4)").fetchall()
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    for rank, images, same, _, in_both, _, agreeing, differing, named in rows:
        at = rank - 1
        assert images == 400
        assert same == sum(one[i][at] == other[i][at] for i in one)
        assert in_both == sum(one[i][at] in other[i] for i in one)
        image = int(agreeing.split()[1])
        assert one[image][at] == other[image][at]
        image = int(differing.split()[1])
        assert f"image {one[image][at]}" == named
        assert one[image][at] not in other[image]


def test_documents_and_decades_count_what_reappears(
    connection: Connection, two: list[models.Model]
) -> None:
    pairs.bring_up_to_date(connection, two, 0.8)
    matrix = exact_matrix(connection)
    like = {
        image: [
            other
            for other in range(1, 401)
            if matrix[image - 1, other - 1] >= 0.8 and book(other) != book(image)
        ]
        for image in range(1, 401)
    }
    rows = connection.execute("select * from imgsim.documents('resnet50', 0.8)").fetchall()
    assert len(rows) == BOOKS
    assert sum(row[4] for row in rows) == 400
    for ecco_id, published, _, _, illustrations, reappearing, _, first, last in rows:
        own = [image for image in like if book(image) == ecco_id]
        years = [year(o) for image in own for o in like[image]]
        known = [y for y in years if y is not None]
        assert illustrations == len(own)
        assert published == YEARS.get(ecco_id)
        assert reappearing == sum(bool(like[image]) for image in own)
        assert (first, last) == (min(known, default=None), max(known, default=None))
    decades = connection.execute("select * from imgsim.decades('resnet50', 0.8)").fetchall()
    assert sum(row[2] for row in decades) == 400
    assert sum(row[3] for row in decades) == sum(row[5] for row in rows)
    assert decades[-1][0] is None  # books without a year come last
    earlier = sum(
        any((year(o) or 9999) < (year(image) or 0) for o in others)
        for image, others in like.items()
    )
    assert sum(row[5] for row in decades) == earlier


def test_overlap_of_a_subset_counts_only_its_images(
    connection: Connection, two: list[models.Model]
) -> None:
    neighbours.bring_up_to_date(connection, two, 4)
    one, other = (brute_force(connection, model, 4) for model in two)
    rows = connection.execute(
        """
        select shared, images
        from imgsim.overlap(only_images => array(
            select image_id from imgsim.image_ecco where publication_year >= 1755))
        """
    ).fetchall()
    chosen = [image for image in one if (year(image) or 0) >= 1755]
    shared = [len(set(one[image]) & set(other[image])) for image in chosen]
    assert rows == [(n, shared.count(n)) for n in range(4, -1, -1)]


def test_recall_is_measured_against_exact_search(
    connection: Connection, two: list[models.Model]
) -> None:
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    rows = connection.execute("select * from imgsim.recall('resnet50', sample => 50)").fetchall()
    assert [row[0] for row in rows] == [20, 40, 100, 200, 400]
    assert [row[0] for row in rows if row[1]] == [40]
    assert all(row[2] == 50 for row in rows)
    assert rows[-1][3] >= 0.99
    assert all(row[4] > 0 and row[5] > 0 for row in rows)


@pytest.mark.parametrize("pairs_from", [0.7, 0.85, None])
def test_threshold_counts_are_complete_or_say_that_they_are_not(
    connection: Connection, two: list[models.Model], pairs_from: float | None
) -> None:
    neighbours.bring_up_to_date(connection, two, 3)
    if pairs_from:
        pairs.bring_up_to_date(connection, two, pairs_from)
    matrix = exact_matrix(connection)
    np.fill_diagonal(matrix, -1)
    rows = connection.execute(
        "select * from imgsim.threshold_counts('resnet50', array[0.7, 0.8, 0.9, 0.97, 0.999])"
    ).fetchall()
    for threshold, images, _, count, across, complete in rows:
        reach = matrix >= threshold
        assert images == reach.any(axis=1).sum()
        truth = [(i + 1, j + 1) for i, j in np.argwhere(np.triu(reach))]
        if complete:
            assert count == len(truth)
            assert across == sum(book(i) != book(j) for i, j in truth)
        else:
            assert count <= len(truth)
            assert pairs_from is None or threshold < pairs_from
    assert rows[-1][5]
    assert pairs_from is None or all(row[5] for row in rows if row[0] >= pairs_from)
