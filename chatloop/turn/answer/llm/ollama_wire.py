"""Ollama's wire format: bytes to lines, lines to values, refusals to faults. Pure, no I/O.

Lines end at the newline byte only: Ollama sends U+0085 raw inside strings, and text-mode line
splitting cuts there.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"


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

    def usage(self, first_token_ms: float) -> Usage:
        """Tokens and times of the generation, from its last line."""
        return Usage(
            prompt_tokens=self.prompt_eval_count,
            completion_tokens=self.eval_count,
            load_ms=self.load_duration / 1e6,
            first_token_ms=first_token_ms,
        )


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


class Lines:
    """Cuts a body at newline bytes, with a limit for one line and one for the whole body."""

    def __init__(self, line_limit_bytes: int, total_limit_bytes: int) -> None:
        self._line_limit_bytes = line_limit_bytes
        self._left_bytes = total_limit_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the non-blank lines that `chunk` completes; b"" ends the body.

        Raises BackendError BAD_REPLY over a limit.
        """
        self._left_bytes -= len(chunk)
        searched = len(self._rest)
        self._rest += chunk if chunk else b"\n"
        while (end := self._rest.find(b"\n", searched)) >= 0:
            line, searched = bytes(self._rest[:end]), 0
            del self._rest[: end + 1]
            self._check(len(line))
            if line.strip():
                yield line
        self._check(len(self._rest))

    def _check(self, line_bytes: int) -> None:
        if line_bytes > self._line_limit_bytes or self._left_bytes < 0:
            raise BackendError(
                BackendFault.BAD_REPLY, "Ollama's answer is too long for one line or in all"
            )


class Visible:
    """Passes on what a customer may see: no leading blanks, no leading `<think>` block.

    Models whose thinking Ollama does not know write it into the answer, always at its start.
    """

    def __init__(self) -> None:
        self._held = ""
        self._open = False

    def feed(self, text: str) -> str:
        """Return the visible part of the next piece, perhaps empty."""
        if self._open:
            return text
        self._held = (self._held + text).lstrip()
        if self._held.startswith(THINK_OPEN):
            _, closed, after = self._held.partition(THINK_CLOSE)
            if not closed:
                return ""
            self._held = after.lstrip()
        if not self._held or THINK_OPEN.startswith(self._held):
            return ""
        self._open = True
        return self._held

    def end(self) -> str:
        """Return what was held back at the end of the answer (an answer such as `<`)."""
        if self._open or self._held.startswith(THINK_OPEN):
            return ""
        return self._held


def refusal(status: int, body: bytes) -> BackendError:
    """Translate an HTTP status other than 200, with its body, into a fault.

    A 404 without Ollama's JSON is a wrong address, not an absent model.
    """
    told = _told(body)
    what = f"Ollama answered {status}" + (f": {told[:200]}" if told else "")
    if status == 404 and "not found" in told:
        return BackendError(BackendFault.MODEL_MISSING, what)
    if status in (429, 503):
        return BackendError(BackendFault.BUSY, what)
    if status in (502, 504):
        return BackendError(BackendFault.UNREACHABLE, what)
    if 400 <= status < 500:
        hint = "" if told else "; is OLLAMA_API_URL the root address of an Ollama server?"
        return BackendError(BackendFault.REJECTED, what + hint)
    return BackendError(BackendFault.BAD_REPLY, what)


def is_runner_gone(status: int, body: bytes) -> bool:
    """Whether a 500 says that the model's process died: the one status worth a second try."""
    return status == 500 and "unexpectedly stopped" in _told(body).casefold()


def _told(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        return ""
