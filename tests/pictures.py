"""Picture files of every kind, made from arrays, and ways of spoiling them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from imgsim.database.connection import Connection
from imgsim.images import files, spelling
from imgsim.images.files import Found

Pixels = npt.NDArray[np.uint8]

SIZE = (60, 44)


def scene(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth coloured picture, so that what compresses with loss stays near it."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def add_picture(connection: Connection, path: Path) -> int:
    """Put the row of a picture file into the store, without a vector; its id."""
    found = Found(str(path), path.stat().st_size, path.stat().st_mtime_ns)
    with Image.open(path) as image:
        row = connection.execute(
            """
            insert into imgsim.image
                (name, path, sha256, bytes, modified_ns, width, height, mode, format)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            returning image_id
            """,
            [
                *(
                    spelling.composed(path.stem),
                    found.path,
                    files.digest(found),
                    found.size,
                    found.modified_ns,
                ),
                *(*image.size, image.mode, image.format),
            ],
        ).fetchone()
    assert row is not None
    return int(row[0])


def take_in_again(connection: Connection, image_id: int, path: Path) -> None:
    """Write down that an image is in that file, and what the file now holds, as an ingest would."""
    found = Found(str(path), path.stat().st_size, path.stat().st_mtime_ns)
    connection.execute(
        """
        update imgsim.image
        set path = %s, sha256 = %s, bytes = %s, modified_ns = %s
        where image_id = %s
        """,
        [found.path, files.digest(found), found.size, found.modified_ns, image_id],
    )


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(mode: str, seed: int = 0) -> Image.Image:
    image = scene(seed).convert("L" if mode == "LA" else "RGB")
    image.putalpha(scene(seed + 1).convert("L"))
    return image


def sixteen_bits(seed: int = 0) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 1 << 16, SIZE[::-1], dtype=np.uint16)


def lab(seed: int = 0) -> Image.Image:
    srgb, lab_profile = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(scene(seed), srgb, lab_profile, outputMode="LAB")
    assert converted is not None
    return converted


def pages(count: int = 3, mode: str = "L", **options: Any) -> bytes:
    """A TIFF of several pages, all of the same size."""
    first, *others = (scene(10 + number).convert(mode) for number in range(count))
    return file_of(first, "TIFF", save_all=True, append_images=others, **options)


def animated(kind: str, **options: Any) -> bytes:
    return file_of(scene(), kind, save_all=True, append_images=[scene(1), scene(2)], **options)


ENCODED: dict[str, Callable[[], bytes]] = {
    "grey.png": lambda: file_of(scene().convert("L"), "PNG"),
    "bilevel.png": lambda: file_of(scene().convert("1"), "PNG"),
    "palette.png": lambda: file_of(scene().quantize(16), "PNG"),
    "transparent palette.png": lambda: file_of(scene().quantize(16), "PNG", transparency=3),
    "grey with alpha.png": lambda: file_of(with_alpha("LA"), "PNG"),
    "colour with alpha.png": lambda: file_of(with_alpha("RGBA"), "PNG"),
    "16 bits.png": lambda: file_of(Image.fromarray(sixteen_bits()), "PNG"),
    "animated.png": lambda: animated("PNG"),
    "grey.jpg": lambda: file_of(scene().convert("L"), "JPEG"),
    "colour.jpg": lambda: file_of(scene(), "JPEG"),
    "progressive.jpg": lambda: file_of(scene(), "JPEG", progressive=True),
    "cmyk.jpg": lambda: file_of(scene().convert("CMYK"), "JPEG"),
    "plain.tif": lambda: file_of(scene(), "TIFF"),
    "g4.tif": lambda: file_of(scene().convert("1"), "TIFF", compression="group4"),
    "lzw.tif": lambda: file_of(scene(), "TIFF", compression="tiff_lzw"),
    "deflate.tif": lambda: file_of(scene(), "TIFF", compression="tiff_adobe_deflate"),
    "jpeg.tif": lambda: file_of(scene(), "TIFF", compression="jpeg"),
    "palette.tif": lambda: file_of(scene().quantize(16), "TIFF", compression="packbits"),
    "pages.tif": pages,
    "g4 pages.tif": lambda: pages(mode="1", compression="group4"),
    "cmyk.tif": lambda: file_of(scene().convert("CMYK"), "TIFF"),
    "float.tif": lambda: file_of(Image.fromarray(np.float32(sixteen_bits()) / 7), "TIFF"),
    "16 bits.tif": lambda: file_of(Image.fromarray(sixteen_bits()), "TIFF"),
    "lab.tif": lambda: file_of(lab(), "TIFF"),
    "animated.gif": lambda: animated("GIF"),
    "plain.gif": lambda: file_of(scene(), "GIF"),
    "plain.bmp": lambda: file_of(scene(), "BMP"),
    "bilevel.bmp": lambda: file_of(scene().convert("1"), "BMP"),
    "lossy.webp": lambda: file_of(scene(), "WEBP"),
    "lossless.webp": lambda: file_of(scene(), "WEBP", lossless=True),
    "animated.webp": lambda: animated("WEBP", lossless=True),
    "plain.jp2": lambda: file_of(scene(), "JPEG2000"),
    "codestream.j2k": lambda: file_of(scene(), "JPEG2000", no_jp2=True),
}
"""A file of each kind that can be read, by a name that says what it is."""


def png_declaring(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


def bmp_declaring(width: int, height: int) -> bytes:
    """A BMP that says it is that large."""
    data = bytearray(file_of(scene(), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tag_position(tiff: bytes, page: int, tag: int) -> int:
    """Where the entry of a tag begins in the directory of a page (from 1) of a TIFF."""
    directory: int
    (directory,) = struct.unpack_from("<I", tiff, 4)
    for _ in range(page - 1):
        (entries,) = struct.unpack_from("<H", tiff, directory)
        (directory,) = struct.unpack_from("<I", tiff, directory + 2 + 12 * entries)
    (entries,) = struct.unpack_from("<H", tiff, directory)
    positions = [directory + 2 + 12 * entry for entry in range(entries)]
    return next(at for at in positions if struct.unpack_from("<H", tiff, at)[0] == tag)


def with_bad_page(tiff: bytes, page: int) -> bytes:
    """A TIFF with the pixels of one page said to be far behind the file's end."""
    data = bytearray(tiff)
    at = tag_position(tiff, page, tag=273)
    data[at + 8 : at + 12] = struct.pack("<I", 1 << 30)
    return bytes(data)


def truncations(data: bytes, count: int = 30) -> list[bytes]:
    """The file cut off in its first bytes, in its last ones, and at places between."""
    near = {1, 2, 3, 4, 8, 12, 20, 33, 60, *(len(data) - n for n in (1, 2, 3, 4, 8, 12, 20))}
    spread = {len(data) * step // count for step in range(1, count)}
    return [data[:cut] for cut in sorted(near | spread) if 0 < cut < len(data)]
