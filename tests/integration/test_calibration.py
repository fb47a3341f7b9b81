"""Calibration counts what counting by hand counts, and says what it comes to."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import psycopg
import pytest

from imgsim import reports
from imgsim.database.connection import Connection, Table
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.reuse import calibration, verdicts
from imgsim.similarity import neighbours
from tests.vectors import clustered, store

KINDS = ("same block", "copy", "same subject", "unrelated")


@pytest.fixture
def model(connection: Connection) -> models.Model:
    return store(connection, "resnet50", clustered(200, 32))


@pytest.fixture
def truth(connection: Connection, model: models.Model) -> dict[tuple[int, int], bool]:
    """150 pairs with verdicts, the more alike the likelier of one block; five are verified."""
    rng = np.random.default_rng(5)
    matrix = cosines(connection)
    judged: dict[tuple[int, int], bool] = {}
    while len(judged) < 150:
        image, other = sorted(rng.choice(200, 2, replace=False) + 1)
        same = bool(rng.random() < max(0.0, matrix[image - 1, other - 1]) ** 2)
        judged[int(image), int(other)] = same
    for number, ((image, other), same) in enumerate(judged.items()):
        kind = KINDS[0] if same else KINDS[1 + number % 3]
        verdicts.record(connection, str(image), str(other), kind, by="Ann")
    for image, other in verified(judged):
        verify(connection, image, other, 0.9 if judged[image, other] else 0.1)
    return judged


def verified(judged: dict[tuple[int, int], bool]) -> list[tuple[int, int]]:
    """Three pairs of one block and two that are not."""
    same = [ids for ids, one_block in judged.items() if one_block]
    return [*same[:3], *[ids for ids in judged if ids not in same][:2]]


def verify(connection: Connection, image: int, other: int, probability: float) -> None:
    connection.execute(
        """
        insert into imgsim.verification
            (image_id, other_id, relation, probability, mirrored, inliers, coverage,
                other_coverage, correlation, parameters, version)
        values (%s, %s, 'undecided', %s, false, 1, 0, 0, 0, '{}', 1)
        """,
        [image, other, probability],
    )


def cosines(connection: Connection) -> np.ndarray:
    rows = connection.execute("select embedding from imgsim.embedding_resnet50 order by image_id")
    vectors = np.array([row[0].to_numpy() for row in rows], dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors @ vectors.T)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The two roots of |p - hits/trials| = z √(p(1 - p)/trials), as Wilson derives them."""
    z, share = 1.959963984540054, hits / trials
    roots = np.roots([1 + z * z / trials, -(2 * share + z * z / trials), share * share])
    low, high = sorted(float(root.real) for root in roots)
    return low, high


def rows_of(answer: Table, score: str) -> list[dict[str, float]]:
    named = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return [row for row in named if row["score"] == score]


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (9, 10), (10, 10), (1, 1), (423, 1000)])
def test_intervals_are_wilsons(connection: Connection, hits: int, trials: int) -> None:
    row = connection.execute("select imgsim.wilson(%s, %s)", [hits, trials]).fetchone()
    assert row is not None
    assert row[0] == pytest.approx(wilson(hits, trials), abs=1e-12)
    assert 0 <= row[0][0] <= hits / trials <= row[0][1] + 1e-12
    assert row[0][1] <= 1


def test_of_nothing_there_is_no_interval(connection: Connection) -> None:
    assert connection.execute("select imgsim.wilson(0, 0)").fetchone() == (None,)


def test_every_threshold_counts_what_reaches_it(
    connection: Connection, model: models.Model, truth: dict[tuple[int, int], bool]
) -> None:
    matrix = cosines(connection)
    rows = rows_of(reports.calibration(connection, precision=0.9), "resnet50")
    values = {ids: matrix[ids[0] - 1, ids[1] - 1] for ids in truth}
    grid = {math.floor(value * 100) / 100 for value in values.values()}
    assert [row["threshold"] for row in rows] == sorted({0.94, *grid})
    for row in rows:
        reached = [ids for ids, value in values.items() if value >= row["threshold"]]
        same = sum(truth[ids] for ids in reached)
        assert (row["pairs"], row["same_block"]) == (len(reached), same)
        assert (row["labelled"], row["labelled_same"]) == (150, sum(truth.values()))
        assert row["recall"] == pytest.approx(same / sum(truth.values()))
        assert (row["recall_low"], row["recall_high"]) == pytest.approx(
            wilson(same, sum(truth.values()))
        )
        if reached:
            assert row["precision"] == pytest.approx(same / len(reached))
            assert (row["precision_low"], row["precision_high"]) == pytest.approx(
                wilson(same, len(reached))
            )
        else:
            assert row["precision"] is None
    reaching = [row["threshold"] for row in rows if (row["precision"] or 0) >= 0.9]
    assert [row["threshold"] for row in rows if row["proposed"]] == reaching[:1]
    sure = [row["threshold"] for row in rows if (row["precision_low"] or 0) >= 0.9]
    assert [row["threshold"] for row in rows if row["assured"]] == sure[:1]
    assert reaching


def test_each_score_counts_the_pairs_that_have_it(
    connection: Connection, truth: dict[tuple[int, int], bool]
) -> None:
    answer = reports.calibration(connection)
    scores = list(dict.fromkeys(row[0] for row in answer.rows))
    assert scores == ["resnet50", "resnet50 normalised", "evidence"]
    assert rows_of(answer, "evidence")[0]["labelled"] == 5
    at_most = next(row for row in rows_of(answer, "evidence") if row["threshold"] == 0.9)
    assert (at_most["pairs"], at_most["same_block"], at_most["recall"]) == (3, 3, 1)
    backgrounds: dict[int, float] = dict(
        connection.execute(
            "select image_id, imgsim.background(similarities) from imgsim.neighbour_list"
        ).fetchall()
    )
    matrix = cosines(connection)
    normalised = [
        matrix[one - 1, other - 1] - (backgrounds[one] + backgrounds[other]) / 2
        for one, other in truth
    ]
    for row in rows_of(answer, "resnet50 normalised"):
        assert row["pairs"] == sum(value >= row["threshold"] for value in normalised)


def test_pairs_that_scholars_dispute_do_not_count(
    connection: Connection, truth: dict[tuple[int, int], bool]
) -> None:
    (image, other), same = next(iter(truth.items()))
    verdicts.record(
        connection, str(image), str(other), "unrelated" if same else "same block", by="Ben"
    )
    assert rows_of(reports.calibration(connection), "resnet50")[0]["labelled"] == 149


@pytest.mark.usefixtures("model")
def test_without_verdicts_it_says_what_to_do(connection: Connection) -> None:
    neighbours.bring_up_to_date(connection, models.stored(connection), 10)
    with pytest.raises(psycopg.errors.NoDataFound, match="there are no verdicts to measure with"):
        reports.calibration(connection)


def test_a_labelled_table_is_measured_as_verdicts_are(
    connection: Connection, truth: dict[tuple[int, int], bool], tmp_path: Path
) -> None:
    words = (("yes", "no"), ("1", "0"), ("True", "False"), ("plate", "same subject"))
    file = tmp_path / "labels.csv"
    lines = [
        f"image {other},{image},{words[n % 4][not same]}"
        for n, ((image, other), same) in enumerate(truth.items())
    ]
    file.write_text("\n".join(["image,other,same", *lines]))
    by_labels = reports.calibration(connection, labels=file)
    assert by_labels.rows == reports.calibration(connection).rows


@pytest.mark.usefixtures("model")
def test_labels_that_cannot_be_used_are_told_of(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    rows = ("1,2,yes", "2,1,1", "3,4,yes", "4,3,no", "5,6,perhaps", "7,8,", "9,none,no", "5,7,no")
    file.write_text("\n".join(["image,other,same", *rows]))
    labels = calibration.read_labels(connection, file)
    assert labels.same == {(1, 2): True, (5, 7): False}
    assert labels.repeated.examples == ["line 3: as line 2"]
    assert labels.contradictions.examples == [
        "line 4: the same pair in lines 4 (yes), 5 (no)",
        "line 5: the same pair in lines 4 (yes), 5 (no)",
    ]
    assert labels.no_label.examples == ["line 6: perhaps", "line 7: blank"]
    assert labels.pairs.unknown.examples == ["line 8: none"]
    with pytest.raises(ImgsimError, match=r"cannot use 5 rows of .*: line 8: none"):
        reports.calibration(connection, labels=file)
    assert reports.calibration(connection, labels=labels).rows
    file.write_text("image,other,same\n1,2,perhaps\n")
    with pytest.raises(ImgsimError, match=r"cannot use any row of .*: line 2: perhaps"):
        calibration.read_labels(connection, file)
    file.write_text("image,other,kind\n1,2,perhaps\n")
    with pytest.raises(ImgsimError, match="has no column same"):
        calibration.read_labels(connection, file)


def test_in_words_it_says_what_the_models_own_threshold_means_and_what_to_take() -> None:
    of = models.Model(1, "resnet50", "resnet50", 8, "w", "x", "fit", "e", 0.94, "the study")
    answer = Table(
        (
            *("score", "threshold", "pairs", "same_block", "precision", "precision_low"),
            *("precision_high", "recall", "labelled", "labelled_same", "proposed", "assured"),
        ),
        [
            ("resnet50", 0.94, 10, 9, 0.9, 0.596, 0.982, 0.71, 40, 12, False, False),
            ("resnet50", 0.97, 8, 8, 1.0, 0.676, 1.0, 0.66, 40, 12, True, False),
            ("evidence", 0.94, 0, 0, None, None, None, 0.0, 28, 12, False, False),
        ],
    )
    known, proposed, *of_evidence = calibration.sentences(answer, [of], 0.95)
    assert known == (
        "resnet50 at 0.94, resnet50's own: 9 of 10 labelled pairs that reach it are of one block "
        "(precision 0.90, 0.60 to 0.98), and it finds 71 % of all that are"
    )
    assert proposed == (
        "resnet50: for a precision of 0.95 take 0.97 (precision 1.00, 0.68 to 1.00; "
        "it finds 66 %); too few pairs to be sure of it"
    )
    assert of_evidence == [
        "evidence: no threshold reaches a precision of 0.95 on these pairs",
    ]
    few, unverified, caution = calibration.cautions(answer)
    assert few.endswith("12 from one block and 28 others; 20 of each are needed")
    assert unverified == "evidence is known for 28 of 40 pairs: imgsim verify"
    assert "not of all pairs" in caution
