"""Pairs of a store verified: once, resumably, and again when a file has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.errors import ImgsimError
from imgsim.reuse import evidence
from imgsim.reuse.evidence import features, stored_features, verification
from imgsim.reuse.evidence.verification import Pair, Verified
from tests.pictures import add_picture, take_in_again

Add = Callable[[str, Image.Image], int]


@pytest.fixture
def add(connection: Connection, tmp_path: Path) -> Add:
    """Save a picture, and put its row into the store."""

    def added(name: str, image: Image.Image) -> int:
        path = tmp_path / f"{name}.png"
        image.save(path)
        return add_picture(connection, path)

    return added


@pytest.fixture
def three(add: Add) -> tuple[int, int, int]:
    """A plate, another impression of it, and a different plate."""
    one = plates.draw(1, (300, 420))
    return (
        add("one", one),
        add("two", one.rotate(2, Image.Resampling.BICUBIC, fillcolor=245).resize((250, 350))),
        add("three", plates.draw(2, (300, 420))),
    )


def relations(connection: Connection) -> dict[tuple[int, int], str]:
    rows = connection.execute("select image_id, other_id, relation from imgsim.verification")
    return {(one, other): relation for one, other, relation in rows}


def all_pairs(*ids: int) -> list[Pair]:
    return [Pair(one, other) for one in ids for other in ids if one < other]


def test_pairs_are_judged_and_kept(connection: Connection, three: tuple[int, int, int]) -> None:
    one, two, other = three
    verified = verification.verify(connection, all_pairs(*three))
    assert relations(connection) == {
        (one, two): "same block",
        (one, other): "unrelated",
        (two, other): "unrelated",
    }
    assert dict(verified.relations) == {"same block": 1, "unrelated": 2}


def test_a_second_run_does_nothing_and_a_new_image_costs_only_its_own(
    connection: Connection, three: tuple[int, int, int], add: Add
) -> None:
    verification.verify(connection, all_pairs(*three))
    before = connection.execute("select image_id, xmin from imgsim.local_feature").fetchall()
    again = verification.verify(connection, all_pairs(*three))
    assert (again.pairs, again.done, dict(again.relations)) == (3, 3, {})
    new = add("four", plates.draw(1, (300, 420)).resize((200, 280)))
    told: list[tuple[str, int, int]] = []
    verified = verification.verify(
        connection, all_pairs(*three, new), on_progress=lambda *step: told.append(step)
    )
    assert verified.done == 3
    assert told == [("features", 1, 1), ("pairs", 3, 3)]
    rows = connection.execute(
        "select image_id, xmin from imgsim.local_feature where image_id <> %s", [new]
    )
    assert sorted(rows) == sorted(before)


def test_a_pair_given_twice_or_reversed_is_one_pair(
    connection: Connection, three: tuple[int, int, int]
) -> None:
    one, two, _ = three
    verified = verification.verify(connection, [Pair(two, one), Pair(one, two), Pair(one, one)])
    assert verified.pairs == 1
    assert list(relations(connection)) == [(one, two)]


def test_an_interrupted_run_goes_on_where_it_was(
    connection: Connection, three: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "PAIRS_COMMITTED", 1)

    def interrupt(what: str, done: int, of: int) -> None:
        if (what, done) == ("pairs", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verification.verify(connection, all_pairs(*three), on_progress=interrupt)
    assert len(relations(connection)) == 2
    verified = verification.verify(connection, all_pairs(*three))
    assert (verified.done, sum(verified.relations.values())) == (2, 1)


def test_a_file_that_has_changed_is_verified_anew(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    one, _, other = three
    verification.verify(connection, all_pairs(*three))
    path = tmp_path / "three.png"
    plates.draw(1, (280, 392)).save(path)
    take_in_again(connection, other, path)
    verified = verification.verify(connection, all_pairs(*three))
    assert verified.done == 1
    assert relations(connection)[one, other] == "same block"


def test_a_file_that_is_gone_leaves_its_pairs_undecided_until_it_is_back(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    one, two, _ = three
    away = (tmp_path / "two.png").rename(tmp_path / "away")
    verified = verification.verify(connection, [Pair(one, two)])
    assert verified.unreadable == {"two": "there is no such file on this machine"}
    assert relations(connection) == {(one, two): "undecided"}
    row = connection.execute("select reason from imgsim.verification").fetchone()
    assert row == (f"image {two} cannot be read: there is no such file on this machine",)
    away.rename(tmp_path / "two.png")
    verification.verify(connection, [Pair(one, two)])
    assert relations(connection) == {(one, two): "same block"}


@pytest.mark.parametrize("with_features", [False, True])
def test_a_file_edited_since_it_was_taken_in_is_not_judged_under_its_old_checksum(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path, with_features: bool
) -> None:
    one, two, other = three
    if with_features:
        stored_features.find(connection, three)
    path = tmp_path / "three.png"
    path.write_bytes((tmp_path / "one.png").read_bytes())
    verified = verification.verify(connection, all_pairs(*three))
    assert "changed since it was taken in" in verified.unreadable["three"]
    assert "imgsim ingest" in verified.unreadable["three"]
    assert relations(connection) == {
        (one, two): "same block",
        (one, other): "undecided",
        (two, other): "undecided",
    }
    take_in_again(connection, other, path)
    verification.verify(connection, all_pairs(*three))
    assert relations(connection)[one, other] == "same block"


def test_two_pictures_of_which_one_was_edited_are_not_told_what_was_judged_before(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    verification.verify(connection, all_pairs(*three))
    (tmp_path / "two.png").write_bytes((tmp_path / "three.png").read_bytes())
    with pytest.raises(ImgsimError, match="cannot read two: changed since it was taken in"):
        evidence.compare(connection, "one", "two")


def test_a_file_that_was_only_touched_is_judged(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    os.utime(tmp_path / "two.png", (1, 1))
    verified = verification.verify(connection, all_pairs(*three))
    assert verified.unreadable == {}


def test_a_damaged_file_does_not_stop_the_others(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    one, two, other = three
    path = tmp_path / "three.png"
    path.write_bytes(path.read_bytes()[:2000])
    take_in_again(connection, other, path)
    verified = verification.verify(connection, all_pairs(*three))
    assert "truncated PNG" in verified.unreadable["three"]
    assert relations(connection) == {
        (one, two): "same block",
        (one, other): "undecided",
        (two, other): "undecided",
    }


def test_equal_files_are_of_one_block_though_they_show_nothing(
    connection: Connection, add: Add
) -> None:
    image = Image.new("L", (80, 80), 240)
    image.putpixel((3, 3), 0)
    one, other = add("a", image), add("b", image)
    verification.verify(connection, [Pair(one, other)])
    assert relations(connection) == {(one, other): "same block"}


def test_verifications_go_with_their_images_and_nothing_else_does(
    connection: Connection, three: tuple[int, int, int]
) -> None:
    one, two, other = three
    verification.verify(connection, all_pairs(*three))
    connection.execute("delete from imgsim.image where image_id = %s", [other])
    assert list(relations(connection)) == [(one, two)]


def test_looking_more_closely_judges_anew_and_less_closely_does_not(
    connection: Connection, three: tuple[int, int, int]
) -> None:
    verification.verify(connection, all_pairs(*three))
    verified = verification.verify(connection, all_pairs(*three), turned=True)
    assert (verified.done, sum(verified.relations.values())) == (0, 3)
    verified = verification.verify(connection, all_pairs(*three))
    assert (verified.done, sum(verified.relations.values())) == (3, 0)


def test_candidates_are_stored_neighbours_and_stored_pairs_each_once(
    connection: Connection, three: tuple[int, int, int]
) -> None:
    one, two, other = three
    connection.execute(
        """
        insert into imgsim.model
            (model_id, name, architecture, dimension, weights, weights_sha256, preprocess,
                embedding_table)
        values (1, 'm', 'resnet18', 2, 'w', 'hash', 'fit', 'embedding_m')
        """
    )
    connection.execute(
        """
        insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
        values (1, %s, %s, '{0.9, 0.8}'), (1, %s, %s, '{0.9, 0.7}')
        """,
        [one, [two, other], two, [one, other]],
    )
    connection.execute("insert into imgsim.pair values (1, %s, %s, 0.95)", [two, other])
    assert verification.candidates(connection, 1) == [(one, two), (two, other)]
    assert verification.candidates(connection, 2) == all_pairs(*three)


def test_two_pictures_may_be_stored_or_files(
    connection: Connection, three: tuple[int, int, int], tmp_path: Path
) -> None:
    plates.draw(1, (240, 336)).save(tmp_path / "new.png")
    compared = evidence.compare(connection, "one", str(tmp_path / "new.png"))
    assert (compared.judgement.relation, compared.stored) == ("same block", False)
    assert relations(connection) == {}
    assert evidence.compare(connection, "two", "one").stored
    assert list(relations(connection).values()) == ["same block"]
    with pytest.raises(ImgsimError, match="are the same stored picture"):
        evidence.compare(connection, "one", str(three[0]))


def test_features_are_small(connection: Connection, three: tuple[int, int, int]) -> None:
    stored_features.find(connection, three)
    rows = connection.execute(
        "select length(features) + length(ink) + length(cells), version from imgsim.local_feature"
    ).fetchall()
    assert len(rows) == 3
    assert all(size < 60_000 and version == features.VERSION for size, version in rows)


def test_nothing_to_verify_is_said(connection: Connection) -> None:
    assert verification.verify(connection, []) == Verified()


def test_a_large_jpeg_is_read_reduced_and_told_in_its_own_pixels(
    connection: Connection, add: Add, tmp_path: Path
) -> None:
    small = plates.draw(3, (600, 800))
    one = add("small", small)
    path = tmp_path / "large.jpg"
    small.resize((4800, 6400)).save(path, quality=80)
    large = add_picture(connection, path)
    verification.verify(connection, [Pair(one, large)])
    row = connection.execute("select relation, transform[1], other_box from imgsim.verification")
    relation, scale, box = row.fetchone() or ("", 0, [])
    assert relation == "same block"
    assert scale == pytest.approx(8, rel=0.02)
    assert box[2] > 4000


def test_of_two_stored_pictures_what_is_told_is_what_is_kept_whichever_comes_first(
    connection: Connection, three: tuple[int, int, int]
) -> None:
    here = evidence.compare(connection, "one", "two").judgement
    there = evidence.compare(connection, "two", "one").judgement
    row = connection.execute(
        "select probability, coverage, other_coverage, box, other_box from imgsim.verification"
    ).fetchone()
    assert row is not None
    assert here.box is not None
    assert here.other_box is not None
    assert (here.probability, here.coverage, here.other_coverage) == row[:3]
    assert [list(here.box), list(here.other_box)] == list(row[3:])
    assert (there.coverage, there.other_coverage) == (here.other_coverage, here.coverage)
    assert (there.box, there.other_box) == (here.other_box, here.box)
    assert here.transform is not None
    assert there.transform is not None
    round_trip = there.transform @ here.transform
    assert round_trip / round_trip[2, 2] == pytest.approx(np.eye(3), abs=1e-6)
