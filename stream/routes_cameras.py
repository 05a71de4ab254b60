"""What the camera wall needs besides the streams: connection tests, changes of a camera, and the history."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SecretStr, model_validator

from unmask.stream.auth import Grant
from unmask.stream.monitor import stream_json
from unmask.stream.settings import STREAM_NAME
from unmask.stream.urls import check_url
from unmask.stream.web import ApiError, GrantDep, ServiceDep, visible_stream

Name = Annotated[str, Field(pattern=f"^{STREAM_NAME.pattern}$")]
Url = Annotated[SecretStr, Field(min_length=1, max_length=2048)]
KnownState = Literal[
    "authentic", "suspicious", "manipulated", "uncertain", "connecting", "live", "no_signal", "reconnecting", "ended"
]

router = APIRouter()


class Tested(BaseModel):
    """What to test: an address, or a stream whose address the server knows."""

    url: Url | None = None
    stream: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> "Tested":
        if (self.url is None) == (self.stream is None):
            raise ValueError("give either an address or the name of a stream")
        return self


class Changed(BaseModel):
    """What becomes of a stream; what is left out stays as it is."""

    name: Name | None = None
    url: Url | None = None


@router.post("/api/streams/test", tags=["streams"], summary="Test the connection to a camera")
async def test_stream(body: Tested, service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """Opens the camera for a few seconds: `{"ok": true, "size_wh", "fps", "codec", "first_picture_ms", "picture"}`,
    or `{"ok": false, "error": code, "message": sentence}`. At most two at a time."""
    _full(grant)
    if body.url is not None:
        await check_url(body.url.get_secret_value())
        return await service.test(body.url.get_secret_value())
    address = visible_stream(service, grant, body.stream or "").address
    if address is None:
        raise ApiError(409, "not_a_camera", "this stream has no address that could be tested")
    return await service.test(address.get_secret_value())


@router.patch("/api/streams/{name}", tags=["streams"], summary="Rename a camera or change its address")
async def change_stream(name: str, body: Changed, service: ServiceDep, grant: GrantDep) -> JSONResponse:
    """Ends the stream and opens it again under its new name or address; an address left out stays as it is."""
    _full(grant)
    stream = visible_stream(service, grant, name)
    if stream.address is None:
        raise ApiError(409, "not_a_camera", "only cameras can be changed")
    if body.url is not None:
        await check_url(body.url.get_secret_value())
    changed = await service.change(stream, body.name or name, body.url or stream.address)
    return JSONResponse(stream_json(service, changed), headers={"Location": f"/api/streams/{changed.name}"})


@router.get("/api/history", tags=["verdicts"], summary="What faces and streams were said to be, from when to when")
async def history(
    service: ServiceDep,
    grant: GrantDep,
    stream: str | None = None,
    state: Annotated[list[KnownState] | None, Query()] = None,
    kind: Literal["face", "stream"] | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, object]:
    """Newest first; `before` takes the last id of a page for the next. 200 of one stream and 2000 in all are held."""
    found = service.history.find(grant.allows, stream=stream, states=state or (), kind=kind, before=before, limit=limit)
    return {"history": found, "pictures": service.settings.history_pictures}


@router.get(
    "/api/history/{chapter}/face.jpg",
    tags=["verdicts"],
    summary="The face when its probability was highest",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def face(chapter: int, service: ServiceDep, grant: GrantDep) -> Response:
    """A JPEG of at most 160 pixels."""
    jpeg = service.history.picture(chapter, grant.allows)
    if jpeg is None:
        raise ApiError(404, "no_picture", "there is no picture of this moment")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _full(grant: Grant) -> None:
    if not grant.full:
        raise ApiError(403, "no_right", "this token has no right to test or change cameras")
