"""What a check brings: findings, one a line.

Needs no package and runs on an old Python (hence no StrEnum), because both are among the things
that the doctor must be able to report.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):  # noqa: UP042 - see above
    """FAIL: the bot cannot start, answer, record or learn. WARN: it can, with something missing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line. `hint` is what to type next; empty when all is well."""

    state: State
    name: str
    found: str
    hint: str = ""


def ok(name: str, found: str) -> Finding:
    """Return what is well."""
    return Finding(State.OK, name, found)


def warn(name: str, found: str, hint: str) -> Finding:
    """Return what the bot can do without."""
    return Finding(State.WARN, name, found, hint)


def fail(name: str, found: str, hint: str) -> Finding:
    """Return what it cannot do without."""
    return Finding(State.FAIL, name, found, hint)
