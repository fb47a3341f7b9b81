"""Comparing all with all: sketches bound every cosine, and the answers are those of brute force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim.similarity.comparison import nearest, reaching, sketches
from imgsim.similarity.comparison import vectors as stored
from imgsim.similarity.comparison.devices import on_device
from imgsim.similarity.comparison.nearest import Nearest
from imgsim.similarity.comparison.products import Multiplied, OnProcessor
from imgsim.similarity.comparison.reaching import Reaching
from imgsim.similarity.comparison.sketches import Sketches
from imgsim.similarity.comparison.vectors import Vectors, vectors_of
from tests.vectors import clustered


def of(values: npt.ArrayLike) -> Vectors:
    """Vectors as they come out of the store: half-precision numbers of about unit length."""
    array = np.asarray(values, np.float64)
    array = array / np.linalg.norm(array, axis=1, keepdims=True)
    halves = array.astype(np.float16).astype(np.float32)
    return vectors_of(np.arange(1, len(halves) + 1), halves)


def brute_force(vectors: Vectors) -> npt.NDArray[np.float64]:
    """All cosines in double precision, rounded; -2 on the diagonal."""
    values = vectors.values.astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    similarity = np.round(values @ values.T, 7)
    np.fill_diagonal(similarity, -2)
    return np.asarray(similarity)


def on_a_threshold() -> Vectors:
    """Cosines with the first that lie closer together than single precision can tell."""
    values = np.zeros((200, 64))
    values[:, 0] = 1
    values[1:, 1] = 0.3630 + np.arange(199) * 2.0**-12
    return of(values)


def hard_cases() -> dict[str, Vectors]:
    rng = np.random.default_rng(5)
    equal = clustered(160, 64)
    equal[20:90] = equal[20]
    few = rng.integers(-1, 2, size=(220, 64)) + 0.001
    return {
        "groups": of(clustered(300, 64)),
        "exact duplicates": of(equal),
        "many ties": of(few),
        "nearly all alike": of(1 + 0.01 * rng.normal(size=(260, 64))),
        "opposite": of(np.concatenate([clustered(70, 64), -clustered(70, 64)])),
        "a hair apart": on_a_threshold(),
        "in a plane": of(rng.normal(size=(150, 2)) @ rng.normal(size=(2, 64))),
    }


CASES = hard_cases()


def sketched(vectors: Vectors, rank: int) -> Sketches:
    order = np.arange(len(vectors.ids))
    if rank == vectors.dimension:
        return sketches.whole(vectors, order)
    basis = sketches.leading_directions(vectors, rank)
    return sketches.of_rank(vectors, order, basis)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MOST_ROWS", 33)
    monkeypatch.setattr(reaching, "ROWS", 33)
    monkeypatch.setattr(reaching, "COLUMNS", 50)


@pytest.fixture(params=["numpy", "torch"])
def multiply(request: pytest.FixtureRequest) -> Multiplied:
    """By numpy, and by torch as on a graphics card."""
    return OnProcessor if request.param == "numpy" else on_device("cpu")


@pytest.mark.parametrize("rank", [1, 8, 64])
@pytest.mark.parametrize("case", CASES)
def test_lists_are_those_of_brute_force(
    small_blocks: None, multiply: Multiplied, case: str, rank: int
) -> None:
    vectors = CASES[case]
    similarity = brute_force(vectors)
    order = np.lexsort((np.broadcast_to(vectors.ids, similarity.shape), -similarity))[:, :7]
    nearest_of = Nearest(vectors, 7, chosen=sketched(vectors, rank), multiply=multiply)
    found = list(nearest_of.lists(all_of(vectors)))
    assert np.concatenate([f.image_ids for f in found]).tolist() == vectors.ids.repeat(7).tolist()
    others = np.concatenate([f.other_ids for f in found]).reshape(-1, 7)
    assert others.tolist() == vectors.ids[order].tolist()
    listed = np.concatenate([f.similarity for f in found]).reshape(-1, 7)
    assert np.array_equal(listed, np.take_along_axis(similarity, order, axis=1))


@pytest.mark.parametrize("rank", [1, 8, 64])
@pytest.mark.parametrize("case", CASES)
def test_pairs_are_those_of_brute_force_on_a_stored_value_and_a_hair_beside_it(
    small_blocks: None, multiply: Multiplied, case: str, rank: int
) -> None:
    vectors = CASES[case]
    similarity = brute_force(vectors)
    values = np.unique(similarity[np.triu_indices_from(similarity, 1)])
    order = np.random.default_rng(0).permutation(len(vectors.ids))
    chosen = sketched(vectors, rank)
    chosen = Sketches(chosen.values[order], chosen.margin)
    for value in values[:: len(values) // 3 + 1]:
        for threshold in np.round(value + np.array([0, 1e-7, -1e-7]), 7):
            reaching_it = Reaching(vectors, order, threshold, 1.0, chosen, multiply)
            found = list(reaching_it.before(0, len(order)))
            pairs = {
                (min(pair), max(pair)): similar
                for f in found
                for *pair, similar in zip(f.row_ids, f.column_ids, f.similarity, strict=True)
            }
            expected = np.argwhere(np.triu(similarity >= threshold, 1))
            assert pairs == {(a + 1, b + 1): similarity[a, b] for a, b in expected}


def all_of(vectors: Vectors) -> npt.NDArray[np.intp]:
    return np.arange(len(vectors.ids))


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 17, 40]), st.sampled_from([0.01, 0.3, 3.0]))
@settings(max_examples=40, deadline=None)
def test_no_product_of_sketches_is_less_than_the_cosine(
    seed: int, rank: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = of(np.abs(rng.normal(size=48)) + spread * rng.normal(size=(60, 48)))
    short = sketched(vectors, rank)
    bounds = short.values @ short.values.T
    assert (bounds + short.margin >= brute_force(vectors)).all()


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_cosine_is_the_same_from_either_side_and_in_any_company(seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "COLUMNS_AT_ONCE", 40)
        check_cosines(seed)


def check_cosines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = of(rng.normal(size=(90, 64)))
    left, right = rng.integers(0, 90, size=(2, 2000))
    dense = vectors.cosines(left, right)
    alone = [vectors.cosines(left[i : i + 1], right[i : i + 1])[0] for i in range(50)]
    assert dense[:50].tolist() == alone
    assert np.array_equal(dense, vectors.cosines(right, left))


def test_the_sketches_chosen_are_short_where_that_pays_and_whole_where_it_does_not() -> None:
    much, little = 1e9, 1e4
    vectors = of(clustered(400, 512))
    order = all_of(vectors)
    high = sketches.best(vectors, lambda rows: np.full(len(rows), 0.97), much, order)
    assert high.values.shape[1] < 200
    few = sketches.best(vectors, lambda rows: np.full(len(rows), 0.97), little, order)
    assert few.values.shape == (400, 512)
    independent = of(np.random.default_rng(0).normal(size=(400, 512)))
    low = sketches.best(independent, lambda rows: np.full(len(rows), 0.2), much, order)
    assert low.values.shape == (400, 512)


def test_images_of_one_document_stay_out_of_each_others_lists(multiply: Multiplied) -> None:
    vectors = CASES["groups"]
    documents = np.arange(300) % 3 - 1
    similarity = brute_force(vectors)
    similarity[(documents[:, None] == documents) & (documents >= 0)] = -2
    order = np.lexsort((np.broadcast_to(vectors.ids, similarity.shape), -similarity))[:, :5]
    nearest_of = Nearest(vectors, 5, documents, multiply=multiply)
    found = list(nearest_of.lists(all_of(vectors)))
    others = np.concatenate([f.other_ids for f in found]).reshape(-1, 5)
    assert others.tolist() == vectors.ids[order].tolist()


def test_a_document_with_too_few_others_gives_shorter_lists() -> None:
    vectors = of(clustered(40, 16))
    documents = np.zeros(40, np.int64)
    documents[:3] = 1
    found = list(Nearest(vectors, 5, documents).lists(all_of(vectors)))
    counts = np.bincount(np.concatenate([f.image_ids for f in found]), minlength=41)[1:]
    assert counts.tolist() == [5] * 3 + [3] * 37
