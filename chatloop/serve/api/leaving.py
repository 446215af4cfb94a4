"""Ends work that nobody waits for any more: a client that hangs up stops its generation.

Streams notice by themselves when they cannot be sent; a plain reply would go on to its end, and
hold the language model meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response

T = TypeVar("T")
GRACE_S = 0.05
"""Work that ends sooner is not watched: most replies are local and done in a millisecond."""


async def while_here(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` comes to; None when the client left first, and `work` was cancelled.

    Call it once the body is read.
    """
    watch = _Watch(request)
    begin = asyncio.get_running_loop().call_later(GRACE_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.left:
            raise
        watch.working.uncancel()
        return None
    finally:
        begin.cancel()
        watch.end()


def nobody_there() -> Response:
    """Return the reply that nobody reads: 499, as proxies log it."""
    return Response(status_code=499)


class _Watch:
    """Cancels the task that made it, once the client has left."""

    def __init__(self, request: Request) -> None:
        working = asyncio.current_task()
        assert working is not None
        self.working: asyncio.Task[Any] = working
        self.left = False
        self._request = request
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watching = asyncio.create_task(self._wait())

    def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _wait(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self.working.cancel()
