"""Looks at a server every so often, with at most one piece of longer work beside the looks.

Knows nothing of servers. It runs apart from customers' calls, so that nobody waits to learn of an
absence, a load is never aborted because a customer left, and a trial is nobody's question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

logger = logging.getLogger(__name__)
Work = Coroutine[Any, Any, None]


class Rounds:
    """`look` is called each round, then `work` says what is to be done, None for nothing.

    `pause_s` gives the seconds to the next round; `wake` ends them.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[None]],
        work: Callable[[], Work | None],
        pause_s: Callable[[], float],
    ) -> None:
        self._look = look
        self._next_work = work
        self._pause_s = pause_s
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None

    @property
    def is_working(self) -> bool:
        """Whether a piece of work is under way."""
        return self._work is not None

    async def start(self, limit_s: float) -> None:
        """Begin; return when the first look and its work are done, at the latest at the limit."""
        self._looking = asyncio.create_task(self._go_round())
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._settled.wait()

    async def aclose(self) -> None:
        """Stop looking, and the work."""
        tasks = [task for task in (self._looking, self._work) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()

    async def _go_round(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
                self._begin_work()
            except Exception:  # a watch that dies would leave the model off for ever
                logger.exception("looking at a model's server failed in an unexpected way")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()

    def _begin_work(self) -> None:
        if self._work is None and (work := self._next_work()):
            self._work = asyncio.create_task(self._do(work))
        if self._work is None:
            self._settled.set()

    async def _do(self, work: Work) -> None:
        try:
            await work
        except Exception:
            logger.exception("work at a model's server failed in an unexpected way")
        finally:
            self._work = None
            self._settled.set()
