"""The cheap checks for /health: looked at in a thread, and kept for some seconds.

The others cost a tenth of a second of Python, or are answered by the fact that the server runs.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Any

from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, State
from chatloop.serve.doctor.examine import checks_of, examine

CHEAP = ("folders", "release", "log", "store")
KEEP_S = 10.0


class CheckUp:
    """What was found last. `keep_s`: how long that is told again without a new look."""

    def __init__(self, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._lock = asyncio.Lock()
        self._found: list[Finding] = []
        self._good_until = 0.0

    async def findings(self, settings: Settings) -> list[Finding]:
        """Return the findings; callers who come during a look share it."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._found = await asyncio.to_thread(_look, settings)
                self._good_until = time.monotonic() + self._keep_s
            return self._found


def _look(settings: Settings) -> list[Finding]:
    return examine(checks_of(settings, CHEAP))


def has_failed(findings: list[Finding]) -> bool:
    """Whether one of them is a failure."""
    return any(finding.state is State.FAIL for finding in findings)


def on_wire(findings: list[Finding], *, in_full: bool) -> list[dict[str, Any]]:
    """Return them JSON-ready; not `in_full`, only names and states."""
    if in_full:
        return [asdict(finding) for finding in findings]
    return [{"state": finding.state, "name": finding.name} for finding in findings]
