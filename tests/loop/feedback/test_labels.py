from __future__ import annotations

import itertools

import pytest

from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.loop.data.parts import near_duplicate_key
from chatloop.loop.data.rows import Row
from chatloop.loop.feedback.labels import training_rows
from chatloop.loop.store import Store
from tests.loop.feedback.conftest import KNOWN


def base(text: str, intent: str, split: str = "fit", family: str | None = None) -> Row:
    return Row(text, intent, "seed:short", family or near_duplicate_key(text), split)


BASE = (
    base("reset my password please", "reset_password"),
    base("my invoice", "get_invoice", "test"),
    base("can not log in", "login_problem", "calibrate"),
)
GIFTS = [
    "do you sell gift cards",
    "a voucher for a friend",
    "present for the whole team",
    "buy somebody credit",
    "christmas coupon",
]
numbers = itertools.count()


def label(store: Store, text: str, intent: str, **changed):
    number = next(numbers)
    values = {
        "feedback_id": f"fb_{number}",
        "feedback_type": FeedbackType.LABEL,
        "status": "accepted",
        "source": "api",
        "created_at": float(number),
        "text": text,
        "label": intent,
    }
    store.add_feedback(Feedback(**(values | changed)), near_duplicate_key(text))


@pytest.fixture
def work_in(store, intake):
    def run(rows=BASE, known=KNOWN):
        return training_rows(
            store, rows, known_labels=known, csv_copy=intake.csv_copy, new_intent_examples=5
        )

    return run


def test_without_feedback_the_base_rows_stay_as_they_are(work_in):
    result = work_in()
    assert result.rows == BASE
    assert (result.used, result.held, result.refused, result.replaced) == (0, 0, 0, 0)
    assert (result.moved_families, result.waiting, result.problems) == (0, {}, ())


def test_an_accepted_label_joins_the_fit_part(store, work_in):
    label(store, "cant get in since monday", "login_problem")
    result = work_in()
    assert result.rows[:-1] == BASE
    text = "cant get in since monday"
    assert result.rows[-1] == Row(
        text, "login_problem", "feedback", near_duplicate_key(text), "fit"
    )
    assert result.used == 1


def test_a_label_in_the_queue_is_held(store, work_in):
    label(store, "cant get in since monday", "login_problem", status="queued_for_review")
    result = work_in()
    assert (result.rows, result.used, result.held) == (BASE, 0, 1)


def test_other_feedback_is_no_training_row(store, work_in):
    report = {"feedback_type": FeedbackType.BUG_REPORT, "comment": "dead button"}
    label(store, "words", None, **report)
    assert work_in().rows == BASE


def test_a_family_in_test_moves_to_fit_as_a_whole_and_is_counted(store, work_in):
    family = [base("my invoice", "get_invoice", "test", "f1")]
    family += [base("where is the bill", "get_invoice", "test", "f1")]
    family += [base("something else", "get_invoice", "test", "f2")]
    label(store, "The invoice, please!", "get_invoice")
    result = work_in(family)
    assert [(r.family, r.split) for r in result.rows] == [
        ("f1", "fit"),
        ("f1", "fit"),
        ("f2", "test"),
        ("f1", "fit"),
    ]
    assert (result.moved_families, result.replaced) == (1, 0)


def test_all_families_that_hold_the_text_move(store, work_in):
    rows = [base("my invoice", "get_invoice", part, part) for part in ("test", "calibrate")]
    label(store, "my invoice", "get_invoice")
    result = work_in(rows)
    assert {r.split for r in result.rows} == {"fit"}
    assert result.moved_families == 2


def test_no_family_stands_in_two_parts_afterwards(store, work_in):
    for text, intent in [("my invoice", "login_problem"), ("can not log in", "login_problem")]:
        label(store, text, intent)
    parts: dict[str, set[str]] = {}
    for row in work_in().rows:
        parts.setdefault(row.family, set()).add(row.split)
    assert all(len(p) == 1 for p in parts.values())


def test_a_label_outweighs_the_base_row_of_the_same_text(store, work_in):
    label(store, "my invoice", "login_problem")
    result = work_in()
    assert [r.intent for r in result.rows if r.family == near_duplicate_key("my invoice")] == [
        "login_problem"
    ]
    assert (result.replaced, result.moved_families) == (1, 1)
    assert len(result.rows) == len(BASE)


def test_one_wrong_template_row_goes_and_its_family_stays(store, work_in):
    rows = [base(f"template words {n}", "get_invoice", "fit", "tpl") for n in range(3)]
    label(store, "template words 1", "login_problem")
    result = work_in(rows)
    assert [(r.text[-1], r.intent) for r in result.rows] == [
        ("0", "get_invoice"),
        ("2", "get_invoice"),
        ("1", "login_problem"),
    ]
    assert (result.replaced, result.moved_families) == (1, 0)


def test_the_newest_label_of_a_text_wins(store, work_in):
    for user, intent in [("a", "get_invoice"), ("b", "login_problem")]:
        label(store, "it does not go", intent, user=user)
    result = work_in(())
    assert [(r.text, r.intent) for r in result.rows] == [("it does not go", "login_problem")]
    assert (result.used, result.replaced) == (1, 1)


def test_a_new_intent_waits_at_three_of_five(store, work_in):
    for text in GIFTS[:3]:
        label(store, text, "gift_cards")
    result = work_in()
    assert result.waiting == {"gift_cards": (3, 5)}
    assert (result.rows, result.used, result.held) == (BASE, 0, 3)


def test_a_new_intent_joins_at_five_distinct_examples(store, work_in):
    for text in [*GIFTS[:4], "Please: " + GIFTS[0] + "?"]:
        label(store, text, "gift_cards")
    assert work_in().waiting == {"gift_cards": (4, 5)}
    label(store, GIFTS[4], "gift_cards")
    result = work_in()
    assert result.waiting == {}
    assert result.used == 5
    assert [r.split for r in result.rows if r.intent == "gift_cards"] == ["fit"] * 5


def test_queued_examples_do_not_count_for_a_new_intent(store, work_in):
    for text in GIFTS[:4]:
        label(store, text, "gift_cards")
    label(store, GIFTS[4], "gift_cards", status="queued_for_review")
    result = work_in()
    assert (result.waiting, result.held) == ({"gift_cards": (4, 5)}, 5)


def test_a_waiting_intent_takes_no_base_row_away(store, work_in):
    label(store, "my invoice", "gift_cards")
    assert work_in().rows == BASE


def test_out_of_scope_needs_no_five_examples(store, work_in):
    label(store, "what is the weather", "oos")
    assert (work_in().used, work_in().waiting) == (1, {})


def test_rows_added_by_hand_are_taken_in_once_redacted_and_accepted(store, intake, work_in):
    intake.csv_copy.path.write_text(
        "text,intent\nbill to anna@example.com,get_invoice\nboo,gift_cards\n", encoding="utf-8"
    )
    for _ in range(2):
        result = work_in()
        assert (result.used, result.waiting, result.problems) == (1, {"gift_cards": (1, 5)}, ())
    first, second = store.feedback()
    assert (first.text, first.source, first.status) == ("bill to [EMAIL_1]", "csv", "accepted")
    assert [p.label for p in store.proposed_intents()] == ["gift_cards"]
    assert second.label == "gift_cards"


def test_a_row_added_by_hand_does_not_win_for_ever(store, intake, work_in):
    intake.csv_copy.path.write_text("text,label\nit does not go,get_invoice\n")
    assert [r.intent for r in work_in(()).rows] == ["get_invoice"]
    label(store, "it does not go", "login_problem", created_at=4e9)
    for _ in range(2):
        assert [r.intent for r in work_in(()).rows] == ["login_problem"]


def test_refused_rows_are_reported_by_row(store, intake, work_in):
    intake.csv_copy.path.write_text(
        "text,label\nfine,get_invoice\nhm,Get-Invoice\n,oos\n\x07,oos\n"
    )
    result = work_in()
    assert (result.used, result.refused) == (1, 3)
    assert [p.split(":")[0] for p in sorted(result.problems)] == [
        "new_user_data.csv, row 3",
        "new_user_data.csv, row 4",
        "new_user_data.csv, row 5",
    ]
    assert "`get_invoice`" in "".join(result.problems)


def test_a_broken_file_is_reported_and_stops_nothing(store, intake, work_in):
    label(store, "cant get in since monday", "login_problem")
    intake.csv_copy.path.write_text("no,header\n")
    result = work_in()
    assert result.used == 1
    assert "row 1: expected columns" in result.problems[0]


def test_labels_that_the_file_missed_are_completed(store, intake, work_in):
    label(store, "cant get in since monday", "login_problem", feedback_id="fb_missing")
    work_in()
    work_in()
    assert intake.csv_copy.path.read_text().count("fb_missing") == 1


def test_rows_of_a_lost_store_come_back_but_the_queue_does_not(store, intake, work_in):
    intake.csv_copy.path.write_text(
        "feedback_id,text,label,source,user,created_at,status\n"
        "fb_1,was accepted,get_invoice,api,,,accepted\n"
        "fb_2,was queued,get_invoice,api,,,queued_for_review\n"
    )
    result = work_in(())
    assert [r.text for r in result.rows] == ["was accepted"]
    assert result.refused == 1
