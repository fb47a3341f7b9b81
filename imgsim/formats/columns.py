"""Columns with types, as every format writes them in its own words."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Type = Literal["string", "integer", "number", "boolean", "datetime", "object", "array"]
Row = Sequence[object]


@dataclass(frozen=True)
class Column:
    """A column's name and type; the types are those of a Frictionless Table Schema.

    An `object` is whatever JSON holds, written as JSON text.
    """

    name: str
    type: Type


FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a cell begins with that a spreadsheet takes for a formula; the last four are wide forms.

https://owasp.org/www-community/attacks/CSV_Injection
"""


def harmless(value: object) -> object:
    """Returns a value for a spreadsheet's cell: an apostrophe is put before what may be a formula.

    >>> harmless("=1+1"), harmless("-x"), harmless("a=b"), harmless(-1.5), harmless(None)
    ("'=1+1", "'-x", 'a=b', -1.5, None)
    """
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def as_text(value: object) -> object:
    """Returns an object as JSON, a moment in ISO 8601, a truth as `true` or `false`.

    All else is returned as it is.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value


def with_text(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Row]:
    """Yields the rows, with values written out that CSV and XML have no type for."""
    plain = ("string", "integer", "number")
    special = [index for index, column in enumerate(columns) if column.type not in plain]
    if not special:
        yield from rows
        return
    for row in rows:
        written = list(row)
        for index in special:
            written[index] = as_text(row[index])
        yield written


class Counted:
    """Passes rows on while they stream, and counts them in `rows`."""

    def __init__(self, rows: Iterable[Row], seen: Callable[[Row], None] | None = None) -> None:
        self._source = rows
        self._seen = seen
        self.rows = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._source:
            self.rows += 1
            if self._seen:
                self._seen(row)
            yield row
