"""The accessibility engine axe-core: fetched once from the npm registry into a cache, checked by its hash."""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.10.3"
SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="


class NotAvailable(Exception):
    """Raised when it is neither cached nor to be had."""


def cache() -> Path:
    """Where it is kept."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "unmask-tests" / f"axe-core-{VERSION}.min.js"


def script() -> str:
    """The source of axe-core.

    Raises:
        NotAvailable: the registry cannot be reached, or it sent something else.
    """
    path = cache()
    if not path.exists():
        source = fetched()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(source)
        partial.replace(path)
    return path.read_text("utf-8")


def fetched() -> bytes:
    """The file out of the archive that npm fetches."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotAvailable("axe-core is fetched with npm, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", folder]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=120)
            packed = (Path(folder) / f"axe-core-{VERSION}.tgz").read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise NotAvailable(f"npm could not fetch axe-core: {error}") from None
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != SHA512:
        raise NotAvailable("the registry sent another axe-core than expected")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile("package/axe.min.js")
        if file is None:
            raise NotAvailable("there is no axe.min.js in the archive")
        return file.read()
