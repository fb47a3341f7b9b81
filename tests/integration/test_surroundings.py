"""What surrounds a command, on a server of others, changes no answer or is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from imgsim.api import Store
from imgsim.database import connection as database
from imgsim.database import session
from imgsim.database.connection import Connection
from imgsim.settings import Settings
from tests import tiny
from tests.conftest import Answer
from tests.reuse import judge, verify

Imgsim = Callable[..., Answer]
HIJACK = """
create schema evil;
create function evil.array_to_string(text[], text) returns text
    language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
create function evil.unnest(bigint[]) returns setof bigint
    language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
create function evil.unnest(text[]) returns setof text
    language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
create function evil.cardinality(bigint[]) returns integer
    language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
create function evil.divided(double precision, integer) returns double precision
    language plpgsql as $$ begin raise exception 'called in place of another'; end $$;
create operator evil./ (
    leftarg = double precision, rightarg = integer, function = evil.divided);
create table evil.image (nothing text);
"""
SETTINGS = {
    "PGDATESTYLE": "German, DMY",
    "PGGEQO": "off",
    "PGCLIENTENCODING": "LATIN1",
    "PGOPTIONS": (
        "-c search_path=evil,public -c extra_float_digits=-10 -c intervalstyle=iso_8601 "
        "-c bytea_output=escape -c array_nulls=off -c transform_null_equals=on "
        "-c client_min_messages=error -c join_collapse_limit=1 -c from_collapse_limit=1 "
        "-c default_transaction_isolation=serializable -c enable_hashjoin=off"
    ),
}


@pytest.fixture
def filled(connection: Connection, imgsim: Imgsim) -> Connection:
    """A tiny store with books, evidence, verdicts and groups, and somebody's schema beside it."""
    tiny.fill(connection)
    connection.execute(HIJACK.encode())
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, ecco_full_title, publication_year, extra) "
        "values ('0000000001', '書 and é', 1752, '{\"printer\": null}')"
    )
    for image, other in ((1, 2), (2, 3), (4, 7)):
        verify(connection, image, other, 0.987654321)
    judge(connection, 1, 2, "same block")
    assert imgsim("group").code == 0
    return connection


def answers(imgsim: Imgsim, folder: Path) -> list[str]:
    """What commands answer, and what they write."""
    folder.mkdir()
    texts = []
    for command in (
        ("similar", tiny.NAME, "-k", "4", "--model", "resnet18", "--format", "json"),
        ("similar", tiny.NAME, "--threshold", "0.2", "--format", "json"),
        ("report", "overlap", "--format", "csv"),
        ("report", "documents", "--format", "csv"),
        ("report", "neighbours", "-k", "4", "--format", "csv"),
        ("report", "evidence", "--format", "json"),
        ("report", "groups", "--format", "json"),
        ("report", "reuse", "--format", "json"),
        ("report", "verdicts", "--format", "json"),
        ("report", "calibration", "--format", "csv"),
        ("model", "list", "--format", "csv"),
    ):
        answer = imgsim(*command)
        assert answer.code == 0, (command, answer.err)
        texts.append(answer.out)
    for kind in ("neighbours", "pairs", "group-members", "verdicts", "documents"):
        answer = imgsim("export", kind, "-o", folder)
        assert answer.code == 0, (kind, answer.err)
        texts.append((folder / f"{kind}.csv").read_text("utf-8"))
    return texts


def test_settings_and_names_of_others_change_no_answer(
    imgsim: Imgsim, filled: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(imgsim, tmp_path / "first")  # fills lists and pairs
    expected = answers(imgsim, tmp_path / "plain")
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    assert answers(imgsim, tmp_path / "set") == expected


def test_tables_are_loaded_and_linked_whatever_the_path_is(
    imgsim: Imgsim, filled: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "books.csv").write_text("ecco_id,ecco_full_title\n0000000002,A Book\n")
    (tmp_path / "links.csv").write_text("image,ecco_id\nimage 2,0000000002\n")
    (tmp_path / "captions.csv").write_text("image,caption\nimage 2,a rose\n")
    columns = ("--file-column", "image", "--ecco-id-column", "ecco_id")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=evil,public")
    for command in (
        ("metadata", "load", tmp_path / "books.csv"),
        ("metadata", "link", tmp_path / "links.csv", *columns),
        ("table", "load", tmp_path / "captions.csv", "--name", "captions", "--key", "image"),
        ("verdict", "image 3", "image 4", "copy", "--by", "Mary"),
        ("remove", "/scans/5", "--yes"),
        ("neighbours", "-k", "5"),
        ("group",),
        ("doctor",),
    ):
        answer = imgsim(*command)
        assert answer.code == 0, (command, answer.err, answer.out)
    row = filled.execute("select ecco_id from imgsim.image where name = 'image 2'").fetchone()
    assert row == ("0000000002",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGTZ", "nonsense"),
        ("PGDATESTYLE", "nonsense"),
        ("PGGEQO", "nonsense"),
        ("PGOPTIONS", "-c nonsense=1"),
        ("PGOPTIONS", "--nonsense"),
        ("PGOPTIONS", "-c work_mem=nonsense"),
    ],
)
def test_a_setting_of_the_environment_that_the_server_refuses_is_named(
    imgsim: Imgsim, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    answer = imgsim("similar", "x")
    assert answer.code == 1
    assert "nonsense" in answer.err
    assert f"unset or mend {name}={value}" in " ".join(answer.err.split())


def test_a_setting_that_the_embedded_server_refuses_is_named_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGTZ", "nonsense")
    refused = 'connection failed: FATAL:  invalid value for parameter "TimeZone": "nonsense"'
    said = database.translate(psycopg.OperationalError(refused))
    assert said.hint.startswith("unset or mend PGTZ=nonsense")


def test_a_time_zone_moves_no_moment(
    imgsim: Imgsim, filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moments() -> list[str]:
        rows = json.loads(imgsim("report", "verdicts", "--format", "json").out)
        return [row["at"] for row in rows]

    (expected,) = moments()
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    (moved,) = moments()
    row = filled.execute("select %s::timestamptz = %s", [moved, expected]).fetchone()
    assert row == (True,)


def test_a_statement_that_takes_too_long_for_the_role_is_told_as_that(
    filled: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.execute(
        "create function public.slow() returns integer language sql volatile "
        "as 'select 1 from pg_catalog.pg_sleep(5)'"
    )
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=50")
    with database.connect(settings) as opened:
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            opened.execute("select public.slow()")
        said = database.translate(caught.value)
    assert "statement timeout" in str(said)
    assert "raise statement_timeout" in said.hint


def test_imgsims_statements_have_a_path_of_their_own_and_the_callers_have_theirs(
    filled: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=evil,public")
    with Store(settings) as opened:
        path = "select pg_catalog.current_setting('search_path')"
        fixed = session.SETTINGS["search_path"]
        assert opened.connection.execute(path).fetchone() == (fixed,)
        assert opened.sql(path).to_numpy().tolist() == [["evil,public"]]
        assert list(opened.sql("select * from image").columns) == ["nothing"]
        opened.sql("set search_path to imgsim, public")
        assert len(opened.sql("select * from image")) == 12
        assert len(opened.sql("select '[1,2]'::halfvec <=> '[2,1]'::halfvec as d")) == 1
        with pytest.raises(psycopg.errors.UndefinedTable):
            opened.sql("select * from nothing_of_that_name")
        assert opened.connection.execute(path).fetchone() == (fixed,)
        assert len(opened.similar(tiny.NAME, k=3)) == 3
