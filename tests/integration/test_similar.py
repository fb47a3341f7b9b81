"""`imgsim.similar` in SQL: exact where it says so, by the index where it may, always complete."""

from __future__ import annotations

import re

import numpy as np
import psycopg
import pytest

from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.similarity import neighbours
from tests.vectors import brute_force, clustered, put, store


def ask(connection: Connection, call: str, *values: object) -> list[tuple[object, ...]]:
    query = f"select image_id, similarity, rank from imgsim.similar({call}) order by rank"
    return connection.execute(query.encode(), values).fetchall()


def ids(rows: list[tuple[object, ...]]) -> list[object]:
    return [row[0] for row in rows]


@pytest.fixture
def indexed(connection: Connection) -> models.Model:
    """2,000 images of a 512-dimensional model, with its HNSW index."""
    model = store(connection, "resnet50", clustered(2000, 512))
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    connection.execute("analyze")
    return model


def test_the_hnsw_index_is_used_with_the_search_widened_for_the_call(
    connection: Connection, indexed: models.Model
) -> None:
    connection.execute("set enable_seqscan = on")
    plan = connection.execute(
        """
        explain (costs off)
        select e.image_id
        from imgsim.embedding_resnet50 e
        where e.image_id <> 7
        order by e.embedding operator(public.<=>)
            (array_fill(0.1, array[512])::public.vector::public.halfvec), e.image_id
        limit 10
        """
    ).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "Index Scan using embedding_resnet50_hnsw" in text
    assert "Incremental Sort" in text
    before = connection.execute(
        "select idx_scan from pg_stat_user_indexes where indexrelname = 'embedding_resnet50_hnsw'"
    ).fetchone()
    ask(connection, "'image 7'")
    connection.execute("select pg_stat_force_next_flush()")
    after = connection.execute(
        "select idx_scan from pg_stat_user_indexes where indexrelname = 'embedding_resnet50_hnsw'"
    ).fetchone()
    assert before is not None
    assert after is not None
    assert after[0] == before[0] + 1


def test_recall_at_10_of_the_index_is_at_least_099(
    connection: Connection, indexed: models.Model
) -> None:
    truth = brute_force(connection, indexed, 10)
    rows = connection.execute(
        """
        select q.image_id, s.image_id
        from imgsim.image q
        cross join lateral imgsim.similar(q.image_id, k => 10) s
        """
    ).fetchall()
    found = sum(other in truth[image] for image, other in rows)
    assert len(rows) == 20_000
    assert found / 20_000 >= 0.99


def test_exact_is_brute_force(connection: Connection, indexed: models.Model) -> None:
    truth = brute_force(connection, indexed, 10)
    for image in (1, 500, 1999):
        rows = ask(connection, f"{image}, k => 10, exact => true")
        assert ids(rows) == truth[image]
        assert [row[2] for row in rows] == list(range(1, 11))


def test_sql_cosine_is_numpys(connection: Connection) -> None:
    vectors = clustered(200, 2048)
    store(connection, "resnet50", vectors)
    for other, similarity, _ in ask(connection, "5, k => 199"):
        assert similarity == pytest.approx(
            float(vectors[4] @ vectors[int(str(other)) - 1]), abs=1e-3
        )


@pytest.mark.parametrize("dimension", [512, 2048])
def test_half_precision_moves_a_cosine_by_at_most_00005(
    connection: Connection, dimension: int
) -> None:
    rng = np.random.default_rng(1)
    features = np.abs(rng.normal(size=(60, dimension)))  # pooled features are all positive
    vectors = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    store(connection, "resnet50", vectors)
    exact = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    for image in range(1, 61):
        for other, similarity, _ in ask(connection, f"{image}, k => 59, exact => true"):
            assert abs(float(str(similarity)) - exact[image - 1, int(str(other)) - 1]) <= 0.0005


def test_a_threshold_is_answered_completely_beyond_what_an_index_returns(
    connection: Connection,
) -> None:
    vectors = clustered(1500, 64, seed=2)
    vectors[100:900] = vectors[100]
    vectors[100:900] += np.random.default_rng(5).normal(scale=0.004, size=(800, 64))
    model = store(connection, "resnet50", vectors)
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    rows = ask(connection, "101, min_similarity => 0.94")
    stored = connection.execute("select embedding from imgsim.embedding_resnet50 order by image_id")
    matrix = np.array([row[0].to_numpy() for row in stored], dtype=np.float64)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    reach = {int(i) + 1 for i in np.flatnonzero(matrix @ matrix[100] >= 0.94)} - {101}
    assert len(reach) >= 799
    assert set(ids(rows)) == reach
    first = ask(connection, "101, min_similarity => 0.94, k => 5")
    assert first == rows[:5]
    assert brute_force(connection, model, 5)[101] == ids(first)


def test_the_picture_itself_is_left_out_by_id_and_its_twins_stay(connection: Connection) -> None:
    vectors = clustered(50, 32)
    vectors[10:14] = vectors[10]
    store(connection, "resnet50", vectors)
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    rows = ask(connection, "13, k => 3")
    assert ids(rows) == [11, 12, 14]
    assert [row[1] for row in rows] == [pytest.approx(1.0, abs=1e-6)] * 3


def test_its_own_book_can_be_left_out_inside_the_search(connection: Connection) -> None:
    vectors = clustered(400, 32)
    vectors[0:300:3] = vectors[0]  # a hundred twins, all in the query's book
    store(connection, "resnet50", vectors, books=3)
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    rows = connection.execute(
        "select image_id, ecco_id from imgsim.similar(1, k => 20, other_documents_only => true)"
    ).fetchall()
    assert len(rows) == 20
    assert {row[1] for row in rows} == {"0000000000", "0000000002"}
    exact = connection.execute(
        "select image_id, ecco_id from imgsim.similar(1, k => 20, other_documents_only => true, "
        "exact => true)"
    ).fetchall()
    assert exact == rows


def test_fewer_are_returned_only_where_there_are_no_more(connection: Connection) -> None:
    store(connection, "resnet50", clustered(300, 32))
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    assert len(ask(connection, "1, k => 299")) == 299
    assert len(ask(connection, "1, k => 5000")) == 299


def test_an_image_without_a_book_is_compared_with_all(connection: Connection) -> None:
    store(connection, "resnet50", clustered(20, 32), books=2)
    connection.execute("update imgsim.image set ecco_id = null where image_id = 1")
    assert len(ask(connection, "1, k => 50, other_documents_only => true")) == 19


def test_settings_of_the_session_are_as_before(
    connection: Connection, indexed: models.Model
) -> None:
    with connection.transaction():
        connection.execute("set local hnsw.ef_search = 17")
        ask(connection, "'image 7', k => 100")
        row = connection.execute(
            "select current_setting('hnsw.ef_search'), current_setting('hnsw.iterative_scan')"
        ).fetchone()
    assert row == ("17", "off")


def test_names_paths_and_ids_are_understood(connection: Connection) -> None:
    store(connection, "resnet50", clustered(20, 32))
    connection.execute("update imgsim.image set name = '7' where image_id = 3")
    expected = ask(connection, "3")
    assert ask(connection, "'7'") == expected  # a name before an id
    assert ask(connection, "'/scans/3'") == expected
    assert ask(connection, "'12'") == ask(connection, "12")


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        ("'nobody'", psycopg.errors.NoDataFound, "no image is called 'nobody'"),
        ("'twice'", psycopg.errors.CardinalityViolation, "2 images are called 'twice': ids 1, 2"),
        (
            "1, model => 'vgg'",
            psycopg.errors.NoDataFound,
            "no model is called 'vgg'; there are",
        ),
        ("1, k => 0", psycopg.errors.InvalidParameterValue, "k is 0"),
        ("20", psycopg.errors.NoDataFound, "image 20 has no vector of the model 'resnet50'"),
    ],
)
def test_what_cannot_be_answered_says_why(
    connection: Connection, call: str, error: type[psycopg.Error], says: str
) -> None:
    store(connection, "resnet50", clustered(20, 32))
    connection.execute("update imgsim.image set name = 'twice' where image_id <= 2")
    connection.execute("delete from imgsim.embedding_resnet50 where image_id = 20")
    with pytest.raises(error, match=re.escape(says)):
        ask(connection, call)


def test_the_index_is_rebuilt_when_missing_and_left_when_valid(
    connection: Connection, indexed: models.Model
) -> None:
    build = "select imgsim.build_embedding_index('resnet50')"
    state = "select imgsim.embedding_index('resnet50')"
    assert connection.execute(build).fetchone() == (False,)
    connection.execute("drop index imgsim.embedding_resnet50_hnsw")
    assert connection.execute(state).fetchone() == ("missing",)
    assert ids(ask(connection, "5")) == brute_force(connection, indexed, 10)[5]
    assert connection.execute(build).fetchone() == (True,)
    assert connection.execute(state).fetchone() == ("valid",)


def test_vectors_too_long_for_an_index_are_ranked_without(connection: Connection) -> None:
    model = store(connection, "resnet50", clustered(40, 5000))
    assert connection.execute("select imgsim.embedding_index('resnet50')").fetchone() == ("none",)
    assert ids(ask(connection, "5, k => 4")) == brute_force(connection, model, 4)[5]


def test_the_index_ranks_vectors_that_are_nearly_equal(connection: Connection) -> None:
    rng = np.random.default_rng(3)
    vectors = (1 + 0.02 * rng.normal(size=(150, 2048))).astype(np.float32)
    model = store(connection, "resnet50", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    truth = brute_force(connection, model, 10)
    rows = connection.execute(
        "select q.image_id, s.image_id from imgsim.image q "
        "cross join lateral imgsim.similar(q.image_id) s"
    ).fetchall()
    assert sum(other in truth[image] for image, other in rows) / len(rows) >= 0.9


@pytest.mark.parametrize("k", [1, 5, 37, 40])
def test_of_more_equal_pictures_than_the_index_collects_the_lowest_ids_come_first(
    connection: Connection, k: int
) -> None:
    vectors = clustered(600, 64, seed=4)
    vectors[300:390] = vectors[300]
    # The index meets them in another order than that of their ids.
    order = np.random.default_rng(0).permutation(600)
    model = store(connection, "resnet50", vectors[:0].reshape(0, 64))
    put(connection, model, (order + 1).tolist(), vectors[order])
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    rows = ask(connection, f"345, k => {k}")
    equal = [image for image in range(301, 391) if image != 345]
    assert ids(rows) == equal[:k]
    assert [row[2] for row in rows] == list(range(1, k + 1))


def test_all_that_the_index_collects_are_ranked_by_their_stored_vectors(
    connection: Connection,
) -> None:
    rng = np.random.default_rng(4)
    plates = rng.normal(size=(1500, 6)) @ rng.normal(size=(6, 256))
    vectors = (1 + 0.01 * plates).astype(np.float32)
    store(connection, "resnet50", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    connection.execute("select imgsim.build_embedding_index('resnet50')")
    connection.execute("analyze")
    connection.execute("set enable_seqscan = off")
    for image in range(1, 1500, 100):
        rows = ask(connection, f"{image}, k => 60")
        likeness = [float(str(row[1])) for row in rows]
        assert likeness == sorted(likeness, reverse=True)
        exact = ask(connection, f"{image}, k => 60, exact => true")
        assert len(set(ids(rows)) & set(ids(exact))) >= 57


def index_scans(connection: Connection) -> int:
    """How often the HNSW index of resnet50 was searched."""
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select idx_scan from pg_stat_user_indexes where indexrelname = 'embedding_resnet50_hnsw'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_stored_lists_answer_without_a_search_and_say_the_same_as_an_exact_one(
    connection: Connection, indexed: models.Model
) -> None:
    neighbours.bring_up_to_date(connection, [indexed], 10)
    before = index_scans(connection)
    for image in (1, 500, 1999):
        rows = ask(connection, f"{image}, k => 10")
        exact = ask(connection, f"{image}, k => 10, exact => true")
        assert ids(rows) == ids(exact)
        assert [row[2] for row in rows] == list(range(1, 11))
        assert [row[1] for row in rows] == pytest.approx([row[1] for row in exact], abs=1e-6)
        assert ask(connection, f"'image {image}', k => 3") == rows[:3]
    assert index_scans(connection) == before


@pytest.mark.parametrize(
    "call",
    ["7, k => 11", "7, k => 5, other_documents_only => true", "7, k => 5, earlier_only => true"],
)
def test_stored_lists_do_not_answer_what_they_do_not_hold(
    connection: Connection, indexed: models.Model, call: str
) -> None:
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, publication_year) "
        "select distinct ecco_id, 1700 + ecco_id::integer from imgsim.image"
    )
    without = ask(connection, call)
    neighbours.bring_up_to_date(connection, [indexed], 10)
    assert ask(connection, call) == without


def test_stored_lists_older_than_the_vectors_do_not_answer(
    connection: Connection, indexed: models.Model
) -> None:
    neighbours.bring_up_to_date(connection, [indexed], 10)
    connection.execute("update imgsim.model set revision = revision + 1")
    before = index_scans(connection)
    assert ids(ask(connection, "7")) == brute_force(connection, indexed, 10)[7]
    assert index_scans(connection) == before + 1


def test_a_list_that_lost_an_image_does_not_answer(
    connection: Connection, indexed: models.Model
) -> None:
    neighbours.bring_up_to_date(connection, [indexed], 10)
    (lost,) = ids(ask(connection, "7, k => 1"))
    connection.execute("delete from imgsim.image where image_id = %s", [lost])
    rows = ask(connection, "7, k => 10")
    assert ids(rows) == brute_force(connection, indexed, 10)[7]


def test_lists_of_all_other_images_answer_any_k(connection: Connection) -> None:
    model = store(connection, "resnet50", clustered(8, 32))
    neighbours.bring_up_to_date(connection, [model], 10)
    assert ids(ask(connection, "3, k => 50")) == brute_force(connection, model, 7)[3]


def test_of_imgsims_own_models_the_better_is_asked_where_none_is_named(
    connection: Connection,
) -> None:
    def meant() -> tuple[object, ...]:
        row = connection.execute(
            "select imgsim.default_model(), imgsim.default_model(1), imgsim.default_model(2)"
        ).fetchone()
        assert row is not None
        return tuple(row)

    store(connection, "resnet50-print", clustered(4, 8))
    assert meant() == ("resnet50-print", "resnet50-print", "resnet50-print")
    for name in ("resnet18-print", "resnet18", "resnet50"):
        connection.execute("select imgsim.add_model(%s, %s, 8, 'none', %s, 'fit')", [name] * 3)
        if name == "resnet18-print":
            assert meant() == ("resnet18-print", "resnet18-print", "resnet50-print")
    assert meant() == ("resnet18-print", "resnet18-print", "resnet50-print")
    for name in ("resnet18-print", "resnet50-print"):
        connection.execute("select imgsim.remove_model(%s)", [name])
    assert meant() == ("resnet50", "resnet18", "resnet50")
    connection.execute("select imgsim.add_model('resnet18-print', 'none', 8, 'none', 'p', 'fit')")
    assert meant() == ("resnet18-print", "resnet18", "resnet50")
