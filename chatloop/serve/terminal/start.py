"""`python -m chatloop chat`: opens the bot, here or at a URL, and chats until told to end."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext, suppress

from chatloop.core.logs import set_up_logging
from chatloop.core.settings import Settings
from chatloop.core.types import Mode
from chatloop.serve.terminal.bots import Bot, HttpBot
from chatloop.serve.terminal.chat import Chat
from chatloop.serve.terminal.screen import Screen


def chat(settings: Settings, *, url: str | None, mode: Mode, user_id: str | None) -> None:
    """Chat on this terminal; raises ChatloopError when there is no bot to chat with."""
    with suppress(ImportError):
        import readline  # noqa: F401 - the arrow keys, where Python was built with it
    set_up_logging(logging.ERROR)  # warnings would stand between the lines of the conversation
    with suppress(KeyboardInterrupt), _bot(settings, url) as bot:
        Chat(bot, Screen(), mode=mode, user_id=user_id).run()


def _bot(settings: Settings, url: str | None) -> AbstractContextManager[Bot]:
    if url:
        return nullcontext(HttpBot(url))
    from chatloop.serve.terminal.local import local_bot

    return local_bot(settings)
