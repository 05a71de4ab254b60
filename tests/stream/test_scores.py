"""scores.csv: what holds is taken over, what does not is computed again."""

from pathlib import Path

import pytest

from unmask.pipeline.errors import UsageError
from unmask.stream.labels import LabelledFile
from unmask.stream.scores import Scored, ScoreFile

ROWS = [LabelledFile(name, Path(name), fake=name == "a.mp4", group=name) for name in ("a.mp4", "b,c.mp4")]
DONE = Scored(ROWS[0], {"p_fake": 0.25, "mri": 0.5}, "authentic", 7)
NOTHING = Scored(ROWS[1], {}, "uncertain", 0)


def test_no_file_means_nothing_is_done_yet(tmp_path: Path) -> None:
    """The first run starts from nothing."""
    assert ScoreFile(tmp_path / "scores.csv", "run").read(ROWS) == {}


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    """A file without a face is a result too: it is not looked at again."""
    store = ScoreFile(tmp_path / "scores.csv", "run")
    store.start([DONE])
    store.add(NOTHING)

    assert store.read(ROWS) == {"a.mp4": DONE, "b,c.mp4": NOTHING}


def test_other_weights_other_rows_errors_and_half_rows_are_not_taken_over(tmp_path: Path) -> None:
    """Only what the same run would find again holds."""
    path = tmp_path / "scores.csv"
    store = ScoreFile(path, "run")
    store.start([DONE, Scored(ROWS[1], {}, error="it is empty")])

    assert ScoreFile(path, "other").read(ROWS) == {}
    assert store.read(ROWS) == {"a.mp4": DONE}
    assert store.read(ROWS[1:]) == {}

    path.write_text(path.read_text("utf-8").replace("0.250000", "0.25x"), "utf-8")
    assert store.read(ROWS) == {}


def test_a_damaged_file_is_a_clear_usage_error(tmp_path: Path) -> None:
    """It is not silently thrown away."""
    (tmp_path / "scores.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="--fresh"):
        ScoreFile(tmp_path / "scores.csv", "run").read(ROWS)


def test_a_folder_that_cannot_be_written_is_a_clear_usage_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(UsageError, match="cannot write"):
        ScoreFile(tmp_path / "absent" / "scores.csv", "run").start([])
