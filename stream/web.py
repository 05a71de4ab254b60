"""What all routes share: problems as JSON, rights of the caller, and the guard in front of everything."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from unmask.models.errors import BusyError
from unmask.pipeline.errors import UnmaskError, UnreadableFile, UsageError
from unmask.stream.auth import AccessDenied, Grant, Origins, bearer
from unmask.stream.kept import NotKept
from unmask.stream.probe import TooManyTests
from unmask.stream.service import Service
from unmask.stream.streams import NameTaken, RunningStream, TooManyStreams
from unmask.stream.upload import UploadError
from unmask.stream.whip import BadOffer, TooManyViewers

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RETRY_AFTER_S = "10"
MAX_BODY_BYTES = 262_144
UPLOAD_PATHS = ("/api/analyze", "/api/jobs")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=()",
}


class ApiError(UnmaskError):
    """Raised by a route to answer with this status, code and sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def problem(status: int, code: str, message: str) -> JSONResponse:
    """The one form of every failure: `{"error": code, "message": sentence}`."""
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = RETRY_AFTER_S
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": code, "message": message}, status_code=status, headers=headers)


def status_of(error: Exception) -> tuple[int, str]:
    """HTTP status and wire code of a failure."""
    if isinstance(error, ApiError | UploadError | AccessDenied):
        return error.status, error.code
    for kind, status, code in (
        (NameTaken, 409, "name_taken"),
        (TooManyStreams, 503, "too_many_streams"),
        (TooManyViewers, 503, "too_many_viewers"),
        (TooManyTests, 503, "busy"),
        (BusyError, 503, "busy"),
        (BadOffer, 400, "bad_offer"),
        (NotKept, 500, "not_kept"),
        (UsageError, 400, "bad_request"),
        (UnreadableFile, 422, "unreadable_file"),
    ):
        if isinstance(error, kind):
            return status, code
    return 500, "failed"


def install_problems(app: FastAPI) -> None:
    """Turns every expected exception of a route into its problem answer."""

    async def expected(_: Request, error: Exception) -> JSONResponse:
        return problem(*status_of(error), str(error))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        said = str(first["msg"]).removeprefix("Value error, ")
        return problem(422, "bad_request", f"{where}: {said}")

    async def http(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        answer = problem(status, f"http_{status}", str(getattr(error, "detail", "failed")))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    async def gone(_: Request, __: Exception) -> JSONResponse:
        return problem(400, "cut_off", "the request ended before it was complete")

    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(UnmaskError, expected)
    app.add_exception_handler(AccessDenied, expected)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def get_service(request: Request) -> Service:
    """The service behind the application."""
    service: Service = request.app.state.service
    return service


async def get_grant(request: Request) -> Grant:
    """The caller's rights.

    Raises:
        AccessDenied: a token is needed and missing or wrong.
    """
    return await get_service(request).tokens.check(bearer(request.headers.get("authorization")))


ServiceDep = Annotated[Service, Depends(get_service)]
GrantDep = Annotated[Grant, Depends(get_grant)]


def visible_stream(service: Service, grant: Grant, name: str) -> RunningStream:
    """The stream of this name, as far as the caller may know of it.

    Raises:
        ApiError: 404, also for a stream that the caller has no right to see.
    """
    stream = service.streams.get(name) if grant.allows(name) else None
    if stream is None:
        raise ApiError(404, "no_such_stream", "there is no stream of this name")
    return stream


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, adds the security headers."""

    def __init__(self, app: App, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers.get("host"), headers.get("origin"))
        if refusal is None:
            bounded = receive if scope["path"] in UPLOAD_PATHS else _bounded(receive)
            await self._app(scope, bounded, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[0]})
        else:
            await problem(403, *refusal)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, host: str | None, origin: str | None) -> tuple[str, str] | None:
        if not self._origins.host_ok(host):
            return "foreign_host", "this server does not answer under this host name"
        checked = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if checked and not self._origins.origin_ok(origin, host):
            return "foreign_origin", "pages of this origin may not call this server"
        return None


def _bounded(receive: Receive) -> Receive:
    """Ends a request whose body grows beyond what any route but the upload's takes."""
    taken = 0

    async def wrapped() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413, f"a request may have at most {MAX_BODY_BYTES} bytes")
        return message

    return wrapped


def _with_headers(send: Send) -> Send:
    async def wrapped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped
