"""The command line: help, usage errors, and expected failures as one sentence without a traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from unmask.models.errors import DeviceError, UnmaskError, WeightsError
from unmask.pipeline.errors import InputError, UsageError
from unmask.stream import cli

COMMANDS = ("serve", "watch", "analyze", "evaluate", "train", "weights", "doctor")
README = Path(__file__).parents[2] / "README.md"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.run(arguments)
    return int(leaving.value.code or 0)


def test_no_arguments_show_the_help_and_count_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty command line is answered with what there is."""
    assert run() == 2
    said = "".join(capsys.readouterr())
    assert all(command in said for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_page(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` ends with exit 0 and says how the command is used."""
    assert run(command, "--help") == 0
    assert f"unmask {command}" in capsys.readouterr().out


def test_the_help_needs_no_network_runtime() -> None:
    """`unmask --help` is quick because torch, OpenVINO, OpenCV and PyAV stay unloaded."""
    code = (
        "import sys; from unmask.stream import cli\n"
        "try: cli.run(['--help'])\n"
        "finally: print(sorted({'torch', 'openvino', 'cv2', 'av', 'aiortc'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("analyze",),
        ("analyze", "a.mp4", "--nonsense"),
        ("evaluate",),
        ("watch",),
        ("serve", "--port", "70000"),
        ("serve", "--source", "no-url"),
        ("weights", "fetch"),
        ("evaluate", "--labels", "x.csv", "--limit", "0"),
    ],
)
def test_wrong_usage_exits_2_and_prints_nothing_on_stdout(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts that read stdout never see a usage error as a result."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("this makes no sense"), 2),
        (InputError("this cannot be read"), 3),
        (WeightsError("there are no weights"), 4),
        (DeviceError("there is no such device"), 4),
        (UnmaskError("something else"), 1),
    ],
)
def test_every_expected_failure_is_its_sentence_and_its_exit_code(
    error: UnmaskError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One handler turns errors into `error: sentence` on stderr."""

    def fail(_: bool) -> int:
        raise error

    monkeypatch.setattr("unmask.stream.doctor.run_doctor", fail)

    assert run("doctor") == code
    captured = capsys.readouterr()
    assert captured.err == f"error: {error}\n"
    assert captured.out == ""


def test_an_interruption_ends_quietly_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is no failure to explain."""

    def interrupt(_: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.stream.doctor.run_doctor", interrupt)

    assert run("doctor") == 130
    assert "".join(capsys.readouterr()) == ""


def test_training_says_its_order_and_needs_something_to_train_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every step is a command; packing nothing is wrong usage."""
    assert run("train", "--help") == 0
    page = capsys.readouterr().out
    assert all(step in page for step in ("pack", "spatial", "mri", "temporal", "calibration"))

    assert run("train", "pack", "--out", str(tmp_path / "pack")) == 2
    assert "name at least one folder" in capsys.readouterr().err


def test_every_command_of_the_readme_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """What the README tells people to type is there, options included."""
    lines = re.findall(r"^\s*(?:\$ )?unmask ([a-z][^\n#]*)", README.read_text("utf-8"), re.MULTILINE)
    assert lines
    for line in lines:
        words = line.split()
        path = words[:2] if words[0] in ("weights", "train") else words[:1]
        assert run(*path, "--help") == 0, line
        page = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", line):
            assert option in page, f"{line}: {option}"
