"""The readable copy of labelled feedback: data/new_user_data.csv, which a person may add to.

The store is the truth; nothing is decided here. The file is written for spreadsheets, so a cell
that one would run as a formula gets a leading apostrophe, which reading takes away again.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.feedback import Feedback
from chatloop.core.locks import exclusive
from chatloop.loop.store import FeedbackStatus

FILE = "new_user_data.csv"
COLUMNS = ("feedback_id", "text", "label", "source", "user", "created_at", "status")
# What a spreadsheet may take for a formula, also after blanks and in fullwidth spelling. The
# leading apostrophes make defusing reversible for texts that bring some along.
_FORMULA = re.compile(r"'*[\s\u200b\ufeff]*[\t\r\n\0=+\-@＝＋－＠﹦﹢﹣﹫]")
_HEADER = (",".join(COLUMNS) + "\n").encode()
_OWN_END = re.compile(rb'[a-z]"\n\Z')
_MARK = "#end#"


@dataclass(frozen=True, slots=True)
class AddedRow:
    """A row that a person wrote. `number` counts records; the header is row 1."""

    number: int
    text: str
    label: str


def defuse(cell: str) -> str:
    """Return `cell` in a form that no spreadsheet runs; `restore` gives back the exact text."""
    return "'" + cell if _FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """Undo `defuse`; an apostrophe that a person typed stays."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def iso_time(seconds: float) -> str:
    """Return a moment as people read it, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def append_durably(path: Path, data: bytes) -> None:
    """Append all of `data` and sync it, or leave the file as it was. The caller holds the lock.

    Raises OSError. The file is made with mode 0600.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    size_bytes = os.fstat(descriptor).st_size
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size_bytes)
        raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class CsvCopy:
    """The CSV file. Processes take turns by a lock, so nobody reads half a row of ours."""

    path: Path

    def append(self, pieces: Iterable[Feedback]) -> None:
        """Add one row a piece, on disk before this returns. Raises DataError.

        A tail that a killed process left is closed first, so that no two rows merge. A header
        that a person wrote is kept and followed; the columns that it lacks are added.
        """
        rows = [_cells(feedback) for feedback in pieces]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                header, before = self._prepare()
                append_durably(self.path, (before + _lines(rows, header)).encode())
        except OSError as error:
            raise DataError(f"{self.path} cannot be written ({error.strerror})") from error

    def append_missing(self, pieces: Iterable[Feedback]) -> None:
        """Add the pieces that the file lacks, as after a kill or while it could not be written."""
        ids = {cells.get("feedback_id") for _, cells in self._records()}
        missing = [feedback for feedback in pieces if feedback.feedback_id not in ids]
        if missing:
            self.append(missing)

    def read_added(self, known_ids: set[str]) -> tuple[list[AddedRow], list[str]]:
        """Return the rows that a person added, and one line for each that cannot be taken.

        Such a row has no feedback id, or one that is not in `known_ids`; its label stands
        under `label` or `intent`. Raises DataError when the file cannot be read as a whole.
        """
        rows: list[AddedRow] = []
        problems: list[str] = []
        for number, cells in self._records():
            if cells.get("feedback_id", "") in known_ids or not any(cells.values()):
                continue
            problem = _problem(cells)
            if problem:
                problems.append(f"{self.path.name}, row {number}: {problem}")
            else:
                rows.append(AddedRow(number, cells["text"], _label(cells)))
        return rows, problems

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive(self.path.with_name(f".{self.path.name}.lock"))

    def _records(self) -> list[tuple[int, dict[str, str]]]:
        """Return (row number, cells by column) of every row below the header."""
        if not self.path.exists():
            return []
        try:
            with self._alone():
                text = _decoded(self.path.read_bytes())
            records = list(csv.reader(io.StringIO(text, newline="")))
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror})") from error
        except csv.Error as error:
            raise DataError(f"{self.path}: not a CSV file; is a closing quote missing?") from error
        header = self._columns(records[0] if records else [])
        return [(n, _by_column(header, cells)) for n, cells in enumerate(records[1:], start=2)]

    def _prepare(self) -> tuple[list[str], str]:
        """Return the columns to follow, and what must be written before the next row."""
        head, tail = self._ends()
        if head != _HEADER and _HEADER.startswith(head):  # absent, empty, or torn in its first line
            return list(COLUMNS), _HEADER[len(head) :].decode()
        header = self._columns(next(csv.reader([_decoded(head)])))
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            self._widen(head, missing)
        if _OWN_END.search(tail):  # the usual case: no need to read the whole file
            return header + missing, ""
        return header + missing, _closing(_decoded(self.path.read_bytes()))

    def _ends(self) -> tuple[bytes, bytes]:
        if not self.path.exists():
            return b"", b""
        with self.path.open("rb") as file:
            head = file.readline()
            file.seek(max(0, file.seek(0, os.SEEK_END) - 64))
            return head, file.read()

    def _widen(self, head: bytes, missing: list[str]) -> None:
        """Add columns to a header that a person wrote; the rows below stay byte for byte."""
        rest = self.path.read_bytes()[len(head) :]
        wider = head.rstrip(b"\r\n") + ("," + ",".join(missing) + "\n").encode()
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.unlink(missing_ok=True)
        append_durably(draft, wider + rest)
        draft.replace(self.path)

    def _columns(self, header: list[str]) -> list[str]:
        columns = [name.strip().lower() for name in header]
        if "text" not in columns or not {"label", "intent"} & set(columns):
            expected = ",".join(COLUMNS)
            raise DataError(f"{self.path}, row 1: expected columns with commas, as in {expected}")
        return columns


def _cells(feedback: Feedback) -> dict[str, str]:
    return {
        "feedback_id": feedback.feedback_id,
        "text": feedback.text or "",
        "label": feedback.label or "",
        "source": feedback.source,
        "user": feedback.user or "",
        "created_at": iso_time(feedback.created_at),
        "status": feedback.status,
    }


def _lines(rows: Iterable[dict[str, str]], header: list[str]) -> str:
    out = io.StringIO()
    # Every cell is quoted, which makes the end of a row of ours unmistakable (_OWN_END).
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([defuse(row.get(column, "")) for column in header] for row in rows)
    return out.getvalue()


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")  # read_added reports what was replaced


def _by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    """Name the cells; what stands beyond the last column is kept under the empty name."""
    named = {name: restore(cell) for name, cell in zip(header, cells, strict=False)}
    beyond = "".join(cells[len(header) :])
    return named | {"": beyond} if beyond else named


def _label(cells: dict[str, str]) -> str:
    return (cells.get("label") or cells.get("intent", "")).strip()


def _problem(cells: dict[str, str]) -> str | None:
    if cells.get(""):
        return "more cells than columns; put a text with commas in double quotes"
    if not cells.get("text", "").strip():
        return "the text is empty"
    if not _label(cells):
        return "the label is missing"
    if "\ufffd" in cells["text"]:
        return "not UTF-8; save the file as UTF-8"
    if cells.get("status", "").strip() not in {"", FeedbackStatus.ACCEPTED}:
        return "its status is not `accepted`; clear that cell to take the row in"
    return None


def _closing(text: str) -> str:
    """Return what ends the last row of a file: a quote when one is open, a line break."""
    try:
        last = list(csv.reader(io.StringIO(f"{text}\n{_MARK}\n", newline="")))[-1]
    except csv.Error:
        last = []
    if last != [_MARK]:
        return '"\n'
    return "" if text.endswith("\n") else "\n"
