"""Analysis of an uploaded file; with `Accept: application/x-ndjson` its progress comes before its result."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from unmask.pipeline.errors import UnmaskError
from unmask.stream.upload import Job, receive, temporary_upload
from unmask.stream.web import ApiError, GrantDep, ServiceDep, status_of

NDJSON = "application/x-ndjson"
BEAT_S = 0.5

Method = Literal["fusion", "spatial", "mri", "temporal"]
router = APIRouter(tags=["files"])

_FIELD = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FIELD}}},
}


@router.post("/api/analyze", summary="Analyse a video or image", openapi_extra=FORM)
async def analyze(
    request: Request, service: ServiceDep, grant: GrantDep, method: Annotated[Method, Query()] = "fusion"
) -> Response:
    """Takes the form field `file`, analyses it from start to end and answers with the verdict."""
    if not grant.full:
        raise ApiError(403, "no_right", "this token has no right to analyse files")
    service.uploads.admit()
    with ExitStack() as file:
        path = file.enter_context(temporary_upload())
        name = await receive(request.headers, request.stream(), path, service.settings.max_upload_bytes)
        job = service.uploads.start(file.pop_all(), path, name, method)
    if NDJSON in request.headers.get("accept", ""):
        return StreamingResponse(_lines(job), media_type=NDJSON)
    return JSONResponse(await _result(job, request))


async def _result(job: Job, request: Request) -> dict[str, object]:
    """The result, unless the caller leaves before it is there."""
    if job.task is None:
        raise ApiError(500, "failed", "the analysis was not started")
    try:
        while not job.task.done():
            await asyncio.wait([job.task], timeout=BEAT_S)
            if await request.is_disconnected():
                raise ApiError(499, "gone", "the caller left")
        return job.task.result().result
    finally:
        job.task.cancel()


async def _lines(job: Job) -> AsyncIterator[str]:
    """`{"progress": 0.4}` twice a second, then `{"result": …}` or `{"error": code, "message": sentence}`."""
    if job.task is None:
        return
    try:
        while not job.task.done():
            yield json.dumps({"progress": round(job.done, 3)}) + "\n"
            await asyncio.wait([job.task], timeout=BEAT_S)
        yield json.dumps({"result": job.task.result().result}) + "\n"
    except UnmaskError as error:
        yield json.dumps({"error": status_of(error)[1], "message": str(error)}) + "\n"
    finally:
        job.task.cancel()
