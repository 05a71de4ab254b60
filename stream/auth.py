"""Who may call: tokens (argon2-hashed), rights per stream, and which hosts and origins a browser may come from."""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from unmask.pipeline.errors import UsageError
from unmask.stream.settings import LOOPBACK_NAMES, ServeSettings

MAX_WAITING = 16
MAX_REMEMBERED = 64
MAX_TOKEN_CHARS = 512


class AccessDenied(Exception):
    """Raised when a caller may not do what it asked; `status` is the HTTP status, `code` the wire's error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Grant:
    """What a caller may see; `streams` None means every stream, and adding and removing them too."""

    streams: frozenset[str] | None = None

    @property
    def full(self) -> bool:
        """Whether the caller may see and change everything."""
        return self.streams is None

    def allows(self, stream: str) -> bool:
        """Whether the caller may see this stream and publish under its name."""
        return self.streams is None or stream in self.streams


class TokenStore:
    """Knows tokens by their argon2 hashes only; a right token is remembered under a keyed digest for speed."""

    def __init__(self, hashed: Iterable[tuple[str, Grant]]) -> None:
        self._hashed = tuple(hashed)
        self._hasher = PasswordHasher()
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, Grant] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def required(self) -> bool:
        """Whether a token must be shown at all."""
        return bool(self._hashed)

    async def check(self, token: str | None) -> Grant:
        """The rights that a token gives; without any token in the store everybody has all rights.

        Raises:
            AccessDenied: 401 when the token is missing or wrong, 429 when too many are being checked.
        """
        if not self.required:
            return Grant()
        if not token or len(token) > MAX_TOKEN_CHARS:
            raise AccessDenied(401, "token_required", "this server asks for its access token")
        digest = hmac.digest(self._key, token.encode(), hashlib.sha256)
        grant = self._known.get(digest)
        if grant is None:
            grant = await self._verify(token)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[digest] = grant
        return grant

    async def _verify(self, token: str) -> Grant:
        if self._waiting >= MAX_WAITING:
            raise AccessDenied(429, "too_many_attempts", "too many tokens are being checked, try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                grant = await asyncio.to_thread(self._match, token)
        finally:
            self._waiting -= 1
        if grant is None:
            raise AccessDenied(401, "token_wrong", "this access token is not known here")
        return grant

    def _match(self, token: str) -> Grant | None:
        for hashed, grant in self._hashed:
            try:
                self._hasher.verify(hashed, token)
            except VerificationError:
                continue
            return grant
        return None


def open_tokens(settings: ServeSettings) -> tuple[TokenStore, str | None]:
    """The tokens of a server and, when one was generated just now, its text to be shown once.

    Raises:
        UsageError: the file of the generated token cannot be read or written.
    """
    hasher = PasswordHasher()
    hashed = [
        (hasher.hash(rule.token.get_secret_value()), Grant(None if rule.streams is None else frozenset(rule.streams)))
        for rule in settings.tokens
    ]
    generated = None
    if settings.token is not None:
        hashed.append((hasher.hash(settings.token.get_secret_value()), Grant()))
    elif not settings.loopback and not any(grant.full for _, grant in hashed):
        kept, generated = _kept_or_generated(settings.token_file.expanduser(), hasher)
        hashed.append((kept, Grant()))
    return TokenStore(hashed), generated


def _kept_or_generated(path: Path, hasher: PasswordHasher) -> tuple[str, str | None]:
    try:
        kept = path.read_text("ascii").strip()
        hasher.check_needs_rehash(kept)
        return kept, None
    except FileNotFoundError:
        token = secrets.token_urlsafe(24)
        kept = hasher.hash(token)
        _write_private(path, kept)
        return kept, token
    except (OSError, UnicodeDecodeError, InvalidHashError):
        raise UsageError(f"{path} does not hold the hash of a token; delete it to get a new token") from None


def _write_private(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
    except OSError as error:
        raise UsageError(
            f"cannot keep the token's hash in {path}: {error.strerror}; set UNMASK_TOKEN instead"
        ) from None


class Origins:
    """Which `Host` and `Origin` headers are answered; guards against foreign pages and DNS rebinding."""

    def __init__(self, settings: ServeSettings, *, token_required: bool) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins)
        names = {settings.host.lower(), *LOOPBACK_NAMES}
        names.update(hostname for origin in self._allowed if (hostname := urlsplit(origin).hostname))
        self._hosts = None if token_required else frozenset(names)

    def host_ok(self, host: str | None) -> bool:
        """Whether the `Host` header names this server; any name will do where a token is asked for."""
        if self._hosts is None:
            return True
        return host is not None and _hostname(f"//{host}") in self._hosts

    def origin_ok(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this `Origin` may call; no header means that the caller is not a browser's page."""
        if origin is None:
            return True
        origin = origin.lower()
        if origin in self._allowed:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and host is not None and parts.netloc == host.lower()


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
