"""Neighbour lists are those of brute force, and stay so when images go."""

from __future__ import annotations

import numpy as np
import pytest

from imgsim.collection import derived
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.similarity import neighbours
from tests.vectors import brute_force, clustered, store


def stored_lists(connection: Connection, model: models.Model) -> dict[int, list[int]]:
    rows = connection.execute(
        """
        select image_id, array_agg(other_id order by rank)
        from imgsim.neighbour
        where model_id = %s
        group by image_id
        """,
        [model.model_id],
    ).fetchall()
    return dict(rows)


@pytest.mark.parametrize("dimension", [512, 2048])
def test_lists_equal_brute_force_for_every_image_of_2000(
    connection: Connection, dimension: int
) -> None:
    model = store(connection, "m", clustered(2000, dimension))
    neighbours.bring_up_to_date(connection, [model], 10)
    assert stored_lists(connection, model) == brute_force(connection, model, 10)


def test_ties_of_equal_pictures_break_by_id_and_nobody_is_its_own_neighbour(
    connection: Connection,
) -> None:
    vectors = clustered(30, 64)
    vectors[5:25] = vectors[5]
    model = store(connection, "m", vectors)
    neighbours.bring_up_to_date(connection, [model], 6)
    lists = stored_lists(connection, model)
    assert lists[6] == [7, 8, 9, 10, 11, 12]
    assert lists[25] == [6, 7, 8, 9, 10, 11]
    assert lists == brute_force(connection, model, 6)


def test_vectors_that_are_nearly_all_alike_are_still_ranked_exactly(
    connection: Connection,
) -> None:
    rng = np.random.default_rng(3)
    vectors = (1 + 0.01 * rng.normal(size=(700, 256))).astype(np.float32)
    model = store(connection, "m", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    neighbours.bring_up_to_date(connection, [model], 10)
    assert stored_lists(connection, model) == brute_force(connection, model, 10)


def test_similarity_is_that_of_sql_and_numpy(connection: Connection) -> None:
    vectors = clustered(300, 512)
    model = store(connection, "m", vectors)
    neighbours.bring_up_to_date(connection, [model], 5)
    rows = connection.execute(
        """
        select n.image_id, n.other_id, n.similarity,
            1 - (a.embedding operator(public.<=>) b.embedding)
        from imgsim.neighbour n
        join imgsim.embedding_m a on a.image_id = n.image_id
        join imgsim.embedding_m b on b.image_id = n.other_id
        """
    ).fetchall()
    for image, other, similarity, by_sql in rows:
        exact = float(vectors[image - 1] @ vectors[other - 1])
        assert similarity == pytest.approx(by_sql, abs=1e-5)
        assert similarity == pytest.approx(exact, abs=5e-4)  # what half precision may move


def test_fewer_images_than_asked_give_shorter_lists(connection: Connection) -> None:
    model = store(connection, "m", clustered(4, 16))
    neighbours.bring_up_to_date(connection, [model], 10)
    assert {len(others) for others in stored_lists(connection, model).values()} == {3}


@pytest.mark.parametrize("count", [0, 1])
def test_stores_without_a_pair_have_no_lists_and_no_fault(
    connection: Connection, count: int
) -> None:
    model = store(connection, "m", clustered(4, 16)[:count])
    assert neighbours.bring_up_to_date(connection, [model], 3) == {"m": count}
    assert stored_lists(connection, model) == {}


def test_lists_that_are_current_are_left_alone_and_longer_ones_filled(
    connection: Connection,
) -> None:
    model = store(connection, "m", clustered(40, 16))
    assert neighbours.bring_up_to_date(connection, [model], 5) == {"m": 40}
    assert neighbours.bring_up_to_date(connection, [model], 3) == {}
    assert neighbours.bring_up_to_date(connection, [model], 7) == {"m": 40}
    assert neighbours.bring_up_to_date(connection, [model], 5) == {}


def test_k_out_of_range_is_refused(connection: Connection) -> None:
    with pytest.raises(ImgsimError, match="k is 0"):
        neighbours.bring_up_to_date(connection, [], 0)


def test_removing_images_leaves_the_lists_right_and_current(connection: Connection) -> None:
    model = store(connection, "m", clustered(600, 32))
    neighbours.bring_up_to_date(connection, [model], 6)
    gone = [1, 2, 77, 300, 600]
    assert derived.remove(connection, gone) == 5
    lists = stored_lists(connection, model)
    assert lists == brute_force(connection, model, 6)
    assert not set(gone) & set(lists)
    assert neighbours.bring_up_to_date(connection, [model], 6) == {}


def test_removing_images_does_not_make_stale_lists_look_current(connection: Connection) -> None:
    model = store(connection, "m", clustered(50, 32))
    neighbours.bring_up_to_date(connection, [model], 6)
    connection.execute("update imgsim.model set revision = revision + 1")
    derived.remove(connection, [1])
    assert neighbours.bring_up_to_date(connection, [model], 6) != {}
