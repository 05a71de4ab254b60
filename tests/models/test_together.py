"""Calls of many threads are made as one, and each gets its own answer."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from unmask.models import together
from unmask.models.errors import DeviceError
from unmask.models.together import Together


class Slow:
    """Doubles numbers; holds its first run up until it is let go."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.runs.append(list(asked))
        self.begun.set()
        assert self.go_on.wait(10)
        if 13 in asked:
            raise ValueError("thirteen")
        return [2 * number for number in asked]


def all_at_once(slow: Slow, gathered: Together[int, int], numbers: Sequence[int]) -> list[int | BaseException | None]:
    """The answers, or errors, when all numbers but the first are asked for during the first one's run."""
    with ThreadPoolExecutor(len(numbers)) as pool:
        calls = [pool.submit(gathered, numbers[0])]
        assert slow.begun.wait(10)
        calls += [pool.submit(gathered, number) for number in numbers[1:]]
        while len(gathered._waiting) < len(numbers) - 1:
            pass
        slow.go_on.set()
        return [call.exception(10) or call.result(10) for call in calls]


def test_what_is_asked_for_during_a_run_is_run_at_once_afterwards() -> None:
    slow = Slow()
    assert all_at_once(slow, Together(slow, 8), [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert [len(run) for run in slow.runs] == [1, 3]


def test_a_run_takes_no_more_than_it_may() -> None:
    slow = Slow()
    assert all_at_once(slow, Together(slow, 2), [1, 2, 3, 4, 5, 6]) == [2, 4, 6, 8, 10, 12]
    assert [len(run) for run in slow.runs] == [1, 2, 2, 1]


def test_an_error_reaches_the_callers_of_its_run_only() -> None:
    slow = Slow()
    first, *others = all_at_once(slow, Together(slow, 8), [1, 13, 3])
    assert first == 2
    assert [str(error) for error in others] == ["thirteen", "thirteen"]
    assert Together(slow, 8)(4) == 8


def test_too_few_answers_are_an_error_and_no_endless_wait() -> None:
    def short(asked: Sequence[int]) -> Sequence[int]:
        return asked[1:]

    with pytest.raises(ValueError, match="shorter"):
        Together(short, 4)(1)


def test_two_that_share_a_turn_do_not_run_at_the_same_time() -> None:
    turn, inside, most = threading.Lock(), threading.Semaphore(1), 50

    def run(asked: Sequence[int]) -> list[int]:
        assert inside.acquire(blocking=False)
        inside.release()
        return list(asked)

    first, second = Together(run, 4, turn), Together(run, 4, turn)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(first if n % 2 else second, n) for n in range(most)]
        assert [call.result(10) for call in calls] == list(range(most))


def test_a_run_that_does_not_end_is_told_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "TURN_TIMEOUT_S", 0.05)
    slow = Slow()
    gathered = Together(slow, 8)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(gathered, 1)
        assert slow.begun.wait(10)
        with pytest.raises(DeviceError, match="does not end"):
            gathered(2)
        slow.go_on.set()
        assert stuck.result(10) == 2
    assert gathered(3) == 6
    assert slow.runs == [[1], [3]]
