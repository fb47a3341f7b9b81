"""The Python API: a store to query from a notebook or a script, with DataFrames for answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from imgsim import reports, settings
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.database.session import CallersPath
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.reuse import verdicts
from imgsim.similarity import search

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from imgsim.ingest.summary import Summary


def connect(store: str | Path | None = None, *, database: str | None = None) -> Store:
    """Opens a store by its name or folder, or a database elsewhere by its URL.

    Without either it opens the store that the command line uses: from `IMGSIM_DATABASE_URL`,
    `IMGSIM_STORE` or libpq's variables, otherwise `default`.

    Raises:
        ImgsimError: the server does not exist, or cannot be used.
    """
    place = settings.resolve(database, str(store) if store is not None else None)
    return Store(place)


class Store:
    """An open store. Text identifiers are strings, years and counts nullable integers."""

    def __init__(self, place: settings.Settings) -> None:
        self.connection: Connection = database.connect(place)
        self._path = CallersPath(self.connection)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the server keeps running."""
        self.connection.close()

    def ingest(
        self,
        *paths: str | Path,
        models: str | Sequence[str] = (),
        weights: str | None = None,
    ) -> Summary:
        """Ingests pictures with the store's models, in a new store with imgsim's own two.

        Args:
            models: which models; `imagenet` means the two of the original study.
            weights: for a new store, `untrained` or the name of torchvision's weights.
        """
        from imgsim.ingest import ingest
        from imgsim.ingest.options import Options
        from imgsim.networks import choice

        names = [models] if isinstance(models, str) else models
        chosen = choice.choose(self.connection, names, [weights] if weights else [])
        options = Options(wanted=chosen.wanted)
        return ingest(self.connection, [Path(path) for path in paths], options)

    def similar(
        self,
        image: str | int | Path,
        *,
        model: str | None = None,
        k: int | None = None,
        threshold: float | None = None,
        other_documents_only: bool = False,
        exact: bool = False,
    ) -> pandas.DataFrame:
        """Returns the stored images most like one, given by name, path or id, or as an image file.

        Returns:
            One row per image, the most similar (cosine) first, with its book.

        Raises:
            ImgsimError: there is no such image or model, or the file cannot be read.
        """
        question = search.Question(str(image), k, threshold, exact, other_documents_only)
        (chosen,) = models.chosen(self.connection, [model] if model else [])
        query = search.find_query(self.connection, question.image)
        return search.similar(self.connection, question, query, chosen).frame()

    def report(self, name: str, **options: Any) -> pandas.DataFrame:
        """Returns a report, by its name on the command line: `report("overlap", k=4)`.

        The options are those of the functions in `imgsim.reports`.

        Raises:
            ImgsimError: there is no such report, or it cannot be made.
        """
        if name not in reports.REPORTS:
            known = ", ".join(reports.REPORTS)
            raise ImgsimError(f"there is no report {name!r}", f"there are: {known}")
        return reports.REPORTS[name](self.connection, **options).frame()

    def verdict(
        self,
        image: str | int,
        other: str | int,
        verdict: str,
        *,
        note: str | None = None,
        by: str | None = None,
    ) -> None:
        """Records how two stored pictures relate, as `imgsim verdict` does.

        Args:
            verdict: same block, copy, same subject or unrelated.
            by: whose verdict; by default `IMGSIM_SCHOLAR`, or the account's name.

        Raises:
            ImgsimError: it is not a verdict, or there are no two such images.
        """
        verdicts.record(self.connection, str(image), str(other), verdict, note=note, by=by)

    def sql(
        self, query: str, values: Mapping[str, Any] | Sequence[Any] | None = None
    ) -> pandas.DataFrame:
        """Returns the answer to any query; values for `%(name)s` or `%s` go in `values`.

        Names without a schema are looked up on the search path that you or your role have set.
        """
        with self._path.followed():
            return database.table(self.connection, query, values).frame()

    def plot(self, name: str, *image: str | int | Path, **options: Any) -> Figure:
        """Returns a figure by its name on the command line: `plot("grid", "000170010400180_0")`.

        A notebook shows it. The options are those of the functions in `imgsim.plots.figures`.

        Raises:
            ImgsimError: there is no such figure, or it cannot be drawn.
        """
        from imgsim.plots.figures import FIGURES

        if name not in FIGURES:
            raise ImgsimError(f"there is no figure {name!r}", f"there are: {', '.join(FIGURES)}")
        return FIGURES[name](self.connection, *map(str, image), **options).figure

    def models(self) -> pandas.DataFrame:
        """Returns the models of the store, their vectors, index and neighbour lists."""
        return self.sql("select * from imgsim.model_status()")
