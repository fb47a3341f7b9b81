"""Colours are for terminals whose reader wants them."""

from __future__ import annotations

import pytest

from tests.screen import typed

# Refused before anything is opened.
REFUSED = ("--store", "a", "--database", "postgresql://b", "report", "groups")


@pytest.mark.parametrize(("no_color", "is_coloured"), [("1", False), ("yes", False), ("", True)])
def test_no_color_turns_colours_off_if_it_is_set_to_anything(
    no_color: str, is_coloured: bool
) -> None:
    shown = typed(*REFUSED, variables={"NO_COLOR": no_color})
    assert shown.code == 1
    assert shown.lines[0].startswith("error: ")
    assert shown.is_coloured == is_coloured
