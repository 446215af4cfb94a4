"""The training row, and the CSV file that holds them.

`family` groups rows that say the same thing; `split` is the part that the whole family belongs
to. Nothing here decides either of them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.types import OOS

FILE = "intents.csv"
COLUMNS = ("text", "intent", "source", "family", "split")
LABEL_FORM = re.compile(r"[a-z][a-z0-9_]{1,40}")


class Part(StrEnum):
    """The three uses of data: fit learns, calibrate sets thresholds, test reports and gates."""

    FIT = "fit"
    CALIBRATE = "calibrate"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `source`: `seed:<build>`, `template`, `import` or `feedback`."""

    text: str
    intent: str
    source: str
    family: str
    split: str

    @property
    def in_scope(self) -> bool:
        """Whether the row belongs to an intent that can be answered."""
        return self.intent != OOS


def to_csv(rows: Iterable[Row]) -> bytes:
    """Return the rows as CSV bytes; the same rows give the same bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((r.text, r.intent, r.source, r.family, r.split) for r in rows)
    return out.getvalue().encode("utf-8")


def read_rows(path: Path) -> list[Row]:
    """Read `data/intents.csv`; raises DataError that names the file and row."""
    if not path.exists():
        raise DataError(f"{path} is not there: run `python prepare_data.py` first")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path}: column `{missing[0]}` is missing; expected {','.join(COLUMNS)}")
    return [_row(path, number, cells) for number, cells in enumerate(reader, start=2)]


def _row(path: Path, number: int, cells: dict[str, str | None]) -> Row:
    row = Row(*((cells[c] or "").strip() for c in COLUMNS))
    if not row.text:
        raise DataError(f"{path}, row {number}: the text is empty")
    if not LABEL_FORM.fullmatch(row.intent):
        raise DataError(f"{path}, row {number}: the intent must look like `reset_password`")
    if row.split not in set(Part):
        raise DataError(f"{path}, row {number}: split must be fit, calibrate or test")
    return row


def fingerprint(rows: Iterable[Row]) -> str:
    """Return 16 hex characters that change with any row."""
    return hashlib.sha256(to_csv(rows)).hexdigest()[:16]
