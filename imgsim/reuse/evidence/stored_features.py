"""The features of stored images: found once, and kept in `imgsim.local_feature`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from imgsim.database.connection import Connection
from imgsim.database.turns import committed, share_models
from imgsim.images.boxes import Box, box_of
from imgsim.images.decoding import Picture
from imgsim.images.files import Found, Refused, path_from_text
from imgsim.images.grounds import has_dark_ground
from imgsim.images.stored import Content, open_picture, refused_if_changed
from imgsim.reuse.evidence import features
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.work import Progress, in_parallel, silent

FEATURES_COMMITTED = 64


def of_file(file: Found, frame: int = 1) -> LocalFeatures | Refused:
    """The features of a picture on disk; never raises for a bad file."""
    return _features_in(open_picture(file.path, frame, draft_size=features.draft_size))


def _features_in(picture: Picture | Refused) -> LocalFeatures | Refused:
    if isinstance(picture, Refused):
        return picture
    return features.find(picture.image, (picture.frame.width, picture.frame.height))


def known(connection: Connection, ids: Sequence[int]) -> dict[int, LocalFeatures]:
    """The features of images that have been found before."""
    rows = connection.execute(
        """
        select f.image_id, f.width, f.height, f.features, f.ink, f.cells
        from imgsim.local_feature f
        join imgsim.image i on i.image_id = f.image_id and i.sha256 = f.sha256
        where f.image_id = any(%s) and f.version = %s
        """,
        [list(ids), features.VERSION],
        binary=True,
    )
    return {
        image_id: features.unpack(width, height, *packed)
        for image_id, width, height, *packed in rows
    }


@dataclass(frozen=True)
class _Wanted:
    image_id: int
    path: str
    frame: int
    content: Content
    box: Box | None = None

    @property
    def sha256(self) -> str:
        return self.content.sha256


def find(
    connection: Connection, ids: Sequence[int], on_progress: Progress = silent
) -> dict[int, str]:
    """Finds the features of images that have none yet; returns which cannot be read, and why."""
    rows = connection.execute(
        """
        select i.image_id, i.path, i.frame, f.image_id is null, i.x, i.y, i.width, i.height,
            i.sha256, i.bytes, i.modified_ns
        from imgsim.image i
        left join imgsim.local_feature f on f.image_id = i.image_id and f.version = %s
        where i.image_id = any(%s)
        order by i.image_id
        """,
        [features.VERSION, list(ids)],
    ).fetchall()
    every = [
        (_Wanted(image_id, path, frame, Content(*row[4:]), box_of(*row[:4])), without)
        for image_id, path, frame, without, *row in rows
    ]
    # Features may be there of a content that the file no longer has.
    unreadable = dict(_changed([wanted for wanted, without in every if not without]))
    lacking = [wanted for wanted, without in every if without]
    for start in range(0, len(lacking), FEATURES_COMMITTED):
        block = lacking[start : start + FEATURES_COMMITTED]
        found = list(in_parallel(_seen_in, block))
        for wanted, each in zip(block, found, strict=True):
            if isinstance(each, str):
                unreadable[wanted.image_id] = each
        committed(connection, partial(_keep_features, connection, block, found))
        on_progress("features", start + len(block), len(lacking))
    return unreadable


def _changed(known: Sequence[_Wanted]) -> Iterator[tuple[int, str]]:
    for wanted in known:
        if refused := refused_if_changed(path_from_text(wanted.path), wanted.content):
            yield wanted.image_id, refused.reason


@dataclass(frozen=True)
class _Seen:
    """What one look at a picture has found; its ground tells whether it may be a negative."""

    features: LocalFeatures
    dark_ground: bool


def _seen_in(wanted: _Wanted) -> _Seen | str:
    path = path_from_text(wanted.path)
    picture = open_picture(path, wanted.frame, wanted.content, features.draft_size, box=wanted.box)
    if isinstance(picture, Refused):
        return picture.reason
    found = features.find(picture.image, (picture.frame.width, picture.frame.height))
    return _Seen(found, has_dark_ground(picture.image))


def _keep_features(
    connection: Connection, block: Sequence[_Wanted], found: Sequence[_Seen | str]
) -> None:
    share_models(connection)
    for wanted, each in zip(block, found, strict=True):
        if isinstance(each, _Seen):
            _keep_features_of(connection, wanted, each)


def _keep_features_of(connection: Connection, wanted: _Wanted, seen: _Seen) -> None:
    found = seen.features
    packed = features.pack(found)
    connection.execute(
        """
        insert into imgsim.local_feature
            (image_id, version, sha256, width, height, points, features, ink,
            cells, dark_ground)
        select i.image_id, %s, i.sha256, %s, %s, %s, %s, %s, %s, %s
        from imgsim.image i
        where i.image_id = %s and i.sha256 = %s
        on conflict (image_id) do update
        set version = excluded.version, sha256 = excluded.sha256, width = excluded.width,
            height = excluded.height, points = excluded.points, features = excluded.features,
            ink = excluded.ink, cells = excluded.cells, dark_ground = excluded.dark_ground
        """,
        [
            *(features.VERSION, found.width, found.height, len(found.points)),
            *(*packed, seen.dark_ground),
            *(wanted.image_id, wanted.sha256),
        ],
    )
