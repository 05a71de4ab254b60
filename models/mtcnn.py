"""MTCNN (Zhang et al. 2016, arXiv 1604.02878) with the weights that facenet-pytorch ships.

The whole cascade finds faces; its last network alone (`refine`) follows a face whose place is roughly
known, for a small part of the cost.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

STAGE_THRESHOLDS = (0.6, 0.7, 0.7)
PYRAMID_FACTOR = 0.709
ONET_SIDE = 48


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
    """Finds faces in RGB frames, and follows known ones. Not thread-safe; not tied to one stream."""

    def __init__(self, device: str = "cpu") -> None:
        self._mtcnn = MTCNN(
            keep_all=True, min_face_size=20, thresholds=list(STAGE_THRESHOLDS), device=device, post_process=False
        ).eval()
        self._device = device

    @torch.inference_mode()
    def find(self, image_rgb: NDArray[np.uint8], long_side: int = 640, min_face_px: int = 40) -> list[Detection]:
        """All faces at least `min_face_px` wide, searched on the frame shrunk to `long_side`.

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
        self._mtcnn.min_face_size = max(20, round(min_face_px * scale))
        if min(small.shape[:2]) < self._mtcnn.min_face_size:
            return []
        boxes, confidences, points = self._mtcnn.detect(small, landmarks=True)
        if boxes is None:
            return []
        return [
            Detection(np.asarray(box, np.float32) / scale, np.asarray(marks, np.float32) / scale, float(confidence))
            for box, confidence, marks in zip(boxes, confidences, points, strict=True)
        ]

    @torch.inference_mode()
    def refine(self, image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> list[Detection]:
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
        patches = np.stack([_patch(image_rgb, square) for square in squares])
        batch = torch.from_numpy(patches).permute(0, 3, 1, 2).float().sub(127.5).mul(0.0078125)
        offsets, points, probabilities = (t.cpu().numpy() for t in self._mtcnn.onet(batch.to(self._device)))
        return [
            _read_onet(square, offsets[i], points[i], float(probabilities[i, 1])) for i, square in enumerate(squares)
        ]


def _square(box_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    half = max(float((box_xyxy[2:] - box_xyxy[:2]).max()), 8.0) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def _patch(image_rgb: NDArray[np.uint8], square_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = image_rgb.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in square_xyxy)
    inside = image_rgb[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    if inside.size == 0:
        return np.zeros((ONET_SIDE, ONET_SIDE, 3), np.uint8)
    return cv2.resize(inside, (ONET_SIDE, ONET_SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _read_onet(
    square: NDArray[np.float32], offsets: NDArray[np.float32], points: NDArray[np.float32], confidence: float
) -> Detection:
    origin, size = square[:2], square[2:] - square[:2] + 1
    box = square + offsets * np.tile(size, 2)
    landmarks = np.stack([origin[0] - 1 + size[0] * points[:5], origin[1] - 1 + size[1] * points[5:]], axis=1)
    return Detection(box.astype(np.float32), landmarks.astype(np.float32), confidence)
