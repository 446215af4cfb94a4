"""A person's file is read as it comes: any usual separator, encoding, column name and label."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data import clean as clean_module
from chatloop.loop.data.clean import RawRow, clean
from chatloop.loop.data.labels import house_label, similar_labels
from chatloop.loop.data.rows import LABEL_FORM, Part
from chatloop.loop.data.sources import Columns, read_source
from chatloop.turn.guard.pii import redact
from tests.conftest import read_cases

ROWS = [("hi, there", "get_a"), ('say "x"\nnow; or | later', "get_b"), ("Grüße\tan", "get_b")]


def write(folder: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def pairs(path: Path, columns: Columns | None = None, said: list[str] | None = None):
    heard = [] if said is None else said
    rows = read_source(path, columns or Columns(), say=heard.append)
    return [(row.text, row.intent) for row in rows]


def table(separator: str, header: str = "text{}intent") -> str:
    quoted = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text, _ in ROWS]
    lines = [f"{q}{separator}{i}" for q, (_, i) in zip(quoted, ROWS, strict=True)]
    return "\r\n".join([header.format(separator), *lines, ""])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_usual_separator_and_encoding_gives_the_same_rows(tmp_path, separator, encoding):
    said: list[str] = []
    assert pairs(write(tmp_path, table(separator).encode(encoding)), said=said) == ROWS
    assert not said


def test_the_first_line_may_name_the_separator_and_columns_may_trail(tmp_path):
    text = "sep=;\r\ntext;intent;;\r\na, b;aa;;\r\n;;;\r\n'=1+1;bb;;\r\n"
    rows = read_source(write(tmp_path, text))
    assert rows == [RawRow(3, "a, b", "aa", None), RawRow(5, "=1+1", "bb", None)]


@pytest.mark.parametrize(
    ("cell", "text"),
    [("'=A1", "=A1"), ("'+1 ok", "+1 ok"), ("'-5", "-5"), ("'@me", "@me"), ("'tis it", "'tis it")],
)
def test_an_apostrophe_before_a_formula_is_taken_away_again(tmp_path, cell, text):
    assert pairs(write(tmp_path, f"text,intent\n{cell},aa\nx,bb\n"))[0] == (text, "aa")


def test_windows_1252_is_read_with_a_warning_and_refused_where_nobody_hears_it(tmp_path):
    path = write(tmp_path, "text;intent\nKündigung für €5;aa\nx;bb\n".encode("cp1252"))
    said: list[str] = []
    assert pairs(path, said=said)[0] == ("Kündigung für €5", "aa")
    (line,) = said
    assert line.startswith("warning:")
    assert "row 2: not UTF-8, read as Windows-1252" in line
    with pytest.raises(DataError, match="row 2: not UTF-8; save the file as UTF-8"):
        read_source(path)


def test_what_is_no_text_is_an_error(tmp_path):
    for raw in (b"text,intent\n\xe9\x81,aa\nx,bb\n", b"PK\x03\x04\x00\x00\x81\x90", b"\xff\xfea"):
        with pytest.raises(DataError, match="not UTF-8"):
            pairs(write(tmp_path, raw))


@pytest.mark.parametrize("text", "TEXT utterance Message question query sentence".split())
@pytest.mark.parametrize("intent", "Intent label CATEGORY tag class".split())
@pytest.mark.parametrize("split", "split Set part".split())
def test_the_usual_column_names_are_known_in_any_case(tmp_path, text, intent, split):
    path = write(tmp_path, f"id,{split},{intent},{text}\n1,train,aa,x\n2,dev,bb,y\n")
    assert read_source(path) == [
        RawRow(2, "x", "aa", Part.FIT),
        RawRow(3, "y", "bb", Part.CALIBRATE),
    ]


def test_chosen_columns_win_and_the_taken_ones_are_told(tmp_path):
    path = write(tmp_path, "text;intent;Frage;Thema;Teil\nno;no_a;x;aa;test\nno;no_b;y;bb;train\n")
    said: list[str] = []
    columns = Columns("frage", "Thema", "Teil")
    assert pairs(path, columns, said) == [("x", "aa"), ("y", "bb")]
    assert said == ["columns: text = `Frage`, intent = `Thema`, split = `Teil`"]


def test_a_column_set_that_is_no_split_can_be_left_unread(tmp_path):
    path = write(tmp_path, "text,intent,set\nx,aa,red\ny,bb,blue\n")
    with pytest.raises(DataError, match=r"row 2: unknown split `red`.*--split-column=-"):
        pairs(path)
    assert pairs(path, Columns(split="-")) == [("x", "aa"), ("y", "bb")]


BROKEN = {
    "a column that is not there": (
        "text,intent\nx,aa\ny,bb\n",
        Columns(text="frage"),
        "row 1: column `frage` is missing; found: text, intent",
    ),
    "one column twice": ("text,intent\nx,aa\n", Columns(intent="text"), "asked for twice"),
    "two of a name": ("text,Text,intent\nx,y,aa\n", Columns(), "there are 2 columns `text`"),
    "unquoted separator": ("text,intent\nx,aa\nhello, you,bb\n", Columns(), "row 3: 3 cells below"),
    "open quote": (
        'intent,text\naa,x\nbb,"never\ncc,closed\n',
        Columns(),
        "row 3: a quotation mark opens here and never closes",
    ),
    "personal header": (
        "write to ann@example.com,aa\nx,bb\n",
        Columns(),
        r"found: write to \[EMAIL_1\], aa$",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_of_a_table_is_one_line(tmp_path, name):
    content, columns, message = BROKEN[name]
    with pytest.raises(DataError, match=message) as caught:
        pairs(write(tmp_path, content), columns)
    assert "\n" not in str(caught.value)


def test_json_lines_are_read_with_the_same_column_names(tmp_path):
    entries = [{"query": "a\u2028b", "label": "get a"}, {"query": "c", "label": 7, "split": "val"}]
    text = "\n\n".join(json.dumps(e, ensure_ascii=False) for e in entries)
    assert read_source(write(tmp_path, text, "in.jsonl")) == [
        RawRow(1, "a\u2028b", "get_a", None),
        RawRow(3, "c", "intent_7", Part.CALIBRATE),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "row 2: not valid JSON"),
        ('["x", "aa"]', "row 2: expected"),
        ('{"text": 1, "intent": "aa"}', "row 2: `text` must be a text"),
        ('{"text": "x"}', r"row 2: column `intent \(or label\)` is missing; found: text"),
        ('{"text": "x", "intent": ""}', "row 2: the intent is empty"),
    ],
)
def test_a_broken_json_line_is_named(tmp_path, line, message):
    with pytest.raises(DataError, match=message):
        pairs(write(tmp_path, f'{{"text": "x", "intent": "aa"}}\n{line}\n', "in.jsonl"))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Rechnung anfordern", "rechnung_anfordern"),
        ("Kündigung & Straße", "kundigung_strasse"),
        ("Łódź", "lodz"),
        ("2FA", "intent_2fa"),
        ("3", "intent_3"),
        ("返金", "intent_1e9dd939"),
        ("返金 refund", "intent_d3399df7"),
        ("???", "intent_32e84994"),
        ("balance_not_updated_after_cheque_or_cash_deposit", None),
        ("Out of Scope", OOS),
    ],
)
def test_any_label_gets_the_house_form_and_keeps_it(name, label):
    found = house_label(name)
    assert label in (found, None)
    assert LABEL_FORM.fullmatch(found)
    assert house_label(found) == found


def test_long_labels_that_begin_alike_stay_apart():
    assert house_label("a" * 60 + "b") != house_label("a" * 60 + "c")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ("Get Bill", "get-bill"),
            r"row 3: the labels `Get Bill` \(row 2\) and `get-bill` both become",
        ),
        (("C++", "C#"), r"`C\+\+` \(row 2\) and `C#` both become `intent_c`"),
        (("#REF!", "aa"), "row 2: the intent is empty or not of the form"),
        (("aa", "mail ann@example.com"), "row 3: the intent holds personal data"),
    ],
)
def test_a_label_that_cannot_be_told_apart_or_shown_is_an_error(tmp_path, labels, message):
    lines = "".join(f"text {n},{label}\n" for n, label in enumerate(labels))
    with pytest.raises(DataError, match=message) as caught:
        pairs(write(tmp_path, f"text,intent\n{lines}"))
    assert "ann@" not in str(caught.value)


def test_labels_that_differ_in_order_plural_or_a_letter_look_alike():
    names = "reset_password password_reset refund_card refunds_card card_lost card_list sign_in"
    found = similar_labels({name: name for name in [*names.split(), "item_1a2b", "item_1a3b"]})
    assert found == [
        ("card_list", "card_lost"),
        ("password_reset", "reset_password"),
        ("refund_card", "refunds_card"),
    ]


def test_skipping_texts_without_digits_or_at_signs_changes_nothing(monkeypatch):
    texts = [case["text"] for case in read_cases("pii.jsonl")]
    texts += ["٠١٢٣٤٥٦٧٨٩٠١٢", "no digits at all", "ann＠example.com"]
    raw = [RawRow(n, text, "aa", Part.FIT) for n, text in enumerate(texts)]
    rows, report = clean(raw, 7)
    monkeypatch.setattr(clean_module, "_redacted", redact)
    assert clean(raw, 7) == (rows, report)
    assert report.redacted
