"""Lists and pairs that were added to, mended, interrupted and resumed are those from scratch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import numpy as np
import pytest
from psycopg import sql

from imgsim.collection import derived
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.settings import Settings
from imgsim.similarity import exact_lists, neighbours, pairs, stored_lists
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.work import Progress
from tests.vectors import Vectors, brute_force, clustered, put, store

K = 5
THRESHOLD = 0.9


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_lists, "COMMITTED", 20)
    monkeypatch.setattr(pairs, "COMMITTED", 20)


class StoppedError(Exception):
    """In the place of Ctrl-C."""


def after(blocks: int) -> Progress:
    """Progress that interrupts the work after so many blocks."""
    told = iter(range(blocks))

    def update(what: str, done: int, of: int) -> None:
        if next(told, None) is None:
            raise StoppedError

    return update


def check(connection: Connection, model: models.Model, k: int, threshold: float) -> None:
    """The stored lists and pairs are those of brute force over the stored vectors."""
    # An unfinished run for a longer k may have left longer lists, one from a lower threshold pairs
    # below.
    rows = connection.execute(
        """
        select image_id, array_agg(other_id order by rank)
        from imgsim.neighbour
        where rank <= %s
        group by image_id
        """,
        [k],
    ).fetchall()
    true = brute_force(connection, model, k)
    assert dict(rows) == {i: [o for o in others if o != i] for i, others in true.items()}
    stored = read_vectors(connection, model)
    row, column = np.triu_indices(len(stored.ids), 1)
    similarity = stored.cosines(row, column)
    kept = similarity >= threshold
    expected = zip(stored.ids[row[kept]], stored.ids[column[kept]], similarity[kept], strict=True)
    found = connection.execute(
        "select image_id, other_id, similarity from imgsim.pair where similarity >= %s",
        [threshold],
    ).fetchall()
    assert sorted(found) == sorted((int(a), int(b), float(s)) for a, b, s in expected)


def replace_content(
    connection: Connection, model: models.Model, ids: list[int], vectors: Vectors
) -> None:
    """New vectors for images, as an ingest of changed files stores them."""
    with connection.transaction():
        connection.execute(
            sql.SQL("delete from imgsim.{} where image_id = any(%s)").format(
                sql.Identifier(model.embedding_table)
            ),
            [ids],
        )
        stored_lists.forget_lists_of(connection, ids)
        pairs.forget_pairs_of(connection, ids)
        connection.execute(
            "update imgsim.model set revision = revision + 1, last_removal = revision + 1"
        )
        put(connection, model, ids, vectors)


@pytest.mark.parametrize("seed", range(6))
def test_any_course_of_changes_and_interruptions_leads_where_a_fresh_start_does(
    connection: Connection, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pool = clustered(400, 16, seed)
    model = store(connection, "m", pool[:3])
    present, coming = [1, 2, 3], 4
    k, threshold = K, THRESHOLD
    for _ in range(14):
        match rng.choice(["add", "add", "remove", "replace", "longer", "lower", "interrupt"]):
            case "add":
                new = list(range(coming, coming + int(rng.integers(1, 60))))
                coming = new[-1] + 1
                put(connection, model, new, pool[[i % 400 for i in new]])
                present += new
            case "remove" if len(present) > 2:
                gone = rng.choice(present, min(9, len(present) - 2), replace=False).tolist()
                derived.remove(connection, gone)
                present = [i for i in present if i not in gone]
            case "replace":
                ids = rng.choice(present, min(9, len(present)), replace=False).tolist()
                replace_content(connection, model, ids, pool[rng.integers(0, 400, len(ids))])
            case "longer":
                k += 2
            case "lower":
                threshold = round(threshold - 0.02, 2)
            case "interrupt":
                with contextlib.suppress(StoppedError):
                    neighbours.bring_up_to_date(connection, [model], k + 1, after(1))
                with contextlib.suppress(StoppedError):
                    pairs.bring_up_to_date(connection, [model], threshold - 0.01, after(1))
                continue
        neighbours.bring_up_to_date(connection, [model], k)
        pairs.bring_up_to_date(connection, [model], threshold)
        length = stored_lists.state_of(connection, model).k
        assert length
        check(connection, model, length, threshold)


def test_after_an_interruption_only_what_is_left_is_done(connection: Connection) -> None:
    model = store(connection, "m", clustered(100, 16))
    with pytest.raises(StoppedError):
        neighbours.bring_up_to_date(connection, [model], K, after(2))
    assert neighbours.bring_up_to_date(connection, [model], K) == {"m": 40}
    with pytest.raises(StoppedError):
        pairs.bring_up_to_date(connection, [model], THRESHOLD, after(2))
    compared = connection.execute("select count(*) from imgsim.pair_image").fetchone()
    assert compared == (60,)
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    check(connection, model, K, THRESHOLD)


def test_new_images_alone_are_compared_and_enter_the_lists_of_others(
    connection: Connection,
) -> None:
    vectors = clustered(130, 16)
    model = store(connection, "m", vectors[:100])
    neighbours.bring_up_to_date(connection, [model], K)
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    put(connection, model, list(range(101, 131)), vectors[100:])
    told: list[tuple[str, int, int]] = []
    filled = neighbours.bring_up_to_date(
        connection, [model], K, lambda *progress: told.append(progress)
    )
    assert filled == {"m": 30}
    assert told == [("m", 20, 30), ("m", 30, 30)]
    told.clear()
    pairs.bring_up_to_date(connection, [model], THRESHOLD, lambda *p: told.append(p))
    assert told[-1] == ("m", 30 * 100 + 30 * 29 // 2, 30 * 100 + 30 * 29 // 2)
    check(connection, model, K, THRESHOLD)


@pytest.mark.parametrize("work", [neighbours.bring_up_to_date, pairs.bring_up_to_date])
def test_images_removed_or_replaced_while_the_work_goes_on_are_not_left_in_it(
    connection: Connection, settings: Settings, work: Callable[..., object]
) -> None:
    vectors = clustered(120, 16)
    model = store(connection, "m", vectors)
    todo: list[Callable[[Connection], object]] = [
        lambda other: derived.remove(other, [5, 50, 110]),
        lambda other: replace_content(other, model, [7, 60], vectors[[100, 101]]),
    ]

    def meanwhile(what: str, done: int, of: int) -> None:
        if todo:
            with database.connect(settings) as other:
                todo.pop()(other)

    work(connection, [model], K if work is neighbours.bring_up_to_date else THRESHOLD, meanwhile)
    assert not todo
    neighbours.bring_up_to_date(connection, [model], K)
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    check(connection, model, K, THRESHOLD)


def test_of_two_at_once_the_second_waits_and_finds_nothing_to_do(
    connection: Connection, settings: Settings
) -> None:
    model = store(connection, "m", clustered(60, 16))
    answers: list[dict[str, int]] = []

    def second() -> None:
        with database.connect(settings) as other:
            answers.append(neighbours.bring_up_to_date(other, [model], K))

    waiting = threading.Thread(target=second)

    def begin(what: str, done: int, of: int) -> None:
        if not waiting.ident:
            waiting.start()

    assert neighbours.bring_up_to_date(connection, [model], K, begin) == {"m": 60}
    waiting.join()
    assert answers == [{}]


def test_lists_through_the_index_carry_their_recall_and_give_way_to_exact_ones(
    connection: Connection,
) -> None:
    model = store(connection, "m", clustered(300, 32))
    connection.execute("select imgsim.build_embedding_index('m')")
    assert neighbours.bring_up_to_date(connection, [model], K, method="hnsw") == {"m": 300}
    recall = stored_lists.state_of(connection, model).recall
    assert recall is not None
    assert 0.9 < recall <= 1
    assert neighbours.bring_up_to_date(connection, [model], K, method="hnsw") == {}
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    connection.execute("select imgsim.require_neighbours('m', 5)")
    assert "were found through its index: recall" in notices[0]
    assert neighbours.bring_up_to_date(connection, [model], K) == {"m": 300}
    assert neighbours.bring_up_to_date(connection, [model], K, method="hnsw") == {}
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    check(connection, model, K, THRESHOLD)


def test_removing_images_keeps_lists_through_the_index_current(connection: Connection) -> None:
    model = store(connection, "m", clustered(120, 32))
    neighbours.bring_up_to_date(connection, [model], K, method="hnsw")
    derived.remove(connection, [3, 4])
    assert neighbours.bring_up_to_date(connection, [model], K, method="hnsw") == {}
    named = connection.execute(
        "select count(*) from imgsim.neighbour where other_id in (3, 4)"
    ).fetchone()
    assert named == (0,)


def test_too_many_pairs_below_the_stored_threshold_are_taken_out_again(
    connection: Connection,
) -> None:
    model = store(connection, "m", clustered(100, 16))
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    neighbours.bring_up_to_date(connection, [model], K)
    stored = connection.execute("select count(*) from imgsim.pair").fetchone()
    assert stored
    with pytest.raises(pairs.TooManyPairsError):
        pairs.bring_up_to_date(connection, [model], 0.2, at_most=stored[0] + 400)
    check(connection, model, K, THRESHOLD)
    assert pairs.bring_up_to_date(connection, [model], THRESHOLD) == {}


def test_the_recall_kept_with_lists_of_the_index_is_the_share_of_true_neighbours_in_them(
    connection: Connection,
) -> None:
    vectors = np.random.default_rng(3).normal(size=(200, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    model = store(connection, "resnet50", vectors)
    # So few links that the index misses neighbours: the figure has to say so.
    connection.execute(
        "create index embedding_resnet50_hnsw on imgsim.embedding_resnet50 "
        "using hnsw (embedding public.halfvec_cosine_ops) with (m = 2, ef_construction = 4)"
    )
    connection.execute("set enable_seqscan = off")
    neighbours.bring_up_to_date(connection, [model], 10, method="hnsw")
    truth = brute_force(connection, model, 10)
    lists = connection.execute("select image_id, other_ids from imgsim.neighbour_list").fetchall()
    share = sum(len(set(others) & set(truth[image])) for image, others in lists) / 2000
    assert len(lists) == 200
    assert share < 0.95
    assert stored_lists.state_of(connection, model).recall == pytest.approx(share, abs=0.001)
