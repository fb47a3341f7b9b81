"""Frictionless Data Package descriptors: what the files of an export are, and where from.

https://specs.frictionlessdata.io/data-package/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsim.errors import ImgsimError
from imgsim.formats.columns import Column

NAME = "datapackage.json"
MISSING_VALUES = ("", "NA")
MEDIA_TYPES = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/vnd.apache.parquet",
    "gexf": "application/gexf+xml",
    "graphml": "application/graphml+xml",
    "npy": "application/x-npy",
}


@dataclass(frozen=True)
class Resource:
    """A finished file to describe. `columns` is empty for what is no table; `key` its primary key;
    `about` what imgsim says of its making.
    """

    file: Path
    title: str
    columns: Sequence[Column]
    rows: int
    key: Sequence[str]
    about: Mapping[str, object]


def describe(resources: Sequence[Resource], folder: Path, created: str) -> str:
    """Returns the text of `datapackage.json`: the resources, after those that `folder` has already.

    Raises:
        ImgsimError: the descriptor there was not written by imgsim, and would be lost.
    """
    new = [_resource(resource) for resource in resources]
    paths = {resource["path"] for resource in new}
    kept = [
        old
        for old in _described(folder / NAME)
        # A file that was deleted since must not stay described.
        if old.get("path") not in paths and (folder / str(old.get("path"))).is_file()
    ]
    names = {old.get("name") for old in kept}
    for resource in new:
        if resource["name"] in names:
            resource["name"] = f"{resource['name']}-{resource['format']}"
    package = {
        "profile": "data-package",
        "name": "imgsim-export",
        "title": "Printed illustrations and their likeness, exported from imgsim",
        "created": created,
        "resources": kept + new,
    }
    return json.dumps(package, ensure_ascii=False, indent=2) + "\n"


def _described(file: Path) -> list[dict[str, object]]:
    if not file.exists():
        return []
    try:
        package = json.loads(file.read_text("utf-8"))
    except ValueError:
        package = None
    if not isinstance(package, dict) or package.get("name") != "imgsim-export":
        raise ImgsimError(
            f"{file} exists already, and imgsim did not write it", "give another --output"
        )
    return [resource for resource in package["resources"] if isinstance(resource, dict)]


def _resource(resource: Resource) -> dict[str, object]:
    file = resource.file
    ending = file.suffix[1:]
    delimited = ending in ("csv", "tsv")
    described: dict[str, object] = {
        "profile": "tabular-data-resource" if delimited else "data-resource",
        "name": file.stem.lower() if _is_slug(file.stem.lower()) else f"resource-{ending}",
        "path": file.name,
        "title": resource.title,
        "format": ending,
        "mediatype": MEDIA_TYPES[ending],
        "hash": f"sha256:{_digest(file)}",
    }
    # Frictionless cannot count a Parquet file's bytes, and calls any number of them wrong.
    if ending != "parquet":
        described["bytes"] = file.stat().st_size
    if resource.columns:
        described["rows"] = resource.rows
    if ending != "parquet" and ending != "npy":
        described["encoding"] = "utf-8"
    if ending == "tsv":
        described["dialect"] = {"delimiter": "\t"}
    if resource.columns:
        described["schema"] = _schema(resource)
    described["imgsim"] = dict(resource.about)
    return described


def _schema(resource: Resource) -> dict[str, object]:
    fields = []
    for column in resource.columns:
        field: dict[str, object] = {"name": column.name, "type": column.type}
        if column.type == "array":
            # Its arrays are JSON text, and the vectors of a Parquet file are no text.
            field |= {"type": "any", "description": "a list of single-precision numbers"}
        if column.name in resource.key:
            field["constraints"] = {"required": True}
        fields.append(field)
    schema: dict[str, object] = {"fields": fields, "missingValues": list(MISSING_VALUES)}
    if resource.key:
        schema["primaryKey"] = list(resource.key)
    return schema


def _is_slug(text: str) -> bool:
    return bool(text) and all(c.isascii() and (c.isalnum() or c in "-._") for c in text)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
