"""Opens image files as 8-bit grey or RGB; a bad file is a value, not an exception."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from imgsim.images import deep, memory, mending, reasons, tiff
from imgsim.images.boxes import Box
from imgsim.images.files import Found, Refused
from imgsim.images.opening import open_image
from imgsim.images.reasons import UnfitError
from imgsim.images.tiff import Page

MAX_MEGAPIXELS = 250.0
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DARK = 128
"""A picture of 16 bits a sample none of whose upper 8 reach this uses less than 16."""

# What it would warn of comes as a reason, or does not matter to the picture.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


DraftSize = Callable[[int, int], tuple[int, int]]
"""From a JPEG's width and height, the size in pixels down to which it may be decoded."""


@dataclass(frozen=True)
class Frame:
    """Which page of how many a picture is, its size in pixels, and its mode in the file.

    Of a region, `box` says where on the page it is, `region` which of the file's regions, and
    `count` how many pictures the file gives, while `pages` says how many pages it has.
    """

    number: int
    count: int
    width: int
    height: int
    mode: str
    format: str
    box: Box | None = None
    region: int | None = None
    pages: int | None = None


@dataclass(frozen=True)
class Picture:
    """One frame, decoded: `image` is in mode L or RGB, upright; of a JPEG perhaps a reduced one."""

    frame: Frame
    image: Image.Image


@dataclass(frozen=True)
class _Limits:
    draft_size: DraftSize | None
    max_megapixels: float

    def refuse_larger(self, width: int, height: int) -> None:
        """Raises UnfitError for what declares more pixels than may be decoded."""
        if width * height > self.max_megapixels * 1e6:
            raise UnfitError(
                f"too large: {width:,} x {height:,} pixels declared, "
                f"the limit is {self.max_megapixels:g} megapixels (imgsim ingest --max-megapixels)"
            )

    def draft(self, opened: ImageFile) -> None:
        """Has a JPEG decoded no larger than is needed."""
        if self.draft_size and opened.format in ("JPEG", "MPO"):
            opened.draft(None, self.draft_size(*opened.size))


def decode(
    found: Found,
    draft_size: DraftSize | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    only: int | None = None,
) -> Iterator[Picture | Refused]:
    """Yields the pictures of a file: the pages of a TIFF, the first frame of anything else.

    Never raises for a bad file: what cannot be read comes as a `Refused`. What all decoders of the
    process hold is bounded; a picture counts until the next one is asked for.

    Args:
        draft_size: from a JPEG's width and height, the size it need not exceed: it may be decoded
            at a half, quarter or eighth, as long as it gets no smaller than that.
        max_megapixels: refuse, before decoding, what declares more pixels than this.
        only: the number (from 1) of the one frame that is wanted.
    """
    limits = _Limits(draft_size, max_megapixels)
    kind = None
    try:
        # Given a path, Pillow maps some files into memory: it scrambles turned TIFFs, and a file
        # that another program shortens meanwhile would end the process.
        with open(found.path, "rb") as file:
            if file.read(4) in TIFF_SIGNATURES:
                yield from _pages(found, file, limits, only)
            elif only in (None, 1):
                with _opened(file) as opened:
                    kind = opened.format
                    yield from _single(file, opened, limits)
    except Exception as exc:
        yield reasons.refusal(found, exc, kind, only or 1)


def _opened(file: BinaryIO) -> ImageFile:
    try:
        return open_image(file)
    except Exception:
        if again := _png_mended(file):
            return again
        raise


def _single(file: BinaryIO, opened: ImageFile, limits: _Limits) -> Iterator[Picture]:
    mode, kind, (width, height) = opened.mode, str(opened.format), opened.size
    limits.refuse_larger(width, height)
    limits.draft(opened)
    as_stored = opened.size
    with memory.decoders.holding(memory.decoded_size(*as_stored, mode)):
        loaded = _loaded(file, opened, limits)
        image = _deep(file, loaded) or to_grey_or_rgb(_upright(loaded))
        if image.size != as_stored:
            width, height = height, width
        yield _fit(image, Frame(1, 1, width, height, mode, kind))


def _loaded(file: BinaryIO, opened: ImageFile, limits: _Limits) -> ImageFile:
    """The picture with its pixels, though a blemish that costs none of them may be in the file."""
    try:
        opened.load()
    except Exception:
        mended = _png_mended(file) if opened.format == "PNG" else None
        if opened.format in ("JPEG", "MPO"):
            mended = _jpeg_mended(file, limits)
        if mended is None:
            raise
        return mended
    return opened


def _png_mended(file: BinaryIO) -> ImageFile | None:
    data = _all_of(file)
    if not data.startswith(mending.PNG_SIGNATURE):
        return None
    without = mending.png_without_remarks(data)
    return open_image(io.BytesIO(without), ("PNG",)) if without else None


def _jpeg_mended(file: BinaryIO, limits: _Limits) -> ImageFile | None:
    """The picture of a JPEG that lacks its end, if no pixel depends on what followed there."""
    first, seen = None, set()
    for data in mending.jpeg_with_an_end(_all_of(file)):
        again = open_image(io.BytesIO(data), ("JPEG",))
        limits.draft(again)
        again.load()
        seen.add(hashlib.sha256(again.tobytes()).digest())
        first = first or again
    return first if len(seen) == 1 else None


def _deep(file: BinaryIO, loaded: ImageFile) -> Image.Image | None:
    """The picture upright, in 8 bits, if it has more and Pillow reads them wrongly; else None."""
    image = None
    if loaded.format == "JPEG2000":
        data = _all_of(file)
        stream = deep.read_codestream(data)
        if stream and stream.bits > 8 and stream.components > 1:
            image = deep.read_jpeg_2000(data, stream)
    elif loaded.format == "PNG" and _is_dark(loaded) and "transparency" not in loaded.info:
        data = _all_of(file)
        image = deep.read_dark(data) if data[24:25] == b"\x10" else None
        if image and loaded.mode == "LA":
            image = image.convert("L")
    return image and _turned(image, loaded.getexif().get(tiff.ORIENTATION, 1))


def _is_dark(loaded: Image.Image) -> bool:
    """Whether a picture of several samples stays in the lower half of its 8 bits."""
    colours = {"RGB": 3, "RGBA": 3, "LA": 1}.get(loaded.mode)
    if not colours:
        return False
    extrema = np.reshape(loaded.getextrema(), (-1, 2))
    return bool(extrema[:colours].max() < DARK)


def _pages(
    found: Found, file: BinaryIO, limits: _Limits, only: int | None
) -> Iterator[Picture | Refused]:
    try:
        pages = tiff.read_pages(file).pages
    except struct.error:
        raise EOFError from None
    opened = None
    with suppress(Exception):
        opened = open_image(file, ("TIFF",))
    for number, page in enumerate(pages, start=1):
        if only in (None, number):
            try:
                yield from _page(file, opened, page, (number, len(pages)), limits)
            except Exception as exc:
                yield reasons.refusal(found, exc, "TIFF", number)
    if not pages:
        raise UnidentifiedImageError


def _page(
    file: BinaryIO,
    opened: ImageFile | None,
    page: Page,
    place: tuple[int, int],
    limits: _Limits,
) -> Iterator[Picture]:
    if not page.whole:
        raise EOFError
    if not any(tag in page.entries for tag in tiff.PLACES):
        raise UnfitError("damaged TIFF: it does not say where the page's pixels are")
    reader = deep.tiff_reader(page)
    size = page.value(tiff.WIDTH), page.value(tiff.LENGTH)
    limits.refuse_larger(*size)
    with memory.decoders.holding(memory.decoded_size(*size, page.mode)):
        if reader == deep.PILLOW:
            image, mode = _by_pillow(file, opened, page)
        else:
            image, mode = deep.read_tiff(_all_of(file), page, reader), page.mode
            image = _turned(image, page.value(tiff.ORIENTATION, 1))
        yield _fit(image, Frame(*place, *image.size, mode, "TIFF"))


def _by_pillow(file: BinaryIO, opened: ImageFile | None, page: Page) -> tuple[Image.Image, str]:
    """A page in 8 bits and upright, and its mode in the file."""
    if opened is None:
        # Pillow opens no file whose first page it cannot read.
        opened = open_image(io.BytesIO(tiff.as_first(_all_of(file), page)), ("TIFF",))
    else:
        opened.seek(page.position)
    if not getattr(opened, "tile", None):
        raise UnfitError("damaged TIFF: it does not say where the page's pixels are")
    mode = opened.mode
    opened.load()
    if page.bits == 16 and page.photometric == 2 and _is_dark(opened):
        image = deep.read_tiff(_all_of(file), page, deep.OPENCV)
        return _turned(image, page.value(tiff.ORIENTATION, 1)), mode
    image = to_grey_or_rgb(_upright(opened))
    return (image.copy() if image is opened else image), mode  # the next page takes its place


def _all_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _fit(image: Image.Image, frame: Frame) -> Picture:
    if is_blank(image):
        raise UnfitError("blank: every pixel is the same")
    return Picture(frame, image)


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """Returns the image in 8-bit grey (L) or RGB, on white where it is transparent; perhaps itself.

    More than 8 bits of grey are scaled to the bits they use, floating-point grey to its range.
    """
    image.load()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(deep.to_8_bits(np.asarray(image)))
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P" and _has_grey_palette(image):
        return image.convert("L")
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    grey = image.mode in ("L", "LA", "1")
    return Image.alpha_composite(white, layered).convert("L" if grey else "RGB")


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _upright(image: ImageFile) -> Image.Image:
    """The image itself, turned as its EXIF says."""
    with suppress(Exception):  # damaged EXIF says nothing about the picture
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation in EXIF and TIFF."""


def is_blank(image: Image.Image) -> bool:
    """Returns whether every pixel is the same."""
    extrema = np.reshape(image.getextrema(), (-1, 2))
    return bool((extrema[:, 0] == extrema[:, 1]).all())
