"""Which database a command line and an environment mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgsim import settings
from imgsim.errors import ImgsimError
from imgsim.settings import EmbeddedStore, ExternalServer, resolve

EVERYTHING = {
    "IMGSIM_DATABASE_URL": "postgresql://from/url",
    "IMGSIM_STORE": "/from/store",
    "PGHOST": "from-libpq",
    "IMGSIM_HOME": "/home-of-imgsim",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in EVERYTHING.items() if name not in names}


def test_the_option_database_wins_over_the_whole_environment() -> None:
    target = resolve("postgresql://from/option", None, EVERYTHING).target
    assert target == ExternalServer("postgresql://from/option", "--database")


def test_the_option_store_wins_over_the_whole_environment() -> None:
    assert resolve(None, "/from/option", EVERYTHING).target == EmbeddedStore(Path("/from/option"))


def test_the_url_of_the_environment_wins_over_its_store_and_libpq() -> None:
    target = resolve(environ=EVERYTHING).target
    assert target == ExternalServer("postgresql://from/url", "IMGSIM_DATABASE_URL")


def test_the_store_of_the_environment_wins_over_libpq() -> None:
    target = resolve(environ=without("IMGSIM_DATABASE_URL")).target
    assert target == EmbeddedStore(Path("/from/store"))


@pytest.mark.parametrize("variable", ["PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE"])
def test_a_libpq_variable_wins_over_the_default_store_and_is_named(variable: str) -> None:
    target = resolve(environ={variable: "something"}).target
    assert target == ExternalServer("", f"the environment ({variable})")


@pytest.mark.parametrize("variable", ["PGUSER", "PGPORT", "PGPASSWORD", "PGOPTIONS"])
def test_a_libpq_variable_that_names_no_place_does_not_count(variable: str) -> None:
    assert isinstance(resolve(environ={variable: "5433"}).target, EmbeddedStore)


def test_with_nothing_given_it_is_the_store_named_default() -> None:
    target = resolve(environ={"IMGSIM_HOME": "/home-of-imgsim"}).target
    assert target == EmbeddedStore(Path("/home-of-imgsim/stores/default"))


def test_empty_variables_count_as_not_set() -> None:
    environ = dict.fromkeys(["IMGSIM_DATABASE_URL", "IMGSIM_STORE", "PGHOST"], "")
    assert isinstance(resolve(environ=environ).target, EmbeddedStore)


@pytest.mark.parametrize("name", ["default", "my store", "été", "a.b", "18th-century"])
def test_a_name_is_a_store_below_the_data_home(name: str) -> None:
    folder = settings.store_folder(name, {"IMGSIM_HOME": "/home-of-imgsim"})
    assert folder == Path("/home-of-imgsim/stores") / name


@pytest.mark.parametrize("path", ["/a/b", "a/b", "./a", "..", ".", "~", "~/a", ".hidden"])
def test_a_path_is_that_folder_made_absolute(path: str) -> None:
    folder = settings.store_folder(path, {"IMGSIM_HOME": "/home-of-imgsim"})
    assert folder == Path(path).expanduser().absolute()
    assert "home-of-imgsim" not in str(folder)


@pytest.mark.parametrize(
    "path", ["", "  ", "a\nb", "/a/\r", "a\0b", "~no-such-user-of-this-machine/a"]
)
def test_a_store_that_cannot_be_a_folder_is_an_error_with_a_next_step(path: str) -> None:
    with pytest.raises(ImgsimError) as caught:
        settings.store_folder(path, {})
    assert caught.value.hint


def test_an_empty_option_is_an_error_and_not_the_default_store() -> None:
    with pytest.raises(ImgsimError, match="--database is empty"):
        resolve(database="", environ={})
    with pytest.raises(ImgsimError, match="empty name"):
        resolve(store="", environ={})


def test_database_and_store_together_are_an_error() -> None:
    with pytest.raises(ImgsimError, match="exclude each other"):
        resolve("postgresql://a/b", "store", {})


@pytest.mark.parametrize(("text", "minutes"), [("0", 0.0), ("0.5", 0.5), ("90", 90.0)])
def test_idle_minutes_are_read_from_the_environment(text: str, minutes: float) -> None:
    assert resolve(environ={"IMGSIM_IDLE_MINUTES": text}).idle_minutes == minutes


def test_idle_minutes_are_thirty_unless_given() -> None:
    assert resolve(environ={}).idle_minutes == 30


@pytest.mark.parametrize("text", ["", "ten", "-1", "nan", "inf", "1e999"])
def test_idle_minutes_that_are_no_number_of_minutes_are_an_error(text: str) -> None:
    with pytest.raises(ImgsimError, match=r"IMGSIM_IDLE_MINUTES is .*, not a number"):
        resolve(environ={"IMGSIM_IDLE_MINUTES": text})


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_keeps_its_stores_outside_its_home(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    outside = settings.data_home({}) == Path("/var/lib/imgsim")
    assert outside == (user == 0)
