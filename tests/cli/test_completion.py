"""What the Tab key offers, asked as the shells ask it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imgsim.__main__ import run
from imgsim.cli import imgsim as root
from tests.desk import CHECKOUT
from tests.test_docs import blocks

Offers = Callable[..., list[str]]


def offered(line: str, **variables: str) -> list[str]:
    """What bash would be told for a line with the cursor at its end, as `type,word`."""
    asked = {"_IMGSIM_COMPLETE": "bash_complete", "COMP_WORDS": line}
    words = line.split()
    at = len(words) if line.endswith(" ") else len(words) - 1
    done = subprocess.run(
        [sys.executable, "-m", "imgsim"],
        env={**os.environ, **asked, "COMP_CWORD": str(at), **variables},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture(scope="module")
def own_store(reachable_folder: Path) -> Iterator[str]:
    """A store whose server runs, with three pictures."""
    from tests.conftest import picture

    scans, place = reachable_folder / "scans to complete", reachable_folder / "completed"
    scans.mkdir()
    for number, name in enumerate(("herbal 1", "herbal_2", "garden")):
        picture(number).save(scans / f"{name}.png")
    small = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")
    assert run(["--store", str(place), "ingest", str(scans), *small]) == 0
    yield str(place)
    run(["--store", str(place), "db", "stop"])


def test_commands_and_options_are_offered() -> None:
    assert "plain,similar" in offered("imgsim simi")
    assert "plain,groups" in offered("imgsim report gr")
    assert "plain,--other-documents-only" in offered("imgsim similar --oth")


def test_names_of_pictures_and_models_come_from_the_store_that_the_line_names(
    own_store: str,
) -> None:
    line = f"imgsim --store {own_store.replace(' ', chr(92) + ' ')}"
    assert offered(f"{line} similar herbal_") == ["plain,herbal_2"]
    assert offered(f"{line} verify garden her")[-1] == "plain,herbal_2"
    assert offered("imgsim plot grid gar", IMGSIM_STORE=own_store) == ["plain,garden"]
    assert "plain,shufflenet_v2_x0_5" in offered(f"{line} similar garden --model ")
    # Not a name of the store: it may be a file.
    assert offered(f"{line} similar nothing") == ["file,nothing"]


def test_where_no_server_runs_none_is_started_and_a_bad_setting_is_not_told(
    tmp_path: Path,
) -> None:
    store = tmp_path / "not made"
    assert offered("imgsim similar x", IMGSIM_STORE=str(store)) == ["file,x"]
    assert not store.exists()
    (tmp_path / "bad.toml").write_text("stores = 1")
    assert offered("imgsim similar x", IMGSIM_CONFIG=str(tmp_path / "bad.toml")) == ["file,x"]
    assert "plain,imagenet" in offered("imgsim ingest scans --model im")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_the_docs_say_to_put_into_a_shells_file_gives_its_script(shell: str) -> None:
    text = "\n".join(text for _, text in blocks(CHECKOUT / "docs" / "settings.md", "sh"))
    assert f"_IMGSIM_COMPLETE={shell}_source imgsim" in text
    done = subprocess.run(
        [sys.executable, "-m", "imgsim"],
        env={**os.environ, "_IMGSIM_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_IMGSIM_COMPLETE" in done.stdout
    assert root.name == "imgsim"
