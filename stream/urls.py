"""Which addresses a client of the API may have opened: cameras, never files, pipes or the cloud's metadata."""

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from unmask.pipeline.errors import UsageError
from unmask.stream.redact import with_encoded_credentials

RESOLVE_TIMEOUT_S = 5.0
ALLOWED = "rtsp://…, rtsps://…, webcam:N or demo:"
_LOCAL = re.compile(r"demo:|webcam:\d{1,2}")


async def check_url(url: str) -> None:
    """Lets cameras pass.

    Raises:
        UsageError: another scheme, no host, or a host that must not be asked: link-local, multicast or unspecified.
    """
    if _LOCAL.fullmatch(url):
        return
    if not re.match(r"(?i)rtsps?://", url):
        raise UsageError(f"this address may not be opened from outside; allowed are {ALLOWED}")
    try:
        parts = urlsplit(with_encoded_credentials(url))
        host, port = parts.hostname, parts.port or 554
    except ValueError:
        host, port = None, 0
    if not host:
        raise UsageError("the address names no host")
    if any(forbidden(address) for address in await _resolve(host, port)):
        raise UsageError("this host may not be opened from outside")


def forbidden(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one that no camera has: link-local (cloud metadata), multicast, unspecified, reserved."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = mapped or address
    metadata = address == ip_address("fd00:ec2::254") or address == ip_address("100.100.100.200")
    return metadata or address.is_link_local or address.is_multicast or address.is_unspecified


async def _resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """The host's addresses; none when it cannot be resolved, which the source then reports itself."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
