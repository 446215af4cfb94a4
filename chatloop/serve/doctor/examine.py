"""Runs checks at the same time, each in a thread of its own, caught by itself and for a limited
time.

Knows nothing of what they look at. Threads are daemons: a disk or a server that hangs for ever
must not keep the doctor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from chatloop.serve.doctor.base import Finding, fail

if TYPE_CHECKING:
    from chatloop.core.settings import Settings

LIMIT_S = 5.0
Check = Callable[[], Iterable[Finding]]


def checks_of(settings: Settings, names: Iterable[str]) -> dict[str, Check]:
    """Import the checks `names`, ready to run on `settings`.

    One that cannot be imported becomes a check that raises the reason.
    """
    return {name: _check_of(settings, name) for name in names}


def _check_of(settings: Settings, name: str) -> Check:
    try:
        return partial(import_module(f"{__package__}.{name}").check, settings)
    except Exception as error:
        return partial(_raise, error)


def _raise(error: Exception) -> NoReturn:
    raise error


def examine(checks: Mapping[str, Check], limit_s: float = LIMIT_S) -> list[Finding]:
    """Run all checks and return their findings in the order given, after at most `limit_s`."""
    examinations = [_Examination(name, check) for name, check in checks.items()]
    until = time.monotonic() + limit_s
    for examination in examinations:
        examination.join(max(0.0, until - time.monotonic()))
    return [finding for e in examinations for finding in e.result(limit_s)]


class _Examination(threading.Thread):
    """One check under way."""

    def __init__(self, name: str, check: Check) -> None:
        super().__init__(name=name, daemon=True)
        self._check = check
        self._findings: list[Finding] = []
        self.start()

    def run(self) -> None:
        """Collect the findings; a check that fails by itself is a finding too."""
        try:
            for finding in self._check():
                self._findings.append(finding)
        except ImportError as error:
            hint = "make setup, then .venv/bin/python -m chatloop doctor"
            self._findings.append(fail(self.name, f"cannot be checked: {error}", hint))
        except Exception as error:
            found = f"unexpected {type(error).__name__}: {error}"
            self._findings.append(fail(self.name, found, "please report it with this line"))

    def result(self, limit_s: float) -> list[Finding]:
        """Return what was found so far, and when it is not all, that it is not."""
        if not self.is_alive():
            return self._findings
        found = f"no answer within {limit_s:g} s"
        return [*self._findings, fail(self.name, found, "see what hangs: disk, database or server")]
