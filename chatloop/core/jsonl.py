"""The durable log of lines: one writer thread a process, any number of processes a file.

It promises that a line acknowledged with True survives kill -9 of any process, and power loss
except for the last second. It never raises and never blocks the caller: a log that cannot be
written drops and counts, because a customer's answer matters more than its record.
It knows nothing of what a line says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from chatloop.core.locks import exclusive
from chatloop.core.logfile import LineFile, prune, rotate

logger = logging.getLogger(__name__)

QUEUE_LINES = 10_000
"""Lines that may wait for the disk; above that they are dropped and counted."""

LOCK_NAME = ".lock"

_Entry = tuple[Sequence[bytes], "Future[int]"]


class JsonlWriter:
    """Appends lines to `path`, rotates it at `rotate_bytes`, keeps `keep_files` old ones.

    `on_rotate(rotated_path)` is called in the writer thread while the folder's lock is held and
    before old files are deleted. The counters are for /health and may be read at any time.
    """

    def __init__(
        self,
        path: Path,
        rotate_bytes: int,
        *,
        keep_files: int,
        on_rotate: Callable[[Path], None] | None = None,
        sync_interval_s: float = 1.0,
    ) -> None:
        self.written = 0
        self.dropped = 0
        self.rotations = 0
        self.last_error: str | None = None
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep_files = keep_files
        self._on_rotate = on_rotate
        self._sync_interval_s = sync_interval_s
        self._file = LineFile(path)
        self._write_ok = True
        self._sync_at = 0.0
        self._closing = False
        self._queue: deque[_Entry] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jsonl-writer", daemon=True)
        self._thread.start()

    @property
    def torn_tails(self) -> int:
        """Half lines of killed writers that were set aside on a line of their own."""
        return self._file.torn_tails

    @property
    def sync_failures(self) -> int:
        """Syncs that the disk refused; what they covered may not survive a power loss."""
        return self._file.sync_failures

    @property
    def healthy(self) -> bool:
        """Whether the last batch was written without an error and the last sync succeeded."""
        return self._write_ok and self._file.sync_error is None

    def append(self, line: bytes) -> Future[bool]:
        """Queue one line (without its newline); True = on file, False = dropped. Never raises.

        A line that holds a newline would become two records, and is dropped.
        """
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()  # a client that leaves cannot cancel its record
        self.append_all([line]).add_done_callback(lambda done: future.set_result(done.result() > 0))
        return future

    def append_all(self, lines: Sequence[bytes]) -> Future[int]:
        """Queue lines together; the result is how many, from the first on, are on file.

        All are dropped when there is no room for all, or one holds a newline.
        """
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()
        whole = not any(b"\n" in line for line in lines)
        with self._wake:
            accepted = whole and not self._closing and self._waiting + len(lines) <= QUEUE_LINES
            if accepted:
                self._queue.append((lines, future))
                self._waiting += len(lines)
                self._wake.notify()
            else:
                self.dropped += len(lines)
        if not accepted:
            future.set_result(0)
        return future

    def close(self) -> None:
        """Write what is queued, sync, and end the thread. Later lines are dropped."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                self._write(batch)
            if self._file.dirty and time.monotonic() >= self._sync_at:
                self._sync()
            if not batch and self._closing:
                break
        self._file.close()

    def _next_batch(self) -> list[_Entry]:
        """Everything queued; waits for a line, for the next sync or for the end."""
        with self._wake:
            if not self._queue and not self._closing:
                wait_s = max(0.0, self._sync_at - time.monotonic()) if self._file.dirty else None
                self._wake.wait(wait_s)
            batch = list(self._queue)
            self._queue.clear()
            self._waiting = 0
            return batch

    def _write(self, batch: list[_Entry]) -> None:
        done = 0
        lines = [line for group, _ in batch for line in group]
        clean = not self._file.dirty
        self._write_ok = True
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with exclusive(self._path.parent / LOCK_NAME):
                done = self._append(lines)
        except OSError as error:
            self._fail(error)
        if clean:
            self._sync_at = time.monotonic() + self._sync_interval_s
        with self._wake:
            self.written += done
            self.dropped += len(lines) - done
        for group, future in batch:
            future.set_result(min(done, len(group)))
            done -= min(done, len(group))

    def _append(self, lines: list[bytes]) -> int:
        """Write all lines, over as many files as the size limit asks for; returns how many."""
        done = 0
        may_rotate = True
        try:
            while done < len(lines):
                rest = lines[done:]
                size = self._file.open()
                fit = self._fitting(size, rest) if may_rotate else len(rest)
                if fit == 0:
                    may_rotate = self._rotate()
                    continue
                written = self._file.write_lines(rest[:fit])
                done += written.lines
                if written.error is not None:
                    raise written.error
        except OSError as error:
            self._fail(error)
        return done

    def _fitting(self, size: int, lines: list[bytes]) -> int:
        """How many lines fit before the limit; at least one on an empty file."""
        for count, line in enumerate(lines):
            size += len(line) + 1
            if size > self._rotate_bytes and size > len(line) + 1:
                return count
        return len(lines)

    def _rotate(self) -> bool:
        """Start a new file; False when the disk refuses, and then the old one goes on."""
        self._file.close()
        try:
            rotated = rotate(self._path)
        except (OSError, ValueError) as error:
            self._fail(error)
            return False
        self.rotations += 1
        if self._on_rotate is not None:
            try:
                self._on_rotate(rotated)
            except Exception:
                logger.exception("the rotation of %s was not recorded", self._path.name)
        with suppress(OSError):
            prune(self._path, self._keep_files)
        return True

    def _sync(self) -> None:
        self._file.sync()
        self._sync_at = time.monotonic() + self._sync_interval_s
        if self._file.sync_error is not None:
            self.last_error = str(self._file.sync_error)
            logger.warning("%s could not be synced: %s", self._path.name, self.last_error)

    def _fail(self, error: OSError | ValueError) -> None:
        if self._write_ok:
            logger.warning("%s could not be written: %s", self._path.name, error)
        self._write_ok = False
        self.last_error = str(error)
