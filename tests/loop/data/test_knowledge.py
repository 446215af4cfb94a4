from __future__ import annotations

from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.loop.data.knowledge import (
    ApprovedAnswer,
    read_answers,
    read_golden,
    read_messages,
    read_pages,
)
from tests.fakes import GOLDEN, MESSAGES

MAY_BE_ABSENT = {
    "suggestions_intro",
    "interrupted_note",
    "hand_over_asked",
    "hand_over_policy",
    "hand_over_repeated",
}
PAGE = "---\ntitle: T\n---\n\nLead.\n## One two!\nFirst.\n\n## Two\nSecond <!-- no -->\u200bline.\n"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_page_is_cut_at_its_headings(tmp_path):
    write(tmp_path / "b.md", PAGE)
    write(tmp_path / "a.md", "---\ntitle: A\n---\n## X\nx\n\n## Empty\n\n")
    passages = read_pages(tmp_path)
    assert [(p.page, p.title, p.heading, p.anchor) for p in passages] == [
        ("a", "A", "X", "x"),
        ("b", "T", "One two!", "one-two"),
        ("b", "T", "Two", "two"),
    ]
    assert passages[-1].text == "Second line."


def test_no_folder_is_no_page(tmp_path):
    assert read_pages(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("## One\nx", "line 1: a help page starts with"),
        ("", "line 1: a help page starts with"),
        ("---\nsummary: x\n---\n## One\nx", "line 1: a help page starts with"),
        ("---\n- x\n---\n## One\nx", "line 1: a help page starts with"),
        ("---\ntitle: [\n---\n## One\nx", r"line \d+: not valid YAML"),
        ("---\ntitle: T\n---\nno heading", "at least one `## Heading`"),
        ("---\ntitle: T\n---\n## One\n\n## Two\n", "at least one `## Heading`"),
        (b"---\ntitle: \xff\n---\n## One\nx", "not UTF-8 at byte 11"),
    ],
)
def test_a_broken_page_is_named(tmp_path, page, message):
    write(tmp_path / "bad.md", page)
    with pytest.raises(DataError, match=message) as caught:
        read_pages(tmp_path)
    assert "bad.md" in str(caught.value)


def test_answers_are_read(home):
    answers = read_answers(home / "data" / "answers.yaml")
    assert answers["refund_request"].page is None
    assert answers["reset_password"].page == "passwords"


def test_an_answer_may_say_that_a_person_takes_over(tmp_path):
    path = write(tmp_path / "a.yaml", "answers:\n  aa: {answer: x, hand_over: policy}\n")
    assert read_answers(path) == {"aa": ApprovedAnswer("x", None, "policy")}


def test_an_answer_not_written_yet_is_empty(tmp_path):
    path = write(tmp_path / "a.yaml", "answers:\n  aa:\n    answer:\n  bb: {answer: ' x '}\n")
    assert read_answers(path) == {"aa": ApprovedAnswer(""), "bb": ApprovedAnswer("x")}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("answers:\n  aa: [}\n", "line 2: not valid YAML"),
        ("- x", "expected `answers:`"),
        ("", "expected `answers:`"),
        ("answers: x", "expected `answers:`"),
        ("answers:\n  Bad Name: {answer: x}", "`Bad Name`: an intent must look like"),
        ("answers:\n  aa: x", "`aa`: expected `answer:`"),
        ("answers:\n  aa: {answer: x, pages: y}", "`aa`: expected `answer:`"),
        ("answers:\n  aa: {answer: x, hand_over: later}", "`aa`: `hand_over:` is asked or policy"),
        ("answers:\n  aa: {answer: x, hand_over: {}}", "`aa`: `hand_over:` is asked or policy"),
        (b"answers: \xff", "not UTF-8"),
    ],
)
def test_broken_answers_are_named(tmp_path, raw, message):
    with pytest.raises(DataError, match=message):
        read_answers(write(tmp_path / "a.yaml", raw))


def test_an_absent_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_answers(tmp_path / "none.yaml")


def test_golden_phrases_are_read(home, tmp_path):
    assert read_golden(home / "data" / "golden.csv") == list(GOLDEN)
    assert read_golden(tmp_path / "none.csv") == []
    path = write(tmp_path / "g.csv", '\ufefftext,intent\n"a, ""b""\nc",aa\n')
    assert read_golden(path) == [('a, "b"\nc', "aa")]


@pytest.mark.parametrize("raw", ["x,y\n1,2\n", "text,intent\nx\n", "text,intent\n,aa\n"])
def test_a_broken_golden_row_is_named(tmp_path, raw):
    with pytest.raises(DataError, match="row 2: expected the columns"):
        read_golden(write(tmp_path / "g.csv", raw))


def test_the_own_sentences_are_read(home):
    assert read_messages(home / "data" / "messages.yaml") == MESSAGES


@pytest.mark.parametrize("raw", ["", "en: x", "de: {a: b}", "- x"])
def test_a_missing_language_is_named(tmp_path, raw):
    with pytest.raises(DataError, match="block `en:`"):
        read_messages(write(tmp_path / "m.yaml", raw))


@pytest.mark.parametrize("key", sorted(set(MESSAGES) - MAY_BE_ABSENT))
@pytest.mark.parametrize("value", [None, "''", "' '"])
def test_a_sentence_that_the_bot_needs_may_not_be_missing_or_empty(home, key, value):
    path = home / "data" / "messages.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"  {key}:")]
    if value:
        lines.append(f"  {key}: {value}")
    with pytest.raises(DataError, match=f"`{key}` is missing"):
        read_messages(write(path, "\n".join(lines)))
