"""Commands that have others below them: how these are listed, each with a whole sentence."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import click
from click.types import FloatParamType, IntParamType

from imgsim.cli import onward

SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")

NUMBERS = (IntParamType, FloatParamType)  # and their ranges


class Commands(click.Group):
    """A group of commands whose help says in whole sentences what each of them does.

    click shortens these to what fits in one line; here they are wrapped instead.
    """

    def __init__(self, *arguments: object, **settings: object) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        self.sections: dict[str, list[str]] = {}

    def add_section(self, title: str, commands: Iterable[click.Command]) -> None:
        """Adds commands, to be listed in this order under a title."""
        listed = self.sections.setdefault(title, [])
        for command in commands:
            assert command.name
            self.add_command(command)
            listed.append(command.name)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that is meant, and keeps the words that lead to it."""
        name, command, rest = super().resolve_command(context, arguments)
        context.meta[onward.PATH] = (*context.meta.get(onward.PATH, ()), name)
        return name, command, rest

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands that are not hidden, section by section."""
        shown = {
            name: sentence_of(command)
            for name in self.list_commands(context)
            if (command := self.get_command(context, name)) and not command.hidden
        }
        listed = {name for names in self.sections.values() for name in names}
        sections = {**self.sections, "Commands": [name for name in shown if name not in listed]}
        width = max(map(len, shown), default=0)
        for title, names in sections.items():
            rows = [(f"{name:<{width}}", shown[name]) for name in names if name in shown]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def sentence_of(command: click.Command) -> str:
    """Returns what a command does, in the sentence that stands for it among others."""
    text = command.short_help or inspect.cleandoc(command.help or "").partition("\n\n")[0]
    return SENTENCE.split(" ".join(text.split()))[0]


def call_numbers_numbers(command: click.Command) -> None:
    """Makes help call a number NUMBER, where click says INTEGER RANGE, in all commands below."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            call_numbers_numbers(below)
    for parameter in command.params:
        if isinstance(parameter.type, NUMBERS) and parameter.metavar is None:
            parameter.metavar = "NUMBER"
