"""A labelled set of files: what `unmask evaluate --labels` reads."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from unmask.pipeline.errors import UsageError

FAKE_WORDS = frozenset({"fake", "forged", "manipulated", "synthetic", "1"})
REAL_WORDS = frozenset({"real", "genuine", "authentic", "original", "0"})
REQUIRED = ("path", "label")

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One row of a labels file.

    Attributes:
        path: as the CSV writes it; the key of the row.
        file: where it lies, relative paths taken from the CSV's folder.
        fake: the truth.
        method: how a fake was made, "" when not said.
        dataset: where it comes from, "" when not said.
        group: who or what is shown; files of a group are not independent. The path when not said.
        kind: video or image, "" when not said.
    """

    path: str
    file: Path
    fake: bool
    method: str = ""
    dataset: str = ""
    group: str = ""
    kind: str = ""


def read_labels(csv_path: Path) -> list[LabelledFile]:
    """Reads a labels file.

    Raises:
        UsageError: it cannot be read, lacks a column, or a row is wrong; the message names the line.
    """
    try:
        text = csv_path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {csv_path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{csv_path} is not a text file in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, LabelledFile] = {}
    try:
        missing = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
        if missing:
            raise UsageError(f"{csv_path} has no column named {' or '.join(missing)}; its first line must name them")
        for row in reader:
            labelled = _labelled(row, csv_path, reader.line_num)
            if labelled.path in rows:
                raise UsageError(f"{csv_path}, line {reader.line_num}: {labelled.path} is listed twice")
            rows[labelled.path] = labelled
    except csv.Error as error:
        raise UsageError(f"{csv_path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise UsageError(f"{csv_path} lists no file")
    return list(rows.values())


def _labelled(row: Mapping[str | None, str | list[str] | None], csv_path: Path, line: int) -> LabelledFile:
    if None in row:
        raise UsageError(f"{csv_path}, line {line}: more fields than columns")
    values = {str(key): value.strip() for key, value in row.items() if isinstance(value, str)}
    path, label = values.get("path", ""), values.get("label", "").lower()
    if not path:
        raise UsageError(f"{csv_path}, line {line}: the path is empty")
    if label not in FAKE_WORDS | REAL_WORDS:
        raise UsageError(f"{csv_path}, line {line}: the label must be real or fake, not {label or 'empty'}")
    return LabelledFile(
        path=path,
        file=csv_path.parent / path,
        fake=label in FAKE_WORDS,
        method=values.get("method", ""),
        dataset=values.get("dataset", ""),
        group=values.get("group", "") or path,
        kind=values.get("kind", "").lower(),
    )


def spread(rows: list[Row], limit: int | None) -> list[Row]:
    """At most `limit` rows, evenly spread over the list, so that every part of it is seen."""
    if limit is None or limit >= len(rows):
        return rows
    return [rows[index * len(rows) // limit] for index in range(limit)]
