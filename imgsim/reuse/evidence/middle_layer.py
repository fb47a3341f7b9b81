"""Cells of pictures: the middle layer of imgsim's own network, whitened, held against a bank.

Always `resnet18-print` up to the end of its third stage, whatever a store's models are, in single
precision: what was judged once is judged alike everywhere. Importing this imports torch.
"""

from __future__ import annotations

import functools
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import nn

from imgsim.errors import WeightsError
from imgsim.images.preprocess import inked_box
from imgsim.networks import architectures, bundled, inference
from imgsim.reuse.evidence.cells import LEVELS, VECTOR, Cells, Grid
from imgsim.version import reinstall_command

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

NETWORK = "resnet18-print"
STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
BANK = bundled.FOLDER / f"{NETWORK}-cells.npz"

SIDE, STRIDE = 320, 16
"""The side of a square as large as what a network is shown, and of a cell, in pixels."""

FEWEST, MOST = 4, 40
"""Cells along a side."""

NEAREST = 30
"""Of so many cells of the bank the mean cosine tells how common a cell is."""

_loading = threading.Lock()


@dataclass(frozen=True)
class Bank:
    """How cells are whitened, and cells of other pictures to hold them against.

    Attributes:
        mean: float32 (256,); of cells of length 1.
        whitening: float32 (256, VECTOR).
        cells: float32 (n, VECTOR), of length 1.
    """

    mean: Array
    whitening: Array
    cells: Array

    def whitened(self, maps: Array) -> Array:
        """Cells (n, 256) as vectors (n, VECTOR) of length 1."""
        return _unit((_unit(maps) - self.mean) @ self.whitening)

    def grid(self, feature_map: Array) -> Grid:
        """The cells of a feature map (256, rows, columns)."""
        depth, rows, columns = feature_map.shape
        vectors = np.round(self.whitened(feature_map.reshape(depth, -1).T) * LEVELS)
        cosines = (vectors / LEVELS).astype(np.float32) @ self.cells.T
        nearest = np.partition(cosines, -NEAREST, axis=1)[:, -NEAREST:].mean(axis=1)
        common = np.round(nearest.clip(0, 1) * 255)
        return Grid(rows, columns, vectors.astype(np.int8), common.astype(np.uint8))


def find(ink: npt.NDArray[np.uint8]) -> Cells:
    """The cells of a picture's ink, uint8 (h, w), 0 for paper, 255 for ink.

    Raises:
        WeightsError: the network or the bank is missing or damaged.
    """
    known = bank()
    box = inked_box(255 - ink)
    upright, mirrored = feature_maps(ink, box)
    return Cells(box, known.grid(upright), known.grid(mirrored))


def feature_maps(ink: npt.NDArray[np.uint8], box: tuple[int, int, int, int]) -> tuple[Array, Array]:
    """What the network makes of the box of a picture's ink, and of its mirror image.

    Returns:
        Two float32 (256, rows, columns).
    """
    left, top, right, bottom = box
    scale = SIDE / float(np.sqrt((right - left) * (bottom - top)))
    size = [
        STRIDE * min(MOST, max(FEWEST, round(scale * length / STRIDE)))
        for length in (right - left, bottom - top)
    ]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    plane = cv2.resize(ink[top:bottom, left:right], size, interpolation=way)
    both = np.stack([plane, plane[:, ::-1]])[:, None].astype(np.float32) / 255
    threads = torch.get_num_threads()
    # Pictures are many and small: each has a core to itself.
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            upright, mirrored = _network()(torch.from_numpy(both)).numpy()
    finally:
        torch.set_num_threads(threads)
    return upright, mirrored


def made_from(maps: npt.NDArray[Any], count: int, seed: int = 0) -> Bank:
    """A bank made from cells (n, 256) of many pictures, `count` of them drawn by lot."""
    unit = _unit(maps.astype(np.float32))
    mean = unit.mean(axis=0)
    _, deviations, directions = np.linalg.svd(unit - mean, full_matrices=False)
    whitening = directions[:VECTOR].T * np.sqrt(len(unit)) / deviations[:VECTOR]
    drawn = np.random.default_rng(seed).choice(len(unit), count, replace=False)
    cells = _unit((unit[drawn] - mean) @ whitening)
    return Bank(mean, whitening.astype(np.float32), cells.astype(np.float32))


def write(made: Bank, file: Path = BANK) -> None:
    """Keeps a bank in a file, its cells in steps of 1/127."""
    cells = np.round(made.cells * LEVELS).astype(np.int8)
    np.savez_compressed(file, mean=made.mean, whitening=made.whitening, cells=cells)


def bank() -> Bank:
    """The bank that comes with imgsim.

    Raises:
        WeightsError: its file is missing or damaged.
    """
    with _loading:
        return _bank()


@functools.cache
def _bank() -> Bank:
    try:
        with np.load(BANK) as kept:
            mean, whitening, cells = kept["mean"], kept["whitening"], kept["cells"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise WeightsError(
            f"cannot read {BANK.name}, which comes with imgsim: {exc}",
            f"install imgsim again: {reinstall_command('--force-reinstall', '--no-deps')}",
        ) from exc
    return Bank(mean, whitening, cells.astype(np.float32) / LEVELS)


def _network() -> inference.Forward:
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> inference.Forward:
    module = architectures.load(bundled.BUNDLED[NETWORK], NETWORK).module
    stages = nn.Sequential(*(module.get_submodule(name) for name in STAGES)).eval()
    return inference.folded(stages).to(memory_format=torch.channels_last)


def _unit(vectors: npt.NDArray[np.floating[Any]]) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return unit
