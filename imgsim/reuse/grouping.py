"""Finds groups from links between images, their weakest links and bridges, without a database.

The groups are those of Kruskal's algorithm (On the shortest spanning subtree of a graph, 1956):
links are taken surest first, and a link between two groups unites them unless that is ruled out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

ROUNDING = 1e-9
"""0.1 of 30 pairs are 3, though their product in floating point is a little more."""


@dataclass(frozen=True)
class Links:
    """Pairs of images judged to be one block, each once: arrays (n,), `image_ids < other_ids`."""

    image_ids: npt.NDArray[np.int64]
    other_ids: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    by_verdict: npt.NDArray[np.bool_]

    def surest_first(self) -> Links:
        """Returns the links: verdicts first, then by probability, ties by ids."""
        keys = (self.other_ids, self.image_ids, -self.probability, ~self.by_verdict)
        return self.taken(np.lexsort(keys))

    def taken(self, which: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Links:
        """Returns some of the links."""
        return Links(
            *(self.image_ids[which], self.other_ids[which]),
            *(self.probability[which], self.by_verdict[which]),
        )

    def pair(self, link: int) -> tuple[int, int]:
        """Returns the ids of the two images of a link."""
        return int(self.image_ids[link]), int(self.other_ids[link])


@dataclass(frozen=True)
class Group:
    """Images held together by links.

    `members` are ascending; `links` counts those inside, `density` is their share of all pairs.
    `weakest` is the least probability in the group's maximum spanning tree, and `weakest_pair` the
    link that has it: without links as weak as this one, the group would fall apart. `bridge` is the
    link whose loss alone would divide the group, most evenly if there are several; None if there is
    no such link.
    """

    members: tuple[int, ...]
    links: int
    density: float
    weakest: float
    weakest_pair: tuple[int, int]
    bridge: tuple[int, int] | None


@dataclass(frozen=True)
class Grouping:
    """Groups in the order of their first images, and counts of the links between them.

    `inside` are the links within groups, surest first, and `group_of` (n,) the group of each.
    `separated` counts the links between groups that must stay apart, `separated_verdicts` those of
    them that are verdicts, and `loose` all other links between groups.
    """

    groups: tuple[Group, ...]
    inside: Links
    group_of: npt.NDArray[np.intp]
    separated: int
    separated_verdicts: int
    loose: int


def grouped(links: Links, apart: npt.NDArray[np.int64], tightness: float = 0.0) -> Grouping:
    """Returns the groups of images united by links, the surest first.

    Args:
        apart: pairs of images (m, 2) that must not be in one group, not even through others.
        tightness: two groups unite only if at least this share of all pairs between them (an image
            from each) are links; at 0 one link is enough, at 1 all must be. A verdict unites two
            groups regardless.
    """
    ordered = links.surest_first()
    ids = np.unique(np.concatenate([ordered.image_ids, ordered.other_ids]))
    ends = np.searchsorted(ids, [ordered.image_ids, ordered.other_ids])
    uniting = _Uniting(len(ids), ends, ordered.by_verdict, _known(ids, apart), tightness)
    root_of = uniting.run()
    at_home = root_of[ends[0]] == root_of[ends[1]]
    crossing = np.flatnonzero(~at_home)
    separated = crossing[[uniting.are_apart(int(link)) for link in crossing]]
    inside = ordered.taken(at_home)
    groups, group_of = _described(ids, root_of, inside, ends[:, at_home])
    return Grouping(
        *(groups, inside, group_of, len(separated)),
        separated_verdicts=int(ordered.by_verdict[separated].sum()),
        loose=len(crossing) - len(separated),
    )


def kept_ids(groups: Sequence[Group], before: Mapping[int, int]) -> list[int | None]:
    """Returns for each group the id of the earlier one that shares most images, or None.

    Args:
        before: the group's id for each image that was in one.

    Each id is kept once: if a group was divided, by the part with more of its images. Ties go to
    the lesser id, then to the group with the first image.
    """
    shared = Counter(
        (before[image], number)
        for number, group in enumerate(groups)
        for image in group.members
        if image in before
    )
    kept: list[int | None] = [None] * len(groups)
    taken: set[int] = set()
    for (old, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if kept[number] is None and old not in taken:
            kept[number] = old
            taken.add(old)
    return kept


class _Uniting:
    """Groups as they grow: nodes are numbers from 0, and one of its nodes stands for a group."""

    def __init__(
        self,
        nodes: int,
        ends: npt.NDArray[np.intp],
        by_verdict: npt.NDArray[np.bool_],
        apart: npt.NDArray[np.intp],
        tightness: float,
    ) -> None:
        self._above = list(range(nodes))
        self._size = [1] * nodes
        self._ends: list[tuple[int, int]] = list(zip(*ends.tolist(), strict=True))
        self._by_verdict = by_verdict.tolist()
        self._tightness = tightness
        self._apart: dict[int, set[int]] = {}
        for a, b in apart.tolist():
            self._apart.setdefault(a, set()).add(b)
            self._apart.setdefault(b, set()).add(a)
        # How many links there are from group to group; only needed where one is not enough.
        self._across: dict[int, dict[int, int]] = {}
        if tightness > 0:
            for a, b in self._ends:
                self._across.setdefault(a, {})[b] = 1
                self._across.setdefault(b, {})[a] = 1

    def run(self) -> npt.NDArray[np.intp]:
        """Takes links until none unites any more, and returns the group of each node."""
        waiting = list(range(len(self._ends)))
        # A link that was too loose may fit once its groups have grown.
        while waiting:
            united, waiting = self._passed(waiting)
            if not united:
                break
        return np.array([_top(self._above, node) for node in range(len(self._above))], np.intp)

    def are_apart(self, link: int) -> bool:
        """Returns whether the groups at the two ends must not become one."""
        a, b = (_top(self._above, node) for node in self._ends[link])
        return b in self._apart.get(a, ())

    def _passed(self, links: Sequence[int]) -> tuple[bool, list[int]]:
        """Returns whether any link united two groups, and the links that may do so later."""
        united, waiting = False, []
        for link in links:
            a, b = self._ends[link]
            a, b = _top(self._above, a), _top(self._above, b)
            if a == b or b in self._apart.get(a, ()):
                continue
            if self._by_verdict[link] or self._is_tight(a, b):
                self._unite(a, b)
                united = True
            else:
                waiting.append(link)
        return united, waiting

    def _is_tight(self, a: int, b: int) -> bool:
        if self._tightness == 0:
            return True
        wanted = self._tightness * self._size[a] * self._size[b]
        return self._across[a][b] + ROUNDING >= wanted

    def _unite(self, a: int, b: int) -> None:
        # The smaller into the larger: so no entry is moved more than log2(n) times.
        into, gone = (b, a) if self._size[a] < self._size[b] else (a, b)
        self._above[gone] = into
        self._size[into] += self._size[gone]
        for other in self._apart.pop(gone, ()):
            self._apart[other].remove(gone)
            self._apart[other].add(into)
            self._apart.setdefault(into, set()).add(other)
        for other, links in self._across.pop(gone, {}).items():
            beyond = self._across[other]
            del beyond[gone]
            if other != into:
                beyond[into] = self._across[into][other] = beyond.get(into, 0) + links


def _known(ids: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Returns the pairs of which both images have links, as positions in `ids`."""
    pairs = pairs.reshape(-1, 2)
    return np.searchsorted(ids, pairs[np.isin(pairs, ids).all(axis=1)])


def _described(
    ids: npt.NDArray[np.int64],
    root_of: npt.NDArray[np.intp],
    inside: Links,
    ends: npt.NDArray[np.intp],
) -> tuple[tuple[Group, ...], npt.NDArray[np.intp]]:
    """Returns the groups of two or more images, and the group of each link inside them."""
    members: dict[int, list[int]] = {}
    for node, root in enumerate(root_of.tolist()):
        members.setdefault(root, []).append(node)
    number_of = np.full(len(ids), -1, np.intp)
    whole = [nodes for nodes in members.values() if len(nodes) > 1]
    for number, nodes in enumerate(whole):
        number_of[nodes] = number
    group_of = number_of[ends[0]]
    links: list[tuple[int, int]] = list(zip(*ends.tolist(), strict=True))
    tree = _spanning_tree(len(ids), links)
    weakest = dict(zip(group_of[tree].tolist(), tree, strict=True))  # the last of each stays
    bridges = _most_even(inside, group_of, whole, _bridges(len(ids), links, tree))
    counts = np.bincount(group_of, minlength=len(whole)).tolist()
    groups = tuple(
        Group(
            tuple(ids[nodes].tolist()),
            counts[number],
            counts[number] / (len(nodes) * (len(nodes) - 1) // 2),
            float(inside.probability[weakest[number]]),
            inside.pair(weakest[number]),
            inside.pair(bridges[number]) if number in bridges else None,
        )
        for number, nodes in enumerate(whole)
    )
    return groups, group_of


def _spanning_tree(nodes: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the links of a maximum spanning tree of each group; links must come surest first."""
    above = list(range(nodes))
    tree = []
    for link, (a, b) in enumerate(links):
        a, b = _top(above, a), _top(above, b)
        if a != b:
            above[max(a, b)] = min(a, b)
            tree.append(link)
    return tree


def _bridges(
    nodes: int, links: Sequence[tuple[int, int]], tree: Sequence[int]
) -> list[tuple[int, int]]:
    """Returns the links whose loss alone would divide a group, and how many nodes that cuts off.

    They are the links of a spanning tree that no other link leads around: each link outside the
    tree merges the path through the tree between its ends. (Taking each link out in turn would
    take as many walks through a group as it has links.)
    """
    order, parent, way_up, depth = _rooted(nodes, links, tree)
    drawn = list(range(nodes))
    in_tree = set(tree)
    for link, (a, b) in enumerate(links):
        if link in in_tree:
            continue
        a, b = _top(drawn, a), _top(drawn, b)
        while a != b:
            if depth[a] < depth[b]:
                a, b = b, a
            drawn[a] = parent[a]
            a = _top(drawn, a)
    below = [1] * nodes
    # From the leaves up: whoever is counted has all its children counted already.
    for node in reversed(order):
        if parent[node] != node:
            below[parent[node]] += below[node]
    return [
        (way_up[node], below[node])
        for node in order
        if parent[node] != node and drawn[node] == node
    ]


def _rooted(
    nodes: int, links: Sequence[tuple[int, int]], tree: Sequence[int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Returns the trees from their first nodes: order, and each node's parent, link, depth.

    A root is its own parent.
    """
    # Without recursion: a chain of thousands of impressions is deeper than Python's stack.
    beside: list[list[tuple[int, int]]] = [[] for _ in range(nodes)]
    for link in tree:
        a, b = links[link]
        beside[a].append((b, link))
        beside[b].append((a, link))
    parent, way_up, depth = [-1] * nodes, [-1] * nodes, [0] * nodes
    order: list[int] = []
    for root in range(nodes):
        if parent[root] >= 0:
            continue
        parent[root] = root
        reached = [root]
        for node in reached:
            for other, link in beside[node]:
                if parent[other] < 0:
                    parent[other], way_up[other], depth[other] = node, link, depth[node] + 1
                    reached.append(other)
        order += reached
    return order, parent, way_up, depth


def _most_even(
    inside: Links,
    group_of: npt.NDArray[np.intp],
    groups: Sequence[Sequence[int]],
    bridges: Sequence[tuple[int, int]],
) -> dict[int, int]:
    """Returns the bridge of each group that divides it most evenly; ties: the weakest, then ids."""
    best: dict[int, tuple[int, float, tuple[int, int], int]] = {}
    for link, below in bridges:
        number = int(group_of[link])
        lesser = min(below, len(groups[number]) - below)
        key = (-lesser, float(inside.probability[link]), inside.pair(link), link)
        best[number] = min(best.get(number, key), key)
    return {number: key[-1] for number, key in best.items()}


def _top(above: list[int], node: int) -> int:
    """Returns the node that stands for this one's group, and shortens the way to it."""
    while above[node] != node:
        # Each node on the way is hung higher, which keeps later walks short.
        above[node] = above[above[node]]
        node = above[node]
    return node
