"""Sessions: newest frame, exact accounting, honest ends."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest

from tests.fake_streams import (
    LIMIT_S,
    HandFedSource,
    ScriptedDetector,
    States,
    eventually,
    frame,
    verdict,
)
from unmask.models.engine import Engine
from unmask.models.errors import BusyError
from unmask.pipeline.errors import SourceLost
from unmask.pipeline.ladder import Ladder
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.session import StreamSession
from unmask.stream.session_stats import Pace, SessionStats


class IdleEngine:
    """Scores nothing; remembers which streams it was told to forget."""

    stats = None

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def forget(self, stream: str) -> None:
        self.forgotten.append(stream)


Heard = list[tuple[Frame, list[Verdict]]]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """One worker."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def session_of(
    source: HandFedSource,
    detector: ScriptedDetector,
    executor: ThreadPoolExecutor,
    ladder: Ladder | None = None,
    engine: IdleEngine | None = None,
) -> tuple[StreamSession, Heard, States]:
    """A session that tells two lists."""
    heard: Heard = []
    states: States = []
    session = StreamSession(
        "test",
        source,
        cast(Engine, engine or IdleEngine()),
        on_verdicts=lambda *said: heard.append(said),
        on_state=lambda *said: states.append(said),
        executor=executor,
        detector=detector,
        ladder=ladder,
    )
    return session, heard, states


def adds_up(stats: SessionStats) -> bool:
    """Every frame is somewhere, once."""
    total = stats.analyzed + stats.dropped.total() + stats.in_flight + stats.pending
    return stats.frames_in == total and stats.pending >= 0


def all_settled(stats: SessionStats) -> bool:
    """Every frame was judged or dropped."""
    return adds_up(stats) and stats.in_flight == stats.pending == 0


async def test_a_source_that_ends_at_once_ends_the_session(executor: ThreadPoolExecutor) -> None:
    """No frame: no verdict, no error, the source closed, the end told once."""
    source = HandFedSource()
    session, heard, states = session_of(source, ScriptedDetector(), executor)
    source.mailbox.close()

    await asyncio.wait_for(session.run(), LIMIT_S)

    assert heard == []
    assert states == [(StreamState.CONNECTING, ""), (StreamState.ENDED, "")]
    assert source.closed == 1
    assert session.stats.frames_in == 0
    assert session.stats.p95_ms is None


async def test_the_newest_frame_is_judged_and_the_others_are_superseded(executor: ThreadPoolExecutor) -> None:
    """While one frame is judged ten come: the last of them is next."""
    judging, go_on = threading.Event(), threading.Event()

    def answer(newest: Frame) -> list[Verdict]:
        judging.set()
        go_on.wait(LIMIT_S)
        return [verdict(newest.seq)]

    source, detector = HandFedSource(), ScriptedDetector(answer)
    session, heard, states = session_of(source, detector, executor)
    running = asyncio.create_task(session.run())
    source.mailbox.put(frame(0))
    await eventually(judging.is_set)
    for seq in range(1, 11):
        source.mailbox.put(frame(seq))
        await asyncio.sleep(0.002)
        assert adds_up(session.stats)
    assert session.stats.in_flight == 1
    go_on.set()
    await eventually(lambda: len(heard) == 2)
    source.mailbox.close()
    await asyncio.wait_for(running, LIMIT_S)

    assert detector.seen == [0, 10]
    assert session.stats.dropped == {"superseded": 9}
    assert all_settled(session.stats)
    assert (StreamState.LIVE, "") in states


async def test_verdicts_carry_the_times_of_every_stage(executor: ThreadPoolExecutor) -> None:
    """What the detector measured stays; arrival to verdict is added."""
    source = HandFedSource()
    session, heard, _ = session_of(source, ScriptedDetector(), executor)
    running = asyncio.create_task(session.run())
    source.mailbox.put(frame(0, age_s=0.1))
    await eventually(lambda: bool(heard))
    source.mailbox.close()
    await asyncio.wait_for(running, LIMIT_S)

    times = heard[0][1][0].timing_ms
    assert set(times) == {"infer", "decode", "queue", "total"}
    assert times["infer"] == 1.0
    assert times["total"] >= 100.0
    assert session.stats.p50_ms == pytest.approx(times["total"])


@pytest.mark.parametrize(("live", "dropped"), [(True, {"stale": 1}), (False, {})])
async def test_an_old_frame_is_never_judged_on_a_live_source(
    live: bool, dropped: dict[str, int], executor: ThreadPoolExecutor
) -> None:
    """Older than 200 ms; a file's frames do not age."""
    source, detector = HandFedSource(live), ScriptedDetector()
    session, _, _ = session_of(source, detector, executor)
    source.mailbox.put(frame(0, age_s=0.5))
    source.mailbox.close()

    await asyncio.wait_for(session.run(), LIMIT_S)

    assert session.stats.dropped == dropped
    assert detector.seen == ([] if live else [0])
    assert all_settled(session.stats)


async def test_black_pictures_are_counted_and_never_judged(executor: ThreadPoolExecutor) -> None:
    """No signal, no verdict."""
    source, detector = HandFedSource(), ScriptedDetector()
    session, _, _ = session_of(source, detector, executor)
    source.mailbox.put(frame(0, image_rgb=np.zeros((48, 64, 3), np.uint8)))
    source.mailbox.close()

    await asyncio.wait_for(session.run(), LIMIT_S)

    assert detector.seen == []
    assert session.stats.dropped == {"no_signal": 1}


async def test_frames_without_a_face_are_reported_and_soon_said(executor: ThreadPoolExecutor) -> None:
    """The listener hears of the empty frame; after a second the state says so."""
    source = HandFedSource()
    session, heard, states = session_of(source, ScriptedDetector(lambda newest: []), executor)
    running = asyncio.create_task(session.run())
    source.mailbox.put(frame(0))
    await eventually(lambda: (StreamState.NO_FACE, "") in states)
    source.mailbox.close()
    await asyncio.wait_for(running, LIMIT_S)

    assert [verdicts for _, verdicts in heard] == [[]]
    assert session.stats.with_face == 0
    assert session.stats.analyzed == 1


async def test_a_source_that_gives_up_is_the_sessions_error(executor: ThreadPoolExecutor) -> None:
    """The reason is told with the end, and raised."""
    source = HandFedSource()
    session, _, states = session_of(source, ScriptedDetector(), executor)
    source.mailbox.close(SourceLost("the camera is gone", "device_unavailable"))

    with pytest.raises(SourceLost):
        await asyncio.wait_for(session.run(), LIMIT_S)

    assert states[-1] == (StreamState.ENDED, "device_unavailable: the camera is gone")
    assert source.closed == 1


async def test_a_detector_that_fails_ends_the_session_without_a_verdict(executor: ThreadPoolExecutor) -> None:
    """A failure is never a score: it is counted and raised."""

    def answer(newest: Frame) -> list[Verdict]:
        raise RuntimeError("out of memory")

    source = HandFedSource()
    session, heard, states = session_of(source, ScriptedDetector(answer), executor)
    source.mailbox.put(frame(0))

    with pytest.raises(RuntimeError, match="out of memory"):
        await asyncio.wait_for(session.run(), LIMIT_S)

    assert heard == []
    assert session.stats.dropped == {"failed": 1}
    assert all_settled(session.stats)
    assert states[-1][0] is StreamState.ENDED


async def test_a_cancelled_session_settles_the_frame_in_flight(executor: ThreadPoolExecutor) -> None:
    """The worker finishes in peace; its verdict is dropped, once, and nothing is left running."""
    judging, go_on = threading.Event(), threading.Event()

    def answer(newest: Frame) -> list[Verdict]:
        judging.set()
        go_on.wait(LIMIT_S)
        return [verdict(newest.seq)]

    source = HandFedSource()
    engine = IdleEngine()
    session, heard, _ = session_of(source, ScriptedDetector(answer), executor, engine=engine)
    running = asyncio.create_task(session.run())
    source.mailbox.put(frame(0))
    await eventually(judging.is_set)
    source.mailbox.put(frame(1))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()
    executor.shutdown()

    assert heard == []
    assert session.stats.dropped["cancelled"] == 1
    assert all_settled(session.stats)
    assert source.closed == 1
    assert engine.forgotten == ["test"]


async def test_a_busy_engine_costs_the_frame_and_not_the_stream(executor: ThreadPoolExecutor) -> None:
    def answer(newest: Frame) -> list[Verdict]:
        if newest.seq == 0:
            raise BusyError("64 requests wait for the networks already")
        return [verdict(newest.seq)]

    source = HandFedSource()
    session, heard, _ = session_of(source, ScriptedDetector(answer), executor)
    running = asyncio.create_task(session.run())
    source.mailbox.put(frame(0))
    await eventually(lambda: session.stats.dropped["busy"] == 1)
    source.mailbox.put(frame(1))
    await eventually(lambda: session.stats.analyzed == 1)
    source.mailbox.close()
    await asyncio.wait_for(running, LIMIT_S)

    assert [said.seq for said, _ in heard] == [1]
    assert all_settled(session.stats)


async def test_the_lowest_rate_lets_newer_frames_replace_the_one_that_waits(executor: ThreadPoolExecutor) -> None:
    source = HandFedSource()
    session, heard, _ = session_of(source, ScriptedDetector(), executor, Ladder(fixed=3))
    running = asyncio.create_task(session.run())
    for seq in range(40):
        source.mailbox.put(frame(seq))
        await asyncio.sleep(0.02)
    source.mailbox.close()
    await asyncio.wait_for(running, LIMIT_S)

    assert 2 <= len(heard) <= session.stats.dropped["superseded"] / 2
    assert all_settled(session.stats)


async def test_sessions_on_one_worker_take_turns(executor: ThreadPoolExecutor) -> None:
    """Two streams, one worker, more frames than it can judge: neither starves."""
    sources = [HandFedSource(), HandFedSource()]
    detectors = [ScriptedDetector(), ScriptedDetector()]
    sessions = [session_of(s, d, executor)[0] for s, d in zip(sources, detectors, strict=True)]
    running = [asyncio.create_task(session.run()) for session in sessions]
    for seq in range(100):
        for source in sources:
            source.mailbox.put(frame(seq))
        await asyncio.sleep(0.001)
    await eventually(lambda: all(d.seen and d.seen[-1] == 99 for d in detectors))
    for source in sources:
        source.mailbox.close()
    await asyncio.wait_for(asyncio.gather(*running), LIMIT_S)

    assert all(all_settled(session.stats) for session in sessions)
    assert min(len(d.seen) for d in detectors) > max(len(d.seen) for d in detectors) / 2


def test_rate_and_latency_are_told_over_a_bounded_window() -> None:
    """Nothing at first; then the newest seconds only."""
    pace = Pace()
    assert pace.latency_ms() == (None, None)
    assert pace.fps(0.0) == 0.0

    for index in range(100):
        pace.judged(10.0 + index * 0.1, None if index % 2 else 40.0)

    assert pace.latency_ms() == (40.0, 40.0)
    assert pace.fps(20.0) == pytest.approx(10.0, abs=0.3)
    assert pace.fps(60.0) == 0.0
