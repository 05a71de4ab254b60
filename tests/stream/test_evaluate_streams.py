"""Streams of an evaluation: what is paired, spliced, played and taken over from an earlier run."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.stream.serving import make_verdict
from unmask.pipeline.errors import InputError
from unmask.pipeline.types import Frame, Verdict, VerdictState
from unmask.stream.evaluate_journal import Journal
from unmask.stream.evaluate_streams import find_pairs, looped, run_streams, stream_rows
from unmask.stream.labels import LabelledFile

GENUINE_GREY, FAKE_GREY = 60, 200


class BrightIsForged:
    """Says that bright pictures are manipulated and dark ones authentic."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    def step(self, frame: Frame) -> list[Verdict]:
        """One face in every frame."""
        bright = frame.image_rgb.mean() > (GENUINE_GREY + FAKE_GREY) / 2
        return [make_verdict(self.stream, state=VerdictState.MANIPULATED if bright else VerdictState.AUTHENTIC)]


def write_clip(path: Path, grey: int, seconds: float) -> Path:
    """A grey video of 64 x 64 pixels, 10 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"threads": "1"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(int(seconds * 10)):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


@pytest.fixture
def rows(tmp_path: Path) -> list[LabelledFile]:
    """A genuine clip of 4 s and a fake of 2 s of the same person."""
    return [
        LabelledFile(
            "real", write_clip(tmp_path / "real.mp4", GENUINE_GREY, 4), False, group="a", dataset="D originals"
        ),
        LabelledFile("fake", write_clip(tmp_path / "fake.mp4", FAKE_GREY, 2), True, "swap", "D", "a"),
    ]


def journal(tmp_path: Path, run: str = "run") -> Journal:
    return Journal(tmp_path / "streams.jsonl", run)


def nobody(_: str) -> BrightIsForged:
    raise AssertionError("nothing should be played again")


def test_nothing_genuine_and_nothing_readable_is_an_input_error(tmp_path: Path) -> None:
    """There would be no figure at all."""
    absent = LabelledFile("absent", tmp_path / "absent.mp4", False)
    for rows in ([], [absent]):
        with pytest.raises(InputError, match="no stream could be played"):
            run_streams(rows, BrightIsForged, journal(tmp_path))


def test_a_folder_is_genuine_clips_and_an_empty_one_an_input_error(tmp_path: Path) -> None:
    """Other files are passed over."""
    with pytest.raises(InputError, match="holds no video"):
        stream_rows(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "A.MP4").touch()
    (tmp_path / "notes.txt").touch()

    assert [(row.path, row.fake, row.kind) for row in stream_rows(tmp_path)] == [("sub/A.MP4", False, "video")]


def test_a_fake_is_paired_with_the_genuine_video_of_its_group_and_dataset() -> None:
    """The same person in another dataset, other people and pictures are no pair."""

    def row(path: str, fake: bool, group: str, dataset: str, kind: str = "video") -> LabelledFile:
        return LabelledFile(path, Path(path), fake, dataset=dataset, group=group, kind=kind)

    rows = [
        row("real c23", False, "a", "Faces originals c23"),
        row("real c40", False, "a", "Faces originals c40"),
        row("swap", True, "a", "Faces c40"),
        row("puppet", True, "a", "Faces c40"),
        row("other", True, "b", "Faces c40"),
        row("picture", True, "a", "Faces c40", "image"),
    ]

    assert [pair.key for pair in find_pairs(rows)] == ["swap into real c40", "puppet into real c40"]
    assert find_pairs([]) == []


def test_a_short_clip_is_shown_from_its_place_and_over_again(rows: list[LabelledFile]) -> None:
    """For exactly the asked-for time, on the asked-for clock."""
    times_s = [frame.pts_s for frame in looped(rows[1].file, 1.5, 3.0, 10.0)]

    assert len(times_s) == 30
    assert times_s == pytest.approx([10 + index / 10 for index in range(30)], abs=1e-3)


def test_a_place_beyond_the_end_is_the_start(rows: list[LabelledFile]) -> None:
    """It ends, too."""
    assert len(list(looped(rows[1].file, 99.0, 0.5, 0.0))) == 5


def test_a_swap_is_timed_from_its_start_and_cleared_after_its_end(rows: list[LabelledFile], tmp_path: Path) -> None:
    """3 s of the genuine clip, the fake repeated to 6 s, 10 s of the genuine clip."""
    found = run_streams(rows, BrightIsForged, journal(tmp_path))
    genuine, swaps, pair = found["genuine"], found["swaps"], found["pairs"][0]

    assert (genuine["clips"], genuine["alarms"]["manipulated"]["count"], genuine["coverage"]) == (1, 0, 1.0)
    assert genuine["hours"] == pytest.approx(4 / 3600, abs=1e-4)
    assert (pair["swap_s"], pair["swap_end_s"], pair["method"]) == (3.0, 9.0, "swap")
    assert pair["segments"][-1][1] == pytest.approx(19.0, abs=0.11)
    assert swaps["manipulated"]["share_caught"] == 1.0
    assert swaps["manipulated"]["seconds"]["median"] == pytest.approx(0, abs=0.11)
    assert swaps["manipulated"]["clear_seconds"]["median"] == pytest.approx(0, abs=0.11)
    assert swaps["by_method"]["swap"]["pairs"] == 1


def test_what_was_played_is_not_played_again_and_errors_are(rows: list[LabelledFile], tmp_path: Path) -> None:
    """An interrupted run goes on; other weights start anew."""
    absent = LabelledFile("absent", tmp_path / "absent.mp4", False)
    first = run_streams([*rows, absent], BrightIsForged, journal(tmp_path))
    write_clip(tmp_path / "absent.mp4", GENUINE_GREY, 1)
    played: list[str] = []

    def counting(name: str) -> BrightIsForged:
        played.append(name)
        return BrightIsForged(name)

    again = run_streams([*rows, absent], counting, journal(tmp_path))

    assert [len(first["errors"]), len(again["errors"])] == [1, 0]
    assert played == ["absent"]
    assert run_streams(rows, nobody, journal(tmp_path))["pairs"] == first["pairs"]
    assert journal(tmp_path, "other weights").found == {}


Damage = Callable[[str], str]


@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: text + "null\n[]\n{}\n"], ids=["cut", "odd"])
def test_a_journal_keeps_the_whole_lines_of_a_damaged_file(damage: Damage, tmp_path: Path) -> None:
    """What an interruption cut short is computed again."""
    store = Journal(tmp_path / "j.jsonl", "run")
    store.add("a", {"value": 1})
    store.add("b", {"value": 2})
    store.path.write_text(damage(store.path.read_text("utf-8")), "utf-8")

    assert Journal(store.path, "run").found["a"] == {"value": 1}
    assert Journal(store.path, "run", fresh=True).found == {}
