"""The API over a real server: streams, events, health, problems as JSON, tokens and origins."""

from collections.abc import AsyncIterator

import pytest

from tests.stream.serving import FakeJudge, live, make_verdict, publishing, serving
from unmask.pipeline.types import Frame, StreamState, Verdict, VerdictState


class Fickle(FakeJudge):
    """A judge who changes his mind with every frame."""

    def step(self, frame: Frame) -> list[Verdict]:
        """Manipulated on odd frames."""
        state = VerdictState.MANIPULATED if frame.seq % 2 else VerdictState.AUTHENTIC
        return [make_verdict(self.stream, seq=frame.seq, state=state)]


class Broken(FakeJudge):
    """A judge who fails."""

    def step(self, frame: Frame) -> list[Verdict]:
        """Raises."""
        raise RuntimeError("weights on fire")


async def test_empty_server_has_no_streams_and_is_ready() -> None:
    async with serving() as running:
        client = running.client
        assert (await client.get("/api/streams")).json() == {"streams": [], "max_streams": 8}
        assert (await client.get("/api/events")).json() == {"events": []}
        assert (await client.get("/livez")).json() == {"alive": True}
        assert (await client.get("/readyz")).status_code == 200
        running.service.ready = False
        assert (await client.get("/readyz")).status_code == 503


async def test_page_and_modules_are_served_with_a_strict_policy() -> None:
    async with serving() as running:
        page = await running.client.get("/")
        assert page.headers["content-type"].startswith("text/html") and "default-src 'self'" in str(page.headers)
        assert "http:" not in page.text and "https:" not in page.text
        module = await running.client.get("/client/shell.js")
        assert module.headers["content-type"].startswith("text/javascript")
        for path in ("/client/nothing.js", "/client/__init__.py", "/client/..%2fserver.py", "/nothing"):
            assert (await running.client.get(path)).status_code == 404


async def test_documentation_needs_nothing_from_elsewhere() -> None:
    async with serving() as running:
        assert "cdn" not in (await running.client.get("/docs")).text
        paths = (await running.client.get("/openapi.json")).json()["paths"]
        assert {"/whip/{stream}", "/whep/{stream}", "/api/streams", "/api/analyze", "/metrics"} <= set(paths)
        assert (await running.client.get("/schema/v1.json")).json()["title"] == "unmask.v1"


async def test_demo_stream_is_added_watched_and_removed() -> None:
    async with serving() as running:
        client = running.client
        added = await client.post("/api/streams", json={"name": "demo", "url": "demo:"})
        assert (added.status_code, added.headers["location"]) == (201, "/api/streams/demo")
        await running.until(lambda: live(running, "demo"))
        stream = (await client.get("/api/streams/demo")).json()
        assert stream["state"] == "live" and stream["size_wh"] == [640, 480] and stream["verdicts"][0]["track"] == 1
        picture = await client.get("/api/streams/demo/frame.jpg")
        assert picture.content[:3] == b"\xff\xd8\xff" and int(picture.headers["x-frame-seq"]) >= 0
        assert (await client.post("/api/streams", json={"name": "demo", "url": "demo:"})).status_code == 409
        assert (await client.delete("/api/streams/demo")).status_code == 204
        for path in ("/api/streams/demo", "/api/streams/demo/frame.jpg"):
            assert (await client.get(path)).json()["error"] == "no_such_stream"
        assert (await client.delete("/api/streams/demo")).status_code == 404


async def test_stream_without_a_picture_has_no_jpeg() -> None:
    async with serving() as running:
        await running.client.post("/api/streams", json={"name": "cam", "url": "rtsp://127.0.0.1:9/x"})
        assert (await running.client.get("/api/streams/cam/frame.jpg")).json()["error"] == "no_picture"


@pytest.mark.parametrize(
    "url",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "concat:/etc/passwd",
        "pipe:0",
        "lavfi:testsrc",
        "http://169.254.169.254/latest",
        "rtsp://169.254.169.254/latest",
        "rtsp://[fe80::1]/x",
        "rtsp://[::ffff:169.254.169.254]/x",
        "rtsp://0.0.0.0/x",
        "rtsp://224.0.0.1/x",
        "rtsp://",
        "rtsp:///etc/passwd",
        "webcam:0;rm",
        "demo:x",
        "",
        "x" * 3000,
    ],
)
async def test_addresses_that_no_camera_has_are_refused(url: str) -> None:
    async with serving() as running:
        answer = await running.client.post("/api/streams", json={"name": "x", "url": url})
        assert answer.status_code in (400, 422) and set(answer.json()) == {"error", "message"}
        assert running.service.streams.all() == []


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, {"name": "../x", "url": "demo:"}, {"name": "", "url": "demo:"}, []]
)
async def test_malformed_requests_are_problems(body: object) -> None:
    async with serving() as running:
        answer = await running.client.post("/api/streams", json=body)
        assert answer.status_code == 422 and answer.json()["error"] == "bad_request"


async def test_endless_body_is_cut_off() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    async with serving() as running:
        headers = {"Content-Type": "application/json"}
        answer = await running.client.post("/api/streams", content=chunks(), headers=headers)
        assert answer.status_code == 413 and set(answer.json()) == {"error", "message"}


async def test_credentials_of_a_camera_are_never_shown() -> None:
    async with serving() as running:
        client = running.client
        url = "rtsp://admin:hunter2@127.0.0.1:9/x"
        added = await client.post("/api/streams", json={"name": "cam", "url": url})
        await running.until(lambda: running.service.streams.all()[0].state is StreamState.RECONNECTING)
        texts = [added.text]
        for path in ("/api/streams", "/api/streams/cam", "/api/events", "/metrics"):
            texts.append((await client.get(path)).text)
        assert not any("hunter2" in text or "admin" in text for text in texts)
        assert "127.0.0.1" in texts[1]


async def test_too_many_streams_are_refused_and_ended_ones_do_not_count() -> None:
    async with serving(max_streams=1, judge=Broken) as running:
        client = running.client
        await client.post("/api/streams", json={"name": "a", "url": "demo:"})
        await running.until(lambda: running.service.streams.all()[0].state is StreamState.ENDED)
        stream = (await client.get("/api/streams/a")).json()
        assert "internal error" in stream["reason"] and "fire" not in stream["reason"]
        assert (await client.post("/api/streams", json={"name": "b", "url": "rtsp://127.0.0.1:9/x"})).status_code == 201
        full = await client.post("/api/streams", json={"name": "c", "url": "demo:"})
        assert full.status_code == 503 and "retry-after" in full.headers


async def test_server_that_left_out_all_it_can_admits_no_further_stream() -> None:
    async with serving() as running:
        client, ladder = running.client, running.service.streams.ladder
        assert (await client.post("/api/streams", json={"name": "a", "url": "rtsp://127.0.0.1:9/x"})).status_code == 201
        for tenth in range(100):
            ladder.judged("a", tenth / 10, 400.0, 5, lambda: 1.0)
        assert ladder.exhausted

        refused = await client.post("/api/streams", json={"name": "b", "url": "demo:"})
        assert (refused.status_code, refused.json()["error"]) == (503, "busy")
        assert "at its limit with 1 stream" in refused.json()["message"]
        assert "retry-after" in refused.headers
        metrics = (await client.get("/metrics")).text
        assert "unmask_degradation_rung 3" in metrics


async def test_changes_become_events_with_their_verdicts() -> None:
    async with serving(judge=Fickle) as running, publishing(running, "cam"):
        hub = running.service.hub
        await running.until(lambda: any(event.verdict for event in hub.events()))
        found = (await running.client.get("/api/events")).json()["events"]
        assert [event["id"] for event in found] == list(range(1, len(found) + 1))
        changed = next(event for event in found if event["kind"] == "verdict_state")
        verdict = (await running.client.get(f"/api/verdicts/{changed['id']}")).json()
        assert verdict["type"] == "verdict" and verdict["state"] == changed["after"]
        assert (await running.client.get("/api/events?since=1")).json()["events"][0]["id"] == 2
        for path in ("/api/verdicts/1", "/api/verdicts/99999"):
            assert (await running.client.get(path)).status_code == 404


async def test_metrics_count_frames_verdicts_and_latencies() -> None:
    async with serving() as running, publishing(running, "cam"):
        await running.until(lambda: live(running, "cam"))
        text = (await running.client.get("/metrics")).text
        assert 'unmask_stream_state{stream="cam",state="live"} 1' in text
        assert "unmask_webrtc_publishers 1" in text
        assert 'unmask_verdicts_total{stream="cam",state="authentic"}' in text
        assert 'unmask_verdict_seconds_bucket{stream="cam",stage="total",le="+Inf"}' in text


async def test_foreign_pages_and_names_are_refused() -> None:
    async with serving() as running:
        client = running.client
        own = f"http://127.0.0.1:{running.port}"
        body = {"name": "demo", "url": "demo:"}
        for headers, code in (
            ({"Origin": "http://evil.example"}, "foreign_origin"),
            ({"Origin": "null"}, "foreign_origin"),
            ({"Host": "evil.example", "Origin": "http://evil.example"}, "foreign_host"),
        ):
            answer = await client.post("/api/streams", json=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (403, code)
        assert (await client.get("/livez", headers={"Host": "evil.example"})).status_code == 403
        assert (await client.post("/api/streams", json=body, headers={"Origin": own})).status_code == 201


async def test_allowed_origin_gets_cors_headers() -> None:
    async with serving(allowed_origins=("https://ok.example",)) as running:
        headers = {"Origin": "https://ok.example", "Access-Control-Request-Method": "POST"}
        answer = await running.client.options("/whip/cam", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://ok.example"


async def test_token_guards_everything_but_page_and_health() -> None:
    async with serving(token="right", tokens=[{"token": "guest", "streams": ["cam"]}]) as running:
        client = running.client
        for path in ("/api/streams", "/api/events", "/metrics", "/api/info", "/api/streams/x/frame.jpg"):
            answer = await client.get(path)
            assert answer.status_code == 401 and "www-authenticate" in answer.headers
        for path in ("/", "/client/shell.js", "/livez", "/readyz", "/docs", "/schema/v1.json"):
            assert (await client.get(path)).status_code == 200
        assert (
            await client.post("/whip/cam", content="", headers={"Content-Type": "application/sdp"})
        ).status_code == 401
        admin, guest = {"Authorization": "Bearer right"}, {"Authorization": "Bearer guest"}
        body = {"name": "cam", "url": "demo:"}
        assert (await client.post("/api/streams", json=body, headers=guest)).status_code == 403
        assert (await client.post("/api/streams", json=body, headers=admin)).status_code == 201
        await client.post("/api/streams", json={"name": "yard", "url": "demo:"}, headers=admin)
        await running.until(lambda: live(running, "cam") and live(running, "yard"))
        seen = (await client.get("/api/streams", headers=guest)).json()["streams"]
        assert [stream["name"] for stream in seen] == ["cam"]
        assert (await client.get("/api/streams/yard", headers=guest)).status_code == 404
        assert (await client.get("/api/streams/yard/frame.jpg", headers=guest)).status_code == 404
        assert "yard" not in (await client.get("/metrics", headers=guest)).text
        assert "yard" not in (await client.get("/api/events", headers=guest)).text
        assert (await client.delete("/api/streams/cam", headers=guest)).status_code == 403
        assert "yard" in (await client.get("/metrics", headers=admin)).text
