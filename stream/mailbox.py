"""`Latest`: a one-slot mailbox from any thread to the event loop, in which the newest item wins."""

import asyncio
import threading
from collections import Counter
from typing import Generic, TypeVar

from unmask.pipeline.errors import EndOfStream

T = TypeVar("T")

SUPERSEDED = "superseded"
CLOSED = "closed"


class Latest(Generic[T]):
    """Holds the newest item only; putting never waits, and every item that is not taken is counted by cause.

    Any thread may put, take, refuse and close; one task at a time may wait in `ready` or `get`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slot: list[T] = []
        self._received = 0
        self._dropped: Counter[str] = Counter()
        self._closed = False
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()

    def put(self, item: T) -> None:
        """Offers the item, in place of one that still waits; after `close` it only counts the item as dropped."""
        with self._lock:
            self._received += 1
            if self._closed:
                self._dropped[CLOSED] += 1
                return
            was_empty = not self._slot
            if not was_empty:
                self._dropped[SUPERSEDED] += 1
            self._slot = [item]
        if was_empty:
            self._wake()

    def refuse(self, cause: str) -> None:
        """Counts an item that came but cannot be used."""
        with self._lock:
            self._received += 1
            self._dropped[cause] += 1

    def take(self) -> T | None:
        """The waiting item, or None."""
        with self._lock:
            return self._slot.pop() if self._slot else None

    async def ready(self) -> bool:
        """Waits until an item waits (True), or until the mailbox is closed and empty (False)."""
        self._loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                if self._slot:
                    return True
                if self._closed:
                    return False
                self._changed.clear()
            await self._changed.wait()

    async def get(self) -> T:
        """Waits for an item and takes it.

        Raises:
            EndOfStream: the mailbox is closed and empty; or the error that it was closed with.
        """
        while await self.ready():
            item = self.take()
            if item is not None:
                return item
        raise self._error or EndOfStream

    def close(self, error: Exception | None = None, *, discard: bool = False) -> None:
        """Ends the mailbox; an item that waits can still be taken unless it is discarded; closing again is harmless."""
        with self._lock:
            if not self._closed:
                self._closed, self._error = True, error
            if discard and self._slot:
                self._slot.clear()
                self._dropped[CLOSED] += 1
        self._wake()

    def counts(self) -> tuple[int, Counter[str]]:
        """How many items came, and how many of them were dropped by cause, at one moment."""
        with self._lock:
            return self._received, self._dropped.copy()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._changed.set)
