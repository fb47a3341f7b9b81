"""`imgsim demo`: everything that imgsim does, on a corpus drawn for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.output import say, show_table
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.errors import ImgsimError
from imgsim.settings import NEIGHBOURS, STUDIED, UNTRAINED
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.networks.models import Wanted

STORE = "demo"
VERIFIED = 4
GROUPS_SHOWN = 5
OF_NEAREST = ("rank", "similarity", "name", "publication_year", "ecco_full_title")
OF_GROUPS = ("group_id", "images", "first_year", "first_place", "last_year", "last_place")


@click.command()
@click.option(
    "--weights",
    metavar="NAME",
    help="`untrained`, or torchvision's name.  [default: imgsim's own]",
)
@pass_place
def demo(place: Place, weights: str | None) -> None:
    """Draw a small corpus of botanical plates and find those printed again.

    Everything happens in a store of its own, which `imgsim --store demo …` opens again.
    """
    from imgsim.bibliography import metadata
    from imgsim.demo import corpus

    place = place.with_store(STORE)
    if place.database:
        raise ImgsimError(
            "cannot run the demo on --database: it uses a store of its own", "omit --database"
        )
    folder = _corpus_folder(place)
    say(f"1. The corpus: {corpus.DESIGNS} plates, {corpus.REPRINTED} of them printed again later")
    drawn = corpus.draw(folder, _drawing)
    say(f"   {'drawn in' if drawn else 'is in'} {folder}")

    say("2. The store: a database that imgsim runs itself")
    with place.connect() as connection:
        metadata.load(connection, folder / "metadata.csv")
        say("3. The pictures: looked at by two networks, and stored")
        _ingest(connection, folder, weights)
        say("4. The evidence: those most alike compared line by line, and grouped")
        _verify(connection)
        _show(connection, place)


def _corpus_folder(place: Place) -> Path:
    from imgsim.settings import EmbeddedStore

    target = place.settings().target
    assert isinstance(target, EmbeddedStore)
    return target.folder.with_name(f"{target.folder.name}-corpus")


def _drawing(done: int, of: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r   drawing {done} of {of}", nl=done == of, err=True)


def _ingest(connection: Connection, folder: Path, weights: str | None) -> None:
    from imgsim import ingest
    from imgsim.cli.progress import ingest_progress
    from imgsim.ingest.options import Options
    from imgsim.networks import models

    known = models.stored(connection)
    # A store that was filled before keeps its networks: two kinds of vectors cannot be mixed.
    wanted = tuple(models.Wanted(m.name) for m in known) or _fresh_models(weights)
    with ingest_progress([folder]) as shown:
        options = Options(wanted=wanted)
        summary = ingest.ingest(connection, [folder], options, shown.files, shown.index)
    say(f"   {summary.new} new, {summary.unchanged} unchanged, {summary.failed} failed")


def _fresh_models(weights: str | None) -> tuple[Wanted, ...]:
    from imgsim.networks import bundled, models

    if weights is None:
        return tuple(models.Wanted(name) for name in bundled.BUNDLED)
    return tuple(models.Wanted(name, weights=weights) for name in STUDIED)


def _verify(connection: Connection) -> None:
    from imgsim.cli.neighbours import fill
    from imgsim.networks import models
    from imgsim.reuse import groups
    from imgsim.reuse.evidence import verification

    fill(connection, models.stored(connection), NEIGHBOURS)
    candidates = verification.candidates(connection, VERIFIED)
    verified = verification.verify(connection, candidates, on_progress=progress_line("  "))
    groups.build(connection)
    compared = counted(sum(verified.relations.values()), "pair")
    say(f"   {compared} compared, {verified.done:,} before")


def _show(connection: Connection, place: Place) -> None:
    from imgsim import reports
    from imgsim.demo import corpus
    from imgsim.networks import models
    from imgsim.similarity import search

    stored = models.stored(connection)
    if any(model.weights == UNTRAINED for model in stored):
        click.secho(
            "\n   THE NETWORKS ARE UNTRAINED, so the similarities below are meaningless.\n"
            "   They show how imgsim works, not how well.",
            fg="yellow",
            bold=True,
            err=True,
        )
    name = corpus.example()
    for model in stored:
        answer = search.similar(
            connection, search.Question(name, k=5), search.find_query(connection, name), model
        )
        click.echo(f"\nNearest to {name}, by {model.described}:")
        at = [answer.columns.index(column) for column in OF_NEAREST]
        show_table(OF_NEAREST, [tuple(row[i] for i in at) for row in answer.rows])
    _show_finds(connection)
    first, second = stored[0].name, stored[1].name
    overlap = reports.overlap(connection, k=4, model_names=(first, second))
    click.echo(f"\nOf their 4 nearest, {first} and {second} share:")
    show_table(overlap.columns, overlap.rows)
    group = _show_groups(connection)
    _next_commands(place, name, group)


def _show_finds(connection: Connection) -> None:
    from imgsim import reports
    from imgsim.demo import corpus

    for model, nearest in reports.nearest_names(connection).items():
        found, of = corpus.first_find(nearest)
        click.echo(f"{model}: for {found} of {of} later impressions the nearest is the same plate")


def _show_groups(connection: Connection) -> int:
    """Shows the groups that were longest in use, and returns the number of the first."""
    from imgsim import reports

    found = reports.reuse_groups(connection)
    at = [found.columns.index(column) for column in OF_GROUPS]
    click.echo(f"\n{counted(len(found.rows), 'group')} of re-use; those longest in use:")
    show_table(OF_GROUPS, [tuple(row[i] for i in at) for row in found.rows[:GROUPS_SHOWN]])
    return int(found.rows[0][0])


def _next_commands(place: Place, name: str, group: int) -> None:
    own = Place(store=None, database=None)
    steps = (
        (place, "similar {name}", "what is like one of the pictures?"),
        (place, "plot group {group}", "see a group through the years"),
        (own, "ingest FOLDER", "take in pictures of your own"),
    )
    values = {"name": name, "group": group}
    onward.show([(onward.command_line(line, values, at), words) for at, line, words in steps])
