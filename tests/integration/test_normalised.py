"""A similarity is read against the background of both images' neighbour lists."""

from __future__ import annotations

import numpy as np
import pytest

from imgsim.api import Store
from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.settings import Settings
from imgsim.similarity import neighbours, pairs
from tests.vectors import clustered, put, store

K = 10


def background(similarities: list[float]) -> float | None:
    """As the page on verdicts says it."""
    count = len(similarities)
    return float(np.mean(similarities[count // 2 :])) if count >= 4 else None


def lists(connection: Connection, model: models.Model) -> dict[int, list[float]]:
    rows = connection.execute(
        "select image_id, similarities from imgsim.neighbour_list where model_id = %s",
        [model.model_id],
    )
    return dict(rows.fetchall())


def expected(backgrounds: dict[int, float | None], one: int, other: int, cosine: float) -> float:
    known = [b for b in (backgrounds.get(one), backgrounds.get(other)) if b is not None]
    return cosine - float(np.mean(known))


@pytest.fixture
def model(connection: Connection) -> models.Model:
    """400 images with lists of ten, and six more that have none."""
    made = store(connection, "resnet50", clustered(400, 64))
    neighbours.bring_up_to_date(connection, [made], K)
    put(connection, made, range(401, 407), clustered(6, 64, seed=1))
    return made


@pytest.fixture
def backgrounds(connection: Connection, model: models.Model) -> dict[int, float | None]:
    return {image: background(found) for image, found in lists(connection, model).items()}


@pytest.mark.parametrize(
    ("similarities", "answer"),
    [
        ([0.9, 0.8, 0.7, 0.5], 0.6),
        ([0.9, 0.8, 0.7, 0.5, 0.3], 0.5),
        ([0.9, 0.8, 0.7], None),
        ([], None),
    ],
)
def test_the_background_is_the_mean_of_the_lists_second_half(
    connection: Connection, similarities: list[float], answer: float | None
) -> None:
    row = connection.execute("select imgsim.background(%s::float8[])", [similarities]).fetchone()
    assert row == (pytest.approx(answer) if answer else None,)


@pytest.mark.parametrize(
    ("own", "other", "answer"),
    [(0.5, 0.7, 0.3), (0.5, None, 0.4), (None, 0.7, 0.2), (None, None, None)],
)
def test_where_one_background_is_unknown_the_other_is_taken(
    connection: Connection, own: float | None, other: float | None, answer: float | None
) -> None:
    row = connection.execute("select imgsim.normalised(0.9, %s, %s)", [own, other]).fetchone()
    assert row == (pytest.approx(answer) if answer else None,)


def test_a_pattern_like_everything_falls_behind_the_picture_that_is_like_one(
    connection: Connection,
) -> None:
    rng = np.random.default_rng(0)
    busy = 1 + 0.2 * rng.normal(size=(60, 64))
    plain = rng.normal(size=(60, 64))
    plain[1] = plain[0] + 0.15 * rng.normal(size=64)
    vectors = np.vstack([plain, busy])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    neighbours.bring_up_to_date(
        connection, [store(connection, "resnet50", vectors.astype(np.float32))], K
    )
    of_plain, of_busy = (
        connection.execute(
            "select similarity, normalised from imgsim.neighbour where image_id = %s and rank = 1",
            [image],
        ).fetchone()
        for image in (1, 61)
    )
    assert of_plain is not None
    assert of_busy is not None
    assert abs(of_plain[0] - of_busy[0]) < 0.05
    assert of_plain[1] > 0.3
    assert of_busy[1] < 0.1


@pytest.mark.parametrize("relation", ["neighbour", "neighbour_ecco"])
def test_every_stored_neighbour_carries_it(
    connection: Connection, backgrounds: dict[int, float | None], relation: str
) -> None:
    rows = connection.execute(
        f"select image_id, other_id, similarity, normalised from imgsim.{relation}".encode()
    ).fetchall()
    assert len(rows) == 400 * K
    for image, other, cosine, normalised in rows:
        assert normalised == pytest.approx(expected(backgrounds, image, other, cosine))


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("7", id="from the list"),
        pytest.param("7, exact => true", id="searched"),
        pytest.param("'image 7', k => 3", id="by name"),
        pytest.param("7, min_similarity => 0.5", id="all above a threshold"),
        pytest.param("403, exact => true", id="own list missing"),
    ],
)
def test_similar_carries_it(
    connection: Connection, backgrounds: dict[int, float | None], call: str
) -> None:
    asked = 403 if "403" in call else 7
    rows = connection.execute(
        f"select image_id, similarity, normalised from imgsim.similar({call})".encode()
    ).fetchall()
    assert rows
    for other, cosine, normalised in rows:
        if asked not in backgrounds and other not in backgrounds:
            assert normalised is None
        else:
            assert normalised == pytest.approx(expected(backgrounds, asked, other, cosine))


def test_for_a_picture_that_is_not_stored_only_the_other_background_is_known(
    connection: Connection, backgrounds: dict[int, float | None]
) -> None:
    rows = connection.execute(
        """
        select image_id, similarity, normalised
        from imgsim.nearest((select embedding from imgsim.embedding_resnet50 where image_id = 401))
        """
    ).fetchall()
    assert rows[0] == (401, pytest.approx(1), None)
    for other, cosine, normalised in rows[1:]:
        if other in backgrounds:
            assert normalised == pytest.approx(cosine - (backgrounds[other] or 0))


def test_pairs_and_the_neighbours_of_all_carry_it(
    connection: Connection, model: models.Model
) -> None:
    neighbours.bring_up_to_date(connection, [model], K)
    pairs.bring_up_to_date(connection, [model], 0.5)
    backgrounds = {image: background(found) for image, found in lists(connection, model).items()}
    for relation in (
        "imgsim.pair_ecco",
        "imgsim.neighbours(k => 3)",
        "imgsim.neighbours(min_similarity => 0.5)",
        "imgsim.neighbours(k => 2, other_documents_only => true)",
    ):
        query = f"select image_id, other_id, similarity, normalised from {relation}"
        rows = connection.execute(query.encode()).fetchall()
        assert rows
        for image, other, cosine, normalised in rows:
            assert normalised == pytest.approx(expected(backgrounds, image, other, cosine))


def test_without_stored_lists_it_is_null(connection: Connection) -> None:
    model = store(connection, "resnet50", clustered(60, 64))
    pairs.bring_up_to_date(connection, [model], 0.5)
    for query in (
        "select normalised from imgsim.similar(7::bigint)",
        "select normalised from imgsim.pair_ecco",
    ):
        rows = connection.execute(query.encode()).fetchall()
        assert rows
        assert {row[0] for row in rows} == {None}


@pytest.mark.usefixtures("model")
def test_reading_one_images_list_computes_no_other_background(connection: Connection) -> None:
    connection.execute("analyze")
    plan = connection.execute(
        """
        explain (analyze, costs off, timing off, summary off)
        select other_id, normalised from imgsim.neighbour where model_id = 1 and image_id = 7
        """
    ).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan" not in text
    assert text.count("neighbour_list_pkey") == 2
    without = connection.execute(
        """
        explain (costs off)
        select other_id, similarity from imgsim.neighbour where model_id = 1 and image_id = 7
        """
    ).fetchall()
    assert "\n".join(row[0] for row in without).count("neighbour_list_pkey") == 1


def test_a_notebook_has_it_too(
    connection: Connection, settings: Settings, backgrounds: dict[int, float | None]
) -> None:
    with Store(settings) as opened:
        frame = opened.similar(7, model="resnet50")
    assert list(frame.columns[:3]) == ["rank", "similarity", "normalised"]
    for _, row in frame.iterrows():
        wanted = expected(backgrounds, 7, int(row["image_id"]), float(row["similarity"]))
        assert row["normalised"] == pytest.approx(wanted)
