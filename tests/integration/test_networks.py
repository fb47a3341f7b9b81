"""Networks give torchvision's own pooled features, with the weights they are said to have."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError, WeightsError
from imgsim.images import decoding
from imgsim.images.preprocess import prepare
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from imgsim.networks import architectures, bundled, inference, models
from imgsim.networks.architectures import IMAGENET_DEVIATION, IMAGENET_MEAN
from imgsim.networks.embedding import Embedder, Streams, choose_device
from imgsim.settings import UNTRAINED

Draw = Callable[..., Image.Image]
CPU = torch.device("cpu")


@functools.cache
def torchvisions(architecture: str) -> nn.Module:
    """Torchvision's network with the weights of the seed; drawing them takes the most time here."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(architectures.SEED)
        return cast(nn.Module, torchvision.models.get_model(architecture, weights=None)).eval()


@functools.cache
def untrained(architecture: str) -> architectures.Network:
    """Our network with those weights, for tests that leave it as it is."""
    return architectures.load(architecture, UNTRAINED)


def plain(architecture: str, pixels: np.ndarray) -> np.ndarray:
    """The pooled feature of a ResNet, by torchvision's own modules called one after the other."""
    network = torchvisions(architecture)
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels.copy()
    batch = torchvision.transforms.functional.to_tensor(rgb)
    batch = torchvision.transforms.functional.normalize(batch, IMAGENET_MEAN, IMAGENET_DEVIATION)
    with torch.inference_mode():
        features = batch[None]
        for name, module in network.named_children():
            if name != "fc":
                features = module(features)
    vector = features.flatten().numpy()
    return np.asarray(vector / np.linalg.norm(vector))


@pytest.mark.parametrize(("architecture", "dimension"), [("resnet18", 512), ("resnet50", 2048)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_vectors_are_those_of_plain_torchvision(
    architecture: str, dimension: int, mode: str, draw: Draw
) -> None:
    pixels = [prepare("fit", draw(seed, (300, 200), mode)) for seed in range(3)]
    network = untrained(architecture)
    vectors = Embedder({"m": network}, CPU).embed(pixels, ["m"])["m"]
    assert vectors.shape == (3, dimension)
    for vector, own in zip(vectors, pixels, strict=True):
        assert np.abs(vector - plain(architecture, own)).max() < 1e-3
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_stored_vectors_are_those_of_plain_torchvision_on_the_same_pixels(
    connection: Connection, folder: Path
) -> None:
    wanted = models.Wanted("resnet18", weights="untrained")
    ingest(connection, [folder], Options(wanted=(wanted,), precision="float32"))
    rows = connection.execute(
        "select i.path, e.embedding from imgsim.embedding_resnet18 e join imgsim.image i "
        "using (image_id)"
    ).fetchall()
    assert len(rows) == 6
    for path, vector in rows:
        with Image.open(path) as opened:
            pixels = prepare("fit", decoding.to_grey_or_rgb(opened))
        assert np.abs(vector.to_numpy() - plain("resnet18", pixels)).max() < 1e-3


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_fast_way_stays_close_to_the_plain_one(
    architecture: str, precision: torch.dtype, mode: str, draw: Draw
) -> None:
    pixels = [prepare("fit", draw(seed, (300, 200), mode)) for seed in range(3)]
    network = untrained(architecture)
    exact = np.array([plain(architecture, own) for own in pixels])
    fast = Embedder({"m": network}, CPU, precision).embed(pixels, ["m"])["m"]
    assert (exact * fast).sum(axis=1).min() >= 0.9999
    assert network.module(torch.zeros(1, 3, 64, 64)).dtype == torch.float32  # left as it was


@pytest.mark.slow
def test_compiled_networks_stay_close_to_the_plain_one(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not inference.can_compile(CPU):
        pytest.skip("there is no C++ compiler here")
    monkeypatch.setattr(inference, "GAIN", 1e9)  # compiled, be it faster or not
    pixels = [prepare("fit", draw(seed, (300, 200))) for seed in range(3)]
    network = architectures.load("resnet18", UNTRAINED)
    exact = np.array([plain("resnet18", own) for own in pixels])
    embedder = Embedder({"m": network}, CPU, torch.bfloat16, compile_after=0)
    for part in (pixels, pixels[:2], pixels[2:]):
        fast = embedder.embed(part, ["m"])["m"]
        rows = slice(0, 2) if len(part) == 2 else slice(3 - len(part), 3)
        assert (exact[rows] * fast).sum(axis=1).min() >= 0.9999
    assert isinstance(embedder._forwards["m"], inference._WithRefuge)


def test_where_compiling_fails_or_gains_nothing_the_network_goes_on_as_it_was(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = [prepare("fit", draw(seed, (300, 200))) for seed in range(3)]
    network = untrained("resnet18")
    exact = Embedder({"m": network}, CPU).embed(pixels, ["m"])["m"]

    def refuse(*arguments: object, **options: object) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(inference, "can_compile", lambda device: True)
    for compiler in (refuse, lambda forward, dynamic: forward):
        monkeypatch.setattr(torch, "compile", compiler)
        monkeypatch.setattr(inference, "GAIN", 0.0)
        embedder = Embedder({"m": network}, CPU, compile_after=0)
        assert np.allclose(embedder.embed(pixels, ["m"])["m"], exact, atol=1e-6)


def test_a_compiled_network_that_fails_with_a_batch_is_given_up() -> None:
    calls = []

    def failing(batch: torch.Tensor) -> torch.Tensor:
        calls.append(len(batch))
        raise RuntimeError("no kernel for this shape")

    forward = inference._WithRefuge(failing, lambda batch: batch * 2)
    assert forward(torch.ones(2)).tolist() == [2, 2]
    assert forward(torch.ones(3)).tolist() == [2, 2, 2]
    assert calls == [2]


def test_a_batch_too_large_for_the_memory_is_halved(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = [prepare("square", draw(seed)) for seed in range(5)]
    embedder = Embedder({"m": untrained("resnet18")}, CPU)
    whole = embedder.embed(pixels, ["m"])["m"]
    forward = embedder._forwards["m"]

    def narrow(batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 2:
            raise torch.OutOfMemoryError("too much")
        return forward(batch)

    embedder._forwards["m"] = narrow
    assert np.allclose(embedder.embed(pixels, ["m"])["m"], whole, atol=1e-5)


def test_streams_share_the_cores_and_leave_the_threads_of_others_alone() -> None:
    before = torch.get_num_threads()
    streams = Streams(lambda device: Embedder({}, device), [CPU])
    assert streams.count >= 1
    inside = streams.submit(lambda embedder: torch.get_num_threads()).result()
    assert inside * streams.count <= max(streams.count, os.cpu_count() or 1)
    streams.close()
    assert torch.get_num_threads() == before


def test_a_picture_gets_the_same_vector_in_any_batch(draw: Draw) -> None:
    pixels = [prepare("square", draw(seed)) for seed in range(9)]
    embedder = Embedder({"m": untrained("resnet18")}, CPU)
    together = embedder.embed(pixels, ["m"])["m"]
    for number in (0, 8):
        alone = embedder.embed([pixels[number]], ["m"])["m"]
        assert np.abs(together[number] - alone[0]).max() < 1e-4


@pytest.mark.parametrize(
    ("architecture", "dimension"),
    [
        ("alexnet", 256),
        ("convnext_tiny", 768),
        ("densenet121", 1024),
        ("efficientnet_b0", 1280),
        ("googlenet", 1024),
        ("mobilenet_v2", 1280),
        ("mobilenet_v3_small", 576),
        ("mnasnet0_5", 1280),
        ("regnet_y_400mf", 440),
        ("resnext50_32x4d", 2048),
        ("shufflenet_v2_x0_5", 1024),
        ("squeezenet1_1", 512),
        ("swin_t", 768),
        ("vgg11", 512),
    ],
)
def test_any_classification_network_gives_its_pooled_feature(
    architecture: str, dimension: int, draw: Draw
) -> None:
    network = architectures.load(architecture, UNTRAINED)
    assert network.dimension == dimension
    vectors = Embedder({"m": network}, CPU).embed([prepare("fit", draw())], ["m"])["m"]
    assert vectors.shape == (1, dimension)
    assert np.isfinite(vectors).all()


def test_untrained_weights_are_the_same_every_time_and_leave_the_seed_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = architectures.load("resnet18", UNTRAINED)
    assert (torch.rand(3) == expected).all()
    assert architectures.load("resnet18", UNTRAINED).weights == one.weights
    assert architectures.load("resnet34", UNTRAINED).weights.sha256 != one.weights.sha256


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub of weights in a folder, reached by file: URLs, and an empty cache."""
    folder = tmp_path / "hub of weights"
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, folder / "state.pth")
    digest = hashlib.sha256((folder / "state.pth").read_bytes()).hexdigest()
    file = (folder / "state.pth").rename(folder / f"resnet18-{digest[:8]}.pth")
    monkeypatch.setattr(
        architectures, "pretrained_url", lambda architecture, weights: file.as_uri()
    )
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return file


def test_pretrained_weights_are_fetched_once_and_their_hash_is_checked(hub: Path) -> None:
    network = architectures.load("resnet18")
    assert network.weights.name == "IMAGENET1K_V1"
    assert network.weights.file is not None
    assert network.weights.file.name == hub.name
    assert network.weights.sha256.startswith(hub.stem.removeprefix("resnet18-"))
    hub.unlink()
    again = architectures.load("resnet18")  # from the cache now
    assert again.weights == network.weights
    state = again.module.state_dict()
    assert all((state[key] == value).all() for key, value in network.module.state_dict().items())


def test_a_damaged_download_is_refused_and_not_kept(hub: Path) -> None:
    hub.write_bytes(hub.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="could not be downloaded"):
        architectures.load("resnet18")
    assert list((Path(torch.hub.get_dir()) / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("architecture", ["shufflenet_v2_x0_5", "mobilenet_v2", "densenet121"])
def test_a_network_made_fast_gives_the_vectors_of_the_network(architecture: str) -> None:
    network = architectures.load(architecture, UNTRAINED)
    batch = torch.rand(2, 3, 64, 64)
    fast = inference.made_fast(network, torch.device("cpu"), torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(fast(batch), network.module(batch), rtol=1e-4, atol=1e-4)


def test_batch_normalisation_is_folded_only_into_a_layer_that_nothing_else_reads() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
            self.one, self.two = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            read_twice = self.first(x)
            return cast(torch.Tensor, self.two(self.second(self.one(read_twice))) + read_twice)

    module = Branching().eval()
    for layer in (module.one, module.two):
        nn.init.uniform_(layer.running_mean)  # type: ignore[arg-type]
    folded = inference.folded(module)
    batch = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(folded(batch), module(batch))
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules()) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Müller's", "cannot call a model"),
        ("a" * 41, "cannot call a model"),
        ("of-mine", "of.mine"),
    ],
)
def test_a_name_that_no_model_can_have_is_refused_before_anything_is_loaded(
    connection: Connection, name: str, reason: str
) -> None:
    models.ensure(connection, models.Wanted("of.mine", "shufflenet_v2_x0_5", "untrained"))
    with pytest.raises(ImgsimError, match=reason) as caught:
        models.ensure(connection, models.Wanted(name, "shufflenet_v2_x0_5", "no such weights"))
    assert "--name" in caught.value.hint
    assert [model.name for model in models.stored(connection)] == ["of.mine"]


def test_a_damaged_file_in_the_cache_is_refused(hub: Path) -> None:
    cached = architectures.load("resnet18").weights.file
    assert cached is not None
    cached.write_bytes(cached.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is damaged") as caught:
        architectures.load("resnet18")
    assert "delete it" in caught.value.hint


def test_weights_that_cannot_be_had_name_the_file_the_folder_and_the_option(hub: Path) -> None:
    hub.unlink()
    with pytest.raises(WeightsError) as caught:
        architectures.load("resnet18")
    for part in (hub.name, "checkpoints", "--weights", "--model resnet18-print"):
        assert part in caught.value.hint


@pytest.mark.parametrize(("name", "dimension"), [("resnet18-print", 512), ("resnet50-print", 2048)])
def test_our_own_weights_are_there_whole_and_their_model_tells_how_they_came_about(
    name: str, dimension: int, connection: Connection
) -> None:
    model = models.ensure(connection, models.Wanted(name))
    assert (model.dimension, model.weights, model.preprocess) == (dimension, name, "print")
    assert model.embedding_table == f"embedding_{name.replace('-', '_')}"
    assert model.weights_sha256 == bundled.provenance(name)["sha256"]
    row = connection.execute("select training from imgsim.model").fetchone()
    assert row == (bundled.provenance(name),)
    under_another = models.Wanted("mine", name)
    assert models.ensure(connection, under_another).weights_sha256 == model.weights_sha256
    assert models.ensure(connection, under_another).name == "mine"


def test_our_own_weights_are_refused_where_a_byte_is_wrong_or_they_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in bundled.FOLDER.glob("resnet18-print.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    content = bytearray(bundled.path("resnet18-print").read_bytes())
    content[len(content) // 2] ^= 1
    bundled.path("resnet18-print").write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged") as caught:
        architectures.load("resnet18", "resnet18-print")
    assert "install imgsim again" in caught.value.hint
    bundled.path("resnet18-print").unlink()
    with pytest.raises(WeightsError, match="cannot read the weights"):
        architectures.load("resnet18", "resnet18-print")


def test_weights_for_ink_make_a_network_of_one_channel_that_takes_colours_too() -> None:
    network = architectures.load("resnet18", "resnet18-print")
    assert network.channels == 1
    embedder = Embedder({"print": network, "m": architectures.load("resnet18", UNTRAINED)}, CPU)
    rng = np.random.default_rng(0)
    colours = [rng.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(2)]
    grey = [np.asarray(Image.fromarray(picture).convert("L")) for picture in colours]
    both = embedder.embed(colours, ["print", "m"])
    assert {name: rows.shape for name, rows in both.items()} == {"print": (2, 512), "m": (2, 512)}
    assert np.allclose(both["print"], embedder.embed(grey, ["print"])["print"], atol=1e-6)


def test_weights_of_a_file_are_used_and_found_again(
    hub: Path, connection: Connection, folder: Path, tmp_path: Path
) -> None:
    wanted = models.Wanted("resnet18", weights=str(hub))
    ingest(connection, [folder], Options(wanted=(wanted,)))
    assert models.named(connection, "resnet18").weights == str(hub)
    shutil.copy(next(folder.glob("*010_0.png")), folder / "another.png")
    with (folder / "another.png").open("ab") as file:
        file.write(b"more")
    assert ingest(connection, [folder], Options(wanted=(models.Wanted("resnet18"),))).new == 1
    moved = hub.rename(tmp_path / "elsewhere.pth")
    again = models.Wanted("resnet18", weights=str(moved))
    with (folder / "another.png").open("ab") as file:
        file.write(b"more")
    assert ingest(connection, [folder], Options(wanted=(again,))).changed == 1


def test_weights_of_a_headless_or_wrapped_network_fit(hub: Path, tmp_path: Path) -> None:
    state = torch.load(hub, weights_only=True)
    wrapped = {f"module.{key}": value.half() for key, value in state.items() if "fc." not in key}
    torch.save({"state_dict": wrapped}, tmp_path / "wrapped.pth")
    network = architectures.load("resnet18", str(tmp_path / "wrapped.pth"))
    expected = torchvision.models.resnet18(weights=None)
    expected.load_state_dict(state)
    key = "layer4.1.conv2.weight"
    assert torch.allclose(network.module.state_dict()[key], expected.state_dict()[key], atol=1e-3)


def test_weights_of_another_network_and_files_of_another_kind_are_refused(
    hub: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="does not hold weights of resnet50"):
        architectures.load("resnet50", str(hub))
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(WeightsError, match="cannot read weights"):
        architectures.load("resnet18", str(tmp_path / "text.pth"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no state dict"):
        architectures.load("resnet18", str(tmp_path / "list.pth"))
    with pytest.raises(WeightsError, match="neither a file nor weights"):
        architectures.load("resnet18", "IMAGENET1K_V9")


def test_unknown_networks_and_devices_are_refused() -> None:
    with pytest.raises(NotFoundError, match="no classification network"):
        architectures.load("resnet19")
    with pytest.raises(ImgsimError, match="cannot use the device"):
        choose_device("cuda:7" if not torch.cuda.is_available() else "abacus")


def test_a_network_of_fixed_input_asks_for_crop(connection: Connection) -> None:
    wanted = models.Wanted("vit", "vit_b_16", weights="untrained")
    with pytest.raises(ImgsimError, match="cannot take pictures") as caught:
        models.ensure(connection, wanted)
    assert "--preprocess crop" in caught.value.hint
    assert models.stored(connection) == []
    cropped = models.Wanted("vit", "vit_b_16", weights="untrained", preprocess="crop")
    assert models.ensure(connection, cropped).dimension == 768


def test_a_model_has_a_table_and_an_index_of_its_own(connection: Connection) -> None:
    wanted = models.Wanted("shuffle-0.5", "shufflenet_v2_x0_5", weights="untrained")
    model = models.ensure(connection, wanted)
    assert model.embedding_table == "embedding_shuffle_0_5"
    row = connection.execute(
        """
        select t.typname, a.atttypmod, a.attstorage
        from pg_attribute a
        join pg_type t on t.oid = a.atttypid
        where a.attrelid = 'imgsim.embedding_shuffle_0_5'::regclass and a.attname = 'embedding'
        """
    ).fetchone()
    assert row == ("halfvec", 1024, "p")
    connection.execute("select imgsim.remove_model('shuffle-0.5')")
    assert models.stored(connection) == []
    assert connection.execute("select to_regclass('imgsim.embedding_shuffle_0_5')").fetchone() == (
        None,
    )
