"""What the Tab key offers beyond commands and options: names of pictures and models of the store.

It starts no server and waits for none: where the store is not open already, it offers nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

if TYPE_CHECKING:
    from imgsim.database.connection import Connection

PICTURES = frozenset({"image", "images", "other"})
"""What arguments are called that a picture's name can stand for."""

MODELS = frozenset({"--model", "--from", "--teacher"})
MODEL_ARGUMENTS = frozenset({("model", "remove")})
OFFERED = 100


class Picture(StringParamType):
    """The name of a stored picture, or a file, which the shell itself looks for."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Returns names that begin so; with none, says that it may be a file."""
        from imgsim.collection import called

        found: list[str] = []
        if "/" not in incomplete:  # a name has no folder
            with _opened(ctx) as connection:
                if connection is not None:
                    found = called.beginning(connection, incomplete, OFFERED)
        return [CompletionItem(name) for name in found] or [CompletionItem(incomplete, type="file")]


class ModelName(StringParamType):
    """The name of a model of the store, or of a pair."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Returns names that begin so."""
        from imgsim.networks import models, named

        names = list(named.DEFAULTS)
        with _opened(ctx) as connection:
            if connection is not None:
                names = [model.name for model in models.stored(connection)] or names
        return [CompletionItem(n) for n in (*names, *named.PAIRS) if n.startswith(incomplete)]


def complete(command: click.Command, path: tuple[str, ...] = ()) -> None:
    """Makes all commands below offer names where their arguments and options take them."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            complete(below, (*path, name))
    for parameter in command.params:
        if parameter.type is not click.STRING:
            continue
        argument = isinstance(parameter, click.Argument)
        if argument and parameter.name in PICTURES:
            parameter.type = Picture()
        elif MODELS.intersection(parameter.opts) or (argument and path in MODEL_ARGUMENTS):
            parameter.type = ModelName()


@contextlib.contextmanager
def _opened(context: click.Context) -> Iterator[Connection | None]:
    """Yields a connection to the store that the line names, if its server runs; else None."""
    from imgsim.database import connection as database
    from imgsim.database import embedded
    from imgsim.settings import EmbeddedStore, resolve

    given = context.find_root().params
    try:
        settings = resolve(given.get("database"), given.get("store"))
        target = settings.target
        runs = isinstance(target, EmbeddedStore) and embedded.running_now(target.folder)
        opened = database.connect(settings, migrate=False) if runs else None
    except Exception:
        # A message would be written into the line that is being typed.
        opened = None
    try:
        yield opened
    finally:
        if opened is not None:
            opened.close()
