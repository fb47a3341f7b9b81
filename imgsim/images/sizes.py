"""Tells how large the pages of a file are, without decoding them."""

from __future__ import annotations

from contextlib import suppress

from imgsim.images import reasons, tiff
from imgsim.images.decoding import TIFF_SIGNATURES, TURNS
from imgsim.images.files import Found, Refused
from imgsim.images.opening import open_image

LYING = tuple(turn for turn in TURNS if turn >= 5)
"""Orientations in which width and height change places when the picture is turned upright."""


def page_sizes(found: Found) -> list[tuple[int, int]] | Refused:
    """Returns width and height of each page, in pixels, as it is shown upright."""
    try:
        with open(found.path, "rb") as file:
            if file.read(4) in TIFF_SIGNATURES:
                pages = tiff.read_pages(file).pages
                return [
                    _upright(
                        page.value(tiff.WIDTH),
                        page.value(tiff.LENGTH),
                        page.value(tiff.ORIENTATION, 1),
                    )
                    for page in pages
                ]
            with open_image(file) as opened:
                orientation = 1
                with suppress(Exception):  # damaged EXIF says nothing about the picture
                    orientation = opened.getexif().get(tiff.ORIENTATION, 1)
                return [_upright(*opened.size, orientation)]
    except Exception as exc:
        return reasons.refusal(found, exc, None, 1)


def _upright(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation in LYING else (width, height)
