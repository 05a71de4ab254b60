"""Writing files: a failure names the file in one sentence."""

from pathlib import Path

from unmask.pipeline.errors import UsageError


class writing:
    """Turns the failure to write a file into a usage error that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise UsageError(f"cannot write {self.path}: {error.strerror or error}") from None
