"""Networks come and go in a process that lives on."""

import subprocess
import sys
import textwrap

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


def test_signal_after_the_engine_closed_is_handled() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SIGNAL_AFTER_CLOSE)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "handled"), done.stderr
