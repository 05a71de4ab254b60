"""Calls of many threads made as one: whoever has the turn does what waits for the others too."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from unmask.models.errors import DeviceError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

TURN_TIMEOUT_S = 20.0


class Together(Generic[Asked, Answer]):
    """Gathers what is asked for while a run is under way, and runs it all at once as soon as that one is over.

    Nobody waits for others to come: a single caller is served at once. At most one run is under way for each `turn`;
    as many calls wait as there are threads.

    Args:
        run: takes what was asked for, oldest first, and gives as many answers.
        most: in one run.
        turn: to be shared with others whose runs may not happen at the same time.
    """

    def __init__(
        self, run: Callable[[Sequence[Asked]], Sequence[Answer]], most: int, turn: "threading.Lock | None" = None
    ) -> None:
        self._run = run
        self._most = most
        self._turn = turn or threading.Lock()
        self._waiting: deque[tuple[Asked, Future[Answer]]] = deque()

    def __call__(self, asked: Asked) -> Answer:
        """The answer; an error of the run reaches all of its callers.

        Raises:
            DeviceError: the runs before this one do not end.
        """
        mine: Future[Answer] = Future()
        self._waiting.append((asked, mine))
        if not self._turn.acquire(timeout=TURN_TIMEOUT_S):
            mine.cancel()
            raise DeviceError("the networks are at work on something that does not end")
        try:
            while not mine.done():
                self._serve()
        finally:
            self._turn.release()
        return mine.result()

    def _serve(self) -> None:
        """One run, for those who have waited longest."""
        calls = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        calls = [(asked, future) for asked, future in calls if future.set_running_or_notify_cancel()]
        if not calls:
            return
        try:
            answered = list(zip(calls, self._run([asked for asked, _ in calls]), strict=True))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again by each caller
            for _, future in calls:
                future.set_exception(error)
            return
        for (_, future), answer in answered:
            future.set_result(answer)
