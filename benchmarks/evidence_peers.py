"""What other methods find of the same pairs, at every precision.

The plain count of matching details is what VISE and most tools of this kind rest on: SIFT, the
ratio test, and a homography by RANSAC, whose inliers are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks import measure
from benchmarks.labelled import Prints, Question
from imgsim.images import preprocess
from imgsim.networks import architectures, bundled
from imgsim.networks.embedding import Embedder, choose_device
from imgsim.reuse.evidence import judgement
from imgsim.work import in_parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Score = Callable[[str, str], float]

DETAILS, RATIO, OFF = 4000, 0.8, 5.0
PRECISIONS = (1.0, 0.99, 0.97, 0.95, 0.9, 0.8)
NETWORK = "resnet18-print"


def compare(prints: Prints, asked: Sequence[Question]) -> None:
    """Print the recall of pairs of one block at each precision; all other pairs are wrong."""
    questions = [q for q in asked if q.made is None and "part" not in q.name]
    pairs = [(pair, q.same) for q in questions for pair in q.pairs]
    right = np.array([same for _, same in pairs])
    others = np.count_nonzero(~right)
    print(f"\n{right.sum()} pairs of one block, {others} others: recall at each precision")
    print(f"{'':<28}" + "".join(f"{p:>8.2f}" for p in PRECISIONS))
    for name, score in _scores(prints).items():
        told = np.array(list(in_parallel(_scored(score), [pair for pair, _ in pairs])))
        print(f"{name:<28}" + "".join(f"{_recall(told, right, p):>8.3f}" for p in PRECISIONS))


def _scored(score: Score) -> Callable[[tuple[str, str]], float]:
    return lambda pair: score(*pair)


def _recall(told: Array, right: Array, precision: float) -> float:
    """The greatest share of right pairs that a threshold finds at that precision."""
    order = np.argsort(-told, kind="stable")
    found, count = np.cumsum(right[order]), np.arange(1, len(order) + 1)
    # A threshold takes all pairs of one score, or none.
    last = np.r_[told[order][1:] != told[order][:-1], True]
    good = last & (found >= precision * count)
    return float(found[good].max() / right.sum()) if good.any() else 0.0


def _scores(prints: Prints) -> dict[str, Score]:
    scores = {
        "imgsim, probability": _by_imgsim(prints),
        "matching details (SIFT)": _by_details(prints),
        f"cosine of {NETWORK}": _by_cosine(prints),
    }
    if hashing := measure.peer("imagehash"):
        scores["perceptual hash, 256 bits"] = _by_hash(prints, hashing)
    return scores


def _by_imgsim(prints: Prints) -> Score:
    def probability(one: str, other: str) -> float:
        return judgement.judge(prints.features(one), prints.features(other)).probability

    return probability


def _by_details(prints: Prints) -> Score:
    @cache
    def details(name: str) -> tuple[Array, Array | None]:
        grey = np.asarray(prints.image(name).convert("L"))
        points, found = cv2.SIFT_create(DETAILS).detectAndCompute(grey, None)  # type: ignore[attr-defined]
        return np.array([p.pt for p in points], np.float32), found

    def count(one: str, other: str) -> float:
        (here, of_one), (there, of_other) = details(one), details(other)
        if of_one is None or of_other is None or min(len(of_one), len(of_other)) < 4:
            return 0.0
        matches = cv2.BFMatcher().knnMatch(of_one, of_other, 2)
        good = [m for m, n in matches if m.distance < RATIO * n.distance]
        if len(good) < 4:
            return 0.0
        from_ = np.array([here[m.queryIdx] for m in good])
        to = np.array([there[m.trainIdx] for m in good])
        _, inliers = cv2.findHomography(from_, to, cv2.RANSAC, OFF)
        return 0.0 if inliers is None else float(inliers.sum())

    return count


def _by_hash(prints: Prints, imagehash: Any) -> Score:
    @cache
    def hashed(name: str) -> Array:
        bits: Array = imagehash.phash(prints.image(name), hash_size=16).hash.ravel()
        return bits

    return lambda one, other: -float(np.count_nonzero(hashed(one) != hashed(other)))


def vectors(prints: Prints) -> Callable[[str], Array]:
    """What gives the vector of a print, by its name, of length 1."""
    network = architectures.load(bundled.BUNDLED[NETWORK], NETWORK)
    embedder = Embedder({NETWORK: network}, choose_device("cpu"))

    @cache
    def vector(name: str) -> Array:
        pixels = preprocess.prepare("print", prints.image(name))
        first: Array = embedder.embed([pixels], [NETWORK])[NETWORK][0]
        return first

    return vector


def _by_cosine(prints: Prints) -> Score:
    vector = vectors(prints)
    return lambda one, other: float(vector(one) @ vector(other))
