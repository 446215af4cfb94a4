"""Step 6: one telemetry line a message, handed to the log's writer. Never fails a chat."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from typing import Protocol

import msgspec

from chatloop.core.telemetry import TurnRecord

log = logging.getLogger(__name__)
_ACK_LIMIT_S = 1.0


class LineSink(Protocol):
    """Where lines go: the durable log, or a list in a test."""

    def append(self, line: bytes) -> Future[bool]:
        """Queue one line; the future says whether it is on file. Never raises, never blocks."""


def encode(record: TurnRecord) -> bytes:
    """Return the record as one line of JSON, without line break."""
    return msgspec.json.encode(record)


class Recorder:
    """Writes records. A log that cannot be written is counted by the sink, not raised here."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def write(self, record: TurnRecord) -> Future[bool]:
        """Queue the record and return at once; the future says whether it is on file."""
        return self._sink.append(encode(record))

    async def write_through(self, record: TurnRecord) -> bool:
        """Queue the record and wait, at most a second, until it is on file."""
        future = asyncio.wrap_future(self.write(record))
        try:
            return await asyncio.wait_for(asyncio.shield(future), _ACK_LIMIT_S)
        except TimeoutError:
            log.warning("turn %s: the log did not confirm within a second", record.turn_id)
            return False
