"""The labelled questions over the help pages are sound: figures from them mean something."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from tests.conftest import read_cases

PAGES = {path.stem for path in (Path(__file__).parents[1] / "data" / "knowledge").glob("*.md")}
CASES = read_cases("help_questions.jsonl")
NEAR_COPY = 0.6  # shared words of all words; two different questions here share at most half


def test_every_line_has_exactly_the_known_fields() -> None:
    for case in CASES:
        more = set() if case["answerable"] else {"near"}  # sounds as if a page answered it
        assert set(case) == {"id", "question", "answerable", "pages", "part"} | more, case
        assert case["part"] in {"dev", "test"}, case
        assert isinstance(case["answerable"], bool), case


def test_ids_are_unique() -> None:
    assert _repeated(case["id"] for case in CASES) == []


def test_no_question_appears_twice() -> None:
    assert _repeated(" ".join(_words(case["question"])) for case in CASES) == []


def test_every_named_page_exists() -> None:
    assert {page for case in CASES for page in case["pages"]} - PAGES == set()


def test_a_question_names_pages_just_when_they_answer_it() -> None:
    for case in CASES:
        assert bool(case["pages"]) == case["answerable"], case
        assert len(case["pages"]) == len(set(case["pages"])) <= 3, case


def test_the_test_part_is_large_enough_for_its_promises() -> None:
    counts = Counter(case["answerable"] for case in CASES if case["part"] == "test")
    assert counts[True] >= 150
    assert counts[False] >= 50


def test_each_part_asks_about_every_page() -> None:
    for part in ("dev", "test"):
        asked = {page for case in CASES if case["part"] == part for page in case["pages"]}
        assert PAGES - asked == set(), f"add a question about these pages to the part {part}"


def test_no_dev_question_is_a_near_copy_of_a_test_question() -> None:
    by_part = {
        part: [case["question"] for case in CASES if case["part"] == part]
        for part in ("dev", "test")
    }
    pairs = product(by_part["dev"], by_part["test"])
    assert [pair for pair in pairs if _likeness(*pair) >= NEAR_COPY] == []


def test_no_question_holds_an_email_address() -> None:
    assert [case["id"] for case in CASES if "@" in case["question"]] == []


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _likeness(one: str, other: str) -> float:
    first, second = set(_words(one)), set(_words(other))
    return len(first & second) / len(first | second)


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
