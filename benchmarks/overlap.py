"""How long do two models' overlap over 13,151 images take, in SQL and in pandas?

Both count in how many images the two share 4, 3, … 0 of their 4 nearest, from the same stored
lists. pandas is timed with and without reading them from the database.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks import measure
from benchmarks.stores import IMAGES, model_with, temporary_store, two_models
from imgsim import reports
from imgsim.database.connection import Connection
from imgsim.networks.models import Model
from imgsim.similarity import neighbours

K = 4


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    given = measure.arguments(__doc__, runs=7).parse_args(arguments)
    measure.heading("pandas", "psycopg")
    with temporary_store() as (connection, _, _):
        one, other = two_models(64)
        models = [
            model_with(connection, "resnet18", one),
            model_with(connection, "resnet50", other),
        ]
        neighbours.bring_up_to_date(connection, models, 10)
        connection.execute("analyze")
        lists = [read(connection, model) for model in models]
        ours = {row[0]: row[1] for row in reports.overlap(connection, k=K).rows}
        if ours != counted(*lists):
            raise SystemExit(f"the answers differ: {ours}, {counted(*lists)}")
        timings = measure.in_turns(
            {
                "imgsim.overlap(4)": lambda: reports.overlap(connection, k=K),
                "pandas, lists read from the database": lambda: counted(
                    *(read(connection, model) for model in models)
                ),
                "pandas, lists in memory": lambda: counted(*lists),
            },
            given.runs,
        )
    measure.compare(f"overlap of two models, {IMAGES:,} lists of {K}: {ours}", timings)


def read(connection: Connection, model: Model) -> pd.DataFrame:
    """A model's lists, cut at K."""
    rows = connection.execute(
        "select image_id, other_id from imgsim.neighbour where model_id = %s and rank <= %s",
        [model.model_id, K],
    ).fetchall()
    return pd.DataFrame(rows, columns=["image_id", "other_id"])


def counted(one: pd.DataFrame, other: pd.DataFrame) -> dict[int, int]:
    """How many images share so many neighbours, from K down to 0."""
    shared = one.merge(other, on=["image_id", "other_id"]).groupby("image_id").size()
    every = shared.reindex(one["image_id"].unique(), fill_value=0)
    images = every.value_counts()
    return {n: int(images.get(n, 0)) for n in range(K, -1, -1)}
