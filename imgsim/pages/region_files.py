"""Reads regions that others found: tables, COCO JSON, ALTO, PAGE XML and IIIF annotations.

Each format becomes the same rows. A row that cannot be used is told with its place in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgsim.errors import ImgsimError
from imgsim.formats import reading
from imgsim.formats.tallies import Tally
from imgsim.pages import iiif_regions, xml_regions
from imgsim.pages.rows import Row, Unusable, number, whole

HEADINGS = {
    "page": ("path", "file", "page", "image", "filename", "file_name"),
    "frame": ("frame",),
    "x": ("x", "left", "xmin", "x_min", "hpos"),
    "y": ("y", "top", "ymin", "y_min", "vpos"),
    "width": ("width", "w"),
    "height": ("height", "h"),
    "right": ("right", "xmax", "x_max"),
    "bottom": ("bottom", "ymax", "y_max"),
    "score": ("score", "confidence"),
    "kind": ("kind", "label", "class", "category"),
    "state": ("state",),
}
"""What the columns of a table may be called, the first that is there."""

STATES = ("proposed", "accepted", "rejected")


@dataclass(frozen=True)
class RegionFile:
    """A file of regions: its format, and its rows, usable or not."""

    kind: str
    rows: list[Row | Unusable]


def read(path: Path) -> RegionFile:
    """Returns the regions in a file.

    Raises:
        ImgsimError: it cannot be read, or is of none of the formats.
    """
    try:
        with path.open("rb") as file:
            # Zeros too: in UTF-16 each character of a tag has one beside it.
            start = file.read(512).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    except OSError as exc:
        raise ImgsimError(f"cannot read {path}: {exc.strerror}", "give a file to read") from exc
    if start.startswith(b"<"):
        return RegionFile(*xml_regions.read(path))
    is_json = start.startswith((b"{", b"[")) and path.suffix.lower() != ".jsonl"
    if is_json and (found := _of_json(path)):
        return found
    table = reading.open_table(path)
    return RegionFile(table.kind, list(_of_table(table)))


def _of_json(path: Path) -> RegionFile | None:
    """Returns what a document of JSON holds; None if it may be a table (one object a row)."""
    try:
        whole = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if isinstance(whole, dict) and "annotations" in whole and "images" in whole:
        return RegionFile("COCO", list(_of_coco(whole)))
    if iiif_regions.is_annotations(whole):
        return RegionFile("IIIF annotations", list(iiif_regions.rows(whole)))
    if isinstance(whole, dict):
        raise ImgsimError(
            f"cannot find regions in {path}: it is JSON, but neither COCO nor IIIF annotations",
            "give a table, COCO, ALTO, PAGE XML or IIIF annotations (docs/pages.md)",
        )
    return None


def _of_table(table: reading.TableFile) -> Iterator[Row | Unusable]:
    at = {
        meaning: next((i for name in names if (i := table.find(name)) is not None), None)
        for meaning, names in HEADINGS.items()
    }
    corner = at["right"] is not None and at["bottom"] is not None
    sized = at["width"] is not None and at["height"] is not None
    if None in (at["page"], at["x"], at["y"]) or not (corner or sized):
        raise ImgsimError(
            f"cannot find regions in {table.path}: it has the columns {', '.join(table.columns)}",
            "name the columns page, x, y, width, height (or left, top, right, bottom)",
        )
    ragged = Tally()
    for line, values in table.rows(ragged):
        cells = {name: values[i] for name, i in at.items() if i is not None}
        where = f"row {line}" if table.kind in ("Parquet", "Excel") else f"line {line}"
        try:
            yield _row(cells, where, sized)
        except ValueError as exc:
            yield Unusable(where, str(exc))
    yield from (Unusable(*example.split(": ", 1)) for example in ragged.examples)
    for _ in range(ragged.count - len(ragged.examples)):
        yield Unusable("a later row", "its cells do not fit the columns")


def _row(cells: dict[str, str | None], where: str, sized: bool) -> Row:
    page = cells["page"]
    if not page:
        raise ValueError("it names no page")
    x, y = number(cells["x"], "x"), number(cells["y"], "y")
    if sized:
        width, height = number(cells["width"], "width"), number(cells["height"], "height")
    else:
        width, height = number(cells["right"], "right") - x, number(cells["bottom"], "bottom") - y
    state = (cells.get("state") or "").strip().lower()
    if state and state not in STATES:
        raise ValueError(f"the state {state!r} is not one of {', '.join(STATES)}")
    frame, score = cells.get("frame"), cells.get("score")
    return Row(
        *(where, page, x, y, width, height),
        frame=whole(frame, "frame") if frame else 1,
        score=number(score, "score") if score else None,
        kind=cells.get("kind"),
        state=state or None,
    )


def _of_coco(whole: dict[str, Any]) -> Iterator[Row | Unusable]:
    images = {image.get("id"): image for image in whole["images"] if isinstance(image, dict)}
    kinds = {c.get("id"): c.get("name") for c in whole.get("categories", []) if isinstance(c, dict)}
    for place, annotation in enumerate(whole["annotations"], 1):
        where = f"annotation {place}"
        try:
            yield _of_annotation(annotation, images, kinds, where)
        except ValueError as exc:
            yield Unusable(where, str(exc))


def _of_annotation(
    annotation: Any, images: dict[Any, dict[str, Any]], kinds: dict[Any, Any], where: str
) -> Row:
    if not isinstance(annotation, dict):
        annotation = {}
    image = images.get(annotation.get("image_id"))
    if image is None or not image.get("file_name"):
        raise ValueError(f"image_id {annotation.get('image_id')!r} names no image of the file")
    box = annotation.get("bbox")
    score, kind = annotation.get("score"), kinds.get(annotation.get("category_id"))
    size = image.get("width"), image.get("height")
    return Row(
        *(where, str(image["file_name"])),
        *_sides(box),
        score=None if score is None else number(score, "score"),
        kind=None if kind is None else str(kind),
        page_size=(number(size[0], "width"), number(size[1], "height")) if all(size) else None,
    )


def _sides(box: object) -> tuple[float, float, float, float]:
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("it has no bbox of four numbers")
    x, y, width, height = (number(side, "bbox") for side in box)
    return x, y, width, height
