"""The one OpenVINO core of this process."""

import functools
import threading

import openvino as ov

_LOCK = threading.Lock()


def shared_core() -> ov.Core:
    """The same core for every caller, alive until the process ends.

    OpenVINO's CPU plugin puts its own signal stack under the thread that loads it and unmaps that stack
    with its core, whether or not the thread still uses it: the next signal would then end the process.
    So no core is ever let go.
    """
    with _LOCK:
        return _core()


@functools.cache
def _core() -> ov.Core:
    return ov.Core()
