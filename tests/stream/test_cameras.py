"""The routes of the camera wall: tests and changes of a camera, history, pictures; never a credential."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from tests.stream.serving import live, publishing, serving
from tests.stream.test_server import Fickle
from unmask.pipeline.errors import UsageError
from unmask.pipeline.ladder import Ladder
from unmask.stream.kept import KeptCameras


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


async def test_added_cameras_are_there_after_a_restart_as_they_were_left(tmp_path: Path) -> None:
    kept = tmp_path / "state" / "cameras.yml"
    async with serving(cameras_file=kept) as running:
        client = running.client
        assert (await client.get("/api/info")).json()["keeps_cameras"] is True
        for name in ("a", "b", "c"):
            url = f"rtsp://admin:hunter2@127.0.0.1:9/{name}"
            assert (await client.post("/api/streams", json={"name": name, "url": url})).status_code == 201
        await client.patch("/api/streams/a", json={"name": "door"})
        await client.patch("/api/streams/b", json={"url": "demo:"})
        await client.delete("/api/streams/c")
    assert kept.stat().st_mode & 0o777 == 0o600 and [p.name for p in kept.parent.iterdir()] == ["cameras.yml"]
    async with serving(cameras_file=kept) as running:
        streams = (await running.client.get("/api/streams")).json()["streams"]
        assert {s["name"]: s["url"] for s in streams} == {"door": "rtsp://127.0.0.1:9/a", "b": "demo:"}
        address = running.service.streams.get("door")
        assert (
            address and address.address and address.address.get_secret_value() == "rtsp://admin:hunter2@127.0.0.1:9/a"
        )


async def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with serving() as running:
        await running.client.post("/api/streams", json={"name": "a", "url": "demo:"})
        assert (await running.client.get("/api/info")).json()["keeps_cameras"] is False
    assert os.listdir(tmp_path) == []


async def test_a_configured_source_wins_over_a_kept_camera_and_a_bad_one_is_left_out(tmp_path: Path) -> None:
    kept = tmp_path / "cameras.yml"
    kept.write_text("door: rtsp://127.0.0.1:9/old\nodd: gopher://x\ngarden: 'demo:'\n")
    async with serving(cameras_file=kept, sources={"door": "rtsp://127.0.0.1:9/new"}) as running:
        streams = (await running.client.get("/api/streams")).json()["streams"]
        assert {s["name"]: s["url"] for s in streams} == {"door": "rtsp://127.0.0.1:9/new", "garden": "demo:"}


async def test_a_camera_that_cannot_be_kept_runs_and_says_so(tmp_path: Path) -> None:
    async with serving(cameras_file=tmp_path / "state" / "cameras.yml") as running:
        (tmp_path / "state").write_text("in the way")
        answer = await running.client.post("/api/streams", json={"name": "a", "url": "rtsp://u:hunter2@127.0.0.1:9/x"})
        assert (answer.status_code, answer.json()["error"]) == (500, "not_kept")
        assert "gone after a restart" in answer.json()["message"] and "hunter2" not in answer.text
        assert running.service.streams.get("a") is not None


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1]\n", "'a b': demo:\n", "{", "\x00"])
def test_a_file_of_something_else_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.yml").write_text(text)
    with pytest.raises(UsageError, match="does not hold cameras as NAME: URL"):
        KeptCameras(tmp_path / "cameras.yml")


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
