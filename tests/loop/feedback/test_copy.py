from __future__ import annotations

import csv
import io
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloop.core.errors import DataError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.loop.feedback.copy import COLUMNS, CsvCopy, append_durably, defuse, restore
from chatloop.loop.store import Store

TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+49 bucks",
    "-1 seats",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\0=1",
    "＝1+1",
    "－1",
    "   =1",
    "\u00a0=1",
    "\u200b=1",
    '=HYPERLINK("http://x","y")',
]
HARMLESS = ["'twas fine", "''", "'", "a=b", "1-2", "don't", '"quoted"', " blank first"]


def piece(number: int, text: str, *, label: str = "get_invoice", status: str = "accepted"):
    return Feedback(
        feedback_id=f"fb_{number}",
        feedback_type=FeedbackType.LABEL,
        status=status,
        source="api",
        created_at=1_700_000_000.0,
        text=text,
        label=label,
    )


def records(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def read_back(copy: CsvCopy) -> list[str]:
    rows, problems = copy.read_added(set())
    assert problems == []
    return [row.text for row in rows]


@pytest.fixture
def copy(tmp_path: Path) -> CsvCopy:
    return CsvCopy(tmp_path / "new_user_data.csv")


@pytest.mark.parametrize("text", FORMULAS)
def test_f5_no_cell_starts_with_what_a_spreadsheet_runs(copy, text):
    copy.append([piece(1, text)])
    (cell,) = (row[1] for row in records(copy.path)[1:])
    assert cell.startswith("'")
    assert read_back(copy) == [text]


def test_f5_texts_with_apostrophes_come_back_exactly(copy):
    texts = [*HARMLESS, *("'" + f for f in FORMULAS), *("''" + f for f in FORMULAS)]
    copy.append(piece(n, text) for n, text in enumerate(texts))
    assert read_back(copy) == texts


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("'=+-@＝ \t\r\n\0\u200bab\",;")))
def test_f5_defusing_is_undone_exactly(text):
    cell = defuse(text)
    assert restore(cell) == text
    assert not cell.lstrip(" \u200b").startswith(TRIGGERS)


def test_f5_every_column_is_defused(copy):
    copy.append([piece(1, "fine", label="=evil")])
    assert records(copy.path)[1][2] == "'=evil"


def test_a_fresh_file_has_the_header_and_is_for_the_owner_only(copy):
    copy.append([piece(1, "größer")])
    assert records(copy.path) == [
        list(COLUMNS),
        ["fb_1", "größer", "get_invoice", "api", "", "2023-11-14T22:13:20.000+00:00", "accepted"],
    ]
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600


def test_d9_a_row_torn_at_any_byte_never_merges_with_the_next(copy):
    copy.append([piece(1, "first, of all")])
    before = copy.path.read_bytes()
    copy.append([piece(2, 'says "hi"\nand, "ü" \'=1')])
    whole = copy.path.read_bytes()
    for cut in range(len(whole)):
        copy.path.write_bytes(whole[:cut])
        copy.append([piece(3, 'third "x"\nrow')])
        found = {cells[0]: cells for cells in records_of_any_bytes(copy.path)}
        assert len(found["fb_3"]) == len(COLUMNS), cut
        assert found["fb_3"][1:3] == ['third "x"\nrow', "get_invoice"], cut
        if cut >= len(before):
            assert found["fb_1"][1] == "first, of all"


def records_of_any_bytes(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode(errors="replace")
    return list(csv.reader(io.StringIO(text, newline="")))


WRITER = """
import sys
from pathlib import Path
from chatloop.loop.feedback.intake import FeedbackIn
from chatloop.loop.store import Store
from tests.loop.feedback.conftest import make_intake

folder, name, posts = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store(f"sqlite:///{folder / 'chatloop.db'}")
intake = make_intake(folder, store)
for number in range(posts):
    text = f'{name} no {number}: "a", b,\\n"c" says =1 and\\n\\n' + "words " * (number % 80)
    result = intake.submit(
        FeedbackIn(text=text, label="get_invoice"), trusted=True, source="api"
    )
    print(result.feedback_id, number, result.status, flush=True)
"""


def start_writer(folder: Path, name: str, posts: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(posts)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


def test_d9_two_processes_and_a_kill_lose_and_merge_no_acknowledged_row(tmp_path):
    posts, kill_after = 500, 100
    one, two = start_writer(tmp_path, "one", posts), start_writer(tmp_path, "two", posts)
    assert one.stdout is not None
    acked = [one.stdout.readline() for _ in range(kill_after)]
    one.send_signal(signal.SIGKILL)
    acked += one.stdout.readlines()
    rest, _ = two.communicate(timeout=60)
    assert one.wait() == -signal.SIGKILL
    assert two.returncode == 0
    acked = [line for line in acked if line.endswith("accepted\n")] + rest.splitlines()
    ids = [line.split()[0] for line in acked]
    assert kill_after + posts <= len(set(ids)) == len(ids) < 2 * posts

    found = {cells[0]: cells for cells in records(tmp_path / "new_user_data.csv")}
    store = Store(f"sqlite:///{tmp_path / 'chatloop.db'}")
    stored = {feedback.feedback_id: feedback for feedback in store.feedback()}
    store.close()
    for feedback_id in ids:
        cells = found[feedback_id]
        assert len(cells) == len(COLUMNS)
        assert restore(cells[1]) == stored[feedback_id].text
    merged = [c for c in found.values() if sum(cell.count("fb_") for cell in c) > 1]
    assert merged == []


def test_a_full_disk_leaves_the_file_as_it_was(copy, monkeypatch):
    copy.append([piece(1, "first")])
    before = copy.path.read_bytes()
    write = os.write

    def short_then_full(descriptor: int, data: bytes) -> int:
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data[:20]))

    monkeypatch.setattr("chatloop.loop.feedback.copy.os.write", short_then_full)
    with pytest.raises(DataError, match="No space left"):
        copy.append([piece(2, "second")])
    assert copy.path.read_bytes() == before


def test_short_writes_are_completed(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(
        "chatloop.loop.feedback.copy.os.write", lambda fd, data: write(fd, bytes(data[:3]))
    )
    append_durably(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_rows_added_by_hand_are_read_with_their_row_numbers(copy):
    copy.append([piece(1, "two\nlines"), piece(2, "known")])
    with copy.path.open("a", encoding="utf-8") as file:
        file.write(',"a, b",login_problem\n\nmine-7,by hand,oos,,,,accepted')
    rows, problems = copy.read_added({"fb_1", "fb_2"})
    assert [(r.number, r.text, r.label) for r in rows] == [
        (4, "a, b", "login_problem"),
        (6, "by hand", "oos"),
    ]
    assert problems == []


def test_a_row_typed_without_a_line_end_does_not_merge_with_the_next_one(copy):
    copy.append([piece(1, "first")])
    with copy.path.open("a") as file:
        file.write(",by hand,oos")
    copy.append([piece(2, "second")])
    assert [row.text for row in copy.read_added({"fb_1", "fb_2"})[0]] == ["by hand"]
    assert [cells[0] for cells in records(copy.path)] == ["feedback_id", "fb_1", "", "fb_2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b",,oos", "text is empty"),
        (b",words,", "label is missing"),
        (b",how, please, me,oos,x,y,z,w", "more cells than columns"),
        (b",caf\xe9,oos", "not UTF-8"),
        (b"fb_other,words,oos,api,,,queued_for_review", "not `accepted`"),
    ],
)
def test_a_row_that_cannot_be_taken_is_reported_by_its_number(copy, line, reason):
    copy.append([piece(1, "first")])
    copy.path.write_bytes(copy.path.read_bytes() + line + b"\n")
    rows, problems = copy.read_added({"fb_1"})
    assert rows == []
    assert len(problems) == 1
    assert problems[0].startswith("new_user_data.csv, row 3: ")
    assert reason in problems[0]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_file_that_a_person_made_keeps_its_rows_and_gets_our_columns(copy, bom):
    copy.path.write_text(
        f"{bom}Text,Intent\r\nwhere is it,get_invoice\r\n", encoding="utf-8", newline=""
    )
    copy.append([piece(1, "ours")])
    copy.append([piece(2, "ours too")])
    rows, problems = copy.read_added({"fb_1", "fb_2"})
    assert [(r.number, r.text, r.label) for r in rows] == [(2, "where is it", "get_invoice")]
    assert problems == []
    header, _, first, second = records(copy.path)
    assert header[1:] == ["Intent", *(c for c in COLUMNS if c != "text")]
    assert (first[header.index("feedback_id")], first[header.index("label")]) == (
        "fb_1",
        "get_invoice",
    )
    assert len(first) == len(second) == len(header)


@pytest.mark.parametrize("content", ["feedback_id;text;label\n1;a;oos\n", "words,oos\n", "\n"])
def test_a_file_without_our_columns_is_an_error_and_stays_as_it_is(copy, content):
    copy.path.write_text(content)
    with pytest.raises(DataError, match="row 1: expected columns"):
        copy.read_added(set())
    with pytest.raises(DataError, match="row 1: expected columns"):
        copy.append([piece(1, "ours")])
    assert copy.path.read_text() == content


def test_an_absent_file_has_no_rows(copy):
    assert copy.read_added(set()) == ([], [])


def test_what_the_file_lacks_is_added_once(copy):
    copy.append([piece(1, "first")])
    for _ in range(2):
        copy.append_missing([piece(1, "first"), piece(2, "second")])
    assert [cells[0] for cells in records(copy.path)] == ["feedback_id", "fb_1", "fb_2"]
