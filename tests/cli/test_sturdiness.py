"""What a stranger stumbles over: empty variables, narrow terminals, closed streams, odd names."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len

from imgsim.cli import output
from imgsim.database.connection import Connection
from imgsim.settings import ExternalServer, Settings
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")


class Terminal(io.StringIO):
    """A terminal as far as rich can tell."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_a_terminal_shows_rank_similarity_and_name_whatever_its_width(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    columns = (
        *("rank", "similarity", "name", "publication_year", "ecco_full_title"),
        *("ecco_id", "page_number", "image_id", "path"),
    )
    title = "The compleat herbal, with figures of the plants, newly engraved"
    row = (1, 0.99998, "990000030500910_0", 1757, title, "9900000305", 91, 12, "/a/" * 30)
    drawn = Terminal()
    output._print_table(drawn, columns, [row], "")
    lines = drawn.getvalue().splitlines()
    text = "\n".join(lines)
    assert all(cell_len(line) <= width for line in lines if "\x1b" not in line)
    for part in ("rank", "similarity", "0.9999+", "990000030500910_0", "year", "1757", "The com"):
        assert part in text
    if width == 80:
        assert "not shown, for lack of width: ecco id, page number, image id, path" in text.replace(
            "\n", " "
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", ""),
        ("remove", "", "--yes"),
        ("export", "images", "-o", ""),
        ("report", "overlap", "-o", ""),
        ("metadata", "load", ""),
    ],
)
def test_an_empty_path_is_not_the_current_folder(
    imgsim: Imgsim, arguments: tuple[str, ...]
) -> None:
    answer = imgsim(*arguments)
    assert answer.code == 2
    assert "the path is empty (perhaps a variable is not set)" in answer.err


def test_not_a_number_is_no_threshold(imgsim: Imgsim) -> None:
    assert "nan is not a number" in imgsim("similar", "x", "--threshold", "nan").err


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    imgsim: Imgsim, connection: Connection
) -> None:
    store(connection, "resnet50", clustered(20, 16))
    connection.execute("update imgsim.image set name = E'a\\x1b[31mred\\nname'")
    answer = imgsim("similar", "1", "--threshold", "0.99999")
    assert "\x1b" not in answer.err
    assert r"a\x1b[31mred\nname" in answer.err
    assert r"a\x1b[31mred\nname" in imgsim("similar", "1").out


def test_a_new_name_pattern_is_read_into_images_that_are_stored(
    imgsim: Imgsim, tmp_path: Path, connection: Connection
) -> None:
    Image.effect_noise((60, 60), 90).save(tmp_path / "1700104_p18.png")
    imgsim("ingest", tmp_path, *FAST)
    ids = "select ecco_id, page_id, page_number from imgsim.image"
    assert connection.execute(ids).fetchone() == (None, None, None)
    pattern = r"(?P<ecco_id>\d+)_p(?P<page>\d+)"
    assert "1 unchanged" in imgsim("ingest", tmp_path, "--name-pattern", pattern).err
    assert connection.execute(ids).fetchone() == ("1700104", "170010400180", 18)


def test_failures_of_files_that_are_gone_can_be_forgotten(imgsim: Imgsim, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    assert imgsim("ingest", tmp_path, *FAST).code == 3
    (bad / "empty.png").unlink()
    assert imgsim("remove", "--missing", "--yes").err == "1 recorded failure removed\n"
    assert imgsim("remove", tmp_path, "--yes").err == "1 recorded failure removed\n"
    assert "no failures" in imgsim("report", "failures").err


def start(settings: Settings, *arguments: object) -> subprocess.Popen[bytes]:
    assert isinstance(settings.target, ExternalServer)
    command = [sys.executable, "-m", "imgsim", "--database", settings.target.conninfo]
    return subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE)


@pytest.mark.slow
def test_what_was_embedded_is_stored_every_few_seconds_and_a_request_to_end_is_obeyed(
    settings: Settings, connection: Connection, tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    for number in range(200):
        draw(number, (400, 300)).save(tmp_path / f"{number}.png", compress_level=1)
    process = start(
        settings, "ingest", tmp_path, "--model", "resnet50", "--weights", "untrained",
        "--precision", "float32",
    )  # fmt: skip
    while not connection.execute("select from imgsim.image").fetchall():
        assert process.poll() is None
        time.sleep(0.05)
    stored = len(connection.execute("select from imgsim.image").fetchall())
    assert stored < 200
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"run the same command again" in err
    states = connection.execute("select status from imgsim.ingest_run").fetchall()
    assert states == [("interrupted",)]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">/dev/full", "| head -1"])
def test_streams_that_are_closed_or_full_are_no_fault(
    settings: Settings, connection: Connection, closed: str
) -> None:
    store(connection, "resnet50", clustered(400, 16))
    assert isinstance(settings.target, ExternalServer)
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-m", "imgsim",
         "--database", settings.target.conninfo,
         "similar", "1", "-k", "399", "--format", "csv"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert b"fault in imgsim" not in done.stderr
    assert b"Exception ignored" not in done.stderr
