"""Reads what exports wrote, strictly: graphs by their schemas, packages by Frictionless too."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import frictionless
from lxml import etree

SCHEMAS = Path(__file__).parent / "schemas"
FIELD_TYPES = {"string", "integer", "number", "boolean", "datetime", "object", "any"}


def assert_valid_xml(file: Path) -> None:
    """A GEXF or GraphML file holds to its schema."""
    name = {".gexf": "gexf-1.3.xsd", ".graphml": "graphml.xsd"}[file.suffix]
    etree.XMLSchema(etree.parse(SCHEMAS / name)).assertValid(etree.parse(file))


def read_csv(file: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV file, every value as text."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened, delimiter=delimiter))


def query(statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """What DuckDB answers: the types of the columns, and the rows."""
    answer = duckdb.sql(statement)
    assert answer is not None
    return [str(type_) for type_ in answer.types], answer.fetchall()


def checked_package(folder: Path) -> dict[str, dict[str, Any]]:
    """The resources of `datapackage.json` by path, every rule for them checked."""
    report = frictionless.validate(str(folder / "datapackage.json"))
    assert report.valid, report.flatten(["title", "message"])
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    assert re.fullmatch(r"[a-z0-9._-]+", package["name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", package["created"])
    resources = package["resources"]
    names = [resource["name"] for resource in resources]
    assert len(set(names)) == len(names)
    for resource in resources:
        _check_resource(folder, resource)
    return {resource["path"]: resource for resource in resources}


def _check_resource(folder: Path, resource: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z0-9._-]+", resource["name"])
    file = folder / resource["path"]
    data = file.read_bytes()
    assert resource.get("bytes") == (None if file.suffix == ".parquet" else len(data))
    assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert resource["format"] == file.suffix[1:]
    assert resource["imgsim"]["version"]
    tabular = file.suffix in (".csv", ".tsv")
    assert resource["profile"] == ("tabular-data-resource" if tabular else "data-resource")
    if tabular:
        _check_table(file, resource)


def _check_table(file: Path, resource: dict[str, Any]) -> None:
    schema = resource["schema"]
    assert schema["missingValues"] == ["", "NA"]
    fields = {field["name"]: field for field in schema["fields"]}
    assert {field["type"] for field in fields.values()} <= FIELD_TYPES
    rows = read_csv(file, resource.get("dialect", {}).get("delimiter", ","))
    assert len(rows) == resource["rows"]
    key = schema.get("primaryKey", [])
    assert set(key) <= set(fields)
    if key:
        assert len({tuple(row[column] for column in key) for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == list(fields)
        for name, text in row.items():
            _check_value(fields[name], text)


def _check_value(field: dict[str, Any], text: str) -> None:
    if text in ("", "NA"):
        assert not field.get("constraints", {}).get("required"), field
    elif field["type"] == "integer":
        int(text)
    elif field["type"] == "number":
        float(text)
    elif field["type"] == "boolean":
        assert text in ("true", "false")
    elif field["type"] == "object":
        json.loads(text)
