"""What an ingest of a folder passes over: said by its kind, with what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from imgsim.images import files, kinds
from imgsim.images.files import Found
from tests.conftest import Answer

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")
SYSTEM = (
    *(".thumbs", "@eaDir", "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information"),
    *("__MACOSX", ".Trash", ".Trashes", ".Trash-1000", ".git", "@Recycle", "RECYCLER", ".snapshot"),
)


def put(draw: Callable[..., Image.Image], path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(seed).save(path, "PNG")


def found(*paths: Path) -> list[str]:
    return [item.path for item in files.find(paths) if isinstance(item, Found)]


@pytest.mark.parametrize("name", SYSTEM)
def test_a_hidden_or_system_folder_is_passed_over_at_any_depth_but_not_if_it_is_named(
    tmp_path: Path, name: str
) -> None:
    tmp_path = tmp_path.resolve()
    for path in (tmp_path / "1.png", tmp_path / "below" / name / "deep" / "2.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    inside = str(tmp_path / "below" / name / "deep" / "2.png")
    assert found(tmp_path) == [str(tmp_path / "1.png")]
    assert files.count([tmp_path]) == 1
    assert found(tmp_path / "below" / name) == [inside]
    assert found(tmp_path / "below" / name / "deep" / "2.png") == [inside]
    assert sorted(found(tmp_path, tmp_path / "below" / name)) == [str(tmp_path / "1.png"), inside]
    both = found(tmp_path, tmp_path / "below" / name / "deep", tmp_path / "below")
    assert sorted(both) == [str(tmp_path / "1.png"), inside]


def test_folders_of_a_scholar_are_not_taken_for_a_systems(tmp_path: Path) -> None:
    for name in ("#1 Emblems", "$ Banknotes", "@home", "_MACOSX", "Trash", "recycle"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    assert len(found(tmp_path)) == 6


def test_hidden_folders_and_files_are_counted_and_leave_nothing_in_the_store(
    imgsim: Imgsim, tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    for number, name in enumerate(["1.png", "@eaDir/1.png/thumb.jpg", "a/.Trash/2.png", "._1.png"]):
        put(draw, tmp_path / "scans" / name, number)
    answer = imgsim("ingest", tmp_path / "scans", *FAST)
    assert answer.code == 0
    assert "        1 new\n" in answer.err
    assert "        1 hidden file, skipped\n" in answer.err
    assert "        2 hidden or system folders, skipped: .Trash, @eaDir\n" in answer.err
    again = imgsim("ingest", tmp_path / "scans" / "._1.png", tmp_path / "scans" / "a" / ".Trash")
    assert again.code == 0
    assert "        2 new\n" in again.err
    said = imgsim("ingest", tmp_path / "scans").err
    assert (
        f"1 stored image in 1 folder that ingest skips, such as {tmp_path}/scans/a/.Trash" in said
    )
    assert imgsim("remove", tmp_path / "scans" / "a" / ".Trash", "--yes").code == 0
    assert "that ingest skips" not in imgsim("ingest", tmp_path / "scans").err


def test_a_macs_notes_on_a_file_are_named_for_what_they_are(imgsim: Imgsim, tmp_path: Path) -> None:
    (tmp_path / "._1.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert imgsim("ingest", tmp_path / "._1.jpg", *FAST).code == 3
    assert "AppleDouble" in imgsim("report", "failures", "--format", "csv").out


def test_formats_that_are_not_read_are_named_with_what_to_do(imgsim: Imgsim, folder: Path) -> None:
    for name in ("1.pdf", "2.PDF", "a.heic", "a.cr2", "a.psd", "a.djvu", "a.svg", "notes.txt"):
        (folder / name).write_bytes(b"whatever")
    answer = imgsim("ingest", folder, *FAST)
    assert answer.code == 0
    lines = [line.strip() for line in answer.said.splitlines()]
    assert "8 other files, skipped" in lines
    assert "2 .pdf (PDF): cut their pages out as PNG or TIFF" in lines
    assert "1 .heic (HEIC): convert it to PNG or TIFF" in lines
    assert "1 .cr2 (a camera's raw format): develop it to TIFF" in lines
    assert "1 .psd (a Photoshop document): convert it to PNG or TIFF" in lines
    assert "1 .djvu (DjVu): cut its pages out as PNG or TIFF" in lines
    assert "1 .svg (SVG): convert it to PNG or TIFF" in lines
    assert "1 .txt" in lines


def test_pictures_with_a_strange_ending_or_none_are_told_and_taken_if_named(
    imgsim: Imgsim, tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    put(draw, tmp_path / "scan0001", 1)
    put(draw, tmp_path / "1.jpg.bak", 2)
    (tmp_path / "README").write_text("BM is how a bitmap begins, and so does this text")
    (tmp_path / "film.riff").write_bytes(b"RIFF\0\0\0\0AVI LIST" + bytes(40))
    os.mkfifo(tmp_path / "pipe")
    answer = imgsim("ingest", tmp_path, *FAST)
    assert answer.code == 1
    assert "1 .bak: holds a picture (PNG): name it on the command line" in answer.err
    assert "3 without an ending: at least 1 of them hold pictures (PNG)" in answer.err
    assert "the pictures in it do not have the ending of one" in answer.err
    assert "film" not in answer.err
    assert imgsim("ingest", tmp_path / "scan0001", tmp_path / "1.jpg.bak", *FAST).code == 0


def test_only_some_files_of_a_strange_ending_are_opened(
    tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    for number in range(files.LOOKED_AT + 3):
        put(draw, tmp_path / f"{number}.old", 1)
    held = [item.holds for item in files.find([tmp_path]) if isinstance(item, files.Ignored)]
    assert held.count("PNG") == files.LOOKED_AT
    assert len(held) == files.LOOKED_AT + 3


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), ["it holds no file", "see that the path is right"]),
        (("a.txt",), ["it holds 1 other file"]),
        (("a.pdf", "b.pdf", "c.heic"), ["it holds 2 .pdf, 1 .heic", "cut their pages out"]),
        (("@eaDir/1.png", ".Trash/2.png"), ["hidden and system folders", "name such a folder"]),
    ],
)
def test_an_ingest_that_finds_no_picture_is_an_error_that_says_why(
    imgsim: Imgsim, tmp_path: Path, names: Sequence[str], says: list[str]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"whatever")
    for arguments in ((*FAST,), ("--dry-run",)):
        answer = imgsim("ingest", tmp_path, *arguments)
        assert answer.code == 1
        assert f"cannot find a picture in {tmp_path}" in answer.err
        assert [words for words in says if words not in answer.err] == []


def test_no_ending_is_both_read_and_not_read() -> None:
    assert kinds.SUFFIXES.isdisjoint(kinds.UNREAD_SUFFIXES)
    assert kinds.SUFFIXES.isdisjoint(kinds.NO_PICTURES)
    assert kinds.NO_PICTURES.isdisjoint(kinds.UNREAD_SUFFIXES)
    assert set(kinds.USUAL_SUFFIX.values()) <= kinds.SUFFIXES
