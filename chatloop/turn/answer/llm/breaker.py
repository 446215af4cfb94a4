"""Circuit breaker of one language model: stop asking what does not answer, try it now and then.

Counts outcomes and keeps time by an injected monotonic clock; it calls nobody, so who makes the
trial (the background watch) and what a trial is are decided elsewhere. Customers are let through
only while it is closed: a customer is never the trial.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """`half_open`: the pause is over, one trial is due or under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """How one call ended. Client cancels, 4xx and 503 are no outcome: they are not recorded."""

    SUCCESS = "success"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    FAILED = "failed"


class OpenedOn(StrEnum):
    """Why the breaker opened. On `silent` and `load_failed` only a generation closes it."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    LOAD_FAILED = "load_failed"
    FAILURE_RATE = "failure_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When it opens and for how long. `failed_share` lies in (0, 1]."""

    unreachable_in_row: int = 3
    silent_in_row: int = 2
    failed_share: float = 0.5
    window_calls: int = 10
    window_s: float = 30.0
    open_s: float = 5.0
    open_max_s: float = 60.0


class Breaker:
    """One breaker; all methods are instant and belong to one event loop.

    `on_open` is called each time that it opens.
    """

    def __init__(
        self,
        limits: BreakerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self._limits = limits or BreakerLimits()
        self._clock = clock
        self._on_open = on_open
        self._reason: OpenedOn | None = None
        self._unreachable = self._silent = 0
        self._calls: deque[tuple[float, bool]] = deque()
        self._pause_s, self._opened_at, self._on_trial = self._limits.open_s, 0.0, False

    @property
    def state(self) -> BreakerState:
        """Closed, open, or half_open once the pause is over."""
        if self._reason is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._pause_is_over() else BreakerState.OPEN

    @property
    def reason(self) -> OpenedOn | None:
        """Why it is open; None while closed."""
        return self._reason

    @property
    def pause_left_s(self) -> float:
        """Seconds until a trial is due; 0 while closed and once it is."""
        left_s = self._opened_at + self._pause_s - self._clock()
        return max(0.0, left_s) if self._reason else 0.0

    def allows(self) -> bool:
        """Whether customers may be let through."""
        return self._reason is None

    def record(self, outcome: Outcome) -> None:
        """Count how a customer's call ended; while open, late results of earlier calls do not."""
        if self._reason is not None:
            return
        self._calls.append((self._clock(), outcome is not Outcome.SUCCESS))
        if outcome is Outcome.UNREACHABLE:
            self._unreachable += 1
        elif outcome is Outcome.SILENT:
            self._silent += 1
        else:
            self._unreachable = self._silent = 0
        self._judge()

    def load_failed(self) -> None:
        """Open because the model could not be loaded: asking again at once would load it again."""
        self._open(OpenedOn.LOAD_FAILED)

    def server_answered(self) -> None:
        """Note a good GET /api/version: it closes what opened on absence at once.

        It also closes what opened on a failure rate, but only once the pause is over.
        """
        rate = self._reason is OpenedOn.FAILURE_RATE and self._pause_is_over()
        if rate or self._reason is OpenedOn.UNREACHABLE:
            self._reset()

    def begin_trial(self) -> bool:
        """Claim the one trial generation if it is due; True for exactly one caller a pause."""
        on_silence = self._reason in (OpenedOn.SILENT, OpenedOn.LOAD_FAILED)
        if not on_silence or self._on_trial or not self._pause_is_over():
            return False
        self._on_trial = True
        return True

    def end_trial(self, succeeded: bool) -> None:
        """Close after a trial that succeeded, else pause twice as long as before."""
        if not self._on_trial:
            return
        if succeeded:
            self._reset()
            return
        self._pause_s = min(2 * self._pause_s, self._limits.open_max_s)
        self._opened_at, self._on_trial = self._clock(), False

    def _judge(self) -> None:
        now, limits = self._clock(), self._limits
        while self._calls[0][0] < now - limits.window_s:
            self._calls.popleft()
        failed = sum(bad for _, bad in self._calls)
        if self._unreachable >= limits.unreachable_in_row:
            self._open(OpenedOn.UNREACHABLE)
        elif self._silent >= limits.silent_in_row:
            self._open(OpenedOn.SILENT)
        elif len(self._calls) >= limits.window_calls and (
            failed >= limits.failed_share * len(self._calls)
        ):
            self._open(OpenedOn.FAILURE_RATE)

    def _open(self, reason: OpenedOn) -> None:
        self._reset()
        self._reason, self._opened_at = reason, self._clock()
        self._on_open()

    def _reset(self) -> None:
        self._reason = None
        self._unreachable = self._silent = 0
        self._calls.clear()
        self._pause_s, self._on_trial = self._limits.open_s, False

    def _pause_is_over(self) -> bool:
        return self.pause_left_s == 0.0
