"""The JSON API: streams, their pictures, events and verdicts; and what monitors ask for."""

import asyncio
import json
from typing import Annotated

import cv2
import numpy as np
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from numpy.typing import NDArray
from pydantic import BaseModel, Field, SecretStr

from unmask.pipeline.types import Verdict
from unmask.stream import wire
from unmask.stream.auth import Grant
from unmask.stream.metrics import CONTENT_TYPE
from unmask.stream.monitor import metrics_text, stream_json
from unmask.stream.settings import STREAM_NAME
from unmask.stream.urls import check_url
from unmask.stream.web import ApiError, GrantDep, ServiceDep, visible_stream

JPEG_QUALITY = 80
MAX_JPEG_WIDTH = 1280

router = APIRouter()


class NewStream(BaseModel):
    """A stream to open."""

    name: Annotated[str, Field(pattern=f"^{STREAM_NAME.pattern}$")]
    url: Annotated[SecretStr, Field(min_length=1, max_length=2048)]


@router.get("/api/streams", tags=["streams"], summary="All streams with their states and counts")
async def list_streams(service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """Every stream that the caller may see."""
    streams = [stream_json(service, stream) for stream in service.streams.all() if grant.allows(stream.name)]
    return {"streams": streams, "max_streams": service.settings.max_streams}


@router.post("/api/streams", status_code=201, tags=["streams"], summary="Open a camera")
async def add_stream(body: NewStream, service: ServiceDep, grant: GrantDep) -> JSONResponse:
    """Opens `rtsp://…`, `rtsps://…`, `webcam:N` or `demo:`; a camera that is down is tried again and again."""
    _full(grant)
    await check_url(body.url.get_secret_value())
    stream = await service.add(body.name, body.url)
    return JSONResponse(
        stream_json(service, stream), status_code=201, headers={"Location": f"/api/streams/{stream.name}"}
    )


@router.get("/api/streams/{name}", tags=["streams"], summary="One stream with its newest verdicts")
async def get_stream(name: str, service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """State, counts and the newest verdict of every face in the picture."""
    stream = visible_stream(service, grant, name)
    return {**stream_json(service, stream), "verdicts": [wire.verdict_message(v) for v in stream.newest()]}


@router.delete("/api/streams/{name}", status_code=204, tags=["streams"], summary="End a stream")
async def remove_stream(name: str, service: ServiceDep, grant: GrantDep) -> Response:
    """Ends a stream; its source is closed before the answer."""
    _full(grant)
    if not await service.remove(name):
        raise ApiError(404, "no_such_stream", "there is no stream of this name")
    return Response(status_code=204)


@router.get(
    "/api/streams/{name}/frame.jpg",
    tags=["streams"],
    summary="The newest analysed picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def frame(
    name: str,
    service: ServiceDep,
    grant: GrantDep,
    width: Annotated[int, Query(ge=64, le=MAX_JPEG_WIDTH)] = MAX_JPEG_WIDTH,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A JPEG of the newest analysed frame, at most `width` pixels wide; `X-Frame-Seq` is its number.

    `X-Faces` holds the faces of this very frame as JSON: `[[track, state, p_fake, x0, y0, x1, y1], …]`.
    The answer is 304 while the frame of the `ETag` shown in `If-None-Match` is still the newest.
    """
    stream = visible_stream(service, grant, name)
    newest = stream.tap.frame
    if newest is None:
        raise ApiError(404, "no_picture", "this stream has no picture yet")
    headers = {
        "Cache-Control": "no-store",
        "ETag": f'"{newest.seq}-{width}"',
        "X-Frame-Seq": str(newest.seq),
        "X-Faces": json.dumps([_face(verdict) for verdict in stream.newest() if verdict.seq == newest.seq]),
    }
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    jpeg = await asyncio.to_thread(_to_jpeg, newest.image_rgb, width)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get("/api/events", tags=["verdicts"], summary="The last changes of state")
async def events(service: ServiceDep, grant: GrantDep, since: Annotated[int, Query(ge=0)] = 0) -> dict[str, object]:
    """Changes after number `since`, oldest first; at most 256 are held."""
    found = service.hub.events(since, grant.allows)
    return {"events": [event.message for event in found]}


@router.get("/api/verdicts/{event_id}", tags=["verdicts"], summary="The verdict behind a change of state")
async def verdict(event_id: int, service: ServiceDep, grant: GrantDep) -> wire.Message:
    """The whole verdict that made event number `event_id`."""
    for event in service.hub.events(event_id - 1, grant.allows):
        if event.id == event_id and event.verdict is not None:
            return event.verdict
    raise ApiError(404, "no_such_verdict", "there is no verdict behind an event of this number")


@router.get("/api/info", tags=["server"], summary="What runs here")
async def info(service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """Device, weights and limits."""
    return {
        "device": service.engine.device,
        "weights": service.engine.weights_sha256,
        "method": service.settings.method,
        "max_upload_mb": service.settings.max_upload_mb,
        "max_streams": service.settings.max_streams,
        "may_change": grant.full,
        "keeps_cameras": service.settings.cameras_file is not None,
    }


@router.get("/metrics", tags=["server"], summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(service: ServiceDep, grant: GrantDep) -> Response:
    """Figures of the streams that the caller may see."""
    return Response(metrics_text(service, grant.allows), headers={"Content-Type": CONTENT_TYPE})


@router.get("/livez", tags=["server"], summary="Whether the server answers")
async def livez() -> dict[str, bool]:
    """Always true; what counts is that the answer comes."""
    return {"alive": True}


@router.get("/readyz", tags=["server"], summary="Whether the server takes work")
async def readyz(request: Request, service: ServiceDep) -> JSONResponse:
    """200 once the networks are loaded, 503 before and while stopping."""
    return JSONResponse({"ready": service.ready}, status_code=200 if service.ready else 503)


def _full(grant: Grant) -> None:
    if not grant.full:
        raise ApiError(403, "no_right", "this token has no right to add or remove streams")


def _face(verdict: Verdict) -> list[object]:
    p_fake = None if verdict.p_fake is None else round(float(verdict.p_fake), 3)
    return [verdict.track, verdict.state.value, p_fake, *(round(float(value), 4) for value in verdict.box_xyxy)]


def _to_jpeg(image_rgb: NDArray[np.uint8], most_wide: int) -> bytes:
    height, width = image_rgb.shape[:2]
    image_bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    if width > most_wide:
        size_wh = (most_wide, max(1, round(height * most_wide / width)))
        image_bgr = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()
