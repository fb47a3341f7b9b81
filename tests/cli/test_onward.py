"""The next step that a command tells: one that exists, for the same store, and only if it helps."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from imgsim.cli import imgsim as root
from imgsim.cli import onward
from imgsim.cli.place import Place
from imgsim.database.connection import Connection
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")


def steps(answer: Answer) -> list[str]:
    """The commands told at the end, without the store that they name."""
    _, _, told = answer.err.partition("next: ")
    lines = [line.strip() for line in told.splitlines()]
    return [
        line.removeprefix("imgsim --database URL ").partition("   ")[0]
        for line in lines
        if line.startswith("imgsim")
    ]


@pytest.mark.parametrize("key", sorted(onward.STEPS))
def test_every_step_names_a_command_that_is_listed_and_options_that_it_takes(key: str) -> None:
    for command, words in onward.STEPS[key]:
        assert words
        context = click.Context(root)
        found: click.Command = root
        arguments = command.split()
        while isinstance(found, click.Group):
            below = found.commands[arguments.pop(0)]
            assert not below.hidden, command
            found = below
        found.make_context("x", arguments, parent=context, resilient_parsing=True)


def test_an_ingest_names_a_stored_picture_and_a_dry_run_nothing(
    imgsim: Imgsim, folder: Path
) -> None:
    assert steps(imgsim("ingest", folder, "--dry-run")) == []
    told = steps(imgsim("ingest", folder, *FAST))
    assert told[1:] == ["verify", "metadata load FILE"]
    asked = imgsim(*told[0].split())
    assert asked.code == 0
    assert asked.out
    assert steps(imgsim("ingest", folder / "nowhere")) == []


def test_books_lead_to_links_where_pictures_name_none(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    table = tmp_path / "metadata.csv"
    table.write_text("ecco_id,publication_year\n0000000001,1752\n")
    assert steps(imgsim("metadata", "load", table)) == ["ingest FOLDER"]
    store(connection, "resnet50", clustered(20, 16))
    assert steps(imgsim("metadata", "load", table)) == ["report documents"]
    connection.execute("update imgsim.image set ecco_id = null where image_id = 1")
    assert steps(imgsim("metadata", "load", table)) == ["metadata link FILE"]


def test_lists_and_pairs_lead_to_verify_and_a_verdict_to_groups(
    imgsim: Imgsim, connection: Connection
) -> None:
    assert steps(imgsim("neighbours")) == []
    store(connection, "resnet50", clustered(20, 16))
    assert steps(imgsim("neighbours")) == steps(imgsim("pairs")) == ["verify"]
    said = imgsim("verdict", "image 1", "image 2", "same block", "--by", "M")
    assert steps(said)[0] == "group"
    built = steps(imgsim("group"))
    assert built[:2] == ["report groups", "plot group 1"]
    assert steps(imgsim(*built[0].split()))[0] == "report reuse --group 1"
    asked = imgsim(*built[0].split(), "--format", "csv")
    assert asked.code == 0
    assert steps(asked) == []


def test_an_answer_leads_on_with_the_pictures_that_it_names_and_a_file_does_not(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    store(connection, "resnet50", clustered(20, 16))
    alike = imgsim("similar", "image 1", "-k", 1)
    listed = imgsim("similar", "image 1", "-k", 1, "--format", "csv")
    assert steps(listed) == []
    (other,) = (row["name"] for row in csv.DictReader(io.StringIO(listed.out)))
    assert steps(alike) == ["plot grid 'image 1'", f"verify 'image 1' '{other}'"]
    for output in (("--format", "csv"), ("--output", tmp_path / "lists.csv")):
        assert steps(imgsim("report", "neighbours", *output)) == []
    (step,) = steps(imgsim("report", "neighbours", "-k", 1))
    assert step == f"verify 'image 1' '{other}'"
    assert steps(imgsim("report", "verdicts")) == []


def test_a_step_is_typed_for_the_store_at_hand_and_hides_an_address() -> None:
    def line(place: Place) -> str:
        return onward.command_line("similar {name}", {"name": "plate 1"}, place)

    assert line(Place(None, None)) == "imgsim similar 'plate 1'"
    assert line(Place("my store", None)) == "imgsim --store 'my store' similar 'plate 1'"
    assert "secret" not in line(Place(None, "postgresql://me:secret@server/db"))


def test_imgsim_is_called_by_its_path_where_the_shell_does_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "a b" / "bin" / "imgsim"
    installed.parent.mkdir(parents=True)
    installed.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(installed)])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert onward.program() == "'a b/bin/imgsim'"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert onward.program() == "imgsim"
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest"])
    assert onward.program() == "imgsim"


def test_steps_stand_in_columns_where_they_fit_and_below_each_other_where_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [("imgsim verify", "which?"), ("imgsim group", "where?")]
    monkeypatch.setenv("COLUMNS", "80")
    onward.show(both)
    wide = capsys.readouterr().err
    assert wide == "next: imgsim verify   which?\n      imgsim group    where?\n"
    monkeypatch.setenv("COLUMNS", "24")
    onward.show(both)
    narrow = capsys.readouterr().err
    assert narrow.splitlines()[1] == "        which?"
