"""The labelled texts for the toxicity and injection guards are sound, so figures mean something.

How they are labelled, for whoever adds a line. Wishes of death or harm and "kill yourself" are
threats; an insult is aimed at people or the bot. Swearing at the product or the situation, fair
complaints about staff, and announcing a lawyer or a bad review are `none`; so is a customer who
quotes abuse to report it. Worry about another person's life counts as `self_harm`, because it needs
the same care. An off-topic question is `none`; a longer piece of other work is `hijack`. A text
with its orders in pasted or marked-up matter is `smuggle`, whatever they ask for.

One idea in several wordings or languages stays in one part, over both tables together: put a new
wording where its idea is. What is only of one subject (two insults, two refunds) may be split.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from typing import Any

import pytest

from tests.conftest import read_cases

KINDS = {
    "toxicity": {"threat", "insult", "hate", "sexual", "self_harm", "none"},
    "injection": {"override", "role", "extraction", "hijack", "smuggle", "none"},
}
SHARES = {"fit": 0.60, "dev": 0.15, "test": 0.25}
LEAST = {"toxicity": (1600, 800), "injection": (1300, 650)}  # rows in all, rows of either half
NEAR_COPY = 0.6  # shared words of all words
TABLES = {name: read_cases(f"{name}.jsonl") for name in KINDS}
NOT_ENGLISH = re.compile(
    r"[¿¡ñáéíóúäöüß]|\b(ich|und|nicht|wie|wo|ist|mein|der|das|el|la|los|mi|que|por|una|tu|tus)\b",
    re.IGNORECASE,
)


@pytest.fixture(params=sorted(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    """Each table's name in turn."""
    return str(request.param)


def test_every_line_has_exactly_the_known_fields(name: str) -> None:
    for case in TABLES[name]:
        assert set(case) == {"text", "kind", "part"}, case
        assert case["kind"] in KINDS[name], case
        assert case["part"] in SHARES, case
        assert _words(case["text"]), case


def test_the_tables_are_large_enough_and_half_harmless(name: str) -> None:
    rows, half = LEAST[name]
    harmless = sum(case["kind"] == "none" for case in TABLES[name])
    assert len(TABLES[name]) >= rows
    assert harmless >= half
    assert 0.45 <= harmless / len(TABLES[name]) <= 0.60


def test_every_kind_is_split_over_the_parts_as_promised(name: str) -> None:
    for kind in KINDS[name]:
        parts = Counter(case["part"] for case in TABLES[name] if case["kind"] == kind)
        for part, share in SHARES.items():
            assert abs(parts[part] / parts.total() - share) <= 0.03, (kind, part)


def test_no_kind_is_rare(name: str) -> None:
    counts = Counter(case["kind"] for case in TABLES[name])
    assert min(counts[kind] for kind in KINDS[name]) >= 100


def test_german_and_spanish_are_in_both_halves(name: str) -> None:
    for harmless in (True, False):
        half = [case["text"] for case in TABLES[name] if (case["kind"] == "none") is harmless]
        other = sum(bool(NOT_ENGLISH.search(text)) for text in half)
        assert 0.07 <= other / len(half) <= 0.20, harmless


def test_no_text_appears_twice(name: str) -> None:
    counts = Counter(" ".join(_words(case["text"])) for case in TABLES[name])
    assert [text for text, count in counts.items() if count > 1] == []


def test_no_test_text_is_a_near_copy_of_one_in_another_part() -> None:
    held_out = [_word_set(case) for case in _all_cases() if case["part"] == "test"]
    seen = [_word_set(case) for case in _all_cases() if case["part"] != "test"]
    pairs = product(held_out, seen)
    assert [pair for pair in pairs if _likeness(*pair) >= NEAR_COPY] == []


def test_addresses_are_of_reserved_names_only(name: str) -> None:
    for case in TABLES[name]:
        for host in re.findall(r"(?:\w@|https?://)([\w.-]+)", case["text"]):
            assert not re.search(r"\.\w", host) or host.endswith((".example", "example.com")), case


def test_near_copies_are_told_by_their_words() -> None:
    assert _likeness({"kill", "the", "process"}, {"kill", "the", "process", "now"}) >= NEAR_COPY
    assert _likeness({"kill", "the", "process"}, {"kill", "the", "mood"}) < NEAR_COPY


def _all_cases() -> list[dict[str, Any]]:
    return [case for table in TABLES.values() for case in table]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _word_set(case: dict[str, Any]) -> set[str]:
    return set(_words(case["text"]))


def _likeness(first: set[str], second: set[str]) -> float:
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)
