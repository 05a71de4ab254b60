"""Progress on stderr, shown on a terminal only, so that logs and pipes stay clean."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar:
    """One advancing bar; positions are in the unit of its total."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def at(self, position: float, note: str = "") -> None:
        """Moves the bar."""
        self._progress.update(self._task, completed=position, description=note or None)


@contextmanager
def bar(label: str, total: float | None, counted: bool = False) -> Iterator[Bar]:
    """A bar with the time left; `counted` shows n of N. It clears itself at the end."""
    console = Console(stderr=True)
    columns = [TextColumn("{task.description}"), BarColumn(), *([MofNCompleteColumn()] if counted else [])]
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Bar(progress, progress.add_task(label, total=total))
