"""The experiment bench: a queue of short spatial runs that differ in one thing each, judged alike.

Every run trains in its own folder and resumes there; a run that fails is recorded with its error and the queue goes
on. Results are judged on forgeries of held-out people, family by family (also of families that a run never saw), and
on a labelled set where there is one.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from unmask.models.errors import UnmaskError, UsageError
from unmask.models.training.bench_judge import (
    PAIRS_PER_FAMILY,
    Labelled,
    PairJudge,
    crops_of,
    judge_labelled,
    open_scorer,
)
from unmask.models.training.bench_table import write_results
from unmask.models.training.forgery import FAMILIES
from unmask.models.training.recipes import FREE, SpatialRecipe, read_toml, recipe_from, shipped_config
from unmask.models.training.start import save_average
from unmask.models.training.train_spatial import train_spatial

ALIKE = ("seed", "steps", "validation_share", "classifier_share")
"""Settings that every run of a queue shares, or their figures could not be compared."""
Say = Callable[[str], None]
FAILURES = (UnmaskError, RuntimeError, ValueError, OSError, LookupError, ArithmeticError, MemoryError)
"""What one run may die of without ending the queue."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a queue: its name, its settings, and the family that it leaves out, "" when none."""

    name: str
    recipe: SpatialRecipe
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """How far a run is: `waiting`, `running`, `done` or `failed`; with its steps, its error and its figures."""

    name: str
    status: str
    step: int = 0
    steps: int = 0
    error: str = ""
    figures: Mapping[str, Any] | None = None


def read_queue(path: Path | None) -> list[Entry]:
    """The runs of a queue file, the package's sample when None.

    Raises:
        UsageError: the file cannot be read, a run is wrong, or the runs cannot be compared.
    """
    queue = tomllib.loads(shipped_config("bench")) if path is None else read_toml(path)
    where = str(path) if path else "the sample queue"
    common, runs = queue.pop("common", {}), queue.pop("run", [])
    if queue:
        raise UsageError(f"{where}: unknown table {next(iter(queue))}; known are common and run")
    if not isinstance(common, dict) or not isinstance(runs, list) or not runs:
        raise UsageError(f"{where} must hold [[run]] tables, and at most one [common]")
    entries = [_entry(number, {**common, **run}, where) for number, run in enumerate(runs, 1)]
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise UsageError(f"{where}: the name {next(n for n in names if names.count(n) > 1)} is used twice")
    for key in ALIKE:
        if len({getattr(entry.recipe, key) for entry in entries}) > 1:
            raise UsageError(f"{where}: {key} must be the same in every run, or they cannot be compared")
    return entries


def _entry(number: int, values: dict[str, Any], where: str) -> Entry:
    name, left_out = values.pop("name", ""), values.pop("left_out", "")
    if not isinstance(name, str) or not name or not all(c.isalnum() or c in "._-" for c in name) or name[0] == ".":
        raise UsageError(f"{where}: run {number} needs a name of letters, digits, dots, dashes and underscores")
    if left_out and left_out not in FAMILIES:
        raise UsageError(f"{where}, {name}: unknown forgery family {left_out}; known are {', '.join(FAMILIES)}")
    recipe = recipe_from(SpatialRecipe, values, f"{where}, {name}")
    if left_out:
        kept = {k: v for k, v in (recipe.families or FAMILIES).items() if k != left_out}
        if not sum(kept.values()):
            raise UsageError(f"{where}, {name}: no forgery family is left")
        recipe = replace(recipe, families=kept)
    return Entry(name, recipe, left_out)


class Bench:
    """A queue and the folder of its runs: `runs/NAME/`, `crops/`, `results.md` and `results.json`.

    Args:
        labelled: files to judge on besides, empty for none.
        pairs: of each forgery family, to judge on.
    """

    def __init__(
        self,
        pack: Path,
        entries: list[Entry],
        out: Path,
        labelled: list[Labelled] | None = None,
        pairs: int = PAIRS_PER_FAMILY,
    ) -> None:
        self.pack, self.entries, self.out, self.labelled = pack, entries, out, labelled or []
        self.judge = PairJudge(pack, entries[0].recipe, pairs)

    def states(self) -> list[State]:
        """How far every run of the queue is; reads files only."""
        return [self._state(entry) for entry in self.entries]

    def find_crops(self, progress: Callable[[int, int], None]) -> None:
        """Find the faces of the labelled files; those that were looked at before are not opened again."""
        for done, item in enumerate(self.labelled, 1):
            crops_of(item, self.out / "crops")
            progress(done, len(self.labelled))

    def run(self, say: Say) -> list[State]:
        """Train and judge what is not done yet, and write the table after each run."""
        for entry in self.entries:
            if self._is_current(entry):
                say(f"{entry.name}: done before")
                continue
            say(f"{entry.name}: training")
            error = self._attempt(entry)
            say(f"{entry.name}: {error or 'done'}")
            write_results(self.states(), self.out)
        write_results(self.states(), self.out)
        return self.states()

    def _attempt(self, entry: Entry) -> str:
        """Train and judge one run; the error that ended it, or ""."""
        folder = self.out / "runs" / entry.name
        failed = folder / "error.txt"
        try:
            self._train(entry, folder)
            self._judge(entry, folder)
        except FAILURES as error:
            told = f"{error}" if isinstance(error, UnmaskError) else f"{type(error).__name__}: {error}"
            folder.mkdir(parents=True, exist_ok=True)
            failed.write_text(" ".join(told.split()) + "\n", "utf-8")
            return told
        failed.unlink(missing_ok=True)
        return ""

    def _train(self, entry: Entry, folder: Path) -> None:
        if self._trained(folder, entry):
            return
        state, generator, last = train_spatial(self.pack, folder, None, entry.recipe)
        save_average(state, folder)
        save_average(generator, folder, "generator.pt")
        _write(folder / "trained.json", {"recipe": asdict(entry.recipe), "last": last})

    def _judge(self, entry: Entry, folder: Path) -> None:
        trained = json.loads((folder / "trained.json").read_text("utf-8"))
        scorer = open_scorer(folder / "average.pt")
        figures: dict[str, Any] = {
            "left_out": entry.left_out,
            "pairs": self.judge.figures(scorer),
            "labelled": judge_labelled(self.labelled, self.out / "crops", scorer) if self.labelled else None,
            "map": {k: trained["last"][k] for k in ("iou", "auc_of_strength") if k in trained["last"]},
            "recipe": trained["recipe"],
            "judged_on": self._judged_on(),
        }
        _write(folder / "result.json", figures)

    def _state(self, entry: Entry) -> State:
        folder, steps = self.out / "runs" / entry.name, entry.recipe.steps
        if (folder / "error.txt").is_file():
            return State(entry.name, "failed", _step(folder), steps, (folder / "error.txt").read_text("utf-8").strip())
        result = _read(folder / "result.json")
        if result and _same(result["recipe"], entry.recipe):
            return State(entry.name, "done", steps, steps, figures=result)
        return State(entry.name, "running" if _step(folder) else "waiting", _step(folder), steps)

    def _is_current(self, entry: Entry) -> bool:
        """Whether a run is trained and judged on what is asked for now."""
        state = self._state(entry)
        return bool(state.figures and (not self.labelled or state.figures["judged_on"] == self._judged_on()))

    def _trained(self, folder: Path, entry: Entry) -> bool:
        trained = _read(folder / "trained.json")
        return bool(trained and (folder / "average.pt").is_file() and _same(trained["recipe"], entry.recipe))

    def _judged_on(self) -> list[str]:
        return sorted(f"{item.key} {int(item.fake)} {item.dataset}" for item in self.labelled)


def _same(stored: Mapping[str, Any], recipe: SpatialRecipe) -> bool:
    """Whether a stored recipe is this one; the number of workers makes no difference."""
    names = {field.name for field in fields(recipe)} - set(FREE) | {"steps"}
    return all(stored.get(name) == getattr(recipe, name) for name in names)


def _step(folder: Path) -> int:
    curve = _read(folder / "curve.json")
    return int(curve[-1]["step"]) if curve else 0


def _read(path: Path) -> Any:
    """A JSON file's content, None when it is not there or was cut off while it was written."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    partial.replace(path)
