"""Identifiers of ECCO and ESTC in the forms in which tables hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim.bibliography import identifiers

ecco_ids = st.from_regex(r"[0-9]{10}", fullmatch=True)
short_estc_ids = st.builds(
    lambda letter, number: f"{letter}{number}",
    st.sampled_from("TNWRPS"),
    st.integers(1, 999_999),
)


@given(ecco_ids)
def test_an_ecco_id_comes_out_as_it_went_in(text: str) -> None:
    assert identifiers.ecco_id(text) == text
    assert not identifiers.lost_zeros(text)


@given(st.integers(1_000_000, 9_999_999_999), st.sampled_from(["{}", "{}.0", " {} ", "{}."]))
def test_an_ecco_id_read_as_a_number_gets_its_zeros_back(number: int, form: str) -> None:
    written = form.format(number)
    assert identifiers.ecco_id(written) == f"{number:010}"
    assert identifiers.lost_zeros(written) == (number < 10**9)


@given(st.text(max_size=14))
def test_what_is_no_ecco_id_is_refused_and_never_changed_into_one(text: str) -> None:
    found = identifiers.ecco_id(text)
    if found is not None:
        assert len(found) == 10
        assert found.isascii()
        assert found.isdigit()
        assert found.lstrip("0").removesuffix(".0") in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NA",
        "123456",
        "12345678901",
        "1.7E+06",
        "T132339",
        "-1700104",
        "\uff11\uff17\uff10\uff10\uff11\uff10\uff14",
    ],
)
def test_other_texts_are_no_ecco_ids(text: str) -> None:
    assert identifiers.ecco_id(text) is None
    assert not identifiers.lost_zeros(text)


@given(
    short_estc_ids,
    st.sampled_from(["", "(CU-RivES)", "(CU-RivES) "]),
    st.integers(0, 6),
    st.sampled_from(["", "_1", "_a_b"]),
)
def test_every_form_of_an_estc_id_has_one_short_form(
    short: str, agency: str, zeros: int, suffix: str
) -> None:
    assert identifiers.estc_id(f"{agency}{short[0]}{'0' * zeros}{short[1:]}{suffix}") == short
    assert identifiers.estc_id(short.lower()) == short


@pytest.mark.parametrize("text", ["", "T", "T000000", "006123456", "T12 and T13", "(x)", "T12-3"])
def test_other_texts_have_no_short_estc_form(text: str) -> None:
    assert identifiers.estc_id(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1752", 1752),
        ("1752.0", 1752),
        (" 1752 ", 1752),
        ("1732-00-00", 1732),
        ("1732-05", 1732),
        ("1750s", 1750),
        ("0000-00-00", None),
        ("17--", None),
        ("1752.5", None),
        ("175", None),
        ("1752-1754", None),
        ("1752,0", 1752),
        ("1,752", 1752),
        ("1752-01-01 00:00:00", 1752),
        ("1752-01-01T00:00:00Z", 1752),
        ("17520101", 1752),
        ("01/02/1752", 1752),
        ("1752?", 1752),
        ("[1752]", 1752),
        ("[1752?]", 1752),
        ("[1752]?", 1752),
        ("1752/3", 1752),
        ("1752/53", 1752),
        ("1752\u20131753", 1752),
        ("1752/9", None),
        ("c1752", 1752),
        ("ca. 1752", 1752),
        ("MDCCLII", 1752),
        ("M.DCC.LII.", 1752),
        ("MDCCCCLII", None),
        ("M", None),
        ("175-?", None),
        ("1725 [i.e. 1752]", None),
        ("n.d.", None),
        ("1752-99-99", None),
    ],
)
def test_years_as_catalogues_write_them(text: str, expected: int | None) -> None:
    assert identifiers.year(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("320", 320), ("320.0", 320), ("0", 0), ("3.5", None), ("9" * 10, None)]
)
def test_counts_as_tables_write_them(text: str, expected: int | None) -> None:
    assert identifiers.whole_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700104,0", "0001700104"),
        ("1.700104E6", "0001700104"),
        ("1.700104e+06", "0001700104"),
        ("1,700,104", "0001700104"),
        ('="0001700104"', "0001700104"),
        ("1.7E6", None),
        ("1.23E+09", None),
    ],
)
def test_an_ecco_id_out_of_a_spreadsheet_is_read_where_no_digit_is_lost(
    text: str, expected: str | None
) -> None:
    assert identifiers.ecco_id(text) == expected


@given(st.integers(1400, 1999))
def test_a_regular_roman_numeral_is_its_year(number: int) -> None:
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    letters = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    signs = zip(values, letters, strict=True)
    written, rest = "", number
    for value, sign in signs:
        written += sign * (rest // value)
        rest %= value
    assert identifiers.year(written) == number


@given(st.integers(1, 10**10 - 1))
def test_decimals_and_zeros_lost_never_change_an_ecco_id(number: int) -> None:
    whole = f"{number:07}"
    for text in (whole, f"{whole}.0", f"{whole},0", whole.zfill(10)):
        assert identifiers.ecco_id(text) == whole.zfill(10)
