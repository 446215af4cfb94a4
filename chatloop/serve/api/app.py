"""The app factory. What happens at start-up and at the end is in `_lifespan`, in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.types import ASGIApp

from chatloop import __version__
from chatloop.core.settings import Settings
from chatloop.loop.feedback.learned import read_learned
from chatloop.serve.api import (
    chat,
    feedback,
    health,
    intents,
    metrics,
    models,
    openai,
    pages,
    tickets,
    turns,
)
from chatloop.serve.api.edge import Edge
from chatloop.serve.api.problems import Problem, add_problem_handlers
from chatloop.serve.api.state import Door, State
from chatloop.serve.conversation import Conversations
from chatloop.serve.live import Live
from chatloop.serve.llms import close_models, start_models
from chatloop.serve.memory import Memory
from chatloop.serve.retraining import Retraining
from chatloop.serve.ui.door import ELSEWHERE_PAGE, UiDoor
from chatloop.serve.wiring import House, intake_of, make_desk, make_house, make_turn
from chatloop.serve.workers import number_of_workers

log = logging.getLogger(__name__)
SITE = Path("site")
_COUNT_INTERVAL_S = 5.0
# Tried in order at each request: the two busiest first.
ROUTERS = (chat, intents, turns, feedback, models, metrics, tickets, health, openai, pages)


def create_app(settings: Settings, *, with_ui: bool = True) -> FastAPI:
    """Return the app. Nothing is opened before its start-up; raises SettingsError."""
    app = FastAPI(
        title="Chatloop",
        version=__version__,
        summary="A support chatbot that runs on one machine and improves from its own traffic.",
        lifespan=partial(_lifespan, settings),
        docs_url=None,
        redoc_url=None,
    )
    add_problem_handlers(app)
    for group in ROUTERS:
        # Not include_router: an included router is matched twice at each request, a route once.
        app.router.routes += group.router.routes
    app.state.door = UiDoor(partial(_build_ui, settings)) if with_ui else None
    app.mount("/ui", app.state.door or HTMLResponse(ELSEWHERE_PAGE, 404))
    pages.mount_docs(app)
    pages.mount_manual(app, SITE)
    app.add_middleware(Edge, version=partial(_version, app), count=partial(_count, app))
    return app


def _version(app: FastAPI) -> str | None:
    state: State | None = getattr(app.state, "chatloop", None)
    return state.live.version if state else None


def _count(app: FastAPI, status: int) -> None:
    state: State | None = getattr(app.state, "chatloop", None)
    if state:
        state.statuses[status] += 1


def _build_ui(settings: Settings) -> ASGIApp:
    from chatloop.core.ids import load_secret
    from chatloop.serve.ui.page import build_app

    given = settings.secret.get_secret_value() if settings.secret else None
    return build_app(secret=load_secret(settings.data_dir, given))


@asynccontextmanager
async def _lifespan(settings: Settings, app: FastAPI) -> AsyncIterator[None]:
    house = make_house(settings)
    state = _make_state(settings, house)
    app.state.chatloop = state
    await start_models(house.models)
    await state.live.look()
    tasks = [asyncio.create_task(state.live.follow()), asyncio.create_task(_keep_counting(state))]
    tasks.append(asyncio.create_task(_follow_learned(state)))
    tasks += [asyncio.create_task(state.desk.run())]
    tasks += [asyncio.create_task(app.state.door.start())] if app.state.door else []
    try:
        yield
    finally:
        await _close(app, state, tasks)


async def _keep_counting(state: State) -> None:
    """Follow the log at a steady pace, so that neither /metrics nor a rotation has much to read."""
    while True:
        await asyncio.sleep(_COUNT_INTERVAL_S)
        state.conversations.expire()
        with contextlib.suppress(Problem):
            await state.log_door(state.house.metrics.refresh)


async def _follow_learned(state: State) -> None:
    await state.house.learned.follow(
        lambda: state.live.version, partial(state.store_door, read_learned, state.store)
    )


async def _close(app: FastAPI, state: State, tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    if app.state.door:
        await app.state.door.stop()
    await state.retraining.close()
    await state.desk.aclose()
    await close_models(state.house.models)
    await asyncio.to_thread(state.house.writer.close)
    await asyncio.to_thread(state.house.metrics.close)
    state.live.forget()
    state.store_door.close()
    state.log_door.close()
    state.store.close()


def _make_state(settings: Settings, house: House) -> State:
    from chatloop.loop.store import Store

    make = partial(make_turn, house=house)
    live = Live(settings.models_dir, settings.logs_dir, make)
    store = Store(settings.store_url)
    intake = intake_of(settings, store, house.secret, _known_labels(live))
    desk = make_desk(settings, store, Door("tickets"))
    return State(
        settings=settings,
        house=house,
        live=live,
        store=store,
        intake=intake,
        retraining=Retraining(settings, store, live),
        conversations=Conversations(house.pseudonyms, _memory(settings), desk),
        desk=desk,
    )


def _memory(settings: Settings) -> Memory | None:
    if number_of_workers() > 1:
        return None
    return Memory(max_sessions=settings.memory_sessions, idle_s=settings.memory_idle_s)


def _known_labels(live: Live) -> Callable[[], set[str]]:
    def known() -> set[str]:
        return set(live.turn.classify.labels) if live.turn else set()

    return known
