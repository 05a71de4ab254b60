"""scores.csv: one row per evaluated file, written as they come, so that an interrupted evaluation goes on."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from unmask.models.engine import Engine
from unmask.pipeline.errors import UsageError
from unmask.stream.labels import LabelledFile
from unmask.stream.writing import writing

BRANCHES = ("spatial", "mri", "temporal")
FORMAT = 2
"""Of scores.csv: rows of another format are computed again."""
LOGITS = {name: f"raw_logit_{name}" for name in BRANCHES}
COLUMNS = (
    "path",
    "label",
    "p_fake",
    *BRANCHES,
    *LOGITS.values(),
    "reliability",
    "verdict",
    "frames_with_face",
    "error",
    "kind",
    "method",
    "dataset",
    "group",
    "run",
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A labelled file and what was found.

    Attributes:
        p: probability by `p_fake` (the asked-for method) and branch name; absent when nothing was said.
        error: why the file could not be read, "" when it was.
        raw_logits: by branch name, mean over the deciding face's frames before temperature and bias.
        reliability: 0..1, mean of those frames; None when there were none.
    """

    row: LabelledFile
    p: Mapping[str, float]
    verdict: str = ""
    frames_with_face: int = 0
    error: str = ""
    raw_logits: Mapping[str, float] = field(default_factory=dict)
    reliability: float | None = None


class ScoreFile:
    """The scores of one folder; rows of other weights, another method or other code are not taken over."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run

    def read(self, rows: Iterable[LabelledFile]) -> dict[str, Scored]:
        """The scores that still hold, by path; files that could not be read are tried again.

        Raises:
            UsageError: the file is there and cannot be read.
        """
        wanted = {row.path: row for row in rows}
        try:
            with self.path.open(encoding="utf-8", newline="") as lines:
                stored = [line for line in csv.DictReader(lines) if line.get("run") == self.run]
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, csv.Error):
            raise UsageError(f"cannot read {self.path}: remove it, or use --fresh") from None
        found = (self._scored(wanted[line["path"]], line) for line in stored if line.get("path") in wanted)
        return {scored.row.path: scored for scored in found if scored is not None}

    def start(self, scored: Iterable[Scored]) -> None:
        """Writes the file anew with these rows.

        Raises:
            UsageError: it cannot be written.
        """
        partial = self.path.with_suffix(".partial")
        with writing(partial), partial.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, COLUMNS)
            writer.writeheader()
            writer.writerows(self._line(one) for one in scored)
        with writing(self.path):
            partial.replace(self.path)

    def add(self, scored: Scored) -> None:
        """Adds one row.

        Raises:
            UsageError: it cannot be written.
        """
        with writing(self.path), self.path.open("a", encoding="utf-8", newline="") as lines:
            csv.DictWriter(lines, COLUMNS).writerow(self._line(scored))

    def _line(self, scored: Scored) -> dict[str, object]:
        row = scored.row
        return {
            "path": row.path,
            "label": "fake" if row.fake else "real",
            **{name: f"{value:.6f}" for name, value in scored.p.items()},
            **{LOGITS[name]: f"{value:.5f}" for name, value in scored.raw_logits.items()},
            "reliability": "" if scored.reliability is None else f"{scored.reliability:.4f}",
            "verdict": scored.verdict,
            "frames_with_face": scored.frames_with_face,
            "error": scored.error,
            "kind": row.kind,
            "method": row.method,
            "dataset": row.dataset,
            "group": row.group,
            "run": self.run,
        }

    @staticmethod
    def _scored(row: LabelledFile, line: Mapping[str, str]) -> Scored | None:
        """A stored row, or None when it holds no result to go on with."""
        try:
            p = {name: float(line[name]) for name in ("p_fake", *BRANCHES) if line[name]}
            logits = {name: float(line[column]) for name, column in LOGITS.items() if line[column]}
            faces, reliability = int(line["frames_with_face"]), line["reliability"]
            known = float(reliability) if reliability else None
        except (KeyError, TypeError, ValueError):
            return None
        if line["error"] or not line["verdict"]:
            return None
        return Scored(row, p, line["verdict"], faces, raw_logits=logits, reliability=known)


def run_key(engine: Engine, method: str, *modules: str) -> str:
    """A short name for everything that decides a score: format, weights, calibration, method and code.

    Args:
        modules: files of `unmask.stream` whose code decides too, beside all of `unmask.models` and `unmask.pipeline`.
    """
    deciding = (FORMAT, sorted(engine.weights_sha256.items()), engine.calibration, method)
    digest = hashlib.sha256(repr(deciding).encode())
    for package in ("unmask.models", "unmask.pipeline"):
        for entry in sorted(resources.files(package).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                digest.update(entry.read_bytes())
    for module in modules:
        digest.update((resources.files("unmask.stream") / module).read_bytes())
    return digest.hexdigest()[:16]
