"""What the wire formats share: bytes to lines, what one line says, what a refusal is. No I/O.

Lines end at the newline byte only: servers send U+0085 raw inside strings, and text-mode line
splitting cuts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one line of an answer says. `finished`: the text is whole; `last`: read no further."""

    text: str = ""
    finished: bool = False
    last: bool = False
    truncated: bool = False
    usage: Usage | None = None


class HttpError(BackendError):
    """A call that failed before any byte of an answer.

    `status` is 0 when the server did not answer. `passing`: a second try may well not fail.
    `retry_after_s`: how long the server wants to be left alone, 0 when it does not say.
    """

    def __init__(
        self, fault: BackendFault, message: str, *, status: int = 0, passing: bool = False
    ) -> None:
        super().__init__(fault, message)
        self.status = status
        self.passing = passing
        self.retry_after_s = 0.0


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
                BackendFault.BAD_REPLY, "the model's answer is too long for one line or in all"
            )


class Visible:
    """Passes on what a customer may see: no leading blanks, no leading `<think>` block.

    Models whose thinking the server does not know write it into the answer, always at its start.
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
