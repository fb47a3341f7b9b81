"""A picture larger than the usual limit, taken in by option, is asked about like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Answer

pytestmark = pytest.mark.slow

SIDE = 16_400
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained", "--preprocess", "crop")


def test_what_was_taken_in_above_the_limit_is_verified_drawn_and_found(
    imgsim: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of some hundred kilobytes, of 269 megapixels each; and one too long for Pillow."""
    monkeypatch.chdir(tmp_path)
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in (1, 2):
        noise = np.random.default_rng(number).integers(0, 2, (41, 41), dtype=np.uint8)
        drawn = np.kron(noise, np.ones((SIDE // 41, SIDE // 41), np.uint8)) * 255
        Image.fromarray(drawn).convert("1").save(scans / f"{number}.png")
    long = Image.new("1", (3_400, 60_000), 1)
    long.paste(0, (1_000, 29_000, 2_000, 31_000))
    long.save(scans / "long.png")
    refused = imgsim("ingest", scans, *FAST)
    assert refused.code == 3
    assert "2 too large" in refused.err
    assert imgsim("ingest", scans, "--max-megapixels", 300).code == 0
    for command in (
        ("similar", "1"),
        ("similar", scans / "1.png"),
        ("verify", "1", "2"),
        ("plot", "grid", "1"),
        ("plot", "overlay", "1", "2"),
    ):
        answer = imgsim(*command)
        assert answer.code == 0, answer
        assert "too large" not in answer.out + answer.err
        assert "cannot be read" not in answer.out + answer.err
