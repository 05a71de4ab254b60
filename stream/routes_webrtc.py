"""WHIP and WHEP: SDP in, SDP out; the resource under `Location` ends with DELETE."""

from fastapi import APIRouter, Request, Response

from unmask.stream.auth import Grant
from unmask.stream.settings import check_stream_name
from unmask.stream.web import ApiError, GrantDep, ServiceDep, visible_stream
from unmask.stream.whip import MAX_SDP_BYTES, Answer

SDP = "application/sdp"

router = APIRouter(tags=["webrtc"])


@router.post("/whip/{stream}", status_code=201, summary="Publish a stream (RFC 9725)", response_class=Response)
async def whip(stream: str, request: Request, service: ServiceDep, grant: GrantDep) -> Response:
    """Takes an SDP offer, starts the stream and answers with SDP; all candidates are in the answer."""
    _check_name(stream, grant)
    answer = await service.peers.publish(stream, await _offer(request))
    return _created(f"/whip/{stream}/{answer.id}", answer)


@router.post("/whep/{stream}", status_code=201, summary="Watch a stream (WHEP)", response_class=Response)
async def whep(stream: str, request: Request, service: ServiceDep, grant: GrantDep) -> Response:
    """Takes an SDP offer that receives video, and sends the analysed frames of the stream."""
    shown = visible_stream(service, grant, stream)
    if not shown.running:
        raise ApiError(409, "stream_ended", "this stream has ended")
    answer = await service.peers.watch(shown, await _offer(request))
    return _created(f"/whep/{stream}/{answer.id}", answer)


@router.delete("/whip/{stream}/{key}", summary="End a publication")
@router.delete("/whep/{stream}/{key}", summary="Stop watching")
async def end(stream: str, key: str, service: ServiceDep, grant: GrantDep) -> Response:
    """Ends the connection and frees all that belongs to it before it answers."""
    if not grant.allows(stream) or not await service.peers.close(stream, key):
        raise ApiError(404, "no_such_session", "there is no such session")
    return Response(status_code=200)


@router.api_route("/whip/{stream}/{key}", methods=["PATCH"], include_in_schema=False)
@router.api_route("/whep/{stream}/{key}", methods=["PATCH"], include_in_schema=False)
async def patch(stream: str, key: str) -> Response:
    """Trickle ICE and ICE restarts are not offered."""
    raise ApiError(405, "no_trickle", "candidates must be in the offer: trickle ICE and ICE restarts are not supported")


@router.api_route("/whip/{stream}", methods=["OPTIONS"], include_in_schema=False)
@router.api_route("/whep/{stream}", methods=["OPTIONS"], include_in_schema=False)
async def options(stream: str) -> Response:
    """Says what may be posted."""
    return Response(status_code=204, headers={"Accept-Post": SDP, "Allow": "POST, OPTIONS"})


def _check_name(stream: str, grant: Grant) -> None:
    try:
        check_stream_name(stream)
    except ValueError as error:
        raise ApiError(400, "bad_name", str(error)) from None
    if not grant.allows(stream):
        raise ApiError(403, "no_right", "this token has no right to publish under this name")


async def _offer(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
        raise ApiError(415, "not_sdp", f"send the offer as {SDP}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_SDP_BYTES:
            raise ApiError(413, "too_large", f"an offer may have at most {MAX_SDP_BYTES} bytes")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise ApiError(400, "bad_offer", "the body is not an SDP offer") from None


def _created(location: str, answer: Answer) -> Response:
    return Response(answer.sdp, status_code=201, media_type=SDP, headers={"Location": location, "ETag": answer.etag})
