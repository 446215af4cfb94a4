"""Holds the current Turn and follows the pointer: try the new one first, then swap one reference.

Every worker looks at `models/current.json` each second by itself, so a promotion from anywhere
(a command, another worker, a rollback with the server down) reaches all of them. A worker that
cannot load keeps the release it has and says so in /health.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chatloop.core.errors import ChatloopError, ReleaseError
from chatloop.core.release import Pointer, Release, open_release, read_pointer
from chatloop.turn.turn import Turn

log = logging.getLogger(__name__)
FOLLOW_INTERVAL_S = 1.0
FOLLOW_LIMIT_S = 5.0
_ALIVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Workers:
    """How many live workers serve the wanted version."""

    on_new: int
    live: int


class Live:
    """The current Turn of this worker. `make` turns a verified release into a Turn."""

    def __init__(self, models_dir: Path, logs_dir: Path, make: Callable[[Release], Turn]) -> None:
        self._models_dir = models_dir
        self._signs = logs_dir / ".workers"
        self._make = make
        self._turn: Turn | None = None
        self._lock = asyncio.Lock()
        self._refused: str | None = None
        self.problem: str | None = None
        self.reloads = 0
        self.failures = 0

    @property
    def turn(self) -> Turn | None:
        """The Turn to use for the next message; None until a release is loaded."""
        return self._turn

    @property
    def version(self) -> str | None:
        """The version that this worker serves."""
        return self._turn.version if self._turn else None

    async def follow(self) -> None:
        """Follow the pointer until cancelled, and leave a sign of life each time."""
        while True:
            await self.look()
            await asyncio.sleep(FOLLOW_INTERVAL_S)

    async def look(self) -> None:
        """Load what the pointer names if it is not served yet. Never raises."""
        async with self._lock:
            try:
                pointer = read_pointer(self._models_dir)
                if pointer and pointer.version != self.version:
                    await self._load(pointer)
                elif pointer:
                    self.problem = self._refused = None
            except ChatloopError as error:
                self._keep(str(error), "pointer")
            self._sign()

    async def _load(self, pointer: Pointer) -> None:
        try:
            turn = await asyncio.to_thread(self._open, pointer)
        except ChatloopError as error:
            self._keep(str(error), pointer.version)
            return
        before, self._turn = self.version, turn
        self.problem = self._refused = None
        self.reloads += 1
        log.info("serving release %s (before: %s)", turn.version, before)

    def _open(self, pointer: Pointer) -> Turn:
        release = open_release(self._models_dir, pointer.version, pointer.manifest_sha256)
        release.verify()
        try:
            return self._make(release)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            name = type(error).__name__
            raise ReleaseError(f"release {release.version} cannot be used ({name})") from error

    def _keep(self, problem: str, what: str) -> None:
        """Keep what is served; count and log a refusal once, not every second."""
        if self._refused != what:
            self._refused = what
            self.failures += 1
            log.error("keeping release %s: %s", self.version, problem)
        self.problem = problem

    def _sign(self) -> None:
        try:
            self._signs.mkdir(parents=True, exist_ok=True)
            (self._signs / str(os.getpid())).write_text(self.version or "", "utf-8")
        except OSError as error:
            log.warning("the sign of life was not written (%s)", error.strerror)

    def forget(self) -> None:
        """Take the sign of life away, at the end of this worker."""
        (self._signs / str(os.getpid())).unlink(missing_ok=True)

    async def all_follow(self, version: str, limit_s: float = FOLLOW_LIMIT_S) -> Workers:
        """Wait until all live workers serve `version`, at most `limit_s`; return the counts."""
        await self.look()
        until = time.monotonic() + limit_s
        workers = self._workers(version)
        while workers.on_new < workers.live and time.monotonic() < until:
            await asyncio.sleep(0.1)
            workers = self._workers(version)
        return workers

    def _workers(self, version: str) -> Workers:
        on_new = live = 0
        for sign in self._signs.glob("[0-9]*"):
            try:
                fresh = time.time() - sign.stat().st_mtime < _ALIVE_S
                text = sign.read_text("utf-8")
            except OSError:
                continue
            if fresh and _is_alive(int(sign.name)):
                live += 1
                on_new += text == version
        return Workers(on_new, live)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
