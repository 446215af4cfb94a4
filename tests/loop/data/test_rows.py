from __future__ import annotations

import pytest

from chatloop.core.errors import DataError
from chatloop.loop.data.rows import Row, fingerprint, read_rows, to_csv

ROWS = [
    Row('say "hi", twice', "greet_me", "import", "f1", "fit"),
    Row("two\nlines", "oos", "seed:angry", "f2", "test"),
    Row("=1+1", "greet_me", "import", "f3", "calibrate"),
]
HEAD = "text,intent,source,family,split\n"


def test_rows_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "intents.csv"
    path.write_bytes(to_csv(ROWS))
    assert read_rows(path) == ROWS
    assert [row.in_scope for row in ROWS] == [True, False, True]


def test_the_same_rows_give_the_same_bytes_and_any_change_another_fingerprint():
    assert to_csv(ROWS) == to_csv(list(ROWS))
    assert fingerprint(ROWS) == fingerprint(ROWS)
    assert len({fingerprint(ROWS), fingerprint(ROWS[:2]), fingerprint(ROWS[::-1])}) == 3


def test_a_spreadsheet_may_have_added_a_mark_and_line_ends(tmp_path):
    path = tmp_path / "intents.csv"
    path.write_bytes(b"\xef\xbb\xbf" + to_csv(ROWS[:1]).replace(b"\n", b"\r\n"))
    assert read_rows(path) == ROWS[:1]


BROKEN = {
    "no file": (None, r"run `python prepare_data\.py` first"),
    "wrong encoding": (b"text\xff", "not UTF-8 at byte 4"),
    "empty file": (b"", "column `text` is missing"),
    "missing column": (b"text,intent,source,family\n", "column `split` is missing"),
    "empty text": (f"{HEAD} ,aa,import,f,fit\n".encode(), "row 2: the text is empty"),
    "odd intent": (f"{HEAD}x,A b,import,f,fit\n".encode(), "row 2: the intent must look like"),
    "odd split": (f"{HEAD}x,aa,import,f,train\n".encode(), "row 2: split must be fit"),
    "short row": (f"{HEAD}x,aa\n".encode(), "row 2: split must be fit"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_error_names_file_and_row(tmp_path, name):
    raw, message = BROKEN[name]
    path = tmp_path / "intents.csv"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as caught:
        read_rows(path)
    assert str(path) in str(caught.value)
