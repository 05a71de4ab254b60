"""The web application: the client page and its modules, and the routes of the other modules behind one guard."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from importlib.resources import files

from fastapi import FastAPI, Response
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from unmask.stream import (
    routes_analyze,
    routes_api,
    routes_cameras,
    routes_challenge,
    routes_jobs,
    routes_map,
    routes_webrtc,
    routes_ws,
    wire,
)
from unmask.stream.service import Service
from unmask.stream.web import ApiError, Guard, install_problems

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGES = {
    "/": "index.html",
    "/call": "call.html",
    "/cameras": "cameras.html",
    "/cameras/{name}": "camera.html",
    "/file": "file.html",
    "/help": "help.html",
    "/overlay/{stream}": "overlay.html",
    "/docs": "docs.html",
}
ROUTES = (
    routes_api,
    routes_cameras,
    routes_webrtc,
    routes_challenge,
    routes_analyze,
    routes_jobs,
    routes_map,
    routes_ws,
)


def create_app(service: Service) -> FastAPI:
    """The application of a service, which must be started and closed by its owner."""
    middleware = [Middleware(Guard, origins=service.origins)]
    if service.settings.allowed_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(service.settings.allowed_origins),
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Location", "ETag", "Retry-After", "X-Frame-Seq", "X-Faces"],
            )
        )
    app = FastAPI(
        title="unmask",
        version=version("unmask"),
        summary="Rolling, calibrated deepfake verdicts of live video.",
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
    )
    app.state.service = service
    install_problems(app)
    for routes in ROUTES:
        app.include_router(routes.router)
    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    pages = {
        item.name: item.read_bytes()
        for item in files("unmask.client_web").iterdir()
        if item.name.rpartition(".")[2] in MEDIA_TYPES
    }

    def static(name: str) -> Response:
        if name not in pages:
            raise ApiError(404, "not_found", "there is no such page")
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        return Response(pages[name], media_type=media_type, headers={"Cache-Control": "no-cache"})

    def page(name: str) -> Callable[[], Awaitable[Response]]:
        async def answer() -> Response:
            return static(name)

        return answer

    for path, name in PAGES.items():
        app.add_api_route(path, page(name), include_in_schema=False)

    @app.get("/client/{name}", include_in_schema=False)
    async def module(name: str) -> Response:
        return static(name)

    @app.get("/schema/v1.json", summary="JSON Schema of the websocket's messages")
    async def schema() -> dict[str, object]:
        return wire.schema()
