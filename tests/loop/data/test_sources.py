from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.clean import RawRow
from chatloop.loop.data.rows import Part
from chatloop.loop.data.sources import read_source


def write(folder: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_a_csv_is_read_with_line_numbers_and_parts(tmp_path):
    text = 'text,intent,split\n"two\nlines",a_b,train\nhi,oos,val\nb,Reset Password,TEST\nx,c_d,\n'
    assert read_source(write(tmp_path, text)) == [
        RawRow(3, "two\nlines", "a_b", Part.FIT),
        RawRow(4, "hi", OOS, Part.CALIBRATE),
        RawRow(5, "b", "reset_password", Part.TEST),
        RawRow(6, "x", "c_d", None),
    ]


@pytest.mark.parametrize("head", ["text,intent", "TEXT,Intent ", "label,text", "\ufefftext,label"])
def test_the_usual_headers_are_understood(tmp_path, head):
    rows = ["one,two_x", "three_x,four_x"]
    found = read_source(write(tmp_path, "\n".join([head, *rows])))
    assert len(found) == 2
    assert {row.split for row in found} == {None}


def test_a_json_is_read(tmp_path):
    body = {
        "train": [["hi", "a_b"], ["bye", "c_d"]],
        "val": [["v", "a_b"]],
        "oos_test": [["t", "oos"]],
    }
    found = read_source(write(tmp_path, json.dumps(body), "in.JSON"))
    assert [(r.number, r.intent, r.split) for r in found] == [
        (1, "a_b", Part.FIT),
        (2, "c_d", Part.FIT),
        (3, "a_b", Part.CALIBRATE),
        (4, OOS, Part.TEST),
    ]


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("Reset Password", "reset_password"),
        ("reset-password", "reset_password"),
        ("Reset / Password", "reset_password"),
        ("OOS", OOS),
        ("Out of Scope", OOS),
        ("out-of-scope", OOS),
    ],
)
def test_a_label_is_brought_into_the_house_form(tmp_path, raw, label):
    found = read_source(write(tmp_path, f"text,intent\nx,{raw}\ny,aa\nz,bb\n"))
    assert found[0].intent == label


HEAD = "text,intent,split\n"
BROKEN = {
    "absent": (None, "does not exist"),
    "empty": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "only a header": (HEAD, "no rows below the header"),
    "no text column": ("words,intent\nx,aa\n", "row 1: column `text` is missing; found: words"),
    "no intent column": ("text,kind\nx,aa\n", r"column `intent \(or label\)` is missing"),
    "not a table": ("just some words", "column `text` is missing"),
    "wrong encoding": (HEAD.encode() + b"caf\xe9,aa,\n", "row 2: not UTF-8; save the file as"),
    "UTF-16 without mark": ("text,intent\nx,aa\n".encode("utf-16-le"), "row 1: not UTF-8"),
    "single intent": (HEAD + "x,aa,\ny,aa,\n", "needs at least two intents, found 1"),
    "one intent and oos": (HEAD + "x,aa,\ny,oos,\n", "needs at least two intents, found 1"),
    "unknown split": (
        HEAD + "x,aa,\ny,bb,holdout\n",
        "row 3: unknown split `holdout`; known:",
    ),
    "empty intent": (HEAD + "x,,\n", "row 2: the intent is empty"),
    "short row": (HEAD + "x\n", "row 2: the intent is empty"),
    "odd intent": (HEAD + "x,=cmd(),\n", "row 2: the intent is empty or not of the form"),
    "long intent": (HEAD + f"x,{'a' * 201},\n", "at most 200"),
    "giant field": (HEAD + "x" * 1_000_001 + ",aa,\n", "not readable as CSV"),
}
BROKEN_JSON = {
    "bad JSON": ("{", "not valid JSON"),
    "deep JSON": ("[" * 100_000, "not valid JSON"),
    "a list": ("[]", r"expected \{\"train\""),
    "no rows": ('{"train": []}', "no rows"),
    "unknown part": ('{"holdout": [["x", "aa"]]}', "unknown split `holdout`"),
    "no pair": ('{"train": [["x", "aa"], ["y"]]}', r"row 2: expected \[text, intent\]"),
    "numbers": ('{"train": [[1, 2]]}', r"row 1: expected \[text, intent\]"),
    "no list": ('{"train": "x"}', r"row 1: expected \[text, intent\]"),
    "empty intent": ('{"train": [["x", ""]]}', "row 1: the intent is empty"),
}


def check(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_source(path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line


@pytest.mark.parametrize("name", BROKEN)
def test_each_csv_error_has_its_line(tmp_path, name):
    content, message = BROKEN[name]
    check(tmp_path / "in.csv" if content is None else write(tmp_path, content), message)


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_each_json_error_has_its_line(tmp_path, name):
    content, message = BROKEN_JSON[name]
    check(write(tmp_path, content, "in.json"), message)
