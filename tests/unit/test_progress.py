"""Long work says how much is done and how long the rest takes, on terminals and in logs."""

from __future__ import annotations

import io
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from imgsim.cli.progress import Line, Pace, progress_line
from imgsim.settings import THRESHOLD
from imgsim.wording import counted

SQL = Path(__file__).parents[2] / "sql"


class Clock:
    """A clock that is set, so that no test depends on how fast a machine is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_the_time_left_does_not_count_what_came_before_the_first_picture(clock: Clock) -> None:
    pace = Pace()
    clock.now += 600  # networks are loaded
    assert pace.left(0, 1001) == ""
    assert pace.left(1, 1001) == ""
    clock.now += 10
    assert pace.left(101, 1001) == ", 1:30 left"
    assert pace.left(1001, 1001) == ""
    assert pace.left(101, None) == ""


def test_in_a_log_a_line_comes_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    update = progress_line("pairs of")
    for done in range(1, 41):
        clock.now += 1
        update("m", done, 100)
    lines = capsys.readouterr().err.splitlines()
    expected = ["10%, 1:30 left", "20%, 1:20 left", "30%, 1:10 left", "40%, 1:00 left"]
    assert lines == [f"pairs of m:  {text}" for text in expected]


def test_on_a_terminal_a_shorter_line_covers_the_longer_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = Line()
    line.passing("a quite long line")
    line.passing("short\x1b[2J")
    assert terminal.getvalue() == "\ra quite long line\rshort\\x1b[2J     "
    line.clear()
    line.lasting("end")
    assert terminal.getvalue().endswith("\r            \r\rend\n")


def test_one_has_no_plural() -> None:
    assert [counted(n, "image") for n in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]
    assert counted(2, "copy", "copies") == "2 copies"


def test_sql_states_the_fallback_of_a_model_alone_and_no_threshold_beside_the_models_own() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for file in SQL.glob("*.sql"):
        stated = re.findall(
            r"(?:min_similarity|threshold) double precision default (\d[\d.]*)", file.read_text()
        )
        found.update((file.name, number) for number in stated)
    assert set(found) == {("add_model.sql", str(THRESHOLD))}
