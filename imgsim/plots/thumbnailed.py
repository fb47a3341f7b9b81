"""A table with its pictures in it, for a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.plots import gather
from imgsim.plots.layout import thumbnails
from imgsim.plots.layout.style import DPI, MM_PER_INCH
from imgsim.wording import score_text

if TYPE_CHECKING:
    import pandas

SIDES = (("image_id", "name", "picture"), ("other_id", "other_name", "other picture"))
"""The columns that name a picture, by its id or its name, and the heading it is shown under."""

ROWS = 50
SIDE = 96


@dataclass(frozen=True)
class Thumbnailed:
    """A DataFrame whose rows a notebook shows with the pictures that they name.

    `frame` is the whole table; the first `shown` rows of it are shown.
    """

    frame: pandas.DataFrame
    shown: int
    page: str

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return repr(self.frame)


def thumbnailed(
    connection: Connection, frame: pandas.DataFrame, side: int = SIDE, at_most: int = ROWS
) -> Thumbnailed:
    """Returns a table with a small picture in each row, where its columns name one or two.

    Args:
        side: the longer side of a picture, in pixels.
        at_most: how many rows are shown, from the first.

    Raises:
        ImgsimError: no column names a picture.
    """
    top = frame.head(at_most)
    shown: dict[str, list[str]] = {}
    for by_id, by_name, heading in SIDES:
        ids = _ids(connection, top, by_id, by_name)
        if ids is not None:
            shown[heading] = _cells(connection, ids, side)
    if not shown:
        needed = "name, image_id, other_name or other_id"
        raise ImgsimError("cannot show pictures: no column names one", f"keep one of: {needed}")
    return Thumbnailed(frame, len(top), _page(top, shown, len(frame)))


def _ids(
    connection: Connection, frame: pandas.DataFrame, by_id: str, by_name: str
) -> Sequence[int | None] | None:
    """Returns the picture of each row, None where a row names none or the name is not one's own."""
    import pandas

    if by_id in frame:
        return [None if pandas.isna(value) else int(value) for value in frame[by_id]]
    if by_name not in frame:
        return None
    names = [None if pandas.isna(value) else str(value) for value in frame[by_name]]
    rows = connection.execute(
        """
        select i.name, min(i.image_id)
        from imgsim.image i
        where i.name = any(%s)
        group by i.name
        having count(*) = 1
        """,
        [[name for name in names if name is not None]],
    ).fetchall()
    known: dict[str | None, int] = dict(rows)
    return [known.get(name) for name in names]


def _cells(connection: Connection, ids: Sequence[int | None], side: int) -> list[str]:
    """Returns the HTML of each picture, or why there is none."""
    known = gather.illustrations(connection, sorted({i for i in ids if i is not None}))
    drawn: dict[int, str] = {}
    for image_id, illustration in known.items():
        read = thumbnails.read(illustration, side / DPI * MM_PER_INCH)
        if isinstance(read, str):
            drawn[image_id] = f"<small>{html.escape(read)}</small>"
        else:
            written = io.BytesIO()
            read.save(written, "png")
            data = base64.b64encode(written.getvalue()).decode("ascii")
            name = html.escape(illustration.name, quote=True)
            drawn[image_id] = f'<img alt="{name}" src="data:image/png;base64,{data}">'
    return [drawn.get(image_id, "") if image_id is not None else "" for image_id in ids]


def _page(top: pandas.DataFrame, shown: dict[str, list[str]], rows: int) -> str:
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in (*shown, *top.columns))
    body = []
    for number, row in enumerate(top.itertuples(index=False)):
        pictures = "".join(f"<td>{cells[number]}</td>" for cells in shown.values())
        body.append(f"<tr>{pictures}{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>")
    more = "" if rows == len(top) else f"<p>the first {len(top):,} of {rows:,} rows</p>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}"


def _text(value: Any) -> str:
    import pandas

    if not isinstance(value, list) and pandas.isna(value):
        return ""
    return html.escape(score_text(value) if isinstance(value, float) else str(value))
