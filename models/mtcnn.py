"""MTCNN (Zhang et al. 2016, arXiv 1604.02878) with the weights that facenet-pytorch ships.

The whole cascade finds faces; its last network alone (`refine`) follows a face whose place is roughly
known, for a small part of the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models import mtcnn_boxes as box_math
from unmask.models.mtcnn_area import AreaImage
from unmask.models.mtcnn_nets import ONET_SIDE, RNET_SIDE, CascadeNets, open_nets

Floats = NDArray[np.float32]

STAGE_THRESHOLDS = (0.6, 0.7, 0.7)
SMALLEST_FACE_PX = 20
FRAMES_AT_ONCE = 8
"""Of the same size, on a GPU. On a CPU one after the other is no slower and needs no networks for more sizes."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One face in a frame.

    Attributes:
        box_xyxy: (4,) float32, pixels.
        landmarks_xy: (5, 2) float32, pixels: eyes, nose, mouth corners, in image order.
        confidence: 0..1, from the last network.
    """

    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    confidence: float


@dataclass(frozen=True, slots=True)
class Search:
    """A frame to be searched for faces.

    Attributes:
        image_rgb: (h, w, 3).
        long_side: the frame is shrunk so that its longer side is at most this.
        min_face_px: smallest width of a face, in pixels of the frame; the cascade's own floor is 20 px after shrinking.
    """

    image_rgb: NDArray[np.uint8]
    long_side: int
    min_face_px: int


class FaceFinder:
    """Finds faces in RGB frames, and follows known ones. Not thread-safe; not tied to one stream.

    Args:
        device: `cpu` for OpenVINO, `cuda` or `torch-cpu` for PyTorch.
        nets: compiled networks to use instead of opening them on `device`.

    Attributes:
        at_once: frames of the same size that go through the networks together.
    """

    def __init__(self, device: str = "cpu", nets: CascadeNets | None = None) -> None:
        self._nets = nets or open_nets(device)
        self.at_once = 1 if device == "cpu" else FRAMES_AT_ONCE

    def find(self, image_rgb: NDArray[np.uint8], long_side: int = 640, min_face_px: int = 40) -> list[Detection]:
        """All faces of one frame, see `find_all`."""
        return self.find_all([Search(image_rgb, long_side, min_face_px)])[0]

    def find_all(self, searches: Sequence[Search]) -> list[list[Detection]]:
        """All faces of each frame, largest first; on a GPU frames of the same size go through the networks at once."""
        small = [_Shrunk.of(search) for search in searches]
        found: dict[int, list[Detection]] = {i: [] for i, s in enumerate(small) if not s.can_hold_a_face}
        alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for index, shrunk in enumerate(small):
            if index not in found:
                alike.setdefault((shrunk.image_rgb.shape, shrunk.smallest_px), []).append(index)
        for (_, smallest_px), group in alike.items():
            for start in range(0, len(group), self.at_once):
                part = group[start : start + self.at_once]
                answers = self._cascade([AreaImage(small[i].image_rgb) for i in part], smallest_px)
                found.update((i, small[i].detections(*answer)) for i, answer in zip(part, answers, strict=True))
        return [found[i] for i in range(len(searches))]

    def refine(self, image_rgb: NDArray[np.uint8], boxes_xyxy: Floats) -> list[Detection]:
        """Run the last network on boxes of one frame, see `refine_all`."""
        return self.refine_all([(image_rgb, boxes_xyxy)])[0]

    def refine_all(self, frames: Sequence[tuple[NDArray[np.uint8], Floats]]) -> list[list[Detection]]:
        """Run the last network on boxes that are roughly right, one `Detection` for each.

        Args:
            frames: images (h, w, 3) with their boxes (n, 4) in pixels.

        Returns:
            For each frame n detections in the same order; a low confidence says that there is no face in the box
            (any more).
        """
        squares = np.array([_square(box) for _, boxes in frames for box in boxes], np.float32).reshape(-1, 4)
        if not len(squares):
            return [[] for _ in frames]
        images = (image for image, boxes in frames for _ in boxes)
        patches = [_patch(image, square) for image, square in zip(images, squares, strict=True)]
        confidences, offsets, points = self._nets.onet(np.stack(patches))
        boxes = box_math.moved(squares, offsets, last_pixel=1)
        landmarks = box_math.landmarks_of(squares, points)
        found = [Detection(b, p, float(c)) for b, p, c in zip(boxes, landmarks, confidences, strict=True)]
        ends = np.cumsum([len(boxes) for _, boxes in frames])
        return [found[end - len(boxes) : end] for end, (_, boxes) in zip(ends, frames, strict=True)]

    def _cascade(self, images: list[AreaImage], smallest_px: int) -> list[tuple[Floats, Floats]]:
        """Of each image boxes (n, 5) with confidence, and landmarks (n, 5, 2), in pixels; all are of the same size."""
        boxes, crops = _cut(images, self._propose(images, smallest_px), RNET_SIDE)
        if len(crops):
            boxes = [self._second(*part) for part in _parts(boxes, *self._nets.rnet(crops))]
            boxes, crops = _cut(images, boxes, ONET_SIDE)
        if not len(crops):
            return [(b, np.empty((0, 5, 2), np.float32)) for b in boxes]
        return [self._third(*part) for part in _parts(boxes, *self._nets.onet(crops))]

    @staticmethod
    def _second(boxes: Floats, confidences: Floats, offsets: Floats) -> Floats:
        """What the second network leaves of the boxes of one image."""
        boxes, offsets = _passing(boxes, confidences, STAGE_THRESHOLDS[1], offsets)
        kept = box_math.suppress(boxes, 0.7)
        return box_math.squared(box_math.moved(boxes[kept], offsets[kept], last_pixel=1))

    @staticmethod
    def _third(boxes: Floats, confidences: Floats, offsets: Floats, points: Floats) -> tuple[Floats, Floats]:
        """What the third network makes of the boxes of one image: boxes and landmarks."""
        boxes, offsets, points = _passing(boxes, confidences, STAGE_THRESHOLDS[2], offsets, points)
        landmarks = box_math.landmarks_of(boxes, points)
        boxes = box_math.moved(boxes, offsets, last_pixel=1)
        kept = box_math.suppress_inside(boxes, 0.7)
        return boxes[kept], landmarks[kept]

    def _propose(self, images: list[AreaImage], smallest_px: int) -> list[Floats]:
        """Of each image squares (n, 5) that the first network takes for faces."""
        scales, sizes_hw = zip(*box_math.pyramid(images[0].size_hw, smallest_px), strict=True)
        answers = self._nets.pnet([np.stack([image.scaled(size_hw) for image in images]) for size_hw in sizes_hw])
        return [_proposals([level[i] for level in answers], scales) for i in range(len(images))]


@dataclass(frozen=True, slots=True)
class _Shrunk:
    """A frame as it is searched; see `Search`."""

    image_rgb: NDArray[np.uint8]
    scale: float
    smallest_px: int

    @classmethod
    def of(cls, search: Search) -> "_Shrunk":
        """Shrinks a frame."""
        height, width = search.image_rgb.shape[:2]
        scale = min(1.0, search.long_side / max(height, width))
        small = search.image_rgb
        if scale < 1:
            size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = cv2.resize(small, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return cls(small, scale, max(SMALLEST_FACE_PX, round(search.min_face_px * scale)))

    @property
    def can_hold_a_face(self) -> bool:
        """Whether the smallest face fits in."""
        return bool(min(self.image_rgb.shape[:2]) >= self.smallest_px)

    def detections(self, boxes: Floats, landmarks: Floats) -> list[Detection]:
        """What was found, largest first, in pixels of the frame."""
        order = np.argsort(-(boxes[:, 2:4] - boxes[:, :2]).prod(axis=1), kind="stable")
        return [Detection(boxes[i, :4] / self.scale, landmarks[i] / self.scale, float(boxes[i, 4])) for i in order]


def _proposals(answers: Sequence[Floats], scales: Sequence[float]) -> Floats:
    """Squares (n, 5) of one image, from the answers of all levels of its pyramid."""
    found = [box_math.cells(a, s, STAGE_THRESHOLDS[0]) for a, s in zip(answers, scales, strict=True)]
    boxes = np.concatenate([b for b, _ in found])
    offsets = np.concatenate([o for _, o in found])
    levels = np.repeat(np.arange(len(found)), [len(b) for b, _ in found])
    kept = box_math.suppress(boxes, 0.5, levels)
    kept = kept[np.argsort(levels[kept], kind="stable")]
    kept = kept[box_math.suppress(boxes[kept], 0.7)]
    return box_math.squared(box_math.moved(boxes[kept], offsets[kept], last_pixel=0))


def _cut(images: list[AreaImage], boxes: list[Floats], side: int) -> tuple[list[Floats], Floats]:
    """Of each image the boxes of which something lies in it; and the crops of all, one image after the other."""
    pixels = [box_math.pixels_of(b, image.size_hw) for image, b in zip(images, boxes, strict=True)]
    inside = [(p[:, 2:] > p[:, :2]).all(axis=1) for p in pixels]
    crops = [image.crops(p[i], side) for image, p, i in zip(images, pixels, inside, strict=True)]
    return [b[i] for b, i in zip(boxes, inside, strict=True)], np.concatenate(crops)


def _parts(boxes: list[Floats], *answers: Floats) -> list[tuple[Floats, ...]]:
    """The boxes of each image with what was answered for them."""
    ends = np.cumsum([len(b) for b in boxes])[:-1]
    return list(zip(boxes, *(np.split(answer, ends) for answer in answers), strict=True))


def _passing(boxes: Floats, confidences: Floats, threshold: float, *others: Floats) -> tuple[Floats, ...]:
    """What passes a threshold, the boxes with their new confidence."""
    kept = confidences > threshold
    scored = np.concatenate([boxes[kept, :4], confidences[kept, None]], axis=1)
    return scored, *(other[kept] for other in others)


def _square(box_xyxy: Floats) -> Floats:
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    half = max(float((box_xyxy[2:] - box_xyxy[:2]).max()), 8.0) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def _patch(image_rgb: NDArray[np.uint8], square_xyxy: Floats) -> Floats:
    """What of a square lies inside the image, (48, 48, 4) in 0..255."""
    height, width = image_rgb.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in square_xyxy)
    inside = image_rgb[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    patch = np.zeros((ONET_SIDE, ONET_SIDE, 4), np.float32)
    if inside.size:
        patch[..., :3] = cv2.resize(inside, (ONET_SIDE, ONET_SIDE), interpolation=cv2.INTER_AREA)
    return patch
