"""How the pages of a TIFF follow one another, what their samples are, and which are cut off.

Pillow skips a directory that is cut off: the pages after it go missing without a word, and the
page itself may show the picture of the one before. It takes reduced copies and masks for pages.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

BIG_VERSION = 43
TYPE_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}

# Size, depth, compression, meaning, fill order, strips or tiles, colour map, extra samples, tables:
# what the pixels depend on. Any other tag may be broken, and the picture good.
PIXEL_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284}
    | {320, 322, 323, 324, 325, 338, 339, 347}
)
SUBFILE, OLD_SUBFILE = 254, 255
REDUCED, MASK, OLD_REDUCED = 1, 4, 2
WIDTH, LENGTH = 256, 257
BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANAR = 258, 259, 262, 266, 277, 284
ORIENTATION, EXTRA, FORMAT = 274, 338, 339
PLACES = {273: 279, 324: 325}
"""The tags that say where strips and tiles begin, with those that say how long they are."""

READ_TAGS = frozenset(
    {SUBFILE, OLD_SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES}
    | {PLANAR, ORIENTATION, EXTRA, FORMAT, 273, 279, 324, 325}
)
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
ASSOCIATED, UNASSOCIATED = 1, 2
UNKNOWN_TAG = 65000

FORMAT_WORDS = {SIGNED: " signed", FLOATING: " floating-point"}
COLOUR_WORDS = {3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 32803: "raw sensor data"}
COMPRESSION_WORDS = {
    6: "old JPEG",
    7: "JPEG",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
COMMON_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946})


@dataclass(frozen=True)
class Entry:
    """One tag of a directory: where its entry is in the file, its type and its values."""

    at: int
    kind: int
    count: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class Page:
    """One page: where it stands in the chain of directories (from 0), and what its samples are.

    `whole` where all that the pixels depend on is inside the file.
    """

    position: int
    offset: int
    order: str
    big: bool
    whole: bool
    entries: Mapping[int, Entry]

    def value(self, tag: int, default: int = 0) -> int:
        """Returns the first value of a tag."""
        entry = self.entries.get(tag)
        return entry.values[0] if entry and entry.values else default

    def values(self, tag: int) -> tuple[int, ...]:
        """Returns all values of a tag; none where it is absent."""
        entry = self.entries.get(tag)
        return entry.values if entry else ()

    @property
    def samples(self) -> int:
        """How many samples a pixel has."""
        return self.value(SAMPLES, 1)

    @property
    def bits(self) -> int | None:
        """The bits of a sample; None where samples differ."""
        bits = set(self.values(BITS) or (1,))
        return bits.pop() if len(bits) == 1 else None

    @property
    def format(self) -> int | None:
        """Unsigned, signed or floating-point; None where samples differ."""
        formats = set(self.values(FORMAT) or (UNSIGNED,))
        return formats.pop() if len(formats) == 1 else None

    @property
    def photometric(self) -> int:
        """What the samples mean: 0 grey where 0 is white, 1 grey, 2 RGB, …"""
        return self.value(PHOTOMETRIC, 0)

    @property
    def compression(self) -> int:
        """How the samples are compressed; 1 is not at all."""
        return self.value(COMPRESSION, 1)

    @property
    def planar(self) -> bool:
        """Whether each sample has a plane of its own."""
        return self.samples > 1 and self.value(PLANAR, 1) == 2

    @property
    def alpha(self) -> int | None:
        """Whether the first extra sample is associated (1) or unassociated (2) alpha, or neither.

        Four samples of RGB without a word are taken for RGB with alpha, as everybody does.
        """
        colours = 3 if self.photometric == 2 else 1
        if self.samples <= colours:
            return None
        extra = self.values(EXTRA)
        if not extra:
            return UNASSOCIATED if self.samples == 4 else None
        return extra[0] if extra[0] in (ASSOCIATED, UNASSOCIATED) else None

    @property
    def mode(self) -> str:
        """What Pillow would call its samples, or nearly."""
        if self.samples > 1:
            return "RGB" if (self.photometric, self.samples) == (2, 3) else "RGBA"
        if self.format != UNSIGNED:
            return "F"
        return {1: "1", 2: "L", 4: "L", 8: "L", 16: "I;16"}.get(self.bits or 0, "I")

    def kind(self) -> str:
        """What sort of TIFF it is, in words: `16 bits, 4 samples, planar`."""
        sizes = set(self.values(BITS) or (1,))
        bits = " and ".join(str(size) for size in sorted(sizes))
        words = [f"{bits} bits{FORMAT_WORDS.get(self.format or 0, '')}"]
        if self.samples > 1:
            words.append(f"{self.samples} samples")
        if self.planar:
            words.append("planar")
        if self.photometric == 0 and self.samples == 1:
            words.append("0 is white")
        if self.photometric in COLOUR_WORDS:
            words.append(COLOUR_WORDS[self.photometric])
        if self.compression not in COMMON_COMPRESSIONS:
            compression = COMPRESSION_WORDS.get(self.compression, f"unknown ({self.compression})")
            words.append(f"{compression} compression")
        if self.big and self.order == ">":
            words.append("BigTIFF, big-endian")
        return ", ".join(words)

    def holds_its_pixels(self, size: int) -> bool:
        """Returns whether every strip or tile lies within a file of that many bytes."""
        for place, length in PLACES.items():
            if place in self.entries:
                starts, lengths = self.values(place), self.values(length)
                return len(starts) == len(lengths) and all(
                    start + some <= size for start, some in zip(starts, lengths, strict=True)
                )
        return False


@dataclass(frozen=True)
class Pages:
    """The pages of a TIFF; reduced copies and masks are none."""

    pages: tuple[Page, ...]


def read_pages(file: BinaryIO) -> Pages:
    """Follows the chain of directories (TIFF 6.0, section 2; BigTIFF).

    Raises:
        struct.error: not even the header is there.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = file.read(16)
    order = "<" if header.startswith(b"II") else ">"
    big = struct.unpack_from(order + "H", header, 2)[0] == BIG_VERSION
    (offset,) = struct.unpack_from(order + ("Q" if big else "L"), header, 8 if big else 4)
    seen: set[int] = set()
    pages: list[Page] = []
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(min(offset, size))
        start = offset
        try:
            whole, entries, offset = _read_directory(file, size, order, big=big)
        except struct.error:
            whole, entries, offset = False, {}, 0
        pages.append(Page(len(pages), start, order, big, whole, entries))
    # A file of nothing but a page that calls itself reduced is a picture all the same.
    return Pages(tuple([page for page in pages if not _is_aside(page)] or pages[:1]))


def _is_aside(page: Page) -> bool:
    return bool(
        page.value(SUBFILE) & (REDUCED | MASK)
        or (SUBFILE not in page.entries and page.value(OLD_SUBFILE) == OLD_REDUCED)
    )


def _read_directory(
    file: BinaryIO, size: int, order: str, *, big: bool
) -> tuple[bool, dict[int, Entry], int]:
    """Whether all that the pixels depend on is inside the file, its tags, the next directory."""
    number, word = ("Q", "Q") if big else ("H", "L")
    (entries,) = _read(file, order + number)
    whole = True
    found: dict[int, Entry] = {}
    room = struct.calcsize(order + word)
    for _ in range(entries):
        at = file.tell()
        tag, kind, count, value = _read(file, order + "HH" + word + word)
        length = count * TYPE_SIZES.get(kind, 1)
        if tag in PIXEL_TAGS and length > room and value + length > size:
            whole = False
        elif tag in READ_TAGS and kind in INTEGERS and tag not in found:
            inside = at + struct.calcsize(order + "HH" + word)
            values = _values(file, order, kind, count, inside if length <= room else value)
            found[tag] = Entry(at, kind, count, values)
            file.seek(at + struct.calcsize(order + "HH" + word + word))
    return whole, found, _read(file, order + word)[0]


def _values(file: BinaryIO, order: str, kind: int, count: int, at: int) -> tuple[int, ...]:
    file.seek(at)
    try:
        return _read(file, f"{order}{count}{INTEGERS[kind]}")
    except struct.error:
        return ()


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def as_first(data: bytes, page: Page) -> bytearray:
    """Returns the file with one page as its first, for a reader that knows only the first."""
    changed = bytearray(data)
    if page.big:
        struct.pack_into(page.order + "Q", changed, 8, page.offset)
    else:
        struct.pack_into(page.order + "L", changed, 4, page.offset)
    return changed


def planes(data: bytes, page: Page) -> list[bytearray]:
    """Returns a file of one grey sample for each plane of a page, its white the greatest value.

    Every reader knows such files, whatever the byte order; of several planes Pillow reads some as
    noise, and of one whose zero is white it makes a negative. The pixels stay where they are: only
    the directory is written anew, in its place.
    """
    made = []
    count = page.samples if page.planar else 1
    for number in range(count):
        changed = as_first(data, page)
        for tag in (BITS, FORMAT):
            if tag in page.entries:
                _write(changed, page, tag, page.values(tag)[:1])
        for tag in (PHOTOMETRIC, SAMPLES, PLANAR):
            if tag in page.entries:
                _write(changed, page, tag, (1,))
        if EXTRA in page.entries:
            # An entry cannot be taken away in its place: nobody knows this tag.
            struct.pack_into(page.order + "H", changed, page.entries[EXTRA].at, UNKNOWN_TAG)
        for tag in (*PLACES, *PLACES.values()):
            values = page.values(tag)
            share = len(values) // count
            if values:
                _write(changed, page, tag, values[number * share : (number + 1) * share])
        made.append(changed)
    return made


def _write(data: bytearray, page: Page, tag: int, values: tuple[int, ...]) -> None:
    """Puts fewer or as many values of a tag in the place of those that were there."""
    entry = page.entries[tag]
    word = "Q" if page.big else "L"
    packed = struct.pack(f"{page.order}{len(values)}{INTEGERS[entry.kind]}", *values)
    struct.pack_into(page.order + word, data, entry.at + 4, len(values))
    room = struct.calcsize(page.order + word)
    inside = entry.at + 4 + room
    if len(packed) <= room:
        data[inside : inside + room] = packed.ljust(room, b"\0")
    else:
        (place,) = struct.unpack_from(page.order + word, data, inside)
        data[place : place + len(packed)] = packed
