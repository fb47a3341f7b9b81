"""Blemishes that cost no pixel: a JPEG without its end, a PNG whose remarks are damaged."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
TRANSPARENCY = b"tRNS"

END = b"\xff\xd9"
TAILS = (bytes(4096), b"\xff\0" * 2048, b"\x55" * 4096, bytes(range(0, 251, 7)) * 100)
"""What may follow a JPEG that breaks off: where all pixels are there, none depends on it."""

SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
SOS, DRI, EOI = 0xDA, 0xDD, 0xD9
RESTARTS = range(0xD0, 0xD8)
COEFFICIENTS = 64


def png_without_remarks(data: bytes) -> bytes | None:
    """Returns a PNG without its texts and without ancillary chunks whose checksum is wrong.

    None if there are none. A fault that the pixels depend on is left in.
    """
    kept, dropped = [PNG_SIGNATURE], False
    for kind, chunk, sound in _chunks(data):
        if kind in TEXTS or (not sound and kind[:1].islower() and kind != TRANSPARENCY):
            dropped = True
        else:
            kept.append(chunk)
    return b"".join(kept) if dropped else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">L", data, at)
        end = at + 12 + length
        kind = data[at + 4 : at + 8]
        chunk = data[at:end]
        yield kind, chunk, struct.pack(">L", zlib.crc32(chunk[4:-4])) == chunk[-4:]
        at = end
    if at < len(data):
        yield b"", data[at:], False


@dataclass
class _Scans:
    """What the markers of a JPEG tell: its frame, and how far its scans have come."""

    precision: int = 0
    marker: int = 0
    size: tuple[int, int] = (0, 0)
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    interval: int = 0
    lacking: dict[int, list[int | None]] = field(default_factory=dict)
    last: tuple[int, ...] = ()
    restarts: int = 0

    def frame(self, marker: int, segment: bytes) -> None:
        self.marker = marker
        self.precision, height, width, count = struct.unpack_from(">BHHB", segment)
        self.size = (width, height)
        for number in range(count):
            name, factors = struct.unpack_from(">BB", segment, 6 + 3 * number)
            self.sampling[name] = (factors >> 4, factors & 15)
            self.lacking[name] = [None] * COEFFICIENTS

    def scan(self, segment: bytes) -> None:
        count = segment[0]
        self.last = tuple(segment[1 + 2 * n] for n in range(count))
        self.restarts = 0
        first, final, approximation = segment[1 + 2 * count : 4 + 2 * count]
        if self.marker not in PROGRESSIVE:
            first, final, approximation = 0, COEFFICIENTS - 1, 0
        for name in self.last:
            for index in range(first, final + 1):
                self.lacking[name][index] = approximation & 15

    def is_complete(self) -> bool:
        """Whether every coefficient of every component has come to its last bit."""
        return bool(self.lacking) and all(
            bits == 0 for every in self.lacking.values() for bits in every
        )

    def has_its_restarts(self) -> bool:
        """Whether the last scan has as many restart markers as its units ask for."""
        if not self.interval:
            return True
        return self.restarts >= ceil(self._units() / self.interval) - 1

    def _units(self) -> int:
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        width, height = self.size
        if len(self.last) == 1:
            h, v = self.sampling[self.last[0]]
            width, height = ceil(width * h / across), ceil(height * v / down)
            across = down = 1
        return ceil(width / (8 * across)) * ceil(height / (8 * down))


def jpeg_with_an_end(data: bytes) -> list[bytes]:
    """Returns a JPEG that lacks nothing but its end marker with several ends; none if it has one.

    All its pixels are there if, and only if, the pictures in all of these are the same: then
    nothing in them depends on what may have followed. That no scan is missing is seen here.
    """
    # Bytes 0xFF may fill the space before a marker: the end may have been cut off after them.
    body = data.rstrip(b"\xff") if data.endswith(b"\xff") else data
    try:
        scans, ended = _markers(body)
    except (struct.error, IndexError, KeyError, ValueError):
        return []
    if ended or not scans.is_complete() or not scans.has_its_restarts():
        return []
    return [body + END, *(body + tail + END for tail in TAILS)]


def jpeg_kind(data: bytes) -> str | None:
    """Returns what is uncommon in a JPEG's samples, in words: `12 bits`, `lossless`; else None."""
    try:
        scans, _ = _markers(data)
    except (struct.error, IndexError, KeyError, ValueError):
        return None
    words = [f"{scans.precision} bits"] if scans.precision not in (0, 8) else []
    if scans.marker in (0xC3, 0xC7, 0xCB, 0xCF):
        words.append("lossless")
    elif scans.marker >= 0xC9:
        words.append("arithmetic coding")
    return ", ".join(words) or None


def _markers(data: bytes) -> tuple[_Scans, bool]:
    """What the markers tell, and whether the end is among them."""
    scans = _Scans()
    at = data.index(b"\xff", 2)
    while at + 1 < len(data):
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == EOI:
            return scans, True
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in SOF:
            scans.frame(marker, segment)
        elif marker == DRI:
            (scans.interval,) = struct.unpack(">H", segment)
        elif marker == SOS:
            scans.scan(segment)
            at = _past_entropy(data, at, scans)
    return scans, False


def _past_entropy(data: bytes, at: int, scans: _Scans) -> int:
    """Where the marker after a scan's data stands; restart markers are counted."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        marker = data[at + 1]
        if marker in RESTARTS:
            scans.restarts += 1
        elif marker not in (0, 0xFF):
            return at
        at += 1 if marker == 0xFF else 2
