"""`unmask weights`: hashes are computed again, and only checked safetensors files come in."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from unmask.models.errors import WeightsError
from unmask.pipeline.errors import UsageError
from unmask.stream.download import is_public
from unmask.stream.weights_cli import FetchRequest, fetch_weights, list_weights, verify_weights

GOOD = save({"weight": np.zeros((2, 3), np.float16)}, metadata={"trained": "nothing"})


def folder_with(folder: Path, content: bytes, sha256: str | None = None) -> Path:
    entry = {"file": "a.safetensors", "sha256": sha256 or hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "a.safetensors").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "weights": {"a": entry}}))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine: `/good.safetensors`, `/away.safetensors` redirects to it, the rest is 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/away.safetensors":
                self.send_response(302)
                self.send_header("Location", f"http://{self.headers['Host']}/good.safetensors")
                self.end_headers()
            elif self.path == "/good.safetensors":
                self.send_response(200)
                self.send_header("Content-Length", str(len(GOOD)))
                self.end_headers()
                self.wfile.write(GOOD)
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join(timeout=10)


def test_a_folder_without_a_manifest_is_no_weights_folder(tmp_path: Path) -> None:
    """Listing and verifying say so."""
    for command in (list_weights, verify_weights):
        with pytest.raises(WeightsError, match=r"manifest\.json"):
            command(tmp_path, False)


def test_unaltered_weights_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is named with its status."""
    folder_with(tmp_path, GOOD)

    assert verify_weights(tmp_path, True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["weights"]["a"]["status"] == "ok"
    assert list_weights(tmp_path, False) == 0
    assert hashlib.sha256(GOOD).hexdigest() in capsys.readouterr().out


@pytest.mark.parametrize("remove", [True, False])
def test_missing_and_altered_weights_fail(tmp_path: Path, remove: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """One wrong file is enough for exit code 4."""
    folder_with(tmp_path, GOOD, sha256="0" * 64)
    if remove:
        (tmp_path / "a.safetensors").unlink()

    with pytest.raises(WeightsError, match="not as the manifest says: a") as failure:
        verify_weights(tmp_path, False)

    assert failure.value.exit_code == 4
    assert ("missing" if remove else "altered") in capsys.readouterr().out


def test_fetching_without_a_hash_is_refused(tmp_path: Path) -> None:
    """Weights decide verdicts: which file is meant must be said, or waived explicitly."""
    with pytest.raises(UsageError, match="--sha256"):
        fetch_weights(FetchRequest("a.safetensors", weights_dir=tmp_path))
    with pytest.raises(UsageError, match="64 hex digits"):
        fetch_weights(FetchRequest("a.safetensors", sha256="xyz", weights_dir=tmp_path))


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("weights.pt", "safetensors files only"),
        ("ftp://example.org/a.safetensors", "not from ftp"),
        ("file:///etc/a.safetensors", "not from file"),
        ("absent.safetensors", "cannot read absent.safetensors"),
        ("http://user:hunter2@127.0.0.1:9/a.safetensors", "http://127.0.0.1:9/a.safetensors cannot be reached"),
    ],
)
def test_senseless_origins_are_refused(tmp_path: Path, origin: str, said: str) -> None:
    """The message names what is wrong, without a password; nothing is left behind."""
    with pytest.raises(UsageError, match=said) as failure:
        fetch_weights(FetchRequest(origin, allow_unverified=True, weights_dir=tmp_path))

    assert "hunter2" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 a zip, as torch saves", GOOD[:-1], GOOD + b"x", (2**40).to_bytes(8, "little") + b"{}"],
)
def test_what_is_not_a_whole_safetensors_file_is_not_taken(tmp_path: Path, content: bytes) -> None:
    """Header and size must agree; a pickle in disguise never lands in the folder."""
    origin = tmp_path / "bad.safetensors"
    origin.write_bytes(content)
    with pytest.raises(WeightsError, match="safetensors file"):
        fetch_weights(FetchRequest(str(origin), allow_unverified=True, weights_dir=tmp_path / "own"))
    assert list((tmp_path / "own").iterdir()) == []


def test_a_file_with_the_right_hash_is_taken_and_listed(tmp_path: Path) -> None:
    """Afterwards the folder verifies."""
    origin = tmp_path / "good.safetensors"
    origin.write_bytes(GOOD)
    wanted = hashlib.sha256(GOOD).hexdigest().upper()

    assert fetch_weights(FetchRequest(str(origin), sha256=wanted, weights_dir=tmp_path / "own")) == 0
    assert verify_weights(tmp_path / "own", False) == 0
    manifest = json.loads((tmp_path / "own" / "manifest.json").read_text())
    assert manifest["weights"]["good"]["trained"] == "nothing"


def test_a_file_with_another_hash_or_too_large_is_not_taken(tmp_path: Path) -> None:
    """The limit is in bytes read, not in what the origin claims."""
    origin = tmp_path / "good.safetensors"
    origin.write_bytes(GOOD)
    with pytest.raises(WeightsError, match="has the sha256"):
        fetch_weights(FetchRequest(str(origin), sha256="0" * 64, weights_dir=tmp_path / "own"))
    with pytest.raises(WeightsError, match="larger than"):
        fetch_weights(FetchRequest(str(origin), allow_unverified=True, weights_dir=tmp_path / "own", max_bytes=10))
    assert list((tmp_path / "own").iterdir()) == []


def test_weights_come_over_http(tmp_path: Path, server: str) -> None:
    """The address may be inside the network when the user names it."""
    request = FetchRequest(f"{server}/good.safetensors", hashlib.sha256(GOOD).hexdigest(), weights_dir=tmp_path)

    assert fetch_weights(request) == 0
    assert (tmp_path / "good.safetensors").read_bytes() == GOOD


def test_a_redirect_to_a_private_address_and_an_error_page_are_refused(tmp_path: Path, server: str) -> None:
    """An address that the user did not name must be public."""
    with pytest.raises(UsageError, match="leads to a private address"):
        fetch_weights(FetchRequest(f"{server}/away.safetensors", allow_unverified=True, weights_dir=tmp_path))
    with pytest.raises(UsageError, match="answers 404"):
        fetch_weights(FetchRequest(f"{server}/absent.safetensors", allow_unverified=True, weights_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["", "127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "localhost"])
def test_private_hosts_are_known_as_such(host: str) -> None:
    """Loopback, private, link-local and unresolvable hosts are not public."""
    assert not is_public(host)


def test_public_addresses_are_known_as_such() -> None:
    """An address literal needs no name service."""
    assert is_public("1.1.1.1")
