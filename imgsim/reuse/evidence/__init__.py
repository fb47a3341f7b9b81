"""Evidence for re-use: pictures aligned, their cells and their ink compared, and judged.

details, masses, cells ──alignment──> transform ──ink, cells──> agreement ──judgement──> relation,
probabilities
"""

from __future__ import annotations

from dataclasses import dataclass

from imgsim.database.connection import Connection, Table
from imgsim.errors import ImgsimError
from imgsim.images.files import Refused
from imgsim.reuse.evidence import judgement, stored_features, verification
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.reuse.evidence.verification import Pair
from imgsim.similarity import search
from imgsim.similarity.search import Query


@dataclass(frozen=True)
class Compared:
    """Two pictures and what they are to each other; `stored` where the judgement is kept."""

    judgement: Judgement
    stored: bool


def compare(
    connection: Connection, image: str, other: str, turned: bool = False, again: bool = False
) -> Compared:
    """What two pictures are to each other: stored ones, by name, path or id, or any image files.

    Args:
        turned: accept any rotation on as little evidence as none.
        again: judge anew what has been judged.

    Raises:
        ImgsimError: one cannot be found or read, or both are one picture.
    """
    queries = [search.find_query(connection, text) for text in (image, other)]
    ids = [query.image_id for query in queries]
    if ids[0] is not None and ids[0] == ids[1]:
        raise ImgsimError(
            f"{image} and {other} are the same stored picture", "give two different ones"
        )
    one, two = (
        _features(connection, query, text)
        for query, text in zip(queries, (image, other), strict=True)
    )
    if ids[0] is None or ids[1] is None:
        return Compared(judgement.judge(one, two, turned), False)
    pair = Pair(*sorted((ids[0], ids[1])))
    # What is judged already can be told to those who may only read. And somebody waits for this one
    # pair: a run over the whole store may take hours.
    if again or verification.not_judged(connection, [pair], turned):
        verification.verify(connection, [pair], turned, again, takes_turn=False)
    kept = verification.kept(connection, pair)
    return Compared(kept if pair.image_id == ids[0] else kept.reversed(), True)


def table_of(judged: Judgement) -> Table:
    """Returns a judgement as a row, in the columns of `imgsim.verification_ecco`."""
    row = {
        "relation": judged.relation,
        "probability": judged.probability,
        "copy_probability": judged.copy_probability,
        "unrelated_probability": judged.unrelated_probability,
        "mirrored": judged.mirrored,
        "angle": judged.angle,
        "inliers": judged.inliers,
        "coverage": judged.coverage,
        "other_coverage": judged.other_coverage,
        "correlation": judged.correlation,
        "reason": judged.reason,
    }
    return Table(tuple(row), [tuple(row.values())])


def _features(connection: Connection, query: Query, called: str) -> LocalFeatures:
    if query.image_id is not None:
        unreadable = stored_features.find(connection, [query.image_id])
        known = stored_features.known(connection, [query.image_id])
        if query.image_id in known and query.image_id not in unreadable:
            return known[query.image_id]
        reason = unreadable.get(query.image_id, "it was removed meanwhile")
        raise ImgsimError(f"cannot read {called}: {reason}", "see that the file is where it was")
    assert query.file is not None
    found = stored_features.of_file(query.file)
    if isinstance(found, Refused):
        raise ImgsimError(f"cannot read {called}: {found.reason}", "give another image")
    return found
