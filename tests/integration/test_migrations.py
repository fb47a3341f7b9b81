"""Migrations: once, in order, together with their row; sql/ again whenever its text changes."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from imgsim.database import connection as database
from imgsim.database import definitions, embedded, migrations
from imgsim.database.connection import Connection
from imgsim.database.migrations import SqlFile
from imgsim.errors import MigrationError
from imgsim.settings import ExternalServer, Settings
from tests import tiny

DEFINITION = re.compile(r"create or replace (?:function|view) imgsim\.(\w+)")

_numbers = itertools.count(1)


@pytest.fixture
def empty(server: embedded.Server) -> Iterator[Settings]:
    """A database with nothing in it, not even the schema."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        yield Settings(ExternalServer(server.conninfo(name), "the tests"))
        admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def bare(empty: Settings) -> Iterator[Connection]:
    with database.open_connection(empty) as opened:
        yield opened


def add(monkeypatch: pytest.MonkeyPatch, text: str, name: str = "9000_of_the_test.sql") -> str:
    """Put a migration after the released ones; its name."""
    file = SqlFile(f"migrations/{name}", text)
    files = [*migrations.migration_files(), file]
    monkeypatch.setattr(migrations, "migration_files", lambda: files)
    return file.name


def ledger(opened: Connection) -> dict[str, str]:
    return dict(opened.execute("select name, checksum from imgsim.migration").fetchall())


def exists(opened: Connection, name: str) -> bool:
    row = opened.execute("select to_regclass(%s) is not null", [name]).fetchone()
    assert row is not None
    return bool(row[0])


def test_a_new_database_gets_every_file_in_order_and_a_second_time_nothing(
    bare: Connection,
) -> None:
    expected = [
        *(file.name for file in migrations.migration_files()),
        *(file.name for file in migrations.repeatable_files()),
    ]
    assert migrations.apply(bare) == expected
    assert set(ledger(bare)) == set(expected)
    assert migrations.apply(bare) == []


def test_migrations_are_numbered_without_gaps_or_doubles() -> None:
    numbers = [file.name.split("/")[1][:5] for file in migrations.migration_files()]
    assert numbers == [f"{number:04}_" for number in range(1, len(numbers) + 1)]


def test_eight_first_connections_at_once_apply_each_file_once(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add(monkeypatch, "create table imgsim.once (); select pg_sleep(0.2);")
    together = threading.Barrier(8)

    def first() -> list[str]:
        with database.open_connection(empty) as opened:
            together.wait()
            return migrations.apply(opened)

    with ThreadPoolExecutor(8) as pool:
        applied = [pool.submit(first) for _ in range(8)]
        names = [name for future in applied for name in future.result()]
    assert name in names
    assert len(names) == len(set(names))


def test_a_released_migration_whose_text_was_changed_is_an_error(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = migrations.migration_files()
    edited = replace(first, text=first.text + "-- a second thought\n")
    monkeypatch.setattr(migrations, "migration_files", lambda: [edited, *others])
    with pytest.raises(MigrationError, match=f"{first.name} was applied .* another text") as caught:
        migrations.apply(connection)
    assert "add a new one" in caught.value.hint


def test_a_database_that_a_newer_version_has_migrated_is_an_error(
    connection: Connection, settings: Settings
) -> None:
    connection.execute(
        "insert into imgsim.migration values ('migrations/9999_x.sql', 'checksum', '9.9')"
    )
    with pytest.raises(MigrationError, match=r"newer imgsim: migrations/9999_x\.sql") as caught:
        database.connect(settings)
    assert "upgrade" in caught.value.hint


def test_a_definition_whose_text_was_changed_is_applied_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ledger(connection)
    files = migrations.repeatable_files()
    changed = replace(
        files[-1], text="create or replace function imgsim.new() returns int return 7;"
    )
    monkeypatch.setattr(migrations, "repeatable_files", lambda: [*files[:-1], changed])
    assert changed.name in migrations.apply(connection)
    assert ledger(connection)[changed.name] != before[changed.name]
    assert connection.execute("select imgsim.new()").fetchone() == (7,)
    assert migrations.apply(connection) == []


def test_what_a_newer_version_has_defined_stays_and_is_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute(
        """
        update imgsim.migration
        set imgsim_version = '99.1.0', checksum = 'of a newer text'
        where name = 'sql/wilson.sql'
        """
    )
    connection.execute("insert into imgsim.migration values ('sql/later.sql', 'x', '99.1.0')")
    connection.execute("create view imgsim.later as select 1 as one")
    before = ledger(connection)
    monkeypatch.setattr(definitions, "__version__", "99.0.12")
    assert migrations.apply(connection) == []
    assert ledger(connection) == before
    assert exists(connection, "imgsim.later")
    assert "those of imgsim 99.1.0, newer than" in caplog.text


def test_what_is_no_longer_defined_is_dropped_but_not_what_a_users_view_is_built_on(
    connection: Connection,
) -> None:
    for name in ("once", "used"):
        connection.execute(f"create view imgsim.{name} as select 1 as one".encode())
        connection.execute(
            f"insert into imgsim.migration values ('sql/{name}.sql', 'x', '0.0.1')".encode()
        )
    connection.execute("create function imgsim.once() returns integer return 1")
    connection.execute("create view public.mine as select * from imgsim.used")
    migrations.apply(connection)
    assert not exists(connection, "imgsim.once")
    assert exists(connection, "imgsim.used")
    gone = connection.execute("select count(*) from pg_proc where proname = 'once'").fetchone()
    assert gone == (0,)
    assert not {"sql/once.sql", "sql/used.sql"} & set(ledger(connection))


def test_a_failing_migration_is_named_and_leaves_nothing_of_itself(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ledger(connection)
    name = add(monkeypatch, "create table imgsim.half (); select 1 / 0;")
    with pytest.raises(MigrationError, match=f"cannot apply {name}: division by zero"):
        migrations.apply(connection)
    assert not exists(connection, "imgsim.half")
    assert ledger(connection) == before


def test_a_failing_migration_lets_earlier_ones_stand_and_later_ones_wait(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = add(monkeypatch, "create table imgsim.good ();", "9000_good.sql")
    add(monkeypatch, "select 1 / 0", "9001_bad.sql")
    later = add(monkeypatch, "create table imgsim.later ();", "9002_later.sql")
    with pytest.raises(MigrationError, match="9001_bad"):
        migrations.apply(connection)
    assert good in ledger(connection)
    assert later not in ledger(connection)
    assert not exists(connection, "imgsim.later")


def test_a_migration_and_its_row_commit_together(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(monkeypatch, "create table imgsim.alone ();")
    # The row can be refused only after the migration itself has run.
    connection.execute(
        "alter table imgsim.migration add check (name <> 'migrations/9000_of_the_test.sql')"
    )
    with pytest.raises(MigrationError, match="9000_of_the_test"):
        migrations.apply(connection)
    assert not exists(connection, "imgsim.alone")


def test_the_next_runner_gets_the_lock_after_a_failure(
    connection: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        add(patch, "select 1 / 0")
        with pytest.raises(MigrationError):
            migrations.apply(connection)
    name = add(monkeypatch, "create table imgsim.mended ();")
    with database.open_connection(settings) as other:
        other.execute("set lock_timeout = '5s'")
        assert name in migrations.apply(other)


def test_a_migration_may_run_outside_a_transaction(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "-- no-transaction\n"
        "create index concurrently one on imgsim.image (bytes);\n"
        "create index concurrently two on imgsim.image (width);\n"
    )
    name = add(monkeypatch, text)
    assert name in migrations.apply(connection)
    assert exists(connection, "imgsim.one")
    assert exists(connection, "imgsim.two")
    assert migrations.apply(connection) == []


def test_a_failure_outside_a_transaction_says_that_something_was_kept(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add(monkeypatch, "-- no-transaction\ncreate table imgsim.kept ();\nselect 1 / 0;\n")
    with pytest.raises(MigrationError, match="division by zero") as caught:
        migrations.apply(connection)
    assert "before the one that failed were kept" in caught.value.hint
    assert exists(connection, "imgsim.kept")
    assert name not in ledger(connection)


@pytest.mark.parametrize(
    "texts",
    [{"a": "-- needs: b", "b": "-- needs: a"}, {"a": "-- needs: missing"}],
    ids=["cycle", "missing"],
)
def test_needs_that_do_not_resolve_are_an_error(
    texts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [SqlFile(f"sql/{stem}.sql", text) for stem, text in texts.items()]
    monkeypatch.setattr(migrations, "_read", lambda folder: files)
    with pytest.raises(MigrationError, match="do not resolve"):
        migrations.repeatable_files()


def test_a_definition_comes_after_those_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a": "-- needs: b, c", "b": "-- needs: c", "c": ""}
    files = [SqlFile(f"sql/{stem}.sql", text) for stem, text in texts.items()]
    monkeypatch.setattr(migrations, "_read", lambda folder: files)
    assert [file.name for file in migrations.repeatable_files()] == [
        f"sql/{stem}.sql" for stem in "cba"
    ]


def test_a_filled_store_of_0010_keeps_its_pictures_and_drops_lists_of_the_older_index(
    bare: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations.migration_files()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "migration_files", lambda: every[:10])
        patch.setattr(migrations, "repeatable_files", list)
        migrations.apply(bare)
    bare.execute(OLD_STORE.encode())
    migrations.apply(bare)
    places = bare.execute("select path, frame, x, y, width from imgsim.image order by image_id")
    assert places.fetchall() == [("/a.tif", 1, None, None, 10), ("/a.tif", 2, None, None, 20)]
    lists = bare.execute("select model_id from imgsim.neighbour_list order by model_id")
    assert lists.fetchall() == [(1,)]
    states = bare.execute("select model_id from imgsim.neighbour_state order by model_id")
    assert states.fetchall() == [(1,)]
    with pytest.raises(psycopg.errors.UniqueViolation, match="image_place"):
        bare.execute("update imgsim.image set frame = 1")


OLD_STORE = """
    insert into imgsim.image
        (image_id, name, path, frame, frames, sha256, bytes, modified_ns, width, height, mode,
            format)
    values
        (1, 'a#1', '/a.tif', 1, 2, 's', 1, 1, 10, 10, 'L', 'TIFF'),
        (2, 'a#2', '/a.tif', 2, 2, 's', 1, 1, 20, 20, 'L', 'TIFF');
    insert into imgsim.model
        (model_id, name, architecture, dimension, weights, weights_sha256, preprocess,
            embedding_table)
    values
        (1, 'exact', 'a', 8, 'w', 's', 'fit', 'embedding_exact'),
        (2, 'index', 'a', 8, 'w', 's', 'fit', 'embedding_index');
    create table imgsim.embedding_exact (image_id bigint, embedding public.halfvec(8));
    create table imgsim.embedding_index (image_id bigint, embedding public.halfvec(8));
    insert into imgsim.neighbour_state (model_id, k, images, revision, recall)
    values (1, 1, 2, 0, null), (2, 1, 2, 0, 0.99);
    insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
    values (1, 1, '{2}', '{0.5}'), (2, 1, '{2}', '{0.5}');
"""


def opening(file: SqlFile) -> list[str]:
    """The lines of a file's first comment, without the dashes."""
    comment = itertools.takewhile(lambda line: line.startswith("--"), file.text.splitlines())
    return [line[2:] for line in comment]


def examples(file: SqlFile) -> list[str]:
    """The example calls in a file's first comment: its lines indented by three."""
    indented = [line for line in opening(file) if line.startswith("   ")]
    return [call for call in "\n".join(indented).split(";") if call.strip()]


@pytest.mark.parametrize("file", migrations.repeatable_files(), ids=lambda file: file.name)
def test_every_definition_begins_with_a_comment_and_its_examples_run(
    file: SqlFile, connection: Connection
) -> None:
    assert opening(file)
    assert opening(file)[0].strip()
    if not DEFINITION.search(file.text):
        return
    assert examples(file), "an example call in the first comment"
    tiny.fill(connection)
    connection.execute("select imgsim.add_model('convnext_tiny', 'none', 8, 'none', 'none', 'fit')")
    for example in examples(file):
        assert "imgsim." in example
        # The networks of the study stand for imgsim's own two, which the small store does not have.
        connection.execute(re.sub("[-_]print(?=['\\s])", "", example).encode())


def test_every_role_finds_the_types_of_pgvector(settings: Settings) -> None:
    assert isinstance(settings.target, ExternalServer)
    with psycopg.connect(settings.target.conninfo) as opened:
        schema = opened.execute(
            "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'"
        ).fetchone()
        assert schema == ("public",)
        assert opened.execute("show search_path").fetchone() == ('"$user", public',)


def test_every_definition_is_in_the_database(connection: Connection) -> None:
    defined = {
        name for file in migrations.repeatable_files() for name in DEFINITION.findall(file.text)
    }
    there = connection.execute(
        """
        select proname from pg_proc where pronamespace = 'imgsim'::regnamespace
        union
        select viewname from pg_views where schemaname = 'imgsim'
        """
    ).fetchall()
    assert defined
    assert defined <= {row[0] for row in there}


def test_a_function_whose_answer_or_arguments_changed_is_replaced(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [
        migrations.SqlFile(
            file.name,
            file.text.replace(
                "shared integer,\n    images bigint,", "shared integer,\n    images text,"
            )
            .replace("coalesce(c.images, 0),", "coalesce(c.images, 0)::text,")
            .replace("k integer default 4,", "k integer default 4,\n    spare integer default 0,"),
        )
        if file.name == "sql/overlap.sql"
        else file
        for file in migrations.repeatable_files()
    ]
    monkeypatch.setattr(migrations, "repeatable_files", lambda: changed)
    assert "sql/overlap.sql" in migrations.apply(connection)
    rows = connection.execute(
        "select oid::regprocedure::text from pg_proc where proname = 'overlap'"
    ).fetchall()
    assert rows == [("imgsim.overlap(integer,integer,text,text,bigint[])",)]


def test_a_view_whose_columns_changed_is_replaced(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [
        migrations.SqlFile(file.name, file.text.replace("    f.bytes,\n", ""))
        if file.name == "sql/failure.sql"
        else file
        for file in migrations.repeatable_files()
    ]
    monkeypatch.setattr(migrations, "repeatable_files", lambda: changed)
    migrations.apply(connection)
    columns = [c.name for c in connection.execute("select * from imgsim.failure").description or ()]
    assert "bytes" not in columns
    assert "reason" in columns
