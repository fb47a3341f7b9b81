"""Which columns of a table say which picture is in which book."""

from __future__ import annotations

from dataclasses import dataclass

from imgsim.bibliography.headings import ALIASES, plain
from imgsim.errors import ImgsimError
from imgsim.formats.reading import TableFile

# The plainest first: of several the first is taken.
MEANINGS = {
    "file": (
        *("file", "file_name", "filename", "path", "file_path", "image_file", "image", "picture"),
        "illustration_id",
    ),
    "ecco_id": ("ecco_id", "eccoid", *ALIASES["ecco_id"], "document", "book"),
    "page": ("page", "page_number", "page_no"),
    "illustration": ("illustration", "illustration_number", "illustration_no"),
}
OPTIONS = {
    "file": "names the picture's file: give --file-column",
    "ecco_id": "has the book's ECCO id: give --ecco-id-column",
}


@dataclass(frozen=True)
class LinkColumns:
    """The columns of the table: the picture's file, its book's id, and what else it tells.

    Without a file's or an id's column, all that are not named are found by their headings.
    """

    file: str | None = None
    ecco_id: str | None = None
    page: str | None = None
    illustration: str | None = None

    def found_in(self, table: TableFile) -> LinkColumns:
        """Returns these columns, with those that a table's headings tell.

        Raises:
            ImgsimError: no heading means the picture's file, or the book's id.
        """
        if self.file is not None and self.ecco_id is not None:
            return self
        named = {name: getattr(self, name) for name in MEANINGS}
        found = {name: given or _meant(name, table.columns) for name, given in named.items()}
        for name, wanted in OPTIONS.items():
            if found[name] is None:
                what, _, hint = wanted.partition(": ")
                raise ImgsimError(
                    f"cannot tell which column of {table.path.name} {what}",
                    f"{hint}; it has: {', '.join(table.columns)}",
                )
        return LinkColumns(**found)

    def __str__(self) -> str:
        """Returns the columns in words, for the reader to check."""
        named = {name: getattr(self, name) for name in MEANINGS}
        return ", ".join(f"{column} as {name}" for name, column in named.items() if column)


def _meant(name: str, headings: tuple[str, ...]) -> str | None:
    by_meaning = {plain(heading): heading for heading in reversed(headings)}
    return next((by_meaning[text] for text in MEANINGS[name] if text in by_meaning), None)
