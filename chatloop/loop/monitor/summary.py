"""The telemetry log as a table: one row per intent and model, and a total.

Reads the live file and all rotated files that are kept, in one pass and flat memory.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.follow import LogFollower, Position
from chatloop.core.logfile import rotated_files
from chatloop.loop.monitor.aggregate import NONE, Aggregate
from chatloop.loop.monitor.lines import Skipped, read_line

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the summary. Latencies in milliseconds, `share` of all turns."""

    intent: str
    chosen_model: str
    turns: int
    share: float
    mean_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    mean_confidence: float | None
    degraded: int
    anomalies: int
    pii: int
    errors: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All rows, the most frequent first and the total last, and the lines left out."""

    rows: list[Row]
    skipped: int


def summary(log_path: Path) -> Summary:
    """Summarise the log. Raises DataError when there is none."""
    if not log_path.is_file() and not rotated_files(log_path):
        raise DataError(
            f"{log_path}: no such log yet; start the bot with `make run` and send it a message, "
            "or look at the sample with `python monitoring.py --stream`"
        )
    groups: dict[tuple[str, str], Aggregate] = {}
    skipped = 0
    follower = LogFollower(log_path, Position(0, 0, after=""))
    for line in follower.read_new():
        record = read_line(line)
        if isinstance(record, Skipped):
            skipped += record is not Skipped.EMPTY
        else:
            key = (record.intent or NONE, record.chosen_model or NONE)
            groups.setdefault(key, Aggregate()).add(record)
    follower.close()
    return Summary(list(_rows(groups)), skipped + follower.too_long)


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Replace the CSV file at `path` in one step. Raises DataError when it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows([_cell(value) for value in asdict(row).values()] for row in rows)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); name another place with --out"
        ) from error


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text, for a terminal."""
    cells = [list(_COLUMNS), *([_cell(v) for v in asdict(row).values()] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in cells) + "\n"


_COLUMNS = tuple(field.name for field in fields(Row))


def _rows(groups: dict[tuple[str, str], Aggregate]) -> Iterator[Row]:
    total = Aggregate()
    for aggregate in groups.values():
        total.merge(aggregate)
    by_size = sorted(groups.items(), key=lambda item: (-item[1].turns, item[0]))
    for key, aggregate in by_size:
        yield _row(key, aggregate, total.turns)
    yield _row((TOTAL, ""), total, total.turns)


def _row(key: tuple[str, str], aggregate: Aggregate, all_turns: int) -> Row:
    return Row(
        intent=key[0],
        chosen_model=key[1],
        turns=aggregate.turns,
        share=aggregate.turns / all_turns if all_turns else 0.0,
        mean_latency_ms=aggregate.mean_latency_ms,
        p50_latency_ms=aggregate.latency_quantile_ms(0.50),
        p95_latency_ms=aggregate.latency_quantile_ms(0.95),
        mean_confidence=aggregate.mean_confidence,
        degraded=aggregate.degraded,
        anomalies=aggregate.anomalies,
        pii=aggregate.pii,
        errors=aggregate.errors,
    )


def _cell(value: str | float | None) -> str:
    """A value as text; a text that a spreadsheet would run as a formula gets an apostrophe."""
    if isinstance(value, float):
        return f"{value:.4g}" if value < 1 else f"{value:.1f}"
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _aligned(row: list[str], widths: list[int]) -> Iterator[str]:
    for column, (text, width) in enumerate(zip(row, widths, strict=True)):
        yield text.ljust(width) if column < 2 else text.rjust(width)
