"""Results of a long evaluation, one JSON object a line, written as they come, so that an interrupted run goes on."""

import json
from pathlib import Path
from typing import Any

from unmask.pipeline.errors import UsageError
from unmask.stream.writing import writing

Result = dict[str, Any]


class Journal:
    """Results by key; those of another run (other weights, code or settings) and errors are not taken over."""

    def __init__(self, path: Path, run: str, fresh: bool = False) -> None:
        """Reads what still holds and writes the file anew with it; `fresh` takes nothing over.

        Raises:
            UsageError: the file cannot be read or written.
        """
        self.path = path
        self.run = run
        self.found: dict[str, Result] = {} if fresh else self._read()
        with writing(path):
            path.write_text("".join(self._line(key, result) for key, result in self.found.items()), "utf-8")

    def add(self, key: str, result: Result) -> None:
        """Adds one result.

        Raises:
            UsageError: it cannot be written.
        """
        self.found[key] = result
        with writing(self.path), self.path.open("a", encoding="utf-8") as lines:
            lines.write(self._line(key, result))

    def _read(self) -> dict[str, Result]:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"cannot read {self.path}: remove it, or use --fresh") from None
        entries = [_parsed(line) for line in text.splitlines()]
        kept = [entry for entry in entries if entry and entry["run"] == self.run and "error" not in entry["result"]]
        return {str(entry["key"]): entry["result"] for entry in kept}

    def _line(self, key: str, result: Result) -> str:
        return json.dumps({"run": self.run, "key": key, "result": result}) + "\n"


def _parsed(line: str) -> Result | None:
    """One entry, or None for a line that an interruption cut short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(entry, dict) and {"run", "key"} <= set(entry) and isinstance(entry.get("result"), dict)
    return entry if whole else None
