"""Which database a command line means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.settings import Settings


@dataclass(frozen=True)
class Place:
    """The values of `--store` and `--database`; nothing is opened before `connect`."""

    store: str | None
    database: str | None

    def settings(self) -> Settings:
        """Returns the settings of this command line and environment."""
        from imgsim import settings

        return settings.resolve(self.database, self.store)

    def connect(self) -> Connection:
        """Returns a connection with the schema up to date, which shows the server's warnings."""
        from imgsim.cli.output import show_log, warn
        from imgsim.database import connection

        show_log()
        opened = connection.connect(self.settings())
        connection.on_warning(opened, warn)
        return opened

    def with_store(self, store: str) -> Place:
        """Returns this place, in the given store if none was chosen."""
        chosen = self.store is not None or self.database is not None
        return self if chosen else replace(self, store=store)


pass_place = click.make_pass_decorator(Place)
