"""A training from folder to model: it learns, goes on where it was, and says what is amiss."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.errors import ImgsimError
from imgsim.networks import architectures, models, training
from imgsim.networks.training import checkpoints, loop
from imgsim.networks.training.gathering import gather
from imgsim.networks.training.loop import Epoch, Recipe, State, Training
from tests.conftest import Answer

SMALL = "shufflenet_v2_x0_5"
SIDES = (32, 32, 48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty plates, one of them twice, a broken file and a text."""
    place = tmp_path_factory.mktemp("plates")
    for number in range(40):
        plates.draw(number, (100, 150)).save(place / f"{number:02}.png")
    (place / "again.png").write_bytes((place / "07.png").read_bytes())
    (place / "broken.png").write_bytes((place / "08.png").read_bytes()[:900])
    (place / "notes.txt").write_text("not a picture")
    return place


def recipe(steps: int = 4, **changed: object) -> Recipe:
    given = {"batch": 12, "sides": SIDES, **changed}
    return Recipe(architecture=SMALL, started_from="untrained", steps=steps, **given)  # type: ignore[arg-type]


def plan(place: Path, steps: int = 4, *, fresh: bool = False, **changed: object) -> training.Plan:
    return training.Plan(
        recipe(steps, **changed), place, device="cpu", precision="float32", fresh=fresh
    )


class Kept(training.Reader):
    """Keeps what it is told."""

    def __init__(self, interrupt_at: int = 0) -> None:
        self.steps: list[float] = []
        self.epochs: list[Epoch] = []
        self.batches: list[int] = []
        self._interrupt_at = interrupt_at

    def step(self, state: State, steps: int, loss: float) -> None:
        self.steps.append(loss)
        if state.step == self._interrupt_at:
            raise KeyboardInterrupt

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def memory(self, batch: int) -> None:
        self.batches.append(batch)


def test_pictures_are_gathered_once_each_in_order_and_bad_ones_told(
    folder: Path, tmp_path: Path
) -> None:
    gathered = gather([folder], tmp_path / "pictures")
    assert len(gathered.pictures.ink) == 40
    assert gathered.equal == 1
    assert [Path(item.path).name for item in gathered.refused] == ["broken.png"]
    assert gathered.pictures.held_out.sum() == 2
    again = gather([folder], tmp_path / "again").pictures
    assert again.sha256 == gathered.pictures.sha256
    fewer = gather(sorted(folder.glob("1*.png")), tmp_path / "fewer").pictures
    assert fewer.sha256 != again.sha256


@pytest.mark.slow
def test_it_learns(folder: Path, tmp_path: Path) -> None:
    """From 3.4, the logarithm of the 31 others of a batch, downwards."""
    learning = Recipe("resnet18", "untrained", steps=50, batch=16, sides=(64, 64, 64), rate=1e-3)
    kept = Kept()
    training.train(training.Plan(learning, tmp_path, device="cpu"), [folder], kept)
    assert np.mean(kept.steps[-10:]) < np.mean(kept.steps[:10]) - 0.25
    assert [epoch.number for epoch in kept.epochs] == list(range(1, len(kept.epochs) + 1))


def test_interrupted_it_goes_on_to_the_same_network(folder: Path, tmp_path: Path) -> None:
    whole = training.train(plan(tmp_path / "whole", 6), [folder])
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        training.train(plan(broken, 6), [folder], Kept(interrupt_at=4))
    rest = Kept()
    resumed = training.train(plan(broken, 6), [folder], rest)
    assert len(rest.steps) == 2
    one, other = (torch.load(t.weights, weights_only=True) for t in (whole, resumed))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert resumed.provenance["pictures"] == whole.provenance["pictures"]
    assert resumed.provenance["steps"] == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"seed": 1}, "has seed 0, not 1"), ({"mirror": True}, "has mirror False, not True")],
)
@pytest.mark.slow
def test_an_unfinished_training_of_another_recipe_or_other_pictures_is_not_overwritten(
    folder: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        training.train(plan(tmp_path, 4), [folder], Kept(interrupt_at=1))
    before = (tmp_path / checkpoints.CHECKPOINT).read_bytes()
    with pytest.raises(ImgsimError, match=said) as error:
        training.train(plan(tmp_path, 4, **changed), [folder])
    assert "--fresh" in error.value.hint
    with pytest.raises(ImgsimError, match="other pictures"):
        training.train(plan(tmp_path, 4), [*sorted(folder.glob("[12]*.png"))])
    assert (tmp_path / checkpoints.CHECKPOINT).read_bytes() == before
    training.train(plan(tmp_path, 4, fresh=True, **changed), [folder])


def test_too_few_or_equal_pictures_are_refused_with_a_way_on(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ImgsimError, match=r"at least 16 .*found 3\)") as error:
        training.train(plan(tmp_path / "a"), [folder / f"0{n}.png" for n in range(3)])
    assert "resnet18-print" in error.value.hint
    equal = tmp_path / "equal"
    equal.mkdir()
    for number in range(30):
        plates.draw(1, (60, 90)).save(equal / f"{number}.png")
    with pytest.raises(ImgsimError, match=r"found 1, and 29 equal to one"):
        training.train(plan(tmp_path / "b"), [equal])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImgsimError, match=r"found 0\)"):
        training.train(plan(tmp_path / "c"), [empty])


def test_with_too_little_memory_it_goes_on_with_a_smaller_batch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Training._vectors

    def scarce(self: Training, network: torch.nn.Module, views: torch.Tensor) -> torch.Tensor:
        if len(views) > 12 and network.training:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")
        return whole(self, network, views)

    monkeypatch.setattr(Training, "_vectors", scarce)
    kept = Kept()
    trained = training.train(plan(tmp_path, 4), [folder], kept)
    assert kept.batches == [6]
    assert trained.provenance["batch"] == 6
    assert len(kept.steps) == 4


def test_other_errors_are_not_taken_for_lack_of_memory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(Training, "_vectors", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        training.train(plan(tmp_path, 4), [folder])


def test_patience_ends_a_training_that_gains_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = iter([0.2, 1.0, 0.1, 0.0, 0.0])
    monkeypatch.setattr(Training, "_found", lambda self: next(shares))
    kept = Kept()
    trained = training.train(plan(tmp_path, 60, patience=2), [folder], kept)
    assert [epoch.found for epoch in kept.epochs] == [0.2, 1.0, 0.1, 0.0]
    assert trained.provenance["found"] == 1.0


def test_of_states_that_chance_may_tell_apart_the_latest_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = itertools.chain([0.5, 0.6], itertools.repeat(0.55))
    monkeypatch.setattr(Training, "_found", lambda self: next(shares))
    monkeypatch.setattr(Training, "_by_chance", lambda self, found: 0.07)
    kept = Kept()
    trained = training.train(plan(tmp_path, 20), [folder], kept)
    assert [epoch.found for epoch in kept.epochs][:3] == [0.5, 0.6, 0.55]
    assert trained.provenance["found"] == 0.55


FULL_DISK = """
import resource, sys
from pathlib import Path
from imgsim.networks import training
from imgsim.errors import ImgsimError
from tests.integration.test_training import Kept, plan
place, folder = Path(sys.argv[1]), Path(sys.argv[2])
before = (place / "checkpoint.pt").read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    training.train(plan(place, 9), [folder])
except ImgsimError as error:
    print(error.message, "/", error.hint)
assert (place / "checkpoint.pt").read_bytes() == before
assert not list(place.glob("*.part"))
"""


def test_a_network_measures_its_own_threshold_as_its_written_weights_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> None:
    monkeypatch.setattr(loop, "FEWEST_MEASURED", 2)
    trained = training.train(plan(tmp_path / "run", 2), [folder])
    measured = trained.provenance["threshold"]
    assert measured["measured_on"] == "simulated impressions of 2 held-out pictures"
    gathered = gather([folder], tmp_path / "again.u8", lambda done: None)
    written = architectures.load(SMALL, str(trained.weights)).module
    of_weights = Training(
        recipe(2), gathered.pictures, written, tmp_path, torch.device("cpu"), torch.float32
    )
    # A hundredth off: the weights are rounded as they are written.
    assert of_weights.own_threshold() == pytest.approx(measured["value"], abs=0.0101)
    assert 0.01 < measured["value"] <= 1
    # Not the network as the last step left it: one that tells nothing is kept.
    of_weights.state.kept = {name: torch.zeros_like(v) for name, v in written.state_dict().items()}
    assert of_weights.own_threshold() == 0.01
    wanted = models.Wanted("mine", SMALL, str(trained.weights), training=trained.provenance)
    model = models.ensure(connection, wanted)
    assert (model.threshold, model.threshold_from) == tuple(measured.values())


def test_from_few_held_out_pictures_no_threshold_is_measured(folder: Path, tmp_path: Path) -> None:
    assert training.train(plan(tmp_path, 1), [folder]).provenance["threshold"] is None


@pytest.mark.slow
def test_where_the_disk_is_full_the_checkpoint_before_survives(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        training.train(plan(tmp_path, 9), [folder], Kept(interrupt_at=7))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "the one before it is kept" in done.stdout
    assert "make room on the disk" in done.stdout


def test_a_damaged_checkpoint_is_named_and_nothing_is_done(folder: Path, tmp_path: Path) -> None:
    (tmp_path / checkpoints.CHECKPOINT).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ImgsimError, match="cannot read the checkpoint") as error:
        training.train(plan(tmp_path), [folder])
    assert "--fresh" in error.value.hint


def test_two_trainings_in_one_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    with (
        training._alone_in(tmp_path),
        pytest.raises(ImgsimError, match="another training uses it"),
    ):
        training.train(plan(tmp_path), [folder])


def test_a_student_learns_from_a_teacher_of_ink_alone(folder: Path, tmp_path: Path) -> None:
    taught = training.train(plan(tmp_path / "teacher", 2), [folder])
    student = training.Plan(
        recipe(2, teacher="mine"),
        tmp_path / "student",
        teacher=(SMALL, str(taught.weights)),
        device="cpu",
    )
    assert training.train(student, [folder]).provenance["recipe"]["teacher"] == "mine"
    colours = training.Plan(recipe(2), tmp_path / "x", teacher=(SMALL, "untrained"), device="cpu")
    with pytest.raises(ImgsimError, match="cannot be a teacher"):
        training.train(colours, [folder])


def test_colours_become_ink_without_a_loss_to_grey_pictures() -> None:
    network = architectures.load("resnet18", "untrained").module
    grey = torch.rand(2, 1, 96, 96)
    mean, deviation = (
        torch.tensor(v).view(1, 3, 1, 1)
        for v in (architectures.IMAGENET_MEAN, architectures.IMAGENET_DEVIATION)
    )
    with torch.no_grad():
        before = network.conv1((grey.expand(-1, 3, -1, -1) - mean) / deviation)  # type: ignore[operator]
        architectures.take_ink(network)
        after = network.conv1(1 - grey)  # type: ignore[operator]
        inside = (before - after)[..., 2:-2, 2:-2]
    shift = inside.mean((0, 2, 3), keepdim=True)
    assert torch.allclose(inside, shift.expand_as(inside), atol=1e-4)


def train_on(folder: Path, place: Path, *more: object) -> list[object]:
    small = ("--from", SMALL, "--batch-size", 8, "--device", "cpu", "--folder", place)
    return ["model", "train", folder, *small, "--sides", 32, 32, 32, *more]


def test_the_command_ends_with_a_model_of_the_store_and_how_it_came_about(
    folder: Path, tmp_path: Path, imgsim: Callable[..., Answer], connection: Connection
) -> None:
    place = tmp_path / "run"
    done = imgsim(*train_on(folder, place, "--name", "my-prints.2", "--steps", 5))
    assert done.code == 0, done.err
    assert "40 different pictures" in done.err
    assert "1 skipped: truncated PNG" in done.err
    assert "found by a new impression" in done.err
    model = models.named(connection, "my-prints.2")
    assert (model.embedding_table, model.preprocess) == ("embedding_my_prints_2", "print")
    assert "threshold: 0.94, as none is measured for my-prints.2 (measure it with: " in done.err
    row = connection.execute("select training from imgsim.model").fetchone()
    assert row is not None
    assert row[0]["recipe"]["steps"] == 5
    assert row[0] == json.loads((place / "weights.json").read_text())
    assert row[0]["sha256"] == model.weights_sha256
    assert imgsim("ingest", folder).code == 3  # the broken file
    nearest = imgsim("similar", "07", "-k", 1, "--format", "csv")
    assert "again" in nearest.out
    twice = imgsim(*train_on(folder, place, "--name", "my-prints.2"))
    assert twice.code == 1
    assert "already has a model my-prints.2" in twice.err
    on = imgsim(
        *("model", "train", folder, "--from", "my-prints.2", "--name", "on", "--device", "cpu"),
        *("--steps", 2, "--batch-size", 8, "--sides", 32, 32, 32, "--folder", tmp_path / "on"),
    )
    assert on.code == 0, on.err
    assert imgsim("model", "list", "--format", "csv").out.count("print") >= 2


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C in a process of its own: the state is kept."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom imgsim.networks import training\n"
        "from tests.integration.test_training import plan\n"
        "class Told(training.Reader):\n"
        "    def step(self, state, steps, loss):\n        print(state.step, flush=True)\n"
        "training.train(plan(Path(sys.argv[1]), 500), [Path(sys.argv[2])], Told())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 3:
            break
    process.send_signal(signal.SIGINT)
    process.wait(60)
    state = checkpoints.read(tmp_path / checkpoints.CHECKPOINT)["state"]
    assert 3 <= state["step"] < 500


def test_a_print_is_embedded_the_same_in_colour_and_in_grey(folder: Path, tmp_path: Path) -> None:
    from imgsim.images.preprocess import prepare
    from imgsim.networks.embedding import Embedder

    trained = training.train(plan(tmp_path, 1), [folder])
    network = architectures.load(SMALL, str(trained.weights))
    grey = Image.open(folder / "03.png")
    embedder = Embedder({"m": network}, torch.device("cpu"))
    one, other = (
        embedder.embed([prepare("print", image)], ["m"])["m"]
        for image in (grey, grey.convert("RGB"))
    )
    assert np.allclose(one, other, atol=1e-6)
