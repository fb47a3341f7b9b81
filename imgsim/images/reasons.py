"""Says in words for people why a file cannot be taken in."""

from __future__ import annotations

import re
import struct

from PIL import Image, UnidentifiedImageError, features

from imgsim.images import kinds, mending, tiff
from imgsim.images.deep import UnreadableKindError
from imgsim.images.files import Found, Refused, os_reason, start_of


class UnfitError(Exception):
    """An image that can be read but not used; its message is the reason."""


FORMAT_NAMES = {"WEBP": "WebP", "JPEG2000": "JPEG 2000", "MPO": "JPEG"}
CUT_OFF = re.compile(
    r"truncated|end of file|expected to read|not enough image data|read .* bytes", re.IGNORECASE
)
UNTELLING = re.compile(
    r"data stream|decoder (error|object)|next frame|cannot load this image|[a-z][A-Z]"
)


def refusal(found: Found, exc: Exception, kind: str | None, frame: int) -> Refused:
    """Returns the refusal of a file that could not be opened or decoded.

    Args:
        kind: the name of its format, where it could be opened.
    """
    stage = "read" if isinstance(exc, OSError) and exc.errno is not None else "decode"
    return Refused(found.path, stage, _reason(found, exc, kind, frame), frame, found.size)


def _reason(found: Found, exc: Exception, kind: str | None, frame: int) -> str:
    if isinstance(exc, (UnfitError, UnreadableKindError)):
        return str(exc)
    if isinstance(exc, OSError) and exc.errno is not None:
        return os_reason(exc)
    if isinstance(exc, MemoryError):
        return "not enough memory to decode it"
    start = start_of(found.path)
    if isinstance(exc, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        what = kinds.read_by_start(start) or "a picture"
        return f"too large: {what} is read up to {most:.0f} megapixels (convert it to PNG or TIFF)"
    kind = FORMAT_NAMES.get(kind or "", kind) or kinds.read_by_start(start)
    if kind is None or (kind == "AVIF" and not features.check("avif")):
        return _stranger(start)
    if uncommon := _uncommon(found, kind, frame):
        return f"a {kind} of a kind that cannot be read: {uncommon}"
    ends = f"(the file ends after {found.size:,} bytes)"
    if isinstance(exc, EOFError) or CUT_OFF.search(str(exc)):
        return f"truncated {kind} {ends}"
    # Others than these speak of Python, not of the image.
    telling = isinstance(exc, (OSError, ValueError, SyntaxError)) and str(exc)
    if isinstance(exc, UnidentifiedImageError) or not telling or UNTELLING.search(telling):
        return f"truncated or damaged {kind} {ends}"
    return f"damaged {kind}: {telling}"


def _uncommon(found: Found, kind: str, frame: int) -> str | None:
    """Returns what is uncommon in a file that may be whole, but whose samples nobody here reads."""
    try:
        with open(found.path, "rb") as file:
            if kind == "JPEG":
                return mending.jpeg_kind(file.read())
            if kind != "TIFF":
                return None
            pages = tiff.read_pages(file).pages
    except (OSError, struct.error):
        return None
    page = pages[frame - 1] if frame <= len(pages) else None
    if page is None or not page.whole or not page.holds_its_pixels(found.size) or _is_common(page):
        return None
    return page.kind()


def _is_common(page: tiff.Page) -> bool:
    """Returns whether Pillow reads such a page, so that a fault in it is damage."""
    from PIL.TiffImagePlugin import OPEN_INFO

    order = b"II" if page.order == "<" else b"MM"
    bits = page.values(tiff.BITS) or (1,)
    bits = bits * page.samples if len(bits) == 1 else bits
    formats = (page.format,) if page.format else page.values(tiff.FORMAT)
    photometric = page.photometric
    if photometric == 6 and page.compression == 7:
        photometric = 2
    order_of_bits = page.value(tiff.FILL_ORDER, 1)
    known = (order, photometric, formats, order_of_bits, bits, page.values(tiff.EXTRA))
    jpeg = page.compression == 7 and page.bits == 8
    return known in OPEN_INFO and (page.compression in tiff.COMMON_COMPRESSIONS or jpeg)


def _stranger(start: bytes) -> str:
    if unread := kinds.unread_by_start(start):
        return f"{unread.what} is not read: {unread.advice()}"
    content = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what in kinds.STRANGERS.items():
        if content.startswith(signature):
            return f"not an image: it looks like {what}"
    text = content.decode("utf-8", "replace").split("\n")[0].removesuffix("\ufffd").strip()
    if len(text) > 2 and text.isprintable() and "\ufffd" not in text:
        return f"not an image: it looks like text ({text!r})"
    return f"not an image that can be read (it begins with the bytes {start[:8].hex(' ')})"
