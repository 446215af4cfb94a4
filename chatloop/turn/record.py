"""Step 6: one telemetry line a message, handed to the log's writer. Never fails a chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol

import msgspec

from chatloop.core.telemetry import TurnRecord

log = logging.getLogger(__name__)
_ACK_LIMIT_S = 1.0
_Waiting = list[tuple[bytes, "asyncio.Future[bool]"]]


class LineSink(Protocol):
    """Where lines go: the durable log, or a list in a test."""

    def append(self, line: bytes) -> Future[bool]:
        """Queue one line; the future says whether it is on file. Never raises, never blocks."""

    def append_all(self, lines: Sequence[bytes]) -> Future[int]:
        """Queue lines; the future says how many, from the first on, are on file."""


def encode(record: TurnRecord) -> bytes:
    """Return the record as one line of JSON, without line break."""
    return msgspec.json.encode(record)


class Recorder:
    """Writes records. A log that cannot be written is counted by the sink, not raised here.

    What one round of the event loop brings is handed over together, and confirmed together: waking
    a thread for each record would cost more than all the rest of the recording.
    """

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self._waiting: _Waiting = []

    def write(self, record: TurnRecord) -> Future[bool]:
        """Queue the record and return at once; the future says whether it is on file."""
        return self._sink.append(encode(record))

    async def write_through(self, record: TurnRecord) -> bool:
        """Queue the record and wait, at most a second, until it is on file."""
        loop = asyncio.get_running_loop()
        on_file: asyncio.Future[bool] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._hand_over, loop)
        self._waiting.append((encode(record), on_file))
        return await on_file

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        limit = loop.call_later(_ACK_LIMIT_S, _give_up, waiting)

        def confirm(done: Future[int]) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(_confirm, waiting, done.result(), limit)

        self._sink.append_all([line for line, _ in waiting]).add_done_callback(confirm)


def _confirm(waiting: _Waiting, on_file: int, limit: asyncio.TimerHandle) -> None:
    limit.cancel()
    for place, (_, future) in enumerate(waiting):
        if not future.done():
            future.set_result(place < on_file)


def _give_up(waiting: _Waiting) -> None:
    log.warning("the log did not confirm %d records within a second", len(waiting))
    for _, future in waiting:
        if not future.done():
            future.set_result(False)
