"""`imgsim db …` and `imgsim psql`: the database server, for those who want to see it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from imgsim.cli.arguments import FilePath
from imgsim.cli.helping import Commands
from imgsim.cli.output import confirm, say, warn
from imgsim.cli.place import Place, pass_place
from imgsim.errors import ImgsimError
from imgsim.wording import counted


@click.group(cls=Commands)
def db() -> None:
    """Start, stop, dump and restore the database that imgsim runs for itself."""


def _folder(place: Place) -> Path:
    from imgsim.settings import EmbeddedStore

    target = place.settings().target
    if not isinstance(target, EmbeddedStore):
        raise ImgsimError(
            f"the database is given by {target.source}, and imgsim does not run that server",
            "give --store NAME for one that it runs",
        )
    return target.folder


@db.command()
@click.option(
    "--port", type=click.IntRange(1024, 65535), help="Listen on this port of 127.0.0.1 too."
)
@pass_place
def start(place: Place, port: int | None) -> None:
    """Start the server (every command does so by itself).

    Only this machine reaches it, and only you, by a file; with --port programs on this machine do
    too, with a password, until it is stopped.
    """
    from imgsim.database import embedded

    folder = _folder(place)
    server = embedded.ensure_running(folder, place.settings().idle_minutes, port)
    place.connect().close()  # brings the schema up to date, for programs that come by the URL
    say(f"running since {_clock(server.started_at)}, process {server.pid}")
    click.echo(embedded.tcp_url(folder, server) if port else server.url())


@db.command()
@pass_place
def stop(place: Place) -> None:
    """Stop the server; the next command starts it again."""
    from imgsim.database import embedded

    say("stopped" if embedded.stop(_folder(place)) else "it was not running")


@db.command()
@pass_place
def status(place: Place) -> None:
    """Whether the server runs, since when, and where its files are."""
    from imgsim.database import embedded

    folder = _folder(place)
    server = embedded.running_now(folder)
    say(f"store    {folder}{'' if os.path.exists(folder) else ' (not made yet)'}")
    if server is None:
        say("server   not running; the next command starts it")
        return
    say(f"server   running since {_clock(server.started_at)}, process {server.pid}")
    say(f"socket   {server.socket_folder}, port {server.port}")
    say(f"tcp      {'127.0.0.1:' + str(server.port) if server.listens_on_tcp else 'no'}")
    say(f"log      {embedded.log_file(folder)}")


@db.command()
@pass_place
def url(place: Place) -> None:
    """Print a URL for psql, pandas, R or DBeaver, the server started if need be."""
    from imgsim.database import embedded

    folder = _folder(place)
    place.connect().close()
    server = embedded.ensure_running(folder, place.settings().idle_minutes)
    click.echo(embedded.tcp_url(folder, server) if server.listens_on_tcp else server.url())


@db.command()
@pass_place
def migrate(place: Place) -> None:
    """Bring the tables of an older version up to date (every command does so by itself)."""
    from imgsim.database import connection, migrations

    with connection.open_connection(place.settings()) as opened:
        applied = migrations.apply(opened)
    for name in applied:
        say(f"applied {name}")
    if not applied:
        say("up to date")


@db.command()
@click.argument("file", type=FilePath())
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@pass_place
def dump(place: Place, file: Path, force: bool) -> None:
    """Write everything stored into FILE, for you alone to read.

    `imgsim db restore FILE` reads it back, into this store or another.
    """
    from imgsim.database import dumps
    from imgsim.formats.unfinished import refuse_existing, unfinished

    refuse_existing(file.parent, [file.name], force)
    with unfinished(file.parent) as scratch:
        # Private from the first byte: a mode that is set afterwards leaves a moment for others.
        descriptor = os.open(scratch / file.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as written:
            dumps.dump(place.settings(), written)
    say(f"written into {file}; read it back with: imgsim --store NEW db restore {file}")


@db.command()
@click.argument("file", type=FilePath())
@click.option("--yes", is_flag=True, help="Replace what is stored, without asking.")
@pass_place
def restore(place: Place, file: Path, yes: bool) -> None:
    """Read a dump into the store, in place of what is there.

    It goes in whole or not at all. Where the store has pictures, it asks before they are replaced.
    """
    from imgsim.database import dumps

    there = dumps.held(place.settings())
    if there and (there.images or there.verdicts) and not yes:
        lost = counted(there.images, "picture"), counted(there.verdicts, "verdict")
        confirm(f"Replace {' and '.join(lost)} stored here, and the views built on them?")
    dumps.restore(place.settings(), file)
    now = dumps.held(place.settings())
    say(f"restored: {counted(now.images if now else 0, 'picture')}")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("-c", "commands", multiple=True, metavar="SQL", help="Run this and end.")
@click.option(
    "-f", "files", multiple=True, type=click.Path(), metavar="FILE", help="Run this file and end."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_place
def psql(
    place: Place, commands: tuple[str, ...], files: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    """Ask the store in SQL, with the bundled psql; further ARGUMENTS are psql's own.

    For example: imgsim psql -c 'select * from imgsim.overlap(k => 4)'
    """
    from imgsim.database import binaries, connection
    from imgsim.errors import MigrationError

    try:
        place.connect().close()
    except MigrationError as exc:  # psql is what one would mend it with
        warn(f"{exc.message}; next: {exc.hint}")
    address, environment = connection.for_programs(place.settings())
    call = [str(binaries.program("psql")), address]
    for command in commands:
        call += ["-c", command]
    for file in files:
        call += ["-f", file]
    # In place of this process: the terminal, its signals and the exit code are psql's own.
    os.execve(call[0], [*call, *arguments], {**environment, "PGAPPNAME": "imgsim psql"})  # noqa: S606


def _clock(seconds: int) -> str:
    import datetime

    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
