"""Turns folders of genuine photographs and clips into one packed array of aligned faces.

Every trainer reads the pack, so that faces are found once. A pack is a folder with `faces.npy`
(n, 288, 288, 3) RGB, `landmarks.npy` (n, 5, 2) in pixels of the packed face, and `faces.csv`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.models.align import CROP_SIZE, align_face, similarity_matrix, warp_scale
from unmask.models.mtcnn import Detection, FaceFinder
from unmask.models.video import read_clip

PACK_MARGIN_PX = 16
"""A packed face is 288 px wide: the aligned crop and 16 px around it, for random shifts and scales."""
PACK_SIZE = CROP_SIZE + 2 * PACK_MARGIN_PX
RESYNTH_FILE = "resynth.raw"
CLIP_PERIOD_S = 1 / 12.5
MIN_CONFIDENCE = 0.95
MIN_FACE_PX = 56
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
CLIP_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".m4v"}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PackedFace:
    """Where a packed face comes from.

    Attributes:
        source: folder or data set; faces of one source share their cameras and their compression.
        group: person or scene; splits keep a group on one side.
        clip: name of the clip, empty for a photograph.
        pts_s: time in the clip.
        face_px: width of the face box in the original.
        scale: packed pixels per original pixel; above 1 the face was enlarged.
    """

    source: str
    group: str
    clip: str
    pts_s: float
    face_px: float
    scale: float


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack in memory.

    Attributes:
        faces: (n, 288, 288, 3) uint8 RGB, mapped from disk.
        landmarks: (n, 5, 2) float32.
        resynthesised: the faces as `unmask.models.training.resynth` drew them anew, None before that was done.
    """

    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    rows: list[PackedFace]
    resynthesised: NDArray[np.uint8] | None = None


def write_pack(
    images: Iterable[tuple[Path, str, str]],
    clips: Iterable[tuple[Path, str, str]],
    out: Path,
    progress: Progress | None = None,
) -> int:
    """Find, align and pack the faces of photographs and clips.

    Args:
        images: (path, source, group) each.
        clips: (path, source, group) each; sampled at 12.5 frames a second, the largest face of each frame.
        out: folder to write.
        progress: called with (files done, files in all).

    Returns:
        How many faces were packed.
    """
    finder = FaceFinder()
    images, clips = list(images), list(clips)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[PackedFace] = []
    landmarks: list[NDArray[np.float32]] = []
    with (out / "faces.raw").open("wb") as raw:
        for done, (path, source, group) in enumerate([*images, *clips]):
            faces = _image_faces(finder, path) if done < len(images) else _clip_faces(finder, path)
            clip = "" if done < len(images) else path.stem
            for pts_s, image_rgb, face in faces:
                matrix = similarity_matrix(face.landmarks_xy, PACK_MARGIN_PX)
                raw.write(align_face(image_rgb, face.landmarks_xy, PACK_MARGIN_PX).tobytes())
                landmarks.append(face.landmarks_xy @ matrix[:, :2].T + matrix[:, 2])
                face_px = float(face.box_xyxy[2] - face.box_xyxy[0])
                rows.append(PackedFace(source, group, clip, pts_s, face_px, warp_scale(matrix)))
            if progress:
                progress(done + 1, len(images) + len(clips))
    _finish(out, rows, landmarks)
    return len(rows)


def read_pack(folder: Path) -> Pack:
    """Open a pack written by `write_pack`; the faces stay on disk until they are touched."""
    with (folder / "faces.csv").open(newline="") as file:
        rows = [
            PackedFace(r["source"], r["group"], r["clip"], float(r["pts_s"]), float(r["face_px"]), float(r["scale"]))
            for r in csv.DictReader(file)
        ]
    shape = (len(rows), PACK_SIZE, PACK_SIZE, 3)
    faces = np.memmap(folder / "faces.raw", np.uint8, "r", shape=shape)
    resynth = folder / RESYNTH_FILE
    drawn = np.memmap(resynth, np.uint8, "r", shape=shape) if resynth.is_file() else None
    return Pack(faces, np.load(folder / "landmarks.npy"), rows, drawn)


def _finish(out: Path, rows: list[PackedFace], landmarks: list[NDArray[np.float32]]) -> None:
    np.save(out / "landmarks.npy", np.array(landmarks, np.float32).reshape(-1, 5, 2))
    with (out / "faces.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(PackedFace)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


Found = tuple[float, NDArray[np.uint8], Detection]


def _usable(faces: list[Detection]) -> Detection | None:
    wide = [f for f in faces if f.confidence >= MIN_CONFIDENCE and f.box_xyxy[2] - f.box_xyxy[0] >= MIN_FACE_PX]
    return max(wide, key=lambda f: float(f.box_xyxy[2] - f.box_xyxy[0]), default=None)


def _image_faces(finder: FaceFinder, path: Path) -> Iterator[Found]:
    image_bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image_bgr is None:
        return
    image_rgb = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)
    face = _usable(finder.find(image_rgb, min_face_px=MIN_FACE_PX))
    if face:
        yield 0.0, image_rgb, face


def _clip_faces(finder: FaceFinder, path: Path) -> Iterator[Found]:
    """The face of the clip's first find, followed; a jump to another face ends the run."""
    last: Detection | None = None
    for index, (pts_s, image_rgb) in enumerate(read_clip(path, CLIP_PERIOD_S)):
        face = None
        if last is not None and index % 5:
            face = _usable(finder.refine(image_rgb, last.box_xyxy[None]))
        face = face or _usable(finder.find(image_rgb, min_face_px=MIN_FACE_PX))
        if face:
            last = face
            yield pts_s, image_rgb, face
