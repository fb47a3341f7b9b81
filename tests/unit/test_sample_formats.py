"""Whatever the samples of a file are, it is read rightly, or refused by the name of its kind."""

from __future__ import annotations

import io
import itertools
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeGuard

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from imgsim.images import decoding, memory, opening
from imgsim.images.decoding import Picture
from imgsim.images.files import Found, Refused
from imgsim.images.stored import Content, open_picture
from tests.pictures import ENCODED, file_of, scene

# imgsim switches Pillow's warnings off; pytest switches them on again.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")

COLOUR = np.asarray(scene())
GREY = np.asarray(scene().convert("L"))
ALPHA = np.asarray(scene(1).convert("L"))

Array = np.ndarray[Any, np.dtype[Any]]


def whole(dtype: str) -> Callable[[Array], Array]:
    """From 8 bits to integers of more: white is the greatest."""
    factor = int(np.iinfo(dtype).max) // 255
    return lambda a: a.astype(dtype) * np.array(factor, dtype)


def signed(dtype: str) -> Callable[[Array], Array]:
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return lambda a: (low + a.astype("i8") * ((high - low) // 255)).astype(dtype)


def fraction(dtype: str) -> Callable[[Array], Array]:
    return lambda a: (a / 255).astype(dtype)


NUMBERS: dict[str, Callable[[Array], Array]] = {
    "u1": lambda a: a,
    **{dtype: whole(dtype) for dtype in ("u2", "u4", "u8")},
    **{dtype: signed(dtype) for dtype in ("i1", "i2", "i4")},
    **{dtype: fraction(dtype) for dtype in ("f2", "f4", "f8")},
}


def stretched(values: Array) -> Array:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) * 255)


def found(path: Path) -> Found:
    return Found(str(path), path.stat().st_size, path.stat().st_mtime_ns)


def read(path: Path) -> Array | str:
    """The picture of a file of one, or why there is none."""
    (item,) = decoding.decode(found(path))
    return item.reason if isinstance(item, Refused) else np.asarray(item.image)


def on_white(picture: Array, alpha: Array) -> Array:
    weight = (alpha if picture.ndim == 2 else alpha[..., None]) / 255
    return np.asarray(picture * weight + 255 * (1 - weight))


def samples_of(meaning: str, extra: str | None) -> tuple[Array, Array]:
    """Samples of 8 bits as a file holds them, and the picture that they mean."""
    picture = COLOUR if meaning == "rgb" else GREY
    stored = 255 - picture if meaning == "miniswhite" else picture
    if extra is None:
        return stored, picture
    if extra == "assocalpha":
        weight = (ALPHA if picture.ndim == 2 else ALPHA[..., None]) / 255
        stored = (picture * weight).round().astype(np.uint8)
    meant = picture if extra == "unspecified" else on_white(picture, ALPHA)
    return np.dstack([stored, ALPHA]), meant


ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
COMPRESSIONS = (None, "zlib", "lzw")
LAYOUTS = [
    (meaning, extra, planar)
    for meaning in ("minisblack", "miniswhite", "rgb")
    for extra in (None, "unassalpha", "assocalpha", "unspecified")
    for planar in ("contig", "separate")
    if not (planar == "separate" and meaning != "rgb" and extra is None)
    and not (meaning == "miniswhite" and extra == "assocalpha")
]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(("meaning", "extra", "planar"), LAYOUTS)
def test_a_tiff_is_read_rightly_or_refused_by_name(
    tmp_path: Path, dtype: str, meaning: str, extra: str | None, planar: str
) -> None:
    stored, picture = samples_of(meaning, extra)
    numbers = NUMBERS[dtype](stored)
    if planar == "separate":
        numbers = np.ascontiguousarray(np.moveaxis(numbers, -1, 0))
    expected = stretched(picture) if dtype[0] in "if" else picture
    path = tmp_path / "a.tif"
    for order, big, compression in itertools.product(ORDERS, (False, True), COMPRESSIONS):
        tifffile.imwrite(
            path,
            numbers,
            photometric=meaning,
            planarconfig=planar if numbers.ndim == 3 else None,
            extrasamples=[extra] if extra else None,
            byteorder=order,
            bigtiff=big,
            compression=compression,
            rowsperstrip=10,
            metadata=None,
        )
        got = read(path)
        if isinstance(got, str):
            bits = 8 * np.dtype(dtype).itemsize
            assert got.startswith(f"a TIFF of a kind that cannot be read: {bits} bits"), got
            assert not _must_be_read(dtype, meaning, extra, planar) or (order, big) == (">", True)
        else:
            assert got.shape == expected.shape
            assert np.abs(got.astype(float) - expected).max() <= 3


def _must_be_read(dtype: str, meaning: str, extra: str | None, planar: str) -> bool:
    """What scanners and image editors write."""
    if dtype == "u1":
        return meaning != "miniswhite" or extra is None
    if dtype == "u2":
        return meaning == "rgb" or extra is None or planar == "separate"
    return extra is None and meaning == "minisblack" and dtype != "f2"


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_fewer_bits_in_16_are_scaled_alike_in_grey_and_colour(
    tmp_path: Path, bits: int, kind: str, count: int
) -> None:
    of = {1: GREY, 3: COLOUR, 4: np.dstack([COLOUR, ALPHA])}[count]
    deep = (of.astype("u2") * 257) >> (16 - bits)
    blue_first = deep if count == 1 else deep[..., [2, 1, 0, *range(3, count)]]
    encoded = cv2.imencode(".png" if kind == "PNG" else ".tif", blue_first)[1]
    (tmp_path / "a").write_bytes(encoded.tobytes())
    got = read(tmp_path / "a")
    expected = {1: GREY, 3: COLOUR, 4: on_white(COLOUR, ALPHA)}[count]
    assert not isinstance(got, str)
    assert np.abs(got - expected.astype(float)).max() <= 2


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("form", ["jp2", "j2k"])
def test_white_stays_white_in_a_jpeg_2000_of_any_depth(
    tmp_path: Path, bits: int, count: int, form: str
) -> None:
    of = {1: GREY, 2: np.dstack([GREY, ALPHA]), 3: COLOUR, 4: np.dstack([COLOUR, ALPHA])}[count]
    deep = of if bits == 8 else (of.astype("u2") * 257) >> (16 - bits)
    data = imagecodecs.jpeg2k_encode(
        deep, level=0, codecformat=form, bitspersample=bits, reversible=True, mct=False
    )
    (tmp_path / "a").write_bytes(data)
    got = read(tmp_path / "a")
    if isinstance(got, str):
        assert (count, bits > 8) == (2, True)
        assert got == f"a JPEG 2000 of a kind that cannot be read: {bits} bits, 2 components"
        return
    expected = {1: GREY, 2: on_white(GREY, ALPHA), 3: COLOUR, 4: on_white(COLOUR, ALPHA)}[count]
    assert np.abs(got - expected).max() <= 2
    for cut in range(1, len(data), len(data) // 20):
        (tmp_path / "a").write_bytes(data[:cut])
        part = read(tmp_path / "a")
        assert isinstance(part, str) or np.array_equal(part, got)


EQUAL_TO_BOTH = {
    "grey.png": lambda: file_of(Image.fromarray(GREY), "PNG"),
    "colour.png": lambda: file_of(scene(), "PNG"),
    "16 bits.png": lambda: file_of(Image.fromarray(GREY.astype("u2") * 257), "PNG"),
    "colour.tif": lambda: file_of(scene(), "TIFF"),
    "lzw.tif": lambda: file_of(scene(), "TIFF", compression="tiff_lzw"),
    "16 bits.tif": lambda: file_of(Image.fromarray(GREY.astype("u2") * 257), "TIFF"),
    "colour.bmp": lambda: file_of(scene(), "BMP"),
    "lossless.webp": lambda: file_of(scene(), "WEBP", lossless=True),
    "grey.jp2": lambda: file_of(Image.fromarray(GREY), "JPEG2000"),
    "colour.jp2": lambda: file_of(scene(), "JPEG2000"),
}


@pytest.mark.parametrize("name", EQUAL_TO_BOTH)
def test_pillow_and_opencv_agree_on_what_both_read(tmp_path: Path, name: str) -> None:
    data = EQUAL_TO_BOTH[name]()
    (tmp_path / name).write_bytes(data)
    ours = read(tmp_path / name)
    theirs: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if theirs.dtype == np.uint16:
        theirs = (theirs >> 8).astype(np.uint8)
    assert np.array_equal(ours, theirs[..., ::-1] if theirs.ndim == 3 else theirs)


# Reduced copies and masks


def small_tiff(*pages: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in pages:
            writer.write(metadata=None, **page)
    return buffer.getvalue()


@pytest.mark.parametrize("subfile", [1, 4, 5, 3])
def test_a_reduced_copy_or_a_mask_is_no_page(tmp_path: Path, subfile: int) -> None:
    aside = GREY > 128 if subfile & 4 else GREY  # a mask has one bit
    data = small_tiff(
        {"data": GREY},
        {"data": aside[::2, ::2], "subfiletype": subfile},
        {"data": 255 - GREY},
        {"data": aside[::4, ::4], "subfiletype": subfile},
    )
    (tmp_path / "a.tif").write_bytes(data)
    items = list(decoding.decode(found(tmp_path / "a.tif")))
    assert [(i.frame.number, i.frame.count) for i in items if isinstance(i, Picture)] == [
        (1, 2),
        (2, 2),
    ]
    first, second = (np.asarray(i.image) for i in items if isinstance(i, Picture))
    assert np.array_equal(first, GREY)
    assert np.array_equal(second, 255 - GREY)


def test_a_reduced_copy_below_its_page_or_by_the_old_tag_is_no_page(tmp_path: Path) -> None:
    below = small_tiff({"data": GREY, "subifds": 1}, {"data": GREY[::2, ::2], "subfiletype": 1})
    old = bytearray(small_tiff({"data": GREY}, {"data": GREY[::2, ::2], "subfiletype": 1}))
    at = old.rindex(struct.pack("<HHLL", 254, 4, 1, 1))
    struct.pack_into("<HHLL", old, at, 255, 3, 1, 2)
    for data in (below, bytes(old)):
        (tmp_path / "a.tif").write_bytes(data)
        assert np.array_equal(read(tmp_path / "a.tif"), GREY)


def test_a_picture_that_calls_itself_reduced_and_is_alone_is_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(small_tiff({"data": GREY, "subfiletype": 1}))
    assert np.array_equal(read(tmp_path / "a.tif"), GREY)


def test_a_page_that_nobody_reads_does_not_spoil_the_others(tmp_path: Path) -> None:
    unread = {"data": COLOUR.astype("f4"), "photometric": "rgb"}
    (tmp_path / "a.tif").write_bytes(small_tiff(unread, {"data": GREY}))
    refused, picture = decoding.decode(found(tmp_path / "a.tif"))
    assert isinstance(refused, Refused)
    assert "32 bits floating-point, 3 samples" in refused.reason
    assert isinstance(picture, Picture)
    assert np.array_equal(np.asarray(picture.image), GREY)


# Blemishes, and what is not one


def jpeg(**options: Any) -> bytes:
    return file_of(scene(size=(203, 151)), "JPEG", quality=85, **options)


JPEGS = [
    {},
    {"progressive": True},
    {"restart_marker_blocks": 3},
    {"progressive": True, "restart_marker_blocks": 5},
    {"subsampling": 0},
]


@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_that_lacks_only_its_end_is_taken_in(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = jpeg(**options)
    (tmp_path / "a").write_bytes(data)
    right = read(tmp_path / "a")
    for cut in (1, 2):
        (tmp_path / "a").write_bytes(data[:-cut])
        assert np.array_equal(read(tmp_path / "a"), right)


@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_cut_off_anywhere_shows_every_pixel_or_none(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = jpeg(**options)
    (tmp_path / "a").write_bytes(data)
    right = read(tmp_path / "a")
    # Between two scans and before a restart nothing is missing but what follows.
    marks = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] > 0xC0]
    cuts = {*marks[:: max(1, len(marks) // 20)], *range(len(data) - 25, len(data) - 2)}
    refused = 0
    for cut in cuts - {0}:
        (tmp_path / "a").write_bytes(data[:cut])
        part = read(tmp_path / "a")
        refused += isinstance(part, str)
        assert isinstance(part, str) or np.array_equal(part, right), cut
    assert refused > len(cuts) // 2


def png_with(kind: bytes, content: bytes, check: bytes | None = None) -> bytes:
    """A PNG with one more chunk after its header."""
    chunk = kind + content
    sealed = check or struct.pack(">I", zlib.crc32(chunk))
    data = file_of(scene(), "PNG")
    return data[:33] + struct.pack(">I", len(content)) + chunk + sealed + data[33:]


@pytest.mark.parametrize("kind", [b"tEXt", b"pHYs", b"gAMA", b"eXIf", b"prVt"])
def test_a_png_whose_only_fault_is_the_checksum_of_a_remark_is_taken_in(
    tmp_path: Path, kind: bytes
) -> None:
    (tmp_path / "a.png").write_bytes(png_with(kind, b"\0\0\1\0\0\0\1\0\1", b"\0\0\0\0"))
    assert np.array_equal(read(tmp_path / "a.png"), COLOUR)


def test_a_png_whose_pixels_have_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(file_of(scene(), "PNG"))
    at = data.index(b"IDAT")
    data[at + 60] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    assert isinstance(read(tmp_path / "a.png"), str)


def test_a_jpeg_of_12_bits_is_named_as_what_it_is(tmp_path: Path) -> None:
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(data)
    assert read(tmp_path / "a.jpg") == "a JPEG of a kind that cannot be read: 12 bits"


def test_a_tiff_of_webp_is_read_or_named_as_what_it_is(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb", compression="webp")
    got = read(tmp_path / "a.tif")
    if isinstance(got, str):
        assert got == ("a TIFF of a kind that cannot be read: 8 bits, 3 samples, WebP compression")


@pytest.mark.skipif("AVIF" not in opening.FORMATS, reason="this Pillow reads no AVIF")
def test_an_avif_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(file_of(scene(), "AVIF", quality=100))
    got = read(tmp_path / "a.avif")
    assert not isinstance(got, str)
    assert np.abs(got.astype(float) - COLOUR).mean() < 4


# What decoders hold, and the host's own settings


def test_what_decoders_hold_together_is_bounded_and_the_large_are_not_overtaken() -> None:
    budget = memory.Budget(100)
    order: list[str] = []
    large_waits = threading.Event()

    def take(name: str, size: int) -> None:
        if name == "large":
            large_waits.set()
        with budget.holding(size):
            order.append(name)

    with budget.holding(60):
        large = threading.Thread(target=take, args=("large", 500))
        large.start()
        assert large_waits.wait(10)
        assert order == []
    large.join(10)
    small = threading.Thread(target=take, args=("small", 10))
    small.start()
    small.join(10)
    assert order == ["large", "small"]
    assert budget.held == 0


def test_a_picture_counts_until_the_next_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = memory.Budget(1 << 20)
    monkeypatch.setattr(memory, "decoders", budget)
    (tmp_path / "a.png").write_bytes(file_of(scene(), "PNG"))
    pictures = decoding.decode(found(tmp_path / "a.png"))
    next(pictures)
    assert budget.held == memory.decoded_size(60, 44, "RGB")
    assert list(pictures) == []
    assert budget.held == 0


def test_what_was_taken_in_is_opened_however_large_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(file_of(scene(), "PNG"))
    limit = 60 * 44 / 1e6 / 2
    refused = open_picture(str(path), max_megapixels=limit)
    assert isinstance(refused, Refused)
    assert "too large" in refused.reason
    stored = Content("whatever", path.stat().st_size, path.stat().st_mtime_ns)
    assert isinstance(open_picture(str(path), 1, stored, max_megapixels=limit), Picture)


@pytest.mark.parametrize("name", ENCODED)
def test_a_format_meets_no_limit_of_pillow_or_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(ENCODED[name]())
    before = [item.image for item in decoding.decode(found(tmp_path / name)) if is_picture(item)]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    after = list(decoding.decode(found(tmp_path / name)))
    if name.endswith(".webp"):
        (refused,) = after
        assert isinstance(refused, Refused)
        assert refused.reason.startswith("too large: WebP is read up to")
        return
    pictures = [item.image for item in after if is_picture(item)]
    assert len(before) == len(pictures) > 0
    for one, other in zip(before, pictures, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def is_picture(item: Picture | Refused) -> TypeGuard[Picture]:
    return isinstance(item, Picture)


def test_decoding_leaves_the_limits_of_pillow_to_the_program_that_imports_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "a.png").write_bytes(file_of(scene(), "PNG"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read(tmp_path / "a.png"), COLOUR)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
