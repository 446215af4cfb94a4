"""What `monitoring.py` does: prints the stream of a log, or writes its summary.

The one place of the monitor that knows the guard and the anomaly rules.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from chatloop.core.errors import DataError
from chatloop.core.follow import MAX_LINE_BYTES, LogFollower
from chatloop.core.settings import Settings
from chatloop.loop.monitor.stream import Finders, stream
from chatloop.loop.monitor.summary import Summary, summary, table, write_csv
from chatloop.turn.anomaly import AnomalyRules
from chatloop.turn.guard import pii

SAMPLE = "sample_chatbot_logs.jsonl"
FINDINGS = ("pii", "error", "anomaly")
"""What `--fail-on` may name."""

_POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. `stream` is a path, `-` for standard input, "" for the default."""

    stream: str | None = None
    follow: bool = False
    fail_on: frozenset[str] = frozenset()
    log: Path | None = None
    out: Path | None = None


def fail_on(text: str) -> frozenset[str]:
    """Read a list such as `pii,error`. Raises ArgumentTypeError for what is no finding."""
    wanted = frozenset(name.strip() for name in text.split(","))
    if not wanted <= set(FINDINGS):
        raise ArgumentTypeError(f"known findings: {', '.join(FINDINGS)}")
    return wanted


def run(settings: Settings, options: Options) -> int:
    """Stream or summarise; 1 when something was found that `fail_on` names, else 0.

    Raises DataError when the log is not there.
    """
    try:
        summarise = options.stream is None and not options.follow
        code = _summarise(settings, options) if summarise else _stream(settings, options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def finders(settings: Settings) -> Finders:
    """The detector, the redaction and the rules that the bot itself uses."""
    rules = AnomalyRules(settings.long_prompt_chars, settings.low_confidence)
    return Finders(pii.find_kinds, lambda text: pii.redact(text).text, rules.check)


def _summarise(settings: Settings, options: Options) -> int:
    result = summary(options.log or settings.chat_log)
    out = options.out or settings.logs_dir / "chat_summary.csv"
    write_csv(result.rows, out)
    sys.stdout.write(table(result.rows))
    if result.skipped:
        sys.stdout.write(f"{result.skipped} lines left out: no telemetry of this version\n")
    sys.stdout.write(f"written to {out}\n")
    return int(bool(_found_in_summary(result) & options.fail_on))


def _stream(settings: Settings, options: Options) -> int:
    found: set[str] = set()
    with suppress(KeyboardInterrupt), _lines(settings, options) as lines:
        for item in stream(lines, finders(settings)):
            _print(item, sys.stdout)
            found |= _found(item)
            if options.follow and found & options.fail_on:
                break
    return int(bool(found & options.fail_on))


@contextmanager
def _lines(settings: Settings, options: Options) -> Iterator[Iterator[bytes]]:
    if options.stream == "-":
        yield _from_file(sys.stdin.buffer)
        return
    default = settings.chat_log if options.follow else settings.data_dir / SAMPLE
    path = Path(options.stream) if options.stream else options.log or default
    if options.follow:
        yield _followed(path)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); name a JSONL file with "
            "`python monitoring.py --stream FILE`"
        ) from error
    with file:
        yield _from_file(file)


def _from_file(file: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is too long only the start, which is then no JSON object."""
    while line := file.readline(MAX_LINE_BYTES):
        rest = line
        while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
        yield line


def _followed(path: Path) -> Iterator[bytes]:
    follower = LogFollower(path)
    while True:
        yield from follower.read_new()
        sys.stdout.flush()
        time.sleep(_POLL_S)


def _print(item: dict[str, Any], out: TextIO) -> None:
    out.write(msgspec.json.encode(item).decode() + "\n")


def _found(item: dict[str, Any]) -> set[str]:
    seen = {
        "pii": any(item["pii_detected"].values()),
        "error": item["error"] is not None,
        "anomaly": bool(item["anomaly_reason"]),
    }
    return {name for name, present in seen.items() if present}


def _found_in_summary(result: Summary) -> set[str]:
    total = result.rows[-1]
    counts = {"pii": total.pii, "error": total.errors, "anomaly": total.anomalies}
    return {name for name, count in counts.items() if count}
