"""Groups are what the theory of graphs says they are, and verdicts and tightness hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim.reuse.grouping import Group, Grouping, Links, grouped, kept_ids

Pair = tuple[int, int]
Weights = dict[Pair, tuple[float, bool]]
A, B, C, D = 11, 12, 13, 14

pairs = st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda p: p[0] < p[1])
probabilities = st.sampled_from([0.9, 0.93, 0.96, 0.99, 1.0])
evidence = st.dictionaries(pairs, st.tuples(probabilities, st.just(False)), max_size=40)
mixed = st.dictionaries(
    pairs, probabilities.map(lambda p: (p, False)) | st.just((1.0, True)), max_size=40
)
tightnesses = st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0])


def links(weights: Weights) -> Links:
    return Links(
        np.array([a for a, _ in weights], np.int64),
        np.array([b for _, b in weights], np.int64),
        np.array([p for p, _ in weights.values()], np.float64),
        np.array([v for _, v in weights.values()], np.bool_),
    )


def grouping(weights: Weights, apart: Iterable[Pair] = (), tightness: float = 0) -> Grouping:
    """The groups of links; pairs that are apart are not links."""
    refused = set(apart)
    kept = {pair: weight for pair, weight in weights.items() if pair not in refused}
    return grouped(links(kept), np.array(sorted(refused), np.int64).reshape(-1, 2), tightness)


def members(found: Grouping) -> list[tuple[int, ...]]:
    return [group.members for group in found.groups]


def graph_of(weights: Weights) -> nx.Graph:
    graph = nx.Graph()
    for (a, b), (probability, _) in weights.items():
        graph.add_edge(a, b, weight=probability)
    return graph


def chain() -> Weights:
    return {(A, B): (0.99, False), (B, C): (0.95, False), (C, D): (0.97, False)}


@given(mixed)
def test_with_one_link_enough_the_groups_are_the_connected_components(weights: Weights) -> None:
    found = grouping(weights)
    expected = sorted(tuple(sorted(c)) for c in nx.connected_components(graph_of(weights)))
    assert members(found) == expected
    assert (found.separated, found.loose) == (0, 0)
    assert len(found.group_of) == len(found.inside.image_ids) == len(weights)


@given(mixed, tightnesses)
def test_a_group_tells_its_density_its_weakest_link_and_its_bridge(
    weights: Weights, tightness: float
) -> None:
    whole = graph_of(weights)
    for group in grouping(weights, tightness=tightness).groups:
        graph = whole.subgraph(group.members)
        assert nx.is_connected(graph)
        assert group.links == graph.number_of_edges()
        assert group.density == pytest.approx(nx.density(graph))
        tree = nx.maximum_spanning_tree(graph)
        assert group.weakest == min(w for *_, w in tree.edges(data="weight"))
        assert graph.edges[group.weakest_pair]["weight"] == group.weakest
        surer = nx.Graph((a, b) for a, b, w in graph.edges(data="weight") if w > group.weakest)
        surer.add_nodes_from(graph)
        assert not nx.is_connected(surer)
        assert group.bridge == most_even_bridge(graph)


def most_even_bridge(graph: nx.Graph) -> Pair | None:
    def key(bridge: Pair) -> tuple[int, float, Pair]:
        cut = graph.copy()
        cut.remove_edge(*bridge)
        lesser = min(len(part) for part in nx.connected_components(cut))
        return -lesser, graph.edges[bridge]["weight"], bridge

    bridges = [(min(ends), max(ends)) for ends in nx.bridges(graph)]
    return min(bridges, key=key, default=None)


@given(mixed, st.sets(pairs, max_size=12), tightnesses)
def test_images_that_are_apart_are_in_no_common_group(
    weights: Weights, apart: set[Pair], tightness: float
) -> None:
    found = grouping(weights, apart, tightness)
    for group in found.groups:
        assert not apart & set(itertools.combinations(group.members, 2))
    led_out = len(weights.keys() - apart) - len(found.inside.image_ids)
    assert found.separated + found.loose == led_out
    if tightness == 0:
        assert found.loose == 0
    if not apart:
        assert found.separated == 0


@given(mixed, st.sets(pairs, max_size=12))
def test_only_a_verdict_keeps_linked_images_in_two_groups(
    weights: Weights, apart: set[Pair]
) -> None:
    found = grouping(weights, apart)
    group_of = {image: group.members for group in found.groups for image in group.members}
    for a, b in weights.keys() - apart:
        one, other = group_of.get(a, (a,)), group_of.get(b, (b,))
        if one != other:
            crossing = {(min(p), max(p)) for p in itertools.product(one, other)}
            assert crossing & apart


@given(evidence, tightnesses)
def test_no_group_is_less_dense_than_the_tightness_and_no_two_could_still_unite(
    weights: Weights, tightness: float
) -> None:
    found = grouping(weights, tightness=tightness)
    grouped_images = [set(group.members) for group in found.groups]
    alone = {image for pair in weights for image in pair}.difference(*grouped_images)
    assert all(group.density >= tightness - 1e-9 for group in found.groups)
    everyone = grouped_images + [{image} for image in alone]
    for one, other in itertools.combinations(everyone, 2):
        crossing = [(min(p), max(p)) for p in itertools.product(one, other)]
        linked = sum(pair in weights for pair in crossing)
        assert linked == 0 or linked < tightness * len(crossing)


@given(mixed, st.sets(pairs, max_size=12), tightnesses, st.randoms())
def test_the_order_of_the_links_does_not_matter(
    weights: Weights, apart: set[Pair], tightness: float, random: Random
) -> None:
    shuffled = list(weights.items())
    random.shuffle(shuffled)
    one, other = (grouping(w, apart, tightness) for w in (weights, dict(shuffled)))
    assert one.groups == other.groups
    assert one.group_of.tolist() == other.group_of.tolist()
    assert (one.separated, one.loose) == (other.separated, other.loose)


def test_a_chain_is_one_group_and_says_where_it_is_weakest() -> None:
    (group,) = grouping(chain()).groups
    assert group == Group(
        members=(A, B, C, D),
        links=3,
        density=0.5,
        weakest=0.95,
        weakest_pair=(B, C),
        bridge=(B, C),
    )


def test_tightness_breaks_a_chain() -> None:
    assert members(grouping(chain(), tightness=0.25)) == [(A, B, C, D)]
    found = grouping(chain(), tightness=0.26)
    assert members(found) == [(A, B), (C, D)]
    assert found.loose == 1


def test_a_verdict_on_its_ends_breaks_a_chain_at_its_weakest_link() -> None:
    found = grouping(chain(), apart=[(A, D)])
    assert members(found) == [(A, B), (C, D)]
    assert (found.separated, found.separated_verdicts, found.loose) == (1, 0, 0)


def test_of_verdicts_that_contradict_each_other_by_a_third_image_the_last_gives_way() -> None:
    weights = {(A, B): (1.0, True), (B, C): (1.0, True)}
    found = grouping(weights, apart=[(A, C)])
    assert members(found) == [(A, B)]
    assert (found.separated, found.separated_verdicts) == (1, 1)


def test_a_verdict_unites_whatever_the_tightness() -> None:
    weights = dict.fromkeys(chain(), (1.0, True))
    assert members(grouping(weights, tightness=1)) == [(A, B, C, D)]


def test_a_group_that_no_single_link_holds_together_has_no_bridge() -> None:
    weights = dict.fromkeys([(A, B), (B, C), (A, C)], (0.9, False))
    (group,) = grouping(weights).groups
    assert group.bridge is None
    assert group.density == 1


def test_no_links_make_no_groups() -> None:
    assert grouping({}).groups == ()
    assert grouping({}, apart=[(A, B)]).groups == ()


def test_a_long_chain_is_divided_in_its_middle() -> None:
    ids = np.arange(50_001)
    one, sure = np.ones(50_000), np.zeros(50_000, bool)
    (group,) = grouped(Links(ids[:-1], ids[1:], one, sure), np.empty((0, 2), np.int64)).groups
    assert group.bridge == (24_999, 25_000)
    assert len(group.members) == 50_001


def with_members(*groups: Sequence[int]) -> list[Group]:
    return [Group(tuple(g), 1, 1.0, 1.0, (g[0], g[1]), None) for g in groups]


def test_ids_stay_where_most_members_stay() -> None:
    before = {1: 7, 2: 7, 3: 7, 4: 8, 5: 8}
    assert kept_ids(with_members([1, 2, 3], [4, 5]), before) == [7, 8]
    assert kept_ids(with_members([1, 2, 3, 4, 5]), before) == [7]
    assert kept_ids(with_members([1, 9], [2, 3]), before) == [None, 7]
    assert kept_ids(with_members([1, 4], [20, 21]), before) == [7, None]
    assert kept_ids(with_members([2, 4], [3, 5]), before) == [7, 8]


@given(
    st.dictionaries(st.integers(0, 30), st.integers(1, 5)),
    st.lists(st.integers(0, 30), unique=True),
    st.integers(2, 5),
)
def test_no_id_is_kept_twice_nor_by_a_group_without_its_members(
    before: dict[int, int], images: list[int], size: int
) -> None:
    groups = with_members(
        *(sorted(images[n : n + size]) for n in range(0, len(images) - size + 1, size))
    )
    ids = kept_ids(groups, before)
    kept = [group_id for group_id in ids if group_id is not None]
    assert len(set(kept)) == len(kept)
    for group, group_id in zip(groups, ids, strict=True):
        old = {before[image] for image in group.members if image in before}
        assert group_id in old or (group_id is None and old <= set(kept))
