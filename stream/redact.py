"""Addresses without their secrets: every message, log line and metric passes through here."""

import re
from urllib.parse import quote

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET_FIELD = re.compile(
    r"(?i)(?<![A-Za-z])(user(?:name)?|pass(?:word|wd)?|pwd|token|key|api_?key|auth|secret|sig(?:nature)?)=[^&;#\s]*"
)
_HOST = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/@?#\[\]]+)(:\d{1,5})?$")


def redact(url: str) -> str:
    """The address without user name, password and secret query fields.

    A password may hold `@`, `/` or `?`: everything up to the last `@` is left out, even where a part of a path goes
    with it.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _SECRET_FIELD.sub(r"\1=***", url)
    rest = url[scheme.end() :].rpartition("@")[2]
    return scheme.group() + _SECRET_FIELD.sub(r"\1=***", rest)


def with_encoded_credentials(url: str) -> str:
    """The address with the special characters of its user name and password percent-encoded, as openers need it."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return url
    credentials, rest = _split_credentials(url[scheme.end() :])
    if not credentials:
        return url
    user, colon, password = credentials.partition(":")
    return scheme.group() + _encode(user) + colon + _encode(password) + "@" + rest


def _split_credentials(rest: str) -> tuple[str, str]:
    """The part before the `@` that ends the credentials, and what follows; the plainest reading that names a host."""
    authority, slash, path = rest.partition("/")
    credentials, at, host = authority.rpartition("@")
    if at and _HOST.match(host):
        return credentials, host + slash + path
    if not at and _HOST.match(authority):
        return "", rest
    credentials, _, tail = rest.rpartition("@")
    return credentials, tail


def _encode(text: str) -> str:
    """Percent-encodes what is not plain, and leaves what is encoded already."""
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", text)
    return "".join(piece if index % 2 else quote(piece, safe="") for index, piece in enumerate(pieces))
