"""A user's folders of genuine photographs and clips, with who and where they come from."""

import csv
from pathlib import Path

from unmask.models.errors import UnmaskError
from unmask.models.training.pack import CLIP_SUFFIXES, IMAGE_SUFFIXES

Item = tuple[Path, str, str]


class TrainingDataError(UnmaskError):
    """Raised when a folder of training data cannot be used."""

    exit_code = 3


def collect(folder: Path, suffixes: set[str]) -> list[Item]:
    """(path, source, group) of the files below a folder.

    With an `index.csv` in the folder its columns say it: `path`, and when present `source` (or `source_repo`) and
    `group`. Without one, a file's source is its sub-folder and each file is a group of its own.

    Raises:
        TrainingDataError: there is no such folder, or nothing usable in it.
    """
    if not folder.is_dir():
        raise TrainingDataError(f"{folder} is not a folder")
    index = folder / "index.csv"
    items = _indexed(folder, index) if index.is_file() else _walked(folder)
    items = [item for item in items if item[0].suffix.lower() in suffixes]
    if not items:
        raise TrainingDataError(f"{folder} holds none of {', '.join(sorted(suffixes))}")
    return items


def images(folder: Path) -> list[Item]:
    """Photographs; see `collect`."""
    return collect(folder, IMAGE_SUFFIXES)


def clips(folder: Path) -> list[Item]:
    """Videos; see `collect`."""
    return collect(folder, CLIP_SUFFIXES)


def _walked(folder: Path) -> list[Item]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [(p, p.parent.relative_to(folder).as_posix(), p.relative_to(folder).as_posix()) for p in files]


def _indexed(folder: Path, index: Path) -> list[Item]:
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and "path" not in rows[0]:
        raise TrainingDataError(f"{index} has no column named path")
    items = []
    for row in rows:
        source = row.get("source") or row.get("source_repo") or ""
        group = row.get("group") or f"{source}/{row.get('original_name') or row['path']}"
        items.append((folder / row["path"], source, group))
    return items
