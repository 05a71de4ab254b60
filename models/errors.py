"""The root of every error this project raises on purpose, and those of weights and devices.

UnmaskError
├── UsageError        a command or request does not make sense as written (exit 2)
├── TrainingFailed    a training run broke down                            (exit 1)
├── WeightsError      weights are missing, altered or of another version   (exit 4)
├── DeviceError       the asked-for device does not exist or failed        (exit 4)
├── BusyError         the machine is at its limit: fewer streams, or later (exit 1)
├── CancelledWork     work was dropped because its stream has gone         (exit 1)
└── InputError        see `unmask.pipeline.errors`                         (exit 3)
"""


class UnmaskError(Exception):
    """Any failure with a clear sentence for the user; `str(error)` is that sentence, free of credentials."""

    exit_code = 1


class UsageError(UnmaskError):
    """Raised when a command or a request does not make sense as it was written."""

    exit_code = 2


class TrainingFailed(UnmaskError):
    """Raised when a training run breaks down: its loss is no number any more, or no batches come."""


class WeightsError(UnmaskError):
    """Raised when weights are missing, altered or of another version."""

    exit_code = 4


class DeviceError(UnmaskError):
    """Raised when the asked-for device does not exist on this machine, or failed."""

    exit_code = 4


class BusyError(UnmaskError):
    """Raised when the machine is at its limit; the same may work later or with fewer streams."""


class CancelledWork(UnmaskError):
    """Raised in the thread whose work was dropped because its stream has gone."""
