"""`unmask weights`: what is there, whether it is unaltered, and bringing other weights in."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from unmask.models.errors import WeightsError
from unmask.models.store import MANIFEST, SCHEMA, SHIPPED_DIR, read_manifest, sha256
from unmask.pipeline.errors import UsageError
from unmask.stream.download import copy_bounded, open_url
from unmask.stream.writing import writing

MAX_HEADER_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What `unmask weights fetch` was asked for."""

    origin: str
    sha256: str | None = None
    allow_unverified: bool = False
    weights_dir: Path | None = None
    max_bytes: int = 256_000_000


@dataclass(frozen=True, slots=True)
class Checked:
    """One weights file and what its hash says: `ok`, `missing` or `altered`."""

    name: str
    file: str
    status: str
    sha256: str


def user_dir() -> Path:
    """The folder that `unmask weights fetch` fills."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "unmask" / "weights"


def check(folder: Path) -> Iterator[Checked]:
    """Every file of a folder's manifest, its hash computed again.

    Raises:
        WeightsError: the manifest is missing or wrong.
    """
    for name, entry in read_manifest(folder).items():
        path = folder / entry["file"]
        actual = sha256(path) if path.is_file() else ""
        status = "ok" if actual == entry["sha256"] else "altered" if actual else "missing"
        yield Checked(name, entry["file"], status, actual)


def list_weights(weights_dir: Path | None, json_object: bool) -> int:
    """Prints the manifest."""
    folder = weights_dir or SHIPPED_DIR
    entries = read_manifest(folder)
    if json_object:
        typer.echo(json.dumps({"schema": 1, "folder": str(folder), "weights": entries}))
        return 0
    typer.echo(f"{folder}:")
    for name, entry in entries.items():
        size_mb = entry.get("bytes", 0) / 1e6
        typer.echo(f"  {name:12}{entry['file']}, {size_mb:.1f} MB, sha256 {entry['sha256']}")
        for key in ("input", "trained", "figures"):
            if entry.get(key):
                typer.echo(f"  {'':12}{key}: {_plain(entry[key])}")
    return 0


def verify_weights(weights_dir: Path | None, json_object: bool) -> int:
    """Prints one line per file; the exit code is 4 when one is missing or altered."""
    folder = weights_dir or SHIPPED_DIR
    checked = list(check(folder))
    good = all(one.status == "ok" for one in checked) and bool(checked)
    if json_object:
        found = {one.name: {"file": one.file, "status": one.status, "sha256": one.sha256} for one in checked}
        typer.echo(json.dumps({"schema": 1, "folder": str(folder), "ok": good, "weights": found}))
    else:
        for one in checked:
            typer.echo(f"{one.status:8}{one.name:12}{folder / one.file}")
    if not good:
        bad = ", ".join(one.name for one in checked if one.status != "ok") or "nothing listed"
        raise WeightsError(f"the weights in {folder} are not as the manifest says: {bad}")
    return 0


def fetch_weights(request: FetchRequest) -> int:
    """Copies a checked file into the weights folder.

    Raises:
        UsageError: the address, the hash or the folder make no sense, or no hash was given.
        WeightsError: the file is too large, has another hash, or is not a safetensors file.
    """
    wanted = _wanted(request)
    folder = request.weights_dir or user_dir()
    name = Path(request.origin.split("?", 1)[0].split("#", 1)[0]).name
    if not name.endswith(".safetensors"):
        raise UsageError("weights are taken as .safetensors files only: other formats can run code when they are read")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.{os.getpid()}.partial"
    try:
        actual = _copy(request, partial)
        if wanted is not None and actual != wanted:
            raise WeightsError(f"{name} has the sha256 {actual}, not {wanted}: it was not taken")
        tensors, about = _header(partial, name)
        with writing(folder / name):
            partial.replace(folder / name)
    finally:
        partial.unlink(missing_ok=True)
    _list(folder, name, {"sha256": actual, "bytes": (folder / name).stat().st_size, **about})
    typer.echo(f"{folder / name}: {tensors} tensors, sha256 {actual}; use it with --weights-dir {folder}")
    return 0


def _wanted(request: FetchRequest) -> str | None:
    if request.sha256 is None:
        if not request.allow_unverified:
            raise UsageError("say which file you expect with --sha256, or take any with --allow-unverified")
        return None
    wanted = request.sha256.lower()
    if len(wanted) != 64 or set(wanted) - set("0123456789abcdef"):
        raise UsageError("--sha256 must be 64 hex digits")
    return wanted


def _copy(request: FetchRequest, partial: Path) -> str:
    """Copies the origin to `partial` and gives back the hash of what was copied."""
    scheme = request.origin.partition("://")[0].lower() if "://" in request.origin else ""
    if scheme in ("http", "https"):
        with open_url(request.origin) as source:
            return copy_bounded(source, partial, request.max_bytes)
    if scheme:
        raise UsageError(f"weights come from a path or an http(s) address, not from {scheme}://")
    try:
        with Path(request.origin).open("rb") as source:
            return copy_bounded(source, partial, request.max_bytes)
    except OSError as error:
        raise UsageError(f"cannot read {request.origin}: {error.strerror}") from None


def _list(folder: Path, name: str, entry: dict[str, Any]) -> None:
    """Enters a file in the folder's manifest under its name without the ending."""
    path = folder / MANIFEST
    entries = read_manifest(folder) if path.exists() else {}
    entries[Path(name).stem] = {"file": name, **entry}
    with writing(path):
        path.write_text(json.dumps({"schema": SCHEMA, "weights": entries}, indent=1) + "\n", "utf-8")


def _header(path: Path, name: str) -> tuple[int, dict[str, str]]:
    """The number of tensors and the notes in the header; its lengths and offsets must fit the file.

    Raises:
        WeightsError: it is not a safetensors file, or a damaged one.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if 2 <= length <= min(MAX_HEADER_BYTES, size - 8) else None
        except (ValueError, RecursionError):
            header = None
    if not isinstance(header, dict):
        raise WeightsError(f"{name} is not a safetensors file: it was not taken")
    notes = header.pop("__metadata__", {})
    try:
        ends = [entry["data_offsets"][1] for entry in header.values()]
        fits = bool(ends) and max(ends) == size - 8 - length
    except (KeyError, IndexError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise WeightsError(f"{name} is a damaged safetensors file: it was not taken")
    return len(ends), {key: str(notes[key]) for key in ("input", "trained") if key in notes}


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return str(value)
