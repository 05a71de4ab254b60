"""Which addresses are sources."""

import pytest

from unmask.pipeline.errors import UnreadableFile, UsageError
from unmask.stream.source import open_source


def quiet(*said: object) -> None:
    """Hears nothing."""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "lavfi:testsrc",
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/a.mp4",
        "subfile,,start,0,end,9,,:a.mp4",
        "data:video/mp4;base64,AAAA",
        "crypto:a",
        "rtsp:",
        "rtsp:///no/host",
        "rtspx://host/",
        "webcam:",
        "webcam:front",
        "demo:other",
        "gopher://bob:secret@host/",
    ],
)
async def test_only_the_supported_forms_are_opened(url: str) -> None:
    """Anything else is a question of usage, answered with the forms there are and without secrets."""
    with pytest.raises((UsageError, UnreadableFile)) as refused:
        open_source(url, "test", quiet)

    assert "secret" not in str(refused.value)
    if not url.startswith(("webcam:", "subfile")):
        assert "rtsp://…" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["rtsp://camera/1", "RTSPS://bob:secret@camera:322/1", "webcam:0", "/dev/video3", "demo:"],
)
async def test_live_forms_open_in_the_background(url: str) -> None:
    """Making a source touches neither network nor device."""
    source = open_source(url, "front door", quiet)

    assert source.live
    assert source.name == "front door"
    await source.close()
