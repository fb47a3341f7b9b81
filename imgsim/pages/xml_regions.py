"""Regions of pictures in ALTO and PAGE XML, as programs for text recognition write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from imgsim.errors import ImgsimError
from imgsim.pages.rows import Row, Unusable, number

Element = ElementTree.Element

PICTURES = re.compile(r"graphic|illustration|image|figure|picture|photo|drawing|engraving", re.I)
INITIALS = re.compile(r"dropcapital|initial|drop-?cap", re.I)
"""What SegmOnto and others call zones that hold no text, in a tag or a type."""

PAGE_PICTURES = ("ImageRegion", "GraphicRegion", "LineDrawingRegion")
ALTO_PICTURES = ("Illustration", "GraphicalElement")
ALTO_BLOCKS = (*ALTO_PICTURES, "ComposedBlock", "TextBlock")


def read(path: Path) -> tuple[str, list[Row | Unusable]]:
    """Returns the format and the regions of pictures; those of text are passed over.

    Raises:
        ImgsimError: it is damaged, or is neither ALTO nor PAGE XML.
    """
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - expat bounds what entities become
    except ElementTree.ParseError as exc:
        raise ImgsimError(f"cannot read {path}: damaged XML, {exc}", "export it again") from exc
    if _name(root) == "alto":
        return "ALTO", list(_of_alto(root, path))
    if _name(root) == "PcGts":
        return "PAGE XML", list(_of_page_xml(root, path))
    raise ImgsimError(
        f"cannot find regions in {path}: its XML begins with <{_name(root)}>",
        "give ALTO (<alto>) or PAGE XML (<PcGts>)",
    )


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(root: Element, *names: str) -> Iterator[Element]:
    return (element for element in root.iter() if _name(element) in names)


def _of_alto(root: Element, path: Path) -> Iterator[Row | Unusable]:
    unit = next((each.text or "" for each in _all(root, "MeasurementUnit")), "pixel").strip()
    if unit != "pixel":
        raise ImgsimError(
            f"cannot use the regions in {path}: they are measured in {unit}, not in pixels",
            "export ALTO with the unit pixel",
        )
    named = (each.text for each in _all(root, "fileName"))
    page_name = next((name.strip() for name in named if name and name.strip()), path.stem)
    labels = {
        tag.get("ID"): tag.get("LABEL") or tag.get("TYPE") or ""
        for tag in root.iter()
        if _name(tag).endswith("Tag")
    }
    for page in _all(root, "Page"):
        size = _size(page.get("WIDTH"), page.get("HEIGHT"))
        for block in _all(page, *ALTO_BLOCKS):
            tags = [labels.get(tag, "") for tag in (block.get("TAGREFS") or "").split()]
            words = " ".join([*tags, block.get("TYPE") or ""]).strip()
            known = _name(block) in ALTO_PICTURES
            yield from _zone(block, words, page_name, size, known=known, box_of=_sides)


def _sides(block: Element) -> tuple[float, float, float, float]:
    return (
        number(block.get("HPOS"), "HPOS"),
        number(block.get("VPOS"), "VPOS"),
        number(block.get("WIDTH"), "WIDTH"),
        number(block.get("HEIGHT"), "HEIGHT"),
    )


def _of_page_xml(root: Element, path: Path) -> Iterator[Row | Unusable]:
    for page in _all(root, "Page"):
        page_name = page.get("imageFilename") or path.stem
        size = _size(page.get("imageWidth"), page.get("imageHeight"))
        for region in page.iter():
            if not _name(region).endswith("Region"):
                continue
            words = f"{region.get('type') or ''} {region.get('custom') or ''}"
            known = _name(region) in PAGE_PICTURES
            yield from _zone(region, words, page_name, size, known=known, box_of=_bounds)


def _bounds(region: Element) -> tuple[float, float, float, float]:
    """Returns left, top, width and height of a region's outline."""
    outline = next((child for child in region if _name(child) == "Coords"), None)
    if outline is None:
        raise ValueError("it has no Coords")
    if points := (outline.get("points") or "").split():
        pairs = [point.split(",") for point in points]
    else:
        # Before 2013 each point was an element of its own.
        pairs = [[point.get("x") or "", point.get("y") or ""] for point in outline]
    if len(pairs) < 2 or any(len(pair) != 2 for pair in pairs):
        raise ValueError("its outline has no points")
    across = [number(pair[0], "points") for pair in pairs]
    down = [number(pair[1], "points") for pair in pairs]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _zone(
    zone: Element,
    words: str,
    page_name: str,
    size: tuple[float, float] | None,
    *,
    known: bool,
    box_of: Callable[[Element], tuple[float, float, float, float]],
) -> Iterator[Row | Unusable]:
    """Yields a zone as a region, or why it cannot be one; nothing if it is not a picture."""
    kind = _kind(words, known=known)
    if kind is None:
        return
    where = f"{_name(zone)} {zone.get('ID') or zone.get('id') or ''}".strip()
    try:
        yield Row(where, page_name, *box_of(zone), kind=kind, page_size=size)
    except ValueError as exc:
        yield Unusable(where, str(exc))


def _kind(words: str, *, known: bool) -> str | None:
    """Returns what a zone is; None if it is not a picture, by its name or its element."""
    if INITIALS.search(words):
        return "initial"
    if re.search(r"stamp", words, re.I):
        return "stamp"
    return "picture" if known or PICTURES.search(words) else None


def _size(width: str | None, height: str | None) -> tuple[float, float] | None:
    try:
        return number(width, "width"), number(height, "height")
    except ValueError:
        return None
