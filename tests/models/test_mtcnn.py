"""The face finder answers as facenet-pytorch's cascade does, whatever runs its networks."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from tests.build import PORTRAIT_BOX_XYXY, PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.mtcnn import STAGE_THRESHOLDS, FaceFinder, Search
from unmask.models.runtime import SETS_OF_SIZES_KEPT
from unmask.models.video import read_clip
from unmask.pipeline.tracks import iou_matrix, match_boxes

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "tests"
FRAMES_PER_CLIP = 2

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def reference() -> MTCNN:
    return MTCNN(keep_all=True, thresholds=list(STAGE_THRESHOLDS), post_process=False).eval()


def expected(reference: MTCNN, image_rgb: Image, long_side: int, min_face_px: int) -> tuple[Floats, Floats, Floats]:
    """Boxes, confidences and landmarks by facenet-pytorch, with the frame shrunk in the same way."""
    height, width = image_rgb.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size_wh = (round(width * scale), round(height * scale))
    small = image_rgb if scale == 1 else cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    reference.min_face_size = max(20, round(min_face_px * scale))
    boxes, confidences, landmarks = reference.detect(small, landmarks=True)
    if boxes is None:
        return np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32)
    return boxes / np.float32(scale), confidences, landmarks / np.float32(scale)


def boxes_of(finder: FaceFinder, image_rgb: Image, long_side: int, min_face_px: int) -> Floats:
    found = finder.find(image_rgb, long_side, min_face_px)
    return np.array([f.box_xyxy for f in found], np.float32).reshape(-1, 4)


def faces_at_many_sizes() -> Image:
    """(540, 960, 3): the portrait's face from 24 to 200 px, some turned, one cut off by the edge."""
    canvas = np.full((540, 960, 3), 96, np.uint8)
    face = portrait()[30:220, 130:320]
    left = 0
    for side, turn in ((480, 0), (260, -1), (130, 1), (60, 0)):
        part = cv2.resize(np.rot90(face, turn) if turn > 0 else face, (side, side), interpolation=cv2.INTER_AREA)
        canvas[30 : 30 + side, left : left + side] = part[:, : 960 - left]
        left += side
    canvas[400:540, 600:740] = face[:140, :140]
    return canvas


def test_a_picture_smaller_than_a_face_has_none(finder: FaceFinder) -> None:
    assert finder.find(np.zeros((10, 300, 3), np.uint8)) == []


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_a_plain_picture_has_no_face(finder: FaceFinder, grey: int) -> None:
    assert finder.find(np.full((360, 640, 3), grey, np.uint8)) == []


def test_the_portraits_face_is_where_it_is(finder: FaceFinder) -> None:
    (found,) = finder.find(portrait())

    assert found.box_xyxy == pytest.approx(PORTRAIT_BOX_XYXY, abs=2)
    assert found.landmarks_xy == pytest.approx(PORTRAIT_LANDMARKS_XY, abs=2)
    assert found.confidence > 0.99


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
@pytest.mark.parametrize(("long_side", "min_face_px"), [(640, 40), (960, 20)])
def test_boxes_landmarks_and_confidences_are_those_of_facenet_pytorch(
    reference: MTCNN, device: str, long_side: int, min_face_px: int
) -> None:
    picture = faces_at_many_sizes()
    boxes, confidences, landmarks = expected(reference, picture, long_side, min_face_px)
    found = FaceFinder(device).find(picture, long_side, min_face_px)

    assert len(found) == len(boxes) >= 3
    assert np.stack([f.box_xyxy for f in found]) == pytest.approx(boxes, abs=0.1)
    assert np.stack([f.landmarks_xy for f in found]) == pytest.approx(landmarks, abs=0.1)
    assert [f.confidence for f in found] == pytest.approx(confidences, abs=1e-3)


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_frames_searched_together_have_the_faces_that_they_have_alone(device: str) -> None:
    finder = FaceFinder(device)
    crowd = faces_at_many_sizes()
    mirrored = np.ascontiguousarray(crowd[:, ::-1])
    pictures = [crowd, np.full_like(crowd, 90), mirrored, portrait(), crowd[:10], crowd[::2]]
    together = finder.find_all([Search(picture, 640, 40) for picture in pictures])

    assert [len(found) for found in together][1] == 0
    for picture, found in zip(pictures, together, strict=True):
        alone = finder.find(picture, 640, 40)
        assert len(found) == len(alone)
        for one, other in zip(found, alone, strict=True):
            assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=0.1)
            assert one.landmarks_xy == pytest.approx(other.landmarks_xy, abs=0.1)


def test_faces_followed_together_are_those_followed_alone(finder: FaceFinder) -> None:
    crowd, face = faces_at_many_sizes(), portrait()
    frames = [(crowd, boxes_of(finder, crowd, 640, 40)), (face, np.empty((0, 4), np.float32))]
    frames += [(face, boxes_of(finder, face, 640, 40) + 4)]
    together = finder.refine_all(frames)

    assert [len(found) for found in together] == [len(boxes) for _, boxes in frames]
    for (picture, boxes), found in zip(frames, together, strict=True):
        for one, other in zip(found, finder.refine(picture, boxes), strict=True):
            assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=0.1)
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_a_size_that_comes_back_has_the_same_faces(finder: FaceFinder) -> None:
    picture = faces_at_many_sizes()[:, : 900 - 3]
    first, second, third = (boxes_of(finder, picture, 640, 40) for _ in range(3))

    assert len(first) >= 3
    assert second == pytest.approx(first, abs=0.1)
    assert third == pytest.approx(first, abs=0.1)


def test_sizes_that_are_forgotten_are_found_again(finder: FaceFinder) -> None:
    face = portrait()
    for _ in range(2):
        for width in range(300, 300 + 2 * SETS_OF_SIZES_KEPT):
            assert len(finder.find(face[:, :width], 300, 40)) == 1


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not here")
def test_boxes_on_real_clips_are_those_of_facenet_pytorch(finder: FaceFinder, reference: MTCNN) -> None:
    overlaps: list[float] = []
    faces = extra = 0
    for path in sorted(p for p in CLIPS.iterdir() if p.suffix in (".mp4", ".mov")):
        for _, image_rgb in islice(read_clip(path, every_s=1.5), FRAMES_PER_CLIP):
            wanted, _, _ = expected(reference, image_rgb, 640, 40)
            boxes = boxes_of(finder, image_rgb, 640, 40)
            matches = match_boxes(wanted, boxes, 0.5)
            overlaps += [float(iou_matrix(wanted, boxes)[i, j]) for i, j in matches.items()]
            faces, extra = faces + len(wanted), extra + len(boxes) - len(matches)

    assert faces >= 15
    assert len(overlaps) / faces >= 0.99
    assert extra / faces <= 0.01
    assert np.mean(overlaps) >= 0.95


def test_refining_nothing_gives_nothing(finder: FaceFinder) -> None:
    assert finder.refine(portrait(), np.empty((0, 4), np.float32)) == []


def test_refining_keeps_the_order_and_doubts_what_is_no_face(finder: FaceFinder) -> None:
    outside = np.array([600, 600, 700, 700], np.float32)
    wall = np.array([400, 20, 470, 90], np.float32)
    away, none, face = finder.refine(portrait(), np.stack([outside, wall, PORTRAIT_BOX_XYXY + 4]))

    assert max(away.confidence, none.confidence) < 0.5
    assert face.confidence > 0.99
    assert iou_matrix(face.box_xyxy[None], PORTRAIT_BOX_XYXY[None])[0, 0] > 0.8
    assert face.landmarks_xy == pytest.approx(PORTRAIT_LANDMARKS_XY, abs=6)
