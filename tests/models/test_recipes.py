"""Settings of training runs: what may be said, what is refused, what a run goes on with."""

import json
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from unmask.models.errors import UsageError
from unmask.models.training.forgery import FAMILIES
from unmask.models.training.recipes import (
    BRANCH_OF,
    LIMITS,
    MriRecipe,
    Recipe,
    SpatialRecipe,
    TemporalRecipe,
    keep_config,
    load_recipe,
    parse_setting,
    recipe_from,
    shipped_config,
)


@pytest.mark.parametrize("kind", [SpatialRecipe, MriRecipe, TemporalRecipe])
def test_the_shipped_file_says_every_setting_and_agrees_with_the_code(kind: type[Any]) -> None:
    """A file that lags behind would train something else than the documentation of the recipe says."""
    shipped = tomllib.loads(shipped_config(BRANCH_OF[kind]))
    defaults = {key: value for key, value in asdict(kind()).items() if key != "families"}

    assert shipped == defaults
    assert load_recipe(kind) == kind()


@pytest.mark.parametrize("kind", [SpatialRecipe, MriRecipe, TemporalRecipe])
def test_every_number_has_limits(kind: type[Any]) -> None:
    """A new setting without limits would accept nonsense."""
    numbers = [k for k, v in asdict(kind()).items() if isinstance(v, (int, float))]

    assert [name for name in numbers if name not in LIMITS] == []


def test_an_empty_file_changes_nothing_and_the_command_line_is_strongest(tmp_path: Path) -> None:
    empty, file = tmp_path / "empty.toml", tmp_path / "mine.toml"
    empty.write_text("")
    file.write_text("steps = 7\nlearning_rate = 1\n[families]\nwhole = 1\n")

    assert load_recipe(SpatialRecipe, empty) == SpatialRecipe()
    recipe = load_recipe(SpatialRecipe, file, {"steps": 9, "seed": None})
    assert (recipe.steps, recipe.learning_rate, recipe.seed, recipe.families) == (9, 1.0, 1, {"whole": 1})
    assert isinstance(recipe.learning_rate, float)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1", "unknown setting nonsense"),
        ("steps = 1.5", "steps must be a whole number"),
        ("steps = true", "steps must be a whole number"),
        ("steps = 0", "steps must be from 1"),
        ("learning_rate = 'high'", "learning_rate must be a number"),
        ("learning_rate = nan", "learning_rate must be from"),
        ("precision = 'fp8'", "precision must be fp32 or bf16"),
        ("precision = 32", "precision must be text"),
        ("patch_px = 190", "patch_px must be a multiple of 4"),
        ("families = {}", "families must be a table"),
        ("families = {magic = 1}", "unknown forgery family magic"),
        ("families = {whole = -1}", "the share of whole"),
        ("families = {whole = 0}", "above 0"),
        ("steps = ", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_one_sentence(text: str, told: str, tmp_path: Path) -> None:
    """The message names the file and the setting."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=told) as error:
        load_recipe(SpatialRecipe, file)

    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_recipe(MriRecipe, tmp_path / "none.toml")


def test_settings_of_the_command_line_are_typed() -> None:
    """A bare word is text, everything else is read as TOML reads it."""
    assert parse_setting("steps=5") == ("steps", 5)
    assert parse_setting("precision = bf16") == ("precision", "bf16")
    assert parse_setting("families={whole=1.0}") == ("families", {"whole": 1.0})
    with pytest.raises(UsageError, match="key=value"):
        parse_setting("steps")


def test_every_family_can_be_named() -> None:
    assert recipe_from(SpatialRecipe, {"families": dict(FAMILIES)}, "here").families == FAMILIES


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Path, Recipe]:
    """A folder whose run has a checkpoint."""
    recipe = SpatialRecipe(steps=10)
    keep_config(tmp_path, recipe)
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    return tmp_path, recipe


def test_a_run_goes_on_with_its_own_settings_and_more_steps(begun: tuple[Path, SpatialRecipe]) -> None:
    folder, recipe = begun
    keep_config(folder, recipe)
    keep_config(folder, replace(recipe, steps=20, workers=3))

    assert json.loads((folder / "config.json").read_text())["steps"] == 20


def test_a_run_refuses_other_settings(begun: tuple[Path, SpatialRecipe]) -> None:
    """Also fewer steps and another branch, and the stored settings stay."""
    folder, recipe = begun
    with pytest.raises(UsageError, match=r"learning_rate was 0.0003 and is now 0.1"):
        keep_config(folder, replace(recipe, learning_rate=0.1))
    with pytest.raises(UsageError, match="cannot become 5"):
        keep_config(folder, replace(recipe, steps=5))
    with pytest.raises(UsageError, match="branch"):
        keep_config(folder, MriRecipe(steps=10))
    assert json.loads((folder / "config.json").read_text())["learning_rate"] == recipe.learning_rate


def test_settings_without_a_checkpoint_may_change(tmp_path: Path) -> None:
    """A run that has not begun has nothing to spoil."""
    keep_config(tmp_path, SpatialRecipe(steps=10))
    keep_config(tmp_path, SpatialRecipe(steps=5, seed=3))

    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 3
