"""Ollama's wire format: lines to values, refusals to faults. Pure, no I/O."""

from __future__ import annotations

import msgspec

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage
from chatloop.turn.answer.llm.wire import HttpError, Said


class _Message(msgspec.Struct):
    content: str | None = None


class ChatLine(msgspec.Struct):
    """One line of a streamed answer. Absent counts are 0; durations are nanoseconds."""

    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    error: str | None = None
    prompt_eval_count: int = 0
    eval_count: int = 0
    load_duration: int = 0

    @property
    def text(self) -> str:
        """The piece of the answer; thinking and tool calls are not part of it."""
        return (self.message.content if self.message else None) or ""


class _Refusal(msgspec.Struct):
    error: str = ""


def parse_line(line: bytes) -> ChatLine:
    """Read one line. Raises BackendError BAD_REPLY when it is not Ollama's or tells an error."""
    try:
        parsed = msgspec.json.decode(line, type=ChatLine)
    except (ValueError, RecursionError) as error:
        raise BackendError(
            BackendFault.BAD_REPLY, "Ollama's answer holds a line that is not its JSON"
        ) from error
    if parsed.error is not None:
        raise BackendError(BackendFault.BAD_REPLY, f"Ollama gave up: {parsed.error[:200]}")
    return parsed


def read_line(line: bytes) -> Said:
    """Return what one line of a streamed answer says. Raises BackendError BAD_REPLY."""
    parsed = parse_line(line)
    if not parsed.done:
        return Said(text=parsed.text)
    usage = Usage(
        prompt_tokens=parsed.prompt_eval_count,
        completion_tokens=parsed.eval_count,
        load_ms=parsed.load_duration / 1e6,
    )
    return Said(
        text=parsed.text,
        finished=True,
        last=True,
        truncated=parsed.done_reason == "length",
        usage=usage,
    )


def refusal(status: int, body: bytes) -> HttpError:
    """Translate an HTTP status other than 200, with its body, into a fault.

    A 404 without Ollama's JSON is a wrong address, not an absent model. A 500 that says that the
    model's process died is the one status worth a second try.
    """
    told = _told(body)
    fault, hint = _fault(status, told)
    what = f"Ollama answered {status}" + (f": {told[:200]}" if told else "") + hint
    gone = status == 500 and "unexpectedly stopped" in told.casefold()
    return HttpError(fault, what, status=status, passing=gone)


def _fault(status: int, told: str) -> tuple[BackendFault, str]:
    if status == 404 and "not found" in told:
        return BackendFault.MODEL_MISSING, ""
    if status in (429, 503):
        return BackendFault.BUSY, ""
    if status in (502, 504):
        return BackendFault.UNREACHABLE, ""
    if 400 <= status < 500:
        hint = "" if told else "; is OLLAMA_API_URL the root address of an Ollama server?"
        return BackendFault.REJECTED, hint
    return BackendFault.BAD_REPLY, ""


def _told(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        return ""
