"""Negatives: a picture with black and white exchanged, as on microfilm, is the stored one.

One picture alone does not tell: white lines on a black ground may be a negative or a white-line
engraving. Two tell. So a picture with a dark ground is turned round and compared once more, and
called a negative only of a picture with which it is then of one block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from imgsim.database.connection import Connection
from imgsim.database.turns import committed, share_models, turn
from imgsim.errors import ImgsimError
from imgsim.images.boxes import box_of
from imgsim.images.decoding import Picture
from imgsim.images.files import path_from_text
from imgsim.images.grounds import has_dark_ground
from imgsim.images.stored import Content, open_picture
from imgsim.networks.models import Model
from imgsim.reuse.evidence import features, judgement
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.similarity import search
from imgsim.similarity.search import Query
from imgsim.work import Progress, silent

CANDIDATES = 5
GROUNDS_COMMITTED = 64
ONE_BLOCK = ("same block", "same block in part")


@dataclass(frozen=True)
class Positive:
    """The stored picture that another is the negative of, and how similar the two are then."""

    image_id: int
    name: str
    similarity: float
    judgement: Judgement


@dataclass(frozen=True)
class Negative:
    """A stored picture that is a negative of another."""

    name: str
    positive: str


Embed = Callable[[Image.Image], "npt.NDArray[np.float32]"]


def positive_of(connection: Connection, query: Query, model: Model) -> Positive | None:
    """Returns the stored picture that a picture is the negative of; None if none is found.

    It is looked for among the nearest by one model. A picture that cannot be read is none.
    """
    picture = _opened(connection, query)
    if picture is None or not has_dark_ground(picture.image):
        return None
    try:
        return _positive(connection, query, picture, model, search.embedder_of(model))
    except ImgsimError:
        # A reader of a store elsewhere may have no weights, and needs none for what is stored.
        return None


def find_all(
    connection: Connection, model: Model, on_progress: Progress = silent
) -> list[Negative]:
    """Looks at every stored picture with a dark ground whose details are known, each once.

    One that nothing was found for is looked at again when pictures have come since. What is found
    is kept in `imgsim.negative`. Returns what was found now.

    Raises:
        WeightsError: the model's weights cannot be had, and a picture is to be looked at.
    """
    # Two runs would look at the same pictures, to the same end, at twice the cost.
    with turn(connection, "imgsim.negative", 0):
        _look_at_grounds(connection)
        waiting = _waiting(connection)
        if not waiting:
            return []
        embed = search.embedder_of(model)
        found = []
        for number, (image_id, name, sha256) in enumerate(waiting, start=1):
            query = Query(image_id, None)
            picture = _opened(connection, query)
            # A file that is gone or was edited waits until it can be read.
            if picture is not None:
                positive = _positive(connection, query, picture, model, embed)
                _keep(connection, image_id, sha256, positive)
                if positive:
                    found.append(Negative(name, positive.name))
            on_progress("negatives", number, len(waiting))
    return found


def _positive(
    connection: Connection, query: Query, picture: Picture, model: Model, embed: Embed
) -> Positive | None:
    turned = ImageOps.invert(picture.image)
    question = search.Question("", k=CANDIDATES + 1)
    nearest = search.nearest(connection, question, embed(turned), model)
    at = {column: nearest.columns.index(column) for column in ("image_id", "name", "similarity")}
    its_features = features.find(turned, (picture.frame.width, picture.frame.height))
    for row in nearest.rows:
        image_id = row[at["image_id"]]
        other = None if image_id == query.image_id else _opened(connection, Query(image_id, None))
        if other is not None:
            judged = judgement.judge(its_features, _features(other))
            if judged.relation in ONE_BLOCK:
                return Positive(image_id, row[at["name"]], row[at["similarity"]], judged)
    return None


def _look_at_grounds(connection: Connection) -> None:
    """Looks at the grounds of pictures whose details an earlier version found."""
    rows = connection.execute(
        "select image_id from imgsim.local_feature where dark_ground is null order by image_id"
    ).fetchall()
    for start in range(0, len(rows), GROUNDS_COMMITTED):
        ids = [row[0] for row in rows[start : start + GROUNDS_COMMITTED]]
        opened = [(i, _opened(connection, Query(i, None))) for i in ids]
        dark = [(i, has_dark_ground(picture.image)) for i, picture in opened if picture]
        connection.cursor().executemany(
            "update imgsim.local_feature set dark_ground = %s where image_id = %s",
            [(is_dark, i) for i, is_dark in dark],
        )


def _waiting(connection: Connection) -> list[tuple[int, str, str]]:
    return connection.execute(
        """
        select i.image_id, i.name, i.sha256
        from imgsim.image i
        join imgsim.local_feature f using (image_id)
        left join imgsim.negative n using (image_id)
        where f.dark_ground
            and (n.image_id is null
                or n.positive_id is null
                    and n.looked_at < (select max(changed_at) from imgsim.image))
        order by i.image_id
        """
    ).fetchall()


def _keep(connection: Connection, image_id: int, sha256: str, positive: Positive | None) -> None:
    values: list[object] = [None] * 4
    if positive:
        judged = positive.judgement
        values = [positive.image_id, positive.similarity, judged.relation, judged.probability]

    def work() -> None:
        share_models(connection)
        connection.execute(
            """
            insert into imgsim.negative (image_id, positive_id, similarity, relation, probability)
            select i.image_id, p.image_id, %s, %s, %s
            from imgsim.image i
            left join imgsim.image p on p.image_id = %s
            where i.image_id = %s and i.sha256 = %s and (p.image_id is null) = (%s::text is null)
            on conflict (image_id) do update
            set positive_id = excluded.positive_id, similarity = excluded.similarity,
                relation = excluded.relation, probability = excluded.probability,
                looked_at = excluded.looked_at
            """,
            [*values[1:], values[0], image_id, sha256, values[2]],
        )

    committed(connection, work)


def judged_turned_round(connection: Connection, image: str, other: str) -> Judgement | None:
    """Returns what two pictures are if one is a negative of the other; None if neither is.

    Args:
        image, other: stored pictures, by name, path or id, or any image files.
    """
    pictures = [_opened(connection, search.find_query(connection, text)) for text in (image, other)]
    one, two = pictures
    if one is None or two is None:
        return None
    dark = [has_dark_ground(picture.image) for picture in (one, two)]
    if dark[0] == dark[1]:
        return None
    inverted = [
        features.find(
            ImageOps.invert(picture.image) if is_dark else picture.image,
            (picture.frame.width, picture.frame.height),
        )
        for picture, is_dark in zip((one, two), dark, strict=True)
    ]
    judged = judgement.judge(inverted[0], inverted[1])
    return judged if judged.relation in ONE_BLOCK else None


def _features(picture: Picture) -> features.LocalFeatures:
    return features.find(picture.image, (picture.frame.width, picture.frame.height))


def _opened(connection: Connection, query: Query) -> Picture | None:
    if query.file is not None:
        opened = open_picture(query.file.path, draft_size=features.draft_size)
        return opened if isinstance(opened, Picture) else None
    row = connection.execute(
        """
        select path, frame, x, y, width, height, sha256, bytes, modified_ns
        from imgsim.image
        where image_id = %s
        """,
        [query.image_id],
    ).fetchone()
    if row is None:
        return None
    path, frame, x, y, width, height, *content = row
    opened = open_picture(
        *(path_from_text(path), frame, Content(*content), features.draft_size),
        box=box_of(x, y, width, height),
    )
    return opened if isinstance(opened, Picture) else None
