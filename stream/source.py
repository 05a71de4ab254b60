"""`open_source`: from an address to a source of frames."""

import re
from pathlib import Path

from unmask.pipeline.errors import UsageError
from unmask.stream.redact import redact
from unmask.stream.source_base import Capture, Source, SourceStats, StateListener
from unmask.stream.source_demo import DemoScene, demo_capture
from unmask.stream.source_file import FileFrames, file_capture, read_file
from unmask.stream.source_live import LiveSource, Supervision
from unmask.stream.source_rtsp import rtsp_capture
from unmask.stream.source_webcam import webcam_capture, webcam_number

__all__ = ["FileFrames", "Source", "SourceStats", "StateListener", "open_capture", "open_source", "read_file"]

FORMS = "rtsp://…, rtsps://…, webcam:N, /dev/videoN, demo: or the path of a local file"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")

_CAMERA = Supervision(open_s=15.0, stall_s=3.0)
_WEBCAM = Supervision(refusal_is_final=True)
_DEMO = Supervision(reopen=False)
_FILE = Supervision(live=False, reopen=False, open_s=60.0, stall_s=float("inf"))


def open_source(url: str, name: str, on_state: StateListener) -> Source:
    """The source at this address, not started yet; a file is opened at once, everything else in the background.

    Raises:
        UsageError: the address has none of the supported forms.
        UnreadableFile: the file is missing or not a video or image.
    """
    capture, supervision = open_capture(url, name)
    return LiveSource(name, capture, on_state, supervision)


def open_capture(url: str, name: str) -> tuple[Capture, Supervision]:
    """How the pictures at this address are read, and how patiently; raises as `open_source` does."""
    number = webcam_number(url)
    if number is not None:
        return webcam_capture(number), _WEBCAM
    if url == "demo:":
        return demo_capture(DemoScene().picture_rgb), _DEMO
    scheme = _SCHEME.match(url)
    if scheme is None and url:
        return file_capture(read_file(Path(url), name)), _FILE
    if scheme is not None and scheme.group(1).lower() in ("rtsp", "rtsps") and re.match(r"(?i)rtsps?://[^/]", url):
        return rtsp_capture(url), _CAMERA
    raise UsageError(f"{redact(url) or 'an empty address'} is not a source; a source is {FORMS}")
