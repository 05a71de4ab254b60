"""Errors of inputs and streams.

UnmaskError                     (unmask.models.errors)
└── InputError                  the input cannot be read at all             (exit 3)
    ├── UnreadableFile          missing, empty, a directory, not a video
    └── SourceError             a live source failed; `code` says how
        ├── SourceRefused       wrong credentials, no such stream: retrying soon is pointless
        └── SourceLost          cannot connect, timed out, stalled: worth a retry
EndOfStream                     the normal end of a source: not an error
"""

from unmask.models.errors import DeviceError, UnmaskError, UsageError, WeightsError

__all__ = [
    "DeviceError",
    "EndOfStream",
    "InputError",
    "SourceError",
    "SourceLost",
    "SourceRefused",
    "UnmaskError",
    "UnreadableFile",
    "UsageError",
    "WeightsError",
]


class InputError(UnmaskError):
    """Raised when an input cannot be read."""

    exit_code = 3


class UnreadableFile(InputError):
    """Raised when a file is missing, empty, a directory or not a video or image."""


class SourceError(InputError):
    """Raised when a live source fails.

    Attributes:
        code: one of `connection_failed`, `auth_failed`, `not_found`, `timeout`, `stalled`,
            `codec_unsupported`, `device_unavailable`, `tls`.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SourceRefused(SourceError):
    """Raised when the source answered and said no: wrong credentials, no such stream."""


class SourceLost(SourceError):
    """Raised when the source cannot be reached, timed out or stalled."""


class EndOfStream(Exception):
    """Raised by a source after its last frame."""
