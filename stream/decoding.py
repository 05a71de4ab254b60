"""Which decoder a source gets: hardware where this machine has one that opens, software on threads otherwise.

Said once in the log, and by `unmask doctor`. `UNMASK_DECODER` (or `decoder` in config.yml, for the server) takes
`auto`, `software` or the name of one kind of device. Only cameras over RTSP are decoded by hardware: WebRTC is decoded
by aiortc, in software, and files are too, so that the same file gives the same figures on every machine. No hardware
decoder has been run with this code yet: the machines at hand had none.
"""

import functools
import logging
import os
import threading
from dataclasses import dataclass
from typing import Literal

import av
from av.codec import Codec
from av.codec.context import CodecContext, Flags, ThreadType
from av.codec.hwaccel import HWAccel, hwdevices_available

from unmask.models.machine import cores
from unmask.pipeline.errors import UsageError

_log = logging.getLogger(__name__)

PREFERRED = ("cuda", "videotoolbox", "vaapi", "qsv", "d3d11va", "d3d12va", "dxva2", "amf", "vdpau", "vulkan")
"""Kinds of devices, the best first; kinds that FFmpeg has beside these are not tried."""
OPTIONS: dict[str, dict[str, object]] = {"cuda": {"primary_ctx": "1"}}
"""One CUDA context for all streams: each of its own would cost a few hundred megabytes of the GPU."""
MOST_THREADS = 4
"""Of one live stream's decoder; few cameras cut a picture into more parts, and many streams share the cores."""


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of hardware decoder that this FFmpeg was built with; `fault` says why it does not open, empty: it does."""

    name: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What decodes: a kind of device, or None for software; and why."""

    device: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.device or 'software'} ({self.why})"


class Decoding:
    """The choice of decoder of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: str | None = None
        self._faults: dict[str, str] = {}
        self._told: Choice | None = None

    def want(self, name: str) -> None:
        """Sets what is wanted: `auto`, `software`, or a kind of device.

        Raises:
            UsageError: the name is none of these.
        """
        if name not in ("auto", "software", *PREFERRED):
            raise UsageError(f"unknown decoder {name!r}; known are auto, software, {', '.join(PREFERRED)}")
        with self._lock:
            self._wanted = name

    def choice(self) -> Choice:
        """What decodes now, said in the log whenever it has changed.

        Raises:
            UsageError: the environment asks for an unknown decoder.
        """
        if self._wanted is None:
            self.want(os.environ.get("UNMASK_DECODER") or "auto")
        with self._lock:
            chosen = choose(self._wanted or "auto", devices(), self._faults)
            told, self._told = self._told, chosen
        if told != chosen:
            _log.info("video is decoded by %s", chosen)
        return chosen

    def failed(self, device: str, reason: str) -> None:
        """Gives a device up for the life of this process."""
        with self._lock:
            known = device in self._faults
            self._faults[device] = reason
        if not known:
            _log.warning("the %s decoder failed and is not used any more: %s", device, reason)


DECODING = Decoding()


def choose(wanted: str, found: tuple[Device, ...], faults: dict[str, str]) -> Choice:
    """The first device that opens and has not failed yet, or software.

    Args:
        wanted: `auto`, `software`, or a kind of device.
        faults: why devices that opened were given up later.
    """
    if wanted == "software":
        return Choice(None, "as set")
    tried = [device for device in found if wanted in ("auto", device.name)]
    for device in tried:
        if not device.fault and device.name not in faults:
            return Choice(device.name, "as set" if wanted == device.name else "the first that opens")
    if not tried:
        missing = f"this FFmpeg has no {wanted} decoder" if wanted != "auto" else "this FFmpeg has no hardware decoder"
        return Choice(None, missing)
    return Choice(None, "; ".join(f"{d.name}: {faults.get(d.name) or d.fault}" for d in tried))


@functools.cache
def devices() -> tuple[Device, ...]:
    """The kinds of hardware decoder in this FFmpeg, the preferred first, each opened once to see whether it works."""
    built_in = hwdevices_available()
    return tuple(Device(name, _fault(name)) for name in PREFERRED if name in built_in)


def accelerator(choice: Choice) -> HWAccel | None:
    """What `av.open` takes to decode on the chosen device; streams that the device does not know run in software."""
    if choice.device is None:
        return None
    return HWAccel(choice.device, allow_software_fallback=True, options=OPTIONS.get(choice.device))


def set_up(codec: CodecContext, pace: Literal["live", "file"]) -> None:
    """Threads of a decoder that is not open yet.

    Threads over whole frames hold back as many frames as there are threads, so a live stream gets threads over the
    parts of one frame and is asked for no delay.
    """
    if pace == "file":
        codec.thread_type = ThreadType.AUTO
        return
    codec.thread_type = ThreadType.SLICE
    codec.thread_count = min(MOST_THREADS, cores())
    codec.flags |= Flags.low_delay


def _fault(name: str) -> str:
    """Why this kind of device does not open for H.264, empty where it does."""
    try:
        HWAccel(name, options=OPTIONS.get(name)).create(Codec("h264", "r"))
    except NotImplementedError:
        return "not for H.264"
    except (av.FFmpegError, ValueError) as error:
        return f"does not open ({(error.strerror if isinstance(error, OSError) else None) or type(error).__name__})"
    return ""
