"""One append-only file of lines on disk: open, heal, write whole lines, sync, rotate.

It takes no lock and has no thread: `JsonlWriter` calls it under the folder's lock. It exists
because a killed process leaves half a line behind, and a full disk gives a short write.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

STAMP = "%Y%m%dT%H%M%S%fZ"
_STAMPED = re.compile(r"\.\d{8}T\d{12}Z")
_sync = getattr(os, "fdatasync", os.fsync)


def rotated_files(path: Path) -> list[Path]:
    """The rotated files of the log `path`, oldest first; their names sort in that order."""
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names only, four times cheaper
    except OSError:
        return []
    start = path.name
    found = (n for n in names if n.startswith(start) and _STAMPED.fullmatch(n, len(start)))
    return [path.parent / name for name in sorted(found)]


def rotated_name(path: Path, moment: datetime) -> str:
    """The name that the log gets when it is rotated at `moment` (UTC); sorts by time."""
    return f"{path.name}.{moment.strftime(STAMP)}"


def rotate(path: Path) -> Path:
    """Rename the live file to the next rotated name and return it.

    The name is later than every earlier one, also when the clock was set back, so nothing is
    overwritten and the names keep their order. Raises OSError, and ValueError when the newest
    rotated file bears an impossible date.
    """
    moment = datetime.now(UTC)
    earlier = rotated_files(path)
    if earlier and earlier[-1].name >= rotated_name(path, moment):
        stamp = earlier[-1].name.rpartition(".")[2]
        moment = datetime.strptime(stamp, STAMP) + timedelta(microseconds=1)
    target = path.with_name(rotated_name(path, moment))
    path.rename(target)
    return target


def prune(path: Path, keep_files: int) -> None:
    """Delete the oldest rotated files above `keep_files`."""
    for old in rotated_files(path)[:-keep_files]:
        old.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Written:
    """What one write brought: whole lines now on file, and what stopped the rest."""

    lines: int
    error: OSError | None = None


class LineFile:
    """The live file, open for appending. Counts set-aside torn tails and failed syncs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn_tails = 0
        self.sync_failures = 0
        self.sync_error: OSError | None = None
        self.dirty = False
        self._fd: int | None = None

    def open(self) -> int:
        """Make sure that the file behind the name is the one that is open; return its size."""
        if self._fd is not None and not self._is_current(self._fd):
            self.close()
        if self._fd is None:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._fd = os.open(self.path, flags, 0o600)
        return os.fstat(self._fd).st_size

    def write_lines(self, lines: Sequence[bytes]) -> Written:
        """Append all lines in one write, on a line of their own; call `open` before.

        A short write is continued. When the disk refuses, the file is cut back to the last
        whole line, and the lines up to there count as written.
        """
        assert self._fd is not None
        start = os.fstat(self._fd).st_size
        torn = self._is_torn(self._fd, start)
        pieces = [b"\n" if torn else b"", *(line + b"\n" for line in lines)]
        size, error = _write_all(self._fd, b"".join(pieces))
        self.dirty = self.dirty or size > 0
        self.torn_tails += torn and size > 0
        if error is None:
            return Written(len(lines))
        whole, end = _whole_pieces(pieces, size)
        with suppress(OSError):
            os.ftruncate(self._fd, start + end)
        return Written(max(whole - 1, 0), error)

    def sync(self) -> None:
        """Ask the disk to keep what was written; `sync_error` says how the last try went.

        After a failed sync the system may call lost pages clean, so the descriptor is given up.
        """
        if self._fd is None or not self.dirty:
            return
        self.dirty = False
        try:
            _sync(self._fd)
            self.sync_error = None
        except OSError as error:
            self.sync_error = error
            self.sync_failures += 1
            os.close(self._fd)
            self._fd = None

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    @staticmethod
    def _is_torn(fd: int, size: int) -> bool:
        if size == 0:
            return False
        os.lseek(fd, size - 1, os.SEEK_SET)
        return os.read(fd, 1) != b"\n"


def _write_all(fd: int, data: bytes) -> tuple[int, OSError | None]:
    """Write until all is on file or the system refuses; returns the bytes written."""
    done = 0
    while done < len(data):
        try:
            count = os.write(fd, data[done:] if done else data)
        except OSError as error:
            return done, error
        if count == 0:
            return done, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += count
    return done, None


def _whole_pieces(pieces: Sequence[bytes], size: int) -> tuple[int, int]:
    """How many pieces lie wholly within the first `size` bytes, and where the last one ends."""
    end = 0
    for count, piece in enumerate(pieces):
        if end + len(piece) > size:
            return count, end
        end += len(piece)
    return len(pieces), end
