"""The check `log`: can it be read and written, and how does it end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from chatloop.core.follow import MAX_LINE_BYTES
from chatloop.core.jsonl import LOCK_NAME
from chatloop.core.locks import exclusive
from chatloop.core.settings import Settings
from chatloop.loop.monitor.lines import Skipped, read_line
from chatloop.serve.doctor.base import Finding, fail, ok, warn


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the end of the telemetry file."""
    path = settings.chat_log
    try:
        end = _settled_end(path)
    except FileNotFoundError:
        yield ok("log", "no turn was recorded yet")
    except OSError as error:
        hint = f"ls -l {path}: it must be a file that the bot may write"
        yield fail("log", f"{path} cannot be used ({error.strerror})", hint)
    else:
        yield _judge(path, end)


def _settled_end(path: Path) -> bytes:
    """Return the last bytes of the file, seen between two writes."""
    end = _end(path)
    lock = path.parent / LOCK_NAME
    if end and not end.endswith(b"\n") and lock.exists():
        with exclusive(lock):  # a writer may have been half-way
            return _end(path)
    return end


def _end(path: Path) -> bytes:
    with path.open("r+b") as file:  # for writing too: that proves the right to
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_LINE_BYTES))
        return file.read()


def _judge(path: Path, end: bytes) -> Finding:
    whole, newline, tail = end.rpartition(b"\n")
    if tail:
        found = f"{path} ends in half a line: a writer was killed"
        return warn("log", found, "nothing: the next turn sets it aside and goes on")
    if not newline:
        return ok("log", "no turn was recorded yet")
    record = read_line(whole.rpartition(b"\n")[2])
    if isinstance(record, Skipped):
        hint = f"tail -n 1 {path}: did something else write there?"
        return warn("log", f"the last line of {path} is {record.value}", hint)
    last = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.ts))
    return ok("log", f"{path.stat().st_size / 1e6:.1f} MB, last turn {last}")
