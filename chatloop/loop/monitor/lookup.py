"""Finds the record of one turn in the log, by binary search on time.

The turn id says when the message was received, and its record follows at most two minutes
later, so a few log lines around that moment are read, however long the log is. An id whose
record was deleted, or moved by a clock set back, is not found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

import msgspec

from chatloop.core.follow import MAX_LINE_BYTES
from chatloop.core.ids import turn_time
from chatloop.core.logfile import rotated_files, rotated_name
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.monitor.lines import read_line

LONGEST_TURN_S = 120.0
"""A record is written at most this long after its message was received."""

_SMALL_BYTES = 1 << 16


class _Stamp(msgspec.Struct):
    turn_id: str
    ts: float


_decoder = msgspec.json.Decoder(_Stamp)


def find_record(log_path: Path, turn_id: str) -> TurnRecord | None:
    """Return the record of `turn_id`, or None. The id must be one that `TurnIds` calls valid."""
    while True:
        rotated = rotated_files(log_path)
        for path in _candidates(log_path, rotated, turn_time(turn_id)):
            found = _search(path, turn_id)
            if found is not None:
                return found
        if rotated_files(log_path) == rotated:
            return None


def _candidates(log_path: Path, rotated: list[Path], received_at: float) -> Iterator[Path]:
    """The files that were written to while the record was due, oldest first."""
    first = rotated_name(log_path, datetime.fromtimestamp(received_at - 1.0, UTC))
    last = rotated_name(log_path, datetime.fromtimestamp(received_at + LONGEST_TURN_S, UTC))
    for path in rotated:
        if path.name >= first:
            yield path
            if path.name > last:
                return
    yield log_path


def _search(path: Path, turn_id: str) -> TurnRecord | None:
    received_at = turn_time(turn_id)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        file.seek(_lower_bound(file, received_at - LONGEST_TURN_S))
        while line := file.readline(MAX_LINE_BYTES):
            stamp = _stamp(line)
            if stamp is None:
                continue
            if stamp.turn_id == turn_id:
                record = read_line(line)
                return record if isinstance(record, TurnRecord) else None
            if stamp.ts > received_at + 2 * LONGEST_TURN_S:
                return None
    return None


def _lower_bound(file: BufferedReader, ts: float) -> int:
    """The start of a line before which no record of `ts` + LONGEST_TURN_S or later lies.

    Lines are written in the order of time, but bear the time of receipt: a line that bears an
    earlier time than `ts` was written before anything received LONGEST_TURN_S after `ts`.
    """
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _SMALL_BYTES:
        middle = (low + high) // 2
        offset, stamp = _first_stamp(file, middle, high)
        if stamp is not None and stamp.ts < ts:
            low = offset
        else:
            high = middle
    return low


def _first_stamp(file: BufferedReader, start: int, end: int) -> tuple[int, _Stamp | None]:
    """The first readable line that begins after `start` and before `end`, with its offset."""
    file.seek(start)
    file.readline()
    while (offset := file.tell()) < end:
        stamp = _stamp(file.readline())
        if stamp is not None:
            return offset, stamp
    return end, None


def _stamp(line: bytes) -> _Stamp | None:
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError):
        return None
