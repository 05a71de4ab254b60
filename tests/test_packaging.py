"""The wheel holds everything that runs, and nothing else."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("stream", "pipeline", "models", "client_web")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def code_folders() -> set[Path]:
    return {path.parent.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of the code."""
    copy = tmp_path_factory.mktemp("project")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    code = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, timeout=120, check=True
    )
    with zipfile.ZipFile(copy / done.stdout.split()[-1]) as wheel:
        return set(wheel.namelist())


def test_every_code_folder_is_listed_and_mapped() -> None:
    """A forgotten folder would work in a checkout and be missing for everybody else."""
    listed = SETTINGS["tool"]["setuptools"]
    mapped = {Path(folder) for folder in listed["package-dir"].values()}

    assert code_folders() == mapped
    assert set(listed["packages"]) == set(listed["package-dir"])


def test_every_code_folder_has_an_init_module() -> None:
    """Without one its data files are not found after an editable install."""
    assert [folder for folder in code_folders() if not (ROOT / folder / "__init__.py").is_file()] == []


def test_the_wheel_holds_all_code_and_type_marks(wheel_names: set[str]) -> None:
    """Each module under its import name, with `py.typed` beside it."""
    modules = {f"unmask/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}

    assert modules <= wheel_names
    assert {f"unmask/{folder}/py.typed" for folder in ("stream", "pipeline", "models")} <= wheel_names


def test_the_wheel_holds_the_weights_and_the_client(wheel_names: set[str]) -> None:
    """Everything that the manifest lists, and every file of the overlay page."""
    manifest = json.loads((ROOT / "models/weights/manifest.json").read_text("utf-8"))
    weights = {f"unmask/models/weights/{entry['file']}" for entry in manifest["weights"].values()}
    client = {f"unmask/client_web/{path.name}" for path in (ROOT / "client_web").iterdir() if path.is_file()}

    assert weights | {"unmask/models/weights/manifest.json"} <= wheel_names
    assert "unmask/client_web/index.html" in client
    assert client <= wheel_names


def test_the_wheel_holds_nothing_else(wheel_names: set[str]) -> None:
    """No test, no recording, no plain `stream` or `models` package that others could collide with."""
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {"unmask"}
    assert [name for name in wheel_names if name.endswith((".mp4", ".mov", ".jpg", ".png", ".webp"))] == []


def test_shipped_weights_stay_small() -> None:
    """All weights together stay under 60 MB."""
    assert sum(path.stat().st_size for path in (ROOT / "models/weights").iterdir()) < 60_000_000


def test_constraints_are_plain_versions_that_fit_the_requirements() -> None:
    """No address of a registry, and every direct requirement has its version."""
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = SETTINGS["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["test"],
        *project["optional-dependencies"]["train"],
    ]

    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in lines)
    assert {name.split(">")[0].split("=")[0].split("[")[0].lower() for name in wanted} <= pinned


def test_the_readme_names_the_two_commands() -> None:
    """A fresh clone needs no other instruction."""
    readme = (ROOT / "README.md").read_text("utf-8")

    assert "make demo" in readme
    assert "make test" in readme
