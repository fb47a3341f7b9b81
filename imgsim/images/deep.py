"""Samples that Pillow reads wrongly or not at all, read by OpenCV or plane by plane.

Pillow wraps white to black in colour JPEG 2000 of more than 8 bits, reads planes of 16 bits as
noise, does not turn 16 bits whose zero is white, takes unsigned 32 bits for signed and signed 8 for
unsigned, swaps the bytes of compressed big-endian numbers twice, and opens no big-endian BigTIFF.
OpenCV reads all of these but the planes. Which of the two reads a file is told by its samples.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsim.images import tiff
from imgsim.images.opening import open_image
from imgsim.images.tiff import ASSOCIATED, COMMON_COMPRESSIONS, FLOATING, SIGNED, UNSIGNED, Page

Samples = npt.NDArray[Any]

PILLOW, PLANES, OPENCV = "pillow", "planes", "opencv"
OPENCV_GREY = frozenset(
    {(UNSIGNED, 32), (UNSIGNED, 64), (SIGNED, 8), (SIGNED, 16), (SIGNED, 32)}
    | {(FLOATING, 32), (FLOATING, 64)}
)
"""Formats and bits of grey samples that Pillow does not read rightly in all byte orders."""

SIZ = b"\xff\x4f\xff\x51"
GREY_OR_RGB = (16, 17)
"""Colour spaces of a JPEG 2000, as its `colr` box numbers them: sRGB and grey."""


class UnreadableKindError(Exception):
    """A file of a kind that nobody here reads, though it may be whole; the message names it."""


def tiff_reader(page: Page) -> str:
    """Returns who reads a page's samples.

    Raises:
        UnreadableKindError: nobody does.
    """
    reader = _planes_reader(page) if page.planar else _one_plane_reader(page)
    backwards = page.big and page.order == ">"
    if backwards and reader == PLANES and not page.planar:
        reader = OPENCV
    if (
        reader is None
        or (backwards and not _opencv_reads(page, reader))
        or (reader == PLANES and tiff.PHOTOMETRIC not in page.entries)
        or (reader != PILLOW and page.compression not in COMMON_COMPRESSIONS)
    ):
        raise unreadable_tiff(page)
    return reader


def _planes_reader(page: Page) -> str | None:
    eight = page.bits == 8 and page.format == UNSIGNED and tiff.EXTRA not in page.entries
    if eight and (page.photometric, page.samples) in ((2, 3), (5, 4)):
        return PILLOW
    whole_numbers = page.format == UNSIGNED and page.bits in (8, 16)
    if page.photometric == 0 and page.alpha == ASSOCIATED:
        return None
    return PLANES if whole_numbers and page.photometric in (0, 1, 2) else None


def _one_plane_reader(page: Page) -> str | None:
    if page.samples == 1 and page.photometric in (0, 1):
        if (page.photometric, page.format, page.bits) == (0, SIGNED, 8):
            return None
        if (page.format, page.bits) in OPENCV_GREY:
            return OPENCV
        if (page.photometric, page.format, page.bits) == (0, UNSIGNED, 16):
            return PLANES
    if page.big and page.order == ">":
        return OPENCV
    return PILLOW


def _opencv_reads(page: Page, reader: str) -> bool:
    """Whether OpenCV gives the samples of a big-endian BigTIFF as they are."""
    if reader != OPENCV or page.planar:
        return False
    if page.samples == 1 and (page.format, page.bits) in OPENCV_GREY:
        return True
    known = (page.photometric, page.samples) in ((0, 1), (1, 1), (2, 3))
    # Of 8 bits with alpha it has multiplied one with the other.
    deep = (page.photometric, page.samples, page.bits) == (2, 4, 16)
    return page.format == UNSIGNED and (deep or (known and page.bits in (8, 16)))


def unreadable_tiff(page: Page) -> UnreadableKindError:
    """Returns the refusal of a page whose samples nobody reads."""
    return UnreadableKindError(f"a TIFF of a kind that cannot be read: {page.kind()}")


def read_tiff(data: bytes, page: Page, reader: str) -> Image.Image:
    """Returns a page as 8-bit grey or RGB, on white where it is transparent.

    Raises:
        EOFError: strips or tiles lie behind the file's end.
        OSError: the samples cannot be decoded.
    """
    if not page.holds_its_pixels(len(data)):
        raise EOFError
    if reader == PLANES:
        planes = [_grey(changed) for changed in tiff.planes(data, page)]
        samples = planes[0] if len(planes) == 1 else np.dstack(planes)
    else:
        samples = _opencv(tiff.as_first(data, page))
        if samples.ndim == 3:
            samples = samples[..., [2, 1, 0, *range(3, samples.shape[2])]]
        if (samples.shape[2] if samples.ndim == 3 else 1) != page.samples:
            raise unreadable_tiff(page)
    if page.photometric == 0 and (reader == PLANES or page.bits != 8):
        # OpenCV turns 8 bits round, leaves other numbers as they are; so do the planes.
        samples = _turned_round(samples, page.samples)
    colours = 3 if page.photometric == 2 else 1
    return composed(samples, colours, page.alpha)


def _turned_round(samples: Samples, count: int) -> Samples:
    """Grey whose zero is white, with zero for black; extra samples stay."""
    colour = samples if count == 1 else samples[..., :1]
    if colour.dtype.kind == "u":
        most = np.array((1 << _used_bits(colour)) - 1, colour.dtype)
        turned = most - colour
    else:
        turned = -colour.astype(np.float64)
    return turned if count == 1 else np.concatenate([turned, samples[..., 1:]], axis=-1)


def _grey(data: bytearray) -> Samples:
    # Not Image.open, which refuses what Pillow thinks too large.
    with open_image(io.BytesIO(data), ("TIFF",)) as opened:
        return np.asarray(opened)


def _opencv(data: bytes | bytearray) -> Samples:
    import cv2

    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise OSError("the samples cannot be decoded")
    return np.asarray(read)


def composed(samples: Samples, colours: int, alpha: int | None) -> Image.Image:
    """Returns samples shaped (height, width[, samples]) as 8-bit grey or RGB, laid on white.

    Args:
        colours: how many of the samples are colour: 1 or 3.
        alpha: whether the sample after them is associated or unassociated alpha, or neither.
    """
    if samples.ndim == 2:
        return Image.fromarray(to_8_bits(samples))
    colour = to_8_bits(samples[..., :colours])
    if alpha is not None and samples.shape[2] > colours:
        opacity = to_8_bits(samples[..., colours]).astype(np.float32)[..., None] / 255
        if alpha == ASSOCIATED:
            laid = colour + 255 * (1 - opacity)
        else:
            laid = colour * opacity + 255 * (1 - opacity)
        colour = laid.round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(colour[..., 0] if colours == 1 else np.ascontiguousarray(colour))


def to_8_bits(values: Samples) -> npt.NDArray[np.uint8]:
    """Returns numbers scaled to 8 bits: by the bits they use, or by their range if some are < 0.

    Scanners write 8, 10, 12 or 16 significant bits into 16.
    """
    if values.dtype.kind == "f" or (values.dtype.kind == "i" and values.min() < 0):
        finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = finite.min(), finite.max()
        scaled = (finite - low) * (255.0 / max(high - low, np.finfo(float).tiny))
        return np.asarray(scaled, np.uint8)
    return np.asarray(values >> (_used_bits(values) - 8), np.uint8)


def _used_bits(values: Samples) -> int:
    return max(8, int(values.max()).bit_length())


@dataclass(frozen=True)
class Codestream:
    """What a JPEG 2000 says of its components: their bits, whether all are alike and plain."""

    bits: int
    components: int
    plain: bool

    def kind(self) -> str:
        """What sort of JPEG 2000 it is, in words."""
        odd = "" if self.plain else ", components that differ"
        return f"{self.bits} bits, {self.components} components{odd}"


def read_codestream(start: bytes) -> Codestream | None:
    """Returns what the header of a JPEG 2000 says (ISO/IEC 15444-1, A.5.1); None if it is cut."""
    at = start.find(SIZ)
    if at < 0:
        return None
    try:
        (count,) = struct.unpack_from(">H", start, at + 40)
        each = [struct.unpack_from(">BBB", start, at + 42 + 3 * number) for number in range(count)]
    except struct.error:
        return None
    bits = max(((depth & 127) + 1 for depth, _, _ in each), default=0)
    plain = all(part == (bits - 1, 1, 1) for part in each)
    colr = start.rfind(b"colr", 0, at)
    if colr >= 0 and start[colr + 4 : colr + 5] == b"\x01":
        (space,) = struct.unpack_from(">L", start, colr + 7)
        plain = plain and space in GREY_OR_RGB
    return Codestream(bits, count, plain)


def read_jpeg_2000(data: bytes, stream: Codestream) -> Image.Image:
    """Returns a colour JPEG 2000 of more than 8 bits as 8-bit RGB.

    Raises:
        UnreadableKindError: its components are not RGB, or RGB and alpha, of one depth.
        OSError: it cannot be decoded.
    """
    unreadable = UnreadableKindError(f"a JPEG 2000 of a kind that cannot be read: {stream.kind()}")
    if not stream.plain or stream.components not in (3, 4):
        raise unreadable
    samples = _opencv(data)
    # OpenCV drops what it does not know without a word.
    if samples.ndim != 3 or samples.shape[2] != stream.components:
        raise unreadable
    return composed(samples[..., [2, 1, 0, *range(3, samples.shape[2])]], 3, tiff.UNASSOCIATED)


def read_dark(data: bytes) -> Image.Image | None:
    """Returns a colour picture of 16 bits a sample that uses less of them, scaled by what it uses.

    Pillow keeps the upper 8 of 16 bits: of 12 in 16 that is nearly black. None if OpenCV finds
    other samples than three or four of 16 bits.
    """
    samples = _opencv(data)
    if samples.dtype != np.uint16 or samples.ndim != 3 or samples.shape[2] not in (3, 4):
        return None
    return composed(samples[..., [2, 1, 0, *range(3, samples.shape[2])]], 3, tiff.UNASSOCIATED)
