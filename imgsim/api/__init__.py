"""The Python API: a store to query from a notebook or a script, with DataFrames for answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from imgsim import reports, settings
from imgsim.api.metadata import Metadata
from imgsim.collection import holdings
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.database.session import CallersPath
from imgsim.errors import ImgsimError
from imgsim.networks import models
from imgsim.reuse import groups, verdicts
from imgsim.similarity import neighbours, search

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from imgsim.ingest.summary import Summary
    from imgsim.plots.thumbnailed import Thumbnailed


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
        self._place = place

    def __repr__(self) -> str:
        """Returns where the store is and what it holds."""
        target = self._place.target
        # Not the address of a server: it may hold a password.
        where = (
            str(target.folder)
            if isinstance(target, settings.EmbeddedStore)
            else f"a server, given by {target.source}"
        )
        try:
            holds = "closed" if self.connection.closed else str(holdings.held(self.connection))
        except Exception as exc:  # a notebook shows this, whatever has become of the server
            holds = f"not to be reached ({type(exc).__name__})"
        return f"<imgsim store {where}: {holds}>"

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

    def neighbours(self, **options: Any) -> pandas.DataFrame:
        """Returns the nearest of every picture, both sides with their books, by one model.

        The options are those of `imgsim.reports.neighbour_rows`: `model`, `k`, `threshold`,
        `other_documents_only`, `other_works_only`, `earlier_only`.
        """
        return self.report("neighbours", **options)

    def verify(
        self,
        image: str | int | Path | None = None,
        other: str | int | Path | None = None,
        *,
        k: int = settings.NEIGHBOURS,
        turned: bool = False,
        again: bool = False,
    ) -> pandas.DataFrame:
        """Lays pictures upon each other, and says which are of one block, a copy, or unrelated.

        Of two pictures it returns one row: the relation, the three probabilities, and what speaks
        for them. Without pictures it verifies every pair of near neighbours, which may take
        hours and can be interrupted, and returns how many pairs are what.

        Args:
            k: how many neighbours of every picture to look at, by each model.
            turned: also match rotated pictures.
            again: also what has been verified already.

        Raises:
            ImgsimError: only one picture is named, or one cannot be found or read.
        """
        from imgsim.reuse import evidence

        if (image is None) != (other is None):
            raise ImgsimError("cannot verify one picture alone", "name two, or none for all pairs")
        if image is not None:
            compared = evidence.compare(self.connection, str(image), str(other), turned, again)
            return evidence.table_of(compared.judgement).frame()
        neighbours.bring_up_to_date(self.connection, models.stored(self.connection), k)
        wanted = evidence.verification.candidates(self.connection, k)
        evidence.verification.verify(self.connection, wanted, turned, again)
        return self.sql(
            """
            select relation, count(*) as pairs
            from imgsim.verification
            group by relation
            order by pairs desc, relation
            """
        )

    def group(
        self, *, least: float = groups.LEAST, tightness: float = 0.0, parts: bool = False
    ) -> pandas.DataFrame:
        """Builds groups of re-use from evidence and verdicts, and returns them.

        Args:
            least: the least probability at which evidence links two pictures.
            tightness: the share of the pairs across two groups that must be linked to unite them.
            parts: also link pictures that share only a part of a block.
        """
        groups.build(self.connection, least=least, tightness=tightness, parts=parts)
        return self.report("groups")

    def export(
        self,
        name: str,
        output: str | Path,
        *,
        format: str | None = None,  # noqa: A002
        force: bool = False,
        **options: Any,
    ) -> list[Path]:
        """Writes an export by its name on the command line, and returns the files.

        `export("groups", "results")`, `export("pairs", "pairs.gexf", threshold=0.9)`. The options
        are those of the functions in `imgsim.export.kinds`.

        Args:
            output: a folder, or a file whose ending is a format.
            force: write over files that are there.
        """
        from imgsim.export import kinds

        where = kinds.target(name, output, format_=format, force=force)
        return kinds.write(self.connection, name, where, **options).outcome.files

    @property
    def metadata(self) -> Metadata:
        """The books: `metadata.load(file)`, `metadata.link(file, …)`, `metadata.coverage()`."""
        return Metadata(self.connection)

    def verdicts(self, *, disputed: bool = False) -> pandas.DataFrame:
        """Returns the pairs that scholars have judged, the disputed ones first."""
        return self.report("verdicts", disputed=disputed)

    def thumbnails(
        self, frame: pandas.DataFrame, *, side: int = 96, at_most: int = 50
    ) -> Thumbnailed:
        """Returns a table that a notebook shows with the pictures it names.

        `store.thumbnails(store.similar("000170010400180_0"))`

        Args:
            frame: any table with a column name, image_id, other_name or other_id.
            side: the longer side of a picture, in pixels.
            at_most: how many rows are shown, from the first.
        """
        from imgsim.plots.thumbnailed import thumbnailed

        return thumbnailed(self.connection, frame, side, at_most)

    def report(self, name: str, **options: Any) -> pandas.DataFrame:
        """Returns a report, by its name on the command line: `report("overlap", k=4)`.

        The options are those of the functions in `imgsim.reports`.

        Raises:
            ImgsimError: there is no such report, or it cannot be made.
        """
        if name not in reports.REPORTS:
            raise ImgsimError(
                f"there is no report {name!r}", _those_there_are(name, reports.REPORTS)
            )
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
            raise ImgsimError(f"there is no figure {name!r}", _those_there_are(name, FIGURES))
        return FIGURES[name](self.connection, *map(str, image), **options).figure

    def models(self) -> pandas.DataFrame:
        """Returns the models of the store, their vectors, index and neighbour lists."""
        return self.sql("select * from imgsim.model_status()")


def _those_there_are(name: str, known: Iterable[str]) -> str:
    """Returns the names that there are, the one that was probably meant first."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}there are: {', '.join(names)}"
