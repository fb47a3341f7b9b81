"""What docs/tour.md shows is what a reader sees who types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tour


@pytest.mark.slow
def test_every_command_of_the_tour_shows_what_the_page_shows(reachable_folder: Path) -> None:
    home, desk = tour.lay(reachable_folder / "tour")
    steps = list(tour.steps(tour.PAGE.read_text("utf-8")))
    assert len(steps) > 15
    wrong = []
    try:
        for step in steps:
            code, seen = tour.see(step.command, home, desk)
            found = tour.differences(step.lines, seen, step.loosely)
            found += [f"exit code {code}"] if code else []
            wrong += [f"$ {step.command}", *found] if found else []
    finally:
        tour.leave(home)
    assert not wrong, "\n".join(wrong)


def test_a_screen_may_differ_from_the_page_in_the_last_digits_only() -> None:
    assert tour.is_alike("  1   0.9662   990000040700240_0", "  1   0.9701   990000040700240_0")
    assert not tour.is_alike("  1   0.9662   990000040700240_0", "  1   0.9662   990000040700241_0")
    assert not tour.is_alike(" 1752   0.9662", " 1752   0.8662")
    assert not tour.is_alike("23 groups", "24 groups")
    assert tour.is_alike("23 groups", "24 groups", loosely=True)
    assert not tour.is_alike("23 groups", "64 groups", loosely=True)
    assert not tour.differences(["a", "…", "d"], ["a", "b", "c", "d"])
    assert tour.differences(["a", "…", "d"], ["a", "b", "c", "e"])
    assert tour.differences(["a", "…", "d"], ["a"])
    assert tour.differences(["a"], ["a", "b"]) == ["only on the screen: b"]
