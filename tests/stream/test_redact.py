"""Addresses lose their secrets and keep what helps."""

import pytest

from unmask.stream.redact import redact, with_encoded_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("demo:", "demo:"),
        ("/videos/a@b.mp4", "/videos/a@b.mp4"),
        ("rtsp://camera.local:554/stream1", "rtsp://camera.local:554/stream1"),
        ("rtsp://bob:secret@camera/1", "rtsp://camera/1"),
        ("rtsp://bob@camera/1", "rtsp://camera/1"),
        ("rtsp://bob:se@cr@et@camera/1", "rtsp://camera/1"),
        ("rtsp://bob:se/cr/et@camera:554/1", "rtsp://camera:554/1"),
        ("rtsp://bob:se?cr#et@camera/1", "rtsp://camera/1"),
        ("RTSP://bob:secret@[fe80::1]:554/1", "RTSP://[fe80::1]:554/1"),
        ("rtsp://camera/?user=bob&password=secret&channel=1", "rtsp://camera/?user=***&password=***&channel=1"),
        ("rtsp://camera/user=bob_password=secret_channel=1", "rtsp://camera/user=***"),
        ("http://host/live?access_token=secret", "http://host/live?access_token=***"),
    ],
)
def test_redacted_addresses_hold_no_secret(url: str, shown: str) -> None:
    """User names, passwords and secret fields go, host and path stay."""
    assert redact(url) == shown
    assert "secret" not in redact(url)


@pytest.mark.parametrize(
    ("url", "encoded"),
    [
        ("rtsp://camera/1", "rtsp://camera/1"),
        ("rtsp://camera/user@1", "rtsp://camera/user@1"),
        ("rtsp://bob:plain@camera/1", "rtsp://bob:plain@camera/1"),
        ("rtsp://bob:p@ss@camera/1", "rtsp://bob:p%40ss@camera/1"),
        ("rtsp://bob:pass/w:rd@camera:554/1", "rtsp://bob:pass%2Fw%3Ard@camera:554/1"),
        ("rtsp://bob:p%40ss@camera/1", "rtsp://bob:p%40ss@camera/1"),
        ("rtsp://bob:100%@camera/1", "rtsp://bob:100%25@camera/1"),
        ("demo:", "demo:"),
    ],
)
def test_credentials_are_encoded_once(url: str, encoded: str) -> None:
    """What an opener would misread is percent-encoded; what is encoded already stays."""
    assert with_encoded_credentials(url) == encoded
