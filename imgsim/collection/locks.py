"""Locks on files and contents: two ingests of one folder share the work."""

from __future__ import annotations

from collections.abc import Iterable

from imgsim.database.turns import Shared
from imgsim.images.files import path_text

FILES = 730_581
CONTENTS = 730_582


class Locks:
    """What one ingest has in hand, kept from others by advisory locks of its connection."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def lock(self, paths: Iterable[str]) -> set[str]:
        """Locks the paths that no other ingest works on, and returns those."""
        texts = {path_text(path): path for path in paths}
        return {texts[text] for text in self._lock(FILES, list(texts))}

    def unlock(self, paths: Iterable[str]) -> None:
        """Lets other ingests have these paths."""
        self._unlock(FILES, [path_text(path) for path in paths])

    def lock_contents(self, hashes: Iterable[str]) -> set[str]:
        """Locks the contents that no other ingest is embedding, and returns those."""
        return self._lock(CONTENTS, list(hashes))

    def unlock_contents(self, hashes: Iterable[str]) -> None:
        """Lets other ingests have these contents."""
        self._unlock(CONTENTS, list(hashes))

    def _lock(self, kind: int, texts: list[str]) -> set[str]:
        with self._shared.alone() as connection:
            rows = connection.execute(
                "select t from unnest(%s::text[]) as t where pg_try_advisory_lock(%s, hashtext(t))",
                [texts, kind],
            ).fetchall()
        return {row[0] for row in rows}

    def _unlock(self, kind: int, texts: list[str]) -> None:
        if not texts:
            return
        with self._shared.alone() as connection:
            # A connection that broke has let go of its locks.
            if not connection.closed:
                connection.execute(
                    "select pg_advisory_unlock(%s, hashtext(t)) from unnest(%s::text[]) as t",
                    [kind, texts],
                )
