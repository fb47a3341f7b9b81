"""`imgsim.overlap`: the two models' lists compared, every image counted once."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.similarity import neighbours
from tests.vectors import brute_force, clustered, store


@pytest.fixture
def two(connection: Connection) -> list[models.Model]:
    """Two models that agree in part, over the same 500 images."""
    vectors = clustered(500, 64)
    other = vectors + np.random.default_rng(4).normal(scale=0.05, size=vectors.shape)
    return [
        store(connection, "resnet18", vectors),
        store(connection, "resnet50", other.astype(np.float32)),
    ]


def counts(connection: Connection, k: int) -> list[tuple[int, int]]:
    rows = connection.execute("select * from imgsim.overlap(k => %s)", [k]).fetchall()
    assert sum(float(row[2]) for row in rows) == pytest.approx(100, abs=0.5)
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("k", [1, 4, 10])
def test_rows_run_from_k_to_0_and_agree_with_sets(
    connection: Connection, two: list[models.Model], k: int
) -> None:
    neighbours.bring_up_to_date(connection, two, 10)
    one, other = (brute_force(connection, model, k) for model in two)
    shared = [len(set(one[image]) & set(other[image])) for image in one]
    expected = [(n, shared.count(n)) for n in range(k, -1, -1)]
    assert counts(connection, k) == expected
    assert sum(images for _, images in expected) == 500


def test_which_images_are_shared_is_told_for_each_image(
    connection: Connection, two: list[models.Model]
) -> None:
    neighbours.bring_up_to_date(connection, two, 4)
    one, other = (brute_force(connection, model, 4) for model in two)
    rows = connection.execute(
        "select image_id, name, shared, shared_ids, only_a_ids, only_b_ids "
        "from imgsim.overlap_by_image(k => 4)"
    ).fetchall()
    assert len(rows) == 500
    for image, name, shared, both, only_one, only_other in rows:
        assert name == f"image {image}"
        assert shared == len(both)
        assert set(both) == set(one[image]) & set(other[image])
        assert set(only_one) == set(one[image]) - set(other[image])
        assert set(only_other) == set(other[image]) - set(one[image])


def test_a_model_shares_all_with_itself(connection: Connection, two: list[models.Model]) -> None:
    neighbours.bring_up_to_date(connection, two, 4)
    rows = connection.execute(
        "select * from imgsim.overlap(k => 4, model_a => 'resnet18', model_b => 'resnet18')"
    ).fetchall()
    assert [row[1] for row in rows] == [500, 0, 0, 0, 0]


def test_lists_too_short_are_an_error_with_the_command_that_fills_them(
    connection: Connection, two: list[models.Model]
) -> None:
    with pytest.raises(
        psycopg.Error, match="no neighbour lists are stored for the model"
    ) as caught:
        counts(connection, 4)
    assert caught.value.diag.message_hint == (
        "fill them with: imgsim neighbours -k 4 --model resnet18"
    )
    neighbours.bring_up_to_date(connection, two, 4)
    with pytest.raises(psycopg.Error, match="hold 4 neighbours; 9 were requested"):
        counts(connection, 9)


def test_lists_older_than_the_images_are_told_of(
    connection: Connection, two: list[models.Model]
) -> None:
    neighbours.bring_up_to_date(connection, two, 4)
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    counts(connection, 4)
    assert notices == []
    connection.execute("update imgsim.model set revision = revision + 1 where name = 'resnet50'")
    counts(connection, 4)
    assert notices == ["the neighbour lists of 'resnet50' are older than its images"]


def test_few_images_have_lists_as_long_as_can_be(connection: Connection) -> None:
    vectors = clustered(3, 16)
    both = [store(connection, name, vectors) for name in ("resnet18", "resnet50")]
    neighbours.bring_up_to_date(connection, both, 4)
    assert counts(connection, 4) == [(4, 0), (3, 0), (2, 3), (1, 0), (0, 0)]
