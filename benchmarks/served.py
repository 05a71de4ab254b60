"""`unmask serve` in a process of its own, as a user runs it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

START_S = 400.0


class Server:
    """A running `unmask serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> Any:
        """The JSON answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=20) as answer:
            return json.loads(answer.read())

    def stop(self) -> float:
        """Asks it to end; gives the time at which it was asked, epoch seconds."""
        asked_s = time.time()
        self.process.send_signal(signal.SIGTERM)
        return asked_s


@contextlib.contextmanager
def serving(*arguments: str, port: int = 0) -> Iterator[Server]:
    """A server on a free port of this machine."""
    command = [sys.executable, "-c", "from unmask.stream.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        said = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+?(?=/)", said)
        if found is None:
            raise SystemExit(f"error: the server did not start: {said!r}")
        server = Server(process, found.group())
        if not wait_for(lambda: server.get("/readyz")["ready"], START_S):
            raise SystemExit(f"error: the server was not ready within {START_S:.0f} s")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        if process.stdout:
            process.stdout.close()


def wait_for(holds: Callable[[], Any], seconds: float) -> Any:
    """The first true value of `holds`; the last one after `seconds`."""
    deadline_s = time.monotonic() + seconds
    while True:
        value = None
        with contextlib.suppress(OSError):
            value = holds()
        if value or time.monotonic() > deadline_s:
            return value
        time.sleep(0.1)
