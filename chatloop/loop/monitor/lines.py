"""One line of the telemetry log, decoded: a record, or the reason why it is none.

Logs get edited, copied between systems and torn by crashes; a reader counts what it cannot use
and goes on.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from chatloop.core.telemetry import SCHEMA_VERSION, TurnRecord

BOM = b"\xef\xbb\xbf"


class Skipped(StrEnum):
    """Why a line was not counted."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    UNKNOWN_VERSION = "unknown_version"
    TOO_LONG = "too_long"


class _Versioned(msgspec.Struct):
    schema_version: int


_record = msgspec.json.Decoder(TurnRecord)
_versioned = msgspec.json.Decoder(_Versioned)


def read_line(line: bytes) -> TurnRecord | Skipped:
    """Decode one line; a byte order mark and a carriage return around it do not matter."""
    line = line.removeprefix(BOM).strip()
    if not line:
        return Skipped.EMPTY
    try:
        version = _versioned.decode(line).schema_version
        return _record.decode(line) if version == SCHEMA_VERSION else Skipped.UNKNOWN_VERSION
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return Skipped.UNREADABLE
