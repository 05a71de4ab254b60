"""The robustness grid: what is scored, skipped, and said of genuine files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.build import detection
from tests.stream.test_evaluate_streams import write_clip
from unmask.models.mtcnn import Detection
from unmask.models.training.plots import plot_grid
from unmask.pipeline.errors import InputError
from unmask.pipeline.fusion import sigmoid
from unmask.pipeline.types import Frame
from unmask.stream.evaluate_conditions import Condition
from unmask.stream.evaluate_journal import Journal
from unmask.stream.evaluate_robustness import Bench, face_width_px, run_robustness
from unmask.stream.evaluate_sections import grid_values, robustness_section, robustness_text
from unmask.stream.labels import LabelledFile
from unmask.stream.scores import Scored

CLEAN = Condition("clean", "clean", lambda frames, _: iter(frames))
BRIGHTER = Condition("brighter", "light", lambda frames, _: (f.with_image(f.image_rgb // 2 + 127) for f in frames))
LARGE = Condition("face 128 px", "size", lambda frames, _: iter(frames), 128)
GRID = [CLEAN, BRIGHTER, LARGE]


class Finder:
    """Finds one face of a given width, or none."""

    def __init__(self, width_px: float | None) -> None:
        self.width_px = width_px

    def find_faces(self, image_rgb: NDArray[np.uint8], long_side: int, min_face_px: int) -> list[Detection]:
        """The same in every picture."""
        return [] if self.width_px is None else [detection(size=40), detection(size=self.width_px)]

    def refine_faces(self, image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> list[Detection]:
        """Not used."""
        return []


def brightness(row: LabelledFile, frames: Iterable[Frame]) -> Scored:
    """The brighter, the more forged: a detector that takes light for forgery."""
    p = sigmoid((float(np.mean([f.image_rgb.mean() for f in frames])) - 128) / 20)
    return Scored(row, {"p_fake": p, "spatial": p}, "manipulated" if p > 0.77 else "authentic", 3, reliability=0.5)


@pytest.fixture
def rows(tmp_path: Path) -> list[LabelledFile]:
    """Two genuine videos (dark) and two fakes (bright)."""
    kinds = {"r1": 40, "r2": 60, "f1": 180, "f2": 200}
    return [
        LabelledFile(name, write_clip(tmp_path / f"{name}.mp4", grey, 0.5), name[0] == "f", "m", "D", name, "video")
        for name, grey in kinds.items()
    ]


def bench(tmp_path: Path, width_px: float | None = 100.0) -> Bench:
    return Bench(brightness, Finder(width_px), Journal(tmp_path / "grid.jsonl", "run"))


def test_no_video_is_an_input_error(tmp_path: Path) -> None:
    """Pictures are not degraded, absent files cannot be."""
    picture = LabelledFile("a", tmp_path / "a.png", True, kind="image")
    for rows in ([], [picture], [LabelledFile("b", tmp_path / "absent.mp4", True)]):
        with pytest.raises(InputError, match="no video"):
            run_robustness(rows, GRID, bench(tmp_path), "fusion")


def test_genuine_files_that_a_condition_turns_into_forgeries_are_counted(
    rows: list[LabelledFile], tmp_path: Path
) -> None:
    """The ranking survives and the shortcut still shows."""
    clean, brighter, _ = run_robustness(rows, GRID, bench(tmp_path), "fusion")["conditions"]

    assert clean["auc"]["fusion"] == brighter["auc"]["fusion"] == 1.0
    assert (clean["genuine"]["doubted"], clean["genuine"]["mean_logit_shift"]) == (0, 0.0)
    assert brighter["genuine"]["doubted"] == 1 and brighter["genuine"]["doubted_share"] == 0.5
    assert brighter["genuine"]["mean_logit_shift"] == pytest.approx((127 - 25) / 20, abs=0.3)
    assert brighter["mean_p"]["genuine"] > clean["mean_p"]["genuine"]
    assert brighter["auc_by_dataset"] == {"D": 1.0}


@pytest.mark.parametrize("width_px", [None, 100.0])
def test_a_smaller_face_than_the_condition_asks_for_is_left_out_and_counted(
    rows: list[LabelledFile], tmp_path: Path, width_px: float | None
) -> None:
    """Enlarging a face would measure something else; a skipped file is no score."""
    found = run_robustness(rows, GRID, bench(tmp_path, width_px), "fusion")

    assert found["not_applied"] == {"clean": 0, "brighter": 0, "face 128 px": 4}
    assert found["conditions"][2]["n"] == 0 and found["conditions"][2]["auc"]["fusion"] is None
    assert run_robustness(rows, GRID, bench(tmp_path, width_px), "fusion") == found


def test_a_face_that_is_wide_enough_is_scored(rows: list[LabelledFile], tmp_path: Path) -> None:
    """Compared with the same files unchanged."""
    row = run_robustness(rows, GRID, bench(tmp_path, 140.0), "fusion")["conditions"][2]

    assert row["n"] == 4 and row["clean_same_files"]["auc"]["fusion"] == 1.0


def test_the_width_of_a_face_is_that_of_the_largest_one(rows: list[LabelledFile]) -> None:
    """No frame, or no face, has no width."""
    frame = Frame(np.zeros((64, 64, 3), np.uint8), 0.0, 0.0, 0.0, "s", 0)

    assert face_width_px([], Finder(90.0)) is None
    assert face_width_px([frame], Finder(None)) is None
    assert face_width_px([frame], Finder(90.0)) == 90.0


def test_an_unreadable_video_is_named_and_in_no_figure(rows: list[LabelledFile], tmp_path: Path) -> None:
    """The others are still measured."""
    absent = LabelledFile("absent", tmp_path / "absent.mp4", True, kind="video")
    found = run_robustness([*rows, absent], GRID, bench(tmp_path), "fusion")

    assert found["conditions"][0]["n"] == 4
    assert "absent.mp4" in found["errors"][0]


def test_the_grid_can_be_read_and_drawn(rows: list[LabelledFile], tmp_path: Path) -> None:
    """Figures that are missing are dashes, not zeros."""
    found = run_robustness(rows, GRID, bench(tmp_path), "fusion")
    plot_grid(*grid_values(found), tmp_path / "robustness.png")
    page, lines = robustness_section(found, tmp_path), robustness_text(found)

    assert "<td>brighter</td>" in page and "data:image/png;base64," in page
    assert len(lines) == 4 and lines[3].split()[3:5] == ["0", "-"]
