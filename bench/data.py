"""The rows that a benchmark runs on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatloop.loop.data.clean import clean
from chatloop.loop.data.rows import FILE, Part, Row, read_rows
from chatloop.loop.data.sources import read_source

SEED = 7


@dataclass(frozen=True)
class Data:
    """Rows by part. `fit` learns, `test` reports; out-of-scope rows are among them."""

    name: str
    rows: list[Row]

    def part(self, part: Part) -> list[Row]:
        return [row for row in self.rows if row.split == part]

    def describe(self) -> str:
        counts = ", ".join(f"{len(self.part(part))} {part.value}" for part in Part)
        return f"{counts}, {len({r.intent for r in self.rows})} labels"


def load(path: Path | None) -> Data:
    """Read a CSV, or the project's own data; raises DataError."""
    if path is None:
        return Data("the project's own set", read_rows(Path("data") / FILE))
    rows, _report = clean(read_source(path), SEED)
    return Data(path.name, rows)
