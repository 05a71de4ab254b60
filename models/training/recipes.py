"""Settings of the training runs: one frozen recipe per branch, read from TOML, kept beside the run.

What decides, from weak to strong: the shipped file of the branch (`configs/BRANCH.toml`), the user's file, the
command line. The outcome is written into the run's folder as `config.json`, and a run only goes on with the settings
that it was started with.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from unmask.models.errors import UsageError

PRECISIONS = ("fp32", "bf16")
CLIP_SHARE = 0.55
"""Share of video frames among the genuine faces: live streams are made of those, not of portraits."""


@dataclass(frozen=True, slots=True)
class SpatialRecipe:
    """Settings of a run of the spatial branch.

    Attributes:
        frozen_blocks: of 16; the stem and these keep the weights that they start from.
        patch_px: side of the random part of the 256 px crop that a step sees; smaller is faster and harder.
        map_weight: of the auxiliary map's loss (see `JointNet`), 0 leaves it out.
        pair_weight: of the loss between a forgery and its own genuine face.
        statistics_batches: over which batch normalisation is measured before it is kept fixed (see
            `unmask.models.training.batchnorm`); 0 = every batch normalises itself.
        sharpness: radius of sharpness-aware minimisation (SAM, arXiv 2010.01412), 0 = off; it doubles the cost.
        classifier_share: of the people, kept for the MRI branch's classifier.
        clip_share: of video frames among the genuine faces.
        precision: `fp32`, or `bf16` for autocast.
        workers: processes that make batches beside the training, 0 = none; the batches are the same.
        start: where the weights come from: `imagenet`, `shipped` or a file.
        families: share of each forgery family; the built-in shares (`forgery.FAMILIES`) when None.
    """

    steps: int = 1500
    pairs_per_batch: int = 10
    learning_rate: float = 3e-4
    weight_decay: float = 0.02
    frozen_blocks: int = 3
    patch_px: int = 192
    map_weight: float = 1.0
    pair_weight: float = 0.25
    sharpness: float = 0.0
    average_decay: float = 0.998
    statistics_batches: int = 20
    validation_share: float = 0.15
    classifier_share: float = 0.12
    validate_every: int = 150
    seed: int = 1
    clip_share: float = CLIP_SHARE
    validation_pairs: int = 120
    precision: str = "fp32"
    workers: int = 1
    start: str = "imagenet"
    families: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class MriRecipe:
    """Settings of a run of the MRI branch; names shared with `SpatialRecipe` mean the same.

    Attributes:
        adversarial: weight of the discriminator's opinion; large values invent texture on faces.
        classifier_share: of the people, whose maps train the classifier; their faces never train the generator.
        classifier_pairs: pairs whose maps train the classifier.
        start: where the encoder comes from: `imagenet`, `shipped` or a file of the spatial branch; or the file
            `generator.pt` of a spatial run, which has the decoder too.
    """

    steps: int = 900
    pairs_per_batch: int = 10
    learning_rate: float = 5e-4
    frozen_blocks: int = 3
    adversarial: float = 0.01
    average_decay: float = 0.995
    statistics_batches: int = 20
    validation_share: float = 0.15
    classifier_share: float = 0.12
    classifier_pairs: int = 2400
    classifier_epochs: int = 12
    validate_every: int = 150
    seed: int = 2
    clip_share: float = CLIP_SHARE
    validation_pairs: int = 120
    precision: str = "fp32"
    workers: int = 1
    start: str = "shipped"


@dataclass(frozen=True, slots=True)
class TemporalRecipe:
    """Settings of a run of the temporal branch.

    A hundred people's clips are learnt by heart soon: few steps do best on the others.

    Attributes:
        batch: windows in a batch, half of them forged.
    """

    steps: int = 120
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    average_decay: float = 0.99
    validate_every: int = 30
    seed: int = 3
    precision: str = "fp32"


Recipe = SpatialRecipe | MriRecipe | TemporalRecipe
R = TypeVar("R", SpatialRecipe, MriRecipe, TemporalRecipe)

BRANCH_OF: dict[type[Any], str] = {SpatialRecipe: "spatial", MriRecipe: "mri", TemporalRecipe: "temporal"}
LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 10_000_000),
    "pairs_per_batch": (1, 4096),
    "batch": (2, 65_536),
    "learning_rate": (1e-8, 1.0),
    "weight_decay": (0, 10),
    "frozen_blocks": (0, 16),
    "patch_px": (32, 256),
    "map_weight": (0, 1000),
    "pair_weight": (0, 1000),
    "sharpness": (0, 10),
    "statistics_batches": (0, 100_000),
    "adversarial": (0, 1000),
    "average_decay": (0, 0.999999),
    "validation_share": (0.001, 0.9),
    "classifier_share": (0, 0.9),
    "classifier_pairs": (32, 10_000_000),
    "classifier_epochs": (1, 100_000),
    "validate_every": (1, 10_000_000),
    "clip_share": (0, 1),
    "validation_pairs": (1, 100_000),
    "workers": (0, 256),
    "seed": (0, 2**31 - 1),
}
"""Least and greatest value of each number."""
FREE = ("steps", "workers")
"""What may change when a run goes on: more steps, and how many processes make its batches."""


def shipped_config(name: str) -> str:
    """Text of a file of the package's `configs` folder.

    Args:
        name: `spatial`, `mri`, `temporal`, or `bench` for the sample queue.
    """
    return resources.files("unmask.models.training").joinpath("configs", f"{name}.toml").read_text("utf-8")


def load_recipe(kind: type[R], config: Path | None = None, overrides: Mapping[str, Any] | None = None) -> R:
    """The recipe of a branch: shipped settings, then a TOML file's, then what is given.

    Args:
        overrides: values by field name; None means "not given".

    Raises:
        UsageError: the file cannot be read, or a setting is unknown, of the wrong type or out of range.
    """
    branch = BRANCH_OF[kind]
    values = tomllib.loads(shipped_config(branch))
    if config is not None:
        values |= read_toml(config)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    return recipe_from(kind, {**values, **given}, str(config) if config else f"the settings of {branch}")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content.

    Raises:
        UsageError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` as (key, value); the value is TOML, and a bare word counts as text.

    Raises:
        UsageError: there is no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"a setting is written key=value, not {text!r}")
    try:
        return key.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def recipe_from(kind: type[R], values: Mapping[str, Any], where: str) -> R:
    """A checked recipe.

    Args:
        where: named in the message when something is wrong.

    Raises:
        UsageError: a setting is unknown, of the wrong type or out of range.
    """
    hints = get_type_hints(kind)
    for key, value in values.items():
        if key not in hints:
            raise UsageError(f"{where}: unknown setting {key}; known are {', '.join(hints)}")
        _check(key, value, hints[key], where)
    converted: dict[str, Any] = {key: float(value) if hints[key] is float else value for key, value in values.items()}
    return kind(**converted)


def keep_config(folder: Path, recipe: Recipe) -> None:
    """Write a run's settings as `config.json`; a run that has a checkpoint only goes on with its own.

    Raises:
        UsageError: the folder's run was started with other settings, or with more steps.
    """
    path = folder / "config.json"
    now = {"branch": BRANCH_OF[type(recipe)], **asdict(recipe)}
    if (folder / "checkpoint.pt").exists() and path.exists():
        before = _stored(path)
        changed = [k for k in now if k in before and k not in FREE and now[k] != before[k]]
        if changed:
            told = ", ".join(f"{k} was {json.dumps(before[k])} and is now {json.dumps(now[k])}" for k in changed)
            raise UsageError(f"{folder} holds a run with other settings ({told}); choose another folder")
        if int(before.get("steps", 0)) > recipe.steps:
            raise UsageError(f"{folder} holds a run of {before['steps']} steps, which cannot become {recipe.steps}")
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(now, indent=1) + "\n", "utf-8")
    partial.replace(path)


def _stored(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"cannot read {path}; choose another folder") from None
    return stored if isinstance(stored, dict) else {}


def _check(key: str, value: Any, wanted: Any, where: str) -> None:
    """Refuse a value of the wrong type or out of range."""
    if key == "families":
        _check_families(value, where)
        return
    names = {int: "a whole number", float: "a number", str: "text"}
    fits = isinstance(value, (int, float) if wanted is float else wanted) and not isinstance(value, bool)
    if not fits:
        raise UsageError(f"{where}: {key} must be {names[wanted]}, not {json.dumps(value, default=str)}")
    if key in LIMITS and not LIMITS[key][0] <= value <= LIMITS[key][1]:
        low, high = LIMITS[key]
        raise UsageError(f"{where}: {key} must be from {low:g} to {high:g}, not {value}")
    if key == "patch_px" and value % 4:
        raise UsageError(f"{where}: patch_px must be a multiple of 4, not {value}")
    if key == "precision" and value not in PRECISIONS:
        raise UsageError(f"{where}: precision must be {' or '.join(PRECISIONS)}, not {value}")


def _check_families(value: Any, where: str) -> None:
    from unmask.models.training.forgery import FAMILIES

    if not isinstance(value, dict) or not value:
        raise UsageError(f"{where}: families must be a table of shares, such as {{ self_blend = 1.0 }}")
    for name, share in value.items():
        if name not in FAMILIES:
            raise UsageError(f"{where}: unknown forgery family {name}; known are {', '.join(FAMILIES)}")
        if isinstance(share, bool) or not isinstance(share, (int, float)) or share < 0:
            raise UsageError(f"{where}: the share of {name} must be a number of 0 or more, not {json.dumps(share)}")
    if not sum(value.values()):
        raise UsageError(f"{where}: one family's share must be above 0")
