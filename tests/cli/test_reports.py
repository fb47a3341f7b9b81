"""Reports come in every format, on the screen and in files, and say the same in each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from imgsim.cli.columns import BY_WORTH
from imgsim.database.connection import Connection
from imgsim.reports import REPORTS
from imgsim.reuse import groups, verdicts
from tests.conftest import Answer
from tests.reuse import verify
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _filled(connection: Connection) -> None:
    """Two models over 90 images in seven books, one of them described, and a failure."""
    store(connection, "resnet18", clustered(90, 32))
    store(connection, "resnet50", clustered(90, 64))
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, ecco_full_title, publication_year, "
        "publication_place) values ('0000000001', 'Herbs | and roots', 1752, 'London')"
    )
    connection.execute(
        "insert into imgsim.ingest_failure (path, stage, reason) values ('/a b', 'read', 'empty')"
    )
    for other in (8, 15, 16):
        verify(connection, 1, other, 0.95)
    groups.build(connection)
    verdicts.record(connection, "1", "3", "copy", by="Ann")


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_report_says_the_same_in_every_format(
    imgsim: Imgsim, name: str, tmp_path: Path
) -> None:
    shown = imgsim("report", name)
    assert shown.code == 0, shown.err
    text = imgsim("report", name, "--format", "csv").out
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) > 1
    records = json.loads(imgsim("report", name, "--format", "json").out)
    assert [list(record) for record in records] == [rows[0]] * (len(rows) - 1)
    markdown = imgsim("report", name, "--format", "markdown").out.splitlines()
    assert len(markdown) == len(rows) + 1
    assert imgsim("report", name, "--output", tmp_path / "answer.csv").code == 0
    assert imgsim("report", name, "--output", tmp_path / "answer.parquet").code == 0
    if name != "recall":  # whose milliseconds differ each time
        assert (tmp_path / "answer.csv").read_text("utf-8") == text
    frame = pandas.read_parquet(tmp_path / "answer.parquet")
    assert list(frame.columns) == rows[0]
    assert len(frame) == len(rows) - 1
    for column in frame.columns:
        if column.endswith("ecco_id"):
            assert frame[column].dropna().str.fullmatch(r"\d{10}").all()


def test_files_are_not_overwritten_unasked_and_odd_endings_are_told(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    target = tmp_path / "overlap.md"
    assert imgsim("report", "overlap", "-o", target).code == 0
    again = imgsim("report", "overlap", "-o", target)
    assert again.code == 1
    assert "already exists" in again.err
    assert imgsim("report", "overlap", "-o", target, "--force").code == 0
    assert "cannot tell the format" in imgsim("report", "overlap", "-o", tmp_path / "a.xyz").err
    assert (
        "does not exist" in imgsim("report", "overlap", "-o", tmp_path / "no" / "no" / "a.csv").err
    )
    assert "give --output" in imgsim("report", "overlap", "--format", "parquet").err


def test_a_bar_in_a_title_does_not_break_a_markdown_table(imgsim: Imgsim) -> None:
    out = imgsim("report", "documents", "--threshold", "0.5", "--format", "markdown").out
    assert "Herbs \\| and roots" in out


def test_where_counts_a_subset(imgsim: Imgsim) -> None:
    def total(*conditions: str) -> int:
        where = [part for condition in conditions for part in ("--where", condition)]
        answer = imgsim("report", "overlap", "--format", "json", *where)
        assert answer.code == 0, answer.err
        return sum(row["images"] for row in json.loads(answer.out))

    assert total() == 90
    assert total("publication_year=1752") == 13
    assert total("publication_place = London", "image_id<=10") == 2
    assert total("ecco_id=0000000002") == 13
    assert total("name~^image 1.$") == 10
    for condition in ("nonsense", "sha256=1", "publication_year=soon"):
        assert imgsim("report", "overlap", "--where", condition).code == 1
    assert "no image meets" in imgsim("report", "overlap", "--where", "ecco_id=9").err


def test_neighbour_filters_are_passed_on(imgsim: Imgsim) -> None:
    out = imgsim(
        *("report", "neighbours", "-k", "3", "--other-documents-only", "--exact"),
        *("--format", "csv"),
    ).out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 270
    assert all(row["ecco_id"] != row["other_ecco_id"] for row in rows)
    out = imgsim("report", "neighbours", "--threshold", "0.9", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows
    assert all(float(row["similarity"]) >= 0.9 for row in rows)
    assert {(r["image_id"], r["other_id"]) for r in rows} == {
        (r["other_id"], r["image_id"]) for r in rows
    }


def test_an_empty_store_has_empty_reports_or_says_what_is_missing(
    imgsim: Imgsim, connection: Connection
) -> None:
    for model in ("resnet18", "resnet50"):
        connection.execute("select imgsim.remove_model(%s)", [model])
    connection.execute("delete from imgsim.verdict")
    connection.execute("delete from imgsim.image")
    for name in sorted(REPORTS):
        answer = imgsim("report", name)
        assert answer.code in (0, 1)
        assert "fault in imgsim" not in answer.err, name


def test_columns_are_chosen_on_the_line_or_in_the_settings_for_the_screen(
    imgsim: Imgsim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def headed(*arguments: object) -> list[str]:
        answer = imgsim("report", "groups", "--format", "csv", *arguments)
        assert answer.code == 0, answer.err
        return answer.out.splitlines()[0].split(",")

    every = headed()
    assert headed("--columns", "images,group id, first_year") == [
        "images",
        "group_id",
        "first_year",
    ]
    settings = tmp_path / "config.toml"
    monkeypatch.setenv("IMGSIM_CONFIG", str(settings))
    settings.write_text('[columns]\ngroups = ["span", "images"]\n')
    assert headed() == every
    seen = imgsim("report", "groups").out.split()
    assert seen[:2] == ["span", "images"]
    assert "group" not in seen
    assert imgsim("report", "groups", "--columns", "books").out.split()[0] == "books"
    settings.write_text('\n[columns]\ngroups = ["spam"]\nbocks = ["title"]\n')
    answer = imgsim("report", "groups")
    assert answer.code == 1
    assert f"cannot use {settings}, line 3: the report groups has no column 'spam'" in answer.err
    assert "it has: group_id, images" in answer.err
    assert "line 4: there is no report 'bocks'" in imgsim("doctor").out


def test_a_column_is_called_as_it_is_headed_too(imgsim: Imgsim) -> None:
    answer = imgsim("report", "documents", "--columns", "Year,title", "--format", "csv")
    assert answer.out.splitlines()[0] == "publication_year,ecco_full_title"
    answer = imgsim("report", "documents", "--columns", "printer", "--output", "x.csv")
    assert answer.code == 1
    assert "error: the report documents has no column 'printer'" in answer.err


def test_a_screen_has_the_first_rows_and_says_of_how_many_and_a_file_has_all(
    imgsim: Imgsim,
) -> None:
    names = ("report", "neighbours", "-k", "1", "--columns", "name")
    answer = imgsim(*names)
    assert answer.out.count("image ") == 20
    assert "20 of 90; --limit 0 for all\n" in answer.err
    whole = imgsim(*names, "--limit", 0)
    assert whole.out.count("image ") == 90
    assert "--limit" not in whole.err
    assert len(imgsim(*names, "--format", "csv").out.splitlines()) == 91
    few = imgsim(*names, "--format", "csv", "--limit", 3)
    assert len(few.out.splitlines()) == 4
    assert "3 of 90; --limit 0 for all" in few.err


def test_what_answers_the_question_stands_first_on_a_screen_of_80_columns(
    imgsim: Imgsim,
) -> None:
    for name, columns in BY_WORTH.items():
        there = imgsim("report", name, "--format", "csv").out.splitlines()[0].split(",")
        assert set(columns) <= set(there), name
    shown = imgsim("report", "neighbours", "--limit", 1).out
    assert shown.index("similarity") < shown.index("other name") < shown.index("image id")


def test_in_a_pipe_a_table_is_whole_or_as_wide_as_columns_says(
    imgsim: Imgsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = imgsim("report", "groups").out
    assert "not shown, for lack of width" not in whole
    monkeypatch.setenv("COLUMNS", "80")
    narrow = imgsim("report", "groups").out
    assert "not shown, for lack of width" in narrow
    table = narrow[: narrow.index("(not shown")]
    assert max(map(len, table.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "wide")
    assert imgsim("report", "groups").out == whole
