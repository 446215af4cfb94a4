"""The lines of a conversation as the page keeps them, and a reply that grows into its line.

The plain text goes back to the API as history; what is shown (badges, cards, links) never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import ChatStream, Json

_HISTORY_LINES = 20  # the API takes no more


@dataclass(frozen=True, slots=True)
class Line:
    """One line: plain text for the API, `shown` for the page. `suggestions`: what may be tapped."""

    role: str
    text: str
    shown: str
    turn_id: str = ""
    suggestions: tuple[Json, ...] = ()


Conversation = tuple[Line, ...]
WAITING = Line("assistant", "", '<span class="cl-typing">thinking</span>')


def asked(question: str) -> Line:
    """Return the visitor's line."""
    return Line("user", question, words.safe_markdown(question))


def failed(line: Line, error: ApiError) -> Line:
    """Return a reply that broke off, with the reason under what had come."""
    return replace(line, shown=f"{line.shown}\n\n{words.notice(str(error), 'bad')}")


def history(conversation: Conversation) -> list[Json]:
    """Return the newest lines as the API takes them."""
    newest = conversation[-_HISTORY_LINES:]
    return [{"role": line.role, "content": line.text} for line in newest if line.text]


def intent_of(conversation: Conversation, suggestion: str) -> str | None:
    """Return the intent behind a suggestion of the last reply; None when it has none."""
    offered = conversation[-1].suggestions if conversation else ()
    return next((row.get("intent") for row in offered if row.get("text") == suggestion), None)


def growing(stream: ChatStream, link: Callable[[str], str]) -> Iterator[Line]:
    """Yield the reply after each piece; the last time it is finished, or marked as stopped."""
    line = Line("assistant", "", "")
    try:
        for event in stream:
            if event.name == "token":
                text = line.text + str(event.data.get("text", ""))
                line = replace(line, text=text, shown=words.safe_markdown(text))
                yield line
            elif event.name == "done":
                yield _finished(event.data, link)
                return
    except ApiError as error:
        yield failed(line, error)
    if stream.stopped:
        yield replace(line, shown=words.stopped(line.shown))


def _finished(done: Json, link: Callable[[str], str]) -> Line:
    return Line(
        "assistant",
        str(done.get("answer", "")),
        words.reply(done, link),
        str(done.get("turn_id", "")),
        tuple(done.get("suggestions") or ()),
    )
