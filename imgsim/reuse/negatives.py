"""Negatives: a picture with black and white exchanged, as on microfilm, is the stored one.

One picture alone does not tell: white lines on a black ground may be a negative or a white-line
engraving. Two tell. So a picture with a dark ground is turned round and compared once more, and
called a negative only of a picture with which it is then of one block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.images.decoding import Picture
from imgsim.images.files import path_from_text
from imgsim.images.stored import Content, open_picture
from imgsim.networks.models import Model
from imgsim.reuse.evidence import features, judgement
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.similarity import search
from imgsim.similarity.search import Query

CANDIDATES = 5
LONGEST = 256
"""Of the picture whose ground is looked at, in pixels: lines thinner than its ground grey out."""

DARKEST, LIGHTEST = 1, 99
"""Percentiles of the levels that count as black and white."""

ONE_BLOCK = ("same block", "same block in part")


@dataclass(frozen=True)
class Positive:
    """The stored picture that another is the negative of, and how similar the two are then."""

    image_id: int
    name: str
    similarity: float
    judgement: Judgement


def has_dark_ground(image: Image.Image) -> bool:
    """Returns whether more than half of a picture is nearer to its black than to its white."""
    small = image.convert("L")
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    black, middle, white = np.percentile(np.asarray(small), (DARKEST, 50, LIGHTEST))
    return bool(middle < (black + white) / 2)


def positive_of(connection: Connection, query: Query, model: Model) -> Positive | None:
    """Returns the stored picture that a picture is the negative of; None if none is found.

    It is looked for among the nearest by one model. A picture that cannot be read is none.
    """
    picture = _opened(connection, query)
    if picture is None or not has_dark_ground(picture.image):
        return None
    turned = ImageOps.invert(picture.image)
    question = search.Question("", k=CANDIDATES + 1)
    try:
        vector = search.embed(turned, model)
    except ImgsimError:
        # A reader of a store elsewhere may have no weights, and needs none for what is stored.
        return None
    nearest = search.nearest(connection, question, vector, model)
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
        "select path, frame, sha256, bytes, modified_ns from imgsim.image where image_id = %s",
        [query.image_id],
    ).fetchone()
    if row is None:
        return None
    path, frame, *content = row
    opened = open_picture(path_from_text(path), frame, Content(*content), features.draft_size)
    return opened if isinstance(opened, Picture) else None
