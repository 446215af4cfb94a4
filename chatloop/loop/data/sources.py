"""Reads what people bring: a CSV or a JSON file of labelled texts.

CSV: columns `text` and `intent` or `label`, optional `split`. JSON: `{"train": [[text, intent],
...], "oos_train": ...}`. Only reading:
cleaning is `clean.py`. Each problem is one line with file and row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.clean import RawRow
from chatloop.loop.data.rows import LABEL_FORM, Part

_OOS_NAMES = {"oos", "out_of_scope", "out-of-scope", "out of scope"}
_PARTS = {
    "train": Part.FIT,
    "fit": Part.FIT,
    "val": Part.CALIBRATE,
    "valid": Part.CALIBRATE,
    "validation": Part.CALIBRATE,
    "dev": Part.CALIBRATE,
    "calibrate": Part.CALIBRATE,
    "test": Part.TEST,
}
_MAX_FIELD_CHARS = 1_000_000


def read_source(path: Path) -> list[RawRow]:
    """Return the rows of a CSV or JSON file; raises DataError with file and row."""
    if not path.is_file():
        raise DataError(f"{path}: this file does not exist")
    text = _text(path)
    if not text.strip():
        raise DataError(f"{path}: the file is empty")
    rows = list(_json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    intents = {row.intent for row in rows} - {OOS}
    if len(intents) < 2:
        raise DataError(f"{path}: needs at least two intents, found {len(intents)}")
    return rows


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, row {row}: not UTF-8; save the file as UTF-8") from error


def _csv_rows(path: Path, text: str) -> Iterator[RawRow]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    label = columns.get("intent") or columns.get("label")
    if "text" not in columns or not label:
        missing = "text" if "text" not in columns else "intent (or label)"
        found = ", ".join(columns) or "none"
        raise DataError(f"{path}, row 1: column `{missing}` is missing; found: {found}")
    split = columns.get("split")
    try:
        for cells in reader:
            number = reader.line_num
            intent = _intent(path, number, cells[label])
            part = _part(path, number, cells[split]) if split else None
            yield RawRow(number, cells[columns["text"]] or "", intent, part)
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: not readable as CSV ({error})") from error


def _json_rows(path: Path, text: str) -> Iterator[RawRow]:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(parts, dict):
        raise DataError(f'{path}: expected {{"train": [[text, intent], ...], ...}}')
    number = 0
    for name, pairs in parts.items():
        part = _part(path, number, name)
        for pair in pairs if isinstance(pairs, list) else [pairs]:
            number += 1
            yield _pair(path, number, pair, part)


def _pair(path: Path, number: int, pair: Any, part: Part | None) -> RawRow:
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)):
        raise DataError(f"{path}, row {number}: expected [text, intent]")
    return RawRow(number, pair[0], _intent(path, number, pair[1]), part)


def _part(path: Path, number: int, name: str | None) -> Part | None:
    key = (name or "").strip().lower().removeprefix("oos_")
    if not key:
        return None
    if key not in _PARTS:
        known = ", ".join(_PARTS)
        raise DataError(f"{path}, row {number}: unknown split `{key}`; known: {known}")
    return _PARTS[key]


def _intent(path: Path, number: int, raw: str | None) -> str:
    """Bring a label into the house form: `Reset Password` becomes `reset_password`."""
    name = (raw or "").strip().lower()
    if name in _OOS_NAMES:
        return OOS
    label = re.sub(r"[\s/-]+", "_", name)
    if not LABEL_FORM.fullmatch(label):
        raise DataError(
            f"{path}, row {number}: the intent is empty or not of the form `reset_password` "
            "(a letter, then letters, digits or _; at most 41)"
        )
    return label
