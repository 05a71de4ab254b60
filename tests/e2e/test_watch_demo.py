"""`unmask watch` on the demo stream, files and absent cameras, with the shipped networks."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unmask.stream.source_demo import TURN_S

pytestmark = pytest.mark.e2e

SHARED = Path(__file__).parents[3] / "shared" / "data" / "tests"
LIMIT_S = 180.0
UNMASK = [sys.executable, "-c", "from unmask.stream.cli import main; main()"]


def unmask(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command to its end."""
    return subprocess.run([*UNMASK, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_the_demo_is_judged_rightly_before_and_after_the_swap() -> None:
    """The genuine face is never called manipulated; the forged one is, and until then it was not."""
    done = unmask("watch", "demo:", "--json", "--seconds", "15.5")

    assert done.returncode == 0
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    given = [message for message in messages if message["type"] == "verdict"]
    genuine = {verdict["state"] for verdict in given if verdict["pts_s"] < TURN_S}
    forged = [verdict["state"] for verdict in given if verdict["pts_s"] > TURN_S + 6]
    assert "authentic" in genuine
    assert "manipulated" not in genuine
    assert forged
    assert set(forged) <= {"suspicious", "manipulated"}
    counts = re.search(r"(\d+) frames in, (\d+) analysed, (\d+) dropped", done.stderr)
    assert counts is not None
    assert int(counts[1]) == int(counts[2]) + int(counts[3])


def test_a_file_without_a_face_says_so_and_ends() -> None:
    """Lines of text where the output is not a terminal."""
    clip = SHARED / "no_face.mp4"
    if not clip.exists():
        pytest.skip("the shared clip without a face is not here")

    done = unmask("watch", str(clip))

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "connecting"
    assert "no_face" in lines
    assert "ended" in lines
    assert not any("face 1" in line for line in lines)


def test_an_interrupt_ends_it_cleanly() -> None:
    """Ctrl-C: the end is told, the summary is written, the exit code is 0."""
    with subprocess.Popen([*UNMASK, "watch", "demo:"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = [running.stdout.readline() for _ in range(4)]
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        code = running.wait(LIMIT_S)

    assert code == 0
    assert first[:2] == ["connecting\n", "live\n"]
    assert "frames in" in rest


def test_a_missing_webcam_is_one_sentence() -> None:
    """Exit code 3."""
    done = unmask("watch", "webcam:987", "--seconds", "5")

    assert done.returncode == 3
    assert "camera 987" in done.stderr
    assert "Traceback" not in done.stderr
