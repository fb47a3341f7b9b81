"""How the pages of a TIFF follow one another, and which of them the file's end cuts off.

Pillow passes over a directory that is cut off: the pages after it go missing without a word, and
the page itself may show the picture of the one before.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

BIG_VERSION = 43
TYPE_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

# Size, depth, compression, meaning, fill order, strips or tiles, colour map, extra samples, tables:
# what the pixels depend on. Any other tag may be broken, and the picture good.
PIXEL_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284}
    | {320, 322, 323, 324, 325, 338, 339, 347}
)


@dataclass(frozen=True)
class Pages:
    """How many pages a TIFF has, and the numbers (from 1) of those that are not all there."""

    count: int
    cut_off: frozenset[int]


def read_pages(file: BinaryIO) -> Pages:
    """Follow the chain of directories (TIFF 6.0, section 2; BigTIFF)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = file.read(16)
    order = "<" if header.startswith(b"II") else ">"
    big = BIG_VERSION in header[2:4]
    (offset,) = struct.unpack_from(order + ("Q" if big else "L"), header, 8 if big else 4)
    seen: set[int] = set()
    cut_off: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(min(offset, size))
        try:
            whole, offset = _read_directory(file, size, order, big=big)
        except struct.error:
            whole, offset = False, 0
        if not whole:
            cut_off.add(len(seen))
    return Pages(len(seen), frozenset(cut_off))


def _read_directory(file: BinaryIO, size: int, order: str, *, big: bool) -> tuple[bool, int]:
    """Whether all that the pixels depend on is inside the file, and where the next directory is."""
    number, word = ("Q", "Q") if big else ("H", "L")
    (entries,) = _read(file, order + number)
    whole = True
    for _ in range(entries):
        tag, kind, count, value = _read(file, order + "HH" + word + word)
        length = count * TYPE_SIZES.get(kind, 1)
        if tag in PIXEL_TAGS and length > struct.calcsize(order + word) and value + length > size:
            whole = False
    return whole, _read(file, order + word)[0]


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
