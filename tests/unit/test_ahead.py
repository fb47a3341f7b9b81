"""A stage that runs ahead keeps to its room, pauses, ends when told, and hands its errors on."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from imgsim.ingest.ahead import Ahead


class Numbers:
    """0, 1, 2, …, and how far they have been counted; whether the generator was closed, where."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.reached = -1
        self.closed_in: str | None = None
        self._fail_at = fail_at

    def items(self, count: int) -> Generator[int]:
        try:
            for number in range(count):
                if number == self._fail_at:
                    raise LookupError("the disk is gone")
                self.reached = number
                yield number
        finally:
            self.closed_in = threading.current_thread().name


def settled(numbers: Numbers) -> int:
    """How far it counts when nobody takes anything more."""
    before = -2
    while numbers.reached != before:
        before = numbers.reached
        time.sleep(0.1)
    return before


def test_everything_arrives_in_order() -> None:
    assert list(Ahead(Numbers().items(1000), "counting", room=3)) == list(range(1000))


def test_no_more_is_made_than_there_is_room_for() -> None:
    numbers = Numbers()
    ahead = Ahead(numbers.items(1000), "counting", room=5)
    taken = iter(ahead)
    assert settled(numbers) == 5  # five wait, and the sixth has no room
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    assert settled(numbers) == 8
    ahead.stop()
    ahead.join()


def test_an_error_is_raised_where_the_items_are_taken() -> None:
    ahead = Ahead(Numbers(fail_at=2).items(9), "counting", room=9)
    taken = iter(ahead)
    assert [next(taken), next(taken)] == [0, 1]
    with pytest.raises(LookupError, match="disk is gone"):
        next(taken)


def test_it_goes_on_after_a_pause_only_when_told() -> None:
    numbers = Numbers()
    ahead = Ahead(numbers.items(9), "counting", room=9, pauses=lambda number: number == 4)
    taken = iter(ahead)
    assert [next(taken) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert settled(numbers) == 4
    ahead.resume()
    assert list(taken) == [5, 6, 7, 8]


@pytest.mark.parametrize("pause", [0, 99])
def test_stopped_it_closes_the_generator_in_its_own_thread(pause: int) -> None:
    numbers = Numbers()
    ahead = Ahead(numbers.items(1000), "counting", room=2, pauses=lambda number: number == pause)
    settled(numbers)
    ahead.stop()
    ahead.join()
    assert numbers.closed_in == "counting"
    assert numbers.reached < 5
