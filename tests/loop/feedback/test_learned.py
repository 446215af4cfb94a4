from __future__ import annotations

import json
import logging
import multiprocessing
from dataclasses import replace
from functools import partial

import pytest

from chatloop.core.errors import ReleaseError, StoreError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.feedback.intake import FeedbackIn
from chatloop.loop.feedback.learned import Kind, Learned, Learner, read_learned
from chatloop.loop.store import Store
from chatloop.turn.answer.choose import Tally
from chatloop.turn.answer.content import Approved, Content
from chatloop.turn.answer.hints import HintLadder
from tests.fakes import NOW, FixedClock
from tests.loop.feedback.conftest import make_intake

CONTENT = Content(
    approved={"get_invoice": Approved("a", None, "q", "billing")},
    passages=(),
    messages={},
    prompt="",
    hints=HintLadder(("concise", "detailed", "quote"), 0),
)
WORDED = TurnRecord(
    turn_id="t",
    ts=NOW,
    model_version="v1",
    chosen_model="llm/a",
    hint_rung=0,
    intent="get_invoice",
    in_scope=True,
    user="someone",
)


def rating(value: int, user: str | None = None) -> Feedback:
    return Feedback(
        feedback_id="f",
        feedback_type=FeedbackType.RATING,
        status="accepted",
        source="api",
        created_at=NOW,
        rating=value,
        turn_id="t",
        user=user,
    )


@pytest.fixture
def learner(store) -> Learner:
    return Learner(store, lambda _release: CONTENT, FixedClock())


def votes(store, release="v1") -> tuple[Tally, int]:
    """The votes on the models, and how many people voted on the hint."""
    learned = read_learned(store, release)
    ratings = [vote.rating for vote in learned.llm.votes] if learned.llm else []
    return Tally(ratings.count(1), ratings.count(-1)), len(
        learned.hint.votes if learned.hint else ()
    )


def rate(learner, count=5, value=-1, record=WORDED):
    for n in range(count):
        learner.learn(rating(value, f"u{n}"), record)


def test_a_rating_counts_for_the_model_its_group_and_the_hint(learner, store):
    learner.learn(rating(1, "anna"), WORDED)
    learned = read_learned(store, "v1")
    (vote,) = learned.llm.votes
    assert (vote.voter, vote.model, vote.group, vote.rating) == ("anna", "a", "billing", 1)
    assert learned.hint.up == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"chosen_model": "local"},
        {"chosen_model": "fallback"},
        {"chosen_model": None},
        {"degraded": True},
        {"interrupted": True},
        {"status": "error"},
        {"status": "client_left"},
        {"user": None},
    ],
)
def test_only_whole_undegraded_llm_answers_to_somebody_teach(learner, store, changed):
    learner.learn(rating(-1), replace(WORDED, **changed))
    assert read_learned(store, "v1") == Learned()


@pytest.mark.parametrize(
    ("given", "known", "voter"),
    [("a", {"user": "b"}, "a"), (None, {"user": "b"}, "b"), (None, {"session": "s"}, "s")],
)
def test_a_voter_is_who_rates_else_the_user_else_the_session_of_the_turn(
    learner, store, given, known, voter
):
    learner.learn(rating(-1, given), replace(WORDED, **({"user": None} | known)))
    assert read_learned(store, "v1").llm.votes[0].voter == voter


def test_words_made_on_another_rung_do_not_move_the_hint(learner, store):
    rate(learner, record=replace(WORDED, hint_rung=2))
    assert votes(store) == (Tally(0, 5), 0)
    rate(learner)
    assert read_learned(store, "v1").hint.rung == 1
    rate(learner, count=8)  # late ratings of replies from before the move
    assert read_learned(store, "v1").hint.rung == 1


def test_a_release_without_hints_learns_none(store):
    bare = Learner(store, lambda _release: replace(CONTENT, hints=HintLadder()), FixedClock())
    rate(bare)
    assert read_learned(store, "v1").hint is None


def test_each_release_has_its_own(learner, store):
    rate(learner)
    assert read_learned(store, "v2") == Learned()
    rate(learner, count=1, record=replace(WORDED, model_version="v2"))
    assert (read_learned(store, "v1").hint.rung, read_learned(store, "v2").hint.rung) == (1, 0)


def test_a_reset_goes_back_to_the_start_and_stays_in_the_history(learner, store):
    rate(learner)
    learner.reset("v1", Kind.HINT)
    hint = read_learned(store, "v1").hint
    assert (hint.rung, hint.version) == (0, 2)
    assert [(m.before, m.after, m.by) for m in hint.moves] == [(0, 1, "votes"), (1, 0, "reset")]
    assert read_learned(store, "v1").llm.votes
    learner.reset("v1", Kind.LLM)
    assert read_learned(store, "v1").llm.votes == ()


BAD = [
    "",
    "{",
    "[]",
    "null",
    '{"rung": 99}',
    '{"rung": -1}',
    '{"rung": 1, "votes": [{"voter": "u", "rating": 5, "at": 1}]}',
    json.dumps({"rung": 1, "votes": [{"voter": "u", "rating": 1, "at": 1}] * 21}),
    "[" * 10_000,
]


@pytest.mark.parametrize("payload", BAD)
def test_a_damaged_state_counts_as_nothing_and_the_next_rating_mends_it(learner, store, payload):
    store.change_learned("v1", Kind.HINT, lambda _: payload)
    learned = read_learned(store, "v1")
    assert (learned.hint, learned.damaged) == (None, (Kind.HINT,))
    assert "learned reset hint" in learned.problem
    rate(learner, count=1)
    mended = read_learned(store, "v1")
    assert (mended.hint.down, mended.problem) == (1, None)


def _rate_many(url: str, name: str) -> None:
    store = Store(url)
    learner = Learner(store, lambda _release: CONTENT)
    for n in range(20):
        learner.learn(rating(1, f"{name}{n}"), WORDED)
    store.close()


def test_two_processes_at_once_lose_no_vote(tmp_path, store):
    url = f"sqlite:///{tmp_path / 'chatloop.db'}"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_rate_many, args=(url, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert votes(store) == (Tally(40, 0), 20)


@pytest.fixture
def told(tmp_path, store, records):
    heard: list[int | None] = []
    intake = make_intake(tmp_path, store, records.get)
    return replace(intake, learn=lambda feedback, _record: heard.append(feedback.rating)), heard


def test_the_intake_tells_each_new_rating_once(told, records, turn_id):
    intake, heard = told
    records[turn_id] = WORDED
    submit = partial(intake.submit, trusted=False, source="api")
    for given in ("down", "down", "up"):
        submit(FeedbackIn(turn_id=turn_id, rating=given, user_id="anna"))
    submit(FeedbackIn(turn_id=turn_id, comment="thanks", user_id="anna"))
    assert heard == [-1, 1]


def test_a_rating_of_a_turn_that_is_not_in_the_log_teaches_nothing(told, turn_id):
    intake, heard = told
    intake.submit(FeedbackIn(turn_id=turn_id, rating="up"), trusted=True, source="api")
    assert heard == []


@pytest.mark.parametrize("fault", [StoreError("away"), ReleaseError("gone")])
def test_what_cannot_be_learned_never_refuses_the_feedback(
    told, store, records, turn_id, caplog, fault
):
    def fail(_feedback: Feedback, _record: TurnRecord) -> None:
        raise fault

    records[turn_id] = WORDED
    intake = replace(told[0], learn=fail)
    with caplog.at_level(logging.WARNING):
        given = FeedbackIn(turn_id=turn_id, rating="up")
        assert intake.submit(given, trusted=True, source="api").status == "accepted"
    assert len(store.feedback()) == 1
    assert "nothing was learned" in caplog.text
