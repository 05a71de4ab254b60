"""Tracking: numbers are kept along a face, never reused, and end at a cut."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.build import detection, frame
from unmask.models.mtcnn import Detection
from unmask.pipeline.picture import ArrayPicture
from unmask.pipeline.tracks import FaceTracker, iou_matrix, match_boxes, smooth_landmarks
from unmask.pipeline.types import Frame

GREY = np.full((480, 640, 3), 120, np.uint8)


class ScriptedFinder:
    """Finds what the script of the test says, and counts how it was asked."""

    def __init__(self) -> None:
        self.faces: list[Detection] = []
        self.searches = 0

    def find_faces(self, image_rgb: NDArray[np.uint8], long_side: int, min_face_px: int) -> list[Detection]:
        self.searches += 1
        return list(self.faces)

    def refine_faces(self, image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> list[Detection]:
        found = []
        for box in boxes_xyxy:
            overlaps = iou_matrix(box[None], np.array([f.box_xyxy for f in self.faces]).reshape(-1, 4))
            best = int(overlaps.argmax()) if overlaps.size and overlaps.max() > 0.3 else -1
            found.append(self.faces[best] if best >= 0 else Detection(box, np.zeros((5, 2), np.float32), 0.05))
        return found


def test_no_face_no_track() -> None:
    assert FaceTracker(ScriptedFinder()).update(frame(GREY)) == []


def test_a_face_keeps_its_number_while_it_moves() -> None:
    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    numbers = set()
    for i in range(50):
        finder.faces = [detection(100 + 3 * i)]
        numbers |= {f.track for f in tracker.update(frame(GREY, i / 25))}

    assert numbers == {1}
    assert finder.searches < 10


def test_two_faces_have_two_numbers_largest_first() -> None:
    finder = ScriptedFinder()
    finder.faces = [detection(50, size=60), detection(300, size=120)]
    faces = FaceTracker(finder).update(frame(GREY))

    assert [f.box_xyxy[2] - f.box_xyxy[0] for f in faces] == [120, 60]
    assert len({f.track for f in faces}) == 2


def test_a_face_that_went_away_comes_back_under_a_new_number() -> None:
    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    finder.faces = [detection()]
    assert [f.track for f in tracker.update(frame(GREY, 0.0))] == [1]
    finder.faces = []
    for i in range(1, 40):
        assert tracker.update(frame(GREY, i / 20)) == []
    finder.faces = [detection()]
    later = [f.track for i in range(40, 60) for f in tracker.update(frame(GREY, i / 20))]

    assert set(later) == {2}


def test_a_cut_of_the_scene_ends_the_track() -> None:
    finder = ScriptedFinder()
    finder.faces = [detection()]
    tracker = FaceTracker(finder)
    tracker.update(frame(GREY, 0.0))
    tracker.update(frame(GREY, 0.04))

    assert [f.track for f in tracker.update(frame(np.full_like(GREY, 220), 0.08))] == [2]


def drive(tracker: FaceTracker, seconds: float, start_s: float = 0.0, picture: NDArray[np.uint8] = GREY) -> list[int]:
    """The number of faces that each frame of a stretch at 25 per second is seen with."""
    return [len(tracker.update(frame(picture, start_s + i / 25))) for i in range(round(seconds * 25))]


def test_a_steady_face_is_searched_less_and_less_often() -> None:
    finder = ScriptedFinder()
    finder.faces = [detection()]
    tracker = FaceTracker(finder)
    drive(tracker, 5.0)
    early, finder.searches = finder.searches, 0
    drive(tracker, 10.0, start_s=5.0)

    assert early > 6
    assert 9 <= finder.searches <= 11


def test_a_second_face_in_a_still_picture_is_found_within_a_second() -> None:
    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    finder.faces = [detection(100)]
    drive(tracker, 6.0)
    finder.faces = [detection(100), detection(400)]
    seen = drive(tracker, 2.0, start_s=6.0)

    assert seen.index(2) <= 25


def test_a_second_face_that_changes_the_picture_is_found_sooner() -> None:
    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    finder.faces = [detection(100)]
    drive(tracker, 6.0)
    finder.faces = [detection(100), detection(500, 60)]
    entered = GREY.copy()
    entered[60:140, 500:580] = 200
    seen = drive(tracker, 2.0, start_s=6.0, picture=entered)

    assert seen.index(2) <= 11


@pytest.mark.parametrize("doubt", ["weak", "lost", "fast"])
def test_doubt_is_searched_at_once_and_often(doubt: str) -> None:
    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    finder.faces = [detection(100)]
    drive(tracker, 6.0)
    finder.searches = 0
    for i in range(25):
        finder.faces = {"weak": [detection(100, confidence=0.8)], "lost": [], "fast": [detection(100 + 8 * i)]}[doubt]
        tracker.update(frame(GREY, 6.0 + i / 25))

    assert finder.searches >= 4


def test_a_frame_without_faces_is_converted_only_for_a_search() -> None:
    class CountingPicture(ArrayPicture):
        looks = 0

        def rgb(self) -> NDArray[np.uint8]:
            CountingPicture.looks += 1
            return super().rgb()

    finder = ScriptedFinder()
    tracker = FaceTracker(finder)
    for i in range(75):
        tracker.update(Frame(CountingPicture(GREY), i / 25, 0.0, 0.0, "test", i))

    assert CountingPicture.looks == finder.searches < 15


def test_a_doubtful_find_starts_no_track() -> None:
    finder = ScriptedFinder()
    finder.faces = [detection(confidence=0.75)]

    assert FaceTracker(finder).update(frame(GREY)) == []


def test_time_running_backwards_starts_afresh() -> None:
    finder = ScriptedFinder()
    finder.faces = [detection()]
    tracker = FaceTracker(finder)
    tracker.update(frame(GREY, 10.0))

    assert [f.track for f in tracker.update(frame(GREY, 1.0))] == [2]


def test_iou_of_nothing_is_empty() -> None:
    assert iou_matrix(np.empty((0, 4), np.float32), np.empty((3, 4), np.float32)).shape == (0, 3)


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)

    assert iou_matrix(a, b)[0] == pytest.approx([1.0, 1 / 3, 0.0])


def test_matching_takes_the_best_pairs_first_and_each_once() -> None:
    a = np.array([[0, 0, 10, 10], [1, 0, 11, 10]], np.float32)
    b = np.array([[1, 0, 11, 10]], np.float32)

    assert match_boxes(a, b, 0.3) == {1: 0}


def test_landmarks_follow_a_jump_and_average_a_tremble() -> None:
    before = np.zeros((5, 2), np.float32)

    assert smooth_landmarks(before, before + 50, 100.0) == pytest.approx(before + 50)
    assert smooth_landmarks(before, before + 1, 100.0)[0, 0] == pytest.approx(0.55, abs=0.02)
