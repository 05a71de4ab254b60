"""`Latest`: the newest item wins, and every other one is counted."""

import asyncio
import threading

import pytest

from tests.fake_streams import LIMIT_S
from unmask.pipeline.errors import EndOfStream, SourceLost
from unmask.stream.mailbox import Latest


async def test_an_empty_mailbox_that_is_closed_ends_the_stream() -> None:
    """Nothing ever came: the reader sees the end, not an error."""
    mailbox: Latest[int] = Latest()

    mailbox.close()

    with pytest.raises(EndOfStream):
        await mailbox.get()


async def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    """Three items before the first look: the last one is had, two are superseded."""
    mailbox: Latest[int] = Latest()
    for item in (1, 2, 3):
        mailbox.put(item)

    assert await mailbox.get() == 3
    assert mailbox.counts() == (3, {"superseded": 2})
    assert mailbox.take() is None


async def test_a_waiting_reader_is_woken_from_another_thread() -> None:
    """A producer thread needs no loop of its own."""
    mailbox: Latest[int] = Latest()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)

    thread = threading.Thread(target=mailbox.put, args=(7,))
    thread.start()
    thread.join()

    assert await asyncio.wait_for(reader, LIMIT_S) == 7


async def test_a_waiting_reader_is_woken_by_the_end() -> None:
    """Closing ends a wait that is under way."""
    mailbox: Latest[int] = Latest()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)

    mailbox.close()

    with pytest.raises(EndOfStream):
        await asyncio.wait_for(reader, LIMIT_S)


async def test_the_last_item_can_be_had_after_the_end_unless_it_is_discarded() -> None:
    """A file's last frame is not lost; a closed source's is, and is counted."""
    kept: Latest[int] = Latest()
    kept.put(1)
    kept.close()
    discarded: Latest[int] = Latest()
    discarded.put(1)
    discarded.close(discard=True)

    assert await kept.get() == 1
    assert await discarded.ready() is False
    assert discarded.counts() == (1, {"closed": 1})


async def test_the_error_of_the_end_reaches_the_reader() -> None:
    """A source that gave up says why; a second close changes nothing."""
    mailbox: Latest[int] = Latest()
    mailbox.close(SourceLost("gone", "stalled"))
    mailbox.close()

    with pytest.raises(SourceLost, match="gone"):
        await mailbox.get()


async def test_what_comes_after_the_end_or_is_refused_is_counted_by_cause() -> None:
    """No item disappears without a count."""
    mailbox: Latest[int] = Latest()
    mailbox.refuse("corrupt")
    mailbox.close()
    mailbox.put(1)

    assert mailbox.counts() == (2, {"corrupt": 1, "closed": 1})


async def test_items_from_many_threads_are_all_accounted_for() -> None:
    """Received equals taken plus dropped, whatever the interleaving."""
    mailbox: Latest[int] = Latest()

    def produce() -> None:
        for item in range(500):
            mailbox.put(item)

    threads = [threading.Thread(target=produce) for _ in range(4)]
    taken = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += mailbox.take() is not None
        await asyncio.sleep(0)
    taken += mailbox.take() is not None

    received, dropped = mailbox.counts()
    assert received == 2000
    assert taken + dropped.total() == received
