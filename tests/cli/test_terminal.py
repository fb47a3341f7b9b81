"""What a terminal gets and a pipe does not: colours, and lines broken between words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.screen import COLUMNS, typed

# Refused before anything is opened.
LONG = ("export", "groups", "--output", "a_rather_long_name_of_a_file_for_groups_of_reuse.strange")
REFUSED = ("--store", "a", "--database", "postgresql://b", "report", "groups")


@pytest.mark.parametrize(("no_color", "is_coloured"), [("1", False), ("yes", False), ("", True)])
def test_no_color_turns_colours_off_if_it_is_set_to_anything(
    no_color: str, is_coloured: bool
) -> None:
    shown = typed(*REFUSED, variables={"NO_COLOR": no_color})
    assert shown.code == 1
    assert shown.lines[0].startswith("error: ")
    assert shown.is_coloured == is_coloured


def test_errors_break_between_words_on_a_terminal_and_stay_one_line_in_a_pipe() -> None:
    lines = [line for line in typed(*REFUSED, variables={"NO_COLOR": "1"}).lines if line]
    assert max(map(len, lines)) <= COLUMNS
    piped = subprocess.run(
        [sys.executable, "-m", "imgsim", *LONG], capture_output=True, text=True, check=False
    ).stderr
    assert max(map(len, piped.splitlines())) > COLUMNS
    shown = typed(*LONG, variables={"NO_COLOR": "1"})
    # Neither a word nor a path is lost or cut.
    assert " ".join(" ".join(shown.lines).split()) == " ".join(piped.split())
    assert all(line.startswith(("error: ", " ")) for line in shown.lines if line)
