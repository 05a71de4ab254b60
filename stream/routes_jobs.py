"""Analyses of uploaded files as jobs: start one, ask how far it is, fetch result and report, cancel."""

from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from unmask.stream.auth import Grant
from unmask.stream.jobs import HeldJob
from unmask.stream.routes_analyze import FORM, Method
from unmask.stream.service import Service
from unmask.stream.upload import receive, temporary_upload
from unmask.stream.web import ApiError, GrantDep, ServiceDep, status_of

router = APIRouter(tags=["files"])


@router.post("/api/jobs", status_code=202, summary="Start analysing a video or image", openapi_extra=FORM)
async def start_job(
    request: Request, service: ServiceDep, grant: GrantDep, method: Annotated[Method, Query()] = "fusion"
) -> JSONResponse:
    """Takes the form field `file` and answers with the job, whose address is in `Location`."""
    _full(grant)
    service.uploads.admit()
    with ExitStack() as file:
        path = file.enter_context(temporary_upload())
        name = await receive(request.headers, request.stream(), path, service.settings.max_upload_bytes)
        job = service.uploads.start(file.pop_all(), path, name, method)
    held = service.jobs.hold(job, name, method)
    return JSONResponse(_json(held), status_code=202, headers={"Location": f"/api/jobs/{held.id}"})


@router.get("/api/jobs/{job_id}", summary="How far a job is")
async def get_job(job_id: str, service: ServiceDep, grant: GrantDep) -> dict[str, Any]:
    """State and progress; once it is done, the result and the details that show why."""
    return _json(_held(service, grant, job_id))


@router.get("/api/jobs/{job_id}/report.html", summary="The report of a job", response_class=HTMLResponse)
async def report(job_id: str, service: ServiceDep, grant: GrantDep) -> Response:
    """One page that needs nothing but a browser, for keeping."""
    finding = _held(service, grant, job_id).finding
    if finding is None:
        raise ApiError(409, "not_done", "there is no report yet")
    headers = {"Content-Disposition": 'attachment; filename="unmask-report.html"', "Cache-Control": "no-store"}
    return HTMLResponse(finding.report, headers=headers)


@router.delete("/api/jobs/{job_id}", status_code=204, summary="Cancel and forget a job")
async def cancel_job(job_id: str, service: ServiceDep, grant: GrantDep) -> Response:
    """Stops the work, which is over when the answer comes; the file and the result are gone."""
    _full(grant)
    if not await service.jobs.remove(job_id):
        raise _unknown()
    return Response(status_code=204)


def _full(grant: Grant) -> None:
    if not grant.full:
        raise ApiError(403, "no_right", "this token has no right to analyse files")


def _unknown() -> ApiError:
    return ApiError(404, "no_such_job", "there is no such analysis any more; results are kept for 15 minutes")


def _held(service: Service, grant: Grant, job_id: str) -> HeldJob:
    _full(grant)
    held = service.jobs.get(job_id)
    if held is None:
        raise _unknown()
    return held


def _json(held: HeldJob) -> dict[str, Any]:
    state, error, finding = held.state, held.error, held.finding
    found: dict[str, Any] = {
        "id": held.id,
        "file": held.name,
        "method": held.method,
        "state": state,
        "progress": 1.0 if state == "done" else round(held.job.done, 3),
    }
    if error is not None:
        found |= {"error": status_of(error)[1], "message": str(error)}
    if finding is not None:
        found |= {"result": finding.result, "details": finding.details}
    return found
