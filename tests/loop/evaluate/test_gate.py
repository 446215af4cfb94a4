from __future__ import annotations

import pytest

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.gate import Check, GateVerdict, compare
from chatloop.turn.classify import load

LABELS = ("aa", "bb", "cc", OOS)
ROWS = [
    Row(f"{label} {n}", label, "x", f"{label}{n}", "test") for label in LABELS for n in range(8)
]
GOLDEN = [("aa golden", "aa"), ("bb golden", "bb"), ("cc golden", "oops")]


class Model:
    """Gets every text right by its first word, except those named in `wrong`."""

    def __init__(self, *wrong: str, labels: tuple[str, ...] = LABELS) -> None:
        self.wrong = set(wrong)
        self.labels = labels

    def __call__(self, text: str) -> Intent:
        label = text.split(maxsplit=1)[0]
        if text in self.wrong:
            label = "bb" if label == "aa" else "aa"
        return Intent("aa" if label == OOS else label, 0.9, in_scope=label != OOS)


def wrong(label: str, n: int) -> tuple[str, ...]:
    return tuple(f"{label} {i}" for i in range(n))


def judge(current: Model, candidate: Model, margin: float = 0.01) -> GateVerdict:
    return compare(current, candidate, ROWS, GOLDEN, margin=margin)


def failed(verdict: GateVerdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def test_an_equal_model_is_accepted():
    assert judge(Model(), Model()).accepted
    assert judge(Model(*wrong("aa", 3)), Model(*wrong("bb", 3))).accepted


def test_a_better_model_is_accepted():
    verdict = judge(Model(*wrong("aa", 3)), Model())
    assert verdict.accepted
    assert "(3 gained, 0 lost" in verdict.checks[0].detail


def test_a_worse_model_is_refused_with_its_numbers():
    verdict = judge(Model(), Model(*wrong("aa", 1), *wrong("bb", 1)))
    assert failed(verdict) == ["accuracy"]
    detail = verdict.checks[0].detail
    assert "0.9375 against 1.0000 on the same 32 test rows" in detail
    assert "(0 gained, 2 lost; may fall by 0.010)" in detail


@pytest.mark.parametrize(("lost", "accepted"), [(3, True), (4, False)])
def test_the_margin_is_the_largest_loss_that_passes(lost, accepted):
    candidate = Model(*wrong("aa", 1), *wrong("bb", 1), *wrong("cc", lost - 2))
    assert judge(Model(), candidate, margin=3 / 32).accepted is accepted


def test_a_broken_golden_phrase_is_refused_and_named():
    verdict = judge(Model(*wrong("cc", 5)), Model("aa golden"))
    assert failed(verdict) == ["golden"]
    assert "2 of 3 golden phrases kept; broken: 'aa golden'" in verdict.checks[1].detail


def test_a_golden_phrase_that_was_wrong_before_breaks_nothing():
    assert judge(Model("aa golden"), Model("aa golden")).accepted


def test_a_halved_intent_is_refused_even_when_accuracy_rises():
    current = Model(*wrong("aa", 8))
    verdict = judge(current, Model(*wrong("bb", 4)))
    assert failed(verdict) == ["per_intent"]
    assert "bb (8 -> 4 right)" in verdict.checks[2].detail


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_watched(label):
    assert "per_intent" in failed(judge(Model(), Model(*wrong(label, 5))))


def test_less_than_half_or_fewer_than_four_rows_is_no_halved_intent():
    assert judge(Model(*wrong("aa", 8)), Model(*wrong("bb", 3))).accepted
    few = [row for row in ROWS if not row.text.endswith(("3", "4", "5", "6", "7"))]
    candidate = Model(*wrong("bb", 3))
    assert compare(Model(*wrong("aa", 8)), candidate, few, [], margin=0.0).accepted


def test_rows_of_an_intent_that_one_model_does_not_know_stay_out():
    new = Row("dd 1", "dd", "x", "dd1", "test")
    verdict = compare(Model(), Model(labels=(*LABELS, "dd")), [*ROWS, new], [], margin=0.0)
    assert verdict.accepted
    assert "same 32 test rows" in verdict.checks[0].detail


def test_without_shared_rows_the_accuracy_says_so():
    verdict = compare(Model(), Model(), [], [], margin=0.0)
    assert verdict.accepted
    assert verdict.checks[0] == Check("accuracy", True, "no shared test rows to compare on")


def test_many_broken_phrases_are_named_in_part():
    golden = [(f"aa {n}", "aa") for n in range(8)]
    verdict = compare(Model(), Model(*wrong("aa", 8)), [], golden, margin=1.0)
    assert verdict.checks[1].detail.count("'aa") == 5


def test_real_scorers_are_compared(release):
    scorer = load(release)
    rows = [Row("please reset my password", "reset_password", "x", "f", "test")]
    assert compare(scorer, scorer, rows, [("sing a happy song", OOS)], margin=0.0).accepted
