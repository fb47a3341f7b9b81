"""What a store holds, in numbers and in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.wording import counted


@dataclass(frozen=True)
class Holdings:
    """How many pictures, verified pairs, groups and verdicts; and books.

    `books` are those that pictures name, `described` those of them that the bibliography has.
    """

    images: int
    books: int
    described: int
    models: tuple[str, ...]
    verified: int
    groups: int
    verdicts: int

    def __str__(self) -> str:
        """Returns these in words; what there is none of is not mentioned.

        >>> str(Holdings(687, 8, 8, ("resnet18-print",), 3120, 37, 0))
        '687 pictures of 8 books, model resnet18-print, 3,120 pairs verified, 37 groups'
        """
        if not self.images:
            return "no pictures yet"
        books = f" of {counted(self.books, 'book')}" if self.books else ""
        models = "models" if len(self.models) != 1 else "model"
        parts = [f"{counted(self.images, 'picture')}{books}", f"{models} {', '.join(self.models)}"]
        if self.verified:
            parts.append(f"{counted(self.verified, 'pair')} verified")
        if self.groups:
            parts.append(counted(self.groups, "group"))
        if self.verdicts:
            parts.append(counted(self.verdicts, "verdict"))
        return ", ".join(parts)


def held(connection: Connection) -> Holdings:
    """Returns what the store holds now."""
    row = connection.execute(
        """
        select
            (select count(*) from imgsim.image),
            (select count(distinct i.ecco_id) from imgsim.image i),
            (
                select count(*)
                from imgsim.ecco_document d
                where exists (select from imgsim.image i where i.ecco_id = d.ecco_id)
            ),
            (select count(*) from imgsim.verification),
            (select count(*) from imgsim.group_state),
            (select count(*) from imgsim.verdict_current)
        """
    ).fetchone()
    assert row
    images, books, described, verified, groups, verdicts = row
    names = tuple(model.name for model in models.stored(connection))
    return Holdings(images, books, described, names, verified, groups, verdicts)
