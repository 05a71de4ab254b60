"""Liveness challenges over HTTP: start, look, stop; the same as the websocket's `challenge` messages."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StrictBool

from unmask.pipeline.challenge import Prompt
from unmask.stream.challenge import CannotChallenge
from unmask.stream.web import ApiError, GrantDep, ServiceDep, visible_stream

STATUS = {"no_such_stream": 404, "no_such_face": 409, "challenge_running": 409, "too_many_challenges": 503}

router = APIRouter(tags=["challenges"])


class NewChallenge(BaseModel):
    """A challenge to start; without a prompt the server draws one."""

    track: Annotated[int, Field(ge=1)]
    prompt: Prompt | None = None
    mirrored: StrictBool = False


@router.post("/api/streams/{name}/challenge", status_code=201, summary="Challenge a face")
async def start(name: str, body: NewChallenge, service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """Asks for nothing by itself: show the prompt to the person once `phase` is `answer`."""
    visible_stream(service, grant, name)
    try:
        running = service.challenges.start(name, body.track, body.prompt, mirrored=body.mirrored)
    except CannotChallenge as error:
        raise ApiError(STATUS[error.code], error.code, str(error)) from None
    return running.message()


@router.get("/api/streams/{name}/challenge", summary="Challenges of a stream")
async def look(name: str, service: ServiceDep, grant: GrantDep) -> dict[str, object]:
    """The running ones, then the ends of earlier ones, newest first; the server keeps 64 ends in all."""
    visible_stream(service, grant, name)
    return {"challenges": service.challenges.messages(name)}


@router.delete("/api/streams/{name}/challenge", status_code=204, summary="Stop a stream's challenges")
async def stop(
    name: str, service: ServiceDep, grant: GrantDep, track: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Stops the challenge of one face, or of all faces of the stream."""
    visible_stream(service, grant, name)
    if not service.challenges.stop(name, track):
        raise ApiError(404, "no_such_challenge", "no challenge is running there")
    return Response(status_code=204)
