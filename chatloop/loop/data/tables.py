"""Reads tables as spreadsheets and scripts write them: encoding, separator, columns by name.

Knows nothing of intents: whoever calls says which columns to look for. Every fault is one line
with file and row; a guess that could be wrong is told, never silent.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.turn.guard.pii import redact

Say = Callable[[str], None]
NO_COLUMN = "-"
"""Chosen instead of a name: this column is not to be read."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?[ ,;\t|]*(?:\r\n?|\n)", re.IGNORECASE)
_DEFUSED = re.compile(r"'(?=[=+\-@\t\r])")
_SNIFFED_CHARS, _SNIFFED_ROWS = 65_536, 20
_SHOWN_CHARS = 200
_MAX_FIELD_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Role:
    """A column to look for: by the `chosen` name, else by the first of the `usual` ones."""

    title: str
    usual: tuple[str, ...]
    chosen: str | None = None
    needed: bool = True


def decode(path: Path, say: Say | None = None) -> str:
    """Return a file's text: UTF-8, UTF-16 with its mark, else Windows-1252, which is told.

    Without `say` the last one is an error, because nobody would hear of the guess.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text = _fallback(path, data, error, say)
    if "\0" in text[:_SHOWN_CHARS]:
        raise DataError(f"{path}, row 1: not UTF-8 text; save the file as CSV in UTF-8")
    return text


def _fallback(path: Path, data: bytes, error: UnicodeDecodeError, say: Say | None) -> str:
    row = data[: error.start].count(b"\n") + 1
    where = f"{path}, row {row}"
    if not say or data.startswith(_UTF16):
        raise DataError(f"{where}: not UTF-8; save the file as UTF-8") from error
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(f"{where}: not UTF-8; save the file as UTF-8") from error
    say(f"warning: {where}: not UTF-8, read as Windows-1252; check the accents, or save as UTF-8")
    return text


def read_table(
    path: Path, text: str, roles: Sequence[Role], say: Say | None = None
) -> Iterator[tuple[int, list[str | None]]]:
    """Yield each row's last line number, and its cells in the order of `roles` (None: no column).

    Blank rows are passed over. Raises DataError: a needed column is missing, a row has more
    cells than the header, a quotation mark is never closed.
    """
    csv.field_size_limit(_MAX_FIELD_CHARS)
    line = _SEPARATOR_LINE.match(text)
    skipped, body = (1, text[line.end() :]) if line else (0, text)
    separator = line.group(1) if line else _separator(body, roles)
    header: list[str] | None = None
    columns: list[int | None] = []
    for number, cells in _records(path, body, separator, skipped):
        if header is None:
            header = [cell.strip() for cell in cells]
            columns = find_columns(f"{path}, row {number}", header, roles)
            _tell(header, columns, roles, say)
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            raise DataError(
                f"{path}, row {number}: {len(cells)} cells below a header of {len(header)}; "
                'put texts that hold the separator into quotation marks: "a, b"'
            )
        yield number, [_cell(cells, column) for column in columns]
    if header is None:
        raise DataError(f"{path}: the file is empty")


def _records(
    path: Path, body: str, separator: str, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    start = number = skipped
    try:
        for cells in reader:
            start, number = number + 1, reader.line_num + skipped
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        at = reader.line_num + skipped
        raise DataError(f"{path}, row {at}: not readable as CSV ({error})") from error
    last = body.split("\n")[start - skipped - 1 :] if number > start else []
    if "".join(last).count('"') % 2:
        raise DataError(f"{path}, row {start}: a quotation mark opens here and never closes")


def _separator(body: str, roles: Sequence[Role]) -> str:
    """Return the separator that shows the needed columns, else the one that cuts most evenly."""
    return max(_SEPARATORS, key=lambda separator: _fitness(body, separator, roles))


def _fitness(body: str, separator: str, roles: Sequence[Role]) -> tuple[int, int, int]:
    reader = csv.reader(io.StringIO(body[:_SNIFFED_CHARS], newline=""), delimiter=separator)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(row for row in islice(reader, _SNIFFED_ROWS) if any(c.strip() for c in row))
    if not rows:
        return 0, 0, 0
    names = [cell.strip() for cell in rows[0]]
    found = sum(bool(_matches(names, role)) for role in roles if role.needed)
    return found, sum(len(row) == len(names) for row in rows), len(names)


def find_columns(where: str, names: Sequence[str], roles: Sequence[Role]) -> list[int | None]:
    """Return the place of each role's column; raises DataError that begins with `where`."""
    columns = [_column(where, names, role) for role in roles]
    taken = [column for column in columns if column is not None]
    if len(set(taken)) < len(taken):
        double = next(names[c] for c in taken if taken.count(c) > 1)
        raise DataError(f"{where}: the column `{double}` is asked for twice")
    return columns


def _column(where: str, names: Sequence[str], role: Role) -> int | None:
    matches = _matches(names, role)
    if len(matches) > 1:
        raise DataError(f"{where}: there are {len(matches)} columns `{names[matches[0]]}`")
    if matches:
        return matches[0]
    if role.chosen == NO_COLUMN or not (role.needed or role.chosen):
        return None
    found = redact(", ".join(name for name in names if name)).text[:_SHOWN_CHARS] or "none"
    raise DataError(f"{where}: column `{role.chosen or role.title}` is missing; found: {found}")


def _matches(names: Sequence[str], role: Role) -> list[int]:
    if role.chosen in names:
        return [names.index(role.chosen)]
    folded = [name.casefold() for name in names]
    for wanted in (role.chosen.strip().casefold(),) if role.chosen else role.usual:
        if wanted in folded:
            return [i for i, name in enumerate(folded) if name == wanted]
    return []


def _tell(
    header: list[str], columns: list[int | None], roles: Sequence[Role], say: Say | None
) -> None:
    """Name the columns that were taken, when any of them goes by another name."""
    pairs = [(r, header[c]) for r, c in zip(roles, columns, strict=True) if c is not None]
    if say and any(name.casefold() != role.usual[0] for role, name in pairs):
        say("columns: " + ", ".join(f"{role.usual[0]} = `{name}`" for role, name in pairs))


def _cell(cells: list[str], column: int | None) -> str | None:
    """Return a cell, without the apostrophe that spreadsheet exports put before a formula."""
    if column is None or column >= len(cells):
        return None
    return cells[column][1:] if _DEFUSED.match(cells[column]) else cells[column]
