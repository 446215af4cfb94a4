"""The OpenAI-compatible wire format: SSE lines to values, refusals to faults. Pure, no I/O.

Of an error only its short code is repeated: some servers answer a refusal with the whole request
in it, and that is a customer's text.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage
from chatloop.turn.answer.llm.wire import HttpError, Said

DATA, DONE = b"data:", b"[DONE]"
MODEL_NOT_FOUND = "model_not_found"
SILENT_FIELDS = (b":", b"event:", b"id:", b"retry:")
"""Lines of an event stream that say nothing here; `:` begins a comment, sent to keep it alive."""

NEW_LIMIT_HOSTS = ("openai.com", "openai.azure.com")
"""Their newer models refuse `max_tokens`; other servers ignore `max_completion_tokens`."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _Whole(msgspec.Struct):
    choices: list[_Choice]


class _Refusal(msgspec.Struct):
    error: Any = None
    object: str | None = None
    type: str | None = None


def limit_key(address: str) -> str:
    """Return the name of the field that limits the answer's tokens."""
    host = urlsplit(address).hostname or ""
    is_new = any(host == new or host.endswith(f".{new}") for new in NEW_LIMIT_HOSTS)
    return "max_completion_tokens" if is_new else "max_tokens"


def read_line(line: bytes) -> Said | None:
    """Return what one line of an event stream says, None when nothing.

    Raises BackendError: BAD_REPLY for what is no such line or tells an error, REJECTED when the
    server's content filter ended the answer.
    """
    if not line.startswith(DATA):
        if line.startswith(SILENT_FIELDS):
            return None
        raise _bad("the server's answer is no event stream; is its address the API's?")
    data = line[len(DATA) :].strip()
    if data == DONE:
        return Said(finished=True, last=True)
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (ValueError, RecursionError) as error:
        raise _bad("the server's answer holds an event that is not its JSON") from error
    if chunk.error is not None:
        raise _bad(f"the server gave up ({_code(chunk.error) or 'without a reason'})")
    return _said(chunk)


def _said(chunk: _Chunk) -> Said:
    choice = next((c for c in chunk.choices or () if c.index == 0), _Choice())
    if choice.finish_reason == "content_filter":
        raise BackendError(BackendFault.REJECTED, "the server's content filter ended the answer")
    return Said(
        text=(choice.delta.content if choice.delta else None) or "",
        finished=choice.finish_reason is not None,
        truncated=choice.finish_reason == "length",
        usage=_usage(chunk.usage) if chunk.usage else None,
    )


def _usage(told: _Usage) -> Usage:
    return Usage(
        prompt_tokens=max(0, told.prompt_tokens or 0),
        completion_tokens=max(0, told.completion_tokens or 0),
    )


def is_answer(body: bytes) -> bool:
    """Whether a body that is not a stream is an answer of a model."""
    try:
        return bool(msgspec.json.decode(body, type=_Whole).choices)
    except (ValueError, RecursionError):
        return False


def refusal(status: int, body: bytes) -> HttpError:
    """Translate an HTTP status other than 200, with its body, into a fault.

    A 404 without an error object is a wrong address, not an absent model.
    """
    code = _code(_told(body))
    fault, hint = _fault(status, code)
    told = f" ({code})" if code else ""
    return HttpError(fault, f"the server answered {status}{told}{hint}", status=status)


def _fault(status: int, code: str | None) -> tuple[BackendFault, str]:
    if code == MODEL_NOT_FOUND or (status == 404 and code is not None):
        return BackendFault.MODEL_MISSING, ""
    if status in (401, 403):
        return BackendFault.BAD_KEY, "; the key is not accepted"
    if status in (429, 503):
        return BackendFault.BUSY, ""
    if status in (502, 504):
        return BackendFault.UNREACHABLE, ""
    if 400 <= status < 500:
        hint = "; is `address` the base address of the API?" if status in (404, 405) else ""
        return BackendFault.REJECTED, hint
    return BackendFault.BAD_REPLY, ""


def _told(body: bytes) -> Any:
    """Return the error object, also of servers that leave its wrapping away."""
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except (ValueError, RecursionError):
        return None
    return {"type": told.type} if told.object == "error" else told.error


def _code(told: Any) -> str | None:
    """Return the error's code or type when it is a short word, else ""; None without an error."""
    if told is None:
        return None
    words = [told.get("code"), told.get("type")] if isinstance(told, dict) else []
    return next((w for w in words if isinstance(w, str) and _CODE.fullmatch(w)), "")


def _bad(message: str) -> BackendError:
    return BackendError(BackendFault.BAD_REPLY, message)
