"""MTCNN (Zhang et al. 2016, arXiv 1604.02878) with the weights that facenet-pytorch ships.

The whole cascade finds faces; its last network alone (`refine`) follows a face whose place is roughly
known, for a small part of the cost.
"""

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


class FaceFinder:
    """Finds faces in RGB frames, and follows known ones. Not thread-safe; not tied to one stream.

    Args:
        device: `cpu` for OpenVINO, `cuda` or `torch-cpu` for PyTorch.
        nets: compiled networks to use instead of opening them on `device`.
    """

    def __init__(self, device: str = "cpu", nets: CascadeNets | None = None) -> None:
        self._nets = nets or open_nets(device)

    def find(self, image_rgb: NDArray[np.uint8], long_side: int = 640, min_face_px: int = 40) -> list[Detection]:
        """All faces at least `min_face_px` wide, largest first, searched on the frame shrunk to `long_side`.

        Args:
            image_rgb: (h, w, 3).
            long_side: the frame is shrunk so that its longer side is at most this.
            min_face_px: in pixels of the original frame; the cascade's own floor is 20 px after shrinking.
        """
        height, width = image_rgb.shape[:2]
        scale = min(1.0, long_side / max(height, width))
        small = image_rgb
        if scale < 1:
            size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        smallest_px = max(SMALLEST_FACE_PX, round(min_face_px * scale))
        if min(small.shape[:2]) < smallest_px:
            return []
        boxes, landmarks = self._cascade(AreaImage(small), smallest_px)
        order = np.argsort(-(boxes[:, 2:4] - boxes[:, :2]).prod(axis=1), kind="stable")
        return [Detection(boxes[i, :4] / scale, landmarks[i] / scale, float(boxes[i, 4])) for i in order]

    def refine(self, image_rgb: NDArray[np.uint8], boxes_xyxy: Floats) -> list[Detection]:
        """Run the last network on boxes that are roughly right, one `Detection` for each.

        Args:
            image_rgb: (h, w, 3).
            boxes_xyxy: (n, 4) pixels.

        Returns:
            n detections in the same order; a low confidence says that there is no face in the box (any more).
        """
        if not len(boxes_xyxy):
            return []
        squares = np.stack([_square(box) for box in boxes_xyxy])
        confidences, offsets, points = self._nets.onet(np.stack([_patch(image_rgb, square) for square in squares]))
        boxes = box_math.moved(squares, offsets, last_pixel=1)
        landmarks = box_math.landmarks_of(squares, points)
        return [Detection(b, p, float(c)) for b, p, c in zip(boxes, landmarks, confidences, strict=True)]

    def _cascade(self, image: AreaImage, smallest_px: int) -> tuple[Floats, Floats]:
        """Boxes (n, 5) with confidence, and landmarks (n, 5, 2), in pixels of the image."""
        boxes = self._propose(image, smallest_px)
        boxes, crops = _cut(image, boxes, RNET_SIDE)
        if not len(boxes):
            return boxes, np.empty((0, 5, 2), np.float32)
        confidences, offsets = self._nets.rnet(crops)
        boxes, offsets = _passing(boxes, confidences, STAGE_THRESHOLDS[1], offsets)
        kept = box_math.suppress(boxes, 0.7)
        boxes = box_math.squared(box_math.moved(boxes[kept], offsets[kept], last_pixel=1))
        boxes, crops = _cut(image, boxes, ONET_SIDE)
        if not len(boxes):
            return boxes, np.empty((0, 5, 2), np.float32)
        confidences, offsets, points = self._nets.onet(crops)
        boxes, offsets, points = _passing(boxes, confidences, STAGE_THRESHOLDS[2], offsets, points)
        landmarks = box_math.landmarks_of(boxes, points)
        boxes = box_math.moved(boxes, offsets, last_pixel=1)
        kept = box_math.suppress_inside(boxes, 0.7)
        return boxes[kept], landmarks[kept]

    def _propose(self, image: AreaImage, smallest_px: int) -> Floats:
        """Squares (n, 5) that the first network takes for faces."""
        scales, sizes_hw = zip(*box_math.pyramid(image.size_hw, smallest_px), strict=True)
        answers = self._nets.pnet([image.scaled(size_hw)[None] for size_hw in sizes_hw])
        found = [box_math.cells(a[0], s, STAGE_THRESHOLDS[0]) for a, s in zip(answers, scales, strict=True)]
        boxes = np.concatenate([b for b, _ in found])
        offsets = np.concatenate([o for _, o in found])
        levels = np.repeat(np.arange(len(found)), [len(b) for b, _ in found])
        kept = box_math.suppress(boxes, 0.5, levels)
        kept = kept[np.argsort(levels[kept], kind="stable")]
        kept = kept[box_math.suppress(boxes[kept], 0.7)]
        return box_math.squared(box_math.moved(boxes[kept], offsets[kept], last_pixel=0))


def _cut(image: AreaImage, boxes: Floats, side: int) -> tuple[Floats, Floats]:
    """The boxes of which something lies in the image, and their crops."""
    pixels = box_math.pixels_of(boxes, image.size_hw)
    inside = (pixels[:, 2:] > pixels[:, :2]).all(axis=1)
    return boxes[inside], image.crops(pixels[inside], side)


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
