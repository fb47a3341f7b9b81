"""Model names to networks: architecture, weights, and the pooled feature as the output.

Importing this imports torch, which takes a second or more: import it only where pictures are
embedded.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import torch
import torchvision
from torch import nn

from imgsim.errors import NotFoundError, WeightsError
from imgsim.networks import bundled
from imgsim.settings import PRETRAINED, UNTRAINED

SEED = 0
DOWNLOAD_SECONDS = 20
HEADS = ("fc", "classifier", "head", "heads")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Weights:
    """Which numbers fill a network: torchvision's name for them, one of imgsim's own,
    `untrained`, or a file's path.

    `file` is where they were read, and `sha256` its hash; untrained weights have no file, and
    their hash is of the numbers. `name` finds the same weights again.
    """

    name: str
    file: Path | None
    sha256: str


@dataclass(frozen=True)
class Network:
    """A network without its classification layer: images in, vectors of `dimension` out.

    `module` is in evaluation mode and takes float32 (n, channels, height, width): of three
    channels colours, normalised as ImageNet's networks expect; of one channel ink, from 0 for
    white to 1 for black.
    """

    architecture: str
    dimension: int
    weights: Weights
    module: nn.Module
    channels: int = 3


def architectures() -> list[str]:
    """Returns the names of torchvision's usable classification networks."""
    names = torchvision.models.list_models(module=torchvision.models)
    return sorted(name for name in names if not name.startswith("quantized"))


def load(architecture: str, weights: str = PRETRAINED) -> Network:
    """Returns a network with its weights.

    Args:
        weights: torchvision's name of pretrained weights, the name of bundled ones, the word
            `untrained`, or a file. A file for one channel makes a network of one.

    Raises:
        NotFoundError: torchvision has no such architecture.
        WeightsError: the weights cannot be had, are damaged, or do not fit.
    """
    check(architecture)
    if weights == UNTRAINED:
        module = _untrained(architecture)
        used = Weights(UNTRAINED, None, _hash_of_state(module))
    else:
        used = find_weights(architecture, weights)
        module = _filled(architecture, used)
    features = without_head(module).eval()
    channels = first_convolution(features)[2].in_channels
    dimension = _dimension(features, channels, architecture)
    return Network(architecture, dimension, used, features, channels)


def find_weights(architecture: str, weights: str = PRETRAINED) -> Weights:
    """Returns pretrained weights, downloaded if torch's cache lacks them, a file as it is, or
    weights that come with imgsim.

    Raises:
        WeightsError: they can neither be found nor downloaded, or their hash is not theirs.
    """
    if weights in torchvision.models.get_model_weights(architecture).__members__:
        file = _from_hub(architecture, weights)
        return Weights(weights, file, _hash_of_file(file))
    if weights in bundled.BUNDLED:
        return Weights(weights, bundled.path(weights), bundled.checked(weights))
    file = Path(weights).expanduser()
    if not file.is_file():
        own = [name for name, fits in bundled.BUNDLED.items() if fits == architecture]
        names = [*torchvision.models.get_model_weights(architecture).__members__, *own]
        raise WeightsError(
            f"cannot find weights {weights}: neither a file nor weights of {architecture}",
            f"give a file of weights, `untrained`, or one of: {', '.join(names)}",
        )
    return Weights(str(file.absolute()), file.absolute(), _hash_of_file(file))


def pretrained_url(architecture: str, weights: str) -> str:
    """Returns the URL of torchvision's weights of that name."""
    return str(torchvision.models.get_model_weights(architecture)[weights].url)


def without_head(module: nn.Module) -> nn.Module:
    """Returns the network up to its pooled feature, the input of the head's first layer.

    VGG and AlexNet flatten a map instead of pooling it, and SqueezeNet pools class scores: of
    these, the mean over the last feature map.
    """
    family = type(module).__name__
    if family in ("VGG", "AlexNet", "SqueezeNet"):
        features = cast(nn.Module, module.features)
        return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for attribute in HEADS:
        head = getattr(module, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(module, attribute, nn.Identity())
            return module
        if isinstance(head, nn.Sequential):
            layers = list(head)
            first = next(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear))
            setattr(module, attribute, nn.Sequential(*layers[:first]))
            return module
    raise NotFoundError(f"no classification head found in {family}", "use another architecture")


def first_convolution(module: nn.Module) -> tuple[nn.Module, str, nn.Conv2d]:
    """Returns the first convolution: the module it is in, its name there, and itself.

    Raises:
        NotFoundError: there is none.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            parent, _, child = name.rpartition(".")
            return module.get_submodule(parent), child, layer
    raise NotFoundError("the network has no convolution", "use another architecture")


def take_ink(module: nn.Module) -> None:
    """Makes a network of three channels take one: ink, from 0 for white to 1 for black.

    It then sees of a grey picture what it saw before, but for a shift of what surrounds it:
    zeros were a middle grey there, and are white now.
    """
    parent, name, three = first_convolution(module)
    one = nn.Conv2d(
        1,
        three.out_channels,
        cast(tuple[int, int], three.kernel_size),
        cast(tuple[int, int], three.stride),
        cast(tuple[int, int], three.padding),
        cast(tuple[int, int], three.dilation),
        bias=three.bias is not None,
    )
    # Ink is 1 - grey: hence the sign.
    deviation = torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1)
    with torch.no_grad():
        one.weight.copy_(-(three.weight / deviation).sum(1, keepdim=True))
        if three.bias is not None and one.bias is not None:
            one.bias.copy_(three.bias)
    setattr(parent, name, one)


def begun(architecture: str, seed: int) -> Network:
    """Returns an untrained network for ink, without its head.

    Raises:
        NotFoundError: torchvision has no such architecture, or it cannot be used.
    """
    check(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = without_head(_bare(architecture))
        take_ink(module)
        weight = first_convolution(module)[2].weight
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
    dimension = _dimension(module.eval(), 1, architecture)
    return Network(architecture, dimension, Weights(UNTRAINED, None, ""), module, 1)


def check(architecture: str) -> None:
    """Checks that torchvision has a network of that name.

    Raises:
        NotFoundError: it has none.
    """
    if architecture not in architectures():
        raise NotFoundError(
            f"torchvision has no classification network {architecture!r}",
            "for example resnet18, resnet50, convnext_tiny, efficientnet_b0, vit_b_16",
        )


def _untrained(architecture: str) -> nn.Module:
    # Forked: the numbers that the host program draws are not disturbed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return _bare(architecture)


def _bare(architecture: str) -> nn.Module:
    # GoogLeNet and Inception warn that their own initialisation is slow; it is overwritten.
    options: dict[str, Any] = {}
    if architecture in ("googlenet", "inception_v3"):
        options = {"init_weights": False}
    return cast(nn.Module, torchvision.models.get_model(architecture, weights=None, **options))


def _filled(architecture: str, weights: Weights) -> nn.Module:
    module = _bare(architecture)
    state = _state(weights)
    _match_channels(module, state)
    expected = module.state_dict()
    heads = tuple(f"{head}." for head in (*HEADS, "aux"))
    # Only the head, which is taken off, may be missing or made for other classes.
    missing = [key for key in expected if key not in state and not key.startswith(heads)]
    unfit = [
        key
        for key, value in state.items()
        if key in expected and expected[key].shape != value.shape and not key.startswith(heads)
    ]
    if missing or unfit:
        example = (missing or unfit)[0]
        raise WeightsError(
            f"{weights.file} does not hold weights of {architecture}: "
            f"layers missing: {len(missing)}, of another shape: {len(unfit)} (such as {example})",
            "check that --model and --weights belong together",
        )
    fitting = {k: v for k, v in state.items() if k in expected and expected[k].shape == v.shape}
    module.load_state_dict(fitting, strict=False)
    return module


def _match_channels(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Makes the network take one channel if the weights do."""
    _, _, first = first_convolution(module)
    name = next(name for name, layer in module.named_modules() if layer is first)
    given = state.get(f"{name}.weight")
    if given is not None and given.ndim == 4 and given.shape[1] == 1:
        take_ink(module)


def _state(weights: Weights) -> dict[str, torch.Tensor]:
    try:
        # weights_only: a pickle from elsewhere could run anything.
        loaded = torch.load(str(weights.file), map_location="cpu", weights_only=True)
    except Exception as exc:
        raise WeightsError(
            f"cannot read weights from {weights.file}: {str(exc).splitlines()[0]}",
            "the file must be a state dict written by torch.save; a download may be damaged: "
            "delete it and try again",
        ) from exc
    # As training programs save it: Lightning and timm wrap the state dict.
    for wrapper in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(torch.is_tensor(v) for v in loaded.values()):
        raise WeightsError(
            f"cannot read weights from {weights.file}: it holds no state dict",
            "write one with torch.save(model.state_dict(), …)",
        )
    # torch.nn.DataParallel puts `module.` before every name.
    return {key.removeprefix("module."): v for key, v in bundled.unpacked(loaded).items()}


def _from_hub(architecture: str, weights: str) -> Path:
    url = pretrained_url(architecture, weights)
    file = _cached(url)
    if not file.is_file():
        _download(architecture, weights, url, file)
    return file


def _download(architecture: str, weights: str, url: str, file: Path) -> None:
    # torch.hub gives no timeout: a server that falls silent would hold the command for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(file), _hash_prefix(file.name), progress=sys.stderr.isatty()
        )
    except (OSError, RuntimeError) as exc:
        raise WeightsError(
            f"the weights {weights} of {architecture} are not on this machine "
            f"and could not be downloaded ({exc})",
            f"take the networks that come with imgsim, trained on prints: "
            f"--model {' --model '.join(bundled.BUNDLED)}; or copy {file.name} from a machine "
            f"that can reach {urlparse(url).hostname} into {file.parent}; "
            f"or give a file with --weights FILE",
        ) from exc
    finally:
        socket.setdefaulttimeout(before)


def _cached(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def _hash_prefix(file_name: str) -> str | None:
    # torchvision names its files <architecture>-<first eight digits of the SHA-256>.pth
    _, separator, prefix = Path(file_name).stem.rpartition("-")
    return prefix if separator and len(prefix) == 8 else None


def _hash_of_file(file: Path) -> str:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    in_cache = file.parent == Path(torch.hub.get_dir()) / "checkpoints"
    if in_cache and not digest.startswith(_hash_prefix(file.name) or ""):
        raise WeightsError(
            f"{file} is damaged: its SHA-256 begins with {digest[:8]}, not as its name says",
            "delete it and run the command again",
        )
    return digest


def _hash_of_state(module: nn.Module) -> str:
    digest = hashlib.sha256()
    # Of the numbers, not of a file: what torch.save writes differs between versions of torch.
    for key, value in sorted(module.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _dimension(features: nn.Module, channels: int, architecture: str) -> int:
    with torch.inference_mode():
        output = features(torch.zeros(1, channels, 224, 224))
    if output.ndim != 2:
        raise NotFoundError(f"{architecture} does not end in a vector", "use another architecture")
    return int(output.shape[1])
