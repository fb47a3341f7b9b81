"""Exports: joined rows in files for other programs, with a description beside them.

All files of an export get their names at the end, together; rows stream from the database into
them, and come from one moment of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from imgsim.database.connection import Connection, table
from imgsim.errors import ImgsimError
from imgsim.export.joined import Joined, Step, streamed
from imgsim.formats import GRAPHS, TABLES, WITHOUT_PARTNER, arrays, datapackage, graphs, writing
from imgsim.formats.columns import Column, Counted, Row
from imgsim.formats.datapackage import Resource
from imgsim.formats.unfinished import refuse_existing, unfinished
from imgsim.formats.writing import PLAIN, ForSpreadsheets
from imgsim.networks.models import Model
from imgsim.version import __version__

ENDINGS = {f".{name}": name for name in (*TABLES, *GRAPHS[1:], "npy")}
VECTOR = "embedding"
EXAMPLES = 5


@dataclass(frozen=True)
class Target:
    """Where an export goes: its folder, the name its files begin with, and their format."""

    folder: Path
    stem: str
    format: str
    force: bool = False
    look: ForSpreadsheets = PLAIN

    @property
    def without_partner(self) -> str:
        """The name of the list of ids that found no partner."""
        return self.stem + WITHOUT_PARTNER

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files that hold the rows."""
        if self.format == "gephi":
            return ("nodes.csv", "edges.csv")
        if self.format == "npy":
            return (f"{self.stem}.npy", f"{self.stem}_ids.csv")
        return (f"{self.stem}.{self.format}",)


@dataclass
class Outcome:
    """What was written: the files, the rows of each step, and the ids without a partner."""

    files: list[Path] = field(default_factory=list)
    steps: tuple[Step, ...] = ()
    written: list[Step] = field(default_factory=list)
    without_partner: int = 0
    examples: list[str] = field(default_factory=list)


def target(
    stem: str,
    output: Path,
    format_: str | None,
    formats: Sequence[str],
    force: bool = False,
    look: ForSpreadsheets = PLAIN,
) -> Target:
    """Where `--output` and `--format` mean: a file by its ending, otherwise a folder.

    Raises:
        ImgsimError: they contradict each other, or the place cannot be written to.
    """
    by_ending = None if output.is_dir() else ENDINGS.get(output.suffix.lower())
    chosen = format_ or by_ending or formats[0]
    if chosen not in formats:
        raise ImgsimError(f"{chosen} cannot hold this export", f"choose from {', '.join(formats)}")
    if by_ending and by_ending != chosen:
        raise ImgsimError(
            f"{output.name} is to be written as {chosen}, and its ending says {by_ending}",
            "leave --format out, or give a folder as --output",
        )
    if output.suffix and not by_ending and not output.exists():
        raise ImgsimError(
            f"the ending of {output.name} is of no format that is known",
            f"let it end in {', '.join(ENDINGS)}, or give a folder without an ending",
        )
    folder, name = (output.parent, output.stem) if by_ending else (output, stem)
    result = Target(folder, name, chosen, force, look)
    refuse_existing(folder, (*result.names, result.without_partner), force)
    return result


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """A transaction that sees the database as it was at one moment, tuned to read all rows."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("set local cursor_tuple_fraction = 1")
        yield


def write(
    connection: Connection,
    joined: Joined,
    target: Target,
    model: Model | None = None,
    options: Mapping[str, object] | None = None,
) -> Outcome:
    """Write the rows, the ids without a partner, and `datapackage.json`; inside `one_moment`.

    Args:
        options: what was asked for, such as k and threshold, for the description.

    Raises:
        ImgsimError: the files could not be written; none of them is there then.
    """
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with unfinished(target.folder) as scratch:
        described = _write_rows(connection, joined, target, scratch, model, now)
        outcome = Outcome(steps=joined.steps)
        outcome.written = [Step(file.file.name, file.rows) for file in described]
        if without := _write_without_partner(connection, joined, target, scratch, outcome):
            described.append(without)
        elif target.force:
            (target.folder / target.without_partner).unlink(missing_ok=True)
        about = _about(connection, joined, model, options or {}, now)
        if target.look.safe:
            about["spreadsheet_safe"] = True
        resources = [
            Resource(r.file, r.title, r.columns, r.rows, r.key, about | dict(r.about))
            for r in described
        ]
        text = datapackage.describe(resources, target.folder, now.isoformat())
        (scratch / datapackage.NAME).write_text(text, "utf-8")
        outcome.files = [target.folder / r.file.name for r in resources]
        outcome.files.append(target.folder / datapackage.NAME)
    return outcome


def _write_rows(
    connection: Connection,
    joined: Joined,
    target: Target,
    scratch: Path,
    model: Model | None,
    now: datetime.datetime,
) -> list[Resource]:
    files = [scratch / name for name in target.names]
    if target.format in GRAPHS:
        return _write_graph(connection, joined, target, files, now)
    with streamed(connection, joined.rows) as (columns, rows):
        if columns[-1].name == VECTOR:
            assert model is not None
            return _write_vectors(joined, target, files, columns, rows, model.dimension)
        counted = Counted(rows)
        if target.format == "parquet":
            writing.write_parquet(files[0], columns, counted)
        else:
            delimiter = "\t" if target.format == "tsv" else ","
            writing.write_delimited(files[0], columns, counted, delimiter, target.look)
    return [Resource(files[0], joined.title, columns, counted.rows, joined.key, {})]


def _write_vectors(
    joined: Joined,
    target: Target,
    files: Sequence[Path],
    columns: Sequence[Column],
    rows: Iterator[Row],
    dimension: int,
) -> list[Resource]:
    """Parquet of all, or the vectors as an array and the ids, row for row, as CSV."""
    *ids, _ = columns
    arrayed = ((*row[:-1], row[-1].to_numpy()) for row in rows)  # type: ignore[attr-defined]
    if len(files) == 1:
        counted = Counted(arrayed)
        writing.write_parquet(files[0], ids, counted, VECTOR, dimension)
        described = [*ids, Column(VECTOR, "array")]
        return [Resource(files[0], joined.title, described, counted.rows, joined.key, {})]
    count = joined.steps[-1].rows
    array, names = files
    with writing.delimited(names, ids, look=target.look) as write_row:

        def vectors() -> Iterator[Any]:
            for row in arrayed:
                write_row(row[:-1])
                yield row[-1]

        arrays.write_npy(array, vectors(), count, dimension)
    title = f"the images of {array.name}, in the order of its rows"
    shape = {"shape": [count, dimension], "dtype": "float32"}
    return [
        Resource(array, joined.title, (), count, (), shape),
        Resource(names, title, ids, count, joined.key, {}),
    ]


def _write_graph(
    connection: Connection,
    joined: Joined,
    target: Target,
    files: Sequence[Path],
    now: datetime.datetime,
) -> list[Resource]:
    assert joined.nodes is not None
    assert joined.edges is not None
    with (
        streamed(connection, joined.nodes) as (node_columns, nodes),
        streamed(connection, joined.edges) as (edge_columns, edges),
    ):
        counted_nodes, counted_edges = Counted(nodes), Counted(edges)
        graph = graphs.Graph(node_columns[2:], counted_nodes, edge_columns[3:], counted_edges)
        if target.format == "gexf":
            creator = f"imgsim {__version__}"
            graphs.write_gexf(files[0], graph, joined.title, creator, f"{now:%Y-%m-%d}")
        elif target.format == "graphml":
            graphs.write_graphml(files[0], graph, joined.title)
        else:
            graphs.write_gephi(files[0], files[1], graph, target.look)
    size = {"nodes": counted_nodes.rows, "edges": counted_edges.rows}
    if target.format != "gephi":
        title = f"graph: {joined.title}"
        return [Resource(files[0], title, (), counted_edges.rows, (), size)]
    node_fields = graphs.gephi_node_columns(graph.node_columns)
    edge_fields = graphs.gephi_edge_columns(graph.edge_columns)
    ends = ("Source", "Target")
    return [
        Resource(files[0], f"nodes: {joined.title}", node_fields, counted_nodes.rows, ("Id",), {}),
        Resource(files[1], f"edges: {joined.title}", edge_fields, counted_edges.rows, ends, {}),
    ]


def _write_without_partner(
    connection: Connection, joined: Joined, target: Target, scratch: Path, outcome: Outcome
) -> Resource | None:
    """List what found no partner in a join; None, and no file, if all did."""

    def see(row: Row) -> None:
        if len(outcome.examples) < EXAMPLES:
            outcome.examples.append(str(row[2] if row[1] is None else row[1]))

    file = scratch / target.without_partner
    with streamed(connection, joined.without) as (columns, rows):
        first = next(rows, None)
        if first is None:
            return None
        counted = Counted(chain([first], rows), see)
        writing.write_delimited(file, columns, counted, look=target.look)
    outcome.without_partner = counted.rows
    title = f"what found no partner: {joined.title}"
    return Resource(file, title, columns, counted.rows, (), {})


def _about(
    connection: Connection,
    joined: Joined,
    model: Model | None,
    options: Mapping[str, object],
    now: datetime.datetime,
) -> dict[str, object]:
    """Where the rows come from: version, moment, what was asked, model, runs, counts."""
    about: dict[str, object] = {"version": __version__, "exported_at": now.isoformat()}
    about |= {name: value for name, value in options.items() if value is not None}
    if model:
        about["model"] = {
            "name": model.name,
            "architecture": model.architecture,
            "dimension": model.dimension,
            "weights": model.weights,
            "weights_sha256": model.weights_sha256,
            "preprocess": model.preprocess,
        }
    runs = table(
        connection,
        """
        select run_id, started_at::text as started_at, finished_at::text as finished_at, status,
            imgsim_version
        from imgsim.ingest_run
        where run_id in (select distinct run_id from imgsim.image)
        order by run_id
        """,
        {},
    )
    about["ingest_runs"] = [dict(zip(runs.columns, row, strict=True)) for row in runs.rows]
    about["joins"] = [{"step": step.what, "rows": step.rows} for step in joined.steps]
    return about
