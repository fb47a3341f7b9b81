"""Building the HNSW index: progress, memory, and what may be in its way."""

from __future__ import annotations

import pytest

from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.similarity import index
from tests.vectors import clustered, store


@pytest.fixture
def model(connection: Connection) -> models.Model:
    """3,000 vectors of 512 dimensions, without an index."""
    return store(connection, "resnet50", clustered(3000, 512))


def state(connection: Connection) -> object:
    row = connection.execute("select imgsim.embedding_index('resnet50')").fetchone()
    assert row is not None
    return row[0]


def test_a_build_tells_how_far_it_is_and_that_it_is_done(
    connection: Connection, model: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "LOOK_SECONDS", 0.05)
    connection.execute("set max_parallel_maintenance_workers = 0")
    told: list[tuple[str, int, int]] = []
    assert index.build(connection, model, lambda *seen: told.append(seen))
    assert state(connection) == "valid"
    assert told[-1] == ("resnet50", 3000, 3000)
    assert len(told) > 1
    assert {seen[2] for seen in told} == {3000}
    assert [seen[1] for seen in told] == sorted(seen[1] for seen in told)
    told.clear()
    assert not index.build(connection, model, lambda *seen: told.append(seen))
    assert told == []


def test_an_unfinished_index_is_built_again(connection: Connection, model: models.Model) -> None:
    assert index.build(connection, model)
    connection.execute(
        "update pg_catalog.pg_index set indisvalid = false "
        "where indexrelid = 'imgsim.embedding_resnet50_hnsw'::regclass"
    )
    assert state(connection) == "invalid"
    assert index.build(connection, model)
    assert state(connection) == "valid"


@pytest.mark.parametrize("dimension", [64, 512, 2048])
def test_the_graph_fits_the_memory_that_is_set_for_it(
    connection: Connection, dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "LEAST_MEMORY", 0)
    model = store(connection, "resnet50", clustered(1500, dimension))
    notices: list[str | None] = []
    connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    assert index.build(connection, model)
    assert notices == []


def test_no_more_memory_is_set_than_the_server_is_given(connection: Connection) -> None:
    row = connection.execute(
        "select pg_size_bytes(current_setting('shared_buffers')), "
        "pg_size_bytes(current_setting('maintenance_work_mem'))"
    ).fetchone()
    assert row is not None
    assert index.memory_for(connection, 10**9, 4000) == max(row)


def test_the_settings_of_the_session_are_as_before(
    connection: Connection, model: models.Model
) -> None:
    connection.execute("set maintenance_work_mem = '77MB'")
    index.build(connection, model)
    assert connection.execute("show maintenance_work_mem").fetchone() == ("77MB",)


def test_where_shared_memory_is_too_small_one_process_builds(
    connection: Connection, model: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.execute("show dynamic_shared_memory_type").fetchone() != ("posix",):
        pytest.skip("shared memory is kept in files here, and would fill the disk")
    connection.execute("set min_parallel_table_scan_size = 0")
    connection.execute("set max_parallel_maintenance_workers = 1")
    monkeypatch.setattr(index, "memory_for", lambda *_: 1 << 40)
    assert index.build(connection, model)
    assert state(connection) == "valid"
