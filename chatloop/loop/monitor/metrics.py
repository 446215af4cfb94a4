"""The live figures of /metrics: totals since the first line, and windows of the last 24 hours.

Each worker follows the log on its own. Whoever rotates it writes, under the log's lock, all
counts up to that rotation with the name of the rotated file they reach to; a start reads that
state and the live file only, and a worker that finds a newer state than its own place takes it
over instead of reading the rotated file to its end. So no line counts twice, and none is lost,
even when old files are deleted before a slow worker looked. What is not in the log is not here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chatloop.core.errors import DataError
from chatloop.core.follow import LogFollower, Position
from chatloop.loop.monitor.aggregate import Aggregate
from chatloop.loop.monitor.lines import Skipped, read_line

logger = logging.getLogger(__name__)

WINDOWS_MINUTES = {"5m": 5, "1h": 60, "24h": 1440}
SERIES_POINTS = 60
_KEPT_MINUTES = max(WINDOWS_MINUTES.values())
_STATE_VERSION = 1


class _State(msgspec.Struct):
    """All counts of the lines up to the end of the rotated file named `reach`."""

    version: int
    reach: str = ""
    totals: Aggregate = msgspec.field(default_factory=Aggregate)
    minutes: dict[int, Aggregate] = msgspec.field(default_factory=dict)
    skipped: dict[str, int] = msgspec.field(default_factory=dict)


class LogMetrics:
    """Counts the log at `log_path`. Thread-safe and blocking: call it in a thread."""

    def __init__(
        self, log_path: Path, state_path: Path, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._log_path = log_path
        self._state_path = state_path
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _State(_STATE_VERSION)
        self._follower = LogFollower(log_path, Position(0, 0, after=""))
        self._seen: tuple[int, int, int] | None = None

    def refresh(self) -> None:
        """Count the lines that came since the last call."""
        with self._lock:
            self._catch_up()

    def close(self) -> None:
        """Let go of the log file; the counts stay."""
        with self._lock:
            self._follower.close()

    def on_rotate(self, rotated: Path) -> None:
        """Write down all counts up to this rotation. For `JsonlWriter`, under the log's lock.

        A state that cannot be written is tried again at the next rotation; until then a start
        reads the rotated files since the last one.
        """
        with self._lock:
            self._catch_up()
            self._state.reach = self._place()
            try:
                _write_whole(self._state_path, msgspec.json.encode(self._state))
            except OSError as error:
                logger.warning("%s: not written at %s: %s", self._state_path, rotated.name, error)
            self._seen = _signature(self._state_path)

    def totals(self) -> Aggregate:
        """A copy of the counts since the first line, as of the last `refresh`."""
        with self._lock:
            return _sum([self._state.totals])

    def skipped(self) -> dict[str, int]:
        """How many lines were not counted, by reason."""
        with self._lock:
            return {reason.value: self._state.skipped.get(reason, 0) for reason in Skipped}

    def snapshot(self, window: str | None = None) -> dict[str, Any]:
        """JSON-ready figures of the last 5m, 1h or 24h, or of everything, as of `refresh`.

        A window counts the current minute and the whole minutes before it.
        Raises DataError for another window.
        """
        if window is not None and window not in WINDOWS_MINUTES:
            known = ", ".join(WINDOWS_MINUTES)
            raise DataError(f"window: unknown; use one of {known}, or none for the totals")
        aggregate = self.totals() if window is None else self._window(WINDOWS_MINUTES[window])
        return {
            "window": window or "total",
            **aggregate.summary(),
            "series": self._series(WINDOWS_MINUTES[window or "24h"]),
            "lines_skipped": self.skipped(),
        }

    def _series(self, minutes: int) -> list[dict[str, Any]]:
        """Points over time, oldest first: at most 60 equal steps; empty ones are absent."""
        width = max(1, minutes // SERIES_POINTS)
        with self._lock:
            since = self._minute() - minutes
            steps: dict[int, list[Aggregate]] = {}
            for minute, aggregate in self._state.minutes.items():
                if minute > since:
                    steps.setdefault(minute // width * width, []).append(aggregate)
            return [_point(start, _sum(found)) for start, found in sorted(steps.items())]

    def _window(self, minutes: int) -> Aggregate:
        with self._lock:
            since = self._minute() - minutes
            return _sum([a for minute, a in self._state.minutes.items() if minute > since])

    def _catch_up(self) -> None:
        self._adopt_state(self._place())
        while True:
            place = self._place()
            self._read()
            # Files may have been rotated and deleted meanwhile: then their state has it all.
            if not self._adopt_state(place):
                break
        oldest = self._minute() - _KEPT_MINUTES
        for minute in [m for m in self._state.minutes if m <= oldest]:
            del self._state.minutes[minute]

    def _place(self) -> str:
        """The newest rotated file that is counted to its end."""
        return self._follower.position.after

    def _read(self) -> None:
        too_long = self._follower.too_long
        try:
            for line in self._follower.read_new():
                self._count(line)
        except OSError as error:
            logger.warning("%s: cannot be read now: %s", self._log_path, error)
        self._skip(Skipped.TOO_LONG, self._follower.too_long - too_long)

    def _adopt_state(self, place: str) -> bool:
        """Take over a state that reaches further than `place`; False when there is none."""
        signature = _signature(self._state_path)
        if signature is None or signature == self._seen:
            return False
        self._seen = signature
        state = _read_state(self._state_path)
        if state is None or state.reach <= place:
            return False
        self._state = state
        self._follower.close()
        self._follower = LogFollower(self._log_path, Position(0, 0, state.reach))
        return True

    def _count(self, line: bytes) -> None:
        record = read_line(line)
        if isinstance(record, Skipped):
            self._skip(record, 1)
            return
        self._state.totals.add(record)
        now = self._minute()
        minute = min(int(record.ts // 60), now)  # a clock that was set back makes no future
        if minute > now - _KEPT_MINUTES:
            self._state.minutes.setdefault(minute, Aggregate()).add(record)

    def _skip(self, reason: Skipped, count: int) -> None:
        self._state.skipped[reason] = self._state.skipped.get(reason, 0) + count

    def _minute(self) -> int:
        return int(self._clock() // 60)


def _point(minute: int, aggregate: Aggregate) -> dict[str, Any]:
    """One step of a series; `t` is its start in seconds since the epoch."""
    return {
        "t": minute * 60,
        "turns": aggregate.turns,
        "local": aggregate.local,
        "p50_ms": aggregate.latency_quantile_ms(0.50),
        "p95_ms": aggregate.latency_quantile_ms(0.95),
    }


def _sum(aggregates: list[Aggregate]) -> Aggregate:
    total = Aggregate()
    for aggregate in aggregates:
        total.merge(aggregate)
    return total


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file is replaced; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_state(path: Path) -> _State | None:
    """The state, or None when it is absent or not one of ours: then the log is read anew."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=_State)
    except OSError:
        return None
    except (ValueError, RecursionError) as error:
        logger.warning("%s: not a readable state, the log is counted anew: %s", path, error)
        return None
    return state if state.version == _STATE_VERSION else None


def _write_whole(path: Path, data: bytes) -> None:
    """Replace the file in one step, so that a reader sees the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
