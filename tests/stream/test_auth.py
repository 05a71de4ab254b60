"""Tokens are known by their hashes only; foreign hosts and origins are told apart from the server's own."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from unmask.pipeline.errors import UsageError
from unmask.stream import auth
from unmask.stream.auth import AccessDenied, Grant, Origins, TokenStore, bearer, open_tokens
from unmask.stream.settings import ServeSettings


def open_settings(tmp_path: Path, **settings: Any) -> ServeSettings:
    """Settings of a server that others can reach."""
    return ServeSettings.load(host="0.0.0.0", token_file=tmp_path / "deep" / "token", **settings)


async def test_server_of_this_machine_asks_nobody() -> None:
    store, generated = open_tokens(ServeSettings.load())
    assert not store.required and generated is None
    assert (await store.check(None)).full


async def test_open_server_generates_its_token_once_and_keeps_the_hash_only(tmp_path: Path) -> None:
    store, token = open_tokens(open_settings(tmp_path))
    kept = tmp_path / "deep" / "token"
    assert token is not None and store.required
    assert kept.read_text().startswith("$argon2id$") and token not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    again, none = open_tokens(open_settings(tmp_path))

    assert none is None
    assert (await again.check(token)).full
    with pytest.raises(AccessDenied) as caught:
        await again.check(token + "x")
    assert caught.value.status == 401


async def test_token_of_the_environment_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_TOKEN", "from the environment")
    store, generated = open_tokens(open_settings(tmp_path))
    assert generated is None and not (tmp_path / "deep").exists()
    assert (await store.check("from the environment")).full


@pytest.mark.parametrize("content", ["", "no hash", "\xff"])
def test_spoilt_token_file_is_a_usage_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "token").write_text(content, "latin-1")
    with pytest.raises(UsageError, match="delete it"):
        open_tokens(open_settings(tmp_path))


async def test_limited_token_sees_its_streams_only(tmp_path: Path) -> None:
    settings = open_settings(tmp_path, token="admin", tokens=[{"token": "guest", "streams": ["door"]}])
    store, _ = open_tokens(settings)
    grant = await store.check("guest")
    assert grant.allows("door") and not grant.allows("yard") and not grant.full
    assert (await store.check("admin")).full


@pytest.mark.parametrize("token", [None, "", "x" * 600])
async def test_missing_or_endless_tokens_are_refused_without_hashing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    store, _ = open_tokens(open_settings(tmp_path, token="right"))
    monkeypatch.setattr(TokenStore, "_match", lambda *_: pytest.fail("hashed"))
    with pytest.raises(AccessDenied):
        await store.check(token)


async def test_right_token_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = open_tokens(open_settings(tmp_path, token="right"))
    await store.check("right")
    monkeypatch.setattr(TokenStore, "_match", lambda *_: pytest.fail("hashed"))
    assert (await store.check("right")).full


async def test_flood_of_guesses_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_WAITING", 2)
    store, _ = open_tokens(open_settings(tmp_path, token="right"))
    answers = await asyncio.gather(*(store.check(f"guess {n}") for n in range(5)), return_exceptions=True)
    statuses = sorted(answer.status for answer in answers if isinstance(answer, AccessDenied))
    assert statuses == [401, 401, 429, 429, 429]


def test_all_streams_are_a_full_grant() -> None:
    assert Grant().full and Grant().allows("anything") and not Grant(frozenset()).allows("anything")


@pytest.mark.parametrize(
    ("header", "token"),
    [(None, None), ("", None), ("Bearer", None), ("Bearer ", None), ("Basic x", None), ("bearer  a b ", "a b")],
)
def test_bearer_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_own_hosts_are_answered(host: str) -> None:
    assert Origins(ServeSettings.load(), token_required=False).host_ok(host)


@pytest.mark.parametrize("host", [None, "", "evil.example", "evil.example:8642", "127.0.0.1.evil.example", "[::1"])
def test_rebound_names_are_not_answered(host: str | None) -> None:
    assert not Origins(ServeSettings.load(), token_required=False).host_ok(host)


def test_any_host_is_answered_where_a_token_is_asked_for() -> None:
    assert Origins(ServeSettings.load(), token_required=True).host_ok("cam.example")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:8642", True),
        ("https://localhost:8642", True),
        ("https://ok.example", True),
        ("null", False),
        ("", False),
        ("http://localhost:9999", False),
        ("http://evil.example", False),
        ("file://localhost:8642", False),
        ("http://localhost:8642.evil.example", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    origins = Origins(ServeSettings.load(allowed_origins=("https://ok.example/",)), token_required=False)
    assert origins.origin_ok(origin, "localhost:8642") is allowed
