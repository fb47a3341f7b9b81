"""The books of a store in Python, as `imgsim metadata` has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim.bibliography import linking, metadata
from imgsim.bibliography.link_columns import LinkColumns
from imgsim.database.connection import Connection

if TYPE_CHECKING:
    import pandas


class Metadata:
    """The bibliography of an open store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(
        self, file: str | Path, *, missing: Sequence[str] = (), sheet: str | None = None
    ) -> pandas.DataFrame:
        """Reads the books of a table, and returns what of the pictures they cover.

        Args:
            missing: further spellings of a missing value.
            sheet: of an Excel workbook.

        Raises:
            ImgsimError: the table cannot be read, or has no column ecco_id.
        """
        metadata.load(self._connection, Path(file), missing=missing, sheet=sheet)
        return self.coverage()

    def link(
        self,
        file: str | Path,
        *,
        file_column: str | None = None,
        ecco_id_column: str | None = None,
        page_column: str | None = None,
        illustration_column: str | None = None,
        missing: Sequence[str] = (),
        sheet: str | None = None,
    ) -> pandas.DataFrame:
        """Links pictures to their books by a table, and returns what of the pictures is covered.

        Columns that are not named are found by their headings.
        """
        columns = LinkColumns(file_column, ecco_id_column, page_column, illustration_column)
        linking.link(self._connection, Path(file), columns, missing=missing, sheet=sheet)
        return self.coverage()

    def coverage(self) -> pandas.DataFrame:
        """Returns how many pictures have a book, and how many books have pictures."""
        return metadata.coverage(self._connection).frame()
