"""Opens image files as 8-bit grey or RGB; a bad file is a value, not an exception."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError

from imgsim.images.files import Found, Refused, os_reason
from imgsim.images.tiff import Pages, read_pages

FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000")
MAX_MEGAPIXELS = 250.0
LARGE_PIXELS = 40_000_000

# Checked here instead, with a message: Pillow's limit warns in one range and fails in another.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Editing programs write megabytes of history beside the picture.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

# What it would warn of comes as a reason, or does not matter to the picture.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# Pillow loads its readers on demand, but not for an explicit list of formats.
Image.init()

# A scan of 40 megapixels takes some 200 MB to decode: one of these at a time.
_large = threading.Lock()


DraftSize = Callable[[int, int], tuple[int, int]]
"""From a JPEG's width and height, the size in pixels down to which it may be decoded."""


@dataclass(frozen=True)
class Frame:
    """Which page of how many a picture is, its size in pixels, and its mode in the file."""

    number: int
    count: int
    width: int
    height: int
    mode: str
    format: str


@dataclass(frozen=True)
class Picture:
    """One frame, decoded: `image` is in mode L or RGB, upright; of a JPEG perhaps a reduced one."""

    frame: Frame
    image: Image.Image


def decode(
    found: Found,
    draft_size: DraftSize | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    only: int | None = None,
) -> Iterator[Picture | Refused]:
    """Yields the pictures of a file: the pages of a TIFF, the first frame of anything else.

    Never raises for a bad file: what cannot be read comes as a `Refused`.

    Args:
        draft_size: from a JPEG's width and height, the size it need not exceed: it may be decoded
            at a half, quarter or eighth, as long as it gets no smaller than that.
        max_megapixels: refuse, before decoding, what declares more pixels than this.
        only: the number (from 1) of the one frame that is wanted.
    """
    frame = 1
    try:
        # Given a path, Pillow maps some files into memory: it scrambles turned TIFFs, and a file
        # that another program shortens meanwhile would end the process.
        with open(found.path, "rb") as file, Image.open(file, formats=FORMATS) as opened:
            pages = read_pages(file) if opened.format == "TIFF" else Pages(1, frozenset())
            for frame in range(1, pages.count + 1):
                if only not in (None, frame):
                    continue
                try:
                    yield _picture(opened, frame, pages, draft_size, max_megapixels)
                except Exception as exc:
                    yield _refusal(found, exc, opened.format, frame)
    except Exception as exc:
        yield _refusal(found, exc, None, frame)


class _UnfitError(Exception):
    """An image that can be read but not used; its message is the reason."""


def _picture(
    opened: Image.Image,
    frame: int,
    pages: Pages,
    draft_size: DraftSize | None,
    max_megapixels: float,
) -> Picture:
    if frame in pages.cut_off:
        raise EOFError
    opened.seek(frame - 1)
    if opened.format == "TIFF" and not getattr(opened, "tile", None):
        raise _UnfitError("damaged TIFF: it does not say where the page's pixels are")
    width, height = opened.size
    mode, kind = opened.mode, str(opened.format)
    if width * height > max_megapixels * 1e6:
        raise _UnfitError(
            f"too large: {width:,} x {height:,} pixels declared, "
            f"the limit is {max_megapixels:g} megapixels (--max-megapixels)"
        )
    if draft_size and kind in ("JPEG", "MPO"):
        opened.draft(None, draft_size(width, height))
    as_stored = opened.size
    with _large if width * height > LARGE_PIXELS else nullcontext():
        image = to_grey_or_rgb(_upright(opened))
    if image is opened and pages.count > 1:
        image = image.copy()  # the next page takes its place
    if _is_blank(image):
        raise _UnfitError("blank: every pixel is the same")
    if image.size != as_stored:
        width, height = height, width
    return Picture(Frame(frame, pages.count, width, height, mode, kind), image)


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """The image in 8-bit grey (mode L) or RGB, on white where it is transparent; perhaps itself.

    16-bit and floating-point grey is scaled to the range it uses.
    """
    image.load()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _scaled_to_8_bits(image)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P" and _has_grey_palette(image):
        return image.convert("L")
    return image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F" or values.max() > 0xFFFF or values.min() < 0:
        finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = finite.min(), finite.max()
        scaled = (finite - low) * (255.0 / max(high - low, np.finfo(float).tiny))
        return Image.fromarray(scaled.astype(np.uint8))
    # Scanners write 8, 10, 12 or 16 significant bits into 16.
    bits = max(8, int(values.max()).bit_length())
    return Image.fromarray((values.astype(np.uint16) >> (bits - 8)).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    grey = image.mode in ("L", "LA", "La", "1")
    return Image.alpha_composite(white, layered).convert("L" if grey else "RGB")


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _upright(image: Image.Image) -> Image.Image:
    """The image itself, turned as its EXIF says."""
    image.load()
    with suppress(Exception):  # damaged EXIF says nothing about the picture
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _is_blank(image: Image.Image) -> bool:
    extrema = np.reshape(image.getextrema(), (-1, 2))
    return bool((extrema[:, 0] == extrema[:, 1]).all())


def _refusal(found: Found, exc: Exception, kind: str | None, frame: int) -> Refused:
    stage = "read" if isinstance(exc, OSError) and exc.errno is not None else "decode"
    return Refused(found.path, stage, _reason(found, exc, kind), frame, found.size)


def _reason(found: Found, exc: Exception, kind: str | None) -> str:
    if isinstance(exc, _UnfitError):
        return str(exc)
    if isinstance(exc, OSError) and exc.errno is not None:
        return os_reason(exc)
    if isinstance(exc, MemoryError):
        return "not enough memory to decode it"
    start = _start(found)
    kind = FORMAT_NAMES.get(kind or "", kind) or _kind_by_signature(start)
    if kind is None:
        return _stranger(start)
    ends = f"(the file ends after {found.size:,} bytes)"
    if isinstance(exc, EOFError) or CUT_OFF.search(str(exc)):
        return f"truncated {kind} {ends}"
    # Others than these speak of Python, not of the image.
    telling = isinstance(exc, (OSError, ValueError, SyntaxError)) and str(exc)
    if isinstance(exc, UnidentifiedImageError) or not telling or UNTELLING.search(telling):
        return f"truncated or damaged {kind} {ends}"
    return f"damaged {kind}: {telling}"


FORMAT_NAMES = {"WEBP": "WebP", "JPEG2000": "JPEG 2000", "MPO": "JPEG"}
CUT_OFF = re.compile(
    r"truncated|end of file|expected to read|not enough image data|read .* bytes", re.IGNORECASE
)
UNTELLING = re.compile(
    r"data stream|decoder (error|object)|next frame|cannot load this image|[a-z][A-Z]"
)
SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
STRANGERS = {
    b"%PDF": "a PDF",
    b"%!PS": "PostScript",
    b"AT&TFORM": "DjVu",
    b"8BPS": "a Photoshop document",
    b"PK\3\4": "a ZIP archive",
    b"<svg": "an SVG",
    b"<": "HTML or XML",
}


def _start(found: Found) -> bytes:
    try:
        with open(found.path, "rb") as file:
            return file.read(32)
    except OSError:
        return b""


def _kind_by_signature(start: bytes) -> str | None:
    return next((kind for sign, kind in SIGNATURES.items() if start.startswith(sign)), None)


def _stranger(start: bytes) -> str:
    content = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what in STRANGERS.items():
        if content.startswith(signature):
            return f"not an image: it looks like {what}"
    if start[4:8] == b"ftyp":
        return "not an image that can be read: it looks like HEIC, AVIF or a film"
    text = content.decode("utf-8", "replace").split("\n")[0].removesuffix("\ufffd").strip()
    if len(text) > 2 and text.isprintable() and "\ufffd" not in text:
        return f"not an image: it looks like text ({text!r})"
    return f"not an image that can be read (it begins with the bytes {start[:8].hex(' ')})"
