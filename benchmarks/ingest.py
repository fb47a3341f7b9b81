"""How many images a second go in, both models, against the plain way, peers, and the ceiling?

The plain way decodes an image and runs one network on it in single precision, one image at a time,
once for each model, and stores nothing. Ours decodes once, runs both networks, and stores rows and
vectors. Either loads its networks. The weights are untrained, which takes as long.

The ceiling: decoding alone and networks alone, each on all cores, taken in the same run. As they
share the cores, no overlap can be faster than 1 / (1 / decoding + 1 / networks).

The peers are imagededup's CNN encoder and img2vec_pytorch's ResNet-50, on the same files; they run
one network, and are compared with ours running that one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from PIL import Image

from benchmarks import measure
from benchmarks.stores import temporary_store
from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.images import decoding, files
from imgsim.images.decoding import Picture
from imgsim.images.files import Found
from imgsim.images.preprocess import draft_size, prepare
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from imgsim.ingest.summary import Summary
from imgsim.networks import architectures, embedding, inference, models
from imgsim.networks.architectures import IMAGENET_DEVIATION, IMAGENET_MEAN
from imgsim.networks.embedding import Embedder
from imgsim.settings import STUDIED, UNTRAINED

Pixels = npt.NDArray[np.uint8]

SCAN = (1000, 1600)
BOTH = STUDIED


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("path", type=Path, nargs="?", help="a folder of pictures; else drawn ones")
    parser.add_argument("--images", type=int, default=300, help="a sample of so many (300)")
    parser.add_argument("--without-peers", action="store_true")
    given = parser.parse_args(arguments)
    measure.heading("torch", "torchvision", "pillow", "psycopg", "imagededup", "img2vec_pytorch")
    with temporary_store() as (connection, _, folder):
        copied = folder / "sample"
        if given.path:
            copy(sample(given.path, given.images), copied)
        else:
            draw(copied, given.images)
        chosen = sample(copied, given.images)
        what = given.path or "drawn 1-bit scans of 1000 x 1600"
        _against_plain(connection, copied, chosen, given.runs, f"{len(chosen)} images of {what}")
        if not given.without_peers:
            _against_peers(connection, copied, chosen, given.runs)


def _against_plain(
    connection: Connection, folder: Path, chosen: Sequence[Found], runs: int, title: str
) -> None:
    pictures = [pixels for found in chosen for pixels in decoded(found)]
    summaries: list[Summary] = []
    ours = "imgsim ingest"
    actions: dict[str, Callable[[], object]] = {
        ours: lambda: summaries.append(take_in(connection, folder, BOTH)),
        "decoding alone": lambda: decode_all(chosen),
        "networks alone, loading them included": lambda: embed_all(pictures),
        "plain: fp32, one by one, per model": lambda: plain(chosen),
    }
    timings = measure.in_turns(actions, runs, lambda: empty(connection))
    loading = measure.in_turns({"": load}, runs)[""].median
    measure.compare(f"{title}, both models", timings)
    rates = {name: len(chosen) / timing.median for name, timing in timings.items()}
    for name, rate in rates.items():
        print(f"  {name:<44}{rate:>8.1f} images/s")
    _, decoding, running, _ = rates.values()
    ideal = 1 / (1 / decoding + 1 / running)
    print(f"  {'ideal overlap on the same cores':<44}{ideal:>8.1f} images/s")
    print(f"  {'ours / slower of the two alone':<44}{rates[ours] / min(decoding, running):>8.2f}")
    print(f"  {'ours / ideal overlap':<44}{rates[ours] / ideal:>8.2f}")
    print(f"  {'loading the networks, in all but decoding':<44}{loading:>8.1f} s")
    for name, stage in summaries[-1].timings.in_order():
        print(f"    {name:<20}{stage.busy:>8.2f} s at work {stage.awaited:>8.2f} s awaited")
    if summaries[-1].pictures != len(chosen):
        print(f"  {summaries[-1].pictures} went in, {summaries[-1].failed} failed")


def _against_peers(
    connection: Connection, folder: Path, chosen: Sequence[Found], runs: int
) -> None:
    actions: dict[str, Callable[[], object]] = {
        "imgsim ingest, resnet50 alone": lambda: take_in(connection, folder, ("resnet50",))
    }
    dedup = measure.peer("imagededup.methods")
    img2vec = measure.peer("img2vec_pytorch")
    with weights_in_cache(("resnet50",)):
        if dedup:
            encoder = imagededup_encoder(dedup)
            actions["imagededup CNN, resnet50"] = lambda: encoder.encode_images(str(folder))
        if img2vec:
            vectors = img2vec.Img2Vec(cuda=False, model="resnet50", layer_output_size=2048)
            actions["img2vec_pytorch, resnet50"] = lambda: in_batches(vectors, chosen)
        timings = measure.in_turns(actions, runs, lambda: empty(connection))
    measure.compare("one network, the peers' encoders", timings)
    for name, timing in timings.items():
        print(f"  {name:<44}{len(chosen) / timing.median:>8.1f} images/s")


def take_in(connection: Connection, folder: Path, names: Sequence[str]) -> Summary:
    """What `imgsim ingest` does."""
    wanted = tuple(models.Wanted(name, weights=UNTRAINED) for name in names)
    return ingest(connection, [folder], Options(wanted=wanted))


def draw(folder: Path, count: int) -> None:
    """Scans as of microfilm: drawn plates enlarged, speckled, and cut at a threshold to 1 bit."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        plate = plates.draw(number % 40)
        lean = Image.Resampling.BICUBIC
        turned = plate.rotate(float(rng.normal(0, 1.5)), lean, fillcolor=245).resize(SCAN, lean)
        grain = rng.normal(0, 14, (SCAN[1] // 2, SCAN[0] // 2)).repeat(2, 0).repeat(2, 1)
        ink = np.asarray(turned.convert("L")) + grain < rng.uniform(140, 190)
        Image.fromarray(~ink).convert("1").save(folder / f"{number:05}.png", optimize=False)


def sample(path: Path, count: int) -> list[Found]:
    """Image files taken at equal distances through a folder."""
    every = [found for found in files.find([path]) if isinstance(found, Found)]
    chosen = np.linspace(0, len(every) - 1, min(count, len(every))).astype(int)
    return [every[number] for number in chosen]


def copy(files: Sequence[Found], folder: Path) -> None:
    """The same files, alone in a folder."""
    folder.mkdir()
    for number, found in enumerate(files):
        shutil.copy(found.path, folder / f"{number}{Path(found.path).suffix}")


def empty(connection: Connection) -> None:
    """Take all images out, and the indexes of their vectors, as in a new store."""
    connection.execute("delete from imgsim.image")
    for model in models.stored(connection):
        connection.execute(f"drop index if exists imgsim.{model.embedding_table}_hnsw".encode())
        connection.execute(f"vacuum imgsim.{model.embedding_table}".encode())


def load() -> list[architectures.Network]:
    """Both networks."""
    return [architectures.load(name, UNTRAINED) for name in BOTH]


def decoded(found: Found) -> list[Pixels]:
    """A file's pictures, resized."""
    pictures = decoding.decode(found, lambda width, height: draft_size(["fit"], width, height))
    return [prepare("fit", picture.image) for picture in pictures if isinstance(picture, Picture)]


def decode_all(chosen: Sequence[Found]) -> None:
    """Decoding alone, on all cores."""
    with ThreadPoolExecutor(Options().workers) as pool:
        for _ in pool.map(decoded, chosen):
            pass


def embed_all(pictures: Sequence[Pixels]) -> None:
    """The networks alone, on all cores, in batches of one shape."""
    loaded = dict(zip(BOTH, load(), strict=True))
    precision = embedding.choose_precision("auto", torch.device("cpu"))
    streams = embedding.Streams(
        lambda device: Embedder(loaded, device, precision, inference.REPAID),
        embedding.choose_devices("cpu"),
    )
    by_shape: dict[tuple[int, ...], list[Pixels]] = {}
    for pixels in pictures:
        by_shape.setdefault(pixels.shape[:2], []).append(pixels)
    size = streams.batch_size
    batches = [b[i : i + size] for b in by_shape.values() for i in range(0, len(b), size)]
    for future in [streams.submit(lambda e, b=b: e.embed(b, BOTH)) for b in batches]:  # type: ignore[misc]
        future.result()
    streams.close()


def plain(files: Sequence[Found]) -> list[npt.NDArray[np.float32]]:
    """What a script does that knows nothing of batches."""
    vectors = []
    for network in load():
        with torch.inference_mode():
            for found in files:
                picture = next(decoding.decode(found))
                if isinstance(picture, Picture):
                    features = network.module(tensor(prepare("fit", picture.image)))
                    vectors.append(torch.nn.functional.normalize(features).numpy())
    return vectors


def tensor(pixels: Pixels) -> torch.Tensor:
    """One picture, normalised as ImageNet's networks expect."""
    grey = pixels.ndim == 2
    values = torch.from_numpy(pixels.copy()).float() / 255
    rgb = values.expand(3, *values.shape) if grey else values.permute(2, 0, 1)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return ((rgb - mean) / deviation)[None]


@contextmanager
def weights_in_cache(names: Sequence[str]) -> Iterator[None]:
    """torch's hub cache holds untrained weights under the names that the peers ask for."""
    before = torch.hub.get_dir()
    with tempfile.TemporaryDirectory() as cache:
        torch.hub.set_dir(cache)
        (Path(cache) / "checkpoints").mkdir()
        for name in names:
            state = torchvision.models.get_model(name, weights=None).state_dict()
            for weights in torchvision.models.get_model_weights(name):
                torch.save(state, Path(cache) / "checkpoints" / Path(weights.url).name)
        try:
            yield
        finally:
            torch.hub.set_dir(before)


def imagededup_encoder(methods: Any) -> Any:
    """imagededup's CNN encoder with ResNet-50 and torchvision's transform."""
    from imagededup.utils.models import CustomModel

    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    network = torchvision.models.resnet50(weights=weights)
    network.fc = torch.nn.Identity()
    return methods.CNN(
        verbose=False,
        model_config=CustomModel(
            name="resnet50", model=network.eval(), transform=weights.transforms()
        ),
    )


def in_batches(encoder: Any, chosen: Sequence[Found], size: int = 32) -> None:
    """img2vec_pytorch's vectors, in batches as it offers them."""
    for start in range(0, len(chosen), size):
        opened = [Image.open(found.path).convert("RGB") for found in chosen[start : start + size]]
        encoder.get_vec(opened)
