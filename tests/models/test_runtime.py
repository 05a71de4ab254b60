"""Networks come and go in a process that lives on, or ends."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

SIGNAL_AFTER_CLOSE = """
    import faulthandler, gc, os, signal
    faulthandler.enable()
    from unmask.models.engine import Engine
    for _ in range(2):
        with Engine.open("cpu"):
            pass
        gc.collect()
    signal.signal(signal.SIGTERM, lambda *_: print("handled"))
    os.kill(os.getpid(), signal.SIGTERM)
"""
END_WITHOUT_CLOSE = """
    from unmask.models.engine import Engine
    engine = Engine.open("cpu")
    print("opened")
"""


def test_signal_after_the_engine_closed_is_handled() -> None:
    done = run(SIGNAL_AFTER_CLOSE, {})
    assert (done.returncode, done.stdout.strip()) == (0, "handled"), done.stderr


def test_process_that_ends_while_networks_are_compiled_ends_well(tmp_path: Path) -> None:
    """An empty cache: the larger batch sizes are still being compiled when the script is through."""
    done = run(END_WITHOUT_CLOSE, {"XDG_CACHE_HOME": str(tmp_path)})
    assert (done.returncode, done.stdout.strip()) == (0, "opened"), done.stderr[-2000:]


def run(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
