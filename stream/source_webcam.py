"""Cameras of this machine, behind a small driver that tests replace."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.errors import SourceLost, SourceRefused, UsageError
from unmask.stream.source_base import Capture, Captured, Unusable

MOST_FAILED_READS = 25
_DEVICE = re.compile(r"^(?:webcam:|/dev/video)(\d{1,3})$")


class Camera(Protocol):
    """An open camera."""

    def grab(self) -> bool:
        """Waits for the next picture; False where none came."""

    def picture_rgb(self) -> NDArray[np.uint8] | None:
        """The picture that was grabbed, (h, w, 3), or None where it cannot be used."""

    def close(self) -> None:
        """Gives the device back."""


Driver = Callable[[int], Camera]
"""Opens the camera of this number; raises SourceRefused with `device_unavailable`."""


def webcam_number(url: str) -> int | None:
    """The number in `webcam:N` or `/dev/videoN`, or None for another address.

    Raises:
        UsageError: `webcam:` with something that is not a number.
    """
    match = _DEVICE.match(url)
    if match:
        return int(match.group(1))
    if url.startswith("webcam:"):
        raise UsageError("a webcam is named by its number, for example webcam:0")
    return None


class OpenCvCamera:
    """A camera through OpenCV, which speaks V4L2, AVFoundation and Media Foundation."""

    def __init__(self, number: int) -> None:
        _check_device(number)
        os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceRefused(f"camera {number} cannot be opened; another program may use it", "device_unavailable")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def grab(self) -> bool:
        """Waits for the next picture."""
        return self._capture.grab()

    def picture_rgb(self) -> NDArray[np.uint8] | None:
        """The picture that was grabbed."""
        ok, image_bgr = self._capture.retrieve()
        return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8) if ok else None

    def close(self) -> None:
        """Gives the device back."""
        self._capture.release()


def webcam_capture(number: int, driver: Driver = OpenCvCamera) -> Capture:
    """A capture of the camera of this number."""

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        camera = driver(number)
        try:
            yield from _pictures(camera, number, stop)
        finally:
            camera.close()

    return capture


def _pictures(camera: Camera, number: int, stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
    failed = 0
    while not stop.is_set():
        grabbed = camera.grab()
        arrival_s = time.monotonic()
        image_rgb = camera.picture_rgb() if grabbed else None
        if image_rgb is not None:
            failed = 0
            yield Captured(image_rgb, None, arrival_s)
            continue
        failed += 1
        if failed >= MOST_FAILED_READS:
            raise SourceLost(f"camera {number} sends no pictures any more; is it unplugged?", "device_unavailable")
        if grabbed:
            yield Unusable("corrupt")
        stop.wait(0.02)


def _check_device(number: int) -> None:
    """Says plainly what is wrong before OpenCV fails with less; only Linux names its cameras by files."""
    if not sys.platform.startswith("linux"):
        return
    device = Path(f"/dev/video{number}")
    if not device.exists():
        raise SourceRefused(f"there is no camera {number} on this machine ({device} is missing)", "device_unavailable")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceRefused(f"this user may not open {device}", "device_unavailable")
