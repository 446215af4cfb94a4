"""`python -m chatloop serve`: checks, a banner that says where to go, then uvicorn."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

import uvicorn

from chatloop.core.logs import set_up_logging
from chatloop.core.settings import Settings
from chatloop.serve.llms import close_models, make_models, start_models
from chatloop.serve.ready import need_free_port, need_release
from chatloop.turn.answer.base import LlmStatus

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
    first, *others = asyncio.run(llm_lines(settings))
    return [
        "",
        f"  Chatloop        {base}/ui/",
        f"  Manual          {base}/manual/",
        f"  API             {base}/docs",
        f"  Try             curl {base}/chat -d 'prompt=How do I get a refund?'",
        f"  Language model  {first}",
        *(f"                  {line}" for line in others),
        "  Stop            Ctrl-C",
        "",
    ]


async def llm_lines(settings: Settings) -> list[str]:
    """Look once at the language models; say of each in one line what was found and what to do."""
    models = make_models(settings)
    if not models:
        return ["off (CHATLOOP_LLM=none)"]
    try:
        await start_models(models)
        statuses = [model.status() for model in models]
    finally:
        await close_models(models)
    if len(statuses) == 1 and not settings.models:
        return [_only_line(statuses[0])]
    return [_line(status) for status in statuses]


def _only_line(status: LlmStatus) -> str:
    """Say what a newcomer needs who has configured nothing."""
    if status.model:
        away = "; messages leave this machine" if status.remote else ""
        return f"{status.model} at {status.address}{away} (CHATLOOP_LLM chooses another)"
    return f"{status.detail}; answers come from the help pages. To add one: {status.hint}"


def _line(status: LlmStatus) -> str:
    away = ", messages leave this machine" if status.remote else ""
    todo = f"; {status.hint}" if status.hint else ""
    why = f" ({status.detail}{todo})" if status.detail else ""
    return f"{status.name} at {status.address}{away}: {status.state}{why}"
