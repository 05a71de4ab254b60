"""What is said of a stream, from its source's reports and its pictures."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fake_streams import noise_rgb
from unmask.pipeline.types import StreamState
from unmask.stream.picture_signal import StreamSignal

BLACK = np.full((48, 64, 3), 4, np.uint8)
GREY_WALL = np.full((48, 64, 3), 90, np.uint8)


def play(signal: StreamSignal, pictures: list[NDArray[np.uint8]], start_s: float = 100.0, step_s: float = 0.5) -> float:
    """Shows pictures two a second; gives back the time of the last."""
    for index, picture in enumerate(pictures):
        signal.picture(picture, start_s + index * step_s)
        signal.tick(start_s + index * step_s)
    return start_s + (len(pictures) - 1) * step_s


def test_before_anything_is_known_a_stream_is_connecting() -> None:
    """Time alone changes nothing."""
    signal = StreamSignal()

    assert signal.tick(1000.0) is False
    assert signal.state is StreamState.CONNECTING


def test_a_picture_makes_a_stream_live_also_after_a_reconnect() -> None:
    """Whoever sends pictures is connected."""
    signal = StreamSignal()
    signal.source_said(StreamState.RECONNECTING, "stalled: no picture", 99.0)

    play(signal, [noise_rgb(1)])

    assert (signal.state, signal.reason) == (StreamState.LIVE, "")


@pytest.mark.parametrize(
    ("picture", "pictures", "reason"), [(BLACK, 3, "black"), (GREY_WALL, 8, "frozen"), (noise_rgb(5), 8, "frozen")]
)
def test_a_black_or_frozen_picture_is_no_signal(picture: NDArray[np.uint8], pictures: int, reason: str) -> None:
    """After a second of black and three of the very same picture; the next real picture ends it."""
    signal = StreamSignal()

    at_s = play(signal, [picture] * pictures)
    assert (signal.state, signal.reason) == (StreamState.NO_SIGNAL, reason)

    assert signal.picture(noise_rgb(77), at_s + 0.5) is True
    signal.tick(at_s + 0.5)
    assert signal.state is StreamState.LIVE


def test_black_pictures_are_never_judged_and_frozen_ones_not_for_long() -> None:
    """A lost camera that sends black must not get a verdict."""
    signal = StreamSignal()

    assert signal.picture(BLACK, 10.0) is False
    assert [signal.picture(GREY_WALL, 20.0 + second) for second in range(5)] == [True, True, True, True, False]


def test_silence_is_no_signal_and_a_report_of_the_source_replaces_it() -> None:
    """Three seconds without a picture."""
    signal = StreamSignal()
    at_s = play(signal, [noise_rgb(1)])

    assert signal.tick(at_s + 2.9) is False
    assert signal.tick(at_s + 3.0) is True
    assert (signal.state, signal.reason) == (StreamState.NO_SIGNAL, "no_pictures")
    assert signal.source_said(StreamState.RECONNECTING, "stalled: gone", at_s + 3.1) is True
    assert (signal.state, signal.reason) == (StreamState.RECONNECTING, "stalled: gone")


def test_no_face_is_said_after_a_second_and_taken_back_at_once() -> None:
    """A glance away is not news."""
    signal = StreamSignal()
    at_s = play(signal, [noise_rgb(1)])

    signal.faces(False, at_s)
    assert signal.tick(at_s + 0.9) is False
    assert signal.tick(at_s + 1.0) is True
    told = [signal.state]
    signal.faces(True, at_s + 1.1)
    assert signal.tick(at_s + 1.1) is True
    assert [*told, signal.state] == [StreamState.NO_FACE, StreamState.LIVE]


def test_the_end_stays_the_end() -> None:
    """A frame that was still under way does not revive a stream."""
    signal = StreamSignal()
    signal.source_said(StreamState.ENDED, "", 10.0)

    play(signal, [noise_rgb(1)])

    assert signal.state is StreamState.ENDED
