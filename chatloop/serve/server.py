"""`python -m chatloop serve`: checks, a banner that says where to go, then uvicorn."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

import uvicorn

from chatloop.core.logs import set_up_logging
from chatloop.core.settings import Settings
from chatloop.serve.ready import need_free_port, need_release
from chatloop.serve.wiring import make_model

Say = Callable[[str], None]
_GRACE_S = 5


def serve(settings: Settings, say: Say) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises ChatloopError with one line when it cannot start."""
    need_release(settings)
    need_free_port(settings.host, settings.port, "`make run PORT=8010` or --port")
    set_up_logging(logging.ERROR)  # the banner says what it found; the log need not
    for line in banner(settings):
        say(line)
    set_up_logging()
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE"):
        os.environ.setdefault(name, "False" if name.startswith("GRADIO") else "1")
    from chatloop.serve.api.app import create_app

    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
    )
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:
        say("stopped")


def banner(settings: Settings) -> list[str]:
    """Return what a newcomer needs: addresses, a first call, and which LLM was found."""
    base = f"http://{settings.host}:{settings.port}"
    return [
        "",
        f"  Chatloop        {base}/ui/",
        f"  Manual          {base}/manual/",
        f"  API             {base}/docs",
        f"  Try             curl {base}/chat -d 'prompt=How do I get a refund?'",
        f"  Language model  {asyncio.run(llm_line(settings))}",
        "  Stop            Ctrl-C",
        "",
    ]


async def llm_line(settings: Settings) -> str:
    """Look once for a language model and say in one line what was found and what to do."""
    model = make_model(settings)
    if model is None:
        return "off (CHATLOOP_LLM=none)"
    try:
        await model.start()
        status = model.status()
    finally:
        await model.aclose()
    if status.model:
        return f"{status.model} at {status.address} (CHATLOOP_LLM chooses another)"
    return f"{status.detail}; answers come from the help pages. To add one: {status.hint}"
