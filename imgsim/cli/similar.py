"""`imgsim similar`: which stored pictures are like this one?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import Similarity, format_option
from imgsim.cli.output import say, show, warn, warn_untrained
from imgsim.cli.place import Place, pass_place
from imgsim.settings import UNTRAINED
from imgsim.wording import score_text

if TYPE_CHECKING:
    from imgsim.database.connection import Table


@click.command()
@click.argument("image")
@click.option("-k", type=click.IntRange(1, 100_000), help="How many.  [default: 10]")
@click.option(
    "--threshold",
    type=Similarity(-1, 1),
    help="All with at least this similarity; compares every picture, misses none.",
)
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    help="Repeat to compare models side by side.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Compare with every picture instead of using the index.",
)
@click.option("--other-documents-only", is_flag=True, help="Only pictures of other books.")
@format_option
@pass_place
def similar(
    place: Place,
    image: str,
    k: int | None,
    threshold: float | None,
    names: tuple[str, ...],
    exact: bool,
    other_documents_only: bool,
    format_: str,
    spreadsheet_safe: bool,
) -> None:
    """Rank the stored pictures by likeness to IMAGE.

    IMAGE is a stored picture's name, path or id, or any image file. In psql:
    select * from imgsim.similar('NAME', model => 'resnet18-print', k => 10);
    """
    from imgsim.networks import models
    from imgsim.reuse import negatives
    from imgsim.similarity import search

    question = search.Question(image, k, threshold, exact, other_documents_only)
    with place.connect() as connection:
        query = search.find_query(connection, image)
        if query.note:
            warn(f"{image} {query.note}: compared as it is now")
        chosen = models.chosen(connection, names)
        answers = {}
        for model in chosen:
            answer = search.similar(connection, question, query, model)
            answers[model.name] = answer
            if model.weights == UNTRAINED:
                warn_untrained(model.name)
            if reason := search.explain_shortfall(
                connection, question, query, model, len(answer.rows)
            ):
                warn(reason)
        told = models.told(connection, chosen[0], names[0] if names else None)
        if told and format_ == "table":
            say(told)
        if positive := negatives.positive_of(connection, query, chosen[0]):
            warn(
                f"{image} looks like a negative of {positive.name}: with black and white exchanged "
                f"the two are of one block (similarity {score_text(positive.similarity)})"
            )
    first = next(iter(answers.values()))
    if format_ == "table" and first.rows:
        onward.then("similar", image=image, other=first.rows[0][first.columns.index("name")])
    else:
        onward.then("")
    # Side by side is for reading; a program wants one row for each answer.
    if format_ != "table":
        show(_stacked(answers), format_, spreadsheet_safe)
    elif len(answers) == 1:
        show(next(iter(answers.values())), format_)
    else:
        show(_side_by_side(answers), format_)


def _stacked(answers: dict[str, Table]) -> Table:
    """Returns all answers below each other, with the model in the first column."""
    first = next(iter(answers.values()))
    rows = [(name, *row) for name, answer in answers.items() for row in answer.rows]
    return replace(first, columns=("model", *first.columns), rows=rows)


def _side_by_side(answers: dict[str, Table]) -> Table:
    """Returns a row for each rank, with the name and similarity that each model puts there."""
    first = next(iter(answers.values()))
    columns = ["rank"]
    at_name, at_score = first.columns.index("name"), first.columns.index("similarity")
    for name in answers:
        columns += [name, "similarity"]
    rows: list[tuple[object, ...]] = []
    for rank in range(1, max(len(answer.rows) for answer in answers.values()) + 1):
        cells: list[object] = [rank]
        for answer in answers.values():
            row = answer.rows[rank - 1] if rank <= len(answer.rows) else None
            cells += [row[at_name], row[at_score]] if row else [None, None]
        rows.append(tuple(cells))
    return replace(first, columns=tuple(columns), rows=rows)
