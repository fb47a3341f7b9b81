"""Projects vectors to two dimensions, by principal components or by UMAP."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsim.errors import ImgsimError
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.version import reinstall_command
from imgsim.wording import counted

BLOCK = 4096


@dataclass(frozen=True)
class Projection:
    """Where each image is: `ids` (n,) int64, `points` (n, 2) float64, and the names of the axes."""

    ids: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    axes: tuple[str, str]


def principal_components(vectors: Vectors) -> Projection:
    """Returns the vectors in the two directions of most variance (Pearson 1901, Hotelling 1933).

    Exact, from the covariance of all vectors; the sign is such that the largest weight of each
    direction is positive.
    """
    count, dimension = vectors.values.shape
    total = np.zeros(dimension)
    products = np.zeros((dimension, dimension))
    for start in range(0, count, BLOCK):
        block = vectors.unit(slice(start, start + BLOCK), np.float32)
        total += block.sum(axis=0, dtype=np.float64)
        products += block.T @ block
    mean = total / max(count, 1)
    covariance = products / max(count, 1) - np.outer(mean, mean)
    values, directions = np.linalg.eigh(covariance)
    axes = directions[:, [-1, -2]]
    # An eigenvector's sign is arbitrary: on another machine the map could be mirrored.
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    points = np.empty((count, 2))
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        points[part] = (vectors.unit(part, np.float64) - mean) @ axes
    # Rounding makes eigenvalues of 0 slightly negative.
    variance = float(np.clip(values, 0, None).sum()) or 1.0
    first, second = (100 * max(float(values[-n]), 0.0) / variance for n in (1, 2))
    names = (
        f"component 1 ({first:.0f} % of variance)",
        f"component 2 ({second:.0f} % of variance)",
    )
    return Projection(vectors.ids, points, names)


def umap(vectors: Vectors, seed: int = 1) -> Projection:
    """Returns the vectors by UMAP (McInnes, Healy and Melville 2018), by cosine, with a seed.

    Raises:
        ImgsimError: the package umap-learn is not installed, or there are too few images.
    """
    if len(vectors.ids) < 4:
        raise ImgsimError(
            f"cannot draw {counted(len(vectors.ids), 'image')} by UMAP: it needs at least 4",
            "omit --method",
        )
    try:
        from umap import UMAP
    except ImportError as exc:
        raise ImgsimError(
            "cannot draw by UMAP: the package umap-learn is not installed",
            f"install it: {reinstall_command(extra='umap')}, or omit --method",
        ) from exc
    near = min(15, len(vectors.ids) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed leaves it one thread
        placed = UMAP(n_neighbors=near, metric="cosine", random_state=seed).fit_transform(
            vectors.unit(slice(None), np.float32)
        )
    return Projection(vectors.ids, np.asarray(placed, np.float64), ("UMAP 1", "UMAP 2"))
