"""What the routes share: the house, the current Turn, the store's door. One object an app."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request

from chatloop.core.settings import Settings
from chatloop.loop.feedback.intake import Intake
from chatloop.serve.api.edge import is_local
from chatloop.serve.api.problems import Problem
from chatloop.serve.conversation import Conversations
from chatloop.serve.doctor.head import CheckUp
from chatloop.serve.live import Live
from chatloop.serve.retraining import Retraining
from chatloop.serve.tickets.desk import Desk
from chatloop.serve.wiring import House
from chatloop.turn.turn import Turn

if TYPE_CHECKING:
    from chatloop.loop.store import Store

T = TypeVar("T")
_DOOR_LIMIT_S = 10.0


class Door:
    """One thread for blocking work of one kind (store, log), with a deadline for each call."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._name = name

    async def __call__(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run `work` in the door's thread; raises Problem when it takes over ten seconds."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, lambda: work(*args, **named))
        try:
            # Not wait_for: before Python 3.12 it can swallow a cancellation, and a task then never
            # ends (python/cpython#86296).
            async with asyncio.timeout(_DOOR_LIMIT_S):
                return await future
        except TimeoutError as error:
            raise Problem("store", f"the {self._name} did not answer in time; try again") from error

    def close(self) -> None:
        """Stop the thread; waiting work is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class State:
    """Everything that a route may need."""

    settings: Settings
    house: House
    live: Live
    store: Store
    intake: Intake
    retraining: Retraining
    conversations: Conversations
    desk: Desk
    store_door: Door = field(default_factory=lambda: Door("store"))
    log_door: Door = field(default_factory=lambda: Door("log"))
    checkup: CheckUp = field(default_factory=CheckUp)
    started: float = field(default_factory=time.time)
    statuses: Counter[int] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)

    def turn(self) -> Turn:
        """Return the Turn to use now; raises Problem while none is loaded."""
        turn = self.live.turn
        if turn is None:
            raise Problem(
                "no-model",
                "no model is served: run `python prepare_data.py`, then `python train_model.py`",
                headers={"Retry-After": "2"},
            )
        return turn

    def is_trusted(self, request: Request) -> bool:
        """Whether the caller's word counts at once: this machine, as long as no keys exist."""
        return is_local(request, self.house.secret)

    def need_local(self, request: Request) -> None:
        """Refuse callers from elsewhere; raises Problem."""
        if not self.is_trusted(request):
            raise Problem("forbidden", "this call is open to clients on this machine only")


async def state_of(request: Request) -> State:
    """Return the app's state; the dependency of the routes.

    A coroutine, because FastAPI sends plain functions through its thread pool.
    """
    return app_state(request)


def app_state(request: Request) -> State:
    """Return the app's state."""
    state = request.app.state.chatloop
    assert isinstance(state, State)
    return state
