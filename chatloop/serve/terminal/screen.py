"""A terminal to write to and read from; colours only where a person looks at it.

What a language model wrote may hold escape sequences that move the cursor or lie about what is on
screen, so every text is made printable first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from chatloop.core.text import printable

_DIM, _RED, _RESET = "\x1b[2m", "\x1b[31m", "\x1b[0m"


class Screen:
    """Writes to `out` and reads with `read` (a prompt in, a line out), as `input` does."""

    def __init__(self, *, read: Callable[[str], str] = input, out: TextIO | None = None) -> None:
        self._read = read
        self._out = out or sys.stdout
        self._colour = self._out.isatty() and not os.environ.get("NO_COLOR")

    def ask(self, prompt: str) -> str:
        """Return the next line, trimmed; raises EOFError or KeyboardInterrupt at the end."""
        self._out.flush()
        return printable(self._read(prompt)).strip()

    def piece(self, text: str) -> None:
        """Write a piece of an answer, at once."""
        self._write(printable(text))

    def line(self, text: str = "") -> None:
        """Write a line."""
        self._write(printable(text) + "\n")

    def dim(self, text: str) -> None:
        """Write a line that is not part of the conversation."""
        self._styled(_DIM, text)

    def error(self, text: str) -> None:
        """Write a line about what went wrong."""
        self._styled(_RED, text)

    def _styled(self, style: str, text: str) -> None:
        shown = printable(text)
        self._write(f"{style}{shown}{_RESET}\n" if self._colour else f"{shown}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
