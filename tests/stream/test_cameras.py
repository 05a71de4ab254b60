"""The routes of the camera wall: tests and changes of a camera, history, pictures; never a credential."""

import json
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from tests.stream.serving import live, publishing, serving
from tests.stream.test_server import Fickle
from unmask.pipeline.ladder import Ladder


async def test_connection_test_opens_the_demo_and_tells_what_it_sends() -> None:
    async with serving() as running:
        found = (await running.client.post("/api/streams/test", json={"url": "demo:"})).json()
        assert found["ok"] is True and found["size_wh"] == [640, 480] and found["first_picture_ms"] >= 0
        assert running.service.streams.all() == []


async def test_connection_test_tells_the_typed_error_without_credentials() -> None:
    async with serving() as running:
        url = "rtsp://admin:hunter2@127.0.0.1:9/x"
        answer = await running.client.post("/api/streams/test", json={"url": url})
        assert answer.json()["error"] == "connection_failed" and "127.0.0.1:9" in answer.json()["message"]
        await running.client.post("/api/streams", json={"name": "cam", "url": url})
        again = await running.client.post("/api/streams/test", json={"stream": "cam"})
        assert again.json()["error"] == "connection_failed"
        assert not any(word in answer.text + again.text for word in ("hunter2", "admin"))


@pytest.mark.parametrize("url", ["/etc/passwd", "http://169.254.169.254/", "rtsp://169.254.169.254/x", "pipe:0"])
async def test_addresses_that_may_not_be_added_may_not_be_tested_or_changed_to(url: str) -> None:
    async with serving() as running:
        client = running.client
        await client.post("/api/streams", json={"name": "cam", "url": "rtsp://127.0.0.1:9/x"})
        assert (await client.post("/api/streams/test", json={"url": url})).status_code == 400
        assert (await client.patch("/api/streams/cam", json={"url": url})).status_code == 400
        assert running.service.streams.all()[0].url == "rtsp://127.0.0.1:9/x"


@pytest.mark.parametrize("body", [{}, {"url": "demo:", "stream": "cam"}, {"url": ""}, []])
async def test_malformed_tests_are_problems(body: object) -> None:
    async with serving() as running:
        assert (await running.client.post("/api/streams/test", json=body)).status_code == 422


async def test_camera_is_renamed_and_keeps_its_address() -> None:
    async with serving() as running:
        client = running.client
        await client.post("/api/streams", json={"name": "a", "url": "rtsp://admin:hunter2@127.0.0.1:9/x"})
        await client.post("/api/streams", json={"name": "b", "url": "demo:"})
        taken = await client.patch("/api/streams/a", json={"name": "b"})
        assert (taken.status_code, taken.json()["error"]) == (409, "name_taken")
        renamed = await client.patch("/api/streams/a", json={"name": "c"})
        assert renamed.json()["name"] == "c" and "hunter2" not in renamed.text
        assert [stream.name for stream in running.service.streams.all()] == ["b", "c"]
        address = running.service.streams.all()[1].address
        assert address is not None and "hunter2" in address.get_secret_value()
        assert (await client.patch("/api/streams/a", json={"name": "d"})).status_code == 404


async def test_camera_of_a_busy_server_is_not_lost_by_a_change() -> None:
    async with serving(max_streams=2) as running:
        client = running.client
        for name in ("a", "b"):
            await client.post("/api/streams", json={"name": name, "url": "rtsp://127.0.0.1:9/x"})
        running.service.streams.ladder = cast(Ladder, SimpleNamespace(exhausted=True))
        assert (await client.patch("/api/streams/a", json={"name": "c"})).status_code == 200
        assert [stream.name for stream in running.service.streams.all()] == ["b", "c"]


async def test_streams_of_browsers_cannot_be_changed_and_leave_no_history() -> None:
    async with serving() as running:
        async with publishing(running, "webcam-1"):
            await running.until(lambda: live(running, "webcam-1"))
            assert (await running.client.patch("/api/streams/webcam-1", json={"name": "x"})).status_code == 409
            tested = await running.client.post("/api/streams/test", json={"stream": "webcam-1"})
            assert tested.json()["error"] == "not_a_camera"
            found = (await running.client.get("/api/history", params={"kind": "face"})).json()["history"]
            assert found and not any(entry["picture"] for entry in found)
            await running.client.delete("/api/streams/webcam-1")
        assert (await running.client.get("/api/history")).json()["history"] == []


async def test_history_of_a_camera_outlives_it_with_its_pictures() -> None:
    async with serving(judge=Fickle) as running:
        client = running.client
        await client.post("/api/streams", json={"name": "cam", "url": "demo:"})
        await running.until(lambda: bool(running.service.history.find(lambda _: True, states=("manipulated",))))
        await client.delete("/api/streams/cam")
        query: dict[str, str | int] = {"stream": "cam", "state": "manipulated", "limit": 1}
        (alarm,) = (await client.get("/api/history", params=query)).json()["history"]
        picture = await client.get(f"/api/history/{alarm['id']}/face.jpg")
        assert picture.content[:3] == b"\xff\xd8\xff"
        assert (await client.get("/api/history/99999/face.jpg")).json()["error"] == "no_picture"
        assert (await client.get("/api/history", params={"state": "angry"})).status_code == 422
        ends = (await client.get("/api/history", params={"stream": "cam", "kind": "stream"})).json()["history"]
        assert ends[0]["state"] == "ended"


async def test_small_picture_comes_once_per_frame() -> None:
    async with serving() as running:
        client = running.client
        await client.post("/api/streams", json={"name": "cam", "url": "demo:"})
        await running.until(lambda: live(running, "cam"))
        small = await client.get("/api/streams/cam/frame.jpg", params={"width": 160})
        large = await client.get("/api/streams/cam/frame.jpg")
        assert len(small.content) < len(large.content)
        assert json.loads(small.headers["x-faces"]) == [[1, "authentic", 0.1, 0.25, 0.25, 0.5, 0.75]]
        task = running.service.streams.all()[0].task
        assert task is not None
        task.cancel()
        await running.until(lambda: not running.service.streams.all()[0].running)
        last = await client.get("/api/streams/cam/frame.jpg")
        same = await client.get("/api/streams/cam/frame.jpg", headers={"If-None-Match": last.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert (await client.get("/api/streams/cam/frame.jpg?width=9")).status_code == 422


async def test_guests_may_not_test_or_change_and_see_their_own_history_only() -> None:
    async with serving(token="right", tokens=[{"token": "guest", "streams": ["cam"]}]) as running:
        client: httpx.AsyncClient = running.client
        admin, guest = {"Authorization": "Bearer right"}, {"Authorization": "Bearer guest"}
        for name in ("cam", "yard"):
            await client.post("/api/streams", json={"name": name, "url": "demo:"}, headers=admin)
        await running.until(lambda: live(running, "cam") and live(running, "yard"))
        assert (await client.post("/api/streams/test", json={"url": "demo:"}, headers=guest)).status_code == 403
        assert (await client.patch("/api/streams/cam", json={}, headers=guest)).status_code == 403
        assert (await client.get("/api/history")).status_code == 401
        seen = (await client.get("/api/history", headers=guest)).json()["history"]
        assert {entry["stream"] for entry in seen} == {"cam"}
