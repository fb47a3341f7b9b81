"""What is in sql/ works for every caller, wherever pgvector is, and no one else's names get in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from imgsim.database import comments, embedded, migrations
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.errors import MigrationError
from imgsim.settings import ExternalServer, Settings
from tests import tiny

_numbers = itertools.count(1)


@pytest.fixture
def hosted(server: embedded.Server) -> Iterator[Settings]:
    """A database as some hosts give it: pgvector in a schema `extensions`, off the search path."""
    name = f"hosted_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        settings = Settings(ExternalServer(server.conninfo(name), "the tests"))
        with database.open_connection(settings) as opened:
            opened.execute("create schema extensions")
            opened.execute("create extension vector schema extensions")
        yield settings
        admin.execute(f"drop database {name} with (force)".encode())


def ranks(opened: Connection, k: int = 3) -> list[str]:
    rows = opened.execute(
        "select s.name from imgsim.similar(%s, k => %s, exact => true) s", [tiny.NAME, k]
    ).fetchall()
    return [row[0] for row in rows]


@pytest.fixture
def filled(connection: Connection) -> Connection:
    tiny.fill(connection)
    return connection


def test_pgvector_may_be_in_any_schema(hosted: Settings) -> None:
    with database.connect(hosted) as opened:
        tiny.fill(opened)
        assert len(ranks(opened)) == 3
        row = opened.execute("select embedding from imgsim.embedding_resnet18 limit 1").fetchone()
        assert row is not None
        assert len(row[0].to_list()) > 0


def test_where_pgvector_moves_to_another_schema_the_definitions_follow(hosted: Settings) -> None:
    with database.connect(hosted) as opened:
        tiny.fill(opened)
        before = ranks(opened)
        opened.execute("create schema elsewhere")
        opened.execute("alter extension vector set schema elsewhere")
    with database.connect(hosted) as opened:
        assert ranks(opened) == before


@pytest.mark.parametrize("path", ["imgsim", "", "pg_temp, nowhere", "research, public"])
def test_a_callers_search_path_changes_no_answer(filled: Connection, path: str) -> None:
    expected = ranks(filled)
    filled.execute("select set_config('search_path', %s, false)", [path])
    assert ranks(filled) == expected
    for call in ("overlap(k => 3)", "neighbours(k => 2)", "model_status()", "recall(k => 2)"):
        assert filled.execute(f"select * from imgsim.{call}".encode()).fetchall(), call


def test_a_materialised_view_of_similar_can_be_made_and_refreshed(filled: Connection) -> None:
    filled.execute(
        """
        create materialized view public.nearest_of_all as
        select i.image_id, s.name
        from imgsim.image i
        cross join lateral imgsim.similar(i.image_id, k => 1, exact => true) s
        """
    )
    filled.execute("refresh materialized view public.nearest_of_all")
    assert filled.execute("select count(*) from public.nearest_of_all").fetchone() == (12,)


def test_a_function_of_somebody_else_is_never_called_in_place_of_postgresqls(
    filled: Connection,
) -> None:
    expected = ranks(filled)
    filled.execute(
        """
        create function public.array_to_string(text[], text) returns text language plpgsql as
        $$ begin raise exception 'called in place of another'; end $$;
        create function public.divided(double precision, integer) returns double precision
        language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
        create operator public./ (
            leftarg = double precision, rightarg = integer, function = public.divided)
        """
    )
    assert ranks(filled) == expected
    assert filled.execute("select * from imgsim.neighbours(k => 2)").fetchall()
    assert filled.execute("select imgsim.background(array[1, 2, 3, 4]::float8[])").fetchone()
    assert filled.execute("select imgsim.normalised(1, 0.5, 0.5)").fetchone() == (0.5,)


def test_every_function_was_parsed_when_made_or_has_a_path_or_says_why_it_needs_none(
    connection: Connection,
) -> None:
    """Those without: no polymorphic function or operator, which another's could fit better."""
    without = ["background", "backgrounds", "composed", "file_link", "model_named", "similar"]
    rows = connection.execute(
        """
        select p.proname
        from pg_catalog.pg_proc p
        where p.pronamespace = 'imgsim'::regnamespace
            and p.prosqlbody is null
            and p.proconfig is distinct from array['search_path=pg_catalog, pg_temp']
        order by 1
        """
    ).fetchall()
    assert [row[0] for row in rows] == without


def test_a_role_that_may_not_create_schemas_uses_those_an_administrator_made(
    hosted: Settings, server: embedded.Server
) -> None:
    with database.open_connection(hosted) as admin:
        name, role = admin.info.dbname, f"tenant_of_{admin.info.dbname}"
        admin.execute(f"create role {role} login".encode())
        admin.execute(f"grant usage on schema extensions to {role}".encode())
        for schema in ("imgsim", "research"):
            admin.execute(f"create schema {schema}".encode())
            admin.execute(f"grant usage, create on schema {schema} to {role}".encode())
    tenant = make_conninfo(server.conninfo(name), user=role)
    with database.connect(Settings(ExternalServer(tenant, "the tests"))) as opened:
        tiny.fill(opened)
        assert len(ranks(opened)) == 3


def test_a_role_that_may_not_install_pgvector_is_told_who_can(server: embedded.Server) -> None:
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute("create role guest login")
        admin.execute("create database without_pgvector")
        try:
            with psycopg.connect(server.conninfo("without_pgvector"), autocommit=True) as opened:
                opened.execute("create schema imgsim authorization guest")
            guest = make_conninfo(server.conninfo("without_pgvector"), user="guest")
            with pytest.raises(MigrationError, match="lacks the right") as caught:
                database.connect(Settings(ExternalServer(guest, "the tests")))
            assert "administrator" in caught.value.hint
            assert "create extension vector" in caught.value.hint
        finally:
            admin.execute("drop database without_pgvector with (force)")
            admin.execute("drop role guest")


def test_a_closed_schema_of_pgvector_is_named_with_the_grant_that_opens_it(
    hosted: Settings, server: embedded.Server
) -> None:
    with database.open_connection(hosted) as admin:
        name, role = admin.info.dbname, f"closed_out_of_{admin.info.dbname}"
        admin.execute(f"create role {role} login".encode())
        admin.execute(f"create schema imgsim authorization {role}".encode())
    tenant = make_conninfo(server.conninfo(name), user=role)
    with pytest.raises(MigrationError, match="schema extensions is closed") as caught:
        database.connect(Settings(ExternalServer(tenant, "the tests")))
    assert f"grant usage on schema extensions to {role}" in caught.value.hint


def test_a_view_of_ones_own_in_the_way_of_an_upgrade_is_named_and_nothing_changes(
    filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.execute("create view public.mine as select * from imgsim.overlap(k => 3)")
    files = migrations.repeatable_files()
    changed = [
        replace(file, text=file.text.replace("percent numeric", "percent float8"))
        if file.name == "sql/overlap.sql"
        else file
        for file in files
    ]
    monkeypatch.setattr(migrations, "repeatable_files", lambda: changed)
    with pytest.raises(MigrationError, match=r"view of your own uses \(public\.mine\)") as caught:
        migrations.apply(filled)
    assert "imgsim db migrate" in caught.value.hint
    assert filled.execute("select count(*) from public.mine").fetchone() == (4,)
    filled.execute("drop view public.mine")
    assert "sql/overlap.sql" in migrations.apply(filled)


def test_every_table_view_and_function_has_a_comment(connection: Connection) -> None:
    rows = connection.execute(
        """
        select c.relname::text
        from pg_catalog.pg_class c
        where c.relnamespace = 'imgsim'::regnamespace
            and c.relkind in ('r', 'p', 'v')
            and obj_description(c.oid, 'pg_class') is null
        union all
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc p
        where p.pronamespace = 'imgsim'::regnamespace
            and obj_description(p.oid, 'pg_proc') is null
        """
    ).fetchall()
    assert rows == []


WITHOUT_COMMENT = """
select format('%s.%s', a.attrelid::regclass, a.attname)
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'imgsim'::regnamespace
    and c.relkind in ('r', 'p', 'v')
    and a.attnum > 0
    and not a.attisdropped
    and col_description(c.oid, a.attnum) is null
order by 1
"""


def test_every_column_of_every_table_and_view_has_a_comment(filled: Connection) -> None:
    columns = (
        "select count(*) from pg_attribute a, pg_class c where c.oid = attrelid and attnum > 0"
    )
    count = filled.execute(
        f"{columns} and c.relnamespace = 'imgsim'::regnamespace and relkind in ('r', 'v')".encode()
    ).fetchone()
    assert count is not None
    assert count[0] > 400
    assert filled.execute(WITHOUT_COMMENT).fetchall() == []


def test_comments_that_were_lost_come_back_with_the_definitions(filled: Connection) -> None:
    for relation in ("image", "embedding_resnet50", "neighbour_ecco"):
        filled.execute(f"comment on column imgsim.{relation}.image_id is null".encode())
    filled.execute("delete from imgsim.migration where name = 'sql/overlap.sql'")
    migrations.apply(filled)
    assert filled.execute(WITHOUT_COMMENT).fetchall() == []


def test_a_column_of_a_view_says_what_its_file_says_or_what_it_has_where_it_comes_from(
    connection: Connection,
) -> None:
    told: dict[str, str] = dict(
        connection.execute(
            """
            select format('imgsim.%s.%s', c.relname, a.attname), col_description(c.oid, a.attnum)
            from pg_catalog.pg_class c
            join pg_catalog.pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'imgsim'::regnamespace
            """
        ).fetchall()
    )
    assert told["imgsim.reuse_decade.images"] == "How many pictures appeared again"
    assert told["imgsim.neighbour_ecco.name"] == told["imgsim.image.name"]
    assert told["imgsim.neighbour_ecco.model"] == told["imgsim.model.name"]
    assert told["imgsim.pair_ecco.other_publication_year"] == (
        "Of the other: the year of publication"
    )
    assert told["imgsim.pair_ecco.other_ecco_id"] == (
        "Of the other: ECCO document, ten digits, text"
    )


def test_a_comment_on_a_column_that_a_view_does_not_select_is_an_error(
    connection: Connection,
) -> None:
    text = """
create or replace view imgsim.failure as
select
    f.path,
    f.frame as page -- which page
from imgsim.ingest_failure f;
"""
    with pytest.raises(MigrationError, match=r"sql/failure\.sql comments a column .*: page"):
        comments.comment_columns(connection, [text])
