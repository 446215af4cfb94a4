from __future__ import annotations

from chatloop.core.types import Verdict
from chatloop.turn.guard.chain import Chain
from chatloop.turn.guard.pii import redact


def test_each_guard_sees_what_the_one_before_let_through():
    seen = []

    def spy(text: str) -> Verdict:
        seen.append(text)
        return Verdict(text + "!", ("spy",))

    assert Chain((redact, spy))("ann@example.com") == Verdict("[EMAIL_1]!", ("email", "spy"))
    assert seen == ["[EMAIL_1]"]


def test_the_first_veto_ends_the_chain():
    def never(_text: str) -> Verdict:
        raise AssertionError("asked after a veto")

    chain = Chain((redact, lambda text: Verdict(text, ("bad",), blocked=True), never))
    assert chain("ann@example.com") == Verdict("[EMAIL_1]", ("email", "bad"), blocked=True)


def test_no_guard_lets_everything_through():
    assert Chain(())("anything") == Verdict("anything")
