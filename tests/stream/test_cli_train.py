"""`unmask train`: settings and queues from the command line, refused in one sentence when they make no sense."""

import tomllib
from pathlib import Path

import pytest

from unmask.models.engine import Engine
from unmask.models.errors import WeightsError
from unmask.models.store import load_state
from unmask.models.training.start import export
from unmask.stream import cli
from unmask.stream.training import UNCALIBRATED

COMMANDS = ("pack", "preview", "resynth", "config", "spatial", "mri", "temporal", "calibration", "bench")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.run(("train", *arguments))
    return int(leaving.value.code or 0)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A folder that looks like a pack and holds no face."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/faces.csv").write_text("source,group,clip,pts_s,face_px,scale\n")
    return tmp_path / "pack"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_training_command_has_a_help_page(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"unmask train {command}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["spatial", "mri", "temporal", "bench"])
def test_config_prints_a_file_that_can_be_given_back(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", name) == 0
    assert tomllib.loads(capsys.readouterr().out)


@pytest.mark.parametrize("branch", ["spatial", "mri"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "nonsense=1"], "unknown setting nonsense"),
        (["--set", "steps"], "key=value"),
        (["--set", "precision=fp8"], "precision must be"),
        (["--config", "none.toml"], "cannot read none.toml"),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(
    branch: str, options: list[str], told: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"

    assert run(branch, "--pack", str(pack), "--out", str(out), *options) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("command", ["spatial", "mri", "bench"])
def test_a_folder_that_is_no_pack_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--pack", str(tmp_path), "--out", str(tmp_path / "run")) == 2
    assert "is not a pack" in capsys.readouterr().err


def test_bench_lists_a_queue_that_has_not_begun(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Listing writes nothing."""
    assert run("bench", "--pack", str(pack), "--out", str(tmp_path / "bench"), "--list") == 0
    said = capsys.readouterr().out
    assert "| base | - | waiting |" in said
    assert not (tmp_path / "bench").exists()


def test_bench_refuses_a_wrong_queue(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue = tmp_path / "queue.toml"
    queue.write_text('[[run]]\nname = "a"\nnonsense = 1\n')

    assert run("bench", "--pack", str(pack), "--out", str(tmp_path / "bench"), "--queue", str(queue)) == 2
    assert "queue.toml, a: unknown setting nonsense" in capsys.readouterr().err


def test_a_folder_of_new_weights_opens_before_it_is_calibrated(tmp_path: Path) -> None:
    """The temporal branch and the calibration read features of branches that were just exported."""
    export("spatial", load_state("spatial"), "a test", {}, tmp_path)
    with pytest.raises(WeightsError):
        Engine.open("torch-cpu", tmp_path)
    with Engine.open("torch-cpu", tmp_path, UNCALIBRATED) as engine:
        assert engine.branches == ("spatial",)
        assert engine.calibration == UNCALIBRATED
