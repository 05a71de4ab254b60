"""A websocket protocol for uvicorn that bounds what waits in buffers and can drop a peer that does not read."""

import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

FORCE_CLOSE = "unmask.force_close"
SEND_BUFFER_BYTES = 64 * 1024
HIGH_WATER_BYTES = 128 * 1024
LINGER_S = 5.0


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Adds `force_close(code, reason)` to the ASGI scope's extensions and keeps the send buffers small."""

    def connection_made(self, transport: Any) -> None:
        """Bounds the buffers of a new connection."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Hands the application its way to drop the peer."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[FORCE_CLOSE] = self.force_close

    def force_close(self, code: int, reason: str) -> None:
        """Sends a close frame behind whatever is buffered, and cuts the connection five seconds later."""
        if self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        except InvalidState:
            self.transport.abort()
            return
        self.close_sent = True
        self.stop_keepalive()
        self.writable.set()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)
