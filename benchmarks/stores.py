"""A store for the time of a benchmark, and synthetic vectors to fill it with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from imgsim.database import connection as database
from imgsim.database import embedded
from imgsim.database.connection import Connection
from imgsim.networks.models import Model
from imgsim.settings import ExternalServer, Settings
from tests.vectors import Vectors, clustered, store

IMAGES = 13_151
"""As many as the botanical illustrations of the original study."""

LATENT = 32
BLOCK = 4096


@contextmanager
def temporary_store() -> Iterator[tuple[Connection, str, Path]]:
    """A store of its own, stopped and removed afterwards: connection, libpq string, and folder."""
    with tempfile.TemporaryDirectory(prefix="imgsim-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, the server runs as another user
        server = embedded.ensure_running(folder / "store", idle_minutes=0)
        try:
            settings = Settings(ExternalServer(server.conninfo(), "the benchmark"))
            with database.connect(settings) as connection:
                yield connection, server.conninfo(), folder
        finally:
            embedded.stop(folder / "store")


def model_with(connection: Connection, name: str, vectors: Vectors) -> Model:
    """A model with these vectors, and statistics as after an ingest."""
    model = store(connection, name, vectors)
    connection.execute("analyze")
    return model


def pooled_features(dimension: int, seed: int = 0, images: int = IMAGES) -> Vectors:
    """Unit vectors in the manner of pooled features: positive, of few degrees of freedom.

    Pictures in tight groups would be too easy for an HNSW index, independent values too hard.
    Made in blocks and in single precision: beside the result little memory is needed.
    """
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(LATENT, dimension)).astype(np.float32) / np.sqrt(np.float32(LATENT))
    offset = 0.5 * rng.normal(size=dimension).astype(np.float32)
    vectors = np.empty((images, dimension), np.float32)
    for begin in range(0, images, BLOCK):
        block = vectors[begin : begin + BLOCK]
        latent = rng.standard_normal((len(block), LATENT), np.float32)
        block[:] = np.maximum(latent @ mixing + offset, 0)
        block += 0.05 * np.abs(rng.standard_normal(block.shape, np.float32))
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def two_models(dimension: int) -> tuple[Vectors, Vectors]:
    """Vectors of as many images by two models that agree as often as not."""
    vectors = clustered(IMAGES, dimension)
    noise = np.random.default_rng(1).normal(scale=0.15 / np.sqrt(dimension), size=vectors.shape)
    other = vectors + noise
    return vectors, np.asarray(other / np.linalg.norm(other, axis=1, keepdims=True), np.float32)
