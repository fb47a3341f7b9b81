"""Regions in IIIF and W3C web annotations: boxes in the address of a canvas or an image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from imgsim.pages.rows import Row, Unusable, number

FRAGMENT = re.compile(r"xywh=(?:(pixel|percent):)?([^,&]+),([^,&]+),([^,&]+),([^,&]+)")


def is_annotations(whole: Any) -> bool:
    """Returns whether a document is an annotation, a page or list of them, or a bare list."""
    if isinstance(whole, list):
        return bool(whole) and all(isinstance(each, dict) and _targets(each) for each in whole)
    kinds = ("AnnotationPage", "AnnotationCollection", "Annotation", "sc:AnnotationList")
    return isinstance(whole, dict) and _type(whole) in (*kinds, "oa:Annotation")


def rows(whole: Any) -> Iterator[Row | Unusable]:
    """Yields the regions that annotations point at; one without a box is told as unusable."""
    for place, annotation in enumerate(_annotations(whole), 1):
        where = f"annotation {place}"
        try:
            yield _row(annotation, where)
        except ValueError as exc:
            yield Unusable(where, str(exc))


def _type(value: dict[str, Any]) -> str:
    return str(value.get("type") or value.get("@type") or "")


def _targets(annotation: dict[str, Any]) -> Any:
    return annotation.get("target") or annotation.get("on")


def _annotations(whole: Any) -> list[Any]:
    if isinstance(whole, list):
        return whole
    if _type(whole) == "AnnotationCollection":
        first = whole.get("first")
        return _annotations(first) if isinstance(first, dict) else []
    return list(whole.get("items") or whole.get("resources") or [whole])


def _row(annotation: Any, where: str) -> Row:
    target = _targets(annotation) if isinstance(annotation, dict) else None
    if isinstance(target, list) and target:
        target = target[0]
    address = target
    if isinstance(target, dict):
        source = target.get("source") or target.get("full") or target.get("id")
        source = source.get("id") if isinstance(source, dict) else source
        selector = target.get("selector") or {}
        selector = selector[0] if isinstance(selector, list) and selector else selector
        selector = selector.get("default", selector) if isinstance(selector, dict) else {}
        address = f"{source or ''}#{selector.get('value', '')}"
    address = address if isinstance(address, str) else ""
    page, _, fragment = address.partition("#")
    box = FRAGMENT.search(fragment)
    if not box:
        raise ValueError(f"it has no box (xywh) on {page or 'a page'}")
    unit, *sides = box.groups()
    # The last part of a canvas's address is what libraries call the page.
    name = os.path.basename(unquote(urlsplit(page).path).rstrip("/"))
    if not name:
        raise ValueError(f"its address names no page: {page!r}")
    x, y, width, height = (number(side, "xywh") for side in sides)
    return Row(where, name, x, y, width, height, kind=_kind(annotation), percent=unit == "percent")


def _kind(annotation: dict[str, Any]) -> str | None:
    body = annotation.get("body") or annotation.get("resource")
    body = body[0] if isinstance(body, list) and body else body
    value = body.get("value") or body.get("chars") if isinstance(body, dict) else body
    return value if isinstance(value, str) and 0 < len(value) <= 40 else None
