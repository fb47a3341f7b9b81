"""One number for how alike two pictures are: what is read in one place can be asked for in another.

And what is no such number, or no number of answers, is refused everywhere.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest

from imgsim.api import Store
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.settings import Settings
from imgsim.similarity import neighbours, pairs
from tests import tiny
from tests.conftest import Answer
from tests.vectors import Vectors, clustered, store

Imgsim = Callable[..., Answer]
LOWEST = 0.2


def similar(connection: Connection, call: str, *values: object) -> list[tuple[int, float]]:
    query = f"select image_id, similarity from imgsim.similar({call}) order by rank"
    return connection.execute(query.encode(), values).fetchall()


def like_features(count: int, dimension: int) -> Vectors:
    """Vectors as long as a network's, of numbers of all sizes, some of them nearly alike."""
    rng = np.random.default_rng(7)
    features = np.abs(rng.normal(size=(count, dimension)) ** 3)
    features[1::5] = features[0] + 0.02 * np.abs(rng.normal(size=features[1::5].shape))
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


@pytest.fixture(params=[512, 2048])
def model(request: pytest.FixtureRequest, connection: Connection) -> models.Model:
    """A model over 60 images, its lists and pairs stored."""
    stored = store(connection, "m", like_features(60, request.param))
    connection.execute("select imgsim.build_embedding_index('m')")
    neighbours.bring_up_to_date(connection, [stored], 10)
    pairs.bring_up_to_date(connection, [stored], LOWEST)
    return stored


@pytest.mark.usefixtures("model")
def test_with_the_stored_score_of_its_third_neighbour_a_picture_gets_three_answers(
    connection: Connection,
) -> None:
    rows = connection.execute(
        "select image_id, similarity from imgsim.neighbour where rank = 3 order by image_id"
    ).fetchall()
    assert len(rows) == 60
    for image, third in rows:
        nearest = similar(connection, f"{image}, k => 3")
        asked = similar(connection, f"{image}, min_similarity => %s", third)
        assert asked[:3] == nearest
        assert all(similarity == third for _, similarity in asked[3:])
        hair = np.nextafter(third, 2)
        assert len(similar(connection, f"{image}, min_similarity => %s", hair)) < 3


@pytest.mark.usefixtures("model")
def test_searches_lists_pairs_and_scores_hold_the_same_numbers(connection: Connection) -> None:
    listed = connection.execute(
        "select image_id, other_id, similarity from imgsim.neighbour"
    ).fetchall()
    stored = connection.execute("select image_id, other_id, similarity from imgsim.pair").fetchall()
    known = {(a, b): similarity for a, b, similarity in listed}
    assert len(stored) > 100
    for a, b, similarity in stored:
        assert known.get((a, b), similarity) == similarity
        assert known.get((b, a), similarity) == similarity
    for a, b, similarity in stored[::7]:
        found = dict(similar(connection, f"{a}, min_similarity => {LOWEST}"))
        assert found[b] == similarity
    scores = connection.execute(
        "select image_id, other_id, value from imgsim.pair_scores(%s, %s) where score = 'm'",
        [[row[0] for row in stored], [row[1] for row in stored]],
    ).fetchall()
    assert scores == stored
    for image in (1, 2, 30):
        exact = similar(connection, f"{image}, k => 10, exact => true")
        assert exact == similar(connection, f"{image}, k => 10")


def test_more_nearly_equal_pictures_than_are_looked_at_first_are_ranked_as_in_lists(
    connection: Connection,
) -> None:
    rng = np.random.default_rng(3)
    vectors = (1 + 1e-4 * rng.normal(size=(300, 2048))).astype(np.float32)
    model = store(connection, "m", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    without_lists = {
        image: similar(connection, f"{image}, k => 5, exact => true") for image in (1, 150, 300)
    }
    neighbours.bring_up_to_date(connection, [model], 5)
    for image, found in without_lists.items():
        listed = connection.execute(
            "select other_id, similarity from imgsim.neighbour where image_id = %s order by rank",
            [image],
        ).fetchall()
        assert found == listed


def test_the_cosine_is_that_of_exact_arithmetic_rounded_to_seven_decimals(
    connection: Connection,
) -> None:
    store(connection, "m", clustered(40, 700))
    rows = connection.execute("select embedding from imgsim.embedding_m order by image_id")
    vectors = np.array([row[0].to_numpy() for row in rows], np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.round(vectors @ vectors.T, 7)
    found = connection.execute(
        """
        select imgsim.cosine(a.embedding, b.embedding)
        from imgsim.embedding_m a, imgsim.embedding_m b
        order by a.image_id, b.image_id
        """
    ).fetchall()
    assert [row[0] for row in found] == expected.ravel().tolist()


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_a_score_that_a_command_prints_can_be_given_to_it_as_threshold(
    imgsim: Imgsim, connection: Connection, format_: str
) -> None:
    model = store(connection, "m", like_features(60, 512))
    for fill in (False, True):
        if fill:
            neighbours.bring_up_to_date(connection, [model], 10)
        for image in range(1, 60, 9):
            printed = imgsim("similar", image, "-k", "3", "--format", format_).out
            if format_ == "csv":
                rows: list[Any] = list(csv.DictReader(io.StringIO(printed)))
            else:
                rows = json.loads(printed)
            third = rows[2]["similarity"]
            again = imgsim("similar", image, "--threshold", third, "--format", "csv").out
            assert len(list(csv.DictReader(io.StringIO(again)))) >= 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"k": 0}, "k is 0, and must be at least 1"),
        ({"threshold": 94.0}, "the threshold is 94, and must be from -1 to 1"),
        ({"threshold": float("nan")}, "the threshold is nan, and must be from -1 to 1"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_notebook_too(
    connection: Connection, settings: Settings, given: dict[str, Any], says: str
) -> None:
    tiny.fill(connection)
    with Store(settings) as opened:
        for ask in (opened.similar, lambda *a, **g: opened.plot("around", *a, **g)):
            with pytest.raises(ImgsimError, match=says):
                ask(tiny.NAME, **given)


NO_K = [
    "similar(1, k => {})",
    "similar('image 1', k => {})",
    "nearest((select embedding from imgsim.embedding_resnet50 limit 1), k => {})",
    "neighbours(k => {})",
    "neighbours(k => {}, min_similarity => 0.95)",
    "overlap({})",
    "overlap_by_image({})",
    "agreement({})",
    "recall(k => {})",
    "recall(sample => {})",
    "candidates({})",
    "verification_status({})",
    "require_neighbours('resnet50', {})",
]
NO_SIMILARITY = [
    "similar(1, min_similarity => {})",
    "similar('image 1', min_similarity => {})",
    "nearest((select embedding from imgsim.embedding_resnet50 limit 1), min_similarity => {})",
    "neighbours(min_similarity => {})",
    "reappearance(min_similarity => {})",
    "documents(min_similarity => {})",
    "decades(min_similarity => {})",
    "book_graph(min_similarity => {})",
    "threshold_counts(thresholds => array[0.9, {}])",
    "require_pairs('resnet50', {})",
    "threshold_of('resnet50', {})",
    "calibration(wanted => {})",
    "calibration(step => {})",
    "accepted_link({})",
]
OPTIONAL = (
    *("similar(", "nearest(", "neighbours("),
    *("reappearance(", "documents(", "decades(", "book_graph(", "threshold_of("),
)
"""Of these null is the default: ten, or all above a threshold; no threshold, or the model's own."""


def calls() -> list[tuple[str, str]]:
    refused = [(call, value) for call in NO_K for value in ("0", "-3", "null")]
    refused += [
        (call, value) for call in NO_SIMILARITY for value in ("94", "-1.5", "'NaN'", "null")
    ]
    return [
        (call, value) for call, value in refused if value != "null" or not call.startswith(OPTIONAL)
    ]


def test_what_is_no_number_of_answers_or_no_similarity_is_refused_by_every_function(
    connection: Connection,
) -> None:
    tiny.fill(connection)
    for call, value in calls():
        query = f"select * from imgsim.{call.format(value)}"
        with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
            connection.execute(query.encode())
        said, hint = caught.value.diag.message_primary, caught.value.diag.message_hint
        assert said, call
        assert f"is {value.strip(chr(39))}, and must be" in said, call
        assert (hint == "for 94 percent give 0.94") == (value == "94"), call
        assert hint, call


def test_every_function_that_takes_such_a_number_is_in_the_test_above(
    connection: Connection,
) -> None:
    named = {call.split("(")[0] for call in NO_K + NO_SIMILARITY}
    rows = connection.execute(
        """
        select distinct p.proname
        from pg_catalog.pg_proc p
        where p.pronamespace = 'imgsim'::regnamespace
            and p.proargnames && array['k', 'sample', 'min_similarity', 'thresholds', 'wanted',
                'step', 'least_probability']
        """
    ).fetchall()
    within = {"require_k", "search_width"}
    assert {row[0] for row in rows} - within == named


@pytest.mark.parametrize(
    "command",
    [
        ("similar", tiny.NAME, "--threshold"),
        ("pairs", "--threshold"),
        ("report", "neighbours", "--threshold"),
        ("report", "documents", "--threshold"),
        ("report", "decades", "--threshold"),
        ("report", "calibration", "--precision"),
        ("export", "neighbours", "-o", "out", "--threshold"),
        ("export", "pairs", "-o", "out", "--threshold"),
        ("export", "groups-of-books", "-o", "out", "--threshold"),
        ("plot", "map", "--threshold"),
        ("plot", "timeline", tiny.NAME, "--threshold"),
        ("group", "--least"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_threshold_given_in_percent_is_refused_by_every_command_with_what_to_give(
    imgsim: Imgsim, command: tuple[str, ...]
) -> None:
    answer = imgsim(*command, "94")
    assert answer.code == 2
    assert "94 is not in the range" in answer.err
    assert "for 94 percent give 0.94" in answer.err
    assert "percent" not in imgsim(*command, "-3").err
