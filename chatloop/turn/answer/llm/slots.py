"""A bounded number of calls at once to one model, and a bounded, short, fair queue before it.

It knows nothing of models or HTTP. Own and bounded, because Ollama's queue before a loaded model
is endless and silent: whoever waits there cannot be told so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatloop.core.errors import BackendError, BackendFault


class Slots:
    """At most `in_flight` holders; at most `waiting` callers wait at most `wait_timeout_s`."""

    def __init__(self, in_flight: int, waiting: int, wait_timeout_s: float) -> None:
        self._free = in_flight
        self._taken = 0
        self._waiting_limit = waiting
        self._wait_timeout_s = wait_timeout_s
        self._queue: deque[asyncio.Future[bool]] = deque()

    @property
    def in_flight(self) -> int:
        """Slots taken now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Callers that wait now."""
        return len(self._queue)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold a slot for the block, first come first served.

        Raises BackendError BUSY (queue full, or waited too long) or BREAKER_OPEN (`abandon`).
        """
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    def abandon(self) -> None:
        """Send every waiting caller away with BREAKER_OPEN, at once."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(False)

    async def _enter(self) -> None:
        if self._free:
            self._free -= 1
            self._taken += 1
            return
        if len(self._queue) >= self._waiting_limit:
            raise BackendError(
                BackendFault.BUSY,
                f"the language model is busy and {len(self._queue)} calls wait already; "
                "raise `llm_in_flight` if the server can answer more at once",
            )
        await self._wait_for_turn()

    async def _wait_for_turn(self) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self._wait_timeout_s):
                granted = await turn
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise BackendError(
                    BackendFault.BUSY,
                    f"no free place at the language model within {self._wait_timeout_s:g} s",
                ) from None
            raise
        if not granted:
            raise BackendError(
                BackendFault.BREAKER_OPEN, "the breaker opened while this call waited for a place"
            )

    def _give_up(self, turn: asyncio.Future[bool]) -> None:
        if turn in self._queue:
            self._queue.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.result():
            self._leave()  # handed over in the very moment of leaving: pass it on

    def _leave(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1
        self._taken -= 1
