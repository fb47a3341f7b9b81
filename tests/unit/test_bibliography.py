"""Identifiers in file names stay text, with every zero they begin with."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim.bibliography.identifiers import NameParts, name_pattern, parse_name
from imgsim.errors import ImgsimError

DIGITS = "0123456789"
ECCO_IDS = st.text(DIGITS, min_size=10, max_size=10)


@settings(deadline=None)
@given(ECCO_IDS, st.integers(0, 9999), st.integers(0, 999))
def test_an_ecco_name_gives_its_ids_as_text(ecco_id: str, page: int, illustration: int) -> None:
    parts = parse_name(f"{ecco_id}{page:04}0_{illustration}", name_pattern())
    assert parts == NameParts(ecco_id, f"{ecco_id}{page:04}0", page, illustration)


def test_an_ecco_name_is_read_as_documented() -> None:
    parts = parse_name("001200000300450_12", name_pattern())
    assert parts == NameParts("0012000003", "001200000300450", 45, 12)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "frontispiece",
        "12000003004500_0",
        "0012000003004500_0",
        "001200000300451_0",
        "001200000300450",
        "001200000300450_",
        "001200000300450_0 (copy)",
        "x001200000300450_0",
        "001200000300450_0\n",
    ],
)
def test_a_name_that_does_not_fit_says_nothing(name: str) -> None:
    assert parse_name(name, name_pattern()) == NameParts()


@settings(deadline=None)
@given(st.text())
def test_any_name_can_be_parsed(name: str) -> None:
    parse_name(name, name_pattern())
    loose = parse_name(name, name_pattern(r"(?s)(?P<ecco_id>.?)(?P<page>.?)(?P<illustration>.*)"))
    assert loose.ecco_id is None or loose.ecco_id == name[0]


def test_a_pattern_of_ones_own_gives_what_it_names() -> None:
    pattern = name_pattern(r"(?P<ecco_id>\d+)_p(?P<page>\d+)")
    assert parse_name("00042_p007", pattern) == NameParts("00042", "0004200070", 7, None)


def test_a_page_id_of_its_own_is_kept_as_it_is() -> None:
    pattern = name_pattern(r"(?P<page_id>(?P<ecco_id>\w{4})-(?P<page>\d+))")
    assert parse_name("EM01-0009", pattern) == NameParts("EM01", "EM01-0009", 9, None)


@pytest.mark.parametrize("page", ["iv", "²", "12345678901234567890", ""])
def test_a_page_that_is_no_number_is_left_out(page: str) -> None:
    pattern = name_pattern(r"(?P<ecco_id>\d+)_(?P<page>.*)")
    assert parse_name(f"0001_{page}", pattern) == NameParts("0001", None, None, None)


def test_a_group_that_took_no_part_or_is_empty_says_nothing() -> None:
    pattern = name_pattern(r"(?P<ecco_id>\d*)(?:_(?P<illustration>\d+))?")
    assert parse_name("", pattern) == NameParts()
    assert parse_name("_3", pattern) == NameParts(illustration=3)


@pytest.mark.parametrize("expression", ["(?P<ecco_id>", "[", "(?P<ecco_id>a{99999999999999999})"])
def test_a_bad_pattern_is_an_error_that_quotes_it_and_shows_a_good_one(expression: str) -> None:
    with pytest.raises(ImgsimError, match=re.escape(repr(expression))) as caught:
        name_pattern(expression)
    assert "--name-pattern" in str(caught.value.hint)


@pytest.mark.parametrize("expression", ["", r"\d+", r"(\d+)", r"(?P<eccoid>\d+)"])
def test_a_pattern_without_a_known_group_is_an_error_that_names_them(expression: str) -> None:
    with pytest.raises(ImgsimError, match="no group that is known") as caught:
        name_pattern(expression)
    assert "(?P<ecco_id>" in str(caught.value.hint)


@pytest.mark.parametrize("group", ["ecco_id", "page", "illustration", "page_id"])
def test_one_known_group_is_enough(group: str) -> None:
    assert group in name_pattern(rf"(?P<{group}>\d+)").groupindex
