"""A careful download: http(s) only, bounded in size and time, never led to a private address by a redirect."""

import hashlib
import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from unmask.models.errors import WeightsError
from unmask.pipeline.errors import UsageError
from unmask.stream.redact import redact
from unmask.stream.writing import writing

TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to public http(s) addresses only, and never from https to http."""

    max_redirections = 5

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme != "https"):
            raise UsageError(f"{redact(req.full_url)} leads to an address that is not {old.scheme}")
        if not is_public(new.hostname or ""):
            raise UsageError(f"{redact(req.full_url)} leads to a private address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_public(host: str) -> bool:
    """Whether every address of a host is a public one; False when it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_global for entry in found)


def open_url(url: str) -> BinaryIO | Any:
    """Opens an http(s) address for reading.

    Raises:
        UsageError: it cannot be reached, or leads to where it must not.
    """
    try:
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _CarefulRedirects(),
        ):
            opener.add_handler(handler)
        return opener.open(urllib.request.Request(url, headers={"User-Agent": "unmask"}), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        raise UsageError(f"{redact(url)} answers {error.code}") from None
    except (OSError, ValueError, http.client.HTTPException):
        raise UsageError(f"{redact(url)} cannot be reached") from None


def copy_bounded(source: _Readable, target: Path, max_bytes: int) -> str:
    """Copies to `target` and gives back the sha256 in hex digits.

    Raises:
        WeightsError: there are more than `max_bytes`, or the source breaks off.
        UsageError: the target cannot be written.
    """
    digest, copied = hashlib.sha256(), 0
    with writing(target), target.open("wb") as file:
        while chunk := _read(source):
            copied += len(chunk)
            if copied > max_bytes:
                raise WeightsError(f"the file is larger than {max_bytes / 1e6:g} MB (see --max-mb): it was not taken")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _read(source: _Readable) -> bytes:
    try:
        return source.read(CHUNK_BYTES)
    except (OSError, http.client.HTTPException):
        raise WeightsError("the file broke off while it was read: it was not taken") from None
