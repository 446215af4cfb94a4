"""Slices count the rows that they name, and a name must not change an outcome unseen."""

from __future__ import annotations

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.metrics import wilson
from chatloop.loop.evaluate.slices import FRAMES, NAMES, compare_names, measure_slices
from chatloop.turn.classify import load


class Model:
    """Says `aa` with 0.9; `bb` to texts that hold a word of `wrong`, 0.5 to those of `unsure`."""

    def __init__(self, wrong: tuple[str, ...] = (), unsure: tuple[str, ...] = ()) -> None:
        self.wrong, self.unsure = wrong, unsure

    def __call__(self, text: str) -> Intent:
        label = "bb" if any(word in text for word in self.wrong) else "aa"
        sure = 0.5 if any(word in text for word in self.unsure) else 0.9
        return Intent(label, sure, in_scope=True)


def row(text: str, build: str = "plain", intent: str = "aa") -> Row:
    return Row(text, intent, f"seed:{build}", text, "test")


ROWS = [
    row("please tell me about this thing"),
    row("four words are short"),
    row("five words are not short"),
    row("wrnog spelin in this one", "misspelt"),
    row("explain me this thing please", "non_native"),
    row("this is a DISGRACE right now", "angry"),
    row("I hereby request the said thing", "formal"),
    row("who won the cup", "small_talk", OOS),
]


def measure(model: Model) -> dict:
    intents = [model(r.text) for r in ROWS]
    return {s.name: s for s in measure_slices(model, ROWS, intents, 0.6).slices}


def test_each_slice_counts_the_rows_in_scope_that_it_names():
    found = measure(Model())
    assert {name: s.recall.n for name, s in found.items()} == {
        "all": 7,
        "short": 1,
        "misspelt": 1,
        "non-native": 1,
        "angry": 1,
        "formal": 1,
        "upper case": 7,
    }
    assert all(s.answered.n == s.recall.n for s in found.values())


def test_recall_and_share_answered_are_measured_apart_with_intervals():
    found = measure(Model(wrong=("wrnog",), unsure=("hereby",)))
    assert found["all"].recall == wilson(6, 7)
    assert found["all"].answered == wilson(6, 7)
    assert (found["misspelt"].recall.value, found["misspelt"].answered.value) == (0.0, 1.0)
    assert (found["formal"].recall.value, found["formal"].answered.value) == (1.0, 0.0)


def test_upper_case_asks_the_model_again_in_upper_case():
    found = measure(Model(wrong=("PLEASE",)))
    assert found["all"].recall == wilson(7, 7)
    assert found["upper case"].recall == wilson(5, 7)


def test_rows_without_builds_leave_their_slices_empty():
    rows = [Row("a b", "aa", "import", "f", "test")]
    found = measure_slices(Model(), rows, [Model()("a b")], 0.6).slices
    assert {s.name: s.recall.n for s in found if s.recall.n} == {
        "all": 1,
        "short": 1,
        "upper case": 1,
    }


def test_a_model_that_ignores_names_changes_nothing():
    found = compare_names(Model(), 0.6)
    assert found.prediction_changes == found.answered_changes == wilson(0, len(FRAMES) * len(NAMES))
    assert (found.frames_touched, found.examples) == (0, ())


def test_a_name_that_changes_the_prediction_is_counted_with_both_its_neighbours():
    found = compare_names(Model(wrong=("Lakisha",)), 0.6)
    assert found.prediction_changes == wilson(2 * len(FRAMES), len(FRAMES) * len(NAMES))
    assert found.answered_changes.value == 0.0
    assert found.frames_touched == len(found.examples) == len(FRAMES)
    one, other = found.examples[0]
    assert (one.predicted, other.predicted) == ("aa", "bb")
    assert one.text.replace("Emily", "Lakisha") == other.text


def test_a_name_that_only_costs_the_answer_is_counted_too():
    found = compare_names(Model(unsure=("Mohammed",)), 0.6)
    assert found.prediction_changes.value == 0.0
    assert found.answered_changes.value == 2 / len(NAMES)
    assert all(a.answered != b.answered for a, b in found.examples)


def test_the_last_name_is_compared_with_the_first():
    found = compare_names(Model(wrong=(NAMES[-1],)), 0.6)
    assert found.prediction_changes.value == 2 / len(NAMES)


def test_every_sentence_holds_the_name_once_and_names_differ():
    assert all(frame.count("{name}") == 1 for frame in FRAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_a_real_scorer_is_measured(release):
    scorer = load(release)
    rows = [row("please reset my password", intent="reset_password")]
    found = measure_slices(scorer, rows, scorer.many([r.text for r in rows]), 0.6)
    assert found.slices[0].recall == found.slices[0].answered == wilson(1, 1)
