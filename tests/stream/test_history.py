"""The history: chapters of faces and streams, bounded, with a picture of the strongest moment."""

from dataclasses import replace

import numpy as np

from tests.fake_streams import frame
from tests.stream.serving import make_verdict
from unmask.pipeline.types import Frame, StreamState, Verdict, VerdictState
from unmask.stream.history import MOST_OF_A_STREAM, History, face_jpeg

MANIPULATED, AUTHENTIC = VerdictState.MANIPULATED, VerdictState.AUTHENTIC
PICTURE = np.full((120, 160, 3), 90, np.uint8)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def told(clock: Clock, history: History, *moments: tuple[float, Verdict]) -> None:
    """Tells a history verdicts at these seconds."""
    for at_s, verdict in moments:
        clock.now_s = 100.0 + at_s
        history.verdicts(frame(verdict.seq, image_rgb=PICTURE), [verdict])


def everything(_: str) -> bool:
    """The rights of an administrator."""
    return True


def test_empty_history_finds_nothing() -> None:
    history = History()
    assert history.find(everything) == [] and history.picture(1, everything) is None


def test_chapter_lasts_from_change_to_change_and_ends_when_the_face_is_gone() -> None:
    clock = Clock()
    history = History(clock=clock)
    told(
        clock,
        history,
        (0.0, make_verdict(state=VerdictState.WARMING)),
        (1.0, make_verdict(state=AUTHENTIC, p_fake=0.2)),
        (2.5, make_verdict(state=AUTHENTIC, p_fake=0.3)),
        (4.0, make_verdict(state=MANIPULATED, p_fake=0.9)),
        (5.0, make_verdict(state=MANIPULATED, p_fake=0.8)),
    )
    alarm, calm = history.find(everything)
    assert (calm["state"], calm["duration_s"], calm["p_highest"]) == ("authentic", 3.0, 0.3)
    assert (alarm["state"], alarm["until"], alarm["p_highest"], alarm["track"]) == ("manipulated", None, 0.9, 1)
    clock.now_s = 200.0
    alarm = history.find(everything)[0]
    assert alarm["until"] is not None and alarm["duration_s"] == 1.0


def test_face_that_comes_back_begins_a_new_chapter() -> None:
    clock = Clock()
    history = History(clock=clock)
    told(clock, history, (0.0, make_verdict()), (0.5, make_verdict()), (60.0, make_verdict()))
    assert [entry["duration_s"] for entry in history.find(everything)] == [0.0, 0.5]


def test_filters_and_pages() -> None:
    clock = Clock()
    history = History(clock=clock)
    history.state("door", StreamState.LIVE, "")
    history.state("door", StreamState.NO_FACE, "")
    told(clock, history, (0.0, make_verdict("door")), (1.0, make_verdict("yard", state=MANIPULATED)))
    assert [entry["id"] for entry in history.find(everything)] == [3, 2, 1]
    assert [entry["id"] for entry in history.find(everything, stream="door")] == [2, 1]
    assert [entry["id"] for entry in history.find(everything, states=("manipulated", "suspicious"))] == [3]
    assert [entry["kind"] for entry in history.find(everything, kind="stream")] == ["stream"]
    assert [entry["id"] for entry in history.find(everything, before=3, limit=1)] == [2]
    assert [entry["stream"] for entry in history.find(lambda stream: stream == "yard")] == ["yard"]
    assert history.picture(3, lambda stream: stream == "door") is None


def test_alarms_outlive_a_flood_of_other_chapters() -> None:
    clock = Clock()
    history = History(clock=clock)
    told(clock, history, (0.0, make_verdict(track=1, state=MANIPULATED)))
    told(clock, history, *((1.0, make_verdict(track=2 + index)) for index in range(MOST_OF_A_STREAM + 9)))
    found = history.find(everything, limit=10_000)
    assert len(found) == MOST_OF_A_STREAM and found[-1]["state"] == "manipulated"
    assert history.dropped["stream_full"] == 10


def test_picture_shows_the_strongest_moment_and_can_be_left_out() -> None:
    clock = Clock()
    history = History(clock=clock)
    dark, bright = np.zeros_like(PICTURE), np.full_like(PICTURE, 250)

    def at(second: float, image_rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], p_fake: float) -> bytes | None:
        clock.now_s = 100.0 + second
        verdict = make_verdict(state=MANIPULATED, p_fake=p_fake)
        history.verdicts(frame(0, image_rgb=image_rgb), [verdict])
        return history.picture(1, everything)

    first = at(0.0, dark, 0.8)
    assert first is not None and first[:3] == b"\xff\xd8\xff"
    assert at(0.2, bright, 0.99) == first and at(1.9, bright, 0.81) == first
    assert at(3.0, bright, 0.95) != first
    silent = History(pictures=False)
    silent.verdicts(frame(0, image_rgb=PICTURE), [make_verdict()])
    assert silent.find(everything)[0]["picture"] is False


def test_face_outside_the_picture_has_no_jpeg() -> None:
    assert face_jpeg(Frame(PICTURE, 0.0, 0.0, 0.0, "x", 0), (2.0, 2.0, 2.5, 2.5)) is None
    verdict = replace(make_verdict(), box_xyxy=(-1.0, -1.0, -0.5, -0.5))
    assert face_jpeg(Frame(PICTURE, 0.0, 0.0, 0.0, "x", 0), verdict.box_xyxy) is None


def test_forgotten_stream_leaves_nothing() -> None:
    history = History()
    history.verdicts(frame(0, image_rgb=PICTURE), [make_verdict("cam")])
    history.state("cam", StreamState.LIVE, "")
    history.forget("cam")
    assert history.find(everything) == [] and history.picture(1, everything) is None
