"""A folder of everything that goes wrong: what can be read goes in, the rest is recorded."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgsim.collection import upkeep
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.images import decoding
from imgsim.images.decoding import Picture
from imgsim.images.files import LONGEST_PATH, Refused, path_text
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from imgsim.ingest.summary import Summary
from imgsim.networks import models
from tests.conftest import Answer
from tests.permissions import unprivileged
from tests.pictures import (
    ENCODED,
    file_of,
    pages,
    png_declaring,
    scene,
    sixteen_bits,
    truncations,
    with_bad_page,
)
from tests.store import FAST, contents

# imgsim switches Pillow's warnings off; pytest switches them on again.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")

RESNET18 = models.Wanted("resnet18", weights="untrained")
NAMES = (
    b"F\xfcrstliche Bibliothek.png",
    "Fürstliche Bibliothek.png".encode(),
    rb"F\xfcrstliche Bibliothek.png",
    b"\xff\xfe.png",
    b'it\'s "quoted" `here` $(date) %s {0}.png',
    b"two\nlines\tand a bell\x07.png",
    rb"back\slash\\es.png",
    "kuva 🦉 مخطوطة.png".encode(),
    b"x" * 240 + b".png",
    "ä".encode() * 120 + b".png",
    b"-rf.png",
    b" .png",
    b";drop table imgsim.image;--.png",
    b"\\x00.png",
)


@dataclass(frozen=True)
class Hostile:
    """The folder, the paths in it that can be read (as the store writes them), and the others."""

    folder: Path
    good: frozenset[str]
    bad: frozenset[str]
    ignored: int


def write(folder: Path, name: str | bytes, data: bytes) -> str:
    """Write a file; its path as the store has it."""
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    return path_text(os.fsdecode(path))


def png(seed: int) -> bytes:
    return file_of(scene(seed), "PNG")


def good_files() -> dict[str | bytes, bytes]:
    """By name, files that can be read; no two of the same content."""
    files: dict[str | bytes, bytes] = {
        name: data() for name, data in ENCODED.items() if "pages" not in name
    }
    files |= {name: png(100 + number) for number, name in enumerate(NAMES)}
    files["x.png/right.png"] = png(201)
    files["a png called.jpg"] = png(202)
    files["a jpeg called.tif"] = file_of(scene(203), "JPEG")
    return files


def bad_files() -> dict[str | bytes, bytes]:
    """By name, files that cannot be read; no two of the same content."""
    files: dict[str | bytes, bytes] = {}
    for kind in ("grey.png", "colour.jpg", "progressive.jpg", "lzw.tif", "g4.tif", "plain.jp2"):
        data = ENCODED[kind]()
        for part in truncations(data, count=4):
            if len(part) < len(data) - 20:
                files[f"truncated/{len(part)} of {kind}"] = part
    return files | {
        "empty.png": b"",
        "text.png": b"a letter, no picture",
        "page.png": b"<!DOCTYPE html><title>404</title>",
        "document.jpg": b"%PDF-1.7 and so on",
        "huge.png": png_declaring(50_000, 50_000),
        "blank.png": file_of(Image.new("L", (50, 50), "white"), "PNG"),
        b"bad \xe4\n'\\.png": b"\x89PNG\r\n\x1a\n and then nothing",
        "nul.png": bytes(5000),
    }


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    folder = tmp_path.resolve() / "hostile 'folder'"
    good = {write(folder, name, data) for name, data in good_files().items()}
    bad = {write(folder, name, data) for name, data in bad_files().items()}
    write(folder, ".hidden.png", png(200))
    write(folder, "notes.txt", b"notes")
    os.mkfifo(folder / "pipe.png")
    (folder / "broken link.png").symlink_to("nowhere.png")
    (folder / "round").symlink_to(folder)
    bad |= {path_text(str(folder / name)) for name in ("pipe.png", "broken link.png")}
    return Hostile(folder, frozenset(good), frozenset(bad), ignored=2)


def take_in(connection: Connection, folder: Path, model: models.Wanted = FAST) -> Summary:
    return ingest(connection, [folder], Options(wanted=(model,)))


def stored(connection: Connection) -> Counter[str]:
    """How many pictures with a vector each path has; every picture has one."""
    held = contents(connection)
    assert {(path, frame) for _, path, frame in held.vectors} == {row[1:3] for row in held.images}
    return Counter(path for _, path, _ in held.vectors)


def failures(connection: Connection) -> dict[str, tuple[str, str]]:
    """Stage and reason of what failed, by path and frame."""
    rows = connection.execute("select path, frame, stage, reason from imgsim.ingest_failure")
    return {f"{path}#{frame}": (stage, reason) for path, frame, stage, reason in rows}


def failed_paths(connection: Connection) -> set[str]:
    return {key.rpartition("#")[0] for key in failures(connection)}


def test_all_that_can_be_read_goes_in_and_the_rest_is_recorded_with_a_reason(
    connection: Connection, hostile: Hostile
) -> None:
    summary = take_in(connection, hostile.folder, RESNET18)
    assert stored(connection) == Counter(hostile.good)
    assert failed_paths(connection) == hostile.bad
    for stage, reason in failures(connection).values():
        assert stage in ("scan", "read", "decode")
        assert len(reason) > 10
        assert not [word for word in ("Error", "Traceback", "PIL", "Errno") if word in reason]
    assert summary.new == summary.pictures == len(hostile.good)
    assert summary.failed == len(hostile.bad) == summary.reasons.total()
    assert summary.ignored == hostile.ignored
    assert summary.files == len(hostile.good) + len(hostile.bad)
    vectors = np.array(list(contents(connection).vectors.values()))
    assert vectors.shape == (len(hostile.good), 512)
    assert np.isfinite(vectors).all()
    assert np.abs(vectors).sum(axis=1).min() > 0
    counts = connection.execute("select status, counts from imgsim.ingest_run").fetchall()
    assert counts == [("finished", summary.counts())]


def test_running_again_changes_nothing(connection: Connection, hostile: Hostile) -> None:
    take_in(connection, hostile.folder)
    before = contents(connection)
    again = take_in(connection, hostile.folder)
    after = contents(connection)
    assert (before.images, before.failures) == (after.images, after.failures)
    assert before.vectors.keys() == after.vectors.keys()
    assert all((before.vectors[key] == after.vectors[key]).all() for key in before.vectors)
    assert (again.new, again.pictures) == (0, 0)
    assert (again.unchanged, again.failed) == (len(hostile.good), len(hostile.bad))


def test_a_repaired_file_goes_in_and_off_the_list_of_failures(
    connection: Connection, tmp_path: Path
) -> None:
    bad = {name: write(tmp_path, name, png(n)[:-n]) for n, name in ((40, "a.png"), (50, "b.png"))}
    bad["e.png"] = write(tmp_path, "e.png", b"")
    (tmp_path / "link.png").symlink_to("nowhere")
    bad["link.png"] = str(tmp_path / "link.png")
    take_in(connection, tmp_path)
    assert failed_paths(connection) == set(bad.values())
    for number, name in enumerate(["a.png", "e.png", "link.png"]):
        (tmp_path / name).unlink()
        write(tmp_path, name, png(number))
    summary = take_in(connection, tmp_path)
    assert failed_paths(connection) == {bad["b.png"]}
    assert stored(connection) == {bad[name]: 1 for name in ("a.png", "e.png", "link.png")}
    assert (summary.new, summary.failed) == (3, 1)


@pytest.mark.parametrize("spoilt", [b"", b"\x89PNG\r\n\x1a\n", b"<html>"])
def test_a_file_that_becomes_bad_keeps_its_earlier_picture_and_is_recorded(
    connection: Connection, tmp_path: Path, spoilt: bytes
) -> None:
    path = write(tmp_path, "a.png", png(1))
    take_in(connection, tmp_path)
    before = contents(connection)
    write(tmp_path, "a.png", spoilt)
    summary = take_in(connection, tmp_path)
    after = contents(connection)
    assert summary.failed == 1
    assert failed_paths(connection) == {path}
    assert before.images == after.images
    assert [v.tolist() for v in before.vectors.values()] == [
        v.tolist() for v in after.vectors.values()
    ]


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_file_that_became_bad_and_is_restored_is_off_the_list_of_failures(
    connection: Connection, tmp_path: Path, keep_time: bool
) -> None:
    write(tmp_path, "scans/a.png", png(1))
    shutil.copy2(tmp_path / "scans" / "a.png", tmp_path / "backup")
    take_in(connection, tmp_path / "scans")
    write(tmp_path, "scans/a.png", b"")
    take_in(connection, tmp_path / "scans")
    assert failures(connection)
    restore = shutil.copy2 if keep_time else shutil.copy
    restore(tmp_path / "backup", tmp_path / "scans" / "a.png")
    summary = take_in(connection, tmp_path / "scans")
    assert (summary.unchanged, summary.failed) == (1, 0)
    assert failures(connection) == {}


def test_a_bad_page_of_a_tiff_is_recorded_and_the_other_pages_go_in(
    connection: Connection, tmp_path: Path
) -> None:
    path = write(tmp_path, "a.tif", with_bad_page(pages(), 2))
    summary = take_in(connection, tmp_path)
    assert stored(connection) == {path: 2}
    assert failures(connection).keys() == {f"{path}#2"}
    assert (summary.failed, summary.pictures, summary.files) == (1, 2, 1)
    write(tmp_path, "a.tif", pages())
    take_in(connection, tmp_path)
    assert stored(connection) == {path: 3}
    assert failures(connection) == {}


def test_a_tiff_with_bad_pages_that_is_replaced_by_fewer_pages_leaves_no_failure(
    connection: Connection, tmp_path: Path
) -> None:
    path = write(tmp_path, "a.tif", with_bad_page(pages(), 3))
    take_in(connection, tmp_path)
    assert failures(connection).keys() == {f"{path}#3"}
    write(tmp_path, "a.tif", pages(count=2))
    take_in(connection, tmp_path)
    assert stored(connection) == {path: 2}
    assert failures(connection) == {}


@pytest.fixture
def guarded(reachable_folder: Path) -> Iterator[Path]:
    """A folder that another user can reach, with a file and a folder that are closed to it."""
    folder = reachable_folder / "guarded"
    write(folder, "open.png", png(1))
    write(folder, "closed.png", png(2))
    write(folder, "closed/1.png", png(3))
    closed = (folder / "closed.png", folder / "closed")
    for path in closed:
        path.chmod(0o000)
    yield folder
    for path in closed:
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_what_was_closed_goes_in_when_it_is_opened_and_off_the_list_of_failures(
    connection: Connection, guarded: Path
) -> None:
    take_in(connection, guarded / "open.png")
    with unprivileged():
        summary = take_in(connection, guarded)
    assert (summary.unchanged, summary.failed) == (1, 2)
    assert failures(connection) == {
        f"{guarded}/closed.png#1": ("read", "no permission to read it"),
        f"{guarded}/closed#1": ("scan", "cannot list the folder: no permission to read it"),
    }
    for path in (guarded / "closed.png", guarded / "closed"):
        path.chmod(0o755)
    summary = take_in(connection, guarded)
    assert (summary.new, summary.failed) == (2, 0)
    assert failures(connection) == {}


def test_bad_files_of_the_same_content_are_each_recorded(
    connection: Connection, tmp_path: Path
) -> None:
    paths = {write(tmp_path, f"{number}.png", b"<html>404</html>") for number in range(12)}
    summary = take_in(connection, tmp_path)
    assert failed_paths(connection) == paths
    assert summary.failed == 12


def test_a_file_that_is_edited_while_it_is_read_is_not_stored_under_its_old_checksum(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.png", png(1))
    read = decoding.decode

    def edited_meanwhile(*arguments: Any, **options: Any) -> Iterator[Picture | Refused]:
        write(tmp_path, "a.png", png(2) + b" ")
        return read(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "decode", edited_meanwhile)
        summary = take_in(connection, tmp_path)
    assert (summary.failed, summary.pictures) == (1, 0)
    assert failures(connection)[f"{path}#1"][1].startswith("changed while it was being read")
    assert take_in(connection, tmp_path).new == 1
    assert failures(connection) == {}


def deep_folder(root: Path, size: int) -> str:
    """A folder whose path and the name `/a.png` have that many bytes, which nothing compresses."""
    rng = np.random.default_rng(5)
    path = str(root.resolve())
    left = size - len("/a.png") - len(path.encode())
    while left:
        # Never so long that fewer than two bytes, a slash and a letter, are left.
        length = left if left <= 202 else min(202, left - 2)
        path += "/" + "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), length - 1))
        left -= length
    os.makedirs(path)
    return path


def test_a_path_that_no_index_holds_is_recorded_and_the_rest_goes_in(
    connection: Connection, tmp_path: Path
) -> None:
    longest = deep_folder(tmp_path, LONGEST_PATH)
    longer = deep_folder(tmp_path / "x", LONGEST_PATH + 1)
    for number, folder in enumerate([longest, longer]):
        write(tmp_path, f"{folder}/a.png", png(number))
    write(tmp_path, "b.png", png(3))
    summary = take_in(connection, tmp_path)
    assert (summary.new, summary.failed) == (2, 1)
    assert stored(connection) == {f"{longest}/a.png": 1, str(tmp_path.resolve() / "b.png"): 1}
    ((path, (stage, reason)),) = failures(connection).items()
    assert (stage, reason.partition(" (")[0]) == (
        "scan",
        "path too long: 2,681 bytes, the store holds 2,680",
    )
    assert path.startswith(str(tmp_path.resolve() / "x"))
    assert path.endswith("/a.png#1")
    assert (take_in(connection, tmp_path).unchanged, len(failures(connection))) == (2, 1)
    shutil.rmtree(tmp_path / "x")
    take_in(connection, tmp_path)
    assert failures(connection) == {}
    with pytest.raises(ImgsimError, match=r"a path would have 2,68\d bytes"):
        upkeep.relocate(connection, str(tmp_path.resolve()), f"{tmp_path.resolve()}/moved")


def test_a_16_bit_picture_and_its_8_bit_copy_are_found_alike(
    connection: Connection, tmp_path: Path
) -> None:
    grey = np.asarray(scene(5).convert("L"))
    write(tmp_path, "8.png", file_of(Image.fromarray(grey), "PNG"))
    write(tmp_path, "16.png", file_of(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    write(tmp_path, "other.png", file_of(Image.fromarray(sixteen_bits()), "PNG"))
    take_in(connection, tmp_path)
    vectors = {
        Path(path).name: vector for (_, path, _), vector in contents(connection).vectors.items()
    }
    assert np.allclose(vectors["8.png"], vectors["16.png"], rtol=0.01, atol=0.01)
    assert not np.allclose(vectors["8.png"], vectors["other.png"], rtol=0.01, atol=0.01)


def test_the_command_line_says_what_failed_and_how_to_see_it(
    imgsim: Callable[..., Answer], hostile: Hostile
) -> None:
    answer = imgsim("ingest", hostile.folder, "--weights", "untrained", "--model", "resnet18")
    assert answer.code == 3
    assert "Traceback" not in answer.out + answer.err
    assert f"{len(hostile.good)} new" in answer.err
    assert f"{len(hostile.bad)} failed" in answer.err
    assert "imgsim report failures" in answer.err

    printed = imgsim("report", "failures", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed.out, newline="")))
    assert {row["path"] for row in rows} == hostile.bad

    printed = imgsim("report", "failures", "--format", "json")
    records = json.loads(printed.out)
    assert {record["path"] for record in records} == hostile.bad
    assert {record["stage"] for record in records} == {"scan", "read", "decode"}

    printed = imgsim("report", "failures", "--limit", "0")
    assert printed.code == 0
    table = printed.out.splitlines()
    assert len([line for line in table if hostile.folder.name in line]) == len(hostile.bad)
    assert any("50,000 x 50,000" in line for line in table)

    again = imgsim("ingest", hostile.folder, "--weights", "untrained", "--model", "resnet18")
    assert again.code == 3
    assert f"{len(hostile.good)} unchanged" in again.err
