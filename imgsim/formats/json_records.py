"""JSON and JSON Lines of one object a row, as rows of text."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

from imgsim.errors import ImgsimError

ENDINGS = (".json", ".jsonl", ".ndjson", ".geojson")
START = 4096
Record = dict[str, object]


def looks_like_json(path: Path) -> bool:
    """Returns whether a file is JSON by its ending, or by its first characters."""
    if path.suffix.lower() in ENDINGS:
        return True
    with path.open("rb") as file:
        start = file.read(START).removeprefix(codecs.BOM_UTF8)
    dense = b"".join(start.split())
    return dense.startswith((b'{"', b'[{"', b"[{}", b"{}"))


def read_records(path: Path) -> tuple[str, list[tuple[int, Record]]]:
    """Returns what the file is (`JSON` or `JSON Lines`) and its objects, each with its number.

    In JSON Lines the number is the line. The whole file is held in memory.

    Raises:
        ImgsimError: it is damaged, or does not hold one object a row.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ImgsimError(f"cannot read {path}: it is JSON, but not UTF-8", "save it anew") from exc
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as exc:
        lines = list(_lines(path, text, exc))
        return "JSON Lines", lines
    if isinstance(whole, dict) and "\n" not in text.strip() and _is_row(whole):
        return "JSON Lines", [(1, whole)]
    if not isinstance(whole, list) or not whole or not all(isinstance(r, dict) for r in whole):
        raise _no_rows(path, "it does not hold a list of objects, one for each row")
    return "JSON", list(enumerate(whole, 1))


def _lines(path: Path, text: str, reason: Exception) -> Iterator[tuple[int, Record]]:
    """Yields the objects of JSON Lines; `reason` says why the text is not one JSON document."""
    # Not str.splitlines, which also breaks at marks that may stand inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as exc:
            # In the first line it may be neither: then what is wrong with the whole says more.
            told = reason if number == 1 else f"line {number}: {exc}"
            raise ImgsimError(
                f"cannot read {path}: it is JSON, but damaged or cut off ({told})",
                "check that it was written to its end",
            ) from exc
        if not isinstance(record, dict):
            raise _no_rows(path, f"line {number} is not an object")
        yield number, record


def columns_of(records: list[tuple[int, Record]]) -> list[str]:
    """Returns every name that an object has, in the order in which they are met."""
    return list(dict.fromkeys(name for _, record in records for name in record))


def text_of(value: object) -> str | None:
    """Returns a value as a CSV file would have it; null and NaN as None."""
    if value is None or value != value:  # only NaN differs from itself
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _is_row(record: Record) -> bool:
    """Returns whether an object is a row, and not a table written column by column."""
    return not any(isinstance(value, dict | list) for value in record.values())


def _no_rows(path: Path, reason: str) -> ImgsimError:
    return ImgsimError(
        f"cannot read {path} as a table: it is JSON, but {reason}",
        'save it as [{"column": "value", …}, …], as JSON Lines, or as CSV (UTF-8)',
    )
