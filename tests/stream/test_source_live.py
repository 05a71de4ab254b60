"""Supervision: reconnecting, giving up, stalls and threads that hang."""

import asyncio
import random
import threading
from collections.abc import Generator

import pytest

from tests.fake_streams import LIMIT_S, States, captured, eventually, script, until_stopped
from unmask.pipeline.errors import EndOfStream, SourceError, SourceLost, SourceRefused
from unmask.pipeline.types import StreamState
from unmask.stream.source_base import Capture, Captured, Unusable
from unmask.stream.source_live import Backoff, LiveSource, Supervision

LOST = SourceLost("the camera has hung up", "connection_failed")
REFUSED = SourceRefused("no such stream", "not_found")
CONNECTING, LIVE = StreamState.CONNECTING, StreamState.LIVE
RECONNECTING, ENDED = StreamState.RECONNECTING, StreamState.ENDED


class Impatient(Backoff):
    """Never waits."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))

    def delay_s(self, error: SourceError, healthy_s: float) -> float:
        return 0.0


def open_live(capture: Capture, **supervision: float | bool) -> tuple[LiveSource, States]:
    """A source on this capture, and the list that its states go to."""
    states: States = []
    settings = Supervision(**supervision)  # type: ignore[arg-type]
    return LiveSource("test", capture, lambda *said: states.append(said), settings, Impatient()), states


async def test_a_source_that_was_never_started_closes() -> None:
    """Closing is harmless at any time, and twice."""
    source, states = open_live(script([]))

    await source.close()
    await source.close()

    assert states == []
    with pytest.raises(EndOfStream):
        await source.next_frame()


async def test_an_ended_camera_is_opened_again() -> None:
    """A live source never gives up by itself; its frames keep one numbering and growing times."""
    source, states = open_live(script([captured(1), LOST], [captured(2)], [captured(3), until_stopped]))

    await source.start()
    await eventually(lambda: states.count((LIVE, "")) == 3)
    frame = await source.next_frame()
    await source.close()

    assert [state for state, _ in states] == [CONNECTING, LIVE, RECONNECTING, LIVE, RECONNECTING, LIVE]
    assert states[2][1] == "connection_failed: the camera has hung up"
    assert source.stats.reconnects == 2
    assert frame.seq == 2
    assert source.stats.frames_in == 3


async def test_a_capture_that_ends_for_good_gives_its_last_frame_and_then_the_end() -> None:
    """Without reopening, an end is the end."""
    source, states = open_live(script([captured(1)]), reopen=False)

    await source.start()

    assert (await source.next_frame()).seq == 0
    with pytest.raises(EndOfStream):
        await source.next_frame()
    assert states[-1] == (ENDED, "")
    await source.close()


async def test_a_refusal_may_be_final() -> None:
    """A webcam that does not exist is not waited for."""
    source, states = open_live(script([REFUSED]), refusal_is_final=True)

    await source.start()

    with pytest.raises(SourceRefused, match="no such stream"):
        await source.next_frame()
    assert states[-1] == (ENDED, "not_found: no such stream")
    await source.close()


async def test_a_refusal_after_the_first_picture_is_not_final() -> None:
    """A webcam that was pulled out may come back."""
    source, states = open_live(
        script([captured(1), LOST], [REFUSED], [captured(2), until_stopped]), refusal_is_final=True
    )

    await source.start()
    await eventually(lambda: states.count((LIVE, "")) == 2)
    await source.close()

    assert [reason.partition(":")[0] for state, reason in states if state is RECONNECTING] == [
        "connection_failed",
        "not_found",
    ]


@pytest.mark.parametrize(("first", "code"), [([], "timeout"), ([captured(1)], "stalled")])
async def test_a_camera_that_goes_silent_is_opened_again(first: list[object], code: str) -> None:
    """Before the first picture it is a time-out, after it a stall."""
    source, states = open_live(
        script([*first, until_stopped], [captured(2), until_stopped]),  # type: ignore[list-item]
        open_s=0.05,
        stall_s=0.05,
    )

    await source.start()
    await eventually(lambda: any(state is RECONNECTING for state, _ in states))
    await source.close()

    assert next(reason for state, reason in states if state is RECONNECTING).startswith(f"{code}: ")


async def test_a_thread_that_hangs_is_replaced_and_what_it_still_reads_is_discarded() -> None:
    """A wedged read blocks neither the next attempt nor the end, and its late frame is never seen."""
    released = threading.Event()

    def hang(stop: threading.Event) -> None:
        released.wait(LIMIT_S)

    source, states = open_live(
        script([captured(1), hang, captured(2)], [captured(3), until_stopped]),
        stall_s=0.05,
        gone_s=0.05,
    )

    await source.start()
    await eventually(lambda: states.count((LIVE, "")) == 2)
    released.set()
    await source.close()

    assert source.stats.frames_in == 2


async def test_closing_ends_the_source_whatever_happens_at_that_moment() -> None:
    """A first picture, an end, a stall at the very moment of closing: no thread and no task stays."""
    for step in range(40):
        source, _ = open_live(script([captured(1)], [captured(2), until_stopped]), open_s=0.02, stall_s=0.02)
        await source.start()
        await asyncio.sleep(0.001 * step)
        async with asyncio.timeout(LIMIT_S):
            await source.close()

        assert not [task for task in asyncio.all_tasks() if "supervisor" in task.get_name()]
    assert not [thread for thread in threading.enumerate() if thread.name == "reader of test"]


async def test_unusable_pictures_are_counted_and_not_handed_on() -> None:
    """A broken picture has a number and a cause."""
    source, _ = open_live(script([Unusable("corrupt"), captured(1)]), reopen=False)

    await source.start()
    frame = await source.next_frame()
    await source.close()

    assert frame.seq == 1
    assert source.stats.frames_in == 2
    assert source.stats.dropped == {"corrupt": 1}


async def test_a_camera_that_sends_only_broken_pictures_is_not_live() -> None:
    """Nothing can be seen, so it is a time-out."""

    def broken(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        while not stop.wait(0.005):
            yield Unusable("corrupt")

    source, states = open_live(broken, open_s=0.1)

    await source.start()
    await eventually(lambda: any(state is RECONNECTING for state, _ in states))
    await source.close()

    assert (LIVE, "") not in states
    assert source.stats.frames_in == source.stats.dropped["corrupt"] > 0


def test_backoff_grows_to_ten_seconds_and_starts_over_after_a_healthy_time() -> None:
    """Many cameras that fail together do not come back together, and none is hammered."""
    backoff = Backoff(random.Random(1))

    first = [Backoff(random.Random(seed)).delay_s(LOST, 0.0) for seed in range(200)]
    delays = [backoff.delay_s(LOST, 0.0) for _ in range(50)]
    after_health = backoff.delay_s(LOST, 31.0)

    assert 0.4 < max(first) <= 0.5
    assert min(first) < 0.1
    assert 5.0 < max(delays) <= 10.0
    assert after_health <= 0.5


def test_a_refusal_goes_to_the_slow_lane() -> None:
    """Wrong credentials that are tried again soon lock cameras."""
    backoff = Backoff(random.Random(1))

    assert all(30.0 <= backoff.delay_s(REFUSED, 0.0) <= 60.0 for _ in range(20))
