"""Which intent is meant by what a person typed."""

from __future__ import annotations

import pytest

from chatloop.serve.terminal.labels import Match, Sure, match

INTENTS = ["cancel_plan", "change_plan", "get_invoice", "refund_request", "reset_password"]


@pytest.mark.parametrize(
    ("said", "label", "sure"),
    [
        ("3", "get_invoice", Sure.YES),
        ("refund_request", "refund_request", Sure.YES),
        (" Refund Request ", "refund_request", Sure.YES),
        ("reset-password", "reset_password", Sure.YES),
        ("refund", "refund_request", Sure.NEAR),
        ("get_invocie", "get_invoice", Sure.NEAR),
        ("gift_cards", "gift_cards", Sure.NEW),
    ],
)
def test_a_name_is_found(said: str, label: str, sure: Sure) -> None:
    assert match(said, INTENTS) == Match(label, sure)


@pytest.mark.parametrize(
    "said",
    [
        "0",
        "6",
        "9" * 30,
        "",
        "where is my invoice?",
        "Gift Cards",
        "no, the other one",
        "x",
        "密码",
    ],
)
def test_what_is_no_name_finds_nothing(said: str) -> None:
    assert match(said, INTENTS) is None


def test_a_word_of_several_intents_is_none_of_them() -> None:
    found = match("plan", INTENTS)
    assert found is None or found.sure is Sure.NEW
