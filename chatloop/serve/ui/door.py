"""The door at /ui: a small page until Gradio is up, then Gradio itself.

Gradio takes seconds to import, so the API must not wait for it: `start` does the work in a
thread, after readiness. The door knows ASGI only; what is built behind it is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chatloop</title>{reload}<style>
:root{{color-scheme:light dark}}
body{{font:17px/1.6 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0}}
main{{max-width:26rem;padding:1.5rem;text-align:center}}p{{opacity:.75}}
</style></head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""

WAITING_PAGE = _PAGE.format(
    reload='<meta http-equiv="refresh" content="2">',
    title="One moment",
    text="The page is being prepared and opens by itself in a few seconds. "
    "The API answers already.",
)
FAILED_PAGE = _PAGE.format(
    reload="",
    title="This page cannot be shown",
    text="Something went wrong while it was being prepared; the server's log says what. "
    "The API works without it.",
)

ELSEWHERE_PAGE = _PAGE.format(
    reload="",
    title="The page is served elsewhere",
    text="Several workers share this address, and the page needs one of its own: start it with "
    "<code>python gradio_app.py</code>.",
)

# Nothing on the page may load from, or send to, another machine, whatever a reply contains.
CONTENT_SECURITY_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; form-action 'self'; base-uri 'self'"
)
_UPLOAD = "/gradio_api/upload"  # the chat is text only: no visitor may fill the disk


class UiDoor:
    """An ASGI app that passes requests to what `build` returns, once `start` has built it."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._app: ASGIApp | None = None
        self._page = WAITING_PAGE
        self._lifespan: _Lifespan | None = None

    async def start(self) -> None:
        """Build the page in a thread and run its start-up; call it once, in the background.

        A failure is logged and shown at /ui; it never reaches the API.
        """
        try:
            app = await asyncio.to_thread(self._build)
            self._lifespan = _Lifespan(app)
            await self._lifespan.start()
        except Exception:
            logger.exception("the UI could not be built; the API goes on without it")
            self._page = FAILED_PAGE
            return
        self._app = app

    async def stop(self) -> None:
        """Run the page's shut-down. Harmless when it never started."""
        self._app = None
        if self._lifespan is not None:
            await self._lifespan.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            page = HTMLResponse(self._page, 503, headers={"Retry-After": "2"})
            await page(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})


class Shield:
    """Wraps the page: a policy that keeps the browser on this server, and no uploads."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith(_UPLOAD):
            refusal = PlainTextResponse("This page takes no files.", 403)
            return await refusal(scope, receive, send)

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
                message = {**message, "headers": [*message.get("headers", []), policy]}
            await send(message)

        return await self._app(scope, receive, send_with_policy)


class _Lifespan:
    """Drives the ASGI lifespan of an inner app, start and end in one task as it expects."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the start-up. Raises RuntimeError when the app reports a failure."""
        self._task = asyncio.create_task(self._run())
        await self._say("startup")

    async def stop(self) -> None:
        """Run the shut-down and wait for its end."""
        if self._task is not None and not self._task.done():
            with contextlib.suppress(RuntimeError):
                await self._say("shutdown")
            await self._task

    async def _run(self) -> None:
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        try:
            await self._app(scope, self._to_app.get, self._from_app.put)
        except Exception as error:
            await self._from_app.put({"type": "lifespan.failed", "message": repr(error)})

    async def _say(self, step: str) -> None:
        await self._to_app.put({"type": f"lifespan.{step}"})
        reply = await self._from_app.get()
        if reply["type"] != f"lifespan.{step}.complete":
            raise RuntimeError(f"the page's {step} failed: {reply.get('message', '')}")
