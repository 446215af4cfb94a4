"""The bot in this process: the app's own start-up and end, without a port.

It lives in a thread of its own, because a language model is loaded and watched while a person
types. Faults and refusals become ApiError, as if they had come over HTTP.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Coroutine, Generator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from chatloop.core.errors import ApiError
from chatloop.core.settings import Settings
from chatloop.loop.feedback.intake import FeedbackIn as Submission
from chatloop.loop.feedback.intake import FeedbackProblem
from chatloop.serve.api.app import create_app
from chatloop.serve.api.bodies import check
from chatloop.serve.api.chat import incoming_of, reply_of
from chatloop.serve.api.health import describe
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.schemas import ChatIn, FeedbackIn
from chatloop.serve.api.state import State
from chatloop.serve.ready import need_release
from chatloop.serve.terminal.bots import Json
from chatloop.turn.turn import Outcome

T = TypeVar("T")
Pieces = SimpleQueue[str | Json | None]
SOURCE = "cli"
_END_LIMIT_S = 5.0


@contextmanager
def local_bot(settings: Settings) -> Iterator[LocalBot]:
    """Start the bot and stop it at the end; raises ChatloopError when there is no release."""
    need_release(settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chat", daemon=True)
    thread.start()
    app = create_app(settings, with_ui=False)
    life = app.router.lifespan_context(app)
    try:
        _wait(loop, life.__aenter__())
        try:
            yield LocalBot(loop, app.state.chatloop)
        finally:
            _wait(loop, life.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()


class LocalBot:
    """A bot whose app runs in `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, state: State) -> None:
        self._loop = loop
        self._state = state

    def health(self) -> Json:
        """Look at the state of the service; without the checks, which take their time."""
        return describe(self._state, [], in_full=False)

    def intents(self) -> list[str]:
        """Look the names up in the release."""
        turn = self._state.live.turn
        return list(turn.ladder.content.approved) if turn else []

    def ask(self, body: Mapping[str, Any]) -> Generator[str | Json, None, None]:
        """Take a turn. Closing the generator ends it; its line is then on file as `client_left`."""
        pieces, ended = Pieces(), threading.Event()
        turn = asyncio.run_coroutine_threadsafe(self._pump(body, pieces, ended), self._loop)
        try:
            while (piece := pieces.get()) is not None:
                yield piece
            turn.result()
        finally:
            turn.cancel()
            ended.wait(_END_LIMIT_S)

    async def _pump(self, body: Mapping[str, Any], pieces: Pieces, ended: threading.Event) -> None:
        try:
            turn = self._state.turn()
            incoming = incoming_of(check(ChatIn, dict(body)), self._state, secrets.token_hex(8))
            stream = self._state.conversations.stream(turn, incoming)
            async with aclosing(stream) as arriving:
                async for piece in arriving:
                    pieces.put(reply_of(piece) if isinstance(piece, Outcome) else piece)
        except Problem as problem:
            raise ApiError(problem.detail) from problem
        except Exception as fault:
            raise ApiError(f"Something went wrong here ({type(fault).__name__}).") from fault
        finally:
            pieces.put(None)
            ended.set()

    def submit(self, fields: Mapping[str, Any]) -> str:
        """Hand feedback to the intake; whoever sits at this machine is trusted."""
        return _wait(self._loop, self._submit(fields))

    async def _submit(self, fields: Mapping[str, Any]) -> str:
        try:
            given = Submission(**check(FeedbackIn, dict(fields)).model_dump())
            kept = await self._state.store_door(
                self._state.intake.submit, given, trusted=True, source=SOURCE
            )
        except (Problem, FeedbackProblem) as problem:
            raise ApiError(str(problem)) from problem
        return kept.message

    def link(self, source: Mapping[str, Any]) -> str:
        """Return the address of the page's file: there may be no server to show it."""
        page = self._state.settings.data_dir / "knowledge" / f"{source.get('page')}.md"
        return page.resolve().as_uri() if page.exists() else ""
