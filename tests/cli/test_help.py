"""What `imgsim --help` shows: every command, in its section, in a whole sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import click
import pytest

from imgsim.cli import SECTIONS
from imgsim.cli import imgsim as root
from imgsim.cli.helping import Commands, sentence_of
from tests.conftest import Answer


def groups(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that has commands below it."""
    if isinstance(command, click.Group):
        yield path
        for name, below in command.commands.items():
            yield from groups(below, (*path, name))


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something itself."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield path


FOR_ENGINEERS = {("report", "calibration"), ("export", "embeddings")}
"""Where the term itself is what is asked about."""


def at(path: tuple[str, ...]) -> click.Group:
    command: click.Command = root
    for word in path:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert isinstance(command, click.Group)
    return command


def test_every_command_stands_in_one_section() -> None:
    sectioned = [command.name for commands in SECTIONS.values() for command in commands]
    assert sorted(filter(None, sectioned)) == sorted(
        name for name, command in root.commands.items() if not command.hidden
    )


@pytest.mark.parametrize("path", sorted(groups(root)), ids=" ".join)
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_help_names_every_command_below_and_cuts_no_sentence(
    path: tuple[str, ...],
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    imgsim: Callable[..., Answer],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    answer = imgsim(*path, "--help")
    assert answer.code == 0
    assert isinstance(at(path), Commands)
    shown = " ".join(answer.out.split())
    assert "..." not in shown.replace("[ARGS]...", "")
    for name, command in at(path).commands.items():
        if not command.hidden:
            sentence = sentence_of(command)
            assert sentence[-1] in ".?!", name
            assert f"{name} {sentence}" in shown
    assert max(map(len, answer.out.splitlines())) <= int(columns)


def test_a_hidden_command_is_found_and_not_listed() -> None:
    group = Commands("above")
    group.add_command(click.Command("old", help="Do as before.", hidden=True))
    group.add_command(click.Command("new", help="Do as now. And more."))
    shown = group.get_help(click.Context(group))
    assert "new  Do as now.\n" in f"{shown}\n"
    assert "old" not in shown
    assert group.get_command(click.Context(group), "old")


MACHINE_ROOM = re.compile(
    r"\b(cosine|embedded|embed|pgvector|halfvec|tensor|pooled|backbone|dataset|upsert|schema up)\b"
)


@pytest.mark.parametrize("path", sorted(leaves(root)), ids=" ".join)
def test_no_word_of_the_machine_room_stands_in_help(path: tuple[str, ...]) -> None:
    command: click.Command = root
    for word in path:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    text = command.get_help(click.Context(command, info_name=path[-1]))
    assert " RANGE" not in text
    if path not in FOR_ENGINEERS:
        assert not MACHINE_ROOM.search(text)
