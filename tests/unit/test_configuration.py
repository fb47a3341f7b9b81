"""What a configuration file may say, and how a fault in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgsim import configuration
from imgsim.errors import ImgsimError
from imgsim.reuse import verdicts
from imgsim.settings import EmbeddedStore, ExternalServer, resolve
from tests.desk import CHECKOUT
from tests.test_docs import blocks

WHOLE = """\
# what I would type every time
store = "ecco"
scholar = "Mary Jones"
models = ["imagenet", "mine"]

[columns]
groups = ["group_id", "images"]
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(WHOLE, "utf-8")
    return file


def environment(file: Path, **others: str) -> dict[str, str]:
    return {"IMGSIM_CONFIG": str(file), "IMGSIM_HOME": "/home-of-imgsim", **others}


def test_everything_that_can_be_settled_is_read(written: Path) -> None:
    read = configuration.read(environment(written))
    assert read.exists
    assert (read.store, read.database, read.scholar) == ("ecco", None, "Mary Jones")
    assert read.models == ("imagenet", "mine")
    assert read.columns == {"groups": ("group_id", "images")}
    assert read.place_of("models") == f"{written}, line 4"
    assert read.place_of("columns.groups") == f"{written}, line 7"


def test_the_file_is_looked_for_where_this_system_keeps_such_files(tmp_path: Path) -> None:
    given = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert configuration.path(given) == tmp_path / "imgsim" / "config.toml"
    assert (
        configuration.path({**given, "IMGSIM_CONFIG": "~/mine.toml"}) == Path.home() / "mine.toml"
    )
    assert configuration.path({}).parts[-2:] == ("imgsim", "config.toml")
    assert configuration.path({**given, "IMGSIM_CONFIG": ""}) == configuration.path(given)


def test_without_a_file_nothing_is_settled_but_a_named_file_must_be_there(tmp_path: Path) -> None:
    read = configuration.read({"XDG_CONFIG_HOME": str(tmp_path)})
    assert not read.exists
    assert not any((read.store, read.database, read.models, read.scholar, read.columns))
    with pytest.raises(ImgsimError, match="there is no such file"):
        configuration.read({"IMGSIM_CONFIG": str(tmp_path / "gone.toml")})


def test_an_option_goes_before_a_variable_and_a_variable_before_the_file(written: Path) -> None:
    def store(given: str | None, **variables: str) -> object:
        return resolve(None, given, environment(written, **variables)).target

    assert store(None) == EmbeddedStore(Path("/home-of-imgsim/stores/ecco"))
    assert store(None, IMGSIM_STORE="of a variable") == EmbeddedStore(
        Path("/home-of-imgsim/stores/of a variable")
    )
    assert isinstance(store(None, PGHOST="server"), ExternalServer)
    assert store("given", IMGSIM_STORE="other") == EmbeddedStore(
        Path("/home-of-imgsim/stores/given")
    )
    target = store(None)
    assert isinstance(target, EmbeddedStore)
    assert target.source == f"{written}, line 2"
    assert verdicts.scholar(environment(written)) == "Mary Jones"
    assert verdicts.scholar(environment(written, IMGSIM_SCHOLAR="John")) == "John"


def test_a_server_can_be_settled_in_place_of_a_store(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('database = "postgresql://reader@server/prints"\n')
    target = resolve(environ=environment(file)).target
    assert target == ExternalServer("postgresql://reader@server/prints", f"{file}, line 1")


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ('\nstor = "x"\n', "line 2: there is no setting 'stor'", "did you mean store?"),
        ("x.y = 1\n", "there is no setting 'x'", "the settings are: store,"),
        ("store = 7\n", "line 1: store must be text", 'store = "ecco"'),
        ('store = " "\n', "line 1: store must be text", ""),
        ('#\nmodels = "resnet18"\n', "line 2: models must be a list of names", '["imagenet"]'),
        ("models = []\n", "line 1: models must be a list", ""),
        ('columns = ["a"]\n', "line 1: columns must be a table", "[columns]"),
        ('\n[columns]\n"groups" = "a"\n', "line 3: columns.groups must be a list", ""),
        ('store = "a"\ndatabase = "b"\n', "line 2: store and database exclude", "keep one"),
        ('store = "a\n', "(at line 1", "TOML"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_is_right(
    tmp_path: Path, text: str, says: str, hint: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ImgsimError) as caught:
        configuration.read({"IMGSIM_CONFIG": str(file)})
    assert says in caught.value.message
    assert str(file) in caught.value.message
    assert hint in caught.value.hint


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"store = '\xff'")
    with pytest.raises(ImgsimError, match="it is not UTF-8"):
        configuration.read({"IMGSIM_CONFIG": str(tmp_path / "config.toml")})
    with pytest.raises(ImgsimError, match="cannot read"):
        configuration.read({"IMGSIM_CONFIG": str(tmp_path)})


def test_the_example_in_the_docs_is_a_file_that_is_read(tmp_path: Path) -> None:
    ((_, text),) = blocks(CHECKOUT / "docs" / "settings.md", "toml")
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    read = configuration.read({"IMGSIM_CONFIG": str(file)})
    assert read.store
    assert read.scholar
    assert read.models
    assert read.columns
