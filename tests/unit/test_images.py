"""Every picture comes with the pixels its file says, or is refused with a reason; nothing else."""

from __future__ import annotations

import hashlib
import os
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from imgsim.errors import NotFoundError
from imgsim.images import decoding, files
from imgsim.images.decoding import Picture
from imgsim.images.files import Found, Ignored, Refused, path_from_text, path_text
from tests.permissions import unprivileged
from tests.pictures import (
    ENCODED,
    SIZE,
    Pixels,
    animated,
    bmp_declaring,
    file_of,
    lab,
    pages,
    png_declaring,
    scene,
    sixteen_bits,
    tag_position,
    truncations,
    with_alpha,
    with_bad_page,
)

# imgsim switches Pillow's warnings off; pytest switches them on again.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")

JARGON = ("Error", "Exception", "Traceback", "Errno", "PIL", "Plugin", "File ", "object", "None")


def found(path: Path) -> Found:
    return Found(str(path), path.stat().st_size, path.stat().st_mtime_ns)


def decoded(path: Path, data: bytes | None = None) -> list[Picture | Refused]:
    if data is not None:
        path.write_bytes(data)
    return list(decoding.decode(found(path)))


def picture(path: Path, data: bytes | None = None) -> Picture:
    (item,) = decoded(path, data)
    assert isinstance(item, Picture), item
    return item


def pixels(path: Path, data: bytes | None = None) -> Pixels:
    return np.asarray(picture(path, data).image)


def refusal(path: Path, data: bytes | None = None) -> Refused:
    (item,) = decoded(path, data)
    assert isinstance(item, Refused), item
    return item


def assert_near(actual: Pixels, expected: np.ndarray, most: float, mean: float = 255) -> None:
    assert actual.shape == expected.shape
    difference = np.abs(actual.astype(float) - expected.astype(float))
    assert difference.max() <= most
    assert difference.mean() <= mean


def assert_plain(reason: str) -> None:
    assert not [word for word in JARGON if word in reason], reason
    assert reason.isprintable(), reason


@pytest.fixture
def guarded(reachable_folder: Path) -> Iterator[Path]:
    """A folder that another user can reach."""
    folder = reachable_folder / "guarded"
    folder.mkdir()
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


# Paths as text


@settings(deadline=None)
@given(st.binary().map(os.fsdecode))
@example(os.fsdecode(b"F\xfcrsten\\xfc.png"))
def test_a_path_of_any_bytes_survives_as_text(path: str) -> None:
    text = path_text(path)
    text.encode("utf-8")
    assert path_from_text(text) == path


@settings(deadline=None)
@given(st.text())
@example(r"a\x41\\x42\xff\n")
def test_a_path_of_any_text_survives_as_text(path: str) -> None:
    assert path_from_text(path_text(path)) == path


@settings(deadline=None)
@given(st.lists(st.sampled_from(["\\", "x", "ff", "\udcff", "a"])), st.data())
def test_two_paths_never_become_the_same_text(parts: list[str], data: st.DataObject) -> None:
    path, other = "".join(parts), "".join(data.draw(st.permutations(parts)))
    assert (path_text(path) == path_text(other)) == (path == other)


def test_an_ordinary_path_is_its_own_text() -> None:
    assert path_text("/scans/kuva ä €.png") == "/scans/kuva ä €.png"


# Finding files


def paths_found(*roots: Path) -> list[str]:
    items = [item for item in files.find(roots) if isinstance(item, Found | Refused)]
    assert all(isinstance(item, Found) for item in items), items
    return [item.path for item in items]


def test_files_come_in_the_same_order_whatever_the_order_of_creation(tmp_path: Path) -> None:
    tmp_path = tmp_path.resolve()
    names = ["b/2.png", "b/1.png", "z.png", "a/x/1.png", "a/1.png", "A.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = ["A.png", "z.png", "a/1.png", "a/x/1.png", "b/1.png", "b/2.png"]
    assert paths_found(tmp_path) == [str(tmp_path / name) for name in expected]


def test_a_found_file_has_its_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"1234")
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    assert list(files.find([file])) == [Found(str(file), 4, file.stat().st_mtime_ns)]


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "folder.png").symlink_to(tmp_path / "real")
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "1.png")
    expected = [tmp_path / "link.png", tmp_path / "real" / "1.png"]
    assert paths_found(tmp_path) == [str(path) for path in expected]


def test_a_link_named_by_itself_stands_for_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert paths_found(tmp_path / "link") == [str(tmp_path / "real" / "1.png")]


def test_a_broken_link_is_refused_if_it_claims_to_be_a_picture(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    gone, ignored, loop = files.find([tmp_path])
    assert isinstance(gone, Refused)
    assert isinstance(loop, Refused)
    assert ignored == Ignored(str(tmp_path / "gone.txt"))
    assert (gone.stage, loop.stage) == ("scan", "scan")
    assert "broken link" in gone.reason
    assert_plain(loop.reason)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (item,) = files.find([tmp_path])
    assert isinstance(item, Refused)
    assert "not a regular file" in item.reason


def test_hidden_files_and_other_endings_are_passed_over(tmp_path: Path) -> None:
    for name in ("._1.png", ".png", "notes.txt", "png", "1.png.part"):
        (tmp_path / name).touch()
    assert all(isinstance(item, Ignored) for item in files.find([tmp_path]))


@pytest.mark.parametrize("suffix", [".PNG", ".Tiff", ".JPEG", ".jp2", ".webp", ".gif", ".bmp"])
def test_endings_count_in_any_case(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"scan{suffix}").touch()
    assert paths_found(tmp_path) == [str(tmp_path / f"scan{suffix}")]


def test_a_file_named_by_itself_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    for name in ("scan.dat", ".hidden"):
        (tmp_path / name).touch()
    assert paths_found(tmp_path / "scan.dat") == [str(tmp_path / "scan.dat")]
    named = paths_found(tmp_path, tmp_path / "scan.dat", tmp_path / ".hidden")
    assert sorted(named) == [str(tmp_path / ".hidden"), str(tmp_path / "scan.dat")]


def test_a_folder_called_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    (tmp_path / "x.png" / "1.png").touch()
    assert paths_found(tmp_path) == [str(tmp_path / "x.png" / "1.png")]


def test_what_is_named_twice_is_found_once(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (tmp_path / "1.png", inner / "2.png", tmp_path / "inner2.png"):
        path.touch()
    roots = [inner, tmp_path, inner / ".." / "1.png", inner / "2.png", tmp_path]
    expected = [tmp_path / "1.png", inner / "2.png", tmp_path / "inner2.png"]
    assert sorted(paths_found(*roots)) == sorted(str(path) for path in expected)


def test_a_missing_root_is_told_before_anything_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    with pytest.raises(NotFoundError, match="nowhere"):
        next(files.find([tmp_path, tmp_path / "nowhere"]))


def test_a_folder_without_permission_is_refused_and_the_rest_goes_on(guarded: Path) -> None:
    (guarded / "closed").mkdir(mode=0o000)
    (guarded / "open").mkdir()
    (guarded / "open" / "1.png").touch()
    with unprivileged():
        closed, file = files.find([guarded])
    assert isinstance(closed, Refused)
    assert (closed.path, closed.stage) == (str(guarded / "closed"), "scan")
    assert "no permission" in closed.reason
    assert isinstance(file, Found)


# Reading files


def test_the_digest_is_the_sha_256_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"content")
    assert files.digest(found(file)) == hashlib.sha256(b"content").hexdigest()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    answer = files.digest(found(tmp_path / "a.png"))
    assert isinstance(answer, Refused)
    assert (answer.stage, answer.size) == ("read", 0)
    assert "empty" in answer.reason
    assert_plain(refusal(tmp_path / "a.png").reason)


def test_a_file_that_vanished_meanwhile_is_refused(tmp_path: Path) -> None:
    gone = Found(str(tmp_path / "gone.png"), 10, 0)
    for answer in (files.digest(gone), *decoding.decode(gone)):
        assert isinstance(answer, Refused)
        assert answer.stage == "read"
        assert "no such file" in answer.reason


def test_a_file_without_permission_is_refused(guarded: Path) -> None:
    file = guarded / "a.png"
    file.write_bytes(ENCODED["grey.png"]())
    file.chmod(0o000)
    with unprivileged():
        answers = [files.digest(found(file)), *decoding.decode(found(file))]
    for answer in answers:
        assert isinstance(answer, Refused)
        assert (answer.stage, answer.reason) == ("read", "no permission to read it")


# Pixels


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    weight = alpha.astype(float) / 255
    if colour.ndim == 3:
        weight = weight[..., None]
    return np.asarray(colour * weight + 255 * (1 - weight))


def from_cmyk(cmyk: np.ndarray) -> np.ndarray:
    light = 255 - cmyk.astype(float)
    return np.asarray(light[..., :3] * light[..., 3:] / 255)


def from_palette(image: Image.Image) -> np.ndarray:
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return np.asarray(palette[array(image)])


def bilevel() -> np.ndarray:
    return np.where(array(scene().convert("1")), 255, 0)


def stretched(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low) * 255)


def transparent_where(index: int) -> np.ndarray:
    paletted = scene().quantize(16)
    return np.where((array(paletted) == index)[..., None], 255, from_palette(paletted))


EXACT: dict[str, Callable[[], np.ndarray]] = {
    "grey.png": lambda: array(scene().convert("L")),
    "bilevel.png": bilevel,
    "palette.png": lambda: from_palette(scene().quantize(16)),
    "transparent palette.png": lambda: transparent_where(3),
    "16 bits.png": lambda: sixteen_bits() >> 8,
    "16 bits.tif": lambda: sixteen_bits() >> 8,
    "animated.png": lambda: array(scene()),
    "plain.tif": lambda: array(scene()),
    "g4.tif": bilevel,
    "lzw.tif": lambda: array(scene()),
    "deflate.tif": lambda: array(scene()),
    "palette.tif": lambda: from_palette(scene().quantize(16)),
    "plain.bmp": lambda: array(scene()),
    "bilevel.bmp": bilevel,
    "lossless.webp": lambda: array(scene()),
    "animated.webp": lambda: array(scene()),
    "plain.jp2": lambda: array(scene()),
    "codestream.j2k": lambda: array(scene()),
}
ROUNDED: dict[str, Callable[[], np.ndarray]] = {
    "grey with alpha.png": lambda: on_white(array(scene().convert("L")), alpha()),
    "colour with alpha.png": lambda: on_white(array(scene()), alpha()),
    "cmyk.tif": lambda: from_cmyk(array(scene().convert("CMYK"))),
    "float.tif": lambda: stretched(sixteen_bits().astype(float)),
}
LOSSY: dict[str, Callable[[], np.ndarray]] = {
    "grey.jpg": lambda: array(scene().convert("L")),
    "colour.jpg": lambda: array(scene()),
    "progressive.jpg": lambda: array(scene()),
    "cmyk.jpg": lambda: from_cmyk(array(scene().convert("CMYK"))),
    "jpeg.tif": lambda: array(scene()),
    "lab.tif": lambda: array(scene()),
    "lossy.webp": lambda: array(scene()),
    "plain.gif": lambda: array(scene()),
    "animated.gif": lambda: array(scene()),
}


def alpha() -> np.ndarray:
    return array(scene(1).convert("L"))


@pytest.mark.parametrize("name", EXACT)
def test_a_lossless_file_gives_its_very_pixels(tmp_path: Path, name: str) -> None:
    assert_near(pixels(tmp_path / name, ENCODED[name]()), EXACT[name](), most=0)


@pytest.mark.parametrize("name", ROUNDED)
def test_other_colour_spaces_are_converted_up_to_rounding(tmp_path: Path, name: str) -> None:
    assert_near(pixels(tmp_path / name, ENCODED[name]()), ROUNDED[name](), most=1)


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_file_gives_nearly_the_pixels_it_was_made_from(tmp_path: Path, name: str) -> None:
    assert_near(pixels(tmp_path / name, ENCODED[name]()), LOSSY[name](), most=90, mean=8)


def test_every_page_of_a_tiff_is_a_picture(tmp_path: Path) -> None:
    for mode, data in (("L", pages()), ("1", pages(mode="1", compression="group4"))):
        items = decoded(tmp_path / "a.tif", data)
        assert len(items) == 3
        for number, item in enumerate(items, 1):
            assert isinstance(item, Picture)
            assert (item.frame.number, item.frame.count) == (number, 3)
            expected = array(scene(9 + number).convert(mode).convert("L"))
            assert_near(np.asarray(item.image), expected, most=0)


def test_a_frame_says_what_is_in_the_file(tmp_path: Path) -> None:
    frame = picture(tmp_path / "a", ENCODED["cmyk.jpg"]()).frame
    assert frame == decoding.Frame(1, 1, *SIZE, "CMYK", "JPEG")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("significant", [8, 10, 12, 16])
def test_16_bit_files_are_scaled_by_the_bits_they_use(
    tmp_path: Path, kind: str, significant: int
) -> None:
    values = sixteen_bits() >> (16 - significant)
    values[0, 0] = (1 << significant) - 1
    actual = pixels(tmp_path / "a", file_of(Image.fromarray(values), kind))
    assert_near(actual, values >> (significant - 8), most=0)


def test_a_big_endian_tiff_and_a_bigtiff_are_read_alike(tmp_path: Path) -> None:
    big_endian = Image.fromarray(sixteen_bits().astype(">u2"))
    assert_near(pixels(tmp_path / "a", file_of(big_endian, "TIFF")), sixteen_bits() >> 8, most=0)
    bigtiff = file_of(scene(), "TIFF", big_tiff=True)
    assert bigtiff.startswith(b"II+\0")
    assert_near(pixels(tmp_path / "b", bigtiff), array(scene()), most=0)


def test_a_float_file_with_holes_is_scaled_by_what_is_finite(tmp_path: Path) -> None:
    values = sixteen_bits().astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    finite = np.where(np.isfinite(values), values, 0)
    actual = pixels(tmp_path / "a", file_of(Image.fromarray(values), "TIFF"))
    assert_near(actual, stretched(finite), most=1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "I;16", "F"])
def test_grey_stays_grey(tmp_path: Path, mode: str) -> None:
    grey = scene().convert("L")
    image = {
        "LA": with_alpha("LA"),
        "I;16": Image.fromarray(sixteen_bits()),
        "F": grey.convert("F"),
    }.get(mode) or grey.convert(mode)
    kind = "TIFF" if mode == "F" else "PNG"
    assert picture(tmp_path / "a", file_of(image, kind)).image.mode == "L"


def test_a_transparent_colour_or_grey_is_white(tmp_path: Path) -> None:
    grey = scene().convert("L")
    shade = int(array(grey)[5, 5])
    expected = np.where(array(grey) == shade, 255, array(grey))
    assert_near(pixels(tmp_path / "a", file_of(grey, "PNG", transparency=shade)), expected, most=0)
    colour = scene().getpixel((5, 5))
    same = (array(scene()) == np.array(colour)).all(axis=2)[..., None]
    data = file_of(scene(), "PNG", transparency=colour)
    assert_near(pixels(tmp_path / "b", data), np.where(same, 255, array(scene())), most=0)


@pytest.mark.parametrize("name", ["grey.png", "lzw.tif", "colour.jpg", "plain.jp2", "plain.bmp"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".gif", ""])
def test_a_file_with_the_wrong_ending_is_read_by_its_content(
    tmp_path: Path, name: str, suffix: str
) -> None:
    right = pixels(tmp_path / name, ENCODED[name]())
    wrong = pixels(tmp_path / f"scan{suffix}", ENCODED[name]())
    assert np.array_equal(right, wrong)


def test_megabytes_of_text_beside_the_picture_do_no_harm(tmp_path: Path) -> None:
    history = PngImagePlugin.PngInfo()
    history.add_text("history", "edited " * 500_000, zip=True)
    assert pixels(tmp_path / "a", file_of(scene(), "PNG", pnginfo=history)).shape == (44, 60, 3)


# Orientation

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def turned(image: Image.Image, kind: str, orientation: int, **options: object) -> bytes:
    if kind == "TIFF":
        return file_of(image, kind, tiffinfo={274: orientation}, **options)
    exif = Image.Exif()
    exif[274] = orientation
    return file_of(image, kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("I;16", "PNG", {}),
        ("1", "PNG", {}),
        ("RGB", "TIFF", {}),
        ("L", "TIFF", {}),
        ("CMYK", "TIFF", {}),
        ("I;16", "TIFF", {}),
        ("1", "TIFF", {"compression": "group4"}),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("RGBA", "WEBP", {"lossless": True, "exact": True}),
    ],
)
def test_a_picture_is_turned_upright_as_its_exif_says(
    tmp_path: Path, mode: str, kind: str, options: dict[str, object], orientation: int
) -> None:
    image = {"I;16": Image.fromarray(sixteen_bits()), "RGBA": with_alpha("RGBA")}.get(mode)
    image = image or scene().convert(mode)
    plain = pixels(tmp_path / "plain", file_of(image, kind, **options))
    upright = picture(tmp_path / "turned", turned(image, kind, orientation, **options))
    assert np.array_equal(np.asarray(upright.image), UPRIGHT[orientation](plain))
    assert (upright.frame.width, upright.frame.height) == upright.image.size


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_turned_jpeg_keeps_the_size_of_the_whole_picture(
    tmp_path: Path, orientation: int
) -> None:
    data = turned(scene(size=(1600, 1200)), "JPEG", orientation, quality=95)
    (tmp_path / "a.jpg").write_bytes(data)
    (item,) = decoding.decode(found(tmp_path / "a.jpg"), lambda width, height: (400, 300))
    assert isinstance(item, Picture)
    assert item.image.size == ((400, 300) if orientation < 5 else (300, 400))
    assert (item.frame.width, item.frame.height) == (
        (1600, 1200) if orientation < 5 else (1200, 1600)
    )
    small = array(scene(size=(1600, 1200)).resize((400, 300), Image.Resampling.BOX))
    assert_near(np.asarray(item.image), UPRIGHT[orientation](small), most=30, mean=3)


def test_damaged_exif_does_no_harm(tmp_path: Path) -> None:
    data = file_of(scene(), "JPEG", exif=b"Exif\0\0II*\0garbage that is no directory")
    assert pixels(tmp_path / "a", data).shape == (44, 60, 3)


# JPEGs decoded at a fraction


@pytest.fixture(scope="module")
def large_jpeg(reachable_folder: Path) -> Found:
    path = reachable_folder / "large.jpg"
    scene(size=(801, 603)).save(path)
    return found(path)


@settings(deadline=None)
@given(width=st.integers(20, 900), height=st.integers(20, 700))
def test_a_reduced_jpeg_is_never_smaller_than_asked(
    large_jpeg: Found, width: int, height: int
) -> None:
    (item,) = decoding.decode(large_jpeg, lambda *_: (width, height))
    assert isinstance(item, Picture)
    assert item.image.width >= min(width, 801)
    assert item.image.height >= min(height, 603)
    assert (item.frame.width, item.frame.height) == (801, 603)


def test_a_large_jpeg_is_reduced_where_that_is_enough(large_jpeg: Found) -> None:
    (item,) = decoding.decode(large_jpeg, lambda *_: (100, 75))
    assert isinstance(item, Picture)
    assert item.image.size == (101, 76)


# What cannot be taken


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, this is a letter", ["not an image", "text", "hello, this is a letter"]),
        (b"version https://git-lfs.github.com/spec/v1\noid", ["text", "git-lfs"]),
        ("Tämä on kirje äidille, ei kuva".encode(), ["text", "Tämä"]),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", ["PDF is not read", "cut its pages out as PNG"]),
        (b"<!DOCTYPE html><html><body>404", ["not an image", "HTML"]),
        (b"\xef\xbb\xbf \n<html>", ["not an image", "HTML"]),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ["SVG is not read", "convert it to PNG"]),
        (b"PK\3\4\x14\0\0\0\0\0", ["not an image", "ZIP"]),
        (b"AT&TFORM\0\0\1\0DJVM", ["DjVu is not read", "cut its pages out"]),
        (b"%!PS-Adobe-3.0", ["PostScript is not read", "cut its pages out"]),
        (b"\0\0\0\x18ftypheic\0\0\0\0", ["HEIC is not read", "convert it to PNG"]),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", ["a film is not read"]),
        (b"\0\0\0\x0cJXL \r\n\x87\n", ["JPEG XL is not read", "convert it to PNG"]),
        (b"\xff\x0a\xfa\x7f", ["JPEG XL is not read"]),
        (bytes(100), ["not an image", "begins with the bytes 00 00 00"]),
        (bytes(range(128, 168)), ["not an image", "begins with the bytes 80 81 82"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(60)), ["damaged", "PNG", "68 bytes"]),
        (b"RIFF\0\1\0\0WEBPVP8 nonsense", ["damaged", "WebP", "24 bytes"]),
        (png_declaring(50_000, 50_000), ["too large", "50,000 x 50,000", "250 megapixels"]),
        (bmp_declaring(50_000, 50_000), ["too large", "50,000 x 50,000", "--max-megapixels"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_no_picture_is_refused_with_a_reason(
    tmp_path: Path, data: bytes, words: list[str]
) -> None:
    refused = refusal(tmp_path / "a.png", data)
    assert (refused.path, refused.stage) == (str(tmp_path / "a.png"), "decode")
    assert (refused.frame, refused.size) == (1, len(data))
    assert [word for word in words if word not in refused.reason] == [], refused.reason
    assert_plain(refused.reason)


def test_how_large_is_too_large_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(ENCODED["grey.png"]())
    (small,) = decoding.decode(found(tmp_path / "a.png"), max_megapixels=0.001)
    assert isinstance(small, Refused)
    assert "0.001 megapixels" in small.reason
    (whole,) = decoding.decode(found(tmp_path / "a.png"), max_megapixels=60 * 44 / 1e6)
    assert isinstance(whole, Picture)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "I;16"])
@pytest.mark.parametrize("shade", [0, 1])
def test_a_blank_picture_is_refused(tmp_path: Path, mode: str, shade: int) -> None:
    blank = Image.new("1", SIZE, shade).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        blank = Image.fromarray(np.asarray(blank).astype(np.uint16) * 257)
    assert "blank" in refusal(tmp_path / "a.png", file_of(blank, "PNG")).reason


def test_a_wholly_transparent_picture_is_blank(tmp_path: Path) -> None:
    image = scene().convert("RGBA")
    image.putalpha(0)
    assert "blank" in refusal(tmp_path / "a.png", file_of(image, "PNG")).reason


@pytest.mark.parametrize("name", ENCODED)
def test_a_truncated_file_gives_no_wrong_pixels(tmp_path: Path, name: str) -> None:
    data = ENCODED[name]()
    whole = [np.asarray(p.image) for p in decoded(tmp_path / name, data) if isinstance(p, Picture)]
    refused = 0
    for part in truncations(data):
        for item in decoded(tmp_path / name, part):
            if isinstance(item, Picture):
                assert np.array_equal(np.asarray(item.image), whole[item.frame.number - 1])
            else:
                refused += 1
                assert_plain(item.reason)
    assert refused


@pytest.mark.parametrize("name", ["colour.jpg", "progressive.jpg", "grey.jpg"])
def test_a_truncated_jpeg_is_refused_though_only_a_fraction_is_decoded(
    tmp_path: Path, name: str
) -> None:
    data = ENCODED[name]()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 3 // 4])
    (item,) = decoding.decode(found(tmp_path / "a.jpg"), lambda *_: (8, 8))
    assert isinstance(item, Refused)
    assert "truncated" in item.reason


@pytest.mark.parametrize("name", ENCODED)
def test_half_a_file_is_told_to_be_truncated(tmp_path: Path, name: str) -> None:
    data = ENCODED[name]()
    items = decoded(tmp_path / name, data[: len(data) // 2 if "anim" not in name else 400])
    assert isinstance(items[-1], Refused)
    assert "truncated" in items[-1].reason


@pytest.mark.parametrize("options", [{}, {"mode": "1", "compression": "group4"}, {"mode": "RGB"}])
def test_a_tiff_without_its_last_pages_never_passes_for_a_shorter_one(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = pages(**options)
    for cut in [*range(8, len(data), len(data) // 120), *range(len(data) - 30, len(data))]:
        items = decoded(tmp_path / "a.tif", data[:cut])
        if len(items) == 3 and isinstance(items[2], Picture):
            # Nothing but padding is missing.
            assert len(data) - cut < 16
        else:
            assert isinstance(items[-1], Refused), cut


@pytest.mark.parametrize("bad", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"mode": "1", "compression": "group4"}])
def test_one_bad_page_of_a_tiff_does_not_spoil_the_others(
    tmp_path: Path, bad: int, options: dict[str, Any]
) -> None:
    data = pages(**options)
    whole = decoded(tmp_path / "whole.tif", data)
    items = decoded(tmp_path / "bad.tif", with_bad_page(data, bad))
    assert len(items) == 3
    for number, (item, right) in enumerate(zip(items, whole, strict=True), 1):
        if number == bad:
            assert isinstance(item, Refused)
            assert item.frame == bad
            assert_plain(item.reason)
        else:
            assert isinstance(item, Picture)
            assert isinstance(right, Picture)
            assert np.array_equal(np.asarray(item.image), np.asarray(right.image))


def test_a_page_that_names_no_pixels_does_not_show_those_of_the_page_before(
    tmp_path: Path,
) -> None:
    data = bytearray(pages())
    at = tag_position(bytes(data), page=2, tag=273)
    data[at : at + 2] = struct.pack("<H", 275)
    first, second, third = decoded(tmp_path / "a.tif", bytes(data))
    assert isinstance(first, Picture)
    assert isinstance(second, Refused)
    assert isinstance(third, Picture)
    assert_plain(second.reason)


def test_a_tiff_whose_pages_go_in_a_circle_ends(tmp_path: Path) -> None:
    data = bytearray(pages(2))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    assert len(decoded(tmp_path / "a.tif", bytes(data))) == 1


@pytest.mark.parametrize("name", ENCODED)
def test_a_damaged_file_raises_nothing_and_is_refused_in_plain_words(
    tmp_path: Path, name: str
) -> None:
    choose = random.Random(name)
    for _ in range(25):
        data = bytearray(ENCODED[name]())
        for _ in range(choose.randint(1, 6)):
            end = choose.choice([40, 200, len(data)])
            data[choose.randrange(min(end, len(data)))] = choose.randrange(256)
        for item in decoded(tmp_path / name, bytes(data)):
            if isinstance(item, Refused):
                assert_plain(item.reason)


def test_an_animation_is_its_first_frame(tmp_path: Path) -> None:
    for kind in ("PNG", "GIF", "WEBP"):
        item = picture(tmp_path / "a", animated(kind))
        assert (item.frame.number, item.frame.count) == (1, 1)


def test_an_lab_picture_is_not_taken_for_rgb(tmp_path: Path) -> None:
    raw = array(lab())
    shown = pixels(tmp_path / "a.tif", ENCODED["lab.tif"]())
    assert np.abs(shown.astype(int) - raw.astype(int)).mean() > 30
