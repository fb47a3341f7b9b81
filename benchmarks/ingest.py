"""How many images a second go in, both models, against the plain way?

The plain way decodes an image and runs one network on it in single precision, one image at a time,
once for each model, and stores nothing. Ours decodes once, runs both networks, and stores rows and
vectors. Either loads its networks. The weights are untrained, which takes as long.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import measure
from benchmarks.stores import temporary_store
from imgsim import files, images, models, networks
from imgsim.database.connection import Connection
from imgsim.embedding import IMAGENET_DEVIATION, IMAGENET_MEAN
from imgsim.files import Found
from imgsim.images import Picture
from imgsim.ingest import ingest
from imgsim.ingest.pipeline import Options
from imgsim.preprocess import prepare
from imgsim.settings import UNTRAINED


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("path", type=Path, help="a folder of pictures")
    parser.add_argument("--images", type=int, default=300, help="a sample of so many (300)")
    given = parser.parse_args(arguments)
    measure.heading("torch", "torchvision", "pillow", "psycopg")
    with temporary_store() as (connection, _, folder):
        chosen = sample(given.path, given.images)
        copied = copy(chosen, folder / "sample")
        options = Options(
            wanted=tuple(models.Wanted(n, weights=UNTRAINED) for n in models.DEFAULTS)
        )
        for wanted in options.wanted:
            models.ensure(connection, wanted)
        timings = measure.in_turns(
            {
                "imgsim ingest": lambda: ingest(connection, [copied], options),
                "plain: fp32, one by one, per model": lambda: plain(chosen),
            },
            given.runs,
            lambda: empty(connection),
        )
        empty(connection)
        summary = ingest(connection, [copied], options)
        loading = measure.in_turns({"": load}, given.runs)[""]
    measure.compare(f"{len(chosen)} images of {given.path}, both models", timings)
    for name, timing in timings.items():
        print(f"  {name:<44}{len(chosen) / timing.median:>8.1f} images/s")
    print(f"  {'loading the networks, part of either':<44}{loading}")
    if summary.pictures != len(chosen):
        print(f"  {summary.pictures} went in, {summary.failed} failed")


def sample(path: Path, count: int) -> list[Found]:
    """Image files taken at equal distances through a folder."""
    every = [found for found in files.find([path]) if isinstance(found, Found)]
    chosen = np.linspace(0, len(every) - 1, min(count, len(every))).astype(int)
    return [every[number] for number in chosen]


def copy(files: Sequence[Found], folder: Path) -> Path:
    """The same files, alone in a folder."""
    folder.mkdir()
    for number, found in enumerate(files):
        shutil.copy(found.path, folder / f"{number}{Path(found.path).suffix}")
    return folder


def empty(connection: Connection) -> None:
    """Take all images out, and the indexes of their vectors, as in a new store."""
    connection.execute("delete from imgsim.image")
    for model in models.stored(connection):
        connection.execute(f"drop index if exists imgsim.{model.embedding_table}_hnsw".encode())


def load() -> list[networks.Network]:
    """Both networks."""
    return [networks.load(name, UNTRAINED) for name in models.DEFAULTS]


def plain(files: Sequence[Found]) -> list[npt.NDArray[np.float32]]:
    """What a script does that knows nothing of batches."""
    vectors = []
    for network in load():
        with torch.inference_mode():
            for found in files:
                picture = next(images.decode(found))
                if isinstance(picture, Picture):
                    features = network.module(tensor(prepare("fit", picture.image)))
                    vectors.append(torch.nn.functional.normalize(features).numpy())
    return vectors


def tensor(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """One picture, normalised as ImageNet's networks expect."""
    grey = pixels.ndim == 2
    values = torch.from_numpy(pixels.copy()).float() / 255
    rgb = values.expand(3, *values.shape) if grey else values.permute(2, 0, 1)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return ((rgb - mean) / deviation)[None]
