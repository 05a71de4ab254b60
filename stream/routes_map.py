"""The synthesis map of one face: what the detector sees, and where it lies in the picture."""

import base64
from typing import Protocol, runtime_checkable

import numpy as np
from fastapi import APIRouter, Response
from numpy.typing import NDArray
from pydantic import BaseModel

from unmask.models.align import CROP_SIZE, similarity_matrix
from unmask.pipeline.detector import Reading
from unmask.stream.web import ApiError, GrantDep, ServiceDep, visible_stream

CORNERS_XY = np.array([[0, 0], [CROP_SIZE, 0], [CROP_SIZE, CROP_SIZE], [0, CROP_SIZE]], np.float32)

router = APIRouter()


@runtime_checkable
class Reads(Protocol):
    """A judge that keeps what it read in its newest frame."""

    readings: list[Reading]


class FaceMap(BaseModel):
    """A map of what looks synthesised.

    Attributes:
        seq: number of the newest analysed frame.
        size_wh: columns and rows of the map.
        values: base64 of one byte for each cell, row by row, 0 = untouched.
        corners_xy: where its corners lie in the picture (0..1): top left, top right, bottom right, bottom left.
        strongest, mean: over all cells, 0 to 1.
    """

    stream: str
    track: int
    seq: int
    size_wh: tuple[int, int]
    values: str
    corners_xy: list[tuple[float, float]]
    strongest: float
    mean: float


@router.get("/api/streams/{name}/tracks/{track}/map", tags=["verdicts"], summary="What the detector sees in a face")
async def face_map(name: str, track: int, service: ServiceDep, grant: GrantDep, response: Response) -> FaceMap:
    """The newest synthesis map of a face that is in the picture now."""
    stream = visible_stream(service, grant, name)
    frame, judge = stream.tap.frame, stream.session.detector
    readings = list(judge.readings) if isinstance(judge, Reads) else []
    found = next((reading for reading in readings if reading.face.track == track), None)
    if frame is None or found is None or found.mri_map is None:
        raise ApiError(404, "no_map", "there is no map of this face now")
    response.headers["Cache-Control"] = "no-store"
    cells = np.asarray(np.clip(found.mri_map, 0, 1), np.float32)
    return FaceMap(
        stream=name,
        track=track,
        seq=frame.seq,
        size_wh=(cells.shape[1], cells.shape[0]),
        values=base64.b64encode(np.asarray(cells * 255 + 0.5, np.uint8).tobytes()).decode("ascii"),
        corners_xy=corners_in_picture(found.face.landmarks_xy, frame.size_wh),
        strongest=round(float(cells.max()), 4),
        mean=round(float(cells.mean()), 4),
    )


def corners_in_picture(landmarks_xy: NDArray[np.float32], size_wh: tuple[int, int]) -> list[tuple[float, float]]:
    """Where the aligned crop's corners lie in the picture, 0..1, clockwise from its top left."""
    matrix = similarity_matrix(landmarks_xy)
    placed = (CORNERS_XY - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return [(round(float(x) / size_wh[0], 5), round(float(y) / size_wh[1], 5)) for x, y in placed]
