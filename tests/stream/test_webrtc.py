"""WHIP in, WHEP out, over real WebRTC connections on this machine; what ends leaves nothing behind."""

import asyncio
import json
import threading

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from av import VideoFrame

from tests.stream.serving import NoiseTrack, Running, live, offer_of, post_sdp, publishing, serving
from unmask.pipeline.types import StreamState
from unmask.stream import source_webrtc

SDP = {"Content-Type": "application/sdp"}


def tasks_of_streams() -> list[str]:
    """Names of the tasks that belong to streams and viewers."""
    prefixes = ("stream ", "watch of ", "drain of ", "viewer of ")
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(prefixes)]


def decoders() -> int:
    """How many decoder threads of aiortc run."""
    return sum("decoder" in thread.name for thread in threading.enumerate())


async def freed(running: Running) -> None:
    """Waits until nothing of any stream or viewer is left."""
    await running.until(lambda: not running.service.streams.all() and running.service.peers.counts == (0, 0))
    await running.until(lambda: not tasks_of_streams() and decoders() == 0)


async def test_published_stream_gets_verdicts_and_delete_frees_everything() -> None:
    async with serving() as running, publishing(running, "cam") as publisher:
        assert publisher.response.status_code == 201
        assert publisher.response.headers["content-type"] == "application/sdp"
        assert publisher.response.headers["etag"].startswith('"')
        await running.until(lambda: live(running, "cam"))
        assert running.service.peers.counts == (1, 0)

        ended = await running.client.delete(publisher.location)

        assert ended.status_code == 200
        assert running.service.streams.all() == [] and running.service.peers.counts == (0, 0)
        await freed(running)
        assert (await running.client.delete(publisher.location)).status_code == 404


async def test_peer_that_closes_without_delete_is_freed() -> None:
    async with serving() as running:
        async with publishing(running, "cam"):
            await running.until(lambda: live(running, "cam"))
        await freed(running)


async def test_silent_publisher_has_no_signal_and_is_freed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_webrtc.WebRtcSource.__init__, "__kwdefaults__", {"no_media_s": 0.5, "give_up_s": 1.5})
    async with serving() as running, publishing(running, "cam") as publisher:
        await running.until(lambda: live(running, "cam"))
        publisher.track.flowing.clear()
        await running.until(lambda: stream_state(running, "cam") is StreamState.NO_SIGNAL)
        await freed(running)


async def test_publisher_that_comes_back_is_live_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_webrtc.WebRtcSource.__init__, "__kwdefaults__", {"no_media_s": 0.5, "give_up_s": 30})
    async with serving() as running, publishing(running, "cam") as publisher:
        await running.until(lambda: live(running, "cam"))
        publisher.track.flowing.clear()
        await running.until(lambda: stream_state(running, "cam") is StreamState.NO_SIGNAL)
        publisher.track.flowing.set()
        await running.until(lambda: live(running, "cam"))


async def test_publisher_that_never_connects_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_webrtc.WebRtcSource.__init__, "__kwdefaults__", {"no_media_s": 0.2, "give_up_s": 0.6})
    async with serving() as running:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver(NoiseTrack(), "sendonly")
        answer = await post_sdp(running.client, "/whip/cam", await offer_of(peer))
        assert answer.status_code == 201
        await freed(running)
        await peer.close()


async def test_sound_is_drained_and_freed_with_the_stream() -> None:
    async with serving() as running:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        video, sound = NoiseTrack(), AudioStreamTrack()
        peer.addTransceiver(video, "sendonly")
        peer.addTransceiver(sound, "sendonly")
        answer = await post_sdp(running.client, "/whip/cam", await offer_of(peer))
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await running.until(lambda: live(running, "cam"))
        await running.client.delete(answer.headers["location"])
        await freed(running)
        await peer.close()
        video.stop()
        sound.stop()


def test_late_pictures_say_so_by_their_own_clock() -> None:
    lateness = source_webrtc.Lateness()
    assert lateness.seconds(5.0, 100.0) == 0.0
    assert lateness.seconds(6.0, 101.5) == pytest.approx(0.5, abs=0.01)
    assert lateness.seconds(8.0, 102.9) == 0.0
    assert lateness.seconds(8.1, 105.0) == pytest.approx(2.0, abs=0.01)
    assert lateness.seconds(0.0, 200.0) == 0.0


async def test_server_stops_with_publishers_and_viewers_connected() -> None:
    async with serving() as running:
        publishing_cam = publishing(running, "cam")
        await publishing_cam.__aenter__()
        await running.until(lambda: live(running, "cam"))
    assert running.service.peers.counts == (0, 0) and tasks_of_streams() == []
    await publishing_cam.__aexit__(None, None, None)


async def test_viewer_sees_the_analysed_pictures_and_delete_frees_it() -> None:
    async with serving() as running, publishing(running, "cam"):
        await running.until(lambda: live(running, "cam"))
        viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        viewer.addTransceiver("video", "recvonly")
        answer = await post_sdp(running.client, "/whep/cam", await offer_of(viewer))
        assert answer.status_code == 201
        await viewer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        picture = await asyncio.wait_for(viewer.getReceivers()[0].track.recv(), 15)
        assert isinstance(picture, VideoFrame) and (picture.width, picture.height) == (320, 240)
        assert running.service.peers.viewers_of("cam") == 1

        assert (await running.client.delete(answer.headers["location"])).status_code == 200

        assert running.service.peers.counts == (1, 0)
        await viewer.close()


async def test_end_of_the_stream_ends_its_viewers() -> None:
    async with serving() as running:
        viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        viewer.addTransceiver("video", "recvonly")
        async with publishing(running, "cam") as publisher:
            await running.until(lambda: live(running, "cam"))
            answer = await post_sdp(running.client, "/whep/cam", await offer_of(viewer))
            await viewer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            track = viewer.getReceivers()[0].track
            await asyncio.wait_for(track.recv(), 15)
            await running.client.delete(publisher.location)
        await freed(running)
        with pytest.raises(MediaStreamError):
            async with asyncio.timeout(10):
                while True:
                    await track.recv()
        await viewer.close()


async def test_second_publisher_of_a_name_is_refused() -> None:
    async with serving() as running, publishing(running, "cam") as first, publishing(running, "cam") as second:
        assert (first.response.status_code, second.response.status_code) == (201, 409)
        assert second.response.json()["error"] == "name_taken"


async def test_full_server_refuses_with_retry_after() -> None:
    async with serving(max_streams=1) as running, publishing(running, "a"), publishing(running, "b") as second:
        assert second.response.status_code == 503
        assert second.response.headers["retry-after"].isdigit()
        assert second.response.json()["error"] == "too_many_streams"


@pytest.mark.parametrize(
    "body", ["", "hello", "v=0\r\n", json.dumps({"sdp": "x"}), "v=0\r\nm=video 9 x 1\r\n", "m=\r\n"]
)
async def test_nonsense_is_a_bad_offer(body: str) -> None:
    async with serving() as running:
        answer = await post_sdp(running.client, "/whip/cam", body)
        assert answer.status_code == 400 and answer.json()["error"] == "bad_offer"
        assert running.service.streams.all() == []


async def test_offer_without_video_or_in_the_wrong_direction_is_refused() -> None:
    async with serving() as running:
        for kind, direction in (("audio", "sendonly"), ("video", "recvonly")):
            peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            peer.addTransceiver(kind, direction)
            answer = await post_sdp(running.client, "/whip/cam", await offer_of(peer))
            assert answer.status_code == 400
            await peer.close()
        assert running.service.peers.counts == (0, 0)


async def test_requests_that_whip_does_not_know() -> None:
    async with serving() as running:
        client: httpx.AsyncClient = running.client
        assert (await client.post("/whip/cam", content="{}")).status_code == 415
        assert (await client.post("/whip/cam", content="x" * 70_000, headers=SDP)).status_code == 413
        assert (await client.post("/whip/cam", content=b"\xff\xfe", headers=SDP)).status_code == 400
        assert (await client.post("/whip/..%2Fx", content="", headers=SDP)).status_code in (400, 404, 405)
        assert (await client.post("/whip/a b", content="", headers=SDP)).status_code == 400
        assert (await client.get("/whip/cam")).status_code == 405
        assert (await client.patch("/whip/cam/x", content="")).status_code == 405
        assert (await client.delete("/whip/cam/x")).status_code == 404
        assert (await client.post("/whep/cam", content="", headers=SDP)).status_code == 404
        assert (await client.options("/whip/cam")).headers["accept-post"] == "application/sdp"


def stream_state(running: Running, name: str) -> StreamState | None:
    """The state of a stream, None when there is none."""
    stream = running.service.streams.get(name)
    return None if stream is None else stream.state
