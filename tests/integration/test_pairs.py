"""Pairs are those of brute force in double precision, and stay so when images go."""

from __future__ import annotations

import numpy as np
import pytest

from imgsim.collection import derived
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.similarity import pairs
from imgsim.similarity.comparison import reaching
from imgsim.similarity.stored_vectors import read_vectors
from tests.vectors import Vectors, clustered, store

Found = dict[tuple[int, int], float]


def brute_force(connection: Connection, model: models.Model, threshold: float) -> Found:
    """Every pair at or above the threshold, from the stored halves, in double precision."""
    stored = read_vectors(connection, model)
    vectors = stored.values.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = np.round(vectors @ vectors.T, 7)
    found = {}
    for row, column in zip(*np.nonzero(np.triu(similarity >= threshold, k=1)), strict=True):
        ends = int(stored.ids[row]), int(stored.ids[column])
        found[ends] = float(similarity[row, column])
    return found


def stored_pairs(connection: Connection, model: models.Model) -> Found:
    rows = connection.execute(
        "select image_id, other_id, similarity from imgsim.pair where model_id = %s",
        [model.model_id],
    ).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles so small that pairs lie within them, across them and at their edges."""
    monkeypatch.setattr(reaching, "ROWS", 64)
    monkeypatch.setattr(reaching, "COLUMNS", 100)
    monkeypatch.setattr(pairs, "COMMITTED", 150)


@pytest.mark.parametrize(("dimension", "threshold"), [(64, 0.9), (512, 0.917), (2048, 0.5)])
def test_pairs_equal_brute_force(
    connection: Connection, small_tiles: None, dimension: int, threshold: float
) -> None:
    model = store(connection, "m", clustered(700, dimension))
    counts = pairs.bring_up_to_date(connection, [model], threshold)
    expected = brute_force(connection, model, threshold)
    assert len(expected) > 1000
    assert stored_pairs(connection, model) == pytest.approx(expected, abs=1e-12)
    assert counts == {"m": len(expected)}


def test_exact_duplicates_all_pair_at_one(connection: Connection, small_tiles: None) -> None:
    vectors = clustered(150, 64)
    vectors[40:100] = vectors[40]
    model = store(connection, "m", vectors)
    pairs.bring_up_to_date(connection, [model], 1.0)
    found = stored_pairs(connection, model)
    assert found == {(a, b): 1.0 for a in range(41, 101) for b in range(a + 1, 101)}


def test_vectors_that_are_nearly_all_alike_give_every_pair(
    connection: Connection, small_tiles: None
) -> None:
    rng = np.random.default_rng(3)
    vectors = (1 + 0.01 * rng.normal(size=(300, 256))).astype(np.float32)
    model = store(connection, "m", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    pairs.bring_up_to_date(connection, [model], 0.94)
    found = stored_pairs(connection, model)
    assert len(found) == 300 * 299 // 2
    assert found == pytest.approx(brute_force(connection, model, 0.94), abs=1e-12)


def on_the_threshold(count: int) -> Vectors:
    """Vectors whose cosines with the first lie closer together than single precision can tell."""
    vectors = np.zeros((count, 64), np.float32)
    vectors[:, 0] = 1
    vectors[1:, 1] = 0.3630 + np.arange(count - 1) * 2.0**-12
    return vectors


def test_a_hair_above_is_in_and_a_hair_below_is_out(
    connection: Connection, small_tiles: None
) -> None:
    model = store(connection, "m", on_the_threshold(200))
    similarities = sorted(set(brute_force(connection, model, 0.5).values()))
    for threshold in similarities[:: len(similarities) // 5]:
        for moved in (0, 1e-7, -1e-7):  # on a stored value, and one step to either side
            asked = round(threshold + moved, 7)
            if asked > 1:
                continue
            for table in ("pair", "pair_image", "pair_state"):
                connection.execute(f"delete from imgsim.{table}".encode())
            pairs.bring_up_to_date(connection, [model], asked)
            found = stored_pairs(connection, model)
            assert found == brute_force(connection, model, asked)
            assert min(found.values()) >= asked


@pytest.mark.parametrize("count", [0, 1])
def test_stores_without_a_pair_have_none_and_no_fault(connection: Connection, count: int) -> None:
    model = store(connection, "m", clustered(4, 16)[:count])
    assert pairs.bring_up_to_date(connection, [model], 0.5) == {"m": 0}
    assert pairs.bring_up_to_date(connection, [model], 0.5) == {}


def test_only_what_is_missing_or_stale_is_computed(connection: Connection) -> None:
    model = store(connection, "m", clustered(60, 16))
    assert pairs.bring_up_to_date(connection, [model], 0.9) != {}
    assert pairs.bring_up_to_date(connection, [model], 0.9) == {}
    assert pairs.bring_up_to_date(connection, [model], 0.95) == {}
    assert pairs.bring_up_to_date(connection, [model], 0.8) != {}
    assert stored_pairs(connection, model) == brute_force(connection, model, 0.8)
    connection.execute("update imgsim.model set revision = revision + 1")
    assert pairs.bring_up_to_date(connection, [model], 0.9) != {}


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01])
def test_a_threshold_out_of_range_is_refused(connection: Connection, threshold: float) -> None:
    with pytest.raises(ImgsimError, match="the threshold is"):
        pairs.bring_up_to_date(connection, [], threshold)


def test_too_many_pairs_change_nothing(connection: Connection) -> None:
    model = store(connection, "m", clustered(60, 16))
    pairs.bring_up_to_date(connection, [model], 0.9)
    before = stored_pairs(connection, model)
    with pytest.raises(ImgsimError, match=r"more than 100 pairs of m reach 0\.1"):
        pairs.bring_up_to_date(connection, [model], 0.1, at_most=100)
    assert stored_pairs(connection, model) == before
    assert pairs.bring_up_to_date(connection, [model], 0.9) == {}


def test_removing_images_leaves_pairs_right_and_current(connection: Connection) -> None:
    model = store(connection, "m", clustered(200, 16))
    pairs.bring_up_to_date(connection, [model], 0.9)
    assert derived.remove(connection, [1, 2, 77, 200]) == 4
    assert stored_pairs(connection, model) == brute_force(connection, model, 0.9)
    assert pairs.bring_up_to_date(connection, [model], 0.9) == {}
    images = connection.execute("select images from imgsim.pair_state").fetchone()
    assert images == (196,)


def test_removing_images_does_not_make_stale_pairs_look_current(connection: Connection) -> None:
    model = store(connection, "m", clustered(50, 16))
    pairs.bring_up_to_date(connection, [model], 0.9)
    connection.execute("update imgsim.model set revision = revision + 1")
    derived.remove(connection, [1])
    assert pairs.bring_up_to_date(connection, [model], 0.9) != {}


def test_the_sql_refuses_pairs_that_are_not_stored(connection: Connection) -> None:
    model = store(connection, "m", clustered(50, 16))
    with pytest.raises(Exception, match="no pairs are stored for the model 'm'"):
        connection.execute("select * from imgsim.book_graph('m', 0.9)")
    pairs.bring_up_to_date(connection, [model], 0.95)
    with pytest.raises(Exception, match=r"stored from a similarity of 0\.95"):
        connection.execute("select * from imgsim.book_graph('m', 0.9)")
