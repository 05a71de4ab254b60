"""The map of a face over a real server: where it lies, who may see it, and when there is none."""

import base64

import numpy as np

from tests.stream.serving import FakeJudge, live, serving
from unmask.models.align import CROP_SIZE, TEMPLATE_XY
from unmask.pipeline.detector import Reading
from unmask.pipeline.types import Face, Frame, Quality, Verdict
from unmask.stream.routes_map import corners_in_picture


class Seeing(FakeJudge):
    """A judge who keeps what he read: a face that fills the aligned crop, with one bright cell."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.readings: list[Reading] = []

    def step(self, frame: Frame) -> list[Verdict]:
        """One reading beside the verdict."""
        cells = np.zeros((64, 64), np.float32)
        cells[0, 1] = 1
        face = Face(1, np.array([0, 0, 256, 256], np.float32), TEMPLATE_XY, 0.9)
        crop_rgb = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        self.readings = [Reading(face, crop_rgb, Quality(88.0, 21.5, 120.0, -0.1, 0.9, ()), {}, cells, None)]
        return super().step(frame)


def test_upright_face_has_the_crop_at_its_own_place() -> None:
    corners = corners_in_picture(TEMPLATE_XY * np.float32(0.5) + np.array([10, 20], np.float32), (200, 100))
    expected = [(10 / 200, 20 / 100), (138 / 200, 20 / 100), (138 / 200, 148 / 100), (10 / 200, 148 / 100)]
    assert np.allclose(corners, expected, atol=1e-3)


async def test_map_of_a_face_is_given_with_its_place() -> None:
    async with serving(judge=Seeing) as running:
        await running.client.post("/api/streams", json={"name": "demo", "url": "demo:"})
        await running.until(lambda: live(running, "demo"))
        answer = (await running.client.get("/api/streams/demo/tracks/1/map")).json()
        values = base64.b64decode(answer["values"])
        assert answer["size_wh"] == [64, 64] and len(values) == 64 * 64
        assert values[1] == 255 and sum(values) == 255
        assert answer["strongest"] == 1.0
        assert np.allclose(answer["corners_xy"][2], [256 / 640, 256 / 480], atol=1e-3)


async def test_face_or_stream_that_is_not_there_has_no_map() -> None:
    async with serving() as running:
        assert (await running.client.get("/api/streams/no/tracks/1/map")).json()["error"] == "no_such_stream"
        await running.client.post("/api/streams", json={"name": "demo", "url": "demo:"})
        await running.until(lambda: live(running, "demo"))
        assert (await running.client.get("/api/streams/demo/tracks/1/map")).json()["error"] == "no_map"
        assert (await running.client.get("/api/streams/demo/tracks/x/map")).status_code == 422
