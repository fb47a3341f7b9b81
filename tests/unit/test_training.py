"""What a training is made of: the loss, the order of the pictures, the simulated impressions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from imgsim.demo import plates
from imgsim.networks import bundled
from imgsim.networks.training import gathering, objective
from imgsim.networks.training.impressions import Press, Surroundings
from imgsim.networks.training.schedule import GROWING, Schedule

CPU = torch.device("cpu")


def units(n: int, dimension: int, seed: int = 0) -> torch.Tensor:
    lots = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(n, dimension, generator=lots), dim=1)


def test_attraction_is_the_cross_entropy_of_the_other_impression_among_all_others() -> None:
    one, other = units(5, 8, 1), units(5, 8, 2)
    both = torch.cat([one, other]).double().numpy()
    losses = []
    for i in range(10):
        cosines = {j: math.exp(float(both[i] @ both[j]) / 0.1) for j in range(10) if j != i}
        losses.append(-math.log(cosines[(i + 5) % 10] / sum(cosines.values())))
    assert float(objective.attraction(one, other, 0.1)) == pytest.approx(np.mean(losses), rel=1e-5)


def test_attraction_is_least_where_impressions_agree_and_pictures_differ() -> None:
    apart = torch.eye(6)
    assert objective.attraction(apart, apart, 0.07) < 1e-4
    assert objective.attraction(apart, apart.roll(1, 0), 0.07) > 10


def test_spreading_falls_as_nearest_pictures_part_and_never_splits_equal_ones() -> None:
    near = functional.normalize(torch.tensor([[1.0, 0.3], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    nearer = functional.normalize(torch.tensor([[1.0, 0.2], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    assert objective.spreading(near) < objective.spreading(nearer)
    equal = torch.ones(3, 2, requires_grad=True)
    objective.spreading(functional.normalize(equal, dim=1)).backward()  # type: ignore[no-untyped-call]
    assert equal.grad is not None
    assert bool((equal.grad == 0).all())


def test_a_student_that_sees_as_its_teacher_has_learnt_all_it_can() -> None:
    teacher = units(12, 16)
    turned = teacher @ torch.linalg.qr(torch.randn(16, 16))[0]
    same = objective.distillation(turned, teacher, 0.1)
    assert same == pytest.approx(float(objective.distillation(teacher, teacher, 0.1)), rel=1e-4)
    assert same < objective.distillation(units(12, 16, 3), teacher, 0.1)


def schedule(pictures: int = 100, batch: int = 16, steps: int = 60, seed: int = 0) -> Schedule:
    sizes = np.random.default_rng(5).integers(40, 192, (pictures, 2)).astype(np.int16)
    return Schedule(sizes, batch, steps, (64, 96, 128), 1e-3, seed)


@settings(deadline=None)
@given(st.integers(8, 300), st.integers(4, 64), st.integers(0, 5))
def test_an_epoch_meets_every_picture_once_but_for_what_no_batch_is_left_for(
    count: int, batch: int, epoch: int
) -> None:
    plan = schedule(count, batch, 10_000)
    steps = [plan.step(epoch * plan.in_epoch + place) for place in range(plan.in_epoch)]
    met = np.concatenate([step.pictures for step in steps])
    assert len(set(met.tolist())) == len(met) == min(count, plan.in_epoch * batch)


def test_a_step_is_the_same_whenever_it_is_taken_and_another_with_another_seed() -> None:
    first, again, other = schedule().step(17), schedule().step(17), schedule(seed=1).step(17)
    assert (first.pictures == again.pictures).all()
    assert first.shape == again.shape
    assert set(first.pictures.tolist()) != set(other.pictures.tolist())


def test_impressions_grow_and_the_rate_rises_and_falls_to_nothing() -> None:
    plan = schedule(steps=1000)
    assert [plan.side(int(share * 1000) - 1) for share in GROWING] == [64, 96, 128]
    rates = [plan.step(number).rate for number in range(1000)]
    top = int(np.argmax(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(1e-3, rel=0.01)
    assert rates[-1] < 1e-8


def ink(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    squares = [gathering.squared(plates.draw(n, (160, 240))) for n in range(count)]
    stacked = torch.from_numpy(np.stack([s.ink for s in squares]))
    return stacked, torch.tensor([s.size for s in squares])


@pytest.fixture(scope="module")
def around() -> Surroundings:
    return Surroundings.drawn(gathering.SIDE, 0, CPU)


def test_impressions_are_ink_between_paper_and_black_the_same_for_the_same_lots(
    around: Surroundings,
) -> None:
    squares, sizes = ink()
    made = [
        Press(around).impressions(squares, sizes, (96, 64), torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert made[0].shape == (6, 1, 96, 64)
    assert bool(((made[0] >= 0) & (made[0] <= 1)).all())
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_an_impression_is_more_like_its_own_picture_than_like_others(around: Surroundings) -> None:
    """By plain correlation of the pixels: were the geometry wrong, nothing would be alike."""
    squares, sizes = ink(12)
    blank = Surroundings(around.texts[:1] * 0, around.marks[:1] * 0)
    lots = torch.Generator().manual_seed(0)
    found = []
    for _ in range(20):
        made = Press(blank).impressions(squares, sizes, (96, 64), lots)
        plain = functional.interpolate(
            torch.stack([_cut(s, size) for s, size in zip(squares, sizes, strict=True)]), (96, 64)
        )
        rough = [functional.avg_pool2d(side, 8).flatten(1) for side in (made, plain)]
        left, right = (functional.normalize(side - side.mean(0), dim=1) for side in rough)
        found.append((left @ right.T).argmax(1) == torch.arange(12))
    assert torch.stack(found).float().mean() > 0.5  # by chance 0.08


def _cut(square: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    height, width = size.tolist()
    top, left = (len(square) - height) // 2, (len(square) - width) // 2
    cut = square[top : top + height, left : left + width].float()[None, None] / 255
    return functional.interpolate(cut, (96, 64), mode="bilinear")[0]


def test_reversed_impressions_are_made_only_where_they_are_asked_for(around: Surroundings) -> None:
    half = torch.zeros(64, gathering.SIDE, gathering.SIDE, dtype=torch.uint8)
    half[:, :, : gathering.SIDE // 2] = 255
    sizes = torch.full((64, 2), gathering.SIDE)
    lots = torch.Generator().manual_seed(0)
    for mirror, expected in ((False, 0.0), (True, 0.5)):
        made = Press(around, mirror).impressions(half, sizes, (64, 64), lots)
        left, right = made[..., :32].mean((1, 2, 3)), made[..., 32:].mean((1, 2, 3))
        assert float((left < right).float().mean()) == pytest.approx(expected, abs=0.2)


def test_packed_weights_are_a_fourth_as_large_and_hardly_differ() -> None:
    lots = torch.Generator().manual_seed(0)
    state = {
        "conv.weight": torch.randn(64, 32, 3, 3, generator=lots) * torch.rand(64, 1, 1, 1),
        "bn.weight": torch.rand(64, generator=lots),
        "bn.num_batches_tracked": torch.tensor(7),
        "dead.weight": torch.zeros(4, 3, 1, 1),
    }
    kept = bundled.packed(state)
    assert kept["conv.weight"].dtype == torch.int8
    whole = bundled.unpacked(kept)
    assert set(whole) == set(state)
    assert torch.equal(whole["bn.weight"], state["bn.weight"])
    assert torch.equal(whole["dead.weight"], state["dead.weight"])
    furthest = (whole["conv.weight"] - state["conv.weight"]).flatten(1).abs().amax(1)
    largest = state["conv.weight"].flatten(1).abs().amax(1)
    assert bool((furthest <= largest / 127 * 0.6 + 1e-4).all())
    again = bundled.unpacked(bundled.packed(whole))
    assert torch.allclose(again["conv.weight"], whole["conv.weight"], rtol=2e-3, atol=1e-6)


def test_a_picture_is_squared_with_its_paper_white_and_its_margins_off() -> None:
    page = Image.new("L", (400, 300), 200)
    page.paste(90, (150, 100, 250, 180))
    square = gathering.squared(page)
    height, width = square.size
    assert max(square.size) == gathering.SIDE
    assert width / height == pytest.approx(100 / 80, rel=0.1)
    assert square.ink.max() == 255
    assert square.ink[0, 0] == 0
