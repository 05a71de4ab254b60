"""Cameras that were added to a running server, in a file, so that they are there again after a restart."""

import os
import threading
from pathlib import Path

import yaml
from pydantic import SecretStr, TypeAdapter, ValidationError

from unmask.pipeline.errors import UnmaskError, UsageError
from unmask.stream.settings import SourceSetting

_SOURCES = TypeAdapter(tuple[SourceSetting, ...])


class NotKept(UnmaskError):
    """Raised when the file of the added cameras cannot be written; the camera itself runs."""


class KeptCameras:
    """A YAML file of names and addresses, like `sources` in config.yml. Thread-safe.

    Addresses may hold passwords: the file belongs to its owner alone (mode 600), and is replaced as a whole.

    Args:
        path: None keeps nothing.

    Raises:
        UsageError: the file is there and cannot be read, or holds anything else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path.expanduser() if path else None
        self._lock = threading.Lock()
        self._cameras = {s.name: s.url for s in _read(self._path)} if self._path else {}

    def all(self) -> tuple[SourceSetting, ...]:
        """What is kept."""
        with self._lock:
            return tuple(SourceSetting(name=name, url=url) for name, url in self._cameras.items())

    def has(self, name: str) -> bool:
        """Whether a camera of this name is kept."""
        return name in self._cameras

    def keep(self, name: str, url: SecretStr, instead_of: str | None = None) -> None:
        """Adds a camera or replaces it; `instead_of` is its name before.

        Raises:
            NotKept: the file cannot be written.
        """
        with self._lock:
            self._cameras.pop(instead_of or name, None)
            self._cameras[name] = url
            self._write(f"{name} runs, but is gone after a restart")

    def drop(self, name: str) -> None:
        """Forgets a camera.

        Raises:
            NotKept: the file cannot be written.
        """
        with self._lock:
            if self._cameras.pop(name, None) is not None:
                self._write(f"{name} has ended, but comes back after a restart")

    def _write(self, otherwise: str) -> None:
        if self._path is None:
            return
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        text = yaml.safe_dump({name: url.get_secret_value() for name, url in self._cameras.items()}, sort_keys=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.unlink(missing_ok=True)
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(partial, self._path)
        except OSError as error:
            raise NotKept(f"{otherwise}: cannot write {self._path}: {error.strerror}") from None


def _read(path: Path) -> tuple[SourceSetting, ...]:
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
        if not isinstance(content, dict):
            raise ValueError
        return _SOURCES.validate_python([{"name": name, "url": url} for name, url in content.items()])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValidationError, ValueError):
        raise UsageError(f"{path} does not hold cameras as NAME: URL") from None
