"""Network cameras over RTSP: one connection, read until it fails, with typed errors and no credentials in them."""

import threading
import time
from collections.abc import Generator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from unmask.models.video import PictureMaker
from unmask.pipeline.errors import SourceError, SourceLost, SourceRefused
from unmask.stream.decoding import DECODING, Choice, accelerator, set_up
from unmask.stream.redact import redact, with_encoded_credentials
from unmask.stream.source_base import Capture, Captured, Unusable

OPEN_S, READ_S = 5.0, 5.0
PROBES = ({"probesize": "100000", "analyzeduration": "300000"}, {"probesize": "5000000", "analyzeduration": "3000000"})
"""First what a plain camera needs to be shown at once, then what the others need: bytes and microseconds."""
OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "timeout": str(int(2 * OPEN_S * 1e6)),
    "fflags": "discardcorrupt",
    "flags": "low_delay",
    "max_delay": "0",
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls",
}
MOST_BAD_PACKETS = 100
"""In a row; a second or more of video of which nothing can be decoded."""


def rtsp_capture(url: str) -> Capture:
    """A capture of the camera at this address."""

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        where, decoder = redact(url), DECODING.choice()
        try:
            container = _open(with_encoded_credentials(url), where, stop, decoder)
        except av.FFmpegError as error:
            _blame(decoder, error)
            raise source_error(error, where) from None
        with container:
            try:
                yield from _pictures(container, where, stop, decoder)
            except av.FFmpegError as error:
                _blame(decoder, error)
                raise source_error(error, where) from None

    return capture


def source_error(error: av.FFmpegError, where: str) -> SourceError:
    """The typed error, with a sentence that names only the redacted address."""
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceRefused(f"{where} refuses the user name or the password", "auth_failed")
    if isinstance(error, av.error.HTTPNotFoundError):
        return SourceRefused(f"there is no such stream: {where}", "not_found")
    if isinstance(error, av.error.ExitError | TimeoutError):
        return SourceLost(f"{where} does not answer in time", "timeout")
    if isinstance(error, av.error.DecoderNotFoundError | av.error.InvalidDataError | av.error.PatchWelcomeError):
        return SourceLost(f"{where} sends no video that can be decoded", "codec_unsupported")
    if isinstance(error, av.error.EOFError | ConnectionError):
        return SourceLost(f"{where} cannot be reached or has hung up", "connection_failed")
    if where.startswith("rtsps:"):
        return SourceLost(f"no secure connection to {where}", "tls")
    return SourceLost(f"{where} cannot be reached or has hung up", "connection_failed")


def is_decoder_fault(error: av.FFmpegError) -> bool:
    """Whether this is how a hardware decoder fails, and neither a network nor a damaged picture."""
    network = TimeoutError | ConnectionError | av.error.HTTPError | av.error.EOFError | av.error.ExitError
    return not isinstance(error, network | av.error.InvalidDataError)


def _blame(decoder: Choice, error: av.FFmpegError) -> None:
    """Gives the hardware up at its first fault; the next attempt to open the camera is in software then."""
    if decoder.device is not None and is_decoder_fault(error):
        DECODING.failed(decoder.device, type(error).__name__)


def _open(url: str, where: str, stop: threading.Event, decoder: Choice) -> InputContainer:
    """Opens with the small probe, and with the large one where that does not tell what the video is."""
    for probe in PROBES:
        started_s = time.monotonic()
        try:
            container = av.open(
                url, options={**OPTIONS, **probe}, timeout=(OPEN_S, READ_S), hwaccel=accelerator(decoder)
            )
        except av.error.InvalidDataError:
            if time.monotonic() - started_s >= OPEN_S:
                raise SourceLost(f"{where} does not answer in time", "timeout") from None
            if probe is PROBES[-1] or stop.is_set():
                raise
            continue
        if container.streams.video and (container.streams.video[0].width or probe is PROBES[-1]):
            return container
        container.close()
    raise SourceRefused(f"{where} has no video", "codec_unsupported")


def _pictures(
    container: InputContainer, where: str, stop: threading.Event, decoder: Choice
) -> Generator[Captured | Unusable, None, None]:
    stream = container.streams.video[0]
    set_up(stream.codec_context, "live")
    make = PictureMaker()
    bad = 0
    for packet in container.demux(stream):
        if stop.is_set():
            return
        try:
            yield from _decode(stream, packet, time.monotonic(), make)
            bad = 0
        except av.error.InvalidDataError:
            bad += 1
            if bad >= MOST_BAD_PACKETS:
                if decoder.device is not None:
                    DECODING.failed(decoder.device, f"{bad} packets in a row could not be decoded")
                raise SourceLost(f"{where} sends no video that can be decoded", "codec_unsupported") from None
            yield Unusable("corrupt")


def _decode(
    stream: VideoStream, packet: "Packet[VideoStream]", arrival_s: float, make: PictureMaker
) -> Generator[Captured | Unusable, None, None]:
    """The pictures that this packet completes; those that waited for it in the decoder have arrived with it."""
    for frame in stream.codec_context.decode(packet):
        if frame.is_corrupt:
            yield Unusable("corrupt")
        else:
            picture = make(frame)
            picture.thumb()
            yield Captured(picture, frame.time, arrival_s, stream.codec_context.name)
